"""Pools of real addresses, shared by the lines of an operator in a region.

A pool is a few announced prefixes of an operator's autonomous systems, a few /24 networks in
each, and as many addresses as its subscribers need; and one block of IPv6 space. Lines, hotels,
phones and VPN users draw from pools, so that they meet on the same addresses as they do outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from household_ml.networks.ranges import range_ends
from household_ml.networks.table import NetworkTable
from household_ml.simulation.hashing import U64, mix, uniform

__all__ = ["PoolRequest", "Pools", "Ranges", "announced", "build_pools"]

I64 = NDArray[np.int64]

#: First and last address of every range of an AS, as (high, low) 64-bit halves.
Ranges = Callable[[int], tuple[U64, U64, U64, U64]]

_V4_TAG = 0xFFFF_0000_0000
_BLOCK = 16  # /24 networks in a /20
_ADDRESSES_PER_24 = 200


@dataclass(frozen=True, slots=True)
class PoolRequest:
    """What a pool is needed for.

    Parameters
    ----------
    asns : tuple of int
        Autonomous systems to take prefixes from, in turn.
    addresses : float
        IPv4 addresses that the pool must hold.
    compact : bool, default=False
        All addresses in as few /24 networks as possible, as egress gateways have them; else
        spread over at least six, in at least three prefixes.
    """

    asns: tuple[int, ...]
    addresses: float
    compact: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Pools:
    """Pools as flat arrays.

    Attributes
    ----------
    first : ndarray of int64, shape (P + 1,)
        Where each pool's /24 networks begin in `base` and `asn`.
    hosts : ndarray of int64, shape (P,)
        Addresses used in each /24 network of the pool.
    per_prefix : ndarray of int64, shape (P,)
        /24 networks in each announced prefix of the pool.
    base : ndarray of uint32, shape (M,)
        First address of each /24 network.
    asn : ndarray of uint32, shape (M,)
        Autonomous system of each /24 network.
    v6_base : ndarray of uint64, shape (P,)
        Upper 64 bits where the pool's IPv6 block begins; 0 = it has none.
    v6_bits : ndarray of int64, shape (P,)
        log2 of the number of /56 networks in the block.
    v6_asn : ndarray of uint32, shape (P,)
        Autonomous system of the block.
    """

    first: I64
    hosts: I64
    per_prefix: I64
    base: NDArray[np.uint32]
    asn: NDArray[np.uint32]
    v6_base: U64
    v6_bits: I64
    v6_asn: NDArray[np.uint32]

    @property
    def size(self) -> I64:
        """IPv4 addresses of each pool, shape (P,)."""
        return np.diff(self.first) * self.hosts

    def v4(self, pool: I64, index: I64) -> tuple[U64, NDArray[np.uint32]]:
        """Lower half of the address and AS of the index-th address of a pool.

        Parameters
        ----------
        pool, index : ndarray of int64, shape (N,)
            ``0 <= index < size[pool]``.
        """
        hosts = self.hosts[pool]
        network = self.first[pool] + index // hosts
        base = self.base[network].astype(np.int64)
        # hosts in use are scattered over the /24, the same ones for everybody: 157 is odd
        host = (index % hosts * 157 + base // 256) % 256
        lo = (base + host).astype(np.uint64) | np.uint64(_V4_TAG)
        return lo, self.asn[network]


def announced(table: NetworkTable) -> Ranges:
    """Address ranges by AS, as a table of networks has them.

    Parameters
    ----------
    table : NetworkTable

    Returns
    -------
    callable
        AS number -> (first hi, first lo, last hi, last lo), each ndarray of uint64.
    """
    v4_end, v6_end = range_ends(table.v4), range_ends(table.v6)

    def ranges(asn: int) -> tuple[U64, U64, U64, U64]:
        v4, v6 = np.flatnonzero(table.v4.asn == asn), np.flatnonzero(table.v6.asn == asn)
        tag, none = np.uint64(_V4_TAG), np.zeros(len(v4), dtype=np.uint64)
        v6_first, v6_last = np.zeros(len(v6), np.uint64), np.full(len(v6), 2**64 - 1, np.uint64)
        return (
            np.concatenate([none, table.v6.start[v6].astype(np.uint64)]),
            np.concatenate([table.v4.start[v4].astype(np.uint64) | tag, v6_first]),
            np.concatenate([none, v6_end[v6].astype(np.uint64)]),
            np.concatenate([v4_end[v4].astype(np.uint64) | tag, v6_last]),
        )

    return ranges


class _Supply:
    """Hands out prefixes of an AS, in an order of its own, none twice while there are others."""

    def __init__(self, ranges: Ranges, seed: int) -> None:
        self._ranges, self._seed = ranges, seed
        self._v4: dict[int, I64] = {}
        self._v4_size: dict[int, int] = {}
        self._v6: dict[int, tuple[I64, I64]] = {}
        self._taken: dict[int, int] = {}
        self._taken_v6: dict[int, int] = {}

    def _split(self, asn: int) -> None:
        start_hi, start_lo, end_hi, end_lo = self._ranges(asn)
        is_v4 = (start_hi == 0) & (start_lo >> np.uint64(32) == np.uint64(0xFFFF))
        low = np.uint64(0xFFFF_FFFF)
        begin = -(-(start_lo[is_v4] & low).astype(np.int64) // 256)
        end = ((end_lo[is_v4] & low).astype(np.int64) + 1) // 256
        blocks = np.empty(0, dtype=np.int64)
        for size in (_BLOCK, 4, 1):
            first = -(-begin // size)
            count = np.maximum(end // size - first, 0)
            if count.sum() >= 12 or size == 1:
                within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
                blocks = (np.repeat(first, count) + within) * size
                break
        order = np.argsort(uniform(blocks, asn, self._seed), kind="stable")
        self._v4[asn], self._v4_size[asn] = blocks[order], size
        hi, stop = start_hi[~is_v4].view(np.int64), end_hi[~is_v4].view(np.int64) + 1
        wide = stop - hi >= min(1 << 24, int((stop - hi).max(initial=0)))
        order = np.argsort(uniform(hi[wide], asn, self._seed), kind="stable")
        self._v6[asn] = (hi[wide][order], stop[wide][order])

    def v4(self, asn: int, networks: int) -> list[int]:
        """First addresses of so many /24 networks, neighbours where there is room for them."""
        if asn not in self._v4:
            self._split(asn)
        blocks, size, taken = self._v4[asn], self._v4_size.get(asn, 1), self._taken.get(asn, 0)
        if not len(blocks):
            return []
        turns = np.arange(taken, taken - (-networks // size))
        self._taken[asn] = taken + len(turns)
        begins = blocks[turns % len(blocks)]
        inside = begins[:, None] + np.arange(size)[None, :]
        return [int(number) * 256 for number in inside.ravel()[:networks]]

    def v6(self, asn: int, bits: int) -> tuple[int, int]:
        """Upper half where the next block of 2**bits /56 networks begins; 0 when there is none."""
        if asn not in self._v6:
            self._split(asn)
        begins, stops = self._v6[asn]
        if not len(begins):
            return 0, 0
        turn = self._taken_v6.get(asn, 0)
        self._taken_v6[asn] = turn + 1
        begin, stop = int(begins[turn % len(begins)]), int(stops[turn % len(begins)])
        for narrower in range(bits, 3, -1):
            step = 1 << (narrower + 8)
            first, room = -(-begin // step), stop // step + begin // -step
            if room > 0:
                at = int(mix(turn, asn, self._seed, 6)[0] % np.uint64(room))
                return (first + at) * step, narrower
        return 0, 0


def build_pools(requests: Sequence[PoolRequest], ranges: Ranges, seed: int) -> Pools:
    """Choose real prefixes for pools.

    Parameters
    ----------
    requests : sequence of PoolRequest
        One per pool; an AS without address space in the table is passed over.
    ranges : callable
        Ranges that an AS announces, see `announced`.
    seed : int
        Which prefixes of the operators are taken.

    Returns
    -------
    Pools
        In the order of the requests. A pool none of whose systems has space is given private
        space with AS 0, as a visibly wrong stand-in.
    """
    supply = _Supply(ranges, seed)
    base: list[int] = []
    asn24: list[int] = []
    first, hosts, per_prefix = [0], [], []
    v6_base, v6_bits, v6_asn = [], [], []
    for request in requests:
        wanted = max(int(np.ceil(request.addresses)), 1)
        networks = -(-wanted // _ADDRESSES_PER_24)
        if not request.compact:
            networks = max(networks, 6)
        prefixes = max(-(-networks // _BLOCK), 1 if request.compact else 3)
        each = -(-networks // prefixes)
        for turn in range(prefixes):
            for skip in range(len(request.asns)):
                asn = request.asns[(turn + skip) % len(request.asns)]
                found = supply.v4(asn, each)
                if found:
                    break
            else:
                asn, found = 0, [((10 << 16) + len(base) + at) * 256 for at in range(each)]
            base += found
            asn24 += [asn] * each
        first.append(len(base))
        per_prefix.append(each)
        hosts.append(min(max(-(-wanted // (each * prefixes)), 1), 254))
        need = int(np.ceil(np.log2(max(request.addresses, 16.0)))) + 4
        for asn in request.asns:
            begin, bits = supply.v6(asn, min(need, 20))
            if begin:
                break
        v6_base.append(begin)
        v6_bits.append(bits)
        v6_asn.append(asn if begin else 0)
    return Pools(
        first=np.array(first, dtype=np.int64),
        hosts=np.array(hosts, dtype=np.int64),
        per_prefix=np.array(per_prefix, dtype=np.int64),
        base=np.array(base, dtype=np.uint32),
        asn=np.array(asn24, dtype=np.uint32),
        v6_base=np.array(v6_base, dtype=np.uint64),
        v6_bits=np.array(v6_bits, dtype=np.int64),
        v6_asn=np.array(v6_asn, dtype=np.uint32),
    )
