"""Accepted rows on disk, by partition of their account.

A spill file holds the rows of one piece of the input in chunks. Within a chunk the rows of one
partition lie together, column after column, in the order of the input, so that a partition is read
by one look at each chunk. Ids lie there as hashes; their texts are written where an id is met
for the first time, as far as is remembered, not with every row.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml.compiling import compiled
from household_ml.sessions.arrow_text import as_chunks, text_buffers

__all__ = ["COLUMNS", "Chunk", "Segment", "SpillFile", "SpillWriter", "columns_of", "row_bytes"]

#: Columns of a row and their types, wide ones first, so that each lies on a multiple of its width.
COLUMNS: Final = {
    "account": np.uint64,
    "device": np.uint64,
    "started_at": np.int64,
    "ip_hi": np.uint64,
    "ip_lo": np.uint64,
    "profile": np.uint64,
    "row": np.uint32,
    "duration_s": np.float32,
    "asn": np.uint32,
    "country": np.int16,
    "utc_offset_min": np.int16,
    "device_type": np.int8,
}
#: Columns that an input need not have: name in the contract -> name here.
_OPTIONAL: Final = {
    "profile_id": "profile",
    "duration_s": "duration_s",
    "asn": "asn",
    "country": "country",
    "utc_offset_min": "utc_offset_min",
    "device_type": "device_type",
}
_MAGIC: Final = b"HMLSPIL1"
_KIND_SHIFT: Final = np.uint32(30)
_MAX_ROWS: Final = 1 << 30

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]


def columns_of(names: Sequence[str]) -> tuple[str, ...]:
    """Columns to keep of an input that has these columns of the contract.

    Examples
    --------
    >>> columns_of(["account_id", "device_id", "started_at", "ip", "asn"])
    ('account', 'device', 'started_at', 'ip_hi', 'ip_lo', 'row', 'asn')
    """
    absent = {column for name, column in _OPTIONAL.items() if name not in names}
    return tuple(column for column in COLUMNS if column not in absent)


def row_bytes(columns: Sequence[str]) -> int:
    """Bytes of one row on disk, its ids' texts left aside."""
    return sum(np.dtype(COLUMNS[name]).itemsize for name in columns)


class Segment(NamedTuple):
    """Where the rows of one partition lie within one chunk."""

    offset: int
    rows: int
    entries: int
    characters: int


@compiled
def _scatter(
    part: npt.NDArray[np.uint16],
    starts: Integers,
    source: npt.NDArray[Any],
    target: npt.NDArray[Any],
) -> None:
    """Lay values by partition; `starts` are elements of the target."""
    at = starts.copy()
    for row in range(part.size):
        to = at[part[row]]
        target[to] = source[row]
        at[part[row]] = to + 1


@compiled
def _count(
    part: npt.NDArray[np.uint16], counts: Integers, position: npt.NDArray[np.uint32]
) -> None:
    """Rows of each partition, and the number of each row within its own."""
    counts[:] = 0
    for row in range(part.size):
        position[row] = counts[part[row]]
        counts[part[row]] += 1


@compiled
def _count_texts(
    part: npt.NDArray[np.uint16],
    entry: npt.NDArray[np.uint32],
    length: npt.NDArray[np.uint32],
    entries: Integers,
    characters: Integers,
) -> None:
    entries[:] = 0
    characters[:] = 0
    mask = np.uint32((1 << 30) - 1)
    for i in range(entry.size):
        here = part[entry[i] & mask]
        entries[here] += 1
        characters[here] += length[i]


@compiled
def _scatter_texts(
    part: npt.NDArray[np.uint16],
    position: npt.NDArray[np.uint32],
    entry: npt.NDArray[np.uint32],
    length: npt.NDArray[np.uint32],
    text: Bytes,
    entry_starts: Integers,
    length_starts: Integers,
    text_starts: Integers,
    narrow: npt.NDArray[np.uint32],
    out: Bytes,
) -> None:
    entry_at, length_at, text_at = entry_starts.copy(), length_starts.copy(), text_starts.copy()
    mask = np.uint32((1 << 30) - 1)
    source = 0
    for i in range(entry.size):
        row = entry[i] & mask
        here = part[row]
        narrow[entry_at[here]] = position[row] | (entry[i] & ~mask)
        narrow[length_at[here]] = length[i]
        entry_at[here] += 1
        length_at[here] += 1
        to = text_at[here]
        for j in range(length[i]):
            out[to + j] = text[source + j]
        text_at[here] = to + length[i]
        source += length[i]


@compiled
def _append_texts(
    kind: int,
    first_row: int,
    kept: Integers,
    new: npt.NDArray[np.bool_],
    text: Bytes,
    offsets: Integers,
    begin: int,
    entry: npt.NDArray[np.uint32],
    length: npt.NDArray[np.uint32],
    out: Bytes,
    count: int,
    used: int,
) -> tuple[int, int]:
    """Note the ids of one Arrow chunk that are new.

    `kept` are the rows of the batch that are accepted, `begin` is the first row of this chunk, and
    row ``kept[i]`` becomes row ``first_row + i``.
    """
    low = np.searchsorted(kept, begin)
    end = begin + offsets.size - 1
    for i in range(low, kept.size):
        row = kept[i]
        if row >= end:
            break
        if not new[row]:
            continue
        start = offsets[row - begin]
        size = offsets[row - begin + 1] - start
        for j in range(size):
            out[used + j] = text[start + j]
        entry[count] = np.uint32(first_row + i) | (np.uint32(kind) << _KIND_SHIFT)
        length[count] = size
        count += 1
        used += size
    return count, used


class Chunk:
    """Rows on their way to disk, in the order of the input.

    Parameters
    ----------
    columns : sequence of str
        Of `columns_of`.
    partitions : int
        How many there are.
    capacity : int
        Rows that a chunk holds, fewer than 2**30.
    """

    def __init__(self, columns: Sequence[str], partitions: int, capacity: int) -> None:
        self.columns = tuple(columns)
        self.partitions = partitions
        self.capacity = min(capacity, _MAX_ROWS - 1)
        self.rows = 0
        self._values = {name: np.empty(self.capacity, COLUMNS[name]) for name in self.columns}
        self._part = np.empty(self.capacity, np.uint16)
        self._position = np.empty(self.capacity, np.uint32)
        self._entry = np.empty(1 << 12, np.uint32)
        self._length = np.empty(1 << 12, np.uint32)
        self._text = np.empty(1 << 16, np.uint8)
        self._entries = self._characters = 0
        self._out = np.empty(0, np.uint64)

    def add(self, part: npt.NDArray[np.uint16], values: dict[str, npt.NDArray[Any]]) -> None:
        """Append rows.

        Parameters
        ----------
        part : ndarray of uint16, shape (N,)
            Their partitions.
        values : dict of str to ndarray of shape (N,)
            Their columns; `room` tells how many rows fit.
        """
        rows = slice(self.rows, self.rows + part.size)
        self._part[rows] = part
        for name in self.columns:
            self._values[name][rows] = values[name]
        self.rows = rows.stop

    def add_texts(
        self,
        kind: int,
        ids: pa.ChunkedArray,
        kept: Integers,
        new: npt.NDArray[np.bool_],
        first_row: int,
    ) -> None:
        """Append the texts of new ids.

        Parameters
        ----------
        kind : int
            0 account, 1 device, 2 profile.
        ids : pyarrow.ChunkedArray of text
            Ids of all rows of a batch.
        kept : ndarray of int64
            Which of these rows are appended, ascending.
        new : ndarray of bool
            Which of all rows have a new id.
        first_row : int
            Row of this chunk that ``kept[0]`` is.
        """
        begin = 0
        for chunk in as_chunks(ids):
            text, offsets, _ = text_buffers(chunk)
            self._reserve(len(chunk), int(offsets[-1] - offsets[0]))
            self._entries, self._characters = _append_texts(
                kind,
                first_row,
                kept,
                new,
                text,
                offsets,
                begin,
                self._entry,
                self._length,
                self._text,
                self._entries,
                self._characters,
            )
            begin += len(chunk)

    def clear(self) -> None:
        """Forget all rows."""
        self.rows = self._entries = self._characters = 0

    @property
    def room(self) -> int:
        """Rows that still fit."""
        return self.capacity - self.rows

    def _reserve(self, entries: int, characters: int) -> None:
        if self._entries + entries > self._entry.size:
            size = 2 * (self._entries + entries)
            self._entry, self._length = (
                np.concatenate((old[: self._entries], np.empty(size - self._entries, np.uint32)))
                for old in (self._entry, self._length)
            )
        if self._characters + characters > self._text.size:
            size = 2 * (self._characters + characters)
            spare = np.empty(size - self._characters, np.uint8)
            self._text = np.concatenate((self._text[: self._characters], spare))

    def lay_out(self) -> tuple[memoryview, npt.NDArray[np.int64]]:
        """The bytes of this chunk, and its segments as rows of `Segment`; then it is empty.

        The bytes hold until the next call.
        """
        part, position = self._part[: self.rows], self._position[: self.rows]
        counts, entries, characters = np.zeros((3, self.partitions), np.int64)
        _count(part, counts, position)
        entry, length = self._entry[: self._entries], self._length[: self._entries]
        _count_texts(part, entry, length, entries, characters)
        width = row_bytes(self.columns)
        # Texts come after the rows, on a multiple of four.
        texts = -(-counts * width // 4) * 4
        sizes = -(-(texts + 8 * entries + characters) // 8) * 8
        offsets = np.concatenate(([0], np.cumsum(sizes)))
        if self._out.size * 8 < offsets[-1]:
            self._out = np.empty(int(offsets[-1]) * 9 // 64 + 1, np.uint64)
        start = offsets[:-1].copy()
        for name in self.columns:
            values = self._values[name][: self.rows]
            size = values.dtype.itemsize
            kind = np.dtype(f"u{size}")
            _scatter(part, start // size, values.view(kind), self._out.view(kind))
            start += counts * size
        narrow = (offsets[:-1] + texts) // 4
        _scatter_texts(
            part,
            position,
            entry,
            length,
            self._text,
            narrow,
            narrow + entries,
            4 * (narrow + 2 * entries),
            self._out.view(np.uint32),
            self._out.view(np.uint8),
        )
        self.clear()
        index = np.column_stack((offsets[:-1], counts, entries, characters))
        return self._out.view(np.uint8)[: int(offsets[-1])].data, index


class SpillWriter:
    """Writes one spill file; it has its name when it is closed without an error."""

    def __init__(self, path: Path, chunk: Chunk) -> None:
        self.path = path
        self.chunk = chunk
        self._working = path.with_name(path.name + ".part")
        self._file = self._working.open("wb", buffering=0)
        self._index: list[npt.NDArray[np.int64]] = []
        self._at = 0

    def flush(self) -> None:
        """Write the rows of the chunk."""
        if self.chunk.rows == 0:
            return
        laid_out, index = self.chunk.lay_out()
        index[:, 0] += self._at
        self._at += len(laid_out)
        _write(self._file, laid_out)
        self._index.append(index)

    def close(self, about: dict[str, Any]) -> None:
        """Write what is left, and what is to be known of the piece, and give the file its name."""
        self.flush()
        index = np.array(self._index, np.int64).reshape(-1, self.chunk.partitions, 4)
        told = json.dumps({**about, "columns": self.chunk.columns}).encode()
        sizes = np.array([len(self._index), self.chunk.partitions, len(told)], np.int64)
        _write(self._file, memoryview(index.tobytes() + told + sizes.tobytes() + _MAGIC))
        self._file.close()
        self._working.replace(self.path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self.chunk.clear()
        self._working.unlink(missing_ok=True)


def _write(file: Any, content: memoryview) -> None:
    while content:
        content = content[file.write(content) :]


class SpillFile:
    """A spill file, open for reading; several threads may read it.

    Parameters
    ----------
    path : Path
        Of a `SpillWriter`.

    Attributes
    ----------
    about : dict
        What is known of the piece.
    index : ndarray of int64, shape (chunks, partitions, 4)
        `Segment` of each partition in each chunk.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)
        size = os.fstat(self._file).st_size
        tail = os.pread(self._file, 32, max(0, size - 32))
        if tail[-8:] != _MAGIC:
            raise OSError(f"{path} is no whole spill file")
        chunks, partitions, told = np.frombuffer(tail[:24], np.int64).tolist()
        at = size - 32 - told
        self.about: dict[str, Any] = json.loads(os.pread(self._file, told, at))
        length = chunks * partitions * 32
        index = np.frombuffer(os.pread(self._file, length, at - length), np.int64)
        self.index: npt.NDArray[np.int64] = index.reshape(chunks, partitions, 4)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a row."""
        return tuple(self.about["columns"])

    def segments(self, partition: int) -> list[Segment]:
        """Where the rows of a partition lie, in the order of the input."""
        return [Segment(*map(int, row)) for row in self.index[:, partition] if row[1]]

    def read(
        self,
        segment: Segment,
        columns: Sequence[npt.NDArray[Any]],
        entry: npt.NDArray[np.uint32],
        length: npt.NDArray[np.uint32],
        text: Bytes,
    ) -> None:
        """Read a segment into arrays of its size: its columns in their order, then its texts."""
        rows = sum(column.nbytes for column in columns)
        pad = np.empty(-rows % 4, np.uint8)
        wanted = [each for each in (*columns, pad, entry, length, text) if each.nbytes]
        expected = sum(each.nbytes for each in wanted)
        got = os.preadv(self._file, [each.view(np.uint8).data for each in wanted], segment.offset)
        if got != expected:
            raise OSError(f"a spill file must hold {expected} bytes more, got {got}")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
