"""Randomness as a function of what it is for, so that it needs no state.

An address, an id or a habit is drawn by mixing the numbers that name it; the same names give the
same draw on every run, in every chunk, in any order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from household_ml.compiling import compiled

__all__ = ["hex_ids", "mix", "mix_scalar", "uniform"]

U64 = NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_M1 = 0xBF58476D1CE4E5B9
_M2 = 0x94D049BB133111EB


def mix(*parts: ArrayLike) -> U64:
    """Mix whole numbers into one well-spread 64-bit number (splitmix64 over the parts).

    Parameters
    ----------
    *parts : array_like of int
        Broadcast against each other; negative numbers are fine.

    Returns
    -------
    ndarray of uint64
        Of the broadcast shape, at least one-dimensional.

    Examples
    --------
    >>> bool((mix([1, 2], 7) == mix([1, 2], 7)).all()), bool((mix(1, 2) == mix(2, 1)).any())
    (True, False)
    """
    state = np.zeros(1, dtype=np.uint64)
    for part in parts:
        state = state + np.atleast_1d(np.asarray(part)).astype(np.int64).view(np.uint64)
        state = state + np.uint64(_GOLDEN)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(_M1)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(_M2)
        state = state ^ (state >> np.uint64(31))
    return state


@compiled
def mix_scalar(state: np.uint64, part: int) -> np.uint64:
    """Add one part to a running mix; from 0, the same numbers as `mix`, in compiled code."""
    mixed = np.uint64(state) + np.uint64(part) + np.uint64(_GOLDEN)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_M1)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_M2)
    return mixed ^ (mixed >> np.uint64(31))


def uniform(*parts: ArrayLike) -> NDArray[np.float64]:
    """Draw from [0, 1) by the names of what is drawn.

    Examples
    --------
    >>> draws = uniform(np.arange(10_000), 3)
    >>> bool(0.49 < draws.mean() < 0.51)
    True
    """
    return (mix(*parts) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def hex_ids(numbers: U64) -> NDArray[np.str_]:
    """Write 64-bit numbers as 16 hexadecimal digits.

    Examples
    --------
    >>> hex_ids(np.array([255], dtype=np.uint64))
    array(['00000000000000ff'], dtype='<U16')
    """
    raw = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)
    nibbles = np.empty((len(raw), 16), dtype=np.uint8)
    nibbles[:, 0::2] = raw >> 4
    nibbles[:, 1::2] = raw & 15
    letters = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[nibbles]
    return np.ascontiguousarray(letters).view("S16").ravel().astype("U16")
