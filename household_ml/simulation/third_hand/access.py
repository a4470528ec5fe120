"""How a sitting reaches the service: a line, the mobile network, a public network, a tunnel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from household_ml.simulation.third_hand.chance import share_of
from household_ml.simulation.third_hand.homes import Builder
from household_ml.simulation.third_hand.ledger import column
from household_ml.simulation.third_hand.viewing import AFTERNOON, COMMUTE, Sittings

__all__ = ["CELL", "EMPLOYER", "LINE", "RELAY", "VENUE", "VPN", "Access", "reach"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LINE, CELL, VENUE, VPN, EMPLOYER, RELAY = range(6)

#: Days of an outage, as a share of all days of a line [A]; people tether then.
_OUTAGE: Final = 0.002


@dataclass(frozen=True, slots=True)
class Access:
    """Access of each sitting.

    Attributes
    ----------
    way : ndarray of int64
        LINE, CELL, VENUE, VPN, EMPLOYER or RELAY.
    which : ndarray of int64
        The line, the mobile network, the place, or the number of the VPN, employer or relay.
    """

    way: Ints
    which: Ints


def reach(builder: Builder, sittings: Sittings, seed: int) -> Access:
    """Decide the access of each sitting.

    Parameters
    ----------
    builder : Builder
        With people, devices and lines.
    sittings : Sittings
        N sittings.
    seed : int
        Of what is drawn by who and when.
    """
    rng, ledger = builder.rng, builder.ledger
    people, devices = ledger.people, ledger.devices
    who, what, place = sittings.person, sittings.device, sittings.place
    kinds = np.array([one.kind for one in builder.country.places])
    kind = np.where(place >= 0, kinds[np.maximum(place, 0)], "move")
    role = column(devices, "kind", "U16")[what]
    pocket = np.isin(role, ("phone", "tablet"))
    fixed = column(devices, "place", np.int64)[what] >= 0
    at_home = np.isin(kind, ("dwelling", "rental"))

    lines = _Lines(builder)
    line = lines.serving(place, sittings.start, what, seed)
    line[share_of(seed, 11, np.maximum(line, 0), sittings.day) < _OUTAGE] = -1
    way = np.where(at_home, np.where(line >= 0, LINE, CELL), VENUE)
    way = np.where(kind == "move", CELL, way)
    cell = np.where(
        at_home,
        column(people, "cell_home", np.float64)[who],
        column(people, "cell_out", np.float64)[who],
    )
    # tablets and computers have seldom a mobile plan; a phone lends its own on the way
    phones = role == "phone"
    cell = np.where(phones, cell, np.where(cell >= 1.0, 1.0, 0.15 * cell))
    way[~fixed & (rng.random(len(sittings)) < cell)] = CELL
    trains = (kind == "move") & (share_of(seed, 12, who, sittings.day) < 0.22)
    way[trains & (cell < 1.0)] = VENUE
    station = np.array(
        [builder.country.public[(town, "station")][0] for town in range(builder.country.x.size)]
    )
    # a screen on a phone's network, where everything is
    way[fixed & at_home & (cell >= 1.0) & (column(people, "cell_home", float)[who] >= 1.0)] = CELL

    sim = column(people, "sim", np.int64)[who]
    venue = np.where(kind == "move", station[sittings.town], place)
    which = np.select([way == LINE, way == CELL], [line, sim], venue)

    tunnel = column(people, "tunnel", "U12")[who]
    exits = column(people, "exit", np.int64)[who]
    router = column(ledger.lines, "router_exit", np.int64)
    routed = (way == LINE) & (router[np.maximum(line, 0)] >= 0)
    way, which = np.where(routed, VPN, way), np.where(routed, router[np.maximum(line, 0)], which)
    dice = rng.random(len(sittings))
    own = ~fixed
    chosen = (tunnel == "sometimes") & own & (dice < np.where(role == "computer", 0.6, 0.3))
    chosen |= (tunnel == "always") & (dice < np.where(own, 0.97, 0.1))
    way, which = np.where(chosen, VPN, way), np.where(chosen, exits, which)
    desk = (tunnel == "employer") & (role == "computer")
    desk &= dice < np.where((sittings.part >= COMMUTE) & (sittings.part <= AFTERNOON), 0.9, 0.35)
    way, which = np.where(desk, EMPLOYER, way), np.where(desk, exits, which)
    hidden = (tunnel == "relay") & (pocket | (role == "computer"))
    hidden &= dice < np.where(role == "computer", 0.6, 0.15)
    way, which = np.where(hidden, RELAY, way), np.where(hidden, exits, which)

    host = _main_home(builder, sittings)
    behind = lines.serving(host, sittings.start, what, seed)
    home = (tunnel == "home") & (behind >= 0) & (dice < 0.93)
    way, which = np.where(home, LINE, way), np.where(home, behind, which)
    return Access(np.asarray(way), np.asarray(which))


def _main_home(builder: Builder, sittings: Sittings) -> Ints:
    """Main home of the account of each sitting, at that time."""
    ledger = builder.ledger
    account = column(ledger.people, "account", np.int64)[sittings.person]
    moved = sittings.start >= column(ledger.accounts, "moves_on", np.float64)[account]
    home = column(ledger.accounts, "home", np.int64)[account]
    later = column(ledger.accounts, "next_home", np.int64)[account]
    return np.asarray(np.where(moved & (later >= 0), later, home))


class _Lines:
    """Lines by dwelling."""

    def __init__(self, builder: Builder) -> None:
        lines = builder.ledger.lines
        place = column(lines, "place", np.int64)
        self._order = np.argsort(place, kind="stable")
        self._place = place[self._order]
        self._first = column(lines, "first", np.float64)[self._order]
        self._last = column(lines, "last", np.float64)[self._order]

    def serving(self, place: Ints, when: npt.NDArray[np.float64], device: Ints, seed: int) -> Ints:
        """Line that serves a device at a place; -1 = none.

        Where two serve, a device has its own one most of the time.
        """
        low = np.searchsorted(self._place, place, side="left")
        count = np.searchsorted(self._place, place, side="right") - low
        first = np.full(place.size, -1, np.int64)
        second = first.copy()
        for turn in range(int(count.max(initial=0))):
            at = np.minimum(low + turn, self._order.size - 1)
            serves: Bools = (turn < count) & (self._first[at] <= when) & (when < self._last[at])
            line = self._order[at]
            second = np.where(serves & (first >= 0) & (second < 0), line, second)
            first = np.where(serves & (first < 0), line, first)
        likes = share_of(seed, 13, device) < 0.35
        strays = share_of(seed, 14, device, (when * 2.0).astype(np.int64)) < 0.06
        return np.asarray(np.where((second >= 0) & (likes ^ strays), second, first))
