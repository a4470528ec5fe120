"""A model made ready to answer: log-odds, probability and what each group of evidence adds.

`HouseholdModel` says what a model is; here the same is computed in one compiled pass over the rows,
for one account and for millions: each possible home walks the trees once, the log-odds of the homes
are mixed as :mod:`~household_ml.modeling.hypotheses` says, and calibrated as
:mod:`~household_ml.modeling.calibration` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.modeling.calibration import calibrated, probability_of
from household_ml.modeling.hypotheses import mixed_log_odds
from household_ml.modeling.walking import Walk, lay_out, leaf_table, sum_leaves

if TYPE_CHECKING:
    from household_ml.modeling.model import HouseholdModel

__all__ = ["Asked", "Inference", "Prepared", "ask_rows"]

Floats = npt.NDArray[np.float64]


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


class Prepared(NamedTuple):
    """What compiled code needs of a model.

    Attributes
    ----------
    features : int
        Features of the trees.
    walk : Walk
        The trees.
    table : ndarray of float64, shape (M + 1, G + 1)
        What each leaf adds to each group, and to the log-odds.
    values : ndarray of float64, shape (M + 1, 1)
        What each leaf adds to the log-odds.
    start : ndarray of float64, shape (G + 1,)
        Where the sums start.
    base : float
        Log-odds where nothing is known.
    doubt_group : int
        Group of the doubt of home.
    knots, levels : ndarray of float64
        The calibration.
    below, above : float
        Its slopes below the first and above the last knot.
    """

    features: int
    walk: Walk
    table: Floats
    values: Floats
    start: Floats
    base: float
    doubt_group: int
    knots: Floats
    levels: Floats
    below: float
    above: float


@compiled
def _homes(
    rows: Floats, columns: npt.NDArray[np.intp], features: int
) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Columns of the trees at home; at the rival, where it may be home; its row, -1 = none."""
    devices = rows.shape[0]
    home = np.empty((devices, features))
    theirs = np.full(devices, -1, np.int64)
    count = 0
    for d in range(devices):
        for column in range(features):
            home[d, column] = rows[d, columns[column]]
        for column in range(features + 2, columns.size):
            if not np.isnan(rows[d, columns[column]]):
                theirs[d] = count
                count += 1
                break
    rival = np.empty((count, features))
    for d in range(devices):
        if theirs[d] >= 0:
            for column in range(features):
                rival[theirs[d], column] = rows[d, columns[features + 2 + column]]
    return home, rival, theirs


@compiled
def ask_rows(
    rows: Floats,
    columns: npt.NDArray[np.intp],
    model: Prepared,
) -> tuple[Floats, Floats, Floats]:
    """Answer devices; callable from other compiled functions.

    Parameters
    ----------
    rows : ndarray of float64, shape (D, C)
        Rows of a feature table.
    columns : ndarray of intp, shape (K,)
        Where the model's columns stand in it.
    model : Prepared
        What answers.

    Returns
    -------
    log_odds, probability, sums
        As in `Asked`.
    """
    devices, features = rows.shape[0], model.features
    in_doubt = columns.size > features
    home, rival, theirs = _homes(rows, columns, features)
    told = np.full((rival.shape[0], 1), model.start[model.start.size - 1])
    summed = np.empty((devices, model.start.size))
    for d in range(devices):
        summed[d] = model.start
    sum_leaves(home, model.walk, model.table, summed)
    if rival.shape[0] > 0:
        sum_leaves(rival, model.walk, model.values, told)
    last = model.start.size - 1
    log_odds, probability = np.empty(devices), np.empty(devices)
    for d in range(devices):
        mixed = summed[d, last]
        if in_doubt:
            there = told[theirs[d], 0] if theirs[d] >= 0 else np.nan
            claim, rival_claim = rows[d, columns[features]], rows[d, columns[features + 1]]
            mixed = mixed_log_odds(mixed, there, claim, rival_claim, model.base)
        log_odds[d] = mixed
        level = calibrated(mixed, model.knots, model.levels, model.below, model.above)
        probability[d] = probability_of(level)
        if in_doubt:
            summed[d, model.doubt_group] += mixed - summed[d, last]
    return log_odds, probability, summed[:, :last]


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
    prepared : Prepared
        What compiled code needs of the model.
    """

    def __init__(self, model: HouseholdModel, groups: Sequence[str]) -> None:
        trees = model.trees
        self.names = tuple(dict.fromkeys(groups))
        target = np.array([self.names.index(group) for group in groups], np.int64)
        start = np.zeros(len(self.names) + 1)
        start[-1] = trees.bias
        calibration = model.calibration
        self.prepared = Prepared(
            features=trees.features,
            walk=lay_out(trees),
            table=leaf_table(trees, target[: trees.features], len(self.names)),
            values=leaf_table(trees),
            start=start,
            base=trees.base,
            doubt_group=int(target[-1]),
            knots=np.array(calibration.knots),
            levels=np.array(calibration.levels),
            below=calibration.slopes[0],
            above=calibration.slopes[1],
        )
        self._columns = np.arange(len(model.feature_names), dtype=np.intp)

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
        return Asked(*ask_rows(values, self._columns, self.prepared))
