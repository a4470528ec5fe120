"""Compiled counting of accounts, devices and sessions on each network.

Sessions come ordered by account, so an account is first reduced to one entry for each network it
was seen on, by small sorts that stay in the cache, and only these entries touch the table of all
networks. Everything that is kept is a sum of integers, a least or a greatest value, so that equal
sessions give equal counts, whatever their order and however accounts and devices are called.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.networks.ladder import cut_key, prefix_key, prefix_keys

__all__ = [
    "COUNTED",
    "Counted",
    "Entries",
    "add_entry",
    "add_up",
    "build_index",
    "count_below",
    "count_entries",
    "count_level",
    "count_networks",
    "find_rows",
    "grow",
    "slot_of",
    "sort_by_key",
]

#: Columns of the counts, in this order.
COUNTED = (
    "accounts",
    "devices",
    "sessions",
    "fixed_sessions",
    "phone_sessions",
    "tenure_s",
    "first_seen",
    "last_seen",
)

_ACCOUNTS, _DEVICES, _SESSIONS, _FIXED, _PHONE, _TENURE, _FIRST, _LAST = range(len(COUNTED))
_SECOND = 1_000_000
_MIX = np.uint64(0x9E37_79B9_7F4A_7C15)
_ZERO = np.uint64(0)

Keys = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]


class Counted(NamedTuple):
    """Networks of the four levels of the ladder, in order of level, then key.

    Attributes
    ----------
    starts : ndarray of int64, shape (5,)
        Offsets of the levels.
    key : ndarray of uint64, shape (k,)
        Prefix of the network (see `prefix_key`), or its AS.
    networks : ndarray of int64, shape (k,)
        Distinct networks of level 0 in it.
    counts : ndarray of int64, shape (k, 8)
        The columns of COUNTED; times in microseconds since the epoch.
    """

    starts: npt.NDArray[np.int64]
    key: Keys
    networks: npt.NDArray[np.int64]
    counts: Counts


@compiled
def slot_of(key: np.uint64, mask: np.uint64) -> np.uint64:
    """Where a table of ``mask + 1`` entries starts to look for a key."""
    mixed = key * _MIX
    mixed ^= mixed >> np.uint64(32)
    return (mixed * _MIX >> np.uint64(20)) & mask


@compiled
def grow(key: Keys, counts: Counts) -> tuple[Keys, Counts]:
    """The same entries in a table of twice the size."""
    new_key = np.zeros(2 * key.size, np.uint64)
    new_counts = np.zeros((2 * key.size, counts.shape[1]), np.int64)
    mask = np.uint64(new_key.size - 1)
    for i in range(key.size):
        if counts[i, 0] > 0:
            slot = slot_of(key[i], mask)
            while new_counts[slot, 0] > 0:
                slot = (slot + np.uint64(1)) & mask
            new_key[slot] = key[i]
            for column in range(counts.shape[1]):
                new_counts[slot, column] = counts[i, column]
    return new_key, new_counts


@compiled
def add_entry(key: Keys, counts: Counts, wanted: np.uint64, entry: npt.NDArray[np.int64]) -> int:
    """Add what one account did on one network; return 1 if the network is new."""
    mask = np.uint64(key.size - 1)
    slot = slot_of(wanted, mask)
    while counts[slot, 0] > 0:
        if key[slot] == wanted:
            for column in range(_FIRST):
                counts[slot, column] += entry[column]
            counts[slot, _FIRST] = min(counts[slot, _FIRST], entry[_FIRST])
            counts[slot, _LAST] = max(counts[slot, _LAST], entry[_LAST])
            return 0
        slot = (slot + np.uint64(1)) & mask
    key[slot] = wanted
    for column in range(entry.size):
        counts[slot, column] = entry[column]
    return 1


@compiled
def _sort_run(
    keys: Keys,
    order: npt.NDArray[np.int64],
    start: int,
    end: int,
    spare: npt.NDArray[np.int64],
) -> None:
    """Sort the rows ``order[start:end]`` by their keys, equal ones kept as they lie."""
    width = 16
    for first in range(start, end, width):
        for i in range(first + 1, min(first + width, end)):
            row = order[i]
            key = keys[row]
            j = i - 1
            while j >= first and keys[order[j]] > key:
                order[j + 1] = order[j]
                j -= 1
            order[j + 1] = row
    while width < end - start:
        for first in range(start, end, 2 * width):
            middle = min(first + width, end)
            last = min(first + 2 * width, end)
            left, right = first, middle
            for i in range(last - first):
                if right == last or (left < middle and keys[order[left]] <= keys[order[right]]):
                    spare[i] = order[left]
                    left += 1
                else:
                    spare[i] = order[right]
                    right += 1
            for i in range(last - first):
                order[first + i] = spare[i]
        width *= 2


@compiled
def sort_by_key(
    account_rows: npt.NDArray[np.int64], keys: Keys, order: npt.NDArray[np.int64]
) -> None:
    """Sort the rows of each account by their keys, equal ones kept as they lie.

    Parameters
    ----------
    account_rows : ndarray of int64, shape (a + 1,)
        Offsets of the accounts in the rows.
    keys : ndarray of uint64, shape (n,)
        Key of each row.
    order : ndarray of int64, shape (n,)
        The rows, account by account; sorted.
    """
    longest = 1
    for account in range(account_rows.size - 1):
        longest = max(longest, account_rows[account + 1] - account_rows[account])
    spare = np.empty(longest, np.int64)
    for account in range(account_rows.size - 1):
        _sort_run(keys, order, account_rows[account], account_rows[account + 1], spare)


@compiled
def count_level(
    level: int,
    order: npt.NDArray[np.int64],
    lines: Keys,
    systems: Keys,
    account_rows: npt.NDArray[np.int64],
    account_devices: npt.NDArray[np.int64],
    device: npt.NDArray[np.int32],
    time: npt.NDArray[np.int64],
    fixed: npt.NDArray[np.bool_],
    phone: npt.NDArray[np.bool_],
) -> tuple[Keys, Counts]:
    """Hash table of the networks of one level, free where it tells of no account.

    The rows of each account lie in `order` by `lines`, their keys at level 0; for the level of
    the AS by `systems`, their ASs, first. So the rows of one network are a run, and within it the
    rows of one line, over which an AS sums its tenure.

    Parameters
    ----------
    level : int
        Level of the ladder, 0 to 3.
    order : ndarray of int64, shape (n,)
        Rows, account by account, sorted as told above; see `sort_by_key`.
    lines, systems : ndarray of uint64, shape (n,)
        Key at level 0 and AS of each row.
    account_rows, account_devices, device, time, fixed, phone
        As in `count_networks`.

    Returns
    -------
    key : ndarray of uint64, shape (s,)
        Keys, each from `slot_of` on; s is a power of two.
    counts : ndarray of int64, shape (s, 8)
        Columns of COUNTED; no accounts where a slot is free.
    """
    widest = 1
    for account in range(account_rows.size - 1):
        widest = max(widest, account_devices[account + 1] - account_devices[account])
    counted_on = np.zeros(widest, np.int64)
    run = 0
    size = 16
    while size < min(2 * order.size, 1 << 10):
        size *= 2
    table = np.zeros(size, np.uint64)
    counts = np.zeros((size, 8), np.int64)
    used = 0
    entry = np.zeros(8, np.int64)
    for account in range(account_rows.size - 1):
        i, end = account_rows[account], account_rows[account + 1]
        while i < end:
            row = order[i]
            key = cut_key(lines[row], level) if level < 3 else systems[row]
            line = lines[row]
            run += 1
            first = last = line_first = line_last = time[row]
            sessions = devices = with_fixed = with_phone = tenure = 0
            while True:
                sessions += 1
                with_fixed += fixed[row]
                with_phone += phone[row]
                if counted_on[device[row]] != run:
                    counted_on[device[row]] = run
                    devices += 1
                line_first = min(line_first, time[row])
                line_last = max(line_last, time[row])
                i += 1
                row = order[i] if i < end else row
                within = i < end and key == (
                    cut_key(lines[row], level) if level < 3 else systems[row]
                )
                if not within or (level == 3 and lines[row] != line):
                    tenure += (line_last - line_first) // _SECOND
                    first = min(first, line_first)
                    last = max(last, line_last)
                    line = lines[row]
                    line_first = line_last = time[row]
                if not within:
                    break
            if level == 3 and key == _ZERO:
                continue
            entry[_ACCOUNTS] = 1
            entry[_DEVICES] = devices
            entry[_SESSIONS] = sessions
            entry[_FIXED] = with_fixed
            entry[_PHONE] = with_phone
            entry[_TENURE] = tenure
            entry[_FIRST] = first
            entry[_LAST] = last
            if 2 * used >= table.size:
                table, counts = grow(table, counts)
            used += add_entry(table, counts, key, entry)
    return table, counts


@compiled
def count_below(lowest: Keys, parents: Keys, level: int) -> npt.NDArray[np.int64]:
    """How many of the networks of level 0 lie in each network of a prefix level; all in order."""
    below = np.zeros(parents.size, np.int64)
    at = 0
    for i in range(lowest.size):
        parent = cut_key(lowest[i], level)
        while parents[at] < parent:
            at += 1
        below[at] += 1
    return below


@compiled
def _pairs(
    hi: Keys, lo: Keys, asn: npt.NDArray[np.uint32], lowest: Keys, index: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.uint32], Keys, npt.NDArray[np.uint32]]:
    """The AS of each network of level 0, and, apart, the further ASs it was also seen in."""
    mask = np.uint64(index.size - 1)
    system = np.zeros(lowest.size, np.uint32)
    more_key = np.empty(16, np.uint64)
    more_asn = np.empty(16, np.uint32)
    more = 0
    for i in range(hi.size):
        if asn[i] == 0:
            continue
        key = prefix_key(hi[i], lo[i], 0)
        slot = slot_of(key, mask)
        while lowest[index[slot] - 1] != key:
            slot = (slot + np.uint64(1)) & mask
        row = index[slot] - 1
        if system[row] == 0:
            system[row] = asn[i]
        elif system[row] != asn[i]:
            if more == more_key.size:
                more_key = np.concatenate((more_key, np.empty(more, np.uint64)))
                more_asn = np.concatenate((more_asn, np.empty(more, np.uint32)))
            more_key[more] = key
            more_asn[more] = asn[i]
            more += 1
    return system, more_key[:more], more_asn[:more]


@compiled
def build_index(key: Keys) -> npt.NDArray[np.int32]:
    """Hash table over distinct keys: 1 + position of the key, 0 = free.

    Parameters
    ----------
    key : ndarray of uint64, shape (k,)
        Distinct keys, fewer than 2**30.

    Returns
    -------
    ndarray of int32, shape (a power of two, at least 2 * k)
    """
    size = 16
    while size < 2 * key.size:
        size *= 2
    index = np.zeros(size, np.int32)
    mask = np.uint64(size - 1)
    for row in range(key.size):
        slot = slot_of(key[row], mask)
        while index[slot] > 0:
            slot = (slot + np.uint64(1)) & mask
        index[slot] = row + 1
    return index


@compiled
def find_rows(
    hi: Keys,
    lo: Keys,
    asn: npt.NDArray[np.uint32],
    level: int,
    key: Keys,
    index: npt.NDArray[np.int32],
    offset: int,
    rows: npt.NDArray[np.int32],
) -> None:
    """Find the network of each session at one level.

    Parameters
    ----------
    hi, lo, asn : ndarray, shape (n,)
        Addresses and ASs of the sessions.
    level : int
        Level of the ladder, 0 to 3.
    key : ndarray of uint64, shape (k,)
        Networks of that level.
    index : ndarray of int32
        Hash table over `key`, of `build_index`.
    offset : int
        Added to the positions that are found.
    rows : ndarray of int32, shape (n, 4)
        Column `level` receives `offset` + position of the network + 1, or 0 where there is none.
    """
    mask = np.uint64(index.size - 1)
    previous = _ZERO
    previous_row = np.int32(-1)
    for i in range(hi.size):
        wanted = prefix_key(hi[i], lo[i], level) if level < 3 else np.uint64(asn[i])
        if previous_row >= 0 and wanted == previous:
            rows[i, level] = previous_row
            continue
        found = 0
        slot = slot_of(wanted, mask)
        while index[slot] > 0:
            if key[index[slot] - 1] == wanted:
                found = index[slot] + offset
                break
            slot = (slot + np.uint64(1)) & mask
        rows[i, level] = found
        previous = wanted
        previous_row = np.int32(found)


@compiled
def add_up(
    keys: Keys, counts: Counts, index: npt.NDArray[np.int32], first: npt.NDArray[np.int32]
) -> None:
    """Add up the entries of each network, and give every entry the sum.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n,)
        Networks of one level, of several partitions; a network may be told by each of them.
    counts : ndarray of int64, shape (n, 8)
        Columns of COUNTED; replaced by those of all entries of the same network.
    index : ndarray of int32, shape (a power of two, at least 2 * n)
        Zeros; holds a hash table afterwards: 1 + first entry of a network.
    first : ndarray of int32, shape (n,)
        Filled with the first entry of the same network.
    """
    mask = np.uint64(index.size - 1)
    for i in range(keys.size):
        slot = slot_of(keys[i], mask)
        while index[slot] > 0 and keys[index[slot] - 1] != keys[i]:
            slot = (slot + np.uint64(1)) & mask
        if index[slot] == 0:
            index[slot] = i + 1
            first[i] = i
            continue
        to = index[slot] - 1
        first[i] = to
        for column in range(_FIRST):
            counts[to, column] += counts[i, column]
        counts[to, _FIRST] = min(counts[to, _FIRST], counts[i, _FIRST])
        counts[to, _LAST] = max(counts[to, _LAST], counts[i, _LAST])
    for i in range(keys.size):
        if first[i] != i:
            for column in range(counts.shape[1]):
                counts[i, column] = counts[first[i], column]


class Entries(NamedTuple):
    """What sessions of whole accounts say of networks; those of other accounts can be added.

    Attributes
    ----------
    keys : list of ndarray of uint64
        Networks of each level of the ladder, ascending: `prefix_key`, or the AS.
    counts : list of ndarray of int64, shape (k, 8)
        Columns of COUNTED for each level.
    pair_key : ndarray of uint64, shape (p,)
        Networks of level 0 with an AS, each pair once.
    pair_asn : ndarray of uint32, shape (p,)
        Their ASs.
    """

    keys: list[Keys]
    counts: list[Counts]
    pair_key: Keys
    pair_asn: npt.NDArray[np.uint32]


def count_entries(
    account_rows: npt.NDArray[np.int64],
    account_devices: npt.NDArray[np.int64],
    device: npt.NDArray[np.int32],
    time: npt.NDArray[np.int64],
    fixed: npt.NDArray[np.bool_],
    phone: npt.NDArray[np.bool_],
    hi: Keys,
    lo: Keys,
    asn: npt.NDArray[np.uint32],
) -> Entries:
    """Count accounts, devices and sessions on each network of the ladder.

    Parameters
    ----------
    account_rows, account_devices, device, time, fixed, phone, hi, lo, asn
        As in `count_networks`.

    Returns
    -------
    Entries
    """
    lines, systems = prefix_keys(hi, lo, 0), asn.astype(np.uint64)
    order = np.arange(lines.size)
    keys, counts = [], []
    for level, by in enumerate((lines, None, None, systems)):
        if by is not None:
            sort_by_key(account_rows, by, order)
        table, found = count_level(
            level,
            order,
            lines,
            systems,
            account_rows,
            account_devices,
            device,
            time,
            fixed,
            phone,
        )
        used = np.flatnonzero(found[:, _ACCOUNTS])
        used = used[np.argsort(table[used])]
        keys.append(table[used])
        counts.append(found[used])
    system, more_key, more_asn = _pairs(hi, lo, asn, keys[0], build_index(keys[0]))
    by_pair = np.lexsort((more_asn, more_key))
    more_key, more_asn = more_key[by_pair], more_asn[by_pair]
    new = np.ones(more_key.size, np.bool_)
    new[1:] = (more_key[1:] != more_key[:-1]) | (more_asn[1:] != more_asn[:-1])
    known = np.flatnonzero(system)
    return Entries(
        keys,
        counts,
        np.concatenate([keys[0][known], more_key[new]]),
        np.concatenate([system[known], more_asn[new]]),
    )


def count_networks(
    account_rows: npt.NDArray[np.int64],
    account_devices: npt.NDArray[np.int64],
    device: npt.NDArray[np.int32],
    time: npt.NDArray[np.int64],
    fixed: npt.NDArray[np.bool_],
    phone: npt.NDArray[np.bool_],
    hi: Keys,
    lo: Keys,
    asn: npt.NDArray[np.uint32],
) -> Counted:
    """Count accounts, devices and sessions on each network of the ladder.

    Parameters
    ----------
    account_rows, account_devices : ndarray of int64, shape (a + 1,)
        Offsets of the accounts in the sessions and in the devices.
    device : ndarray of int32, shape (n,)
        Number of the device within its account.
    time : ndarray of int64, shape (n,)
        Start of the session in microseconds since the epoch.
    fixed, phone : ndarray of bool, shape (n,)
        Whether the session was on a fixed device, on a phone.
    hi, lo : ndarray of uint64, shape (n,)
        Halves of the address.
    asn : ndarray of uint32, shape (n,)
        AS; sessions of AS 0 count at no AS.

    Returns
    -------
    Counted
    """
    entries = count_entries(account_rows, account_devices, device, time, fixed, phone, hi, lo, asn)
    lowest = entries.keys[0]
    networks = [np.ones(lowest.size, np.int64)]
    networks += [count_below(lowest, entries.keys[level], level) for level in (1, 2)]
    place = np.searchsorted(entries.keys[3], entries.pair_asn)
    networks.append(np.bincount(place, minlength=entries.keys[3].size))
    starts = np.zeros(5, np.int64)
    np.cumsum([keys.size for keys in entries.keys], out=starts[1:])
    return Counted(
        starts,
        np.concatenate(entries.keys),
        np.concatenate(networks).astype(np.int64),
        np.concatenate(entries.counts),
    )
