"""A model made ready to answer: log-odds, probability and what each group of evidence adds.

`HouseholdModel` says what a model is; here the same is computed in one compiled pass over the rows,
for one account and for millions: each possible home walks the trees once, the log-odds of the homes
are mixed as :mod:`~household_ml.modeling.hypotheses` says, and calibrated as
:mod:`~household_ml.modeling.calibration` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.modeling.walking import Walk, lay_out, leaf_table, sum_leaves

if TYPE_CHECKING:
    from household_ml.modeling.model import HouseholdModel

__all__ = ["Asked", "Inference"]

Floats = npt.NDArray[np.float64]

#: Probabilities of homes are mixed this far from 0 and 1, as in `hypotheses`.
_LEAST = 1e-9


class Asked(NamedTuple):
    """What a model says of D devices.

    Attributes
    ----------
    log_odds : ndarray of float64, shape (D,)
        As `HouseholdModel.log_odds`.
    probability : ndarray of float64, shape (D,)
        As `HouseholdModel.probability`.
    sums : ndarray of float64, shape (D, G)
        What each group adds; with the model's base they add up to the log-odds.
    """

    log_odds: Floats
    probability: Floats
    sums: Floats


class _Calibration(NamedTuple):
    knots: Floats
    levels: Floats
    below: float
    above: float


@compiled
def _sigmoid(x: float) -> float:
    small = np.exp(-abs(x))
    return (1.0 if x >= 0 else small) / (1.0 + small)


@compiled
def _calibrated(x: float, by: _Calibration) -> float:
    knots, levels = by.knots, by.levels
    last = knots.size - 1
    if not x < knots[last]:
        return levels[last] + (x - knots[last]) * by.above
    if x <= knots[0]:
        return levels[0] + (x - knots[0]) * by.below
    place = 0
    while knots[place + 1] <= x:
        place += 1
    slope = (levels[place + 1] - levels[place]) / (knots[place + 1] - knots[place])
    return levels[place] + slope * (x - knots[place])


@compiled
def _ask(
    rows: Floats,
    features: int,
    walk: Walk,
    table: Floats,
    start: Floats,
    base: float,
    doubt_group: int,
    calibration: _Calibration,
) -> tuple[Floats, Floats, Floats]:
    devices = rows.shape[0]
    doubted = rows.shape[1] > features
    theirs = np.full(devices, -1, np.int64)
    count = devices
    if doubted:
        for d in range(devices):
            for column in range(features + 2, rows.shape[1]):
                if not np.isnan(rows[d, column]):
                    theirs[d] = count
                    count += 1
                    break
    taken = np.empty((count, features))
    for d in range(devices):
        taken[d] = rows[d, :features]
        if theirs[d] >= 0:
            taken[theirs[d]] = rows[d, features + 2 :]
    summed = np.empty((count, start.size))
    for d in range(count):
        summed[d] = start
    sum_leaves(taken, walk, table, summed)
    last = start.size - 1
    log_odds, probability = np.empty(devices), np.empty(devices)
    for d in range(devices):
        home = summed[d, last]
        mixed = home
        claim = rows[d, features] if doubted else np.nan
        if np.isfinite(claim):
            rival = rest = 0.0
            rival_claim = rows[d, features + 1]
            if theirs[d] >= 0 and np.isfinite(rival_claim):
                rival = rival_claim * _sigmoid(summed[theirs[d], last])
            else:
                rival_claim = 0.0
            rest = max(1.0 - claim - rival_claim, 0.0)
            p = claim * _sigmoid(home) + rival + rest * _sigmoid(base)
            p = min(max(p, _LEAST), 1.0 - _LEAST)
            mixed = np.log(p / (1.0 - p))
        log_odds[d] = mixed
        probability[d] = _sigmoid(_calibrated(mixed, calibration))
        if doubted:
            summed[d, doubt_group] += mixed - home
    return log_odds, probability, summed[:devices, :last]


class Inference:
    """A model made ready to answer.

    Parameters
    ----------
    model : HouseholdModel
        What answers.
    groups : sequence of str
        Group of each of `model.explained_names`.

    Attributes
    ----------
    names : tuple of str, length G
        The groups, in the order of their first feature.
    """

    def __init__(self, model: HouseholdModel, groups: Sequence[str]) -> None:
        trees = model.trees
        self.names = tuple(dict.fromkeys(groups))
        target = np.array([self.names.index(group) for group in groups], np.int64)
        start = np.zeros(len(self.names) + 1)
        start[-1] = trees.bias
        calibration = model.calibration
        self._columns = len(model.feature_names)
        self._parts = (
            trees.features,
            lay_out(trees),
            leaf_table(trees, target[: trees.features], len(self.names)),
            start,
            trees.base,
            int(target[-1]),
            _Calibration(
                np.array(calibration.knots), np.array(calibration.levels), *calibration.slopes
            ),
        )

    def __call__(self, values: Floats) -> Asked:
        """Answer devices.

        Parameters
        ----------
        values : float64 array of shape (D, K)
            Columns in the model's order, contiguous; NaN = unknown.

        Returns
        -------
        Asked
        """
        return Asked(*_ask(values, *self._parts))
