"""Who sits down to watch, when, where and on what.

A person sits down some times a day; a sitting falls into a part of the day that suits the age; it
takes place where that person is then, on a screen that stands there or on a device at hand, and
lasts for some plays in a row. Two who choose one screen at once watch together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.simulation.third_hand.chance import share_of
from household_ml.simulation.third_hand.days import Calendar
from household_ml.simulation.third_hand.homes import Builder
from household_ml.simulation.third_hand.ledger import AGES, column

__all__ = ["Sittings", "sit_down"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Parts of a day: first and most likely and last hour; the first one lies after midnight.
_PARTS: Final = (
    ("small_hours", 24.0, 24.3, 27.5),
    ("before_dawn", 27.0, 28.5, 30.0),
    ("morning", 6.0, 8.0, 10.5),
    ("commute", 7.0, 8.0, 19.5),
    ("lunch", 11.0, 12.7, 14.0),
    ("afternoon", 13.5, 16.5, 18.5),
    ("supper", 17.5, 19.2, 20.5),
    ("evening", 19.5, 21.0, 24.3),
)
MORNING, COMMUTE, LUNCH, AFTERNOON = 2, 3, 4, 5

#: Weights of the parts by age, on working days and on free days.
_WORKING: Final = {
    "child": (0.0, 0.0, 1.5, 0.1, 0.6, 4.0, 3.5, 1.6),
    "teen": (0.7, 0.15, 0.5, 0.35, 0.6, 2.6, 2.0, 4.0),
    "young": (2.0, 0.7, 0.4, 0.5, 0.9, 1.2, 1.7, 4.6),
    "adult": (0.9, 0.35, 0.5, 0.35, 0.8, 0.8, 1.4, 5.0),
    "senior": (0.4, 0.4, 0.8, 0.1, 1.2, 3.0, 1.8, 3.6),
}
_FREE: Final = {
    "child": (0.05, 0.0, 3.0, 0.1, 1.2, 3.4, 2.5, 1.8),
    "teen": (1.3, 0.4, 0.8, 0.3, 1.3, 3.0, 1.8, 4.0),
    "young": (2.6, 1.0, 0.8, 0.4, 1.5, 2.6, 1.7, 4.4),
    "adult": (1.1, 0.4, 1.2, 0.3, 1.2, 2.2, 1.5, 5.0),
    "senior": (0.4, 0.4, 0.9, 0.1, 1.2, 3.0, 1.6, 3.8),
}
#: Leaning to a fixed screen where one stands, by age.
_SCREEN: Final = (0.85, 0.52, 0.66, 0.92, 0.95)
#: Chance to be out of the house in each part, for who has nothing to be out for.
_OUT: Final = np.array([0.01, 0.0, 0.02, 0.45, 0.06, 0.07, 0.03, 0.015])


@dataclass(slots=True)
class Sittings:
    """Sittings as columns of one length.

    Attributes
    ----------
    person, device : ndarray of int64
        Who, on what.
    day, part : ndarray of int64
        Day, and index in the parts of the day.
    place : ndarray of int64
        Where; -1 = on the move.
    town : ndarray of int64
        Town of it.
    start : ndarray of float64
        Days since the start of the world, UTC.
    """

    person: Ints
    device: Ints
    day: Ints
    part: Ints
    place: Ints
    town: Ints
    start: Floats

    def take(self, rows: Any) -> Sittings:
        """Some of them."""
        return Sittings(*(getattr(self, name)[rows] for name in self.__slots__))

    def __len__(self) -> int:
        return int(self.person.size)


def sit_down(
    builder: Builder, calendar: Calendar, slept: npt.NDArray[np.int32], seed: int
) -> Sittings:
    """Draw all sittings of a world.

    Parameters
    ----------
    builder : Builder
        With everybody and all devices.
    calendar : Calendar
        The days.
    slept : ndarray of int32, shape (people, days)
        Where everybody sleeps.
    seed : int
        Of what is drawn by who and when.
    """
    rng, people = builder.rng, builder.ledger.people
    count = rng.poisson(_rates(builder, calendar))
    flat = np.flatnonzero(count)
    cell = np.repeat(flat, count.ravel()[flat])
    person, day = np.divmod(cell, calendar.days)
    age = column(people, "age", np.int64)[person]
    free = (calendar.weekday[day] >= 5) | (calendar.holiday[day] & (age <= 1))
    part = _parts(rng, age, free)
    low, mode, high = (np.array([one[number] for one in _PARTS]) for number in (1, 2, 3))
    hour = rng.triangular(low[part], mode[part], high[part])
    hour += 0.6 * column(people, "late", np.float64)[person] * (part != COMMUTE)
    hour = np.where(part == COMMUTE, np.where(rng.random(part.size) < 0.5, 7.2, 17.3), hour)
    hour += np.where(part == COMMUTE, rng.gamma(2.0, 0.4, part.size), 0.0)
    place, night = _where(builder, calendar, slept, person, day, part)
    towns = column(builder.country.places, "town", np.int64)
    town = towns[np.where(place >= 0, place, night)]
    offsets = calendar.offsets(builder.country.zone)
    start = day + hour / 24.0 - offsets[town, day] / 1440.0
    device = _devices(builder, person, day + (part <= 1), part, place, seed)
    sittings = Sittings(person, device, day, part, place, town, start)
    kept = np.flatnonzero((device >= 0) & (start >= 0.0) & (start < calendar.days))
    together = (device[kept] * calendar.days + day[kept]) * len(_PARTS) + part[kept]
    return sittings.take(kept[np.sort(np.unique(together, return_index=True)[1])])


def _rates(builder: Builder, calendar: Calendar) -> Floats:
    """Mean number of sittings by person and day."""
    rng, people = builder.rng, builder.ledger.people
    size, weeks = len(people), calendar.days // 7 + 2
    # a series is begun, watched to the end, and for some weeks there is nothing
    mood = rng.gamma(1.4, 1.0 / 1.4, (size, weeks))
    mood[:, 1:] = 0.5 * mood[:, 1:] + 0.5 * mood[:, :-1]
    mood *= rng.random((size, weeks)) > 0.08
    accounts = len(builder.ledger.accounts)
    family = rng.lognormal(-0.15, 0.55, accounts)[column(people, "account", np.int64)]
    week = (np.arange(calendar.days) + 3) // 7
    rhythm = calendar.watching * np.where(calendar.weekday >= 5, 1.2, 0.92)
    day = np.arange(calendar.days)[None, :]
    used = day >= np.floor(column(people, "first", np.float64))[:, None]
    used &= day < column(people, "last", np.float64)[:, None]
    appetite = column(people, "appetite", np.float64) * family
    return np.asarray(np.minimum(appetite[:, None] * mood[:, week] * rhythm, 9.0) * used)


def _parts(rng: np.random.Generator, age: Ints, free: npt.NDArray[np.bool_]) -> Ints:
    """Part of the day of each sitting."""
    weights = np.array([[table[one] for one in AGES] for table in (_WORKING, _FREE)])
    share = np.cumsum(weights, axis=2)
    share /= share[:, :, -1:]
    dice = rng.random(age.size)
    return np.asarray((dice[:, None] > share[free.astype(int), age]).sum(axis=1))


def _where(
    builder: Builder,
    calendar: Calendar,
    slept: npt.NDArray[np.int32],
    person: Ints,
    day: Ints,
    part: Ints,
) -> tuple[Ints, Ints]:
    """Place of each sitting (-1 = on the move), and the bed that is nearest to it."""
    rng, people = builder.rng, builder.ledger.people
    before = slept[person, np.maximum(day - 1, 0)].astype(np.int64)
    after = slept[person, day].astype(np.int64)
    night = np.where((part == MORNING) | (part == LUNCH), before, after)
    office = column(people, "office", np.int64)[person]
    bits = column(people, "office_days", np.int64)[person]
    works = (office >= 0) & (bits >> calendar.weekday[day] & 1 == 1)
    kinds = np.array([place.kind for place in builder.country.places])
    towns = column(builder.country.places, "town", np.int64)
    settled = np.isin(kinds[before], ("dwelling",)) & (towns[before] == towns[office])
    works &= settled
    works &= ~(calendar.holiday[day] & (rng.random(day.size) < 0.3))
    dice = rng.random(day.size)
    at_work = works & ((part == LUNCH) | (part == AFTERNOON)) & (dice < 0.55)
    out = dice < np.where(works & (part == COMMUTE), 1.0, _OUT[part])
    travels = (towns[before] != towns[after]) & ((part == AFTERNOON) | (part == COMMUTE))
    out |= travels & (dice > 0.45)
    bound = column(people, "role", "U16")[person] == "stranger"
    place = np.where(at_work, office, np.where(out, -1, night))
    return np.where(bound, night, place), night


def _devices(
    builder: Builder,
    person: Ints,
    day: Ints,
    part: Ints,
    place: Ints,
    seed: int,
) -> Ints:
    """Device of each sitting; -1 = nothing at hand."""
    rng, ledger = builder.rng, builder.ledger
    people, devices = ledger.people, ledger.devices
    account = column(people, "account", np.int64)[person]
    places = len(builder.country.places)
    first, last = column(devices, "first", np.float64), column(devices, "last", np.float64)
    owner = column(devices, "owner", np.int64)
    stands = column(devices, "place", np.int64)
    later = column(devices, "next_place", np.int64)
    moves = np.minimum(column(devices, "moves_on", np.float64), 1e9)
    moves = np.where(later >= 0, moves, 1e9)
    fixed = np.flatnonzero(stands >= 0)
    moved = np.flatnonzero((stands >= 0) & (later >= 0))
    whose = column(devices, "account", np.int64)
    screens = _Choice(
        np.concatenate(
            [whose[fixed] * places + stands[fixed], whose[moved] * places + later[moved]]
        ),
        np.concatenate([fixed, moved]),
        np.concatenate([first[fixed], np.maximum(first, moves)[moved]]),
        np.concatenate([np.minimum(last, moves)[fixed], last[moved]]),
    )
    at_hand = np.flatnonzero(stands < 0)
    pockets = _Choice(owner[at_hand], at_hand, first[at_hand], last[at_hand])
    middle = day.astype(np.float64) + 0.5
    dice = rng.random(day.size)
    screen = screens.choose(np.where(place >= 0, account * places + place, -1), dice**1.6, middle)
    phone = np.array([device.kind == "phone" for device in devices] or [False])
    single = pockets.choose(person, np.zeros(day.size), middle)
    other = pockets.choose(person, rng.random(day.size), middle)
    # a tablet or a computer goes along on half of the trips, and seldom on the way to work
    bed = column(people, "home", np.int64)[person]
    away = (place != bed) & (place != column(people, "next_home", np.int64)[person])
    away &= place != column(people, "other_home", np.int64)[person]
    left = share_of(seed, np.maximum(other, 0), day // 4) < np.where(place < 0, 0.85, 0.5)
    pocket = np.where((other >= 0) & away & left & ~phone[other], single, other)
    leaning = np.array(_SCREEN)[column(people, "age", np.int64)[person]]
    leaning = leaning * column(people, "screen", np.float64)[person]
    leaning = np.minimum(leaning * builder.rates.screen_love / 0.55, 0.96)
    leaning = np.where((part == MORNING) | (part == LUNCH), leaning * 0.75, leaning)
    chosen = np.where(rng.random(day.size) < leaning, screen, -1)
    chosen = np.where(chosen >= 0, chosen, pocket)
    return np.asarray(np.where(chosen >= 0, chosen, screen))


class _Choice:
    """Things by key, each there for a time, to choose among."""

    def __init__(self, key: Ints, thing: Ints, first: Floats, last: Floats) -> None:
        order = np.lexsort((thing, key))
        self._key, self._thing = key[order], thing[order]
        self._first, self._last = first[order], last[order]

    def choose(self, key: Ints, dice: Floats, when: Floats) -> Ints:
        """Choose one that is there then, those first in order for low dice; -1 = none."""
        low = np.searchsorted(self._key, key, side="left")
        count = np.searchsorted(self._key, key, side="right") - low
        found = np.full(key.size, -1, np.int64)
        if not self._key.size:
            return found
        wish = (dice * count).astype(np.int64)
        for turn in range(6):
            open_ = (found < 0) & (turn < count)
            at = np.where(open_, low + (wish + turn) % np.maximum(count, 1), 0)
            fits = open_ & (self._first[at] <= when) & (when < self._last[at])
            found[fits] = self._thing[at[fits]]
        return found
