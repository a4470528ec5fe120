"""Labels and evaluation slices of devices, read off the lives that were simulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from household_ml.schema import SITUATIONS
from household_ml.simulation.access import CELLULAR, VPN
from household_ml.simulation.leases import DAILY, DAY
from household_ml.simulation.lives import main_home
from household_ml.simulation.plays import Plays
from household_ml.simulation.population import (
    ALTERNATING,
    BORROWER,
    CUSTODY_PARENT,
    EX_MEMBER,
    GUEST,
    HOTSPOT,
    MONTHLY,
    NO_SECOND,
    RESIDENT,
    STRANGER,
    STUDENT,
    THIEF,
    TUNNEL,
    WEEKDAY_WORKER,
    WEEKLY_VISITS,
    Population,
)

__all__ = ["DeviceLabels", "label_devices"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

_NAMES = tuple(SITUATIONS)


@dataclass(frozen=True, slots=True, eq=False)
class DeviceLabels:
    """Labels of the devices that played, one row each, ordered by row of the device table."""

    device: I64
    in_household: Bools
    situation: I64
    ambiguous: Bools


def label_devices(population: Population, plays: Plays) -> DeviceLabels:
    """Label every device of a chunk that played.

    Parameters
    ----------
    population : Population
    plays : Plays

    Returns
    -------
    DeviceLabels
        `situation` counts through `schema.SITUATIONS`. The first rule that holds names it.
    """
    device, at = np.unique(plays.device, return_inverse=True)
    table, people, house = population.devices, population.people, population.households
    owner, fixed = table.owner[device], table.owner[device] < 0
    person = np.maximum(owner, 0)
    household = table.household[device]
    role = np.where(fixed, house.role[household], people.role[person])
    last = population.days - 1
    alternates = np.where(fixed, 0, people.alternates[person])
    account = table.account[device]

    def share(which: Bools) -> F64:
        return np.bincount(at, which, len(device)) / np.bincount(at, minlength=len(device))

    # a device that stays and was used by residents on its own day is its place's, not theirs
    in_household = (role == RESIDENT) & (alternates != STUDENT)
    student_room = fixed & table.second_home[device] & _of_student(population, device)
    in_household &= ~student_room

    home = main_home(population, account, np.full(len(device), last))
    places, lines = population.places, population.network.lines
    home_line = np.where(
        places.changed[home] <= last * DAY, places.line_after[home], places.line[home]
    )
    accounts = population.accounts
    recent = plays.second >= (population.days - 14) * DAY * 60
    travelled = np.bincount(at, plays.on_trip & recent, len(device)) > 0
    joined = (role == RESIDENT) & ~fixed & (people.switched[person] <= last)
    moved_in = joined & (people.home[person] != accounts.home[account])
    moved = (accounts.moved[account] <= last) | moved_in
    isp_changed = (places.changed[home] <= last * DAY) | (
        places.changed[accounts.home[account]] <= last * DAY
    )
    new = (table.born[device] > 0) & (table.born[device] >= population.days - 21)
    shared_home = share((plays.kind >= 1) & (plays.kind <= 3) & plays.at_main_home) > 0.2
    evasion = house.evasion[household]
    out = share(~plays.at_main_home) if len(device) else np.zeros(0)

    rules: list[tuple[Bools, str]] = [
        (role == GUEST, "guest_once"),
        (role == STRANGER, "hotel_tv_left_signed_in"),
        (role == THIEF, "stolen_credentials"),
        (role == CUSTODY_PARENT, "alternating_custody"),
        ((role >= BORROWER) & house.paid_slot[household], "extra_member"),
        ((role >= BORROWER) & (evasion == TUNNEL), "borrower_vpn_through_home"),
        ((role >= BORROWER) & (evasion == HOTSPOT), "borrower_phone_hotspot"),
        ((role >= BORROWER) & (evasion == WEEKLY_VISITS), "borrower_visits_weekly"),
        ((role >= BORROWER) & (evasion == MONTHLY), "borrower_visits_monthly"),
        ((role == EX_MEMBER) | ((role == BORROWER) & (house.role[household] == EX_MEMBER)),
         "ex_member_left"),
        ((role == BORROWER) & house.tv_only[household], "grandparent_tv"),
        ((role == BORROWER) & house.same_nat[household], "borrower_same_carrier_nat"),
        ((role == BORROWER) & house.in_town[household] & house.same_isp[household],
         "borrower_same_isp"),
        ((role == BORROWER) & house.in_town[household], "borrower_same_city"),
        (role == BORROWER, "borrower_far"),
        ((alternates == STUDENT) | student_room, "student_away"),
        (alternates == ALTERNATING, "alternating_custody"),
        ((alternates == WEEKDAY_WORKER) | table.second_home[device], "second_home"),
        (share(plays.kind == VPN) > 0.4, "resident_vpn"),
        (share(plays.kind == CELLULAR) > 0.75, "resident_cellular_only"),
        (new, "resident_new_device"),
        (moved, "resident_moved"),
        (travelled, "resident_travelling"),
        (isp_changed, "resident_changed_isp"),
        (places.second_mode[home] != NO_SECOND, "resident_two_isps"),
        (shared_home, "resident_carrier_nat"),
        (lines.policy[home_line] == DAILY, "resident_renumbered_daily"),
        (fixed, "resident_fixed"),
        (people.commutes[person] & (out > 0.25), "resident_commuting"),
    ]  # fmt: skip
    situation = np.full(len(device), _NAMES.index("resident_mobile"))
    for holds, name in reversed(rules):
        situation = np.where(holds, _NAMES.index(name), situation)
    ambiguous = np.array(list(SITUATIONS.values()))[situation]
    return DeviceLabels(device, in_household, situation, ambiguous)


def _of_student(population: Population, device: I64) -> Bools:
    """Devices that stay at a student's place."""
    people = population.people
    rooms = people.alternative[people.alternates == STUDENT]
    return np.isin(population.devices.anchor[device], rooms)
