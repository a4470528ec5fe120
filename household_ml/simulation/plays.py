"""What is watched: sittings of people, the device at hand, the line it is on, and the plays."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from household_ml.compiling import compiled
from household_ml.simulation.access import BUSINESS, CELLULAR, VPN
from household_ml.simulation.hashing import U64, mix, mix_scalar, uniform
from household_ml.simulation.leases import DAY
from household_ml.simulation.lives import Lives, lead_lives, main_home
from household_ml.simulation.population import (
    BOX,
    CAFE,
    COMPUTER,
    CONSOLE,
    FALLBACK,
    HOTEL,
    HOTSPOT,
    OTHER,
    PHONE,
    SECOND_ISP,
    STICK,
    TABLET,
    TUNNEL,
    TV,
    Population,
)
from household_ml.simulation.world import World

__all__ = ["HOUR_WEIGHTS", "Plays", "play_chunk"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Weight of each local hour [A], built to meet 15 % in 0-6 h and the peak of 20-23 h [S2].
HOUR_WEIGHTS = np.array(
    [
        *(5.0, 3.5, 2.5, 1.7, 1.2, 1.1, 1.2, 1.6, 2.0, 2.3, 2.6, 2.9),
        *(3.6, 3.9, 3.8, 3.7, 3.9, 4.5, 5.4, 6.7, 8.6, 10.0, 9.6, 8.7),
    ]
)

#: Of those hours, the share of sittings that school and work leave [D], on weekdays and weekends.
_LEFT_BY_DAY = np.array([1.3] * 6 + [1.0] * 3 + [0.72] * 8 + [1.0] * 7)


@dataclass(frozen=True, slots=True, eq=False)
class Plays:
    """Plays of a chunk of accounts, one row each, in no order.

    Attributes
    ----------
    account, person, device : ndarray of int64, shape (N,)
        Rows of the population's tables.
    second : ndarray of float64, shape (N,)
        Start, seconds from the first midnight, UTC.
    duration : ndarray of float64, shape (N,)
        Seconds watched.
    hi, lo : ndarray of uint64, shape (N,)
    asn : ndarray of uint32, shape (N,)
    country : ndarray of int64, shape (N,)
        Country of the address, a number among those of the geography.
    offset : ndarray of int64, shape (N,)
        Minutes by which the local clock is ahead of UTC.
    line : ndarray of int64, shape (N,)
        Access line; a phone on cellular has one of its own, numbered after all others.
    kind : ndarray of int64, shape (N,)
        Kind of access, a number among `access.ACCESS_KINDS`.
    place : ndarray of int64, shape (N,)
        Place where the device is, -1 = on the way.
    at_main_home : ndarray of bool, shape (N,)
        The place is the account's main home at that time.
    on_trip : ndarray of bool, shape (N,)
    """

    account: I64
    person: I64
    device: I64
    second: F64
    duration: F64
    hi: U64
    lo: U64
    asn: NDArray[np.uint32]
    country: I64
    offset: I64
    line: I64
    kind: I64
    place: I64
    at_main_home: Bools
    on_trip: Bools


@lru_cache(maxsize=8)
def _offsets(zones: tuple[str, ...], start: str, days: int) -> I64:
    """Minutes ahead of UTC at noon, shape (zones, days + 2), from the day before the first."""
    first = datetime.datetime.fromisoformat(start) - datetime.timedelta(hours=12)
    table = np.empty((len(zones), days + 2), dtype=np.int64)
    for row, name in enumerate(zones):
        with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as stored:
            zone = ZoneInfo.from_file(stored, key=name)
        for day in range(days + 2):
            moment = (first + datetime.timedelta(days=day)).replace(tzinfo=zone)
            ahead = moment.utcoffset() or datetime.timedelta()
            table[row, day] = int(ahead.total_seconds()) // 60
    return table


@compiled
def _hand(seed: int, first: int, second: int, third: int) -> float:
    state = mix_scalar(mix_scalar(mix_scalar(mix_scalar(np.uint64(0), seed), first), second), third)
    return np.float64(np.uint64(state) >> np.uint64(11)) * 2.0**-53


@compiled
def _choose(
    person: I64,
    household: I64,
    account: I64,
    day: I64,
    place: I64,
    trip: I64,
    tv_chance: F64,
    forced: Bools,
    draw: F64,
    draw2: F64,
    own_first: I64,
    own: I64,
    fixed_first: I64,
    fixed: I64,
    kind: I64,
    device_household: I64,
    anchor: I64,
    anchor_after: I64,
    switched: I64,
    born: I64,
    dead: I64,
    weight: F64,
    travels: F64,
    seed: int,
) -> I64:
    """The device each sitting is on, -1 where none is at hand."""
    chosen = np.full(len(person), -1, dtype=np.int64)
    weights = np.zeros(256)
    rows = np.zeros(256, dtype=np.int64)
    for number in range(len(person)):
        today, here = day[number], place[number]
        for attempt in range(2):
            use_fixed = (draw[number] < tv_chance[number]) == (attempt == 0)
            if (
                (forced[number] or here < 0)
                and use_fixed
                and own_first[person[number]] < (own_first[person[number] + 1])
            ):
                continue
            count, total = 0, 0.0
            if use_fixed:
                low, high = fixed_first[account[number]], fixed_first[account[number] + 1]
            else:
                low, high = own_first[person[number]], own_first[person[number] + 1]
            for at in range(low, high):
                row = fixed[at] if use_fixed else own[at]
                if not born[row] <= today < dead[row] or count == 256:
                    continue
                if use_fixed:
                    stands = anchor_after[row] if today >= switched[row] else anchor[row]
                    taken = (
                        trip[number] > 0
                        and device_household[row] == household[number]
                        and _hand(seed, row, trip[number], 51) < travels[kind[row]]
                    )
                    if here < 0 or (stands != here and not taken):
                        continue
                elif kind[row] != PHONE:
                    left_behind = (
                        trip[number] > 0
                        and _hand(seed, row, trip[number], 51) >= travels[kind[row]]
                    )
                    if left_behind or (here < 0 and draw2[number] * 7.0 % 1.0 < 0.75):
                        continue
                elif trip[number] > 0 and _hand(seed, row, trip[number], 51) >= travels[PHONE]:
                    continue
                rows[count] = row
                weights[count] = weight[row]
                total += weight[row]
                count += 1
            if count:
                left = draw2[number] * total
                pick = 0
                while pick < count - 1 and left >= weights[pick]:
                    left -= weights[pick]
                    pick += 1
                chosen[number] = rows[pick]
                break
    return chosen


@dataclass(frozen=True, slots=True, eq=False)
class _Sittings:
    """Times at which people sit down to watch, one row each."""

    person: I64
    day: I64
    hour: F64
    place: I64
    trip: I64
    region: I64
    forced: Bools
    at_usual: Bools


def _sit_down(
    population: Population, lives: Lives, people: I64, rng: np.random.Generator
) -> _Sittings:
    """Who sits down when and where; people numbered within the chunk."""
    world, days, table = population.world, population.days, population.people
    size = len(people)
    # weekday plays that school and work prevent make up for the rest of the difference
    weekend = np.where(lives.day_of_week >= 5, world.weekend * 0.93, 1.0)
    # single plays on phones, rows of episodes on TVs
    per_sitting = 0.62 * world.plays_in_a_row + 0.38 * min(world.plays_in_a_row, 1.25)
    rate = table.plays[people][:, None] * (weekend / weekend.mean())[None, :] / per_sitting
    rate = rate * rng.gamma(world.day_shape, 1.0 / world.day_shape, (size, days))
    day = np.arange(days)
    begins = np.maximum(
        population.accounts.first_day[table.account[people]], table.first_day[people]
    )
    there = (day[None, :] >= begins[:, None]) & (day[None, :] <= table.last_day[people][:, None])
    number = rng.poisson(np.where(there, rate * 1.12, 0.0))
    forced = lives.shows_up & there & (rng.random(lives.shows_up.shape) < 0.85)
    whole = table.forced_day[people]
    known = np.flatnonzero((whole >= 0) & (whole < days))
    forced[known, whole[known]] = True
    who, when = np.nonzero(number)
    count = number[who, when]
    forced_who, forced_when = np.nonzero(forced)
    person = np.concatenate([np.repeat(who, count), forced_who])
    at = np.concatenate([np.repeat(when, count), forced_when])
    is_forced = np.arange(len(person)) >= len(person) - len(forced_who)

    odds = HOUR_WEIGHTS / _LEFT_BY_DAY
    hour = rng.choice(24, len(person), p=odds / odds.sum()) + rng.random(len(person))
    hour = (hour + table.shift[people][person]) % 24.0
    hour = np.where(is_forced, 12.0 + 9.0 * rng.random(len(person)), hour)
    late = hour < 5.0
    place = lives.night[person, at].astype(np.int64)
    trip = lives.trip[person, at].astype(np.int64)
    region = population.places.region[place]
    usual = trip == 0

    kept = np.ones(len(person), dtype=bool)
    weekday = lives.day_of_week[at] < 5
    school = ~table.adult[people][person] & weekday & (hour >= 8.5) & (hour < 15.5) & usual
    kept &= ~school | (rng.random(len(person)) < 0.25)
    visit = lives.visit[person, at]
    visiting = (visit >= 0) & (hour >= 11.0) & (hour < 22.0)
    place = np.where(visiting, visit, place)
    friend = lives.at_friend[person, at] & ~visiting & ((hour >= 18.5) | (hour < 2.0))
    place = np.where(friend, table.friend[people][person], place)
    free = ~visiting & ~friend & ~late
    works = lives.at_work[person, at] & free
    at_desk = works & (hour >= 9.0) & (hour < 17.5)
    kept &= ~at_desk | (rng.random(len(person)) < world.work_plays)
    place = np.where(at_desk, table.work[people][person], place)
    travels = (
        works
        & table.commutes[people][person]
        & (((hour >= 7.0) & (hour < 9.0)) | ((hour >= 17.5) & (hour < 19.5)))
        & (rng.random(len(person)) < 0.6)
    )
    chance = table.out[people][person] * np.where(usual, 1.0, 2.0)
    out = free & ~works & (hour >= 9.0) & (rng.random(len(person)) < chance)
    cafe = out & (rng.random(len(person)) < 0.3)
    place = np.where(travels | out, -1, place)
    if cafe.any():
        cafes = population.cafes
        of = population.places.region[cafes]
        low = np.searchsorted(of, region[cafe])
        high = np.searchsorted(of, region[cafe], side="right")
        place[cafe] = cafes[(low + rng.random(len(low)) * (high - low)).astype(np.int64)]
    kept |= is_forced
    away = visiting | friend | at_desk | travels | out
    return _Sittings(
        person=person[kept],
        day=at[kept],
        hour=hour[kept],
        place=place[kept],
        trip=trip[kept],
        region=region[kept],
        forced=is_forced[kept],
        at_usual=(usual & ~away)[kept],
    )


def _tv_chance(population: Population, people: I64, sittings: _Sittings) -> F64:
    """Chance that a sitting is on a device that stays at the place, where there is one."""
    world, table = population.world, population.people
    # a fixed device is at hand in most, but not all sittings, and gets longer rows of plays
    aim = np.clip(world.tv_play_share * 1.06, 0.0, 0.97)
    chance = np.where(table.phone_centric[people], aim * 0.35, aim)[sittings.person]
    kind = population.places.kind[sittings.place]
    away = kind >= HOTEL
    result: F64 = np.where(away, chance * 0.8, chance)
    return result


def _travel_shares(world: World) -> F64:
    shares = np.zeros(8)
    shares[[TV, BOX, CONSOLE, OTHER]] = world.tv_travels
    shares[STICK] = world.stick_travels
    shares[PHONE] = world.phone_travels
    shares[[TABLET, COMPUTER]] = world.portable_travels
    return shares


def _groups(keys: I64, number: int, rows: I64) -> tuple[I64, I64]:
    """Rows grouped by key: offsets of shape (number + 1,) and the rows."""
    order = np.argsort(keys, kind="stable")
    return np.searchsorted(keys[order], np.arange(number + 1)), rows[order]


def _line_of(
    population: Population,
    person: I64,
    device: I64,
    day: I64,
    minute: I64,
    place: I64,
    region: I64,
    at_usual: Bools,
    rng: np.random.Generator,
) -> I64:
    """The line each sitting is seen on."""
    world, places, people = population.world, population.places, population.people
    devices, network = population.devices, population.network
    size = len(person)
    kind = devices.kind[device]
    at = np.maximum(place, 0)
    line = np.where(minute >= places.changed[at], places.line_after[at], places.line[at])
    mode = places.second_mode[at]
    outage = uniform(at, day, population.seed, 61) < 0.04
    split = uniform(device, at, population.seed, 62) < 0.35
    uses_second = ((mode == FALLBACK) & outage) | (
        (mode == SECOND_ISP) & (split ^ (rng.random(size) < 0.1))
    )
    line = np.where(uses_second, places.second[at], line)

    phone = kind == PHONE
    tablet_sim = (kind == TABLET) & (uniform(device, 63) < 0.25)
    away = np.where(at_usual, world.cellular_home, world.cellular_away)
    at_work = (places.kind[at] >= HOTEL) & (places.kind[at] != CAFE)
    away = np.where(at_work, np.maximum(away, 0.4), away)
    chance = np.where(phone, away, np.where(tablet_sim, away * 0.5, 0.0))
    only = people.cellular_only[person] & (devices.owner[device] >= 0)
    chance = np.where(only, np.where(phone, 1.0, 0.8), chance)
    evasion = population.households.evasion[people.household[person]]
    home = main_home(population, devices.account[device], day)
    hotspot = (evasion == HOTSPOT) & (place != home)
    cellular = (place < 0) | hotspot | (rng.random(size) < chance)
    # the network of a phone abroad is the one at home: calls are routed there
    reach = population.mobile_line[region, people.mobile[person]]
    own_region = places.region[people.home[person]]
    reach = np.where(reach >= 0, reach, population.mobile_line[own_region, people.mobile[person]])
    line = np.where(cellular, reach, line)

    tunnel = (evasion == TUNNEL) & (place != home) & ~(cellular & phone)
    moved = minute >= places.changed[home]
    home_line = np.where(moved, places.line_after[home], places.line[home])
    line = np.where(tunnel, home_line, line)

    rate = np.full(8, world.vpn_tv)
    rate[[PHONE, TABLET]] = world.vpn_phone
    rate[COMPUTER] = world.vpn_computer
    always = people.vpn_always[person] & (devices.owner[device] >= 0)
    uses = always & (uniform(device, 64) < 0.8) & (rng.random(size) < 0.93)
    tunnelled = ~tunnel & (uses | (rng.random(size) < rate[kind]))
    usual_exit = uniform(np.arange(size), person, 65, population.seed) < 0.75
    exits = people.vpn_line[person]
    others = np.flatnonzero(network.lines.kind == VPN)
    exit_line = np.where(usual_exit, exits, rng.choice(others, size))
    # some employees' computers leave through the employer
    office = people.work[person]
    through_office = (kind == COMPUTER) & (office >= 0) & (uniform(device, 66) < 0.25)
    exit_line = np.where(through_office, places.line[np.maximum(office, 0)], exit_line)
    return np.where(tunnelled, exit_line, line)


def play_chunk(population: Population, accounts: tuple[int, int], chunk: int) -> Plays:
    """Simulate all plays of a range of accounts.

    Parameters
    ----------
    population : Population
    accounts : (int, int)
        First account and the one after the last.
    chunk : int
        Number of the chunk; together with the world's seed it settles every draw.

    Returns
    -------
    Plays
    """
    rng = np.random.default_rng([population.seed, 2, chunk])
    table, devices, world = population.people, population.devices, population.world
    begin, end = np.searchsorted(table.account, accounts)
    people = np.arange(begin, end)
    lives = lead_lives(population, people, rng)
    sat = _sit_down(population, lives, people, rng)

    low, high = np.searchsorted(devices.account, accounts)
    rows = np.arange(low, high)
    owned = rows[devices.owner[rows] >= 0]
    fixed = rows[devices.owner[rows] < 0]
    own_first, own = _groups(devices.owner[owned] - begin, len(people), owned)
    homes = accounts[1] - accounts[0]
    fixed_first, stays = _groups(devices.account[fixed] - accounts[0], homes, fixed)
    device = _choose(
        sat.person,
        table.household[people][sat.person],
        table.account[people][sat.person] - accounts[0],
        sat.day,
        sat.place,
        sat.trip,
        _tv_chance(population, people, sat),
        sat.forced,
        rng.random(len(sat.person)),
        rng.random(len(sat.person)),
        own_first,
        own,
        fixed_first,
        stays,
        devices.kind,
        devices.household,
        devices.anchor,
        devices.anchor_after,
        devices.switched,
        devices.born,
        devices.dead,
        devices.weight,
        _travel_shares(world),
        population.seed,
    )
    with_device = np.flatnonzero(device >= 0)
    device, person = device[with_device], people[sat.person[with_device]]
    day, hour, place = sat.day[with_device], sat.hour[with_device], sat.place[with_device]
    trip, region = sat.trip[with_device], sat.region[with_device]
    at_usual = sat.at_usual[with_device]
    region = np.where(place >= 0, population.places.region[np.maximum(place, 0)], region)
    zone = population.geography.zone[region]
    offset = _offsets(population.geography.zones, world.start, population.days)[zone, day + 1]
    local = (day + (hour < 5.0)) * DAY + hour * 60.0
    minute = (local - offset).astype(np.int64)
    line = _line_of(population, person, device, day, minute, place, region, at_usual, rng)

    # plays in a row
    kind = devices.kind[device]
    handheld = (kind == PHONE) | (kind == TABLET)
    mean = np.where(handheld, min(world.plays_in_a_row, 1.25), world.plays_in_a_row)
    number = np.minimum(rng.geometric(1.0 / np.maximum(mean, 1.0)), 9)
    sitting = np.repeat(np.arange(len(device)), number)
    turn = np.arange(len(sitting)) - np.repeat(np.cumsum(number) - number, number)
    minutes = np.full(8, world.tv_minutes)
    minutes[[PHONE, TABLET, COMPUTER]] = world.phone_minutes * np.array([1.0, 1.6, 2.0])
    duration = minutes[kind][sitting] * np.exp(rng.normal(-0.32, 0.8, len(sitting)))
    pause = rng.exponential(0.7, len(sitting))
    elapsed = np.cumsum(duration + pause)
    before = elapsed - (duration + pause)
    offset_in_sitting = before - before[np.cumsum(number) - number][sitting]
    start = (local - offset)[sitting] + offset_in_sitting
    inside = (start >= 0) & (start < population.days * DAY)
    sitting, start, duration = sitting[inside], start[inside], duration[inside]

    person, device, day, place = person[sitting], device[sitting], day[sitting], place[sitting]
    line, turn = line[sitting], turn[inside]
    play = mix(np.arange(len(sitting)), chunk, population.seed, 71).view(np.int64)
    wants_v6 = devices.v6[device] & (rng.random(len(sitting)) < world.v6_preferred)
    access = population.network.lines.kind[line]
    wants_v6 &= (access != CELLULAR) | (uniform(person, 72) < world.mobile_v6)
    who = np.where(access == BUSINESS, device, person)
    hi, lo, asn = population.network.addresses(
        line, start.astype(np.int64), who, device, play, wants_v6, devices.fixed_id[device]
    )
    home = main_home(population, devices.account[device], day)
    lines = population.network.lines
    return Plays(
        account=devices.account[device],
        person=person,
        device=device,
        second=start * 60.0,
        duration=duration * 60.0,
        hi=hi,
        lo=lo,
        asn=asn,
        country=lines.country[line],
        offset=offset[sitting],
        line=np.where(access == CELLULAR, len(lines.kind) + person, line),
        kind=access,
        place=place,
        at_main_home=place == home,
        on_trip=trip[sitting] > 0,
    )
