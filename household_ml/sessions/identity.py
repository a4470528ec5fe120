"""Ids as 64-bit hashes, so that rows of any number can be told apart without their texts.

An account is hashed by its id; a device and a profile by their id and their account, so that one
number stands for both. Two ids of one partition (some hundred thousand rows) fall together by
chance once in 10**9 runs, over 300 million accounts once in 10**5. The seed differs from input to
input, so nobody can prepare two ids that do.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.compiling import compiled
from household_ml.sessions.arrow_text import as_chunks, text_buffers

__all__ = ["Hashes", "find_first_seen", "hash_ids", "seen_table"]

Hashes = npt.NDArray[np.uint64]

_PRESENT, _MISSING, _DOUBTFUL = 0, 1, 2
_ZERO: Final = np.uint64(0)
_ONE: Final = np.uint64(1)
_EIGHT: Final = np.uint64(8)
_SHIFT_29: Final = np.uint64(29)
_SHIFT_32: Final = np.uint64(32)
# Odd constants with half of their bits set: the golden ratio, and those of SplitMix64.
_GOLDEN: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
_MIX_1: Final = np.uint64(0xBF58_476D_1CE4_E5B9)
_MIX_2: Final = np.uint64(0x94D0_49BB_1331_11EB)


@compiled
def _word(text: npt.NDArray[np.uint8], i: np.uint64) -> np.uint64:
    """Eight bytes as one number; the compiler makes one load of it."""
    return (
        np.uint64(text[i])
        | np.uint64(text[i + _ONE]) << _EIGHT
        | np.uint64(text[i + np.uint64(2)]) << np.uint64(16)
        | np.uint64(text[i + np.uint64(3)]) << np.uint64(24)
        | np.uint64(text[i + np.uint64(4)]) << _SHIFT_32
        | np.uint64(text[i + np.uint64(5)]) << np.uint64(40)
        | np.uint64(text[i + np.uint64(6)]) << np.uint64(48)
        | np.uint64(text[i + np.uint64(7)]) << np.uint64(56)
    )


@compiled
def _hash(
    text: npt.NDArray[np.uint8], first: np.uint64, end: np.uint64, seed: np.uint64
) -> np.uint64:
    size = end - first
    mixed = seed ^ (size * _GOLDEN)
    i = first
    if size >= _EIGHT:
        last = end - _EIGHT
        while i < last:
            mixed = (mixed ^ _word(text, i)) * _MIX_1
            mixed ^= mixed >> _SHIFT_32
            i += _EIGHT
        word = _word(text, last)
    else:
        word = _ZERO
        shift = _ZERO
        while i < end:
            word |= np.uint64(text[i]) << shift
            shift += _EIGHT
            i += _ONE
    mixed = (mixed ^ word) * _MIX_2
    mixed ^= mixed >> _SHIFT_29
    mixed *= _MIX_1
    mixed ^= mixed >> _SHIFT_32
    return mixed if mixed != _ZERO else _ONE


@compiled
def _fill(
    text: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    null: npt.NDArray[np.bool_],
    seed: np.uint64,
    owner: Hashes,
    hashes: Hashes,
    state: npt.NDArray[np.uint8],
) -> None:
    some_null = null.size > 0
    owned = owner.size > 0
    for row in range(hashes.size):
        first, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        if end == first or (some_null and null[row]):
            hashes[row] = _ZERO
            state[row] = _MISSING
            continue
        found = _DOUBTFUL
        i = first
        while i < end:
            if 0x20 < text[i] < 0x7F:
                found = _PRESENT
                break
            i += _ONE
        state[row] = found
        hashes[row] = _hash(text, first, end, seed ^ owner[row] if owned else seed)


def hash_ids(
    ids: pa.ChunkedArray | pa.Array, seed: int, owner: Hashes | None = None
) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """Hash the ids of a column.

    Parameters
    ----------
    ids : pyarrow Array or ChunkedArray of text
        N ids.
    seed : int
        Below 2**64.
    owner : ndarray of uint64, shape (N,), optional
        Hash of the account that each id belongs to.

    Returns
    -------
    hashes : ndarray of uint64, shape (N,)
        Equal for equal ids of one owner; 0 for a null or empty one only.
    missing : ndarray of bool, shape (N,)
        Null, empty or blank.

    Examples
    --------
    >>> import pyarrow as pa
    >>> hashes, missing = hash_ids(pa.array(["a", "b", "a", None, " "]), seed=1)
    >>> bool(hashes[0] == hashes[2]), bool(hashes[0] == hashes[1]), missing.tolist()
    (True, False, [False, False, False, True, True])
    """
    count = len(ids)
    hashes, state = np.empty(count, np.uint64), np.empty(count, np.uint8)
    none = np.empty(0, np.uint64)
    first = 0
    for chunk in as_chunks(ids):
        part = slice(first, first + len(chunk))
        _fill(
            *text_buffers(chunk),
            np.uint64(seed),
            none if owner is None else owner[part],
            hashes[part],
            state[part],
        )
        first = part.stop
    missing = state == _MISSING
    doubtful = np.flatnonzero(state == _DOUBTFUL)
    if doubtful.size:
        texts = ids.take(pa.array(doubtful)).cast(pa.large_string())
        blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(texts)), 0)
        missing[doubtful] = np.asarray(blank)
    return hashes, missing


def seen_table(rows: int) -> Hashes:
    """A table for `find_first_seen`, sized for so many rows of input: 0.5 to 64 MiB."""
    size = 1 << 16
    while size < rows // 4 and size < 1 << 23:
        size *= 2
    return np.zeros(size, np.uint64)


@compiled
def find_first_seen(
    hashes: Hashes, skip: npt.NDArray[np.bool_], seen: Hashes, first: npt.NDArray[np.bool_]
) -> int:
    """Mark the rows whose id was not seen before, as far as the table remembers.

    Ids that share a slot drive each other out, so an id may be marked again; none is left out.
    Threads may share the table: a lost update marks an id once more.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (N,)
        Of `hash_ids`.
    skip : ndarray of bool, shape (N,) or (0,)
        Rows to pass over.
    seen : ndarray of uint64
        Of `seen_table`.
    first : ndarray of bool, shape (N,)
        Filled.

    Returns
    -------
    int
        How many are marked.
    """
    shift = np.uint64(64)
    size = seen.size
    while size > 1:
        size >>= 1
        shift -= _ONE
    count = 0
    previous = _ZERO
    for row in range(hashes.size):
        key = hashes[row]
        first[row] = False
        if key == previous or (skip.size > 0 and skip[row]):
            continue
        previous = key
        slot = key >> shift
        if seen[slot] != key:
            seen[slot] = key
            first[row] = True
            count += 1
    return count
