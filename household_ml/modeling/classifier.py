"""The learner: gradient-boosted trees that may not go against the catalogue's directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from household_ml.errors import ParameterError, Problem

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

__all__ = ["ClassifierConfig", "fit_classifier"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """Size and caution of the boosted trees.

    The defaults keep the saved model under 0.5 MB. The number of trees is fixed: stopping early on
    rows drawn at random would put devices of one account on both sides.

    Parameters
    ----------
    trees : int, default=300
        Boosting rounds, at least 1.
    leaves : int, default=31
        Leaves of a tree, at least 2.
    learning_rate : float, default=0.05
        Shrinkage of each tree, positive.
    min_rows : int, default=40
        Rows in a leaf, at least 1.
    l2 : float, default=5
        Ridge penalty on leaf values, not negative.
    column_share : float, default=0.5
        Share of the features each split may choose from, in (0, 1].
    """

    trees: int = 300
    leaves: int = 31
    learning_rate: float = 0.05
    min_rows: int = 40
    l2: float = 5.0
    column_share: float = 0.5

    def __post_init__(self) -> None:
        rules = {
            "trees": self.trees >= 1,
            "leaves": self.leaves >= 2,
            "learning_rate": self.learning_rate > 0,
            "min_rows": self.min_rows >= 1,
            "l2": self.l2 >= 0,
            "column_share": 0 < self.column_share <= 1,
        }
        problems = [
            Problem(f"{name} must be in its range", repr(value), "See ClassifierConfig.")
            for name, value in asdict(self).items()
            if not rules[name]
        ]
        if problems:
            raise ParameterError(problems)


def fit_classifier(
    values: Floats,
    y: Floats,
    *,
    monotone: Sequence[int],
    weight: Floats | None = None,
    seed: int = 0,
    config: ClassifierConfig | None = None,
) -> HistGradientBoostingClassifier:
    """Fit the boosted trees.

    Parameters
    ----------
    values : float64 array of shape (D, F)
        Features; NaN = unknown.
    y : float64 array of shape (D,)
        1 = household, 0 = outside.
    monotone : sequence of F integers
        1 = more of the feature never lowers the probability, -1 = never raises it, 0 = free.
    weight : float64 array of shape (D,), optional
        Weights, not negative; 1 when left out.
    seed : int, default=0
        Of binning and of the features a split may choose from.
    config : ClassifierConfig, optional
        Size of the trees.

    Returns
    -------
    HistGradientBoostingClassifier
        Fitted; the same bytes for the same rows, seed and versions.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    chosen = config or ClassifierConfig()
    estimator = HistGradientBoostingClassifier(
        max_iter=chosen.trees,
        max_leaf_nodes=chosen.leaves,
        learning_rate=chosen.learning_rate,
        min_samples_leaf=chosen.min_rows,
        l2_regularization=chosen.l2,
        max_features=chosen.column_share,
        monotonic_cst=np.asarray(monotone, dtype=np.int8),
        early_stopping=False,
        categorical_features=None,
        random_state=seed,
    )
    # scikit-learn cannot bin a column without one value; a constant one is never split on.
    unknown = np.isnan(values).all(axis=0)
    told = np.where(unknown, 0.0, values) if unknown.any() else values
    return estimator.fit(told, y.astype(np.int8), sample_weight=weight)
