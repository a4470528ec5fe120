"""Who there is: accounts, households, people, the places they live in and the devices they carry.

Everything here holds for the whole window; what people do on a day is in `lives`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from household_ml.schema import DEVICE_TYPES
from household_ml.simulation.access import (
    BUSINESS,
    CAMPUS,
    CELLULAR,
    FOREVER,
    VPN,
    Carriers,
    Geography,
    Lines,
    Network,
    connect,
    survey,
)
from household_ml.simulation.leases import DAY
from household_ml.simulation.pools import Ranges
from household_ml.simulation.world import World

__all__ = ["Accounts", "Devices", "Households", "People", "Places", "Population", "populate"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: A day after the end of every simulation.
NEVER = 1 << 20

# kinds of places
HOME, OTHER_DWELLING, HOTEL, WORKPLACE, CAMPUS_SITE, CAFE = range(6)

# roles of people
RESIDENT, BORROWER, EX_MEMBER, CUSTODY_PARENT, THIEF, STRANGER, GUEST = range(7)

# how people alternate between two dwellings
ONE_DWELLING, STUDENT, WEEKDAY_WORKER, ALTERNATING = range(4)

# evasion
NONE, MONTHLY, WEEKLY_VISITS, TUNNEL, HOTSPOT = range(5)

# second access of a home
NO_SECOND, FALLBACK, SECOND_ISP = range(3)

TV, BOX, STICK, CONSOLE, PHONE, TABLET, COMPUTER, OTHER = range(len(DEVICE_TYPES))


@dataclass(frozen=True, slots=True, eq=False)
class Accounts:
    """One row per account; `moved` is the day on which home becomes home_after."""

    region: I64
    home: I64
    home_after: I64
    moved: I64
    plays: F64
    first_day: I64
    extra_members: I64


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """One row per place; `line` becomes `line_after` at minute `changed`."""

    kind: I64
    region: I64
    line: I64
    line_after: I64
    changed: I64
    second: I64
    second_mode: I64


@dataclass(frozen=True, slots=True, eq=False)
class Households:
    """People who live and travel together; one row each."""

    account: I64
    role: I64
    kin_place: I64
    borrower_place: I64
    second_home: I64
    evasion: I64
    in_town: Bools
    same_isp: Bools
    same_nat: Bools
    paid_slot: Bools
    tv_only: Bools
    stay_place: I64
    stay_day: I64
    stay_nights: I64


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """One row per person, ordered by account; `home` becomes `home_after` on day `switched`."""

    account: I64
    household: I64
    role: I64
    adult: Bools
    home: I64
    home_after: I64
    switched: I64
    alternates: I64
    alternative: I64
    plays: F64
    shift: F64
    work: I64
    commutes: Bools
    traveller: Bools
    mobile: I64
    cellular_only: Bools
    phone_centric: Bools
    vpn_always: Bools
    vpn_line: I64
    out: F64
    friend: I64
    first_day: I64
    last_day: I64
    forced_day: I64
    profile: I64


@dataclass(frozen=True, slots=True, eq=False)
class Devices:
    """One row per device id, ordered by account.

    `owner` is -1 for devices that stay at a place: `anchor`, then `anchor_after` from day
    `switched` on. `born` and `dead` are the days between which the id is in use.
    """

    account: I64
    household: I64
    owner: I64
    kind: I64
    anchor: I64
    anchor_after: I64
    switched: I64
    born: I64
    dead: I64
    weight: F64
    v6: Bools
    fixed_id: Bools
    stale: Bools
    second_home: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """All of a world that lasts."""

    world: World
    days: int
    seed: int
    geography: Geography
    network: Network
    mobile_line: I64
    accounts: Accounts
    places: Places
    households: Households
    people: People
    devices: Devices
    hotels: I64
    hotels_abroad: I64
    dwellings: I64
    cafes: I64


Row = TypeVar("Row")


class _Register:
    """Rows of one kind that are still being added to."""

    def __init__(self, kind: type[Any], **defaults: object) -> None:
        self._kind, self._defaults, self.count = kind, defaults, 0
        self._blocks: dict[str, list[NDArray[Any]]] = {item.name: [] for item in fields(kind)}

    def add(self, size: int, **columns: object) -> I64:
        """Add rows and give their numbers."""
        for name, blocks in self._blocks.items():
            value = np.asarray(columns.pop(name) if name in columns else self._defaults[name])
            blocks.append(np.broadcast_to(value, (size,)))
        if columns:
            raise TypeError(f"no such columns: {sorted(columns)}")
        self.count += size
        return np.arange(self.count - size, self.count)

    def __getitem__(self, name: str) -> NDArray[Any]:
        self._blocks[name] = [np.concatenate(self._blocks[name])]
        return self._blocks[name][0]

    def put(self, name: str, rows: I64, values: object) -> None:
        """Change values of rows that are there."""
        column = self[name].copy()
        column[rows] = values
        self._blocks[name] = [column]

    def finish(self, order: I64 | None = None) -> Any:
        """Give the rows as the frozen table."""
        taken = slice(None) if order is None else order
        return self._kind(**{name: self[name][taken] for name in self._blocks})


class _Town:
    """Builds a population step by step; the steps are in the order of `populate`."""

    def __init__(self, world: World, accounts: int, days: int, ranges: Ranges, seed: int) -> None:
        self.world, self.size, self.days, self.seed = world, accounts, days, seed
        self.rng = np.random.default_rng([seed, 1])
        self.geography = survey(world, self.rng)
        self.carriers: Carriers = connect(world, self.geography, accounts, ranges, self.rng, seed)
        self.lines = Lines(world, self.geography, self.carriers)
        self.places = _Register(
            Places, line_after=-1, changed=FOREVER, second=-1, second_mode=NO_SECOND
        )
        self.households = _Register(
            Households,
            kin_place=-1,
            borrower_place=-1,
            second_home=-1,
            evasion=NONE,
            in_town=False,
            same_isp=False,
            same_nat=False,
            paid_slot=False,
            tv_only=False,
            stay_place=-1,
            stay_day=NEVER,
            stay_nights=0,
        )
        self.people = _Register(
            People,
            adult=True,
            switched=NEVER,
            alternates=ONE_DWELLING,
            alternative=-1,
            shift=0.0,
            work=-1,
            commutes=False,
            traveller=False,
            mobile=0,
            cellular_only=False,
            phone_centric=False,
            vpn_always=False,
            vpn_line=0,
            out=0.0,
            friend=-1,
            first_day=0,
            last_day=NEVER,
            forced_day=-1,
            profile=0,
        )
        self.devices = _Register(
            Devices,
            owner=-1,
            anchor=-1,
            anchor_after=-1,
            switched=NEVER,
            born=0,
            dead=NEVER,
            weight=1.0,
            stale=False,
            second_home=False,
        )

    # places -----------------------------------------------------------------------------------

    def venues(self) -> None:
        """Hotels, workplaces, campuses, cafes and the homes of people without an account."""
        rng, geography, carriers = self.rng, self.geography, self.carriers
        regions = len(geography.country)
        weight = np.where(geography.weight > 0, geography.weight, 0.04)

        def spread(total: float, least: int) -> I64:
            return np.repeat(np.arange(regions), np.maximum((total * weight).astype(int), least))

        def business(kind: int, region: I64) -> I64:
            pool = carriers.business_pool[region, rng.integers(0, 6, len(region))]
            country = geography.country[region]
            v6 = rng.random(len(region)) < 0.25
            line = self.lines.shared(BUSINESS, pool, country, hold=0, v6=v6, alone=True)
            return self.places.add(len(region), kind=kind, region=region, line=line)

        self.hotels = business(HOTEL, spread(self.size * 0.12, 4))
        self.cafes = business(CAFE, spread(self.size * 0.04, 4))
        offices = business(WORKPLACE, spread(self.size * 0.25, 4))
        campus = np.repeat(np.arange(regions), 3)
        pool = carriers.campus_pool[campus, np.tile(np.arange(3), regions)]
        # a campus hands out an address a day, or keeps one for a week, or a new one per play
        hold = rng.choice([0, DAY, 7 * DAY], len(pool))
        line = self.lines.shared(
            CAMPUS, pool, geography.country[campus], hold=hold, v6=rng.random(len(pool)) < 0.5
        )
        self.campuses = self.places.add(len(campus), kind=CAMPUS_SITE, region=campus, line=line)
        self.offices = np.concatenate([offices, self.campuses])
        regions_of = spread(self.size * 0.7, 12)
        self.dwellings = self.dwell(regions_of, kind=OTHER_DWELLING)

        region = np.repeat(np.arange(regions), carriers.mobile_pool.shape[1])
        operator = np.tile(np.arange(carriers.mobile_pool.shape[1]), regions)
        there = carriers.mobile_pool[region, operator] >= 0
        self.mobile_line = np.full(carriers.mobile_pool.shape, -1, dtype=np.int64)
        self.mobile_line[region[there], operator[there]] = self.lines.shared(
            CELLULAR,
            carriers.mobile_pool[region, operator][there],
            geography.country[region[there]],
            hold=int(self.world.mobile_hold_h * 60),
            v6=True,
        )
        places = len(carriers.vpn_pool)
        hold = rng.choice([0, 240, DAY, 7 * DAY], places)
        hold[24:] = 0
        self.vpn_lines = self.lines.shared(
            VPN,
            carriers.vpn_pool,
            carriers.vpn_country,
            hold=hold,
            v6=np.arange(places) >= 22,
        )

    def dwell(
        self,
        region: I64,
        *,
        kind: int = HOME,
        begins: I64 | int = 0,
        ends: I64 | int = FOREVER,
        isp: I64 | None = None,
        behind_nat: Bools | None = None,
        key: I64 | None = None,
        lively: bool = False,
    ) -> I64:
        """Add dwellings with their lines; lively ones may change ISP and have a second access."""
        rng, world, size = self.rng, self.world, len(region)
        columns: dict[str, object] = {}
        if lively:
            rate = world.isp_changes_a_year * self.days / 365
            changes = rng.random(size) < rate
            if key is not None:
                changes &= key < 0
            day = rng.integers(3, max(self.days - 2, 4), size)
            changed = np.where(changes, day * DAY + 14 * 60, FOREVER)
            after = np.full(size, -1, dtype=np.int64)
            after[changes] = self.lines.homes(rng, region[changes], begins=changed[changes])
            has_second = rng.random(size) < world.second_access
            mode = np.where(has_second, rng.choice([FALLBACK, SECOND_ISP], size), NO_SECOND)
            second = np.full(size, -1, dtype=np.int64)
            isp_two = mode == SECOND_ISP
            second[isp_two] = self.lines.homes(rng, region[isp_two])
            back = mode == FALLBACK
            second[back] = self._boxes(region[back])
            columns = {
                "line_after": after,
                "changed": changed,
                "second": second,
                "second_mode": mode,
            }
            ends = np.minimum(ends, changed)
        line = self.lines.homes(
            rng, region, begins=begins, ends=ends, isp=isp, behind_nat=behind_nat, key=key
        )
        return self.places.add(size, kind=kind, region=region, line=line, **columns)

    def _boxes(self, region: I64) -> I64:
        """Egress lines of mobile operators used by 4G boxes in these regions."""
        return self.mobile_line[region, self._mobile_of(self.geography.country[region])]

    def _mobile_of(self, country: I64) -> I64:
        """A mobile operator for each person of a country."""
        carriers, choice = self.carriers, np.zeros(len(country), dtype=np.int64)
        for number in np.unique(country):
            region = int(np.flatnonzero(self.geography.country == number)[0])
            own = np.flatnonzero(carriers.mobile_pool[region] >= 0)
            share = carriers.mobile_share[own] / carriers.mobile_share[own].sum()
            here = country == number
            choice[here] = self.rng.choice(own, int(here.sum()), p=share)
        return choice

    def _near(self, places: I64, region: I64) -> I64:
        """One of the places for each region wanted, in that region where it has one."""
        order = np.argsort(self.places["region"][places], kind="stable")
        ordered = places[order]
        of = self.places["region"][ordered]
        low, high = np.searchsorted(of, region), np.searchsorted(of, region, side="right")
        # a few places are much used, most are not
        draw = self.rng.random(len(region)) ** 1.5
        inside = (low + draw * np.maximum(high - low, 1)).astype(np.int64)
        return ordered[np.where(high > low, np.minimum(inside, len(ordered) - 1), 0)]

    def _home_region(self, size: int) -> I64:
        number = self.geography.home_regions
        return self.rng.choice(number, size, p=self.geography.weight[:number]).astype(np.int64)

    # people -----------------------------------------------------------------------------------

    def owners(self) -> None:
        """Accounts, their main households, homes, moves and second homes."""
        rng, world, size = self.rng, self.world, self.size
        region = self._home_region(size)
        odds = np.array(self.geography.countries[0].sizes)
        odds = odds * world.household_size_tilt ** np.arange(5)
        persons = rng.choice(5, size, p=odds / odds.sum()) + 1
        persons = np.where(persons == 5, 5 + (rng.random(size) < 0.35), persons)
        moves = rng.random(size) < world.moves_a_year * self.days / 365
        moved = np.where(moves, rng.integers(3, max(self.days - 2, 4), size), NEVER)
        home = self.dwell(region, ends=np.where(moves, moved * DAY + 15 * 60, FOREVER), lively=True)
        far = rng.random(size) < 0.3
        new_region = np.where(far, self._home_region(size), region)
        same = np.where(rng.random(size) < 0.5, self._isp_of(home), -1)
        same = np.where(new_region == region, same, -1)
        home_after = np.full(size, -1, dtype=np.int64)
        home_after[moves] = self.dwell(
            new_region[moves], begins=moved[moves] * DAY + 13 * 60, isp=same[moves]
        )
        plays = rng.gamma(world.plays_shape, 1.0 / world.plays_shape, size) * persons**0.35
        plays = np.clip(plays / plays.mean() * world.plays_a_day, 0.05, 14.0)
        late = rng.random(size) < world.short_history
        first_day = np.where(late, rng.integers(0, max(self.days - 5, 1), size), 0)
        self.account = {
            "region": region,
            "home": home,
            "home_after": home_after,
            "moved": moved,
            "plays": plays,
            "first_day": first_day,
        }
        has_second = rng.random(size) < world.second_homes
        second = np.full(size, -1, dtype=np.int64)
        second[has_second] = self.dwell(self._home_region(int(has_second.sum())))
        kin = self._near(self.dwellings, self._kin_regions(region))
        self.main = self.households.add(
            size, account=np.arange(size), role=RESIDENT, kin_place=kin, second_home=second
        )
        who = np.repeat(np.arange(size), persons)
        number = np.arange(len(who)) - np.repeat(np.cumsum(persons) - persons, persons)
        grown_up = rng.random(len(who)) < 0.25
        weight = rng.gamma(1.5, 1.0, len(who)) + 0.05
        weight /= np.bincount(who, weight)[who]
        joins = (number == 1) & (rng.random(len(who)) < world.joiners_a_year * self.days / 365)
        join_day = np.where(joins, rng.integers(5, max(self.days - 2, 6), len(who)), NEVER)
        before = home[who].copy()
        before[joins] = self.dwell(region[who[joins]])
        switched = np.where(joins, join_day, moved[who])
        after = np.where(joins, home[who], home_after[who])
        after = np.where(joins & (moved[who] <= join_day), home_after[who], after)
        # somebody who joins a household that moves later goes with it from the start
        after = np.where(joins & moves[who], home_after[who], after)
        switched = np.where(joins & moves[who], np.maximum(join_day, moved[who]), switched)
        residents = self.people.add(
            len(who),
            account=who,
            household=self.main[who],
            role=RESIDENT,
            adult=(number < 2) | grown_up,
            home=before,
            home_after=after,
            switched=switched,
            plays=plays[who] * weight,
            profile=np.where(rng.random(len(who)) < world.shared_profiles, 0, number),
        )
        self.joined = residents[joins]
        self._two_dwellings(residents, who, region, number < 2)

    def _kin_regions(self, region: I64) -> I64:
        near = self.rng.random(len(region)) < 0.45
        return np.where(near, region, self._home_region(len(region)))

    def _isp_of(self, place: I64) -> I64:
        isp: I64 = self.lines.column("isp")[self.places["line"][place]]
        return isp

    def _two_dwellings(self, residents: I64, account: I64, region: I64, first_two: Bools) -> None:
        """Students, weekday workers and children in alternating custody."""
        rng, world = self.rng, self.world
        adult = self.people["adult"][residents]
        alone = np.bincount(account)[account] == 1
        draw = rng.random(len(residents))
        # of the adults with two dwellings many are those with a second home; the others are
        # grown-up children who study (26 % at the age of 18 [S]) and weekday workers
        young = adult & ~first_two
        works = adult & first_two & (draw < world.dual_adults * np.where(alone, 0.15, 0.35))
        alternates = np.where(young & (draw < 2.4 * world.dual_adults), STUDENT, ONE_DWELLING)
        alternates = np.where(works, WEEKDAY_WORKER, alternates)
        alternates = np.where(~adult & (draw < world.dual_minors), ALTERNATING, alternates)
        away = np.flatnonzero(alternates != ONE_DWELLING)
        where = self._home_region(len(away))
        custody = alternates[away] == ALTERNATING
        where = np.where(custody & (rng.random(len(away)) < 0.85), region[account[away]], where)
        other = self.dwell(where)
        on_campus = (alternates[away] == STUDENT) & (rng.random(len(away)) < 0.3)
        other[on_campus] = self._near(self.campuses, where[on_campus])
        self.people.put("alternates", residents[away], alternates[away])
        alternative = self.people["alternative"].copy()
        alternative[residents[away]] = other
        self.people.put("alternative", residents, alternative[residents])
        parent = rng.random(len(away)) < 0.4
        chosen = away[custody & parent]
        places = other[custody & parent]
        house = self.households.add(
            len(chosen), account=account[chosen], role=CUSTODY_PARENT, in_town=True
        )
        self.people.add(
            len(chosen),
            account=account[chosen],
            household=house,
            role=CUSTODY_PARENT,
            home=places,
            home_after=-1,
            plays=self.account["plays"][account[chosen]] * 0.3,
            profile=0,
        )

    def outsiders(self) -> None:
        """Borrowers' households with their homes, relations and ways of staying connected."""
        rng, world = self.rng, self.world
        has = rng.random(self.size) < world.outside_accounts
        number = np.where(has, 1 + rng.choice(3, self.size, p=world.outside_households), 0)
        account = np.repeat(np.arange(self.size), number)
        size = len(account)
        relation = rng.choice(4, size, p=world.relations)
        draw = rng.random(size)
        town = draw < world.same_city
        mid = ~town & (draw < 1.0 - world.far) & (rng.random(size) < 0.35)
        owner_region = self.account["region"][account]
        region = np.where(town | mid, owner_region, self._home_region(size))
        owner_home = self.account["home"][account]
        owner_isp, owner_line = self._isp_of(owner_home), self.places["line"][owner_home]
        forced = rng.random(size) < world.same_isp
        behind = (self.lines.column("kind")[owner_line] == 1) & (
            self.places["line_after"][owner_home] < 0
        )
        rate = min(world.same_nat / max(float(behind.mean()) if size else 1.0, 0.01), 0.5)
        neighbour = behind & (rng.random(size) < rate)
        town |= neighbour
        region = np.where(neighbour | forced, owner_region, region)
        isp = np.where(forced | neighbour, owner_isp, -1)
        home = self.dwell(
            region,
            isp=isp,
            behind_nat=neighbour,
            key=np.where(neighbour, owner_line, -1),
            lively=True,
        )
        left = relation >= 2
        recent = rng.random(size) < np.where(relation == 3, 0.6, 0.35)
        leave_day = np.where(
            left & recent, rng.integers(4, max(self.days - 4, 5), size), np.where(left, 0, NEVER)
        )
        draw = rng.random(size)
        steps = np.cumsum(
            [
                world.evaders_monthly,
                world.evaders_weekly,
                world.evaders_tunnel,
                world.evaders_hotspot,
            ]
        )
        evasion = (steps[:, None] > draw).argmax(0) + 1
        evasion = np.where(draw < steps[-1], evasion, NONE)
        # nobody drives across the country once a week
        evasion = np.where(
            (evasion == WEEKLY_VISITS) & ~(town | mid) & (rng.random(size) < 0.7), MONTHLY, evasion
        )
        paid = (rng.random(size) < world.extra_member) & (evasion == NONE)
        tv_only = (relation == 0) & (rng.random(size) < world.kin_tv_only)
        paid &= ~tv_only
        evasion = np.where(tv_only, NONE, evasion)
        house = self.households.add(
            size,
            account=account,
            role=np.where(left, EX_MEMBER, BORROWER),
            kin_place=np.where(
                (relation == 0) & (rng.random(size) < world.trips_to_borrower),
                owner_home,
                self._near(self.dwellings, self._kin_regions(region)),
            ),
            borrower_place=np.where(relation == 0, owner_home, -1),
            evasion=evasion,
            in_town=town,
            same_isp=self._isp_of(home) == owner_isp,
            same_nat=neighbour,
            paid_slot=paid,
            tv_only=tv_only,
        )
        kin = np.flatnonzero(relation == 0)
        self.households.put("borrower_place", self.main[account[kin]], home[kin])
        self.extra_members = np.bincount(account[paid], minlength=self.size)
        persons = 1 + rng.choice(4, size, p=[0.5, 0.3, 0.12, 0.08])
        persons = np.where(left, 1 + (rng.random(size) < 0.25), persons)
        who = np.repeat(np.arange(size), persons)
        first = np.arange(len(who)) - np.repeat(np.cumsum(persons) - persons, persons) == 0
        weight = rng.gamma(1.5, 1.0, len(who)) + 0.05
        weight /= np.bincount(who, weight, minlength=size)[who]
        activity = rng.gamma(1.5, world.outside_activity / 1.5, size) + 0.03
        plays = self.account["plays"][account] * activity
        former = left[who] & first
        self.people.add(
            len(who),
            account=account[who],
            household=house[who],
            role=np.where(former, EX_MEMBER, BORROWER),
            adult=(rng.random(len(who)) < 0.85) | first,
            home=np.where(former, owner_home[who], home[who]),
            home_after=np.where(former, home[who], -1),
            switched=np.where(former, leave_day[who], NEVER),
            plays=plays[who] * weight,
            profile=7 + np.where(rng.random(len(who)) < world.shared_profiles, -7, who % 4),
            first_day=np.where(left[who] & ~first, np.minimum(leave_day[who], self.days), 0),
        )
        self.outside_homes = home
        self.outside_house = house
        self.outside_left = leave_day

    def passers_by(self) -> None:
        """Guests seen once, strangers at a hotel's TV, and users of stolen credentials."""
        rng, world, days = self.rng, self.world, self.days
        account = np.repeat(
            np.arange(self.size), rng.poisson(world.guests_a_year * days / 365, self.size)
        )
        size = len(account)
        day = rng.integers(0, days, size)
        at_home = rng.random(size) < 0.5
        friend = self._near(self.dwellings, self.account["region"][account])
        moved = self.account["moved"][account] <= day
        home = np.where(moved, self.account["home_after"][account], self.account["home"][account])
        place = np.where(at_home, home, friend)
        house = self.households.add(size, account=account, role=GUEST)
        self.guests = self.people.add(
            size,
            account=account,
            household=house,
            role=GUEST,
            home=place,
            home_after=-1,
            plays=0.0,
            first_day=day,
            last_day=day,
            forced_day=day,
            profile=0,
        )

        trips = world.nights_away / world.trip_nights * days / 365 * world.trips_to[2]
        stays = rng.random(self.size) < 1.0 - np.exp(-trips * world.hotel_sign_ins)
        account = np.flatnonzero(stays)
        size = len(account)
        abroad = rng.random(size) < world.trips_abroad
        hotel_region = self.places["region"][self.hotels]
        away = self.hotels[hotel_region >= self.geography.home_regions]
        here = self.hotels[hotel_region < self.geography.home_regions]
        place = np.where(abroad, rng.choice(away, size), rng.choice(here, size))
        day = rng.integers(0, max(days - 8, 1), size)
        nights = rng.integers(1, 6, size)
        self.households.put("stay_place", self.main[account], place)
        self.households.put("stay_day", self.main[account], day)
        self.households.put("stay_nights", self.main[account], nights)
        house = self.households.add(size, account=account, role=STRANGER)
        self.strangers = self.people.add(
            size,
            account=account,
            household=house,
            role=STRANGER,
            home=place,
            home_after=-1,
            plays=rng.uniform(0.5, 2.5, size),
            first_day=day + nights,
            last_day=day + nights + 2 + rng.geometric(0.06, size),
            forced_day=day + nights + 1,
            profile=0,
        )

        account = np.flatnonzero(rng.random(self.size) < world.stolen)
        size = len(account)
        foreign = self.geography.home_regions + rng.integers(
            0, len(self.geography.country) - self.geography.home_regions, size
        )
        where = np.where(rng.random(size) < 0.7, foreign, self._home_region(size))
        house = self.households.add(size, account=account, role=THIEF)
        day = rng.integers(0, max(days - 4, 1), size)
        self.people.add(
            size,
            account=account,
            household=house,
            role=THIEF,
            home=self.dwell(where),
            home_after=-1,
            plays=rng.uniform(0.3, 3.0, size),
            vpn_always=rng.random(size) < 0.3,
            vpn_line=rng.choice(self.vpn_lines[:24], size),
            first_day=day,
            last_day=day + 2 + rng.geometric(0.05, size),
            forced_day=day + 1,
            profile=0,
        )

    def habits(self) -> None:
        """Working places, friends, mobile operators and other habits of everybody."""
        rng, world, people = self.rng, self.world, self.people
        size = people.count
        region = self.places["region"][people["home"]]
        adult, role = people["adult"], people["role"]
        lives = role <= CUSTODY_PARENT
        employed = adult & lives & (rng.random(size) < world.employed)
        studies = people["alternates"] == STUDENT
        work = np.where(employed, self._near(self.offices, region), -1)
        people.put("work", np.arange(size), work)
        alternative = people["alternative"]
        away = np.flatnonzero((alternative >= 0) & (adult))
        near_away = self._near(self.offices, self.places["region"][alternative[away]])
        people.put("work", away, near_away)
        study = np.flatnonzero(studies)
        on_campus = self._near(self.campuses, self.places["region"][alternative[study]])
        people.put("work", study, on_campus)
        every = np.arange(size)
        people.put("commutes", every, employed & (rng.random(size) < world.commuters))
        people.put("traveller", every, lives & (rng.random(size) < world.travellers))
        people.put("mobile", every, self._mobile_of(self.geography.country[region]))
        people.put("cellular_only", every, lives & (rng.random(size) < world.cellular_only))
        centric = lives & (rng.random(size) < world.phone_centric)
        people.put("phone_centric", every, centric)
        always = people["vpn_always"] | (lives & adult & (rng.random(size) < world.vpn_always))
        people.put("vpn_always", every, always)
        exits = rng.choice(self.vpn_lines, size)
        people.put("vpn_line", every, np.where(role == THIEF, people["vpn_line"], exits))
        out = world.out_and_about * rng.gamma(1.0, 1.0, size) * np.where(centric, 2.5, 1.0)
        people.put("out", every, np.where(lives, np.minimum(out, 0.8), 0.0))
        people.put("shift", every, np.clip(rng.normal(0, world.hour_shift, size), -6, 6))
        subscriber = self.account["home"][rng.integers(0, self.size, size)]
        subscriber = np.where(self.places["region"][subscriber] == region, subscriber, -1)
        stranger = self._near(self.dwellings, region)
        people.put("friend", every, np.where(subscriber >= 0, subscriber, stranger))

    # devices ----------------------------------------------------------------------------------

    def equip(self) -> None:
        """Give homes and people their devices."""
        rng, world, people, households = self.rng, self.world, self.people, self.households
        home, after, moved = (self.account[name] for name in ("home", "home_after", "moved"))
        # main homes
        more = rng.poisson(max(world.tvs_per_home / 0.95 - 1.0, 0.0), self.size)
        some = rng.random(self.size) < min(0.95, world.tvs_per_home)
        number = np.where(some, 1 + np.minimum(more, 4), 0)
        account = np.repeat(np.arange(self.size), number)
        self._fixed(account, self.main[account], home[account], after[account], moved[account])
        # second homes
        second = households["second_home"][self.main]
        owns = np.flatnonzero((second >= 0) & (rng.random(self.size) < 0.7))
        self._fixed(owns, self.main[owns], second[owns], second_home=True)
        # outside homes
        house, place = self.outside_house, self.outside_homes
        of = households["account"][house]
        sets = np.where(rng.random(len(house)) < 0.8, 1, 0) * (
            1 + np.minimum(rng.poisson(0.4 * world.tvs_per_home, len(house)), 2)
        )
        sets = np.maximum(sets, households["tv_only"][house])
        rows = np.repeat(np.arange(len(house)), sets)
        born = np.where(self.outside_left[rows] < NEVER, self.outside_left[rows], 0)
        self._fixed(of[rows], house[rows], place[rows], born=born)
        # other places: students' rooms, the other parent, hotels, friends' TVs, thieves' homes
        alternates = people["alternates"]
        student = np.flatnonzero((alternates == STUDENT) & (rng.random(people.count) < 0.25))
        worker = np.flatnonzero((alternates == WEEKDAY_WORKER) & (rng.random(people.count) < 0.3))
        role = people["role"]
        at_place = [student, worker]
        for rows in at_place:
            self._fixed(
                people["account"][rows],
                people["household"][rows],
                people["alternative"][rows],
                second_home=True,
            )
        parent = np.flatnonzero(role == CUSTODY_PARENT)
        thief = np.flatnonzero((role == THIEF) & (rng.random(people.count) < 0.4))
        for rows in (parent, self.strangers, thief):
            early = people["first_day"][rows] - np.where(role[rows] == STRANGER, 1, 0)
            self._fixed(
                people["account"][rows],
                people["household"][rows],
                people["home"][rows],
                born=np.maximum(early, 0),
            )
        guest_home = self.places["kind"][people["home"][self.guests]]
        at_friend = self.guests[guest_home == OTHER_DWELLING]
        day = people["first_day"][at_friend]
        self._fixed(
            people["account"][at_friend],
            people["household"][at_friend],
            people["home"][at_friend],
            born=day,
            dead=day + 1,
        )
        self._carried()

    def _fixed(
        self,
        account: I64,
        household: I64,
        anchor: I64,
        anchor_after: I64 | int = -1,
        switched: I64 | int = NEVER,
        *,
        born: I64 | int = 0,
        dead: I64 | int = NEVER,
        second_home: bool = False,
    ) -> None:
        rng, size = self.rng, len(account)
        kind = rng.choice(
            np.array([TV, BOX, STICK, CONSOLE, OTHER]), size, p=[0.58, 0.16, 0.14, 0.10, 0.02]
        )
        modern = rng.random(size) < np.where(kind == TV, 0.6, 0.8)
        self._with_successors(
            {
                "account": account,
                "household": household,
                "kind": kind,
                "anchor": anchor,
                "anchor_after": np.broadcast_to(anchor_after, (size,)),
                "switched": np.broadcast_to(switched, (size,)),
                "born": np.broadcast_to(born, (size,)),
                "dead": np.broadcast_to(dead, (size,)),
                "weight": rng.gamma(1.2, 1.0, size) + 0.05,
                "v6": modern,
                "fixed_id": rng.random(size) < 0.4,
                "second_home": np.full(size, second_home),
            },
            purchases=0.3,
        )

    def _carried(self) -> None:
        """Phones, tablets and computers of people."""
        rng, world, people = self.rng, self.world, self.people
        role = people["role"]
        tv_only = self.households["tv_only"][people["household"]]
        size = people.count
        chance = np.zeros((size, 3))
        used = world.devices_used / 0.6
        chance[:, 0] = world.phones_per_person * 0.72 * np.minimum(used * 0.8, 1.3)
        chance[:, 1] = world.phones_per_person * 0.28 * np.minimum(used * 0.7, 1.3)
        chance[:, 2] = world.computers_per_person * np.minimum(used * 0.8, 1.5)
        child = ~people["adult"]
        chance[child] *= np.array([0.6, 1.6, 0.5])
        chance[people["phone_centric"] | people["cellular_only"], 0] = 1.0
        chance[(people["alternates"] != ONE_DWELLING), 0] = 0.95
        chance[(people["alternates"] == STUDENT), 2] = 0.7
        chance[(role == BORROWER) | (role == EX_MEMBER), 0] *= 0.9
        chance[tv_only | (role == STRANGER)] = 0.0
        evasion = self.households["evasion"][people["household"]]
        visits = (evasion == MONTHLY) | (evasion == WEEKLY_VISITS)
        chance[visits, 0] = np.maximum(chance[visits, 0], 0.9)
        has = rng.random((size, 3)) < chance
        # thieves and guests have the one device they came with
        for kind in (THIEF, GUEST, CUSTODY_PARENT):
            rows = np.flatnonzero(role == kind)
            has[rows] = False
            has[rows, rng.choice(3, len(rows), p=[0.5, 0.15, 0.35])] = kind != CUSTODY_PARENT
        dwelling = self.places["kind"][people["home"]]
        has[(role == GUEST) & (dwelling == OTHER_DWELLING)] = False
        # an account is used on something: a first adult without anything has a phone
        first = np.flatnonzero((role == RESIDENT) & (people["profile"] == 0))
        bare = np.bincount(people["account"], has.sum(1), minlength=self.size) == 0
        has[first[bare[people["account"][first]]], 0] = True
        owner, which = np.nonzero(has)
        guest = role[owner] == GUEST
        self._with_successors(
            {
                "account": people["account"][owner],
                "household": people["household"][owner],
                "owner": owner,
                "kind": np.array([PHONE, TABLET, COMPUTER])[which],
                "anchor": np.full(len(owner), -1),
                "anchor_after": np.full(len(owner), -1),
                "switched": np.full(len(owner), NEVER),
                "born": np.where(guest, people["first_day"][owner], 0),
                "dead": np.where(guest, people["first_day"][owner] + 1, NEVER),
                "weight": (rng.gamma(1.5, 1.0, len(owner)) + 0.05)
                * np.array([1.0, 0.8, 0.7])[which],
                "v6": rng.random(len(owner)) < 0.95,
                "fixed_id": np.zeros(len(owner), dtype=bool),
                "second_home": np.zeros(len(owner), dtype=bool),
            },
            purchases=1.0,
        )

    def _with_successors(self, rows: dict[str, NDArray[Any]], purchases: float) -> None:
        """Add devices; some are replaced or reset in the window, some left an old id behind."""
        rng, world, days = self.rng, self.world, self.days
        size = len(rows["account"])
        rate = (world.resets_a_year + world.purchases_a_year * purchases) * days / 365
        lasting = (rows["dead"] == NEVER) & (rows["born"] < days - 3)
        splits = lasting & (rng.random(size) < rate)
        at = (rows["born"] + 2 + rng.random(size) * (days - rows["born"] - 3)).astype(np.int64)
        successor = {name: column[splits] for name, column in rows.items()}
        successor["born"] = at[splits]
        successor["fixed_id"] = successor["fixed_id"] & False
        stale = lasting & (rng.random(size) < world.stale_ids * 0.8)
        old = {name: column[stale] for name, column in rows.items()}
        begins, span = old["born"], rng.random(int(stale.sum()))
        old["dead"] = begins + 1 + (span**2 * (days - begins)).astype(np.int64)
        old["weight"] = old["weight"] * rng.uniform(0.05, 0.6, int(stale.sum()))
        rows["dead"] = np.where(splits, at, rows["dead"])
        for block, is_stale in ((rows, False), (successor, False), (old, True)):
            self.devices.add(
                len(block["account"]), stale=np.full(len(block["account"]), is_stale), **block
            )

    def finish(self) -> Population:
        """Order people and devices by account and freeze everything."""
        people_order = np.argsort(self.people["account"], kind="stable")
        new_number = np.empty(len(people_order), dtype=np.int64)
        new_number[people_order] = np.arange(len(people_order))
        owner = self.devices["owner"]
        owned = np.flatnonzero(owner >= 0)
        self.devices.put("owner", owned, new_number[owner[owned]])
        # the order within an account is chance, so that nothing can be read off the numbers
        chance = self.rng.random(self.devices.count)
        device_order = np.lexsort((chance, self.devices["account"]))
        hotel_region = self.places["region"][self.hotels]
        return Population(
            world=self.world,
            days=self.days,
            seed=self.seed,
            geography=self.geography,
            network=self.lines.finish(self.days, self.seed),
            mobile_line=self.mobile_line,
            accounts=Accounts(**self.account, extra_members=self.extra_members),
            places=self.places.finish(),
            households=self.households.finish(),
            people=self.people.finish(people_order),
            devices=self.devices.finish(device_order),
            hotels=self.hotels[hotel_region < self.geography.home_regions],
            hotels_abroad=self.hotels[hotel_region >= self.geography.home_regions],
            dwellings=self.dwellings,
            cafes=self.cafes,
        )


def populate(world: World, accounts: int, days: int, ranges: Ranges, seed: int) -> Population:
    """People a world.

    Parameters
    ----------
    world : World
    accounts, days : int
    ranges : callable
        Address ranges by AS, see `pools.announced`.
    seed : int

    Returns
    -------
    Population
        Equal for equal arguments.
    """
    town = _Town(world, accounts, days, ranges, seed)
    town.venues()
    town.owners()
    town.outsiders()
    town.passers_by()
    town.habits()
    town.equip()
    return town.finish()
