"""Who and what there is in a world: people, their devices, their lines, and where they go.

Times are days since the start of the world, as fractions; places and people are numbered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["AGES", "OUTSIDE", "Account", "Device", "Ledger", "Line", "Person", "Stay", "column"]

#: Ages that watch differently.
AGES = ("child", "teen", "young", "adult", "senior")

#: What people are to an account without living in its home.
OUTSIDE = frozenset({"borrower", "grandparent", "former", "extra", "guest", "thief", "stranger"})


@dataclass(slots=True)
class Person:
    """Somebody who watches on an account.

    Attributes
    ----------
    account : int
        Whose subscription.
    home, next_home, moves_on : int, int, float
        Dwelling, the one after, and the day of the move.
    role : str
        ``resident``, ``student``, ``weekday_worker``, ``custody``, or one of OUTSIDE.
    age : int
        Index in AGES.
    appetite : float
        Times a day that this person sits down to watch.
    first, last : float
        Days between which the account is used.
    other_home, rhythm, phase : int
        A second dwelling; how it alternates (0 never, 1 week by week, 2 every other weekend,
        3 weekdays there, 4 weekdays there and most weekends too, 5 two days here, two there).
    office, office_days : int
        Where the day is spent (-1 = nowhere else), and on which weekdays (bits, Monday first).
    sim : int
        Mobile network; -1 = none.
    cell_home, cell_out : float
        Chance that a phone is on cellular at home, and elsewhere.
    tunnel : str
        ``""``, ``sometimes``, ``always``, ``employer``, ``relay``, ``home`` (through the line of
        the account's home), or ``hotspot`` (no tunnel, but a phone in the place of a line).
    exit : int
        Which VPN provider, employer or relay.
    visits : float
        Days between visits to the account's home; 0 = none.
    late : float
        Hours by which the day of this person is shifted.
    screen : float
        Leaning to fixed screens, 1 = as everybody.
    fan : float
        Mean number of plays in one sitting, beyond the first.
    """

    account: int
    home: int
    role: str
    age: int
    appetite: float
    first: float = 0.0
    last: float = float("inf")
    next_home: int = -1
    moves_on: float = float("inf")
    other_home: int = -1
    rhythm: int = 0
    phase: int = 0
    office: int = -1
    office_days: int = 0
    sim: int = 0
    cell_home: float = 0.08
    cell_out: float = 0.3
    tunnel: str = ""
    exit: int = 0
    visits: float = 0.0
    late: float = 0.0
    screen: float = 1.0
    fan: float = 1.0


@dataclass(slots=True)
class Device:
    """One device id.

    Attributes
    ----------
    account, owner : int
        Subscription; person who mainly uses it.
    kind : str
        Device type of the contract.
    place : int
        Where it stands; -1 = it goes with its owner.
    first, last : float
        Days between which the id is in use.
    next_place, moves_on : int, float
        Where it stands after a move.
    role : str
        What it is if that is not what its owner is: ``second_home``, ``grandparent``...
    reborn : bool
        Whether the id came to be inside the world, of a new device or by a reset.
    """

    account: int
    owner: int
    kind: str
    place: int
    first: float = 0.0
    last: float = float("inf")
    next_place: int = -1
    moves_on: float = float("inf")
    role: str = ""
    reborn: bool = False


@dataclass(slots=True)
class Line:
    """Access of a dwelling: operator, how addresses are held, carrier NAT, IPv6, a VPN's router.

    `twin` is the line next door that a carrier NAT binds to the same address, -1 = none.
    """

    place: int
    isp: int
    first: float
    last: float
    way: str
    days: float
    nat: bool
    v6: bool
    router_exit: int = -1
    twin: int = -1


@dataclass(slots=True)
class Stay:
    """Nights somewhere else; later ones of the ledger hold over earlier ones."""

    person: int
    first: int
    nights: int
    place: int


@dataclass(slots=True)
class Account:
    """A subscription and the dwelling that is its main home, before and after a move."""

    market: int
    home: int
    next_home: int = -1
    moves_on: float = float("inf")
    extra_members: int = 0


@dataclass(slots=True)
class Ledger:
    """Everything that is counted in a world."""

    accounts: list[Account] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)

    def person(self, someone: Person) -> int:
        """Add a person."""
        self.people.append(someone)
        return len(self.people) - 1


def column(rows: Sequence[Any] | Iterable[Any], name: str, kind: Any) -> npt.NDArray[Any]:
    """One attribute of many as an array."""
    return np.array(list(map(attrgetter(name), rows)), dtype=kind)
