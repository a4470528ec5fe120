"""The ground: towns, who sells lines in them, and the places that are nobody's home.

Towns lie on a plane and differ in size as towns do. Hotels, campuses, offices, hospitals and
stations belong to a town and are the same for everybody who goes there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from household_ml.simulation.third_hand.chance import Weighted
from household_ml.simulation.third_hand.markets import MARKETS, Isp, Mobile
from household_ml.simulation.third_hand.rates import Rates

__all__ = ["Country", "Place", "settle"]

#: What stands in a town of middling size.
_PUBLIC = {"hotel": 4, "campus": 1, "work": 7, "hospital": 1, "station": 1}


@dataclass(slots=True)
class Place:
    """Somewhere to be.

    Attributes
    ----------
    town : int
        Where.
    kind : str
        ``dwelling``, ``rental``, ``hotel``, ``campus``, ``work``, ``hospital`` or ``station``.
    """

    town: int
    kind: str


@dataclass(slots=True)
class Country:
    """All towns of a world, of one or more countries; arrays are by town.

    Attributes
    ----------
    codes : list of str
        Countries; the last one is where holidays abroad go and nobody lives.
    market, region, x, y, weight, charm : ndarray
        Country, region (a mobile core serves it), position in km, people, holiday-makers.
    zone : list of str
        Time zone.
    isps, mobiles : list
        (country, Isp) and (country, Mobile) of all.
    places : list of Place
        Grows as homes are founded.
    public : dict of (town, kind) to list of int
        Places that are nobody's home.
    """

    codes: list[str]
    market: npt.NDArray[np.int64]
    region: npt.NDArray[np.int64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    charm: npt.NDArray[np.float64]
    zone: list[str]
    isps: list[tuple[int, Isp]]
    mobiles: list[tuple[int, Mobile]]
    places: list[Place] = field(default_factory=list)
    public: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    _towns: dict[tuple[str, int], Weighted[int]] = field(default_factory=dict)

    def found(self, town: int, kind: str = "dwelling") -> int:
        """Add a place."""
        self.places.append(Place(town, kind))
        return len(self.places) - 1

    def some(self, rng: np.random.Generator, town: int, kind: str) -> int:
        """Choose a public place of a town; big ones draw more people."""
        there = self.public[(town, kind)]
        return there[int(rng.random() ** 1.7 * len(there))]

    def home_town(self, rng: np.random.Generator, market: int) -> int:
        """Town of somebody who lives in a country."""
        return self._drawn(("home", market), lambda: (self.market == market) * self.weight, rng)

    def elsewhere(self, rng: np.random.Generator, town: int, near: float = 0.4) -> int:
        """Town of kin or of a friend: the same one, or one by gravity, distance within reach."""
        if rng.random() < near:
            return town
        return self._drawn(("kin", town), lambda: self._pull(town), rng)

    def holiday_town(self, rng: np.random.Generator, market: int, abroad: bool) -> int:
        """Town where people spend holidays."""
        goal = len(self.codes) - 1 if abroad else market
        return self._drawn(("holiday", goal), lambda: (self.market == goal) * self.charm, rng)

    def _pull(self, town: int) -> npt.NDArray[np.float64]:
        """Gravity of the other towns of a country."""
        away = np.hypot(self.x - self.x[town], self.y - self.y[town])
        other = (self.market == self.market[town]) & (np.arange(self.x.size) != town)
        return np.asarray(other * self.weight / (away + 20.0))

    def _drawn(
        self,
        key: tuple[str, int],
        weights: Callable[[], npt.NDArray[np.float64]],
        rng: np.random.Generator,
    ) -> int:
        if key not in self._towns:
            self._towns[key] = Weighted(range(self.x.size), weights())
        return self._towns[key].draw(rng)


def settle(rates: Rates, accounts: int, rng: np.random.Generator) -> Country:
    """Lay out the towns of a world and what stands in them.

    Parameters
    ----------
    rates : Rates
        Countries and their weights.
    accounts : int
        More accounts live in more towns.
    rng : numpy.random.Generator
        Chooses.
    """
    codes = [code for code, _ in rates.markets] + [rates.resort]
    total = int(np.clip(accounts / 90, 4, 48))
    market: list[int] = []
    region: list[int] = []
    zone: list[str] = []
    regions = 0
    for number, code in enumerate(codes):
        share = rates.markets[number][1] if number < len(rates.markets) else 0.0
        towns = max(3, round(total * share)) if share else 3
        zones = MARKETS[code].zones
        chances = np.array([weight for _, weight in zones])
        for town in range(towns):
            if town % 3 == 0:
                regions += 1
                here = zones[int(rng.choice(len(zones), p=chances / chances.sum()))][0]
            market.append(number)
            region.append(regions - 1)
            zone.append(here)
    count = len(market)
    rank = np.concatenate([np.arange(market.count(one)) for one in range(len(codes))])
    country = Country(
        codes=codes,
        market=np.array(market),
        region=np.array(region),
        x=rng.normal(0.0, 250.0, regions)[region] + rng.normal(0.0, 35.0, count),
        y=rng.normal(0.0, 250.0, regions)[region] + rng.normal(0.0, 35.0, count),
        weight=1.0 / (rank + 1.5) ** 0.8,
        charm=rng.lognormal(0.0, 1.0, count),
        zone=zone,
        isps=[(one, isp) for one, code in enumerate(codes) for isp in MARKETS[code].isps],
        mobiles=[
            (one, mobile) for one, code in enumerate(codes) for mobile in MARKETS[code].mobiles
        ],
    )
    for town in range(count):
        for kind, usual in _PUBLIC.items():
            stand = max(1, round(usual * float(country.weight[town]) * 2.0))
            country.public[(town, kind)] = [country.found(town, kind) for _ in range(stand)]
    return country
