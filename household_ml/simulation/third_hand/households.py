"""Those who live together: who they are, where they work, who of them lives elsewhere too."""

from __future__ import annotations

from typing import Final

import numpy as np

from household_ml.simulation.third_hand.chance import Weighted
from household_ml.simulation.third_hand.homes import Builder
from household_ml.simulation.third_hand.ledger import AGES, Account, Person
from household_ml.simulation.third_hand.markets import MARKETS

__all__ = ["APPETITE", "Household", "found_household", "new_person"]

#: Who lives together, by kind of household; a number of people chosen where it is a tuple.
_TOGETHER: Final[dict[str, tuple[tuple[str, tuple[int, ...]], ...]]] = {
    "young_alone": (("young", (1,)),),
    "alone": (("adult", (1,)),),
    "senior_alone": (("senior", (1,)),),
    "couple": (("adult", (2,)),),
    "senior_couple": (("senior", (2,)),),
    "small_children": (("adult", (2,)), ("child", (1, 1, 2, 2, 3))),
    "teens": (("adult", (2,)), ("teen", (1, 2)), ("child", (0, 1)), ("young", (0, 0, 1))),
    "single_parent": (("adult", (1,)), ("child", (0, 1)), ("teen", (1, 1, 0))),
    "separated_parent": (("adult", (1, 1, 2)), ("child", (1, 2)), ("teen", (0, 1))),
    "flat_share": (("young", (2, 3, 3, 4)),),
    "generations": (("senior", (1,)), ("adult", (2,)), ("teen", (1,)), ("child", (1,))),
}
#: How much people of an age watch (times a day), and whether they work or study.
APPETITE: Final = {"child": 0.55, "teen": 0.8, "young": 0.85, "adult": 0.6, "senior": 0.45}
_WORKS: Final = {"young": 0.7, "adult": 0.75}
#: Mean plays that one resident of an average household makes a day at the default of 2.5.
_USUAL_PLAYS: Final = 2.5

_WEEKDAYS = (0b11111, 0b11111, 0b01110, 0b00111, 0b11100, 0b1011011)


class Household:
    """The main home of an account while it is being founded: the account's number, its people."""

    def __init__(self, builder: Builder, account: int, place: int, people: list[int]) -> None:
        self.builder = builder
        self.account = account
        self.place = place
        self.people = people

    @property
    def record(self) -> Account:
        """The account."""
        return self.builder.ledger.accounts[self.account]

    @property
    def town(self) -> int:
        """Town of the home."""
        return self.builder.country.places[self.place].town

    @property
    def grown(self) -> list[int]:
        """Residents who are no children."""
        ages = self.builder.ledger.people
        return [one for one in self.people if AGES[ages[one].age] in ("young", "adult", "senior")]


def new_person(builder: Builder, account: int, home: int, role: str, age: str) -> int:
    """Add somebody with habits drawn for the age, without devices."""
    rng = builder.rng
    market = int(builder.country.market[builder.country.places[home].town])
    appetite = APPETITE[age] * _thirst(builder) * float(rng.lognormal(-0.3, 0.8))
    person = Person(account, home, role, AGES.index(age), appetite)
    builder.habits(person, market)
    if builder.chance(_WORKS.get(age, 0.0)):
        kind = "campus" if age == "young" and builder.chance(0.3) else "work"
        person.office = builder.country.some(rng, builder.country.places[home].town, kind)
        person.office_days = _WEEKDAYS[int(rng.integers(len(_WEEKDAYS)))]
    return builder.ledger.person(person)


def _thirst(builder: Builder) -> float:
    """How much the world watches, 1 = as usual."""
    return builder.rates.plays / _USUAL_PLAYS


def found_household(builder: Builder, market: int) -> Household:
    """Found an account with the home and all who live there."""
    rng, ledger, country = builder.rng, builder.ledger, builder.country
    homes = MARKETS[country.codes[market]].homes
    kind = Weighted(list(homes), homes.values()).draw(rng)
    account = len(ledger.accounts)
    place = _main_home(builder, market)
    ledger.accounts.append(Account(market, place))
    home = Household(builder, account, place, [])
    for age, numbers in _TOGETHER[kind]:
        for _ in range(numbers[int(rng.integers(len(numbers)))]):
            one = new_person(builder, account, place, "resident", age)
            home.people.append(one)
            builder.pockets(
                account, one, least=int(age in ("young", "adult") and rng.random() < 0.5)
            )
    # whoever watches a lot takes out the subscription
    payer = ledger.people[home.people[0]]
    payer.appetite = max(payer.appetite, 0.6 * _thirst(builder) * float(rng.lognormal(0.0, 0.3)))
    if kind == "separated_parent":
        _share_custody(home)
    owner = home.people[0]
    screens = 1.15 if kind in ("young_alone", "flat_share", "alone") else 1.6
    made = builder.screens(account, owner, place, mean=screens)
    if not made and not any(device.account == account for device in ledger.devices[-12:]):
        builder.device(account, owner, "tv", place)
    _second_dwelling(home, kind)
    _second_home(home)
    _move(home)
    _move_in(home)
    return home


def _main_home(builder: Builder, market: int) -> int:
    """Choose a dwelling of one's own, or for a few that of another account (two in one home)."""
    accounts = builder.ledger.accounts
    if len(accounts) > 10 and builder.chance(0.02):
        other = accounts[int(builder.rng.integers(len(accounts)))]
        if other.market == market:
            return other.home
    return builder.dwelling(builder.country.home_town(builder.rng, market))


def _share_custody(home: Household) -> None:
    """Let the children live at the other parent's too; that home may use the account."""
    builder, rng = home.builder, home.builder.rng
    ledger = builder.ledger
    other = builder.dwelling(builder.country.elsewhere(rng, home.town, near=0.75))
    rhythm = (1, 1, 2, 5)[int(rng.integers(4))]
    phase = int(rng.integers(14))
    for one in home.people:
        person = ledger.people[one]
        if AGES[person.age] in ("child", "teen"):
            person.role, person.other_home = "custody", other
            person.rhythm, person.phase = rhythm, phase
    children = [one for one in home.people if ledger.people[one].role == "custody"]
    if builder.chance(0.4):
        builder.device(home.account, children[0], "tv", other, role="custody")


def _second_dwelling(home: Household, kind: str) -> None:
    """Let somebody study or work away from home for part of the week."""
    builder, rng = home.builder, home.builder.rng
    country, ledger = builder.country, builder.ledger
    for one in home.grown:
        person = ledger.people[one]
        age = AGES[person.age]
        studies = age == "young" and kind in ("teens", "generations")
        works = age == "adult" and len(home.people) > 1
        if not builder.chance(0.6 if studies else builder.rates.two_dwellings * 0.35 * works):
            continue
        town = country.elsewhere(rng, home.town, near=0.0)
        person.other_home = builder.dwelling(town)
        person.role = "student" if studies else "weekday_worker"
        person.rhythm, person.phase = (3, 3, 4)[int(rng.integers(3))], int(rng.integers(28))
        person.office = country.some(rng, town, "campus" if studies else "work")
        person.office_days = 0b01111
        if not any(device.owner == one and device.place < 0 for device in ledger.devices[-20:]):
            builder.device(home.account, one, "computer", -1)
        if builder.chance(0.2):
            role = "student" if studies else "second_home"
            builder.device(home.account, one, "tv", person.other_home, role=role)


def _second_home(home: Household) -> None:
    builder = home.builder
    if not builder.chance(builder.rates.second_home):
        return
    country = builder.country
    market = home.record.market
    town = country.holiday_town(builder.rng, market, abroad=builder.chance(0.06))
    place = builder.dwelling(town)
    if builder.chance(0.65):
        builder.screens(home.account, home.people[0], place, mean=1.2, role="second_home")
    for one in home.people:
        person = builder.ledger.people[one]
        if person.other_home < 0:
            person.other_home = place


def _move_in(home: Household) -> None:
    """Let a partner or a flatmate move in inside the world, who had watched from elsewhere."""
    builder, rng = home.builder, home.builder.rng
    person = builder.ledger.people[home.people[-1]]
    together = len(home.people) > 1 and AGES[person.age] in ("young", "adult")
    if not together or person.role != "resident" or home.record.next_home >= 0:
        return
    if builder.chance(0.06 * builder.days / 365.0):
        person.next_home = home.place
        person.moves_on = float(np.floor(rng.uniform(0.05, 0.85) * builder.days))
        person.home = builder.dwelling(builder.country.elsewhere(rng, home.town, near=0.6))


def _move(home: Household) -> None:
    """Let the household move house inside the world; its screens go along, the line is new."""
    builder, rng, ledger = home.builder, home.builder.rng, home.builder.ledger
    if not builder.chance(builder.rates.moves * builder.days / 365.0):
        return
    at = float(np.floor(rng.uniform(0.05, 0.93) * builder.days))
    town = builder.country.elsewhere(rng, home.town, near=0.6)
    place = builder.country.found(town)
    old = builder.lines_of(home.place)
    # the line follows at once, or after weeks on the phone's network
    wait = 0.0 if rng.random() < 0.55 else float(rng.gamma(2.0, 6.0))
    same = town == home.town and old and rng.random() < 0.7
    builder.line(place, first=at + wait, isp=ledger.lines[old[0]].isp if same else None)
    record = home.record
    record.next_home, record.moves_on = place, at
    for one in home.people:
        person = ledger.people[one]
        person.next_home, person.moves_on = place, at
    for device in ledger.devices:
        if device.account == home.account and device.place == home.place:
            device.next_place, device.moves_on = place, at
