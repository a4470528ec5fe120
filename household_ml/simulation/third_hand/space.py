"""Pieces of the real address space: what an operator announces, cut as operators cut it.

A gateway (a BNG, a carrier NAT, a mobile core) serves a town or a region and owns some runs of
/24s in a few of the announced ranges, and a stretch of IPv6 to delegate from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.networks.operators import catalogue
from household_ml.networks.ranges import Ranges, range_ends
from household_ml.networks.table import NetworkTable

__all__ = ["AddressSpace", "Stretch"]

_RUN = 16  # /24s beside each other that one gateway has of a range


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of IPv6: the upper 64 bits of its first address, and how many /64 it holds."""

    base: int
    size: int


@dataclass(frozen=True, slots=True)
class _Announced:
    start: npt.NDArray[np.uint64]
    size: npt.NDArray[np.uint64]

    def weights(self) -> npt.NDArray[np.float64]:
        # large ranges carry the customers, yet the largest one does not carry them all
        weight = np.sqrt(self.size.astype(np.float64))
        return np.asarray(weight / weight.sum())


class AddressSpace:
    """Cuts runs of addresses out of what real operators announce.

    Parameters
    ----------
    rng : numpy.random.Generator
        Chooses.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._table = NetworkTable.default()
        self._taken: set[int] = set()

    def brand(self, name: str) -> tuple[int, ...]:
        """ASs of an operator of the catalogue."""
        return _brands()[name]

    def blocks(self, asns: tuple[int, ...], count: int, pieces: int = 4) -> npt.NDArray[np.int64]:
        """/24s (as the upper 24 bits), in runs out of up to `pieces` announced ranges."""
        found = _announced(4, asns)
        weight = found.weights()
        blocks: list[int] = []
        chosen = self._rng.choice(weight.size, size=pieces, p=weight)
        for tries in range(40 * count):
            if len(blocks) >= count:
                break
            one = int(chosen[tries % pieces])
            first = int(found.start[one]) >> 8
            size = max(1, int(found.size[one]) >> 8)
            run = min(_RUN, size)
            at = first + int(self._rng.integers(0, size // run)) * run
            fresh = [block for block in range(at, at + run) if block not in self._taken]
            self._taken.update(fresh)
            blocks.extend(fresh)
            if not fresh and tries > 4:
                chosen[tries % pieces] = self._rng.choice(weight.size, p=weight)
        if not blocks:
            blocks = [int(found.start[0]) >> 8]
        return np.resize(np.array(blocks, np.int64), count)

    def hosts(self, asns: tuple[int, ...], count: int, blocks: int = 1) -> npt.NDArray[np.int64]:
        """Single addresses, spread over some /24s."""
        block = self.blocks(asns, blocks, pieces=2)
        host = self._rng.permutation(250 * blocks)[:count]
        return np.resize((block[host % blocks] << 8) + 2 + host // blocks, count)

    def stretch(self, asns: tuple[int, ...], bits: int = 24) -> Stretch:
        """A piece of IPv6 space of 2**bits /64s at most; of size 0 where nothing is announced."""
        found = _announced(6, asns)
        if not found.start.size:
            return Stretch(0, 0)
        one = int(self._rng.choice(found.start.size, p=found.weights()))
        size = int(found.size[one])
        piece = 1 << min(bits, size.bit_length() - 1)
        slot = int(self._rng.integers(0, max(1, size // piece)))
        return Stretch(int(found.start[one]) + slot * piece, piece)

    def asn_of(
        self, hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.uint32]:
        """Origin AS of addresses, as the table of networks has it."""
        old = hi == 0
        number = np.where(old, lo & np.uint64(0xFFFFFFFF), hi)
        found = np.empty(hi.size, np.uint32)
        for ranges, rows in ((self._table.v4, old), (self._table.v6, ~old)):
            wanted = number[rows].astype(ranges.start.dtype)
            found[rows] = ranges.asn[np.searchsorted(ranges.start, wanted, side="right") - 1]
        return found


@lru_cache(maxsize=1)
def _brands() -> dict[str, tuple[int, ...]]:
    return {operator.name: operator.asns for operator in catalogue()}


@lru_cache(maxsize=256)
def _announced(version: int, asns: tuple[int, ...]) -> _Announced:
    ranges = NetworkTable.default().v4 if version == 4 else NetworkTable.default().v6
    order, ordered = _by_asn(version)
    spans = [np.searchsorted(ordered, (asn, asn + 1)) for asn in asns]
    own = np.concatenate([order[low:high] for low, high in spans])
    own.sort()
    start = ranges.start[own].astype(np.uint64)
    size = range_ends(ranges)[own].astype(np.uint64) - start + np.uint64(1)
    if version == 4:
        # whole /24s alone
        cut = (start + np.uint64(255)) & ~np.uint64(255)
        whole = (start + size).astype(np.int64) - cut.astype(np.int64) >= 256
        size = np.where(whole, start + size - cut, np.uint64(0))[whole]
        start = cut[whole]
    return _Announced(start, size)


@lru_cache(maxsize=2)
def _by_asn(version: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    ranges: Ranges = NetworkTable.default().v4 if version == 4 else NetworkTable.default().v6
    order = np.argsort(ranges.asn, kind="stable")
    return order, ranges.asn[order]
