"""The address that the service sees of every play."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.simulation.third_hand.access import (
    CELL,
    EMPLOYER,
    LINE,
    RELAY,
    VENUE,
    VPN,
    Access,
)
from household_ml.simulation.third_hand.chance import below, scatter, share_of
from household_ml.simulation.third_hand.homes import Builder
from household_ml.simulation.third_hand.leases import hold
from household_ml.simulation.third_hand.ledger import column
from household_ml.simulation.third_hand.plays import Plays
from household_ml.simulation.third_hand.pools import Pools
from household_ml.simulation.third_hand.viewing import Sittings

__all__ = ["Seen", "address"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]

_FAMILY: Final = np.uint64(0xFFFF << 32)
#: Screens and other devices that speak IPv6; how often happy eyeballs choose it then.
_CAPABLE: Final = (0.62, 0.95)
#: Flows behind a NAT of many addresses that leave by another one.
_STRAY: Final = 0.06


@dataclass(slots=True)
class Seen:
    """What the service sees of each play: halves of the address, country, and its AS."""

    hi: Words
    lo: Words
    country: Ints
    asn: npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class _Flow:
    """A play with what decides its address; columns of one length."""

    person: Ints
    device: Ints
    when: Floats
    way: Ints
    which: Ints
    town: Ints
    v6: Bools

    def take(self, rows: Any) -> _Flow:
        return _Flow(*(getattr(self, name)[rows] for name in self.__slots__))


def address(
    builder: Builder,
    pools: Pools,
    sittings: Sittings,
    access: Access,
    plays: Plays,
    days: int,
    seed: int,
) -> Seen:
    """Give every play its address.

    Parameters
    ----------
    builder : Builder
        The world.
    pools : Pools
        Gateways.
    sittings, access, plays : Sittings, Access, Plays
        N sittings, their access, and the M plays.
    days : int
        How long the world lasts.
    seed : int
        Of the networks.
    """
    of = plays.sitting
    device = sittings.device[of]
    fixed = column(builder.ledger.devices, "place", np.int64)[device] >= 0
    capable = share_of(seed, 31, device) < np.where(fixed, *_CAPABLE)
    eager = 0.55 + 0.45 * share_of(seed, 32, device)
    flow = _Flow(
        sittings.person[of],
        device,
        plays.start,
        access.way[of],
        access.which[of],
        sittings.town[of],
        capable & (builder.rng.random(of.size) < eager),
    )
    seen = Seen(
        np.zeros(of.size, np.uint64),
        np.zeros(of.size, np.uint64),
        np.zeros(of.size, np.int64),
        np.zeros(of.size, np.uint32),
    )
    _Lines(builder, pools, days, seed).fill(seen, flow, fixed)
    _fill_mobile(builder, pools, seen, flow, seed)
    _fill_shared(builder, pools, seen, flow, seed)
    seen.asn = pools.space.asn_of(seen.hi, seen.lo)
    return seen


class _Lines:
    """Addresses on lines."""

    def __init__(self, builder: Builder, pools: Pools, days: int, seed: int) -> None:
        self._builder, self._pools, self._seed = builder, pools, seed
        self._gateway = pools.of_lines()
        self._holdings = hold(builder, self._gateway, days, seed)
        self._address = self._addresses()

    def _addresses(self) -> Ints:
        """IPv4 address of every holding."""
        held, seed = self._holdings, self._seed
        lines, pools = self._builder.ledger.lines, self._pools.pools
        radio = np.array([not pool.blocks.size for pool in pools])
        shared, start, size = _flat([pool.shared for pool in pools])
        blocks, first, many = _flat([pool.blocks for pool in pools])
        gateway = self._gateway[held.line]
        index = np.arange(held.line.size)
        behind = column(lines, "nat", np.bool_)[held.line] | radio[gateway]
        turn = index - np.searchsorted(held.line, held.line)
        # the first binding is the one the subscriber comes back to
        usual = share_of(seed, 40, held.line, turn) < 0.45
        bound = below(size[gateway], seed, 41, held.line, np.where(usual, 0, turn))
        block = below(np.maximum(many[gateway], 1), seed, 42, held.line, held.last_far)
        host = 2 + below(250, seed, 43, held.line, index)
        if not blocks.size:
            blocks = np.zeros(1, np.int64)
        own = (blocks[np.minimum(first[gateway] + block, blocks.size - 1)] << 8) + host
        return np.asarray(np.where(behind, shared[start[gateway] + bound], own))

    def fill(self, seen: Seen, flow: _Flow, fixed: Bools) -> None:
        """Write the addresses of the plays that use a line."""
        rows = np.flatnonzero(flow.way == LINE)
        part, seed = flow.take(rows), self._seed
        lines, pools = self._builder.ledger.lines, self._pools.pools
        line = part.which
        twin = column(lines, "twin", np.int64)
        nat = column(lines, "nat", np.bool_)
        # neighbours behind one NAT are re-bound together
        bound_as = np.where(nat[line] & (twin[line] >= 0), twin[line], line)
        holding = self._holdings.at(bound_as, part.when)
        gateway = self._gateway[line]
        number = self._address[holding]
        shared, start, size = _flat([pool.shared for pool in pools])
        binding = np.array([self._builder.country.isps[one.isp][1].binding for one in lines])
        stray = nat[line] & (binding[line] > 0.0) & (self._builder.rng.random(rows.size) < _STRAY)
        other = shared[start[gateway] + below(size[gateway], seed, 44, np.arange(rows.size))]
        number = np.where(stray, other, number)
        seen.country[rows] = np.array([pool.country for pool in pools])[gateway]
        seen.lo[rows] = _FAMILY | number.astype(np.uint64)

        capacity = np.array([pool.stretch.size for pool in pools])[gateway]
        six = column(lines, "v6", np.bool_)[line] & part.v6 & (capacity > 0)
        length = np.array([self._builder.country.isps[one.isp][1].delegated for one in lines])[line]
        step = 64 - length
        slots = np.maximum(capacity >> step, 1)
        slot = below(slots, seed, 45, line, self._prefix_turn(line, part.when))
        base = np.array([pool.stretch.base for pool in pools], np.uint64)[gateway]
        lan = np.where(step > 0, below(3, seed, 46, line), 0) * (capacity >> step > 0)
        hi = base + (slot.astype(np.uint64) << step.astype(np.uint64)) + lan.astype(np.uint64)
        seen.hi[rows[six]] = hi[six]
        seen.lo[rows[six]] = _interface(seed, part, fixed[rows])[six]

    def _prefix_turn(self, line: Ints, when: Floats) -> Ints:
        """Which delegated prefix of a line holds: for good, as long as the IPv4, or for a day."""
        seed = self._seed
        lines = self._builder.ledger.lines
        way = column(lines, "way", "U10")[line]
        nat = column(lines, "nat", np.bool_)[line]
        habit = share_of(seed, 47, line)
        daily = np.floor(when - share_of(seed, 48, line)).astype(np.int64) + 10**7
        follows = np.where(
            nat, (when / 40.0 + habit).astype(np.int64), self._holdings.at(line, when)
        )
        roams = np.where(way == "reconnect", habit < 0.6, habit < 0.2)
        return np.asarray(np.where(habit > 0.93, daily, np.where(roams, follows, -1)))


def _fill_mobile(builder: Builder, pools: Pools, seen: Seen, flow: _Flow, seed: int) -> None:
    """Phones, sticks and whole homes on a mobile network: bound anew some times a day."""
    rows = np.flatnonzero(flow.way == CELL)
    part = flow.take(rows)
    country = builder.country
    region = country.region[part.town]
    stray = builder.rng.random(rows.size) < 0.04
    region = np.where(stray, np.maximum(region - 1, 0), region)
    own = np.array([market for market, _ in country.mobiles])[part.which]
    abroad = country.market[part.town] != own
    home = np.array(
        [int(country.region[country.market == one].min()) for one in range(len(country.codes))]
    )
    region = np.where(abroad, home[own], region)
    pool = _numbers(pools.mobile, part.which, region)
    shared, start, size = _flat([one.shared for one in pools.pools])
    attach = np.floor(part.when * 5.0 + share_of(seed, 51, part.person)).astype(np.int64)
    chosen = below(size[pool], seed, 52, part.person, part.device, attach)
    seen.lo[rows] = _FAMILY | shared[start[pool] + chosen].astype(np.uint64)
    seen.country[rows] = np.array([one.country for one in pools.pools])[pool]
    ready = np.array([mobile.v6 for _, mobile in country.mobiles])[part.which]
    capacity = np.array([one.stretch.size for one in pools.pools])[pool]
    six = part.v6 & (share_of(seed, 53, part.person, part.which) < ready) & (capacity > 0)
    base = np.array([one.stretch.base for one in pools.pools], np.uint64)[pool]
    slot = below(np.maximum(capacity, 1), seed, 54, part.person, attach // 3)
    seen.hi[rows[six]] = (base + slot.astype(np.uint64))[six]
    seen.lo[rows[six]] = scatter(seed, 55, part.device, attach // 3)[six]


def _fill_shared(builder: Builder, pools: Pools, seen: Seen, flow: _Flow, seed: int) -> None:
    """Public networks and tunnels."""
    country = builder.country
    market = country.market
    homes = column(builder.country.places, "town", np.int64)[
        column(builder.ledger.people, "home", np.int64)
    ]
    lives_in = market[homes]
    makers: dict[int, Callable[[int, int], int]] = {
        VENUE: pools.venue,
        VPN: pools.tunnel,
        EMPLOYER: pools.employer,
        RELAY: pools.relay,
    }
    for way, maker in makers.items():
        rows = np.flatnonzero(flow.way == way)
        if not rows.size:
            continue
        part = flow.take(rows)
        which = country.region[part.town] if way == RELAY else part.which
        pool = _numbers(maker, which, lives_in[part.person])
        shared, start, size = _flat([one.shared for one in pools.pools])
        # a server is kept for a day or two, a relay for two hours, a lobby's NAT for a day
        turn = np.floor(part.when * {RELAY: 12.0, VPN: 0.6}.get(way, 1.0)).astype(np.int64)
        chosen = below(size[pool], seed, 61, part.device, turn)
        seen.lo[rows] = _FAMILY | shared[start[pool] + chosen].astype(np.uint64)
        seen.country[rows] = np.array([one.country for one in pools.pools])[pool]
        capacity = np.array([one.stretch.size for one in pools.pools])[pool]
        six = part.v6 & (capacity > 0)
        base = np.array([one.stretch.base for one in pools.pools], np.uint64)[pool]
        floor = below(np.minimum(np.maximum(capacity, 1), 8), seed, 62, part.device, turn)
        seen.hi[rows[six]] = (base + floor.astype(np.uint64))[six]
        seen.lo[rows[six]] = scatter(seed, 63, part.device, turn)[six]


def _interface(seed: int, flow: _Flow, fixed: Bools) -> Words:
    """Lower half of an IPv6 address: from the hardware on old screens, else another one a day."""
    hardware = fixed & (share_of(seed, 71, flow.device) < 0.5)
    day = np.where(hardware, -1, np.floor(flow.when).astype(np.int64))
    lower = scatter(seed, 72, flow.device, day)
    # EUI-64 has ff:fe in its middle
    eui = (lower & ~np.uint64(0xFFFF << 24)) | np.uint64(0xFFFE << 24)
    return np.asarray(np.where(hardware, eui, lower))


def _numbers(maker: Callable[[int, int], int], first: Ints, second: Ints) -> Ints:
    """Call a maker once for each pair of numbers."""
    pairs, inverse = np.unique(first * 4096 + second, return_inverse=True)
    made = np.array([maker(int(pair) // 4096, int(pair) % 4096) for pair in pairs], np.int64)
    return made[inverse] if made.size else np.empty(0, np.int64)


def _flat(parts: list[Ints]) -> tuple[Ints, Ints, Ints]:
    """Arrays one after the other, where each begins and how long it is."""
    size = np.array([part.size for part in parts], np.int64)
    start = np.cumsum(size) - size
    return (np.concatenate(parts) if parts else np.empty(0, np.int64)), start, size
