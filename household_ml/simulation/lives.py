"""Where people are: nights at home, elsewhere or on a trip, and days at work, out or on visits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from household_ml.simulation.hashing import uniform
from household_ml.simulation.population import (
    ALTERNATING,
    BORROWER,
    EX_MEMBER,
    MONTHLY,
    NEVER,
    RESIDENT,
    STUDENT,
    WEEKDAY_WORKER,
    WEEKLY_VISITS,
    Population,
)

__all__ = ["Lives", "lead_lives", "main_home"]

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Trips a month, relative to the mean: the peak is in August [S2], the rest [G].
_SEASON = np.array([0.7, 1.0, 0.8, 1.1, 1.1, 1.0, 1.6, 2.2, 0.8, 0.9, 0.7, 1.1])


@dataclass(frozen=True, slots=True, eq=False)
class Lives:
    """Days of some people; a day ends at five in the morning.

    Attributes
    ----------
    night : ndarray of int32, shape (P, D)
        Place where the person is but for excursions.
    trip : ndarray of int32, shape (P, D)
        Number of the trip that the person is on; 0 = none.
    at_work, at_friend : ndarray of bool, shape (P, D)
        Works away from home; spends the evening at the friend's.
    visit : ndarray of int32, shape (P, D)
        Place visited in the afternoon and evening, -1 = none.
    shows_up : ndarray of bool, shape (P, D)
        Visits in order to be seen there.
    day_of_week : ndarray of int64, shape (D,)
        0 = Monday.
    """

    night: I32
    trip: I32
    at_work: Bools
    at_friend: Bools
    visit: I32
    shows_up: Bools
    day_of_week: I64


def main_home(population: Population, account: I64, day: I64) -> I64:
    """Main home of accounts on days, shapes broadcast together."""
    accounts = population.accounts
    moved = day >= accounts.moved[account]
    return np.where(moved, accounts.home_after[account], accounts.home[account])


def _trip_weights(start: str, days: int) -> F64:
    dates = np.datetime64(start) + np.arange(days)
    month = dates.astype("datetime64[M]").astype(np.int64) % 12
    weekday = (dates.astype(np.int64) + 3) % 7
    weight: F64 = _SEASON[month] * np.where(weekday >= 4, 1.5, 0.8)
    return weight


class _Calendar:
    """Fills the days of one chunk of people."""

    def __init__(self, population: Population, people: I64, rng: np.random.Generator) -> None:
        self.population, self.world = population, population.world
        self.rows, self.rng, self.days = people, rng, population.days
        table = population.people
        self.household = table.household[people]
        self.account = table.account[people]
        self.day = np.arange(self.days)
        self.weekday = (np.datetime64(self.world.start).astype(np.int64) + 3 + self.day) % 7
        switched = self.day[None, :] >= table.switched[people][:, None]
        self.base = np.where(
            switched, table.home_after[people][:, None], table.home[people][:, None]
        ).astype(np.int32)
        self.night = self.base.copy()
        self.trip = np.zeros(self.base.shape, dtype=np.int32)
        self.trips = 0
        self.weights = _trip_weights(self.world.start, self.days)

    def alternate(self) -> None:
        """Students, weekday workers and children of two homes."""
        table, rng = self.population.people, self.rng
        kind = table.alternates[self.rows]
        place = table.alternative[self.rows]
        weeks = (np.datetime64(self.world.start).astype(np.int64) + 3 + self.day) // 7
        weekend = self.weekday >= 4
        month = (np.datetime64(self.world.start) + self.day).astype("datetime64[M]")
        holidays = np.isin(month.astype(np.int64) % 12, [6, 7])
        size = len(self.rows)

        def elsewhere(rows: I64, is_away: Bools) -> None:
            self.night[rows] = np.where(is_away, place[rows][:, None], self.night[rows])

        student = np.flatnonzero(kind == STUDENT)
        back = uniform(student[:, None], weeks[None, :], self.population.seed, 31)
        often = rng.uniform(0.1, 0.7, size)[student]
        away = ~((back < often[:, None]) & weekend[None, :])
        summer = uniform(student, 32) < 0.6
        elsewhere(student, away & ~(holidays[None, :] & summer[:, None]))
        worker = np.flatnonzero(kind == WEEKDAY_WORKER)
        office = uniform(worker[:, None], weeks[None, :], self.population.seed, 33) < 0.9
        elsewhere(worker, office & (self.weekday < 4)[None, :])
        child = np.flatnonzero(kind == ALTERNATING)
        parity = (weeks[None, :] + child[:, None]) % 2 == 0
        weekly = uniform(child, 34) < 0.55
        elsewhere(child, np.where(weekly[:, None], parity, parity & weekend[None, :]))

    def _go(self, member: I64, start: I64, nights: I64, place: I64) -> None:
        """Send people on one trip each."""
        self.trips += 1
        inside = (self.day[None, :] >= start[:, None]) & (
            self.day[None, :] < (start + nights)[:, None]
        )
        rows, columns = np.nonzero(inside)
        self.night[member[rows], columns] = place[rows]
        self.trip[member[rows], columns] = self.trips

    def travel(self) -> None:
        """Trips of households, with those of their members who come along."""
        world, rng, days = self.world, self.rng, self.days
        table, population = self.population.households, self.population
        house, member_of = np.unique(self.household, return_inverse=True)
        role = table.role[house]
        travels = population.people.traveller[self.rows]
        per_trip = world.trip_nights * world.travellers * 0.85
        rate = np.where(role <= EX_MEMBER, world.nights_away / per_trip * days / 365, 0.0)
        rate = rate * self.weights.mean()
        number = np.minimum(rng.poisson(rate), 40)
        second = table.second_home[house]
        to_second = rng.poisson(
            np.where(second >= 0, world.second_home_nights / 3.5 * days / 365, 0.0)
        )
        odds = np.cumsum(self.weights / self.weights.sum())
        for turn in range(int(max(number.max(initial=0), to_second.max(initial=0)))):
            for planned, is_second in ((number, False), (to_second, True)):
                goes = planned > turn
                size = len(house)
                start = np.searchsorted(odds, rng.random(size)).astype(np.int64)
                # a trip may have begun before the window does
                start = np.minimum(start, days - 1) - (rng.random(size) < 0.03) * 3
                long = 4 + rng.geometric(1.0 / max(self._long_mean() - 3.0, 1.01), size) - 1
                nights = np.where(
                    rng.random(size) < world.short_trips, rng.integers(1, 4, size), long
                )
                place = second if is_second else self._destination(house, second)
                if is_second:
                    nights = np.minimum(nights, 7)
                joins = rng.random(len(self.rows)) < (0.9 if is_second else 0.85)
                member = np.flatnonzero(goes[member_of] & travels & joins)
                at = member_of[member]
                self._go(member, start[at], nights[at], place[at])
        stays = table.stay_day[house] < NEVER
        member = np.flatnonzero(stays[member_of] & population.people.adult[self.rows])
        at = house[member_of[member]]
        self._go(member, table.stay_day[at], table.stay_nights[at], table.stay_place[at])

    def _long_mean(self) -> float:
        world = self.world
        return max((world.trip_nights - 2.0 * world.short_trips) / (1.0 - world.short_trips), 4.5)

    def _destination(self, house: I64, second: I64) -> I64:
        world, rng, population = self.world, self.rng, self.population
        table, size = population.households, len(house)
        kind = rng.choice(3, size, p=world.trips_to)
        kind = np.where((kind == 1) & (second < 0), 2, kind)
        borrower = table.borrower_place[house]
        to_borrower = (borrower >= 0) & (rng.random(size) < world.trips_to_borrower)
        kin = np.where(to_borrower, borrower, table.kin_place[house])
        kin = np.where(kin >= 0, kin, rng.choice(population.dwellings, size))
        abroad = rng.random(size) < world.trips_abroad
        hotel = np.where(
            abroad,
            rng.choice(population.hotels_abroad, size),
            rng.choice(population.hotels, size),
        )
        paid = np.where(rng.random(size) < 0.55, hotel, rng.choice(population.dwellings, size))
        return np.where(kind == 0, kin, np.where(kind == 1, second, paid))

    def days_out(self) -> Lives:
        """Work, evenings with friends and visits to the account's main home."""
        world, rng, population = self.world, self.rng, self.population
        table, house = population.people, population.households
        shape = self.night.shape
        usual = self.trip == 0
        at_work = (
            (table.work[self.rows] >= 0)[:, None]
            & (self.weekday < 5)[None, :]
            & usual
            & (rng.random(shape) < world.at_work)
        )
        lives = np.isin(table.role[self.rows], [RESIDENT, BORROWER, EX_MEMBER])
        at_friend = usual & lives[:, None] & (rng.random(shape) < world.friend_evenings)

        visit = np.full(shape, -1, dtype=np.int32)
        shows_up = np.zeros(shape, dtype=bool)
        role, own = house.role[self.household], self.household
        outside = np.isin(role, [BORROWER, EX_MEMBER])
        evasion = house.evasion[own]
        natural = np.where(outside & house.in_town[own], world.visits_in_town / 30.4, 0.0)
        often = rng.gamma(1.0, 1.0, len(own))
        visits = rng.random(shape) < (natural * often)[:, None]
        weekend = (self.weekday >= 5)[None, :]
        visits &= weekend | (rng.random(shape) < 0.5)
        for kind, gap, slack in ((MONTHLY, 28, 5), (WEEKLY_VISITS, 7, 2)):
            rows = np.flatnonzero(outside & (evasion == kind))
            if not len(rows):
                continue
            # a household goes together, on about the same day of every round
            phase = (uniform(own[rows], 41, population.seed) * gap).astype(np.int64)
            rounds = np.arange(-1, self.days // gap + 1)
            jitter = uniform(own[rows][:, None], rounds[None, :], 42, population.seed)
            at = phase[:, None] + rounds[None, :] * gap + (jitter * slack).astype(np.int64)
            comes = rng.random(at.shape) < 0.9
            inside = comes & (at >= 0) & (at < self.days)
            which, turn = np.nonzero(inside)
            visits[rows[which], at[which, turn]] = True
            shows_up[rows[which], at[which, turn]] = True
        where = main_home(population, self.account[:, None], self.day[None, :])
        visits &= usual & (self.night != where)
        shows_up &= visits
        visit[visits] = where[visits]
        return Lives(
            night=self.night,
            trip=self.trip,
            at_work=at_work,
            at_friend=at_friend & ~visits,
            visit=visit,
            shows_up=shows_up,
            day_of_week=self.weekday,
        )


def lead_lives(population: Population, people: I64, rng: np.random.Generator) -> Lives:
    """Decide where some people are on every day of the window.

    Parameters
    ----------
    population : Population
    people : ndarray of int64, shape (P,)
        Rows of the table of people; whole accounts.
    rng : Generator

    Returns
    -------
    Lives
    """
    calendar = _Calendar(population, people, rng)
    calendar.alternate()
    calendar.travel()
    return calendar.days_out()
