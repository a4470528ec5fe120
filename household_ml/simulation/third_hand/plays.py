"""A sitting becomes plays: one after the other, of the length that suits the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from household_ml.simulation.third_hand.homes import Builder
from household_ml.simulation.third_hand.ledger import column
from household_ml.simulation.third_hand.viewing import Sittings

__all__ = ["Plays", "play"]

#: Mean minutes of a play and spread of its logarithm; plays after the first, on average.
_LENGTH: Final = {
    "phone": (8.6, 0.95, 0.75),
    "tablet": (15.0, 0.9, 0.9),
    "computer": (20.0, 0.85, 0.8),
    "": (28.7, 0.7, 0.95),
}


@dataclass(frozen=True, slots=True)
class Plays:
    """Plays as columns of one length.

    Attributes
    ----------
    sitting : ndarray of int64
        Of which sitting.
    start : ndarray of float64
        Days since the start of the world, UTC.
    seconds : ndarray of float64
        Watched time.
    """

    sitting: npt.NDArray[np.int64]
    start: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]


def play(builder: Builder, sittings: Sittings, days: int) -> Plays:
    """Draw the plays of all sittings.

    Parameters
    ----------
    builder : Builder
        With devices and people.
    sittings : Sittings
        N sittings.
    days : int
        Plays that begin later are left out.
    """
    rng = builder.rng
    kinds = list(_LENGTH)
    kind = np.array(
        [kinds.index(one.kind if one.kind in _LENGTH else "") for one in builder.ledger.devices]
    )[sittings.device]
    table = np.array(list(_LENGTH.values()))
    fan = column(builder.ledger.people, "fan", np.float64)[sittings.person]
    count = 1 + rng.poisson(np.minimum(table[kind, 2] * fan, 8.0))
    sitting = np.repeat(np.arange(len(sittings)), count)
    mean, spread, _ = table[kind[sitting]].T
    minutes = rng.lognormal(np.log(mean) - spread**2 / 2.0, spread)
    minutes = np.clip(minutes, 0.2, 200.0)
    pause = rng.lognormal(-1.2, 1.3, minutes.size)  # minutes
    begins = np.cumsum(minutes + pause) - (minutes + pause)
    ahead = np.repeat(begins[np.cumsum(count) - count], count)
    start = sittings.start[sitting] + (begins - ahead) / 1440.0
    whole = np.floor(start * 86400.0) / 86400.0
    kept = start < days
    return Plays(sitting[kept], whole[kept], np.round(minutes[kept] * 60.0, 1))
