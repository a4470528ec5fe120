"""How often what happens, for each kind of world, and the same drawn anew over a range.

Defaults and ranges are those of the project's table of parameters; where that table is silent a
rate is an assumption.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from household_ml.errors import ParameterError, Problem
from household_ml.simulation.third_hand.chance import name_seed

__all__ = ["KINDS", "Rates", "rates_of"]


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of one world; shares in [0, 1] unless told otherwise.

    Attributes
    ----------
    markets : tuple of (str, weight)
        Countries, by accounts.
    resort : str
        Country of holidays abroad.
    start : str
        First day.
    sharing : float
        Accounts with an outside household.
    neighbour_nat : float
        Outside households behind the account's own carrier NAT.
    same_isp : float
        Outside households that chose the account's operator on purpose.
    plays : float
        Plays per household and day.
    screen_love : float
        Share of plays on a fixed screen where there is one.
    gadgets : float
        Multiplies the number of devices.
    v6, nat, daily : float or None
        Override of the operators' own habits.
    near : float or None
        Override of the share of new addresses within the /24.
    reboots : float
        Changes of address by reboot or outage a month.
    cell_home, cell_out : float
        Phone plays on cellular at home, and out.
    cell_only : float
        People whose phone is never on Wi-Fi.
    lineless : float
        Homes without a fixed line.
    nights_away : float
        Nights a person and year.
    second_home, two_dwellings : float
        Accounts with a second home; adults who live in two places.
    moves, isp_changes : float
        A year and home.
    vpn : float
        People who watch through a VPN, now and then or always.
    new_id : float
        New device ids a device and year.
    visits, tunnel, hotspot : float
        Outside people who visit to be seen, tunnel through the home, use a phone as a hotspot.
    two_lines : float
        Homes with two operators at once.
    mess : float
        How damaged the log is; 0 = as the service wrote it.
    """

    markets: tuple[tuple[str, float], ...]
    resort: str = "ES"
    start: str = "2025-01-13"
    sharing: float = 0.22
    neighbour_nat: float = 0.015
    same_isp: float = 0.0
    plays: float = 2.5
    screen_love: float = 0.55
    gadgets: float = 1.0
    v6: float | None = None
    nat: float | None = None
    daily: float | None = None
    near: float | None = None
    reboots: float = 0.7
    cell_home: float = 0.08
    cell_out: float = 0.3
    cell_only: float = 0.04
    lineless: float = 0.02
    nights_away: float = 16.0
    second_home: float = 0.1
    two_dwellings: float = 0.08
    moves: float = 0.088
    isp_changes: float = 0.12
    vpn: float = 0.08
    new_id: float = 0.2
    visits: float = 0.1
    tunnel: float = 0.02
    hotspot: float = 0.03
    two_lines: float = 0.05
    mess: float = 0.0


#: Kinds of world.
KINDS: Final[dict[str, Rates]] = {
    "fr": Rates((("FR", 1.0),)),
    "us": Rates((("US", 1.0),), "CA", "2025-03-03", sharing=0.25, cell_home=0.12, v6=None),
    "daily_renumbering": Rates(
        (("DE", 0.75), ("UY", 0.25)), "ES", "2024-10-07", daily=0.75, reboots=1.2
    ),
    "carrier_nat": Rates(
        (("FR", 0.55), ("BR", 0.45)), "ES", "2026-02-02", nat=0.82, neighbour_nat=0.05
    ),
    "mobile_first": Rates(
        (("PH", 0.5), ("IN", 0.5)),
        "PH",
        "2025-07-21",
        screen_love=0.45,
        cell_home=0.35,
        cell_out=0.6,
        cell_only=0.2,
        lineless=0.16,
        second_home=0.05,
    ),
    "evaders": Rates(
        (("ES", 1.0),),
        "IT",
        "2025-02-24",
        sharing=0.3,
        visits=0.3,
        tunnel=0.1,
        hotspot=0.1,
        vpn=0.14,
        same_isp=0.3,
    ),
    "messy": Rates(
        (("US", 0.5), ("CA", 0.25), ("FR", 0.25)), "ES", "2025-09-15", mess=1.0, new_id=0.6
    ),
    "moves_holidays": Rates(
        (("IT", 0.6), ("FR", 0.4)),
        "ES",
        "2025-06-16",
        moves=0.4,
        isp_changes=0.4,
        nights_away=55.0,
        second_home=0.15,
    ),
}

#: Ranges over which a kind's rates are drawn anew.
_RANGES: Final[dict[str, tuple[float, float]]] = {
    "sharing": (0.1, 0.45),
    "neighbour_nat": (0.0, 0.1),
    "same_isp": (0.0, 1.0),
    "screen_love": (0.45, 0.65),
    "gadgets": (0.7, 1.7),
    "v6": (0.0, 0.99),
    "nat": (0.0, 0.9),
    "near": (0.1, 0.7),
    "reboots": (0.2, 2.0),
    "cell_home": (0.02, 0.2),
    "cell_out": (0.05, 0.4),
    "nights_away": (5.0, 60.0),
    "second_home": (0.05, 0.15),
    "two_dwellings": (0.03, 0.15),
    "moves": (0.05, 0.2),
    "isp_changes": (0.05, 0.2),
    "vpn": (0.0, 0.2),
    "new_id": (0.05, 0.4),
    "visits": (0.0, 0.4),
    "tunnel": (0.0, 0.1),
    "hotspot": (0.0, 0.1),
}
#: What makes a kind what it is, and so stays where it was or moves less.
_OWN: Final[dict[str, dict[str, tuple[float, float]]]] = {
    "daily_renumbering": {"daily": (0.5, 0.95), "nat": (0.0, 0.3)},
    "carrier_nat": {"nat": (0.6, 0.95)},
    "mobile_first": {"cell_home": (0.2, 0.5), "cell_out": (0.4, 0.8), "lineless": (0.08, 0.25)},
    "evaders": {"visits": (0.2, 0.5), "tunnel": (0.05, 0.2), "hotspot": (0.05, 0.2)},
    "messy": {"mess": (0.5, 1.5)},
    "moves_holidays": {
        "moves": (0.2, 0.6),
        "isp_changes": (0.2, 0.6),
        "nights_away": (30.0, 80.0),
    },
}


def rates_of(kind: str) -> Rates:
    """Rates of a kind of world; ``fr~7`` = those of ``fr`` drawn anew with the number 7.

    Raises
    ------
    ParameterError
        There is no such kind.

    Examples
    --------
    >>> rates_of("fr") == KINDS["fr"], rates_of("fr~7") == rates_of("fr~7") != rates_of("fr~8")
    (True, True)
    """
    name, drawn, number = kind.partition("~")
    if name not in KINDS or (drawn and not number.isdecimal()):
        raise ParameterError(
            Problem(
                f"a kind of world must be one of {', '.join(KINDS)}, alone or with ~ and a number",
                repr(kind),
                "Name one of them, such as fr or fr~7.",
            )
        )
    rates = KINDS[name]
    if not drawn:
        return rates
    rng = np.random.default_rng([name_seed(name), int(number)])
    ranges = _RANGES | _OWN.get(name, {})
    found: dict[str, Any] = {field: float(rng.uniform(*ranges[field])) for field in sorted(ranges)}
    # half of the range in logarithm, as plays span an order of magnitude
    found["plays"] = float(np.exp(rng.uniform(np.log(0.6), np.log(6.0))))
    return replace(rates, **found)
