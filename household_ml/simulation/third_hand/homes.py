"""Dwellings, their lines and their devices."""

from __future__ import annotations

from typing import Final

import numpy as np

from household_ml.simulation.third_hand.chance import Weighted
from household_ml.simulation.third_hand.country import Country
from household_ml.simulation.third_hand.ledger import AGES, Device, Ledger, Line, Person
from household_ml.simulation.third_hand.rates import Rates

__all__ = ["Builder"]

_SCREENS: Final = ("tv", "streaming_stick", "set_top_box", "game_console")
_SCREEN: Final = Weighted(_SCREENS, (0.46, 0.2, 0.2, 0.14))
#: Chance by age of a phone, a tablet, a computer that ever plays here.
_POCKET: Final[dict[str, tuple[float, float, float]]] = {
    "child": (0.1, 0.45, 0.03),
    "teen": (0.75, 0.2, 0.3),
    "young": (0.8, 0.15, 0.45),
    "adult": (0.62, 0.25, 0.25),
    "senior": (0.3, 0.3, 0.15),
}
#: Networks of the mobile kind sell to homes too; how many of the lines of a town an operator has
#: differs from town to town by this much (standard deviation of the logarithm).
_LOCAL: Final = 0.7


class Builder:
    """Founds dwellings and equips people.

    Parameters
    ----------
    rates : Rates
        Of the world.
    country : Country
        Where.
    days : int
        How long the world lasts.
    rng : numpy.random.Generator
        Chooses.
    """

    def __init__(self, rates: Rates, country: Country, days: int, rng: np.random.Generator) -> None:
        self.rates = rates
        self.country = country
        self.days = days
        self.rng = rng
        self.ledger = Ledger()
        self._lines_of: dict[int, list[int]] = {}
        self._weights = [self._isps(town) for town in range(country.x.size)]
        self._sims = [
            Weighted(
                range(len(country.mobiles)),
                [(market == one) * mobile.share for market, mobile in country.mobiles],
            )
            for one in range(len(country.codes))
        ]
        self._ways = [
            Weighted(isp.ways, [weight for _, weight, _ in isp.ways]) for _, isp in country.isps
        ]

    def _isps(self, town: int) -> Weighted[int]:
        """Operators that serve a town; not every one is everywhere."""
        market = self.country.market[town]
        own = [number for number, (at, _) in enumerate(self.country.isps) if at == market]
        share = np.array([self.country.isps[number][1].share for number in own])
        share = share * self.rng.lognormal(0.0, _LOCAL, share.size)
        if share.size > 6:
            share[self.rng.permutation(share.size)[: share.size // 3]] = 0.0
        return Weighted(own, share)

    def chance(self, p: float) -> bool:
        """Toss a coin."""
        return bool(self.rng.random() < p)

    def sim(self, market: int) -> int:
        """Mobile network of somebody."""
        return self._sims[market].draw(self.rng)

    def line(
        self,
        place: int,
        first: float = 0.0,
        last: float = float("inf"),
        *,
        isp: int | None = None,
        nat: bool | None = None,
    ) -> int:
        """Put a line into a dwelling; the operator and what it does are drawn where not told."""
        rng, rates = self.rng, self.rates
        town = self.country.places[place].town
        if isp is None:
            isp = self._weights[town].draw(rng)
        maker = self.country.isps[isp][1]
        wire = maker.access == "wire"
        way, _, days = self._ways[isp].draw(rng)
        if wire and rates.daily is not None and rng.random() < rates.daily:
            way, days = "reconnect", 0.5 if days == 0.5 else 1.0
        if nat is None:
            nat = self.chance(maker.nat if rates.nat is None or not wire else rates.nat)
        v6 = self.chance(maker.v6 if rates.v6 is None or not wire else rates.v6)
        router = int(rng.integers(1 << 20)) if rng.random() < 0.006 else -1
        self.ledger.lines.append(Line(place, isp, first, last, way, days, nat, v6, router))
        self._lines_of.setdefault(place, []).append(len(self.ledger.lines) - 1)
        return len(self.ledger.lines) - 1

    def lines_of(self, place: int) -> list[int]:
        """Lines of a dwelling, in the order they came."""
        return self._lines_of.get(place, [])

    def dwelling(self, town: int, *, kind: str = "dwelling", isp: int | None = None) -> int:
        """Found a dwelling with its line, or two, or none, and perhaps a change of operator."""
        place = self.country.found(town, kind)
        if self.chance(self.rates.lineless) and isp is None:
            return place
        change = self.days / 365.0 * self.rates.isp_changes
        if self.chance(change):
            at = float(self.rng.uniform(0.1, 0.9) * self.days)
            overlap = float(self.rng.choice([0.0, 0.0, 2.0, 10.0])) * float(self.rng.random())
            self.line(place, last=at + overlap, isp=isp)
            old = self.ledger.lines[-1].isp
            # whoever changes, changes the operator, where there is another one
            new = old
            for _ in range(6):
                new = self._weights[town].draw(self.rng) if new == old else new
            self.line(place, first=at, isp=new)
        else:
            self.line(place, isp=isp)
        if self.chance(self.rates.two_lines):
            self.line(place)
        return place

    def screens(
        self, account: int, owner: int, place: int, *, mean: float = 1.3, role: str = ""
    ) -> list[Device]:
        """Put fixed screens into a dwelling."""
        wanted = mean * self.rates.gadgets
        count = int(self.rng.binomial(4, min(0.95, wanted / 4.0)))
        return [
            self.device(account, owner, _SCREEN.draw(self.rng), place, role=role)
            for _ in range(count)
        ]

    def pockets(self, account: int, owner: int, *, least: int = 0) -> None:
        """Give a person the devices that people of the age carry."""
        person = self.ledger.people[owner]
        chances = _POCKET[AGES[person.age]]
        had = 0
        for kind, chance in zip(("phone", "tablet", "computer"), chances, strict=True):
            if self.chance(1.0 - (1.0 - chance) ** self.rates.gadgets):
                self.device(account, owner, kind, -1)
                had += 1
        if had < least:
            self.device(account, owner, "phone", -1)

    def device(
        self,
        account: int,
        owner: int,
        kind: str,
        place: int,
        *,
        first: float = 0.0,
        last: float = float("inf"),
        role: str = "",
    ) -> Device:
        """Add a device and the ids it goes through: bought, reset, replaced, forgotten."""
        rng = self.rng
        if rng.random() < 0.012:
            kind = "other"
        years = self.days / 365.0
        reborn = False
        if first == 0.0 and rng.random() < 0.12 * years:  # bought in this time
            first, reborn = float(rng.uniform(0.05, 1.0) * self.days), True
        if last == np.inf and rng.random() < 0.2 * years:  # forgotten in a drawer
            last = float(rng.uniform(first, self.days))
        if rng.random() < self.rates.new_id * years:
            reset = float(rng.uniform(first, min(last, float(self.days))))
            old = Device(account, owner, kind, place, first, reset, role=role, reborn=reborn)
            self.ledger.devices.append(old)
            first, reborn = reset, True
        made = Device(account, owner, kind, place, first, last, role=role, reborn=reborn)
        self.ledger.devices.append(made)
        return made

    def habits(self, person: Person, market: int) -> Person:
        """Draw what makes one person differ from the next."""
        rng, rates = self.rng, self.rates
        person.sim = self.sim(market)
        usual = float(rng.gamma(1.2, rates.cell_home / 1.2))
        person.cell_home = min(0.9, usual)
        person.cell_out = float(rng.beta(2.0, 2.0 / max(0.05, rates.cell_out) - 2.0 + 0.1))
        if rng.random() < rates.cell_only:
            person.cell_home = person.cell_out = 1.0
        person.late = float(rng.normal(0.0, 1.0)) + (1.0 if AGES[person.age] == "young" else 0.0)
        person.screen = float(rng.lognormal(0.0, 0.35))
        person.fan = float(rng.lognormal(-0.1, 0.5))
        if AGES[person.age] in ("young", "adult", "teen"):
            dice = rng.random()
            person.exit = int(rng.integers(1 << 20))
            if dice < rates.vpn * 0.6:
                person.tunnel = "sometimes"
            elif dice < rates.vpn:
                person.tunnel = "always"
            elif dice < rates.vpn + 0.05:
                person.tunnel = "relay"
            elif dice < rates.vpn + 0.11:
                person.tunnel = "employer"
        return person
