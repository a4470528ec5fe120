"""Access lines: what a place or a phone is connected with, and the address seen by the service."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from household_ml.simulation.countries import COUNTRIES, HOSTING, RELAYS, Country
from household_ml.simulation.hashing import U64, mix
from household_ml.simulation.leases import (
    DAILY,
    DAY,
    STATIC,
    WEEKLY,
    Leases,
    lease_lines,
)
from household_ml.simulation.pools import PoolRequest, Pools, Ranges, build_pools
from household_ml.simulation.world import World

__all__ = [
    "ABROAD",
    "ACCESS_KINDS",
    "FOREVER",
    "Carriers",
    "Geography",
    "Lines",
    "Network",
    "NewLines",
    "connect",
    "survey",
]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Kinds of access in the truth table, in the order of their codes.
ACCESS_KINDS = (
    "fixed",
    "carrier_nat",
    "carrier_nat_per_play",
    "fixed_wireless",
    "business",
    "campus",
    "cellular",
    "vpn",
)
FIXED, NAT, NAT_PER_PLAY, WIRELESS, BUSINESS, CAMPUS, CELLULAR, VPN = range(8)

#: A minute after the end of every simulation.
FOREVER = 1 << 40

#: Countries that people travel to, or that credentials are used from, beside the market.
ABROAD = ("ES", "FR", "IT", "GB", "DE", "US", "PL", "BR")

_STABLE, _AS_V4, _EVERY_DAY = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Geography:
    """Regions of the market, then one region per country abroad.

    Attributes
    ----------
    countries : tuple of Country
        Those of the regions, the market first.
    country, zone : ndarray of int64, shape (R,)
        Country of each region, and its zone among `zones`.
    weight : ndarray of float64, shape (R,)
        Share of the market's people in each region; 0 abroad.
    zones : tuple of str
        IANA names.
    """

    countries: tuple[Country, ...]
    country: I64
    zone: I64
    weight: F64
    zones: tuple[str, ...]

    @property
    def home_regions(self) -> int:
        """Number of regions of the market."""
        return int((self.weight > 0).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Carriers:
    """Operators of fixed lines, by (operator, region), and the pools of everybody.

    ``isp_*`` have shape (I,); `share` is (R, I), rows add up to one; `public_pool` and
    `nat_pool` are (R, I), -1 where the operator is of another country.
    """

    share: F64
    isp_nat: F64
    isp_v6: F64
    isp_wireless: Bools
    isp_nat_mode: I64
    isp_holding: F64
    isp_v6_holding: F64
    public_pool: I64
    nat_pool: I64
    business_pool: I64
    campus_pool: I64
    mobile_pool: I64
    mobile_share: F64
    vpn_pool: I64
    vpn_country: I64
    pools: Pools


@dataclass(frozen=True, slots=True, eq=False)
class NewLines:
    """Lines as arrays of one length; the last columns only matter to some kinds.

    ``hold`` is how many minutes an egress keeps an address (0 = one play); ``key`` is the line
    whose leases this one follows (its own number, or a neighbour's behind the same carrier NAT).
    """

    kind: I64
    pool: I64
    policy: I64
    begins: I64
    ends: I64
    v6: Bools
    v6_hold: I64
    v6_56: Bools
    country: I64
    isp: I64
    hold: I64
    key: I64


class Lines:
    """The register of lines; each draw adds some and gives their numbers."""

    def __init__(self, world: World, geography: Geography, carriers: Carriers) -> None:
        self._world, self._geography, self._carriers = world, geography, carriers
        self._blocks: list[NewLines] = []
        self.count = 0

    def _add(self, block: dict[str, object], size: int) -> I64:
        numbers = np.arange(self.count, self.count + size)
        block.setdefault("key", numbers)
        filled: dict[str, NDArray[np.generic]] = {}
        for item in fields(NewLines):
            kind = np.bool_ if item.name in ("v6", "v6_56") else np.int64
            filled[item.name] = np.broadcast_to(
                np.asarray(block[item.name], dtype=kind), (size,)
            ).copy()
        self._blocks.append(NewLines(**filled))  # type: ignore[arg-type]
        self.count += size
        return numbers

    def homes(
        self,
        rng: np.random.Generator,
        region: I64,
        *,
        begins: I64 | int = 0,
        ends: I64 | int = FOREVER,
        isp: I64 | None = None,
        behind_nat: Bools | None = None,
        key: I64 | None = None,
    ) -> I64:
        """Add lines of dwellings.

        Parameters
        ----------
        rng : Generator
        region : ndarray of int64, shape (N,)
        begins, ends : ndarray of int64 or int
            Minutes between which the line is connected.
        isp : ndarray of int64, optional
            Operators that are settled already, -1 where they are not.
        behind_nat : ndarray of bool, optional
            Lines that are behind carrier NAT whatever the operator's share.
        key : ndarray of int64, optional
            Line whose leases to follow, -1 = its own.
        """
        carriers, size = self._carriers, len(region)
        drawn = (carriers.share[region].cumsum(1) < rng.random((size, 1))).sum(1)
        drawn = np.minimum(drawn, carriers.share.shape[1] - 1)
        chosen = drawn if isp is None else np.where(isp >= 0, isp, drawn)
        wireless = carriers.isp_wireless[chosen]
        nat = rng.random(size) < carriers.isp_nat[chosen]
        if behind_nat is not None:
            nat |= behind_nat
        mode = carriers.isp_nat_mode[chosen]
        kind = np.where(nat, np.where(mode == 2, NAT_PER_PLAY, NAT), FIXED)
        kind = np.where(wireless, WIRELESS, kind)
        policy = (carriers.isp_holding[chosen].cumsum(1) < rng.random((size, 1))).sum(1)
        policy = np.minimum(policy, DAILY)
        shared = np.where(mode == 0, STATIC, np.where(policy == STATIC, WEEKLY, policy))
        policy = np.where(nat, shared, policy)
        policy = np.where(wireless, np.where(rng.random(size) < 0.5, DAILY, WEEKLY), policy)
        v6_hold = (carriers.isp_v6_holding[chosen].cumsum(1) < rng.random((size, 1))).sum(1)
        pool = np.where(
            nat | wireless, carriers.nat_pool[region, chosen], carriers.public_pool[region, chosen]
        )
        numbers = np.arange(self.count, self.count + size)
        return self._add(
            {
                "kind": kind,
                "pool": pool,
                "policy": policy,
                "begins": begins,
                "ends": ends,
                "v6": rng.random(size) < carriers.isp_v6[chosen],
                "v6_hold": np.where(wireless, _AS_V4, np.minimum(v6_hold, _EVERY_DAY)),
                "v6_56": (rng.random(size) < self._world.v6_56) & ~wireless,
                "country": self._geography.country[region],
                "isp": chosen,
                "hold": 0,
                "key": numbers if key is None else np.where(key >= 0, key, numbers),
            },
            size,
        )

    def shared(
        self,
        kind: int,
        pool: I64,
        country: I64,
        *,
        hold: I64 | int,
        v6: Bools | bool,
        alone: bool = False,
    ) -> I64:
        """Add lines of hotels, workplaces, campuses, mobile and VPN egress.

        Parameters
        ----------
        kind : int
            One of the codes of `ACCESS_KINDS`.
        pool, country : ndarray of int64, shape (N,)
        hold : ndarray of int64 or int
            Minutes for which the same user keeps the same address of the pool.
        v6 : ndarray of bool or bool
        alone : bool, default=False
            The line has one address of its own.
        """
        return self._add(
            {
                "kind": kind,
                "pool": pool,
                "policy": STATIC,
                "begins": 0,
                "ends": FOREVER,
                "v6": v6,
                "v6_hold": _STABLE,
                "v6_56": True,
                "country": country,
                "isp": -1,
                "hold": -1 if alone else hold,
            },
            len(pool),
        )

    def column(self, name: str) -> NDArray[np.int64]:
        """One column of all lines so far."""
        return np.concatenate([getattr(block, name) for block in self._blocks])

    def finish(self, days: int, seed: int) -> Network:
        """Lease every line its addresses."""
        every = NewLines(**{item.name: self.column(item.name) for item in fields(NewLines)})  # type: ignore[arg-type]
        world, pools = self._world, self._carriers.pools
        exclusive = (every.kind == FIXED) | (every.hold == -1)
        leases = lease_lines(
            pools,
            pool=every.pool,
            policy=every.policy,
            exclusive=exclusive,
            begins=every.begins,
            ends=every.ends,
            days=days,
            mean_days=world.v4_mean_days,
            reboots_a_month=world.reboots_a_month,
            leaves_24=world.leaves_24,
            leaves_prefix=world.leaves_prefix,
            seed=seed,
        )
        return Network(lines=every, leases=leases, pools=pools, seed=seed)


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """All lines with their leases: what address is seen when."""

    lines: NewLines
    leases: Leases
    pools: Pools
    seed: int

    def addresses(
        self,
        line: I64,
        minute: I64,
        user: I64,
        device: I64,
        play: I64,
        wants_v6: Bools,
        fixed_id: Bools,
    ) -> tuple[U64, U64, NDArray[np.uint32]]:
        """Address and AS of plays.

        Parameters
        ----------
        line, minute : ndarray of int64, shape (N,)
        user, device : ndarray of int64, shape (N,)
            Who is told apart by an egress (a person, a phone) and whose interface it is.
        play : ndarray of int64, shape (N,)
            Number of the play, for addresses that last for one.
        wants_v6 : ndarray of bool, shape (N,)
            Plays that use IPv6 where the line has it.
        fixed_id : ndarray of bool, shape (N,)
            Devices that keep their interface identifier; the others change it daily.

        Returns
        -------
        hi, lo : ndarray of uint64, shape (N,)
        asn : ndarray of uint32, shape (N,)
        """  # fmt: skip
        lines, pools = self.lines, self.pools
        pool, kind, hold = lines.pool[line], lines.kind[line], lines.hold[line]
        key = lines.key[line]
        lease = self.leases.current(key, minute)
        turn = lease - self.leases.first[key]
        index = self.leases.index[self.leases.current(line, minute)]

        size = pools.size[pool]
        bucket = np.where(hold > 0, minute // np.maximum(hold, 1), play)
        egress = mix(user, np.where(kind == VPN, line, pool), bucket, self.seed, 11)
        by_lease = mix(key, turn, self.seed, 12)
        group = np.minimum(size, 8)
        begin = mix(key, self.seed, 13) % np.maximum(size - group + 1, 1).astype(np.uint64)
        per_play = (begin + mix(play, self.seed, 14) % group.astype(np.uint64)).astype(np.int64)
        of_lease = (by_lease % size.astype(np.uint64)).astype(np.int64)
        of_egress = (egress % size.astype(np.uint64)).astype(np.int64)
        index = np.where(
            index >= 0,
            index,
            np.where(
                kind == NAT_PER_PLAY,
                per_play,
                np.where((kind == NAT) | (kind == WIRELESS), of_lease, of_egress),
            ),
        )
        lo, asn = pools.v4(pool, index)
        hi = np.zeros(len(line), dtype=np.uint64)

        block = pools.v6_base[pool]
        v6 = np.flatnonzero(wants_v6 & lines.v6[line] & (block > 0))
        at = line[v6]
        today = minute[v6] // DAY
        v6_hold = lines.v6_hold[at]
        own_turn = self.leases.current(at, minute[v6]) - self.leases.first[at]
        epoch = np.where(v6_hold == _STABLE, -1, np.where(v6_hold == _AS_V4, own_turn, today))
        roams = (kind[v6] == CELLULAR) | (kind[v6] == VPN)
        # phones are given a /64 with every connection; lines a /56 or, some, a single /64
        epoch = np.where(roams, bucket[v6], epoch)
        who = np.where(roams, user[v6], at)
        room = (np.int64(1) << pools.v6_bits[pool[v6]]).astype(np.uint64)
        network = mix(who, epoch, pool[v6], self.seed, 15) % room
        narrow = roams | ~lines.v6_56[at]
        subnet = np.where(narrow, mix(who, epoch, self.seed, 16) % np.uint64(256), np.uint64(0))
        guest = ~narrow & (kind[v6] == FIXED) & (mix(device[v6], at, 17) % np.uint64(12) == 0)
        subnet = np.where(guest, np.uint64(1), subnet)
        hi[v6] = block[v6] + (network << np.uint64(8)) + subnet
        changing = np.where(fixed_id[v6], -1, today)
        lo[v6] = mix(device[v6], changing, np.where(fixed_id[v6], 0, at), self.seed, 18)
        asn[v6] = pools.v6_asn[pool[v6]]
        return hi, lo, asn


def _levels(relative: F64, weight: F64, target: float) -> F64:
    """Scale relative levels so that their weighted mean is the target and none is above 0.99."""
    low, high = 0.0, 1e6
    for _ in range(80):
        middle = (low + high) / 2
        if (np.minimum(relative * middle, 0.99) * weight).sum() < target * weight.sum():
            low = middle
        else:
            high = middle
    return np.minimum(relative * low, 0.99)


def survey(world: World, rng: np.random.Generator) -> Geography:
    """Lay out the regions of a world."""
    market = COUNTRIES[world.country]
    others = [COUNTRIES[code] for code in ABROAD if code != world.country]
    number = max(round(world.regions), 2)
    weight = rng.dirichlet(np.full(number, 3.0))
    zones = sorted({zone for item in (market, *others) for zone in item.zones})
    of_market = (np.cumsum(market.zone_shares) < (np.arange(number)[:, None] + 0.5) / number).sum(1)
    zone = [zones.index(market.zones[min(at, len(market.zones) - 1)]) for at in of_market]
    zone += [zones.index(item.zones[0]) for item in others]
    return Geography(
        countries=(market, *others),
        country=np.concatenate([np.zeros(number), 1 + np.arange(len(others))]).astype(np.int64),
        zone=np.array(zone, dtype=np.int64),
        weight=np.concatenate([weight, np.zeros(len(others))]),
        zones=tuple(zones),
    )


def connect(
    world: World,
    geography: Geography,
    accounts: int,
    ranges: Ranges,
    rng: np.random.Generator,
    seed: int,
) -> Carriers:
    """Set up the operators of a world and pools large enough for so many accounts."""
    countries, regions = geography.countries, len(geography.country)
    isps = [(number, isp) for number, item in enumerate(countries) for isp in item.isps]
    size = len(isps)
    share = np.zeros((regions, size))
    nat, v6 = np.zeros(size), np.zeros(size)
    wireless = np.array([isp.wireless for _, isp in isps])
    noise = np.exp(rng.normal(0.0, 0.05 + world.isp_share_noise, size))
    for number in range(len(countries)):
        own = np.array([at for at, (country, _) in enumerate(isps) if country == number])
        national = np.array([isps[at][1].share for at in own]) * noise[own]
        national = np.where(wireless[own], national * world.wireless_homes, national)
        here = np.flatnonzero(geography.country == number)
        local = national * np.exp(rng.normal(0.0, 0.35, (len(here), len(own))))
        share[np.ix_(here, own)] = local / local.sum(1, keepdims=True)
        wired = own[~wireless[own]]
        weight = share[here].mean(0)[wired]
        for target, kind, levels in ((world.nat_share, "nat", nat), (world.v6_share, "ipv6", v6)):
            relative = np.array([getattr(isps[at][1], kind) for at in wired]) + 0.01
            levels[wired] = _levels(relative, weight, target)
        boxes = own[wireless[own]]
        nat[boxes], v6[boxes] = 1.0, [isps[at][1].ipv6 for at in boxes]
    mode = rng.choice(3, size=size, p=world.nat_modes)
    subscribers = world.nat_subscribers * 2.0 ** rng.uniform(-1.0, 1.0, size)
    holding = np.stack(
        [rng.dirichlet(np.asarray(world.v4_holding) * 6 + 1e-6) for _ in range(size)]
    )
    v6_holding = np.stack(
        [rng.dirichlet(np.asarray(world.v6_holding) * 3 + 1e-6) for _ in range(size)]
    )

    requests: list[PoolRequest] = []

    def ask(asns: tuple[int, ...], addresses: float, compact: bool = False) -> int:
        requests.append(PoolRequest(asns, addresses, compact))
        return len(requests) - 1

    public = np.full((regions, size), -1, dtype=np.int64)
    behind = np.full((regions, size), -1, dtype=np.int64)
    business = np.full((regions, 6), -1, dtype=np.int64)
    campus = np.full((regions, 3), -1, dtype=np.int64)
    mobiles = [(number, item) for number, one in enumerate(countries) for item in one.mobiles]
    mobile = np.full((regions, len(mobiles)), -1, dtype=np.int64)
    mobile_share = np.array([item.share for _, item in mobiles])
    mobile_share = mobile_share * np.exp(rng.normal(0, 0.05 + world.isp_share_noise, len(mobiles)))
    areas = max(round(world.mobile_areas), 1)
    for region in range(regions):
        number = int(geography.country[region])
        country = countries[number]
        homes = accounts * (2.2 * geography.weight[region] if number == 0 else 0.05)
        for at, (of, isp) in enumerate(isps):
            if of != number:
                continue
            subscribed = max(homes * share[region, at], 1.0) / world.coverage
            if isp.wireless:
                behind[region, at] = ask(isp.asns, world.mobile_pool / 2, compact=True)
                public[region, at] = behind[region, at]
                continue
            public[region, at] = ask(isp.asns, subscribed * (1 - nat[at] * 0.9) / 0.8 + 8)
            natted = subscribed * nat[at] / subscribers[at] + 2
            behind[region, at] = ask(isp.asns, natted, compact=True)
        lines = [isp.asns[0] for isp in country.isps[:3]] + list(country.business)
        venues = max(homes / 2, 40)
        for at in range(6):
            business[region, at] = ask((lines[at % len(lines)],), venues / 3)
        for at in range(3):
            asn = country.campuses[int(rng.integers(len(country.campuses)))]
            campus[region, at] = ask((asn,), float(rng.integers(16, 200)), compact=True)
        for at, (of, item) in enumerate(mobiles):
            if of == number and (number > 0 or region < areas):
                mobile[region, at] = ask(item.asns, world.mobile_pool, compact=True)
            elif of == number:
                mobile[region, at] = mobile[region % areas, at]
    vpn = []
    for at in range(30):
        asns = HOSTING if at < 24 else RELAYS
        vpn.append(ask((asns[int(rng.integers(len(asns)))],), world.vpn_pool, compact=True))
    vpn_country = np.where(rng.random(30) < 0.5, 0, rng.integers(0, len(countries), 30))
    return Carriers(
        share=share,
        isp_nat=nat,
        isp_v6=v6,
        isp_wireless=wireless,
        isp_nat_mode=mode,
        isp_holding=holding,
        isp_v6_holding=v6_holding,
        public_pool=public,
        nat_pool=behind,
        business_pool=business,
        campus_pool=campus,
        mobile_pool=mobile,
        mobile_share=mobile_share,
        vpn_pool=np.array(vpn, dtype=np.int64),
        vpn_country=vpn_country.astype(np.int64),
        pools=build_pools(requests, ranges, seed),
    )
