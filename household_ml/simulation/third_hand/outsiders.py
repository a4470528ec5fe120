"""Those who watch on the account and do not live in its home."""

from __future__ import annotations

from typing import Final

import numpy as np

from household_ml.simulation.third_hand.chance import Weighted
from household_ml.simulation.third_hand.homes import Builder
from household_ml.simulation.third_hand.households import Household, new_person
from household_ml.simulation.third_hand.ledger import AGES, Stay

__all__ = ["share_account"]


#: Outside households of an account that has any; who they are; how many of them watch; days
#: between visits of kin, 0 = never.
_HOUSEHOLDS: Final = Weighted((1, 2, 3, 4), (0.8, 0.15, 0.035, 0.015))
_RELATION: Final = Weighted(("kin", "friend", "ex", "moved_out"), (0.6, 0.2, 0.1, 0.1))
_TOGETHER: Final = Weighted((1, 2, 3), (0.5, 0.33, 0.17))
_KIN_VISITS: Final = Weighted((0.0, 9.0, 30.0, 90.0), (0.35, 0.15, 0.2, 0.3))

#: Those who borrow watch less than those who pay, or they would pay: mean of the logarithm [A].
_THIRST: Final = -0.55


def share_account(home: Household) -> None:
    """Add the outside people of an account, of all kinds.

    Parameters
    ----------
    home : Household
        The account and its main home.
    """
    builder, rng = home.builder, home.builder.rng
    if builder.chance(builder.rates.sharing):
        households = _HOUSEHOLDS.draw(rng)
        paid = builder.chance(0.13)
        home.record.extra_members = int(paid) + int(paid and builder.chance(0.2))
        for number in range(households):
            _borrow(home, paid=number < home.record.extra_members)
    elif builder.chance(0.01):
        home.record.extra_members = 1  # a slot that nobody uses
    if len(home.grown) > 1 and builder.chance(0.035 * builder.days / 90.0):
        _leave(home)
    if builder.chance(0.035):
        _guest(home)
    if builder.chance(0.012):
        _steal(home)
    if builder.chance(0.0007 * builder.rates.nights_away):
        _forget_hotel(home)


def _borrow(home: Household, *, paid: bool) -> None:
    """Lend the password to another household: kin, a friend, somebody who once lived here."""
    builder, rng, ledger = home.builder, home.builder.rng, home.builder.ledger
    relation = _RELATION.draw(rng)
    where = _their_home(home)
    together = _TOGETHER.draw(rng)
    ages = (
        ["senior"] * 2 if relation == "kin" and rng.random() < 0.3 else ["adult", "adult", "teen"]
    )
    if relation == "moved_out" or (relation == "kin" and rng.random() < 0.35):
        ages = ["young", "young", "young"]
    role = "extra" if paid else "former" if relation in ("ex", "moved_out") else "borrower"
    elderly = ages[0] == "senior" and role == "borrower"
    role = "grandparent" if elderly and rng.random() < 0.6 else role
    since = 0.0 if rng.random() < 0.75 else float(rng.uniform(0.0, 0.8) * builder.days)
    until = float("inf") if rng.random() < 0.8 else float(rng.uniform(since, builder.days))
    evasion = _evasion(builder) if role == "borrower" else ""
    visits = _visits(builder, relation, evasion)
    first = -1
    for age in ages[:together]:
        one = new_person(builder, home.account, where, role, age)
        first = one if first < 0 else first
        person = ledger.people[one]
        person.first, person.last = since, until
        person.appetite *= float(rng.lognormal(_THIRST, 0.5))
        person.visits = visits
        if evasion in ("home", "hotspot"):
            person.tunnel = evasion
            person.cell_home = 1.0 if evasion == "hotspot" else person.cell_home
            person.cell_out = 1.0 if evasion == "hotspot" else person.cell_out
        if role != "grandparent":
            builder.pockets(home.account, one, least=int(rng.random() < 0.6))
    if role == "grandparent" and builder.chance(0.35):
        # the old screen of the home is given away and keeps its id
        at = float(rng.uniform(0.0, 0.7) * builder.days)
        given = builder.device(home.account, first, "tv", home.place, role=role)
        given.next_place, given.moves_on = where, at
    elif evasion != "hotspot" and (role == "grandparent" or rng.random() < 0.6):
        made = builder.screens(home.account, first, where, mean=1.15)
        if role == "grandparent" and not made:
            builder.device(home.account, first, "tv", where)


def _evasion(builder: Builder) -> str:
    rates = builder.rates
    dice = builder.rng.random()
    for name, chance in (
        ("visit", rates.visits),
        ("home", rates.tunnel),
        ("hotspot", rates.hotspot),
    ):
        if dice < chance:
            return name
        dice -= chance
    return ""


def _visits(builder: Builder, relation: str, evasion: str) -> float:
    """Days between visits to the account's home: to be seen there, or because one is family."""
    rng = builder.rng
    if evasion == "visit":
        return float(rng.choice([7.0, 28.0]))
    if relation == "kin":
        return _KIN_VISITS.draw(rng)
    return 0.0 if rng.random() < 0.8 else 90.0


def _their_home(home: Household) -> int:
    """Choose where outside people live, by gravity; for some behind the NAT of the account."""
    builder, rng, ledger = home.builder, home.builder.rng, home.builder.ledger
    own = builder.lines_of(home.place)
    if own and builder.chance(builder.rates.neighbour_nat):
        place = builder.country.found(home.town)
        line = ledger.lines[own[0]]
        line.nat = True
        number = builder.line(place, isp=line.isp, nat=True)
        ledger.lines[number].twin = own[0]
        return place
    if rng.random() < 0.05 and len(ledger.accounts) > 20:
        # they have an account of their own, or live with somebody who has
        other = ledger.accounts[int(rng.integers(len(ledger.accounts)))]
        if other.home != home.place and other.market == home.record.market:
            return other.home
    town = builder.country.elsewhere(rng, home.town)
    same = own and rng.random() < builder.rates.same_isp
    return builder.dwelling(town, isp=ledger.lines[own[0]].isp if same else None)


def _leave(home: Household) -> None:
    """Let a resident move out inside the world and keep the password: child, partner, flatmate."""
    builder, rng, ledger = home.builder, home.builder.rng, home.builder.ledger
    one = home.grown[-1]
    person = ledger.people[one]
    if person.next_home >= 0 or person.role != "resident":
        return
    at = float(np.floor(rng.uniform(0.03, 0.9) * builder.days))
    place = builder.dwelling(builder.country.elsewhere(rng, home.town, near=0.5))
    person.role, person.next_home, person.moves_on = "former", place, at
    person.other_home, person.rhythm = -1, 0
    own = [device for device in ledger.devices if device.owner == one and device.place < 0]
    if not own:
        builder.device(home.account, one, "phone", -1)
    if builder.chance(0.35):
        builder.device(home.account, one, "tv", place, first=at + float(rng.uniform(0.0, 9.0)))


def _guest(home: Household) -> None:
    """Let somebody sign in once: on a visit here, or at a friend's place."""
    builder, rng, ledger = home.builder, home.builder.rng, home.builder.ledger
    place = builder.dwelling(builder.country.elsewhere(rng, home.town, near=0.6))
    one = new_person(builder, home.account, place, "guest", "young")
    person = ledger.people[one]
    day = int(rng.integers(0, builder.days))
    person.first, person.last = float(day), day + 1.0 + float(rng.random() * 1.5)
    person.appetite = 1.6
    if builder.chance(0.4):
        ledger.stays.append(Stay(one, max(0, day - 1), 4, home.place))
        builder.device(home.account, one, "phone", -1)
    else:
        builder.device(home.account, one, "tv", place)


def _steal(home: Household) -> None:
    """Let strangers use a stolen or resold password, from anywhere, often behind a VPN."""
    builder, rng, ledger = home.builder, home.builder.rng, home.builder.ledger
    country = builder.country
    since = float(rng.uniform(0.0, 0.9) * builder.days)
    for _ in range(int(rng.choice([1, 1, 2, 3, 5]))):
        abroad = builder.chance(0.3)
        market = len(country.codes) - 1 if abroad else home.record.market
        place = builder.dwelling(country.home_town(rng, market))
        one = new_person(
            builder, home.account, place, "thief", "young" if rng.random() < 0.5 else "adult"
        )
        person = ledger.people[one]
        person.first = since + float(rng.exponential(4.0))
        person.last = person.first + float(rng.exponential(30.0)) + 2.0
        person.tunnel = "always" if builder.chance(0.3) else ""
        person.appetite = 1.0
        kind = str(rng.choice(["tv", "computer", "phone", "streaming_stick"]))
        builder.device(home.account, one, kind, place if kind in ("tv", "streaming_stick") else -1)


def _forget_hotel(home: Household) -> None:
    """Leave the password in a hotel's or rented flat's television, for those who come after."""
    builder, rng, ledger = home.builder, home.builder.rng, home.builder.ledger
    country = builder.country
    town = country.holiday_town(rng, home.record.market, abroad=builder.chance(0.2))
    if builder.chance(0.45):
        place = builder.dwelling(town, kind="rental")
    else:
        place = country.some(rng, town, "hotel")
    nights = int(rng.integers(2, 9))
    day = int(rng.integers(0, max(1, builder.days - nights)))
    for one in home.people:
        ledger.stays.append(Stay(one, day, nights, place))
    stranger = new_person(builder, home.account, place, "stranger", "adult")
    person = ledger.people[stranger]
    person.first = float(day + nights)
    person.last = person.first + float(rng.exponential(25.0)) + 1.0
    person.office, person.tunnel, person.age = -1, "", AGES.index("adult")
    builder.device(home.account, stranger, "tv", place, first=float(day), role="stranger")
