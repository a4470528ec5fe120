"""Gateways and what they own: the addresses that lines, phones, venues and tunnels come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.simulation.third_hand.homes import Builder
from household_ml.simulation.third_hand.markets import MARKETS
from household_ml.simulation.third_hand.space import AddressSpace, Stretch

__all__ = ["EXIT_COUNTRIES", "Pool", "Pools"]

Ints = npt.NDArray[np.int64]

_BLOCKS: Final = 32  # /24s of a gateway for lines
_PROVIDERS: Final = (9009, 60068, 212238, 16276, 14061, 20473)
_RELAYS: Final = (36183, 13335, 54113)
#: Where tunnels come out when not in the own country.
EXIT_COUNTRIES: Final = ("NL", "US", "GB", "CH", "SE")


@dataclass(slots=True)
class Pool:
    """Addresses of one gateway.

    Attributes
    ----------
    blocks : ndarray of int64
        /24s for lines with an address of their own (as upper 24 bits); may be empty.
    shared : ndarray of int64
        Addresses that many share.
    stretch : Stretch
        IPv6 to delegate from; of size 0 where there is none.
    country : int
        Of the addresses, in the list of country codes.
    """

    blocks: Ints
    shared: Ints
    stretch: Stretch
    country: int


class Pools:
    """All gateways, made when first asked for; each has a number.

    Parameters
    ----------
    builder : Builder
        The world, without addresses so far.
    rng : numpy.random.Generator
        Chooses.
    """

    def __init__(self, builder: Builder, rng: np.random.Generator) -> None:
        self._builder = builder
        self._rng = rng
        self.space = AddressSpace(rng)
        self.countries = [*builder.country.codes, *EXIT_COUNTRIES]
        self.pools: list[Pool] = []
        self._known: dict[tuple[Any, ...], int] = {}

    def of_lines(self) -> Ints:
        """Number of the gateway of each line.

        A town has a gateway of each operator; carrier NATs, radio and satellite stand in one place
        for a region. A NAT has so many addresses that it has its density of subscribers on this
        service, and never so few that neighbours meet on one by chance more than now and then.
        """
        builder, country = self._builder, self._builder.country
        lines = builder.ledger.lines
        found, behind = [], []
        for line in lines:
            town = country.places[line.place].town
            wire = country.isps[line.isp][1].access == "wire"
            own = wire and not line.nat
            found.append((line.isp, town if own else -1 - int(country.region[town])))
        for key, line in zip(found, lines, strict=True):
            if line.nat:
                behind.append(key)
        counts = {key: behind.count(key) for key in dict.fromkeys(behind)}
        return np.array([self._line_gateway(key, counts.get(key, 0)) for key in found], np.int64)

    def _line_gateway(self, key: tuple[int, int], behind: int) -> int:
        if (number := self._known.get(("line", *key))) is not None:
            return number
        market, isp = self._builder.country.isps[key[0]]
        asns = self.space.brand(isp.brand)
        if key[1] >= 0:
            blocks = self.space.blocks(asns, _BLOCKS, pieces=4)
        else:
            blocks = np.empty(0, np.int64)
        quarter = isp.binding == 0.0
        density = 1.6 if quarter else float(np.clip(self._rng.lognormal(1.5, 0.5), 1.5, 14.0))
        if isp.access != "wire":
            density = 1.2
        wanted = max(4, int(np.ceil(behind / density)))
        shared = self.space.hosts(asns, wanted, blocks=1 + wanted // 200)
        return self._add(("line", *key), Pool(blocks, shared, self.space.stretch(asns), market))

    def mobile(self, sim: int, region: int) -> int:
        """Gateway of a mobile network in a region; abroad one comes out at home."""
        key = ("mobile", sim, region)
        if key in self._known:
            return self._known[key]
        market, maker = self._builder.country.mobiles[sim]
        asns = self.space.brand(maker.brand)
        count = 1 << maker.pool_bits
        shared = self.space.hosts(asns, count, blocks=max(1, count // 200))
        stretch = self.space.stretch(asns, 22)
        return self._add(key, Pool(np.empty(0, np.int64), shared, stretch, market))

    def venue(self, place: int, _: int) -> int:
        """Public network of a place, the same for guests from everywhere."""
        key = ("venue", place)
        if key in self._known:
            return self._known[key]
        country, rng = self._builder.country, self._rng
        here = country.places[place]
        number = int(country.market[here.town])
        market = MARKETS[country.codes[number]]
        stretch = Stretch(0, 0)
        if here.kind == "campus":
            asns: tuple[int, ...] = (int(rng.choice(market.schools)),)
            shared = self.space.hosts(asns, int(rng.choice([16, 64, 200])))
            stretch = self.space.stretch(asns, 12) if rng.random() < 0.5 else stretch
        elif here.kind == "station":
            mobile = market.mobiles[int(rng.integers(len(market.mobiles)))]
            shared = self.space.hosts(self.space.brand(mobile.brand), 6)
        elif rng.random() < (0.45 if here.kind == "hotel" else 0.3):
            wire = [isp for isp in market.isps if isp.access == "wire"]
            brand = wire[int(rng.integers(len(wire)))].brand
            shared = self.space.hosts(self.space.brand(brand), 1 + int(rng.random() < 0.2))
        else:
            asns = (int(rng.choice(market.offices)),)
            shared = self.space.hosts(asns, int(rng.choice([1, 1, 2, 4])))
        return self._add(key, Pool(np.empty(0, np.int64), shared, stretch, number))

    def tunnel(self, exit_: int, market: int) -> int:
        """Where a subscriber of a VPN comes out: a provider's servers in one city."""
        provider = exit_ % len(_PROVIDERS)
        abroad = exit_ // 8 % 10 < 3
        country = len(self._builder.country.codes) + exit_ // 80 % len(EXIT_COUNTRIES)
        city = exit_ // 400 % 3
        key = ("vpn", provider, country if abroad else market, city)
        if key in self._known:
            return self._known[key]
        shared = self.space.hosts((_PROVIDERS[provider],), 10)
        pool = Pool(np.empty(0, np.int64), shared, Stretch(0, 0), country if abroad else market)
        return self._add(key, pool)

    def employer(self, number: int, market: int) -> int:
        """Where a company's people come out."""
        companies = max(4, len(self._builder.ledger.accounts) // 20)
        key = ("employer", number % companies, market)
        if key in self._known:
            return self._known[key]
        offices = MARKETS[self._builder.country.codes[market]].offices
        shared = self.space.hosts((int(self._rng.choice(offices)),), 2)
        return self._add(key, Pool(np.empty(0, np.int64), shared, Stretch(0, 0), market))

    def relay(self, region: int, _: int) -> int:
        """Where a private relay comes out, for a region."""
        key = ("relay", region)
        if key in self._known:
            return self._known[key]
        country = self._builder.country
        market = int(country.market[np.argmax(country.region == region)])
        shared = self.space.hosts((int(self._rng.choice(_RELAYS)),), 24)
        return self._add(key, Pool(np.empty(0, np.int64), shared, Stretch(0, 0), market))

    def _add(self, key: tuple[Any, ...], pool: Pool) -> int:
        self.pools.append(pool)
        self._known[key] = len(self.pools) - 1
        return self._known[key]
