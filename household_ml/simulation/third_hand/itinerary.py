"""Where everybody sleeps every night, as one table of people by days.

A life is painted in layers: the dwelling, then what alternates by the week, then trips, visits and
stays in hospital. What was painted last holds.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from household_ml.simulation.third_hand.days import Calendar
from household_ml.simulation.third_hand.homes import Builder
from household_ml.simulation.third_hand.ledger import AGES, OUTSIDE, Person, Stay, column

__all__ = ["nights", "plan_trips"]

#: Nights of a trip, and how often (54 to 58 % of trips have 1 to 3 nights; mean about 5).
_LENGTHS = (1, 2, 2, 3, 3, 4, 5, 7, 7, 14)
_MEAN_LENGTH = 4.8


def plan_trips(builder: Builder, calendar: Calendar) -> None:
    """Add trips, visits, hospital stays and seasonal work to the ledger.

    Parameters
    ----------
    builder : Builder
        With everybody in it.
    calendar : Calendar
        When people travel.
    """
    people = builder.ledger.people
    members: dict[int, list[int]] = defaultdict(list)
    outside: dict[int, list[int]] = defaultdict(list)
    for number, person in enumerate(people):
        (outside if person.role in OUTSIDE else members)[person.account].append(number)
    season = np.cumsum(calendar.away / calendar.away.sum())
    rate = builder.rates.nights_away / 365.0 / _MEAN_LENGTH * float(calendar.away.sum())
    for account, group in members.items():
        _family_trips(builder, account, group, outside[account], season, rate)
    for number, person in enumerate(people):
        _own_absences(builder, number, person, season, rate)
        if person.visits:
            _visit(builder, number, person)


def _family_trips(
    builder: Builder,
    account: int,
    group: list[int],
    outside: list[int],
    season: npt.NDArray[np.float64],
    rate: float,
) -> None:
    """Trips of those who live together; most go together, some go alone."""
    rng, ledger = builder.rng, builder.ledger
    record = ledger.accounts[account]
    stayer = rng.random() < 0.26  # a quarter of people spend no night away
    second = [ledger.people[one].other_home for one in group if not ledger.people[one].rhythm]
    villa = max(second, default=-1)
    count = rng.poisson(rate * (0.2 if stayer else 1.28) * (2.0 if villa >= 0 else 1.0))
    for _ in range(int(count)):
        day = int(np.searchsorted(season, rng.random()))
        length = int(_LENGTHS[int(rng.integers(len(_LENGTHS)))])
        place = _destination(builder, record.home, record.market, villa, outside)
        goes = group if rng.random() < 0.6 else [group[int(rng.integers(len(group)))]]
        ledger.stays.extend(Stay(one, day, length, place) for one in goes)
    if villa >= 0:  # week-ends in the second home besides
        for day in rng.integers(0, builder.days, int(rng.poisson(builder.days / 45.0))):
            friday = int(day) // 7 * 7 + 4
            ledger.stays.extend(Stay(one, friday, 2, villa) for one in group)


def _destination(builder: Builder, home: int, market: int, villa: int, outside: list[int]) -> int:
    """Choose where a trip goes: kin (half of them those who share the account), hotel, flat."""
    rng, country, ledger = builder.rng, builder.country, builder.ledger
    dice = rng.random()
    if villa >= 0 and dice < 0.5:
        return villa
    if dice < 0.42:
        kin = [one for one in outside if ledger.people[one].role not in ("stranger", "thief")]
        if kin and rng.random() < 0.5:
            return ledger.people[kin[int(rng.integers(len(kin)))]].home
        # kin live in dwellings too, some of which are those of other accounts
        for _ in range(4):
            other = ledger.accounts[int(rng.integers(len(ledger.accounts)))]
            if other.market == market and other.home != home:
                return other.home
    town = country.holiday_town(rng, market, abroad=rng.random() < 0.15)
    if rng.random() < 0.6:
        return country.some(rng, town, "hotel")
    return _rental(builder, town)


def _rental(builder: Builder, town: int) -> int:
    """A flat to let, the same one for many guests over the year."""
    key = (town, "rental")
    flats = builder.country.public.setdefault(key, [])
    if len(flats) < 6:
        flats.append(builder.dwelling(town, kind="rental"))
        return flats[-1]
    return builder.country.some(builder.rng, town, "rental")


def _own_absences(
    builder: Builder,
    number: int,
    person: Person,
    season: npt.NDArray[np.float64],
    rate: float,
) -> None:
    """Hospital, seasonal work, and the trips of those who do not live in the account's home."""
    rng, country, ledger = builder.rng, builder.country, builder.ledger
    if person.role in ("guest", "stranger"):
        return
    town = country.places[person.home].town
    quarter = builder.days / 90.0
    if rng.random() < (0.03 if AGES[person.age] == "senior" else 0.006) * quarter:
        day, length = int(rng.integers(builder.days)), 2 + int(rng.exponential(5.0))
        ledger.stays.append(Stay(number, day, length, country.some(rng, town, "hospital")))
    if AGES[person.age] in ("young", "adult"):
        market = int(country.market[town])
        if rng.random() < 0.006 * quarter and person.role == "resident":
            away = _rental(builder, country.holiday_town(rng, market, abroad=False))
            day, length = int(rng.integers(builder.days)), int(rng.integers(25, 80))
            ledger.stays.append(Stay(number, day, length, away))
        if rng.random() < 0.03 * quarter:  # travels for work, the same hotel again and again
            hotel = country.some(rng, country.elsewhere(rng, town, near=0.0), "hotel")
            for week in range(int(rng.integers(3)), builder.days // 7, int(rng.integers(1, 4))):
                ledger.stays.append(Stay(number, 7 * week + 1, 2, hotel))
    if person.role in OUTSIDE:
        for _ in range(int(rng.poisson(rate))):
            day = int(np.searchsorted(season, rng.random()))
            away = country.holiday_town(rng, int(country.market[town]), abroad=False)
            length = int(_LENGTHS[int(rng.integers(len(_LENGTHS)))])
            ledger.stays.append(Stay(number, day, length, country.some(rng, away, "hotel")))


def _visit(builder: Builder, number: int, person: Person) -> None:
    """Visits to the account's home: for a night, or for the evening, when the phone comes along."""
    rng, ledger = builder.rng, builder.ledger
    record = ledger.accounts[person.account]
    day = float(rng.uniform(0.0, person.visits))
    while day < builder.days:
        home = record.home if day < record.moves_on else record.next_home
        ledger.stays.append(Stay(number, int(day), 1 + int(rng.random() < 0.25), home))
        day += person.visits * float(rng.uniform(0.85, 1.15))


def nights(builder: Builder, calendar: Calendar) -> npt.NDArray[np.int32]:
    """Place where everybody sleeps.

    Parameters
    ----------
    builder : Builder
        With all stays in its ledger.
    calendar : Calendar
        The days.

    Returns
    -------
    ndarray of int32, shape (people, days)
    """
    people, days = builder.ledger.people, calendar.days
    day = np.arange(days)
    home = column(people, "home", np.int32)[:, None]
    later = column(people, "next_home", np.int32)[:, None]
    moved = day[None, :] >= column(people, "moves_on", np.float64)[:, None]
    slept: npt.NDArray[np.int32] = np.where(moved & (later >= 0), later, home)
    other = column(people, "other_home", np.int32)
    for row in np.flatnonzero(column(people, "rhythm", np.int64)):
        slept[row, _alternates(people[row], calendar)] = other[row]
    slept = np.ascontiguousarray(slept)
    for stay in builder.ledger.stays:
        slept[stay.person, max(0, stay.first) : max(0, stay.first + stay.nights)] = stay.place
    return slept


def _alternates(person: Person, calendar: Calendar) -> npt.NDArray[np.bool_]:
    """On which days somebody is at the second dwelling."""
    day, weekday = np.arange(calendar.days), calendar.weekday
    week = (day + person.phase - weekday[0]) // 7
    if person.rhythm == 1:  # the change is on Friday after school
        away = (day + person.phase + 3) // 7 % 2 == 0
    elif person.rhythm == 2:  # weekdays with one parent, every other week-end with the other
        away = (weekday >= 4) & (weekday <= 5) & (week % 2 == 0)
    elif person.rhythm == 5:  # two days, two days, and the week-end by turns
        away = (weekday < 2) | ((weekday >= 4) & (week % 2 == 0))
    else:
        away = weekday < 4
        if person.rhythm == 4:  # comes home every third week-end alone
            away |= (week + person.phase) % 3 > 0
        away &= ~calendar.holiday
    if person.moves_on < calendar.days and person.role == "former":
        away &= day < person.moves_on
    return np.asarray(away)
