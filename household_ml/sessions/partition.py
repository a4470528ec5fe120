"""One partition of a spilled input as `Sessions`: rows gathered, ids named, in the one order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.compiling import compiled
from household_ml.sessions.columns import NO_OFFSET
from household_ml.sessions.identity import Hashes
from household_ml.sessions.localtime import NO_COUNTRY, offsets_from_country
from household_ml.sessions.ordering import Columns, order_rows
from household_ml.sessions.reading import Reading
from household_ml.sessions.spill import COLUMNS, SpillFile
from household_ml.sessions.table import Sessions

__all__ = ["Partition", "Room", "read_partition"]

_ACCOUNT, _DEVICE, _PROFILE = range(3)
#: What stands in a column that the input lacks.
_ABSENT: Final = {
    "profile": 0,
    "duration_s": np.nan,
    "asn": 0,
    "country": NO_COUNTRY,
    "utc_offset_min": NO_OFFSET,
    "device_type": -1,
}
_ZERO: Final = np.uint64(0)
_ONE: Final = np.uint64(1)

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


class Room:
    """Arrays that are used again, by name: memory that was touched once costs nothing any more.

    One thread works in one room; what it takes holds until it takes the same name again.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, npt.NDArray[np.uint64]] = {}

    def take(self, name: str, size: int, kind: Any) -> npt.NDArray[Any]:
        """An array of this size and type, filled with anything."""
        dtype = np.dtype(kind)
        words = -(-size * dtype.itemsize // 8)
        kept = self._arrays.get(name)
        if kept is None or kept.size < words:
            kept = self._arrays[name] = np.empty(words + words // 4, np.uint64)
        found: npt.NDArray[Any] = kept[:words].view(dtype)[:size]
        return found


class Partition(NamedTuple):
    """A partition.

    Attributes
    ----------
    sessions : Sessions
        Without a row that repeats another.
    repeats, repeated : ndarray of int64, shape (r,)
        Rows that repeat others, and those they repeat, as ``piece << 32 | row``.
    """

    sessions: Sessions
    repeats: Int64s
    repeated: Int64s


@compiled
def _enter(
    kind: int,
    entry: npt.NDArray[np.uint32],
    rows: Int64s,
    hashes: Hashes,
    table: Hashes,
    codes: Int32s,
    first: Int64s,
) -> int:
    """Number the ids that entries tell, in a hash table; `first` is an entry of each."""
    mask = np.uint64(table.size - 1)
    count = 0
    for i in range(entry.size):
        if entry[i] >> np.uint32(30) != kind:
            continue
        key = hashes[rows[i] + np.int64(entry[i] & np.uint32((1 << 30) - 1))]
        slot = (key >> np.uint64(20)) & mask
        while table[slot] != _ZERO and table[slot] != key:
            slot = (slot + _ONE) & mask
        if table[slot] == _ZERO:
            table[slot] = key
            codes[slot] = count
            first[count] = i
            count += 1
    return count


@compiled
def _look_up(hashes: Hashes, table: Hashes, codes: Int32s, out: Int32s) -> int:
    """Numbers of ids; -1 for a null. Returns how many are not in the table."""
    mask = np.uint64(table.size - 1)
    missing = 0
    previous, previous_code = _ZERO, np.int32(-1)
    for row in range(hashes.size):
        key = hashes[row]
        if key == previous:
            out[row] = previous_code
            continue
        code = np.int32(-1)
        if key != _ZERO:
            slot = (key >> np.uint64(20)) & mask
            while table[slot] != _ZERO and table[slot] != key:
                slot = (slot + _ONE) & mask
            if table[slot] == key:
                code = codes[slot]
            else:
                missing += 1
        out[row] = code
        previous, previous_code = key, code
    return missing


@compiled
def _copy_texts(
    first: Int64s, starts: Int64s, length: npt.NDArray[np.uint32], text: Bytes,
    offsets: Int64s, out: Bytes,
) -> None:  # fmt: skip
    at = 0
    for i in range(first.size):
        start = starts[first[i]]
        for j in range(length[first[i]]):
            out[at + j] = text[start + j]
        at += length[first[i]]
        offsets[i + 1] = at


@compiled
def _owners(
    first: Int64s,
    entry: npt.NDArray[np.uint32],
    rows: Int64s,
    account: Int32s,
    out: Int32s,
) -> None:
    """Account of each device or profile, from a row that tells of it."""
    for i in range(first.size):
        e = first[i]
        out[i] = account[rows[e] + np.int64(entry[e] & np.uint32((1 << 30) - 1))]


@compiled
def _number(order: Int64s, owner: Int32s, starts: Int64s, number: Int32s, placed: Int64s) -> None:
    """Number things within their owner in the order given; `placed` lists them by owner."""
    at = starts[:-1].copy()
    for i in range(order.size):
        thing = order[i]
        o = owner[thing]
        number[thing] = at[o] - starts[o]
        placed[at[o]] = thing
        at[o] += 1


@compiled
def _renumber(values: Int32s, table: Int32s) -> None:
    for row in range(values.size):
        if values[row] >= 0:
            values[row] = table[values[row]]


@compiled
def _gather(source: npt.NDArray[Any], order: Int64s, out: npt.NDArray[Any]) -> None:
    for row in range(order.size):
        out[row] = source[order[row]]


@compiled
def _is_ascending(values: Int64s) -> bool:
    i = 0
    while i < values.size and values[i] == i:
        i += 1
    return i == values.size


@dataclass
class _Loaded:
    """Rows and texts of a partition as they lie on disk, all pieces together."""

    columns: dict[str, npt.NDArray[Any]]
    piece_starts: Int64s
    pieces: Int64s
    entry: npt.NDArray[np.uint32]
    length: npt.NDArray[np.uint32]
    entry_rows: Int64s
    text: Bytes
    rows: int = field(init=False)

    def __post_init__(self) -> None:
        self.rows = len(self.columns["account"])


def _load(files: Sequence[SpillFile], partition: int, room: Room) -> _Loaded:
    found = [(number, file, segment)
             for number, file in enumerate(files)
             for segment in file.segments(partition)]  # fmt: skip
    sizes = np.array([segment[1:] for *_, segment in found], np.int64).reshape(-1, 3)
    rows, entries, characters = sizes.sum(axis=0).tolist()
    names = [name for name in COLUMNS if any(name in file.columns for file in files)]
    columns = {name: room.take(name, rows, COLUMNS[name]) for name in names}
    entry, length = (room.take(name, entries, np.uint32) for name in ("entry", "length"))
    text = room.take("text", characters, np.uint8)
    entry_rows = room.take("entry_rows", entries, np.int64)
    starts = np.zeros((len(found) + 1, 3), np.int64)
    np.cumsum(sizes, axis=0, out=starts[1:])
    for (_, file, segment), start, stop in zip(
        found, starts[:-1].tolist(), starts[1:].tolist(), strict=True
    ):
        here = slice(start[0], stop[0])
        for name in names:
            if name not in file.columns:
                columns[name][here] = _ABSENT[name]
        file.read(
            segment,
            [columns[name][here] for name in file.columns],
            entry[start[1] : stop[1]],
            length[start[1] : stop[1]],
            text[start[2] : stop[2]],
        )
        entry_rows[start[1] : stop[1]] = start[0]
    pieces = np.array([number for number, *_ in found], np.int64)
    return _Loaded(columns, starts[:, 0], pieces, entry, length, entry_rows, text)


class _Ids(NamedTuple):
    """Ids of one kind.

    Attributes
    ----------
    code : ndarray of int32, shape (N,)
        Number of the id of each row, -1 = null.
    first : ndarray of int64, shape (k,)
        An entry that tells each id.
    texts : pyarrow.LargeStringArray of length k
        The ids.
    """

    code: Int32s
    first: Int64s
    texts: pa.LargeStringArray


def _ids(kind: int, name: str, loaded: _Loaded, text_starts: Int64s, room: Room) -> _Ids:
    entries = loaded.entry.size
    size = 16
    while size < 2 * entries:
        size *= 2
    table = room.take("table", size, np.uint64)
    table[:] = 0
    codes = room.take("codes", size, np.int32)
    first = room.take(f"first_{name}", entries, np.int64)
    hashes = loaded.columns[name]
    count = _enter(kind, loaded.entry, loaded.entry_rows, hashes, table, codes, first)
    first = first[:count]
    code = room.take(f"code_{name}", loaded.rows, np.int32)
    lost = _look_up(hashes, table, codes, code)
    if lost:
        raise OSError(f"the texts of {lost} ids are missing in the spilled rows")
    offsets = np.zeros(count + 1, np.int64)
    out = np.empty(int(loaded.length[first].sum()), np.uint8)
    _copy_texts(first, text_starts, loaded.length, loaded.text, offsets, out)
    texts = pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(out))
    return _Ids(code, first, texts)


class _Within(NamedTuple):
    """Ids numbered within their account: `number` by id, `starts` by account, `placed` in order."""

    number: Int32s
    starts: Int64s
    placed: Int64s


def _within(ids: _Ids, loaded: _Loaded, account: Int32s, accounts: int) -> _Within:
    owner = np.empty(len(ids.first), np.int32)
    _owners(ids.first, loaded.entry, loaded.entry_rows, account, owner)
    starts = np.zeros(accounts + 1, np.int64)
    np.cumsum(np.bincount(owner, minlength=accounts), out=starts[1:])
    order = np.asarray(pc.array_sort_indices(ids.texts)).astype(np.int64)
    number, placed = np.empty(len(owner), np.int32), np.empty(len(owner), np.int64)
    _number(order, owner, starts, number, placed)
    return _Within(number, starts, placed)


def read_partition(files: Sequence[SpillFile], partition: int, room: Room) -> Partition | None:
    """Read a partition.

    Parameters
    ----------
    files : sequence of SpillFile
        Spilled pieces, in the order of the input.
    partition : int
        Which.
    room : Room
        Where this thread works; the sessions do not lie in it.

    Returns
    -------
    Partition or None
        None when it has no row.
    """
    loaded = _load(files, partition, room)
    if loaded.rows == 0:
        return None
    text_starts = np.zeros(loaded.length.size + 1, np.int64)
    np.cumsum(loaded.length, out=text_starts[1:])
    accounts = _ids(_ACCOUNT, "account", loaded, text_starts, room)
    by_name = np.asarray(pc.array_sort_indices(accounts.texts)).astype(np.int64)
    rank = np.empty(by_name.size, np.int32)
    rank[by_name] = np.arange(by_name.size, dtype=np.int32)
    _renumber(accounts.code, rank)
    devices = _ids(_DEVICE, "device", loaded, text_starts, room)
    within = _within(devices, loaded, accounts.code, by_name.size)
    _renumber(devices.code, within.number)
    if "profile" in loaded.columns:
        profiles = _ids(_PROFILE, "profile", loaded, text_starts, room)
        _renumber(profiles.code, _within(profiles, loaded, accounts.code, by_name.size).number)
        profile = profiles.code
    else:
        profile = np.full(loaded.rows, -1, np.int32)
    return _arrange(loaded, accounts, by_name, devices, within, profile)


def _arrange(
    loaded: _Loaded,
    accounts: _Ids,
    by_name: Int64s,
    devices: _Ids,
    within: _Within,
    profile: Int32s,
) -> Partition:
    def column(name: str) -> npt.NDArray[Any]:
        found = loaded.columns.get(name)
        return np.full(loaded.rows, _ABSENT[name], COLUMNS[name]) if found is None else found

    names = ("duration_s", "ip_hi", "ip_lo", "asn", "device_type", "country", "utc_offset_min")
    found = Columns(
        accounts.code,
        devices.code,
        profile,
        column("started_at"),
        *map(column, names),
    )
    order, same_as = order_rows(found, by_name.size, threads=1)
    again = same_as >= 0
    repeats, repeated = (_located(loaded, rows[again]) for rows in (order, same_as))
    if repeats.size:
        order = order[~again]
    as_is = _is_ascending(order)

    def ordered(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if as_is:
            return values[: order.size].copy()
        out = np.empty(order.size, values.dtype)
        _gather(values, order, out)
        return out

    row = Columns(*map(ordered, found))
    account_rows = np.zeros(by_name.size + 1, np.int64)
    np.cumsum(np.bincount(row.account, minlength=by_name.size), out=account_rows[1:])
    sessions = Sessions(
        account_id=accounts.texts.take(pa.array(by_name)),
        device_id=devices.texts.take(pa.array(within.placed)),
        account_rows=account_rows,
        account_devices=within.starts,
        device=row.device,
        started_at=row.started_at,
        duration_s=row.duration_s,
        ip_hi=row.ip_hi,
        ip_lo=row.ip_lo,
        asn=row.asn,
        device_type=row.device_type,
        country=row.country,
        utc_offset_min=offsets_from_country(
            row.started_at, row.country, row.utc_offset_min, NO_OFFSET
        ),
        profile=row.profile,
        reading=Reading(rows_in=loaded.rows),
    )
    return Partition(sessions, repeats, repeated)


def _located(loaded: _Loaded, rows: Int64s) -> Int64s:
    """Where rows were found: ``piece << 32 | row``."""
    segment = np.searchsorted(loaded.piece_starts, rows, side="right") - 1
    return loaded.pieces[segment] << 32 | loaded.columns["row"][rows].astype(np.int64)
