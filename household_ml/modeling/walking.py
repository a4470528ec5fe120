"""Walking trees: from rows of features to sums over the leaves that they reach, compiled.

One function does it all. A row ends in one leaf of each tree; a table says what every leaf adds to
each of W sums; the answer of a row is the sum of the table's rows over its leaves. With one column,
the leaf values, that is the log-odds; with one column a group of features as well, it is the
log-odds and what each group adds to them, from one and the same walk.

How it is made fast, for one row and for millions:

- A feature is compared with few numbers, the thresholds that the trees ask about. So a value is
  first replaced by its rank among them, 16 bits, found through a table of equal cells, and a node
  compares ranks. Ranks are exact: ``x <= threshold`` holds if and only if it holds for the ranks.
- A missing value has two ranks, the lowest and one above all, and a node reads the one that goes
  the way that training chose. No step asks whether a value is missing.
- A node is eight bytes: left child, threshold, feature. The next node is computed without a branch,
  and a leaf leads to itself.
- Eight trees are walked side by side, so that the processor waits for none of them; rows are taken
  in blocks, tree after tree, so that trees and rows stay in the cache nearest to the processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.errors import ModelFormatError, Problem

if TYPE_CHECKING:
    from household_ml.modeling.trees import Trees

__all__ = ["TreeSums", "Walk", "lay_out", "leaf_table", "sum_leaves"]

Floats = npt.NDArray[np.float64]

#: Trees that are walked side by side: `sum_leaves` is written out for as many.
_ABREAST = 8

#: Rows that are taken through all trees before the next ones.
_BLOCK = 32

#: Rows that one thread takes at a time.
_CHUNK = 16_384

#: Rank of a missing value that goes right: above that of every threshold.
_ABOVE = np.uint16(65_535)

_LOW_16 = np.uint64(0xFFFF)
_SHIFT_16 = np.uint64(16)


class Walk(NamedTuple):
    """Trees laid out for walking: J features that are asked about, M nodes, one leaf for padding.

    Attributes
    ----------
    column : ndarray of int64, shape (J,)
        The features that are asked about.
    edge_start : ndarray of int64, shape (J + 1,)
        Where the thresholds of each feature begin in `edges`.
    edges : ndarray of float64
        Thresholds of each feature, ascending.
    low, scale : ndarray of float64, shape (J,)
        A value ``x`` lies in the cell ``(x - low) * scale``, cut to a whole number in range.
    cell_start : ndarray of int64, shape (J + 1,)
        Where the cells of each feature begin in `first`.
    first : ndarray of uint16
        How many thresholds lie in lower cells; one entry more than there are cells.
    nodes : ndarray of uint64, shape (M + 1,)
        From the lowest bit: 16 bits where the rank stands, 16 bits 65535 - rank of the threshold,
        32 bits left child; the right child is the node after it. So adding the row's rank carries
        into the child exactly when the rank is the greater.
    roots : ndarray of uint64, shape (8 * groups,)
        Roots of the trees, those of like depth side by side.
    steps : ndarray of int64, shape (groups,)
        Depth of the deepest of eight trees.
    """

    column: npt.NDArray[np.int64]
    edge_start: npt.NDArray[np.int64]
    edges: Floats
    low: Floats
    scale: Floats
    cell_start: npt.NDArray[np.int64]
    first: npt.NDArray[np.uint16]
    nodes: npt.NDArray[np.uint64]
    roots: npt.NDArray[np.uint64]
    steps: npt.NDArray[np.int64]


@compiled
def _rank(values: Floats, begin: int, rows: int, walk: Walk, ranks: npt.NDArray[np.uint16]) -> None:
    """Ranks of a block of values: two a feature, that differ where the value is missing."""
    for j in range(walk.column.size):
        column, low, scale = walk.column[j], walk.low[j], walk.scale[j]
        edges = walk.edges[walk.edge_start[j] : walk.edge_start[j + 1]]
        first = walk.first[walk.cell_start[j] : walk.cell_start[j + 1]]
        cells = first.size - 1
        for row in range(rows):
            x = values[begin + row, column]
            if np.isnan(x):
                ranks[row, 2 * j] = 0
                ranks[row, 2 * j + 1] = _ABOVE
                continue
            place = (x - low) * scale
            cell = np.int64(0)
            if place >= cells - 1:
                cell = np.int64(cells - 1)
            elif place > 0:
                cell = np.int64(place)
            least, most = np.int64(first[cell]), np.int64(first[cell + 1])
            while least < most:
                middle = (least + most) >> 1
                if edges[middle] < x:
                    least = middle + 1
                else:
                    most = middle
            ranks[row, 2 * j] = least
            ranks[row, 2 * j + 1] = least


@compiled
def _next(
    nodes: npt.NDArray[np.uint64], ranks: npt.NDArray[np.uint16], node: np.uint64
) -> np.uint64:
    found = nodes[node]
    return np.uint64(((found >> _SHIFT_16) + np.uint64(ranks[found & _LOW_16])) >> _SHIFT_16)


@compiled
def sum_leaves(values: Floats, walk: Walk, table: Floats, out: Floats) -> None:
    """Add what the leaves of every row add.

    Parameters
    ----------
    values : ndarray of float64, shape (D, F)
        Features; NaN = unknown.
    walk : Walk
        Trees, of :func:`lay_out`.
    table : ndarray of float64, shape (M + 1, W)
        What each leaf adds, of :func:`leaf_table`.
    out : ndarray of float64, shape (D, W)
        Added to. The same row gets the same bits, whatever rows it comes with.
    """
    width = table.shape[1]
    nodes, roots = walk.nodes, walk.roots
    block = np.empty((min(_BLOCK, values.shape[0]), max(2 * walk.column.size, 1)), np.uint16)
    block[:] = 0
    for begin in range(0, values.shape[0], _BLOCK):
        rows = min(_BLOCK, values.shape[0] - begin)
        _rank(values, begin, rows, walk, block)
        for group in range(walk.steps.size):
            at = _ABREAST * group
            for row in range(rows):
                ranks = block[row]
                a, b, c, d = roots[at], roots[at + 1], roots[at + 2], roots[at + 3]
                e, f, g, h = roots[at + 4], roots[at + 5], roots[at + 6], roots[at + 7]
                for _ in range(walk.steps[group]):
                    a = _next(nodes, ranks, a)
                    b = _next(nodes, ranks, b)
                    c = _next(nodes, ranks, c)
                    d = _next(nodes, ranks, d)
                    e = _next(nodes, ranks, e)
                    f = _next(nodes, ranks, f)
                    g = _next(nodes, ranks, g)
                    h = _next(nodes, ranks, h)
                for w in range(width):
                    out[begin + row, w] += (
                        (table[a, w] + table[b, w]) + (table[c, w] + table[d, w])
                    ) + ((table[e, w] + table[f, w]) + (table[g, w] + table[h, w]))


@compiled
def _add_steps(
    feature: npt.NDArray[np.int16],
    left: npt.NDArray[np.int32],
    value: Floats,
    target: npt.NDArray[np.int64],
    table: Floats,
) -> None:
    """Each node's row: the steps from the root to it, each at the target of its feature."""
    for node in range(feature.size):
        if feature[node] < 0:
            continue
        for child in range(left[node], left[node] + 2):
            table[child] = table[node]
            table[child, target[feature[node]]] += value[child] - value[node]


def leaf_table(trees: Trees, target: npt.NDArray[np.int64] | None = None, width: int = 0) -> Floats:
    """What each leaf adds to the sums: to each target, and in the last column to the log-odds.

    The value of a node is the mean of its leaves over the training rows; the step from a node to
    its child is credited to the feature the node asks about (A. Saabas, 2014). So the columns
    before the last add up to the last one less the value of the root, by construction.

    Parameters
    ----------
    trees : Trees
        Over F features.
    target : ndarray of int64, shape (F,), optional
        Which column, in ``0..width-1``, a feature counts in: its own, or that of its group. None
        gives the log-odds alone.
    width : int, default=0
        Targets.

    Returns
    -------
    ndarray of float64, shape (M + 1, width + 1)
        Rows of nodes that are no leaf are never read; the last row is that of the padding.
    """
    table = np.zeros((trees.feature.size + 1, width + 1))
    if target is not None:
        _add_steps(trees.feature, trees.left, trees.value, target, table)
    table[:-1, -1] = trees.value
    return table


def lay_out(trees: Trees) -> Walk:
    """Lay trees out for :func:`sum_leaves`.

    Parameters
    ----------
    trees : Trees
        Over F features.

    Returns
    -------
    Walk

    Raises
    ------
    ModelFormatError
        The trees ask about more features, or compare one with more numbers, than 16 bits hold.
    """
    inner = trees.feature >= 0
    used = np.unique(trees.feature[inner])
    edges = [np.unique(trees.threshold[trees.feature == each]) for each in used]
    most = max([2 * used.size, *(len(each) for each in edges)])
    if most >= _ABOVE:
        raise ModelFormatError(
            Problem(
                f"trees must ask about fewer than {_ABOVE // 2} features, each with fewer than "
                f"{_ABOVE} thresholds",
                str(most),
                "Train a smaller model.",
            )
        )
    rank = np.zeros(trees.feature.size, np.uint64)
    where = np.zeros(trees.feature.size, np.uint64)
    for j, (each, limits) in enumerate(zip(used, edges, strict=True)):
        here = np.flatnonzero(trees.feature == each)
        rank[here] = _LOW_16 - np.searchsorted(limits, trees.threshold[here]).astype(np.uint64)
        where[here] = np.where(trees.missing_left[here], 2 * j, 2 * j + 1)
    child = np.where(inner, trees.left, np.arange(trees.feature.size)).astype(np.uint64)
    nodes = (child << np.uint64(32)) | (rank << _SHIFT_16) | where
    padding = np.uint64(nodes.size)
    depth = _depths(trees)
    order = np.argsort(depth, kind="stable")
    groups = -(-order.size // _ABREAST)
    roots = np.full(groups * _ABREAST, padding)
    roots[: order.size] = trees.roots[order]
    deepest = np.zeros(groups * _ABREAST, np.int64)
    deepest[: order.size] = depth[order]
    cells = [_cells(each) for each in edges]
    return Walk(
        column=used.astype(np.int64),
        edge_start=_starts(edges),
        edges=_joined(edges, np.float64),
        low=np.array([low for low, _, _ in cells], np.float64),
        scale=np.array([scale for _, scale, _ in cells], np.float64),
        cell_start=_starts([first for _, _, first in cells]),
        first=_joined([first for _, _, first in cells], np.uint16),
        nodes=np.append(nodes, padding << np.uint64(32)),
        roots=roots,
        steps=deepest.reshape(groups, _ABREAST).max(axis=1, initial=0),
    )


def _cells(edges: Floats) -> tuple[float, float, npt.NDArray[np.uint16]]:
    """Cells of equal width between the least and the greatest threshold, four for each."""
    finite = edges[np.isfinite(edges)]
    low, high = (finite[0], finite[-1]) if finite.size else (0.0, 0.0)
    count = 4 * edges.size
    with np.errstate(over="ignore", divide="ignore"):
        scale = count / np.float64(high - low)
    if not 0 < scale < np.inf:
        scale = np.float64(1)
    place = np.clip((edges - low) * scale, 0, count - 1).astype(np.int64)
    first = np.searchsorted(place, np.arange(count + 1)).astype(np.uint16)
    return float(low), float(scale), first


def _depths(trees: Trees) -> npt.NDArray[np.int64]:
    """Steps from each root to its deepest leaf."""
    depth = np.zeros(trees.roots.size, np.int64)
    nodes, tree = trees.roots, np.arange(trees.roots.size)
    while True:
        inner = trees.feature[nodes] >= 0
        if not inner.any():
            return depth
        nodes, tree = nodes[inner], tree[inner]
        depth[np.unique(tree)] += 1
        nodes = np.concatenate([trees.left[nodes], trees.left[nodes] + 1])
        tree = np.concatenate([tree, tree])


def _starts(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    return np.cumsum([0, *(len(part) for part in parts)]).astype(np.int64)


def _joined(parts: Sequence[npt.NDArray[Any]], kind: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *parts]).astype(kind)


class TreeSums:
    """Trees ready to be asked for their log-odds and for what groups of features add to them.

    Parameters
    ----------
    walk : Walk
        Trees over F features, of :func:`lay_out`.
    table : ndarray of float64, shape (M + 1, G + 1)
        What each leaf adds, of :func:`leaf_table`.
    bias : float
        Log-odds before any tree.
    """

    def __init__(self, walk: Walk, table: Floats, bias: float) -> None:
        self._walk = walk
        self._table = table
        self._start = np.zeros(table.shape[1])
        self._start[-1] = bias

    def __call__(self, values: Floats, *, threads: int = 1) -> tuple[Floats, Floats]:
        """Walk the trees once for every row.

        Parameters
        ----------
        values : float64 array of shape (D, F)
            One row per device; NaN = unknown. Contiguous.
        threads : int, default=1
            Threads that share the rows. The answer does not depend on it.

        Returns
        -------
        log_odds : float64 array of shape (D,)
        sums : float64 array of shape (D, G)
            What each group adds; the base of the trees and a row of these make the log-odds.
        """
        out = np.empty((values.shape[0], self._start.size))
        out[:] = self._start

        def part(begin: int) -> None:
            rows = slice(begin, begin + _CHUNK)
            sum_leaves(values[rows], self._walk, self._table, out[rows])

        begins = range(0, values.shape[0], _CHUNK)
        if threads > 1 and len(begins) > 1:
            with ThreadPoolExecutor(threads) as pool:
                for _ in pool.map(part, begins):
                    pass
        else:
            for begin in begins:
                part(begin)
        return out[:, -1], out[:, :-1]
