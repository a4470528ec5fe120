"""Splitting accounts over partitions, in the order of their ids.

Partition 0 holds the least ids, so partitions that are worked off in order give accounts in order.
Where to cut is chosen from a sample; it decides how much lies in each partition, never what.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.compiling import compiled
from household_ml.sessions.arrow_text import Integer, as_chunks, text_buffers
from household_ml.sessions.identity import Hashes

__all__ = ["Splitters", "choose_splitters", "find_partitions", "known_accounts"]

_ONE: Final = np.uint64(1)
_EIGHT: Final = np.uint64(8)
_SIXTEEN: Final = np.uint64(16)
_ZERO: Final = np.uint64(0)
_LOW_16: Final = np.uint64(0xFFFF)

Bytes = npt.NDArray[np.uint8]


class Splitters(NamedTuple):
    """Where the partitions begin.

    Attributes
    ----------
    ids : tuple of str
        Least account id of each partition but the first, ascending, distinct.
    prefix : ndarray of uint8
        What all of `ids` begin with.
    keys : ndarray of uint64
        The eight bytes after the prefix as one number, in the order of the ids.
    text : ndarray of uint8
        The ids one after the other, UTF-8.
    offsets : ndarray of int64
        Where each of them begins.
    """

    ids: tuple[str, ...]
    prefix: Bytes
    keys: npt.NDArray[np.uint64]
    text: Bytes
    offsets: npt.NDArray[np.int64]

    @classmethod
    def of(cls, ids: tuple[str, ...]) -> Splitters:
        """Splitters between ids that are in order.

        Examples
        --------
        >>> Splitters.of(("user-5", "user-7")).prefix.tobytes()
        b'user-'
        """
        encoded = [each.encode() for each in ids]
        size = 0
        if encoded:
            least, most = encoded[0], encoded[-1]
            while size < min(len(least), len(most)) and least[size] == most[size]:
                size += 1
        keys = [int.from_bytes(each[size : size + 8].ljust(8, b"\0"), "big") for each in encoded]
        return cls(
            ids,
            np.frombuffer(encoded[0][:size] if encoded else b"", np.uint8),
            np.array(keys, np.uint64),
            np.frombuffer(b"".join(encoded), np.uint8),
            np.concatenate(([0], np.cumsum([len(each) for each in encoded]))).astype(np.int64),
        )

    @property
    def partitions(self) -> int:
        """Number of partitions, at least 1."""
        return len(self.ids) + 1


def choose_splitters(sample: pa.Array | pa.ChunkedArray, partitions: int) -> Splitters:
    """Cut so that each partition holds about the same share of a sample.

    Parameters
    ----------
    sample : pyarrow Array or ChunkedArray of text
        Account ids of some rows, nulls among them.
    partitions : int
        How many are wanted; fewer come where the sample has too few distinct ids.

    Returns
    -------
    Splitters

    Examples
    --------
    >>> choose_splitters(pa.array(["d", "a", "c", "b", None]), 2).ids
    ('c',)
    """
    ids = sample.cast(pa.large_string()).drop_null()
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    if partitions < 2 or len(ids) == 0:
        return Splitters.of(())
    ordered = ids.take(pc.array_sort_indices(ids))
    cuts = np.arange(1, partitions) * len(ordered) // partitions
    chosen = ordered.take(pa.array(cuts)).to_pylist()
    # The least id of all needs no splitter before it.
    return Splitters.of(tuple(each for each in dict.fromkeys(chosen) if each != ordered[0].as_py()))


@compiled
def _key(text: Bytes, first: np.uint64, end: np.uint64) -> np.uint64:
    if first + _EIGHT <= end:
        return (
            np.uint64(text[first]) << np.uint64(56)
            | np.uint64(text[first + _ONE]) << np.uint64(48)
            | np.uint64(text[first + np.uint64(2)]) << np.uint64(40)
            | np.uint64(text[first + np.uint64(3)]) << np.uint64(32)
            | np.uint64(text[first + np.uint64(4)]) << np.uint64(24)
            | np.uint64(text[first + np.uint64(5)]) << np.uint64(16)
            | np.uint64(text[first + np.uint64(6)]) << _EIGHT
            | np.uint64(text[first + np.uint64(7)])
        )
    key = np.uint64(0)
    for i in range(8):
        key <<= _EIGHT
        at = first + np.uint64(i)
        if at < end:
            key |= np.uint64(text[at])
    return key


@compiled
def _below(
    a: Bytes, a_first: np.uint64, a_end: np.uint64, b: Bytes, b_first: np.uint64, b_end: np.uint64
) -> bool:
    while a_first < a_end and b_first < b_end:
        if a[a_first] != b[b_first]:
            return bool(a[a_first] < b[b_first])
        a_first += _ONE
        b_first += _ONE
    return bool(a_first >= a_end and b_first < b_end)


@compiled
def _find(
    text: Bytes,
    first: np.uint64,
    end: np.uint64,
    prefix: Bytes,
    keys: npt.NDArray[np.uint64],
    split_text: Bytes,
    split_offsets: npt.NDArray[np.int64],
) -> Integer:
    size = np.uint64(prefix.size)
    for i in range(prefix.size):
        at = first + np.uint64(i)
        if at >= end or text[at] < prefix[i]:
            return 0
        if text[at] > prefix[i]:
            return keys.size
    key = _key(text, first + size, end)
    # Without a branch: which way it goes cannot be foreseen.
    low: Integer = 0
    left = keys.size
    while left > 1:
        half = left >> 1
        low += half * np.int64(keys[low + half - 1] < key)
        left -= half
    if left > 0:
        low += np.int64(keys[low] < key)
    while low < keys.size and keys[low] == key:
        start, stop = np.uint64(split_offsets[low]), np.uint64(split_offsets[low + 1])
        if _below(text, first, end, split_text, start, stop):
            break
        low += 1
    return low


@compiled
def _fill(
    text: Bytes,
    offsets: npt.NDArray[np.int64],
    hashes: Hashes,
    skip: npt.NDArray[np.bool_],
    prefix: Bytes,
    keys: npt.NDArray[np.uint64],
    split_text: Bytes,
    split_offsets: npt.NDArray[np.int64],
    known: Hashes,
    out: npt.NDArray[np.uint16],
    new: npt.NDArray[np.bool_],
) -> None:
    shift = np.uint64(64)
    size = known.size
    while size > 1:
        size >>= 1
        shift -= _ONE
    for row in range(out.size):
        new[row] = False
        out[row] = 0
        if skip[row]:
            continue
        slot = hashes[row] >> shift
        entry = known[slot]
        if entry != _ZERO and (entry ^ (hashes[row] << _SIXTEEN)) <= _LOW_16:
            out[row] = np.uint16((entry & _LOW_16) - _ONE)
            continue
        first, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        found = _find(text, first, end, prefix, keys, split_text, split_offsets)
        known[slot] = (hashes[row] << _SIXTEEN) | np.uint64(found + 1)
        out[row] = found
        new[row] = True


def known_accounts(rows: int) -> Hashes:
    """What `find_partitions` remembers of accounts, for so many rows of input: 0.5 to 32 MiB."""
    size = 1 << 16
    while size < rows // 16 and size < 1 << 22:
        size *= 2
    return np.zeros(size, np.uint64)


def find_partitions(
    account_id: pa.ChunkedArray | pa.Array,
    hashes: Hashes,
    skip: npt.NDArray[np.bool_],
    splitters: Splitters,
    known: Hashes,
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """Partition of each account id, by its bytes in UTF-8.

    Parameters
    ----------
    account_id : pyarrow Array or ChunkedArray of text
        N ids.
    hashes : ndarray of uint64, shape (N,)
        Their hashes, of `hash_ids`.
    skip : ndarray of bool, shape (N,)
        Rows to pass over.
    splitters : Splitters
        Fewer than 65,535.
    known : ndarray of uint64
        Of `known_accounts`; changed. Threads may share it.

    Returns
    -------
    partition : ndarray of uint16, shape (N,)
        0 where a row is passed over.
    new : ndarray of bool, shape (N,)
        Whether the account was looked up here for the first time, as far as `known` remembers: an
        account may be new again, and none is left out.

    Examples
    --------
    >>> from household_ml.sessions.identity import hash_ids
    >>> ids = pa.array(["a", "m", "mz", "m"])
    >>> hashes, missing = hash_ids(ids, seed=1)
    >>> found = find_partitions(ids, hashes, missing, Splitters.of(("m", "n")), known_accounts(4))
    >>> found[0].tolist(), found[1].tolist()
    ([0, 1, 1, 1], [True, True, True, False])
    """
    out, new = np.empty(len(hashes), np.uint16), np.empty(len(hashes), np.bool_)
    first = 0
    for chunk in as_chunks(account_id):
        text, offsets, _ = text_buffers(chunk)
        part = slice(first, first + len(chunk))
        _fill(text, offsets, hashes[part], skip[part], *splitters[1:], known, out[part], new[part])
        first = part.stop
    return out, new
