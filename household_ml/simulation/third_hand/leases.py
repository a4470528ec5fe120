"""When a line gets another address: by the clock, by chance, or because its gateway was rebuilt.

Every line has a sequence of holdings; each begins with an event. A gateway that is rebuilt takes
nearly all its lines along at once, which no process of single lines shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from household_ml.simulation.third_hand.chance import share_of
from household_ml.simulation.third_hand.homes import Builder
from household_ml.simulation.third_hand.ledger import column

__all__ = ["Holdings", "hold"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Rebuilds of a gateway a day, and the share of its lines that get another address.
_REBUILDS: Final = 1.0 / 220.0
_TAKEN: Final = 0.85
#: Leases that a reboot loses: of boxes that are off for long, or whose server forgets.
_FORGETFUL: Final = 0.35
_KEY: Final = 1e4


@dataclass(frozen=True, slots=True)
class Holdings:
    """Holdings of all lines, by line and time.

    Attributes
    ----------
    line : ndarray of int64, shape (H,)
        Line of each holding.
    key : ndarray of float64, shape (H,)
        Line and time as one ascending number.
    last_far : ndarray of int64, shape (H,)
        The holding of the line in which it came to its present /24.
    """

    line: Ints
    key: Floats
    last_far: Ints

    def at(self, line: Ints, when: Floats) -> Ints:
        """Holding of a line at a time."""
        found = np.searchsorted(self.key, line * _KEY + when + 2.0, side="right") - 1
        return np.asarray(found, np.int64)


def hold(builder: Builder, gateway: Ints, days: int, seed: int) -> Holdings:
    """Draw the holdings of all lines.

    Parameters
    ----------
    builder : Builder
        With all lines.
    gateway : ndarray of int64, shape (lines,)
        Gateway that serves each line.
    days : int
        How long the world lasts.
    seed : int
        Of what is drawn by line.
    """
    rng, lines = builder.rng, builder.ledger.lines
    size = len(lines)
    number = np.arange(size)
    way = column(lines, "way", "U10")
    span = column(lines, "days", np.float64)
    nat = column(lines, "nat", np.bool_)
    isps = [builder.country.isps[line.isp][1] for line in lines]
    binding = np.array([isp.binding for isp in isps])
    settled = nat & (binding == 0.0)

    lost = builder.rates.reboots / 30.0
    forgetful = share_of(seed, 21, number) < _FORGETFUL
    rate = np.where(way == "lease", 1.0 / np.maximum(span, 0.3) + lost * forgetful, 0.0)
    rate = np.where(way == "reconnect", lost, rate)
    bound = 1.0 / np.maximum(binding, 0.3)
    rate = np.where(nat, np.where(settled, 0.0, bound), rate)
    owner = [number, np.repeat(number, rng.poisson(rate * days))]
    times = [np.full(size, -1.0), rng.random(owner[1].size) * days]

    clocked = np.flatnonzero((way == "reconnect") & ~nat)
    for period in np.unique(span[clocked]):
        these = clocked[span[clocked] == period]
        ticks = int(days / period) + 2
        # routers reconnect in the small hours by their own clock, and now and then they do not
        hour = rng.triangular(0.04, 0.15, 0.24, these.size)
        phase = hour + period * rng.random(these.size) * (period > 1.0)
        tick = phase[:, None] + np.arange(-1, ticks)[None, :] * period
        tick = tick + rng.exponential(0.002, tick.shape)
        made = (rng.random(tick.shape) < 0.97) & (tick >= 0.0) & (tick < days)
        row, turn = np.nonzero(made)
        owner.append(these[row])
        times.append(tick[row, turn])

    steady = settled | (~nat & (way == "static"))
    for one in np.unique(gateway):
        for at in rng.random(int(rng.poisson(days * _REBUILDS))) * days:
            taken = np.flatnonzero((gateway == one) & ~steady)
            taken = taken[rng.random(taken.size) < _TAKEN]
            owner.append(taken)
            times.append(np.full(taken.size, at))

    line, time = np.concatenate(owner), np.concatenate(times)
    order = np.lexsort((time, line))
    line, time = line[order], time[order]
    near = np.array([isp.near for isp in isps]) if builder.rates.near is None else None
    stays = builder.rates.near if near is None else near[line]
    index = np.arange(line.size)
    far = (share_of(seed, 22, index) >= np.asarray(stays)) | (time < 0.0)
    return Holdings(line, line * _KEY + time + 2.0, np.maximum.accumulate(np.where(far, index, 0)))
