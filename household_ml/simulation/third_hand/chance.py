"""Draws that depend on who and when alone: the same keys give the same number, in any order.

What a network does (which address a subscriber is bound to, which prefix it delegates) is drawn
this way, so that it does not hang on how many sessions there are.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Weighted", "below", "name_seed", "scatter", "share_of"]

T = TypeVar("T")

_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


class Weighted(Generic[T]):
    """Things to draw one of by weight, many times.

    Parameters
    ----------
    things : sequence
        To choose among.
    weights : iterable of float
        Any scale.
    """

    def __init__(self, things: Sequence[T], weights: Iterable[float]) -> None:
        self._things = list(things)
        self._share = list(accumulate(map(float, weights)))

    def draw(self, rng: np.random.Generator) -> T:
        """Draw one."""
        at = bisect_right(self._share, rng.random() * self._share[-1])
        return self._things[min(at, len(self._things) - 1)]


def name_seed(name: str) -> int:
    """Turn a name into a number, the same on every machine."""
    return zlib.crc32(name.encode())


def scatter(*keys: Any) -> npt.NDArray[np.uint64]:
    """Hash whole numbers, broadcast against each other, to 64 bits each.

    The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) after each key.

    Examples
    --------
    >>> scatter(1, [2, 3]).tolist() == scatter([1, 1], [2, 3]).tolist()
    True
    """
    mixed: npt.NDArray[np.uint64] = np.zeros(1, np.uint64)
    for key in keys:
        mixed = mixed * _FIRST + np.asarray(key).astype(np.int64).view(np.uint64) + _GAMMA
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
        mixed = mixed ^ (mixed >> np.uint64(31))
    return mixed


def share_of(*keys: Any) -> npt.NDArray[np.float64]:
    """Hash whole numbers to shares in [0, 1)."""
    return (scatter(*keys) >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def below(bound: Any, *keys: Any) -> npt.NDArray[np.int64]:
    """Hash whole numbers to whole numbers from 0 up to a bound, left out."""
    chosen = share_of(*keys) * np.asarray(bound)
    return np.asarray(chosen, np.float64).astype(np.int64)
