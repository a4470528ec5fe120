"""Rows grouped by two numbers, such as sessions by account and place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Pairs"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """N rows grouped by owner and value: P pairs, ordered by owner, then value.

    Parameters
    ----------
    at : int64 array of shape (N,)
        Pair of each row.
    owner, value : int64 array of shape (P,)
        What the pair is of.
    sizes : int64 array of shape (P,)
        Rows of the pair.

    Examples
    --------
    >>> pairs = Pairs.of(np.array([0, 0, 0, 1]), np.array([7, 3, 7, 5]))
    >>> pairs.value.tolist(), pairs.sizes.tolist()
    ([3, 7, 5], [1, 2, 1])
    >>> pairs.value[pairs.largest(pairs.sizes)].tolist()
    [7, 5]
    """

    at: Ints
    owner: Ints
    value: Ints
    sizes: Ints

    @classmethod
    def of(cls, owner: Ints, value: Ints) -> Pairs:
        """Group rows by two numbers each; owners are not negative."""
        if owner.size == 0:
            none = np.zeros(0, dtype=np.int64)
            return cls(none, none, none, none)
        low = int(value.min())
        span = int(value.max()) - low + 1
        keys, at, sizes = np.unique(
            owner * span + (value - low), return_inverse=True, return_counts=True
        )
        return cls(at.astype(np.int64), keys // span, keys % span + low, sizes)

    def distinct(self, values: Ints) -> Ints:
        """Distinct values among the rows of each pair, shape (P,)."""
        return np.bincount(Pairs.of(self.at, values).owner, minlength=self.sizes.size)

    def largest(self, *by: npt.NDArray[np.float64] | Ints) -> Ints:
        """The pair of each owner that is largest, by the first key, then the next; shape (owners,).

        Of equal pairs the one of the smallest value.
        """
        order = np.lexsort((-np.arange(self.owner.size), *reversed(by), self.owner))
        last = np.r_[self.owner[order][1:] != self.owner[order][:-1], True][: order.size]
        return np.asarray(order[last], dtype=np.int64)
