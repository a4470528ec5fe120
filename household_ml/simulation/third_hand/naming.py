"""What every device is: of the household or not, and the situation by which it is evaluated.

The label follows from where the main user of a device lives when the world ends. The situation of
a resident's device follows from what happened to it; of several the rarer one holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.simulation.third_hand.access import CELL, EMPLOYER, RELAY, VPN
from household_ml.simulation.third_hand.homes import Builder
from household_ml.simulation.third_hand.ledger import OUTSIDE, Device, Line, Person

__all__ = ["AMBIGUOUS", "Named", "Use", "name_devices"]

Ints = npt.NDArray[np.int64]

#: Situations that the policy itself leaves open.
AMBIGUOUS: Final = frozenset({"second_home", "student_away", "alternating_custody"})

_OPEN: Final = {
    "custody": "alternating_custody",
    "student": "student_away",
    "weekday_worker": "second_home",
    "second_home": "second_home",
}
_PLAIN: Final = {
    "extra": "extra_member",
    "former": "ex_member_left",
    "guest": "guest_once",
    "thief": "stolen_credentials",
    "stranger": "hotel_tv_left_signed_in",
    "grandparent": "grandparent_tv",
}
#: Days at the end in which an id, a home or an operator counts as new.
_NEW_ID: Final = 21.0
_NEW_HOME: Final = 75.0


@dataclass(frozen=True, slots=True)
class Use:
    """How each device was used: counts of plays by device, and the day of the first one."""

    plays: Ints
    cell: Ints
    tunnel: Ints
    working: Ints
    travelling: Ints
    first: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls,
        devices: int,
        device: Ints,
        way: Ints,
        kind: npt.NDArray[np.str_],
        visiting: npt.NDArray[np.bool_],
        start: npt.NDArray[np.float64],
    ) -> Use:
        """Count the plays of each device.

        Parameters
        ----------
        devices : int
            How many there are.
        device, way, kind, visiting, start : ndarray, shape (plays,)
            Device, access, kind of place, whether it is a dwelling of others, day.
        """

        def count(rows: npt.NDArray[np.bool_]) -> Ints:
            return np.bincount(device[rows], minlength=devices)

        first = np.full(devices, np.inf)
        np.minimum.at(first, device, start)
        return cls(
            np.bincount(device, minlength=devices),
            count(way == CELL),
            count(np.isin(way, (VPN, EMPLOYER, RELAY))),
            count(np.isin(kind, ("work", "campus", "transit"))),
            count(np.isin(kind, ("hotel", "rental", "hospital")) | visiting),
            first,
        )


@dataclass(frozen=True, slots=True)
class Named:
    """Labels by device."""

    in_household: npt.NDArray[np.bool_]
    situation: npt.NDArray[Any]
    ambiguous: npt.NDArray[np.bool_]


def name_devices(builder: Builder, use: Use, days: int) -> Named:
    """Label all devices.

    Parameters
    ----------
    builder : Builder
        The world.
    use : Use
        How they were used.
    days : int
        How long the world lasts.
    """
    people = builder.ledger.people
    names, inside = [], []
    for number, device in enumerate(builder.ledger.devices):
        role = device.role or people[device.owner].role
        inside.append(role not in OUTSIDE)
        if role in _OPEN:
            names.append(_OPEN[role])
        elif role in _PLAIN:
            names.append(_PLAIN[role])
        elif role == "borrower":
            names.append(_borrower(builder, device, people[device.owner]))
        else:
            names.append(_resident(builder, device, number, use, days))
    situation = np.array(names, dtype=object)
    return Named(np.array(inside, np.bool_), situation, np.isin(situation, list(AMBIGUOUS)))


def _borrower(builder: Builder, device: Device, person: Person) -> str:
    """Situation of a device of an outside household."""
    places = builder.country.places
    account = builder.ledger.accounts[device.account]
    home = account.next_home if account.next_home >= 0 else account.home
    ours, theirs = _served(builder, home), _served(builder, person.home)
    if person.tunnel == "home":
        return "borrower_vpn_through_home"
    if any(line.twin >= 0 for line in theirs):
        return "borrower_same_carrier_nat"
    if person.tunnel == "hotspot":
        return "borrower_phone_hotspot"
    if device.place < 0 and 0.0 < person.visits <= 31.0:
        return "borrower_visits_weekly" if person.visits < 14.0 else "borrower_visits_monthly"
    if places[person.home].town != places[home].town:
        return "borrower_far"
    if {line.isp for line in ours} & {line.isp for line in theirs}:
        return "borrower_same_isp"
    return "borrower_same_city"


def _resident(builder: Builder, device: Device, number: int, use: Use, days: int) -> str:
    """Situation of a device of somebody who lives in the account's home."""
    ledger = builder.ledger
    account, person = ledger.accounts[device.account], ledger.people[device.owner]
    home = account.next_home if account.next_home >= 0 else account.home
    plays = max(1, int(use.plays[number]))
    lines = [line for line in _served(builder, home) if line.first < days < line.last]
    pocket = device.place < 0
    checks = (
        ("resident_moved", days - person.moves_on < _NEW_HOME and person.moves_on < days),
        ("resident_new_device", device.reborn and use.first[number] > max(7.0, days - _NEW_ID)),
        (
            "resident_changed_isp",
            account.next_home < 0
            and any(line.first > max(0.0, days - _NEW_HOME) for line in lines),
        ),
        (
            "resident_vpn",
            use.tunnel[number] > 0.4 * plays or any(x.router_exit >= 0 for x in lines),
        ),
        ("resident_cellular_only", not lines or (pocket and use.cell[number] > 0.9 * plays > 1.8)),
        ("resident_travelling", use.travelling[number] > 0.25 * plays),
        ("resident_commuting", pocket and use.working[number] > max(1.0, 0.35 * plays)),
        ("resident_two_isps", len(lines) > 1),
        (
            "resident_renumbered_daily",
            any(x.way == "reconnect" and x.days <= 1.0 and not x.nat for x in lines),
        ),
        ("resident_carrier_nat", any(line.nat for line in lines)),
        ("resident_mobile", pocket),
    )
    return next((name for name, holds in checks if holds), "resident_fixed")


def _served(builder: Builder, place: int) -> list[Line]:
    return [builder.ledger.lines[number] for number in builder.lines_of(place)]
