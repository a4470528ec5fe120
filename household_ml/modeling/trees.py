"""Boosted trees as plain arrays: read without scikit-learn, run compiled, explained exactly.

A saved estimator of one scikit-learn version does not load under the next, so what is kept is a
structure of arrays. The two children of a node lie side by side, therefore one child index is
enough: a row goes to ``left`` when its value is at or below the threshold (or is missing and the
node sends missing values left), and to ``left + 1`` else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from household_ml.errors import ModelFeaturesError, ModelFormatError, Problem
from household_ml.modeling.walking import TreeSums, Walk, lay_out, leaf_table

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

__all__ = ["Trees"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trees:
    """A sum of regression trees over F numeric features, as arrays over all M nodes.

    Parameters
    ----------
    features : int
        Number of features F of a row.
    bias : float
        Log-odds before any tree.
    roots : int32 array of shape (T,)
        First node of each tree.
    feature : int16 array of shape (M,)
        Column that the node asks about, in ``0..F-1``; -1 for a leaf.
    threshold : float64 array of shape (M,)
        A value at or below it goes to ``left``; not used in a leaf.
    left : int32 array of shape (M,)
        Left child; the right child is the node after it. Greater than the node's own index.
    missing_left : bool array of shape (M,)
        Whether a missing value (NaN) goes left.
    value : float64 array of shape (M,)
        Leaf: what the tree adds to the log-odds. Other nodes: the mean of their leaves over the
        training rows, from which contributions are taken.

    Raises
    ------
    ModelFormatError
        When the arrays are no such trees: a child before its parent, a column that is not there.
    """

    features: int
    bias: float
    roots: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int16]
    threshold: Floats
    left: npt.NDArray[np.int32]
    missing_left: npt.NDArray[np.bool_]
    value: Floats

    def __post_init__(self) -> None:
        expected = {
            "roots": np.int32,
            "feature": np.int16,
            "threshold": np.float64,
            "left": np.int32,
            "missing_left": np.bool_,
            "value": np.float64,
        }
        problems = []
        for name, dtype in expected.items():
            array = getattr(self, name)
            if array.dtype != dtype or array.ndim != 1:
                problems.append(
                    Problem(
                        f"trees.{name} must be one column of {np.dtype(dtype)}",
                        f"{array.ndim} dimensions of {array.dtype}",
                        "Train and save the model again.",
                    )
                )
        if not problems and not self._connected():
            problems.append(
                Problem(
                    "trees must lead from every root to a leaf",
                    "a child, root, column or value that is out of range",
                    "Train and save the model again.",
                )
            )
        if problems:
            raise ModelFormatError(problems)
        for name in expected:
            getattr(self, name).flags.writeable = False

    def _connected(self) -> bool:
        nodes = self.feature.size
        if any(getattr(self, name).size != nodes for name in ("threshold", "left", "missing_left")):
            return False
        if self.value.size != nodes or not np.isfinite(self.bias):
            return False
        inner = np.flatnonzero(self.feature >= 0)
        reached = np.concatenate([self.roots, self.left[inner], self.left[inner] + 1])
        return bool(
            np.array_equal(np.sort(reached), np.arange(nodes))
            and np.all(self.feature >= -1)
            and np.all(self.feature < self.features)
            and np.all(self.left[inner] > inner)
            and np.all(self.left[inner] + 1 < nodes)
            and np.all((self.roots >= 0) & (self.roots < nodes))
            and np.all(np.isfinite(self.value))
            and not np.any(np.isnan(self.threshold[inner]))
        )

    @classmethod
    def from_estimator(cls, estimator: HistGradientBoostingClassifier) -> Trees:
        """Take the trees out of a fitted classifier of two classes.

        Parameters
        ----------
        estimator : HistGradientBoostingClassifier
            Fitted on numeric features alone; its second class is ``household``.

        Returns
        -------
        Trees
            Equal to ``estimator.decision_function`` to rounding, missing values included.

        Raises
        ------
        ModelFormatError
            When it has other than two classes, or asks about categories.
        """
        stages = estimator._predictors  # noqa: SLF001 - the trees have no public door
        if any(len(stage) != 1 for stage in stages) or len(estimator.classes_) != 2:
            raise ModelFormatError(
                Problem(
                    "estimator must tell two classes apart",
                    f"{len(estimator.classes_)} classes",
                    "Fit it on labels 0 and 1.",
                )
            )
        parts = [_tree_arrays(stage[0].nodes) for stage in stages]
        sizes = np.array([part["feature"].size for part in parts], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if sizes.size else np.zeros(0)
        for part, start in zip(parts, starts, strict=True):
            part["left"] += np.int32(start)

        def joined(name: str, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
            return np.concatenate([np.zeros(0, dtype), *(part[name] for part in parts)])

        return cls(
            features=int(estimator.n_features_in_),
            bias=float(np.ravel(estimator._baseline_prediction)[0]),  # noqa: SLF001
            roots=starts.astype(np.int32),
            feature=joined("feature", np.int16),
            threshold=joined("threshold", np.float64),
            left=joined("left", np.int32),
            missing_left=joined("missing_left", np.bool_),
            value=joined("value", np.float64),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Trees:
        """Read what :meth:`to_arrays` gave.

        Raises
        ------
        ModelFormatError
            When an array is missing, left over, or no such trees.
        """
        names = {field.name for field in fields(cls)}
        if set(arrays) != names:
            raise ModelFormatError(
                Problem(
                    f"trees must be the arrays {', '.join(sorted(names))}",
                    ", ".join(sorted(arrays)) or "none",
                    "Train and save the model again.",
                )
            )
        given = dict(arrays)
        features = int(given.pop("features"))
        bias = float(given.pop("bias"))
        return cls(features=features, bias=bias, **given)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays by name, in a fixed order, from which :meth:`from_arrays` makes equal trees."""
        return {
            "features": np.array(self.features, dtype=np.int64),
            "bias": np.array(self.bias, dtype=np.float64),
            **{
                name: getattr(self, name)
                for name in ("roots", "feature", "threshold", "left", "missing_left", "value")
            },
        }

    def __len__(self) -> int:
        return int(self.roots.size)

    def __repr__(self) -> str:
        return f"Trees({len(self)} trees, {self.feature.size} nodes, {self.features} features)"

    @property
    def base(self) -> float:
        """Log-odds of the average training row; contributions are counted from here."""
        return self.bias + float(self.value[self.roots].sum())

    def log_odds(self, values: Floats, *, threads: int = 1) -> Floats:
        """Log-odds of ``household``, before calibration.

        Parameters
        ----------
        values : float64 array of shape (D, F)
            One row per device; NaN = unknown.
        threads : int, default=1
            Threads that share the rows. The answer does not depend on it.

        Returns
        -------
        float64 array of shape (D,)

        Raises
        ------
        ModelFeaturesError
            When the rows have another number of features.
        """
        return self._alone(self._rows(values), threads=threads)[0]

    def contributions(self, values: Floats, *, threads: int = 1) -> Floats:
        """Split the log-odds into what each feature adds along the row's path through each tree.

        The value of a node is the mean of its leaves over the training rows; the step from a node
        to its child is credited to the feature the node asks about (A. Saabas, 2014). So
        ``base + contributions.sum(axis=1)`` equals :meth:`log_odds` to rounding, by construction.

        Parameters
        ----------
        values : float64 array of shape (D, F)
            One row per device; NaN = unknown.
        threads : int, default=1
            Threads that share the rows.

        Returns
        -------
        float64 array of shape (D, F)
            Log-odds; positive speaks for ``household``.

        Raises
        ------
        ModelFeaturesError
            When the rows have another number of features.
        """
        return self._by_feature(self._rows(values), threads=threads)[1]

    def explain(
        self, values: Floats, groups: Sequence[int], *, threads: int = 1
    ) -> tuple[Floats, Floats]:
        """Log-odds, and what each group of features adds to them, from one walk.

        Parameters
        ----------
        values : float64 array of shape (D, F)
            One row per device; NaN = unknown.
        groups : sequence of F int
            Group of each feature, in ``0..G-1``, where G is one more than the greatest.
        threads : int, default=1
            Threads that share the rows.

        Returns
        -------
        log_odds : float64 array of shape (D,)
            Equal to :meth:`log_odds`, bit by bit.
        sums : float64 array of shape (D, G)
            ``base + sums.sum(axis=1)`` equals the log-odds to rounding.

        Raises
        ------
        ModelFeaturesError
            When the rows have another number of features.
        """
        known: dict[tuple[int, ...], TreeSums] = self.__dict__.setdefault("_grouped", {})
        key = tuple(groups)
        if key not in known:
            target = np.array(key, dtype=np.int64)
            table = leaf_table(self, target, int(target.max(initial=-1)) + 1)
            known[key] = TreeSums(self._walk, table, self.bias)
        return known[key](self._rows(values), threads=threads)

    @cached_property
    def _walk(self) -> Walk:
        return lay_out(self)

    @cached_property
    def _alone(self) -> TreeSums:
        return TreeSums(self._walk, leaf_table(self), self.bias)

    @cached_property
    def _by_feature(self) -> TreeSums:
        table = leaf_table(self, np.arange(self.features), self.features)
        return TreeSums(self._walk, table, self.bias)

    def usage(self) -> Floats:
        """Share of all splits that ask about each feature, shape (F,); zeros without a split."""
        asked = self.feature[self.feature >= 0]
        count = np.bincount(asked, minlength=self.features).astype(np.float64)
        share: Floats = count / max(count.sum(), 1.0)
        return share

    def plus(self, more: Trees) -> Trees:
        """Trees whose log-odds are the sum of both, as boosting on from a model gives.

        Raises
        ------
        ModelFeaturesError
            When the two ask about different numbers of features.
        """
        if more.features != self.features:
            raise ModelFeaturesError(
                Problem(
                    f"trees to add must ask about {self.features} features",
                    str(more.features),
                    "Train them on the same feature table.",
                )
            )
        shift = np.int32(self.feature.size)
        return Trees(
            features=self.features,
            bias=self.bias + more.bias,
            roots=np.concatenate([self.roots, more.roots + shift]),
            feature=np.concatenate([self.feature, more.feature]),
            threshold=np.concatenate([self.threshold, more.threshold]),
            left=np.concatenate([self.left, more.left + shift]),
            missing_left=np.concatenate([self.missing_left, more.missing_left]),
            value=np.concatenate([self.value, more.value]),
        )

    def scaled(self, factor: float) -> Trees:
        """Trees whose log-odds are ``factor`` times these."""
        return replace(self, bias=self.bias * factor, value=self.value * factor)

    def _rows(self, values: Floats) -> Floats:
        rows: Floats = np.ascontiguousarray(values, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ModelFeaturesError(
                Problem(
                    f"values must have shape (devices, {self.features})",
                    str(rows.shape),
                    "Give the features of the model, in its order.",
                )
            )
        return rows


def _tree_arrays(nodes: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """One tree with its nodes in breadth-first order, so that siblings lie side by side."""
    if nodes["is_categorical"].any():
        raise ModelFormatError(
            Problem(
                "estimator must ask about numbers alone",
                "a split over categories",
                "Encode categories as numeric features.",
            )
        )
    leaf = nodes["is_leaf"].astype(bool)
    children = np.stack([nodes["left"], nodes["right"]], axis=1).astype(np.int64)
    order = [0]
    for node in order:
        if not leaf[node]:
            order.extend(children[node].tolist())
    sequence = np.array(order)
    position = np.empty(len(order), dtype=np.int64)
    position[sequence] = np.arange(len(order))
    leaf_ordered = leaf[sequence]
    left = np.where(leaf_ordered, 0, position[children[sequence, 0]])
    count = nodes["count"][sequence].astype(np.float64)
    value = nodes["value"][sequence].astype(np.float64)
    for node in range(len(order) - 1, -1, -1):
        if not leaf_ordered[node]:
            pair = slice(left[node], left[node] + 2)
            value[node] = np.average(value[pair], weights=count[pair])
    return {
        "feature": np.where(leaf_ordered, -1, nodes["feature_idx"][sequence]).astype(np.int16),
        "threshold": np.where(leaf_ordered, 0.0, nodes["num_threshold"][sequence]),
        "left": left.astype(np.int32),
        "missing_left": nodes["missing_go_to_left"][sequence].astype(bool),
        "value": value,
    }
