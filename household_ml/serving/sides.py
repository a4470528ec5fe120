"""Devices of a world divided by account, each side with statistics that it may see.

Network statistics are a way for one account to learn of another. So accounts are divided first:
the training accounts' features are built with statistics of the training accounts alone, those of
the calibration and test accounts with statistics of the training accounts and their own side, as a
service has it that knows its history and meets new accounts. Nothing of a later side reaches an
earlier one.

Some accounts may be met with less: one alone, or with a snapshot that was built from others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from household_ml.errors import ParameterError, Problem
from household_ml.features import COLUMN_NAMES, build_features
from household_ml.modeling.baselines import Baselines, fit_baselines
from household_ml.modeling.splits import CALIBRATION, TEST, TRAIN
from household_ml.modeling.training import split_training_set
from household_ml.networks import NetworkStatistics, enrich
from household_ml.scoring.window import known_at
from household_ml.serving.datasets import (
    LEARNT_COLUMNS,
    LabelledDevices,
    LabelledSessions,
    labelled_devices,
)
from household_ml.sessions import Sessions

__all__ = ["MET", "DividedDevices", "Meetings", "divide", "fit_rules"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: What is known of an account's networks when it is scored.
MET: Final = ("with all", "with a foreign snapshot", "alone")

#: Shares of the other accounts that a foreign snapshot is built from.
_FOREIGN: Final = (0.1, 0.6)


@dataclass(frozen=True, slots=True)
class Meetings:
    """How many accounts are met with less than the statistics of their side.

    Parameters
    ----------
    foreign : float, default=0
        Share of the accounts met with a snapshot that they are not in, built from a part of the
        others.
    alone : float, default=0
        Share of the accounts met with statistics of themselves alone.
    """

    foreign: float = 0.0
    alone: float = 0.0

    def __post_init__(self) -> None:
        if self.foreign < 0 or self.alone < 0 or self.foreign + self.alone > 1:
            raise ParameterError(
                Problem(
                    "foreign and alone must be shares that add up to at most 1",
                    f"{self.foreign} and {self.alone}",
                    "Give smaller shares.",
                )
            )


@dataclass(frozen=True)
class DividedDevices:
    """Labelled devices of a world and the side of each.

    Parameters
    ----------
    devices : LabelledDevices
        Of D devices; ``statistics`` are those of the training side.
    side : int8 array of shape (D,)
        ``TRAIN``, ``CALIBRATION`` or ``TEST`` of :mod:`~household_ml.modeling.splits`.
    """

    devices: LabelledDevices
    side: npt.NDArray[np.int8]


def divide(
    world: LabelledSessions,
    *,
    shares: Sequence[float],
    seed: int,
    as_of: int | None = None,
    meetings: Meetings | None = None,
) -> DividedDevices:
    """Divide the accounts of a world and build the features of each side.

    Parameters
    ----------
    world : LabelledSessions
        Histories and labels.
    shares : three floats
        Of accounts for training, calibration and test, with sum 1.
    seed : int
        Of the division.
    as_of : int or None, default=None
        Microseconds since the epoch; None is the last session.
    meetings : Meetings or None, default=None
        Accounts that are met with less; none when left out. How each is met is a slice of the
        devices, ``statistics``.

    Returns
    -------
    DividedDevices
    """
    moment = world.sessions.last_started_at() if as_of is None else as_of
    known = known_at(world.sessions, moment)
    whole = labelled_devices(world, as_of=moment)
    owner = whole.features.account
    side = split_training_set(whole.learnt, shares=shares, seed=seed)
    of_account = np.empty(known.n_accounts, dtype=np.int8)
    of_account[owner] = side
    rng = np.random.default_rng([seed, 17])
    met = _met(known.n_accounts, meetings or Meetings(), rng)
    values = np.empty_like(whole.features.values)
    train = enrich(known.take_accounts(of_account == TRAIN)).statistics
    for part in (TRAIN, CALIBRATION, TEST):
        own = of_account == part
        seen = own | (of_account == TRAIN)
        foreign = rng.uniform(*_FOREIGN)
        if not own.any():
            continue
        statistics = train if part == TRAIN else enrich(known.take_accounts(seen)).statistics
        beside = seen & (met != 1) & (rng.random(met.size) < foreign)
        for chosen, used in (
            (own & (met == 0), statistics),
            (own & (met == 1), _statistics_of(known, beside)),
        ):
            if chosen.any():
                built = build_features(known.take_accounts(chosen), statistics=used, as_of=moment)
                values[chosen[owner]] = built.values
        for account in np.flatnonzero(own & (met == 2)):
            built = build_features(known.take_accounts(np.array([account])), as_of=moment)
            values[owner == account] = built.values
    columns = [COLUMN_NAMES.index(name) for name in LEARNT_COLUMNS]
    learnt = replace(whole.learnt, values=values[:, columns])
    if meetings is not None:
        learnt = replace(learnt, slices={"statistics": np.array(MET, dtype=object)[met][owner]})
    devices = replace(
        whole,
        features=replace(whole.features, values=values),
        statistics=train,
        learnt=learnt,
    )
    return DividedDevices(devices, side)


def fit_rules(parts: Sequence[DividedDevices]) -> Baselines:
    """Fit the baselines, which need features that the classifier does not see.

    Parameters
    ----------
    parts : sequence of DividedDevices
        The training side of each is learnt from; every world weighs the same.

    Returns
    -------
    Baselines
    """
    rows, answers, weights = [], [], []
    for part in parts:
        learnt = part.devices.learnt
        open_policy = np.zeros(len(learnt), bool) if learnt.ambiguous is None else learnt.ambiguous
        used = (part.side == TRAIN) & np.isfinite(learnt.y) & ~open_policy
        rows.append(part.devices.features.values[used])
        answers.append(learnt.y[used])
        weights.append(np.full(int(used.sum()), 1.0 / max(int(used.sum()), 1)))
    weight = np.concatenate(weights)
    return fit_baselines(
        np.concatenate(rows),
        COLUMN_NAMES,
        np.concatenate(answers),
        weight=weight / weight.mean() if weight.size else weight,
    )


def _met(accounts: int, meetings: Meetings, rng: np.random.Generator) -> npt.NDArray[np.int8]:
    """How each account is met: its place in MET."""
    at = rng.random(accounts)
    met = np.zeros(accounts, dtype=np.int8)
    met[at < meetings.foreign + meetings.alone] = 1
    met[at < meetings.alone] = 2
    return met


def _statistics_of(known: Sessions, accounts: Bools) -> NetworkStatistics:
    if not accounts.any():
        return NetworkStatistics.empty()
    return enrich(known.take_accounts(accounts)).statistics
