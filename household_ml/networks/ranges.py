"""Ranges of addresses, each of one AS, laid out for search.

Ranges that do not touch leave gaps, and a gap is a range too, of AS 0. So a table is a list of
starts that covers all numbers without a hole, and the answer is the last start that is not above
the number asked for. A first level, by the upper 16 bits, says between which starts to look.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled

__all__ = ["Ranges", "fill_asn", "find_asn", "lay_out", "range_ends"]

_SHIFT_16 = np.uint64(16)
_SHIFT_32 = np.uint64(32)
_SHIFT_48 = np.uint64(48)
_LOW_32 = np.uint64(0xFFFF_FFFF)
_V4 = np.uint64(0xFFFF)
_ZERO = np.uint64(0)


class Ranges(NamedTuple):
    """A table without holes.

    Attributes
    ----------
    start : ndarray of uint32 (IPv4) or uint64 (upper half of IPv6), shape (r,)
        First number of each range, strictly ascending, the first one 0.
    asn : ndarray of uint32, shape (r,)
        AS of each range; 0 = none known.
    first : ndarray of int32, shape (65537,)
        Range that holds the first number with the upper 16 bits 0, 1, ...; the last entry is the
        last range.
    """

    start: npt.NDArray[Any]
    asn: npt.NDArray[np.uint32]
    first: npt.NDArray[np.int32]

    @classmethod
    def of(cls, start: npt.NDArray[Any], asn: npt.NDArray[np.uint32]) -> Ranges:
        """Build the first level over starts that are in order."""
        shift = 16 if start.dtype == np.uint32 else 48
        heads = np.arange(1 << 16, dtype=np.uint64) << np.uint64(shift)
        first = np.empty((1 << 16) + 1, np.int32)
        first[:-1] = np.searchsorted(start, heads.astype(start.dtype), side="right") - 1
        first[-1] = start.size - 1
        return cls(start, asn, first)


def lay_out(
    start: npt.NDArray[np.uint64],
    end: npt.NDArray[np.uint64],
    asn: npt.NDArray[np.uint32],
    *,
    bits: int,
) -> Ranges:
    """Turn ranges in any order into a table without holes.

    Parameters
    ----------
    start, end : ndarray of uint64, shape (n,)
        First and last number of each range, both included.
    asn : ndarray of uint32, shape (n,)
        AS of each range; ranges of AS 0 are left out.
    bits : {32, 64}
        Width of the numbers.

    Returns
    -------
    Ranges
        Neighbours of one AS are joined. Where ranges overlap, the one that starts first holds
        (of two that start together, the shorter one).

    Examples
    --------
    >>> numbers = [np.array(column, np.uint64) for column in ([10, 20], [14, 29])]
    >>> table = lay_out(*numbers, np.array([64500, 64501], np.uint32), bits=32)
    >>> table.start.tolist(), table.asn.tolist()
    ([0, 10, 15, 20, 30], [0, 64500, 0, 64501, 0])
    """
    top = np.uint64(2**bits - 1)
    one = np.uint64(1)
    known = np.flatnonzero(asn != 0)
    order = known[np.lexsort((asn[known], end[known], start[known]))]
    start, end, asn = start[order], end[order], asn[order]
    if start.size:
        reached = np.maximum.accumulate(end)[:-1]
        late = np.zeros(start.size, np.bool_)
        late[1:] = start[1:] <= reached
        free = np.ones(start.size, np.bool_)
        free[1:] = ~late[1:] | (end[1:] > reached)
        start = start.copy()
        start[1:][late[1:] & free[1:]] = (reached + one)[late[1:] & free[1:]]
        start, end, asn = start[free], end[free], asn[free]
    after = end[end < top] + one
    starts = np.concatenate([start, after, np.zeros(1, np.uint64)])
    systems = np.concatenate([asn, np.zeros(after.size + 1, np.uint32)])
    # of several entries with one start the known AS comes last, and the last one holds
    order = np.lexsort((systems != 0, starts))
    starts, systems = starts[order], systems[order]
    holds = np.ones(starts.size, np.bool_)
    holds[:-1] = starts[1:] != starts[:-1]
    starts, systems = starts[holds], systems[holds]
    new = np.ones(starts.size, np.bool_)
    new[1:] = systems[1:] != systems[:-1]
    kind = np.uint32 if bits == 32 else np.uint64
    return Ranges.of(starts[new].astype(kind), systems[new])


def range_ends(ranges: Ranges) -> npt.NDArray[Any]:
    """Last number of each range.

    Examples
    --------
    >>> table = Ranges.of(np.array([0, 10], np.uint32), np.array([0, 64500], np.uint32))
    >>> range_ends(table).tolist()
    [9, 4294967295]
    """
    end = np.empty_like(ranges.start)
    end[:-1] = ranges.start[1:] - ranges.start.dtype.type(1)
    end[-1] = np.iinfo(ranges.start.dtype).max
    return end


@compiled
def _find(start: npt.NDArray[Any], low: int, high: int, number: np.uint64) -> int:
    while low < high:
        middle = (low + high + 1) >> 1
        if np.uint64(start[middle]) <= number:
            low = middle
        else:
            high = middle - 1
    return low


@compiled
def fill_asn(
    hi: npt.NDArray[np.uint64],
    lo: npt.NDArray[np.uint64],
    start4: npt.NDArray[np.uint32],
    asn4: npt.NDArray[np.uint32],
    first4: npt.NDArray[np.int32],
    start6: npt.NDArray[np.uint64],
    asn6: npt.NDArray[np.uint32],
    first6: npt.NDArray[np.int32],
    found: npt.NDArray[np.uint32],
) -> None:
    """Find the AS of each address; callable from other compiled functions.

    Parameters
    ----------
    hi, lo : ndarray of uint64, shape (n,)
        Halves of the addresses.
    start4, asn4, first4, start6, asn6, first6 : ndarray
        The two `Ranges`.
    found : ndarray of uint32, shape (n,)
        Filled; 0 where no AS is known.
    """
    for i in range(hi.size):
        if hi[i] == _ZERO and (lo[i] >> _SHIFT_32) == _V4:
            number = lo[i] & _LOW_32
            head = int(number >> _SHIFT_16)
            found[i] = asn4[_find(start4, int(first4[head]), int(first4[head + 1]), number)]
        else:
            number = hi[i]
            head = int(number >> _SHIFT_48)
            found[i] = asn6[_find(start6, int(first6[head]), int(first6[head + 1]), number)]


def find_asn(
    hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64], v4: Ranges, v6: Ranges
) -> npt.NDArray[np.uint32]:
    """AS of each address.

    Parameters
    ----------
    hi, lo : ndarray of uint64, shape (n,)
        Halves of the addresses.
    v4, v6 : Ranges
        Tables of IPv4 addresses and of the upper halves of IPv6 addresses.

    Returns
    -------
    ndarray of uint32, shape (n,)
        0 where no AS is known.
    """
    found = np.empty(hi.size, np.uint32)
    hi, lo = np.ascontiguousarray(hi), np.ascontiguousarray(lo)
    fill_asn(hi, lo, v4.start, v4.asn, v4.first, v6.start, v6.asn, v6.first, found)
    return found
