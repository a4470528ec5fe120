"""Statistics of networks whose sessions do not fit into memory.

Accounts lie in partitions, and a network is used by accounts of many. So each partition says what
its accounts did on each network; what all of them said of one network is added up, range of
networks by range; and each partition gets the sums back for the networks it asked about. Within a
partition, sessions then find the same statistics as if all had been counted at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.networks.counting import (
    COUNTED,
    Entries,
    add_entry,
    add_up,
    count_entries,
    grow,
    slot_of,
)
from household_ml.networks.ladder import AS_LEVEL, cut_key
from household_ml.networks.statistics import NetworkStatistics, counted_columns
from household_ml.sessions.arrays import ArraysFile, save_arrays
from household_ml.sessions.table import Sessions

__all__ = ["RANGE_ENTRIES", "add_range", "choose_ranges", "local_statistics", "save_entries",
           "save_systems"]  # fmt: skip

#: Entries that are added up at a time, in memory: about 120 bytes each.
RANGE_ENTRIES: Final = 1 << 20

_SAMPLE: Final = 4_096
_LEVELS: Final = range(AS_LEVEL)

Keys = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]


def save_entries(path: Path, sessions: Sessions, asn: npt.NDArray[np.uint32]) -> None:
    """Count the networks of a partition into a file.

    Parameters
    ----------
    path : Path
        File to write.
    sessions : Sessions
        Whole accounts, cut at ``as_of``.
    asn : ndarray of uint32, shape (N,)
        AS of each session, 0 = unknown.
    """
    entries: Entries = count_entries(*counted_columns(sessions, asn))
    arrays: dict[str, npt.NDArray[Any]] = {}
    for level, (keys, counts) in enumerate(zip(entries.keys, entries.counts, strict=True)):
        arrays[f"keys{level}"], arrays[f"counts{level}"] = keys, counts
    order = np.argsort(entries.pair_key, kind="stable")
    arrays["pair_key"] = entries.pair_key[order]
    arrays["pair_asn"] = entries.pair_asn[order]
    save_arrays(path, arrays, {"sessions": len(sessions), "accounts": sessions.n_accounts})


def choose_ranges(files: Sequence[ArraysFile], entries: int = RANGE_ENTRIES) -> Keys:
    """Cut the networks into ranges of about so many entries.

    Parameters
    ----------
    files : sequence of ArraysFile
        Of `save_entries`, one for each partition.
    entries : int
        Entries of a range, all partitions and levels together.

    Returns
    -------
    ndarray of uint64, shape (r - 1,)
        First networks of all ranges but the first, each a whole network of level 2.
    """
    total = sum(file.length(f"keys{level}") for file in files for level in _LEVELS)
    ranges = -(-total // entries)
    if ranges < 2:
        return np.zeros(0, np.uint64)
    sample = []
    for file in files:
        keys = file.map("keys0")
        take = max(1, min(keys.size, _SAMPLE * keys.size // max(1, total // len(files))))
        sample.append(np.asarray(keys[np.linspace(0, keys.size - 1, take).astype(np.int64)]))
    ordered = np.sort(np.concatenate(sample))
    cuts = ordered[np.arange(1, ranges) * ordered.size // ranges]
    return np.unique(_cut(cuts))


@compiled
def _cut(keys: Keys) -> Keys:
    out = np.empty_like(keys)
    for i in range(keys.size):
        out[i] = cut_key(keys[i], 2)
    return out


@compiled
def _count_parents(
    lowest: Keys,
    first: npt.NDArray[np.int32],
    level: int,
    keys: Keys,
    index: npt.NDArray[np.int32],
    networks: Integers,
) -> None:
    """Count each network of level 0 once in the network of another level that it lies in."""
    mask = np.uint64(index.size - 1)
    for i in range(lowest.size):
        if first[i] != i:
            continue
        parent = cut_key(lowest[i], level)
        slot = slot_of(parent, mask)
        while keys[index[slot] - 1] != parent:
            slot = (slot + np.uint64(1)) & mask
        networks[index[slot] - 1] += 1


def _bounds(keys: Keys, low: np.uint64 | None, high: np.uint64 | None) -> slice:
    start = 0 if low is None else int(np.searchsorted(keys, low))
    return slice(start, keys.size if high is None else int(np.searchsorted(keys, high)))


def add_range(path: Path, files: Sequence[ArraysFile], cuts: Keys, number: int) -> None:
    """Add up what all partitions say of the networks of one range, into a file.

    Parameters
    ----------
    path : Path
        File to write.
    files : sequence of ArraysFile
        Of `save_entries`, one for each partition.
    cuts : ndarray of uint64
        Of `choose_ranges`.
    number : int
        Which range, from 0 to ``len(cuts)``.
    """
    low = cuts[number - 1] if number else None
    high = cuts[number] if number < len(cuts) else None
    arrays: dict[str, npt.NDArray[Any]] = {}
    lowest: Keys = np.zeros(0, np.uint64)
    lowest_first = np.zeros(0, np.int32)
    for level in _LEVELS:
        parts = [_bounds(file.map(f"keys{level}"), low, high) for file in files]
        keys = np.concatenate(
            [file.read(f"keys{level}", part) for file, part in zip(files, parts, strict=True)]
        )
        counts = np.concatenate(
            [file.read(f"counts{level}", part) for file, part in zip(files, parts, strict=True)]
        )
        size = 16
        while size < 2 * keys.size:
            size *= 2
        index, first = np.zeros(size, np.int32), np.empty(keys.size, np.int32)
        add_up(keys, counts, index, first)
        networks = np.ones(keys.size, np.int64)
        if level == 0:
            lowest, lowest_first = keys, first
        else:
            networks[:] = 0
            _count_parents(lowest, lowest_first, level, keys, index, networks)
            networks = networks[first]
        starts = np.zeros(len(files) + 1, np.int64)
        np.cumsum([part.stop - part.start for part in parts], out=starts[1:])
        arrays |= {f"starts{level}": starts, f"counts{level}": counts, f"networks{level}": networks}
    arrays["asn"], arrays["lines"] = _lines_of_systems(files, low, high)
    save_arrays(path, arrays)


def _lines_of_systems(
    files: Sequence[ArraysFile], low: np.uint64 | None, high: np.uint64 | None
) -> tuple[npt.NDArray[np.uint32], Integers]:
    """ASs, and how many networks of level 0 of a range were seen in each."""
    parts = [_bounds(file.map("pair_key"), low, high) for file in files]
    key, asn = (
        np.concatenate([file.read(name, part) for file, part in zip(files, parts, strict=True)])
        for name in ("pair_key", "pair_asn")
    )
    order = np.lexsort((asn, key))
    key, asn = key[order], asn[order]
    new = np.ones(key.size, np.bool_)
    new[1:] = (key[1:] != key[:-1]) | (asn[1:] != asn[:-1])
    return np.unique(asn[new], return_counts=True)


@compiled
def _add_all(
    keys: Keys, counts: Integers, table: Keys, sums: Integers, used: int
) -> tuple[Keys, Integers, int]:
    for i in range(keys.size):
        if 2 * used >= table.size:
            table, sums = grow(table, sums)
        used += add_entry(table, sums, keys[i], counts[i])
    return table, sums, used


def save_systems(path: Path, files: Sequence[ArraysFile], ranges: Sequence[ArraysFile]) -> None:
    """Add up what all partitions say of each AS, into a file.

    Parameters
    ----------
    path : Path
        File to write.
    files : sequence of ArraysFile
        Of `save_entries`, one for each partition.
    ranges : sequence of ArraysFile
        Of `add_range`, one for each range.
    """
    table = np.zeros(1 << 10, np.uint64)
    sums = np.zeros((1 << 10, len(COUNTED)), np.int64)
    used = 0
    for file in files:
        keys, counts = (file.read(f"{name}{AS_LEVEL}") for name in ("keys", "counts"))
        table, sums, used = _add_all(keys, counts, table, sums, used)
    found = np.flatnonzero(sums[:, 0])
    found = found[np.argsort(table[found])]
    keys, sums = table[found], sums[found]
    networks = np.zeros(keys.size, np.int64)
    for each in ranges:
        place = np.searchsorted(keys, each.read("asn").astype(np.uint64))
        networks[place] += each.read("lines")
    totals = {name: sum(file.about[name] for file in files) for name in ("sessions", "accounts")}
    save_arrays(path, {"keys": keys, "counts": sums, "networks": networks}, totals)


def local_statistics(
    number: int, file: ArraysFile, ranges: Sequence[ArraysFile], systems: ArraysFile
) -> NetworkStatistics:
    """Statistics of the networks that one partition uses, counted over all partitions.

    Parameters
    ----------
    number : int
        Which partition, in the order of the files that were added up.
    file : ArraysFile
        Its file of `save_entries`.
    ranges : sequence of ArraysFile
        Of `add_range`, one for each range.
    systems : ArraysFile
        Of `save_systems`.

    Returns
    -------
    NetworkStatistics
    """
    keys, counts, networks = [], [], []
    for level in _LEVELS:
        keys.append(file.read(f"keys{level}"))
        for each in ranges:
            start, stop = each.read(f"starts{level}", slice(number, number + 2)).tolist()
            counts.append(each.read(f"counts{level}", slice(start, stop)))
            networks.append(each.read(f"networks{level}", slice(start, stop)))
    asn = file.read(f"keys{AS_LEVEL}")
    place = np.searchsorted(systems.map("keys"), asn)
    keys.append(asn)
    counts.append(systems.read("counts")[place])
    networks.append(systems.read("networks")[place])
    starts = np.zeros(len(keys) + 1, np.int64)
    np.cumsum([each.size for each in keys], out=starts[1:])
    return NetworkStatistics(
        starts=starts,
        key=np.concatenate(keys),
        networks=np.concatenate(networks),
        counts=np.concatenate(counts),
        sessions=systems.about["sessions"],
        accounts=systems.about["accounts"],
    )
