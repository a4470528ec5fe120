"""Countries: who sells lines there and how their networks give out addresses.

Operators are those of the catalogue that ships, so that the table of networks knows the addresses.
Shares and habits are rough pictures of each market [G]; nothing may be concluded from one alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["MARKETS", "Isp", "Market", "Mobile"]


@dataclass(frozen=True, slots=True)
class Isp:
    """How an operator of fixed lines gives out addresses.

    Attributes
    ----------
    brand : str
        Name in the catalogue of operators.
    share : float
        Weight in its market.
    ways : tuple of (str, weight, days)
        ``static``: for good; ``reconnect``: a new session every so many days, by the clock;
        ``lease``: lost with a constant hazard, once in so many days on average.
    nat : float
        Share of lines behind a carrier NAT.
    binding : float
        Days that the NAT keeps a subscriber on one address; 0 = for good, with three neighbours.
    v6 : float
        Share of lines with a delegated prefix.
    delegated : int
        Its length.
    near : float
        Share of new IPv4 addresses that stay in the /24.
    access : str
        ``wire``, ``radio`` (a box on the mobile network) or ``satellite``.
    """

    brand: str
    share: float
    ways: tuple[tuple[str, float, float], ...]
    nat: float
    binding: float
    v6: float
    delegated: int = 56
    near: float = 0.3
    access: str = "wire"


@dataclass(frozen=True, slots=True)
class Mobile:
    """A mobile network: addresses in a region's gateway (as a power of two), share on IPv6."""

    brand: str
    share: float
    pool_bits: int
    v6: float


@dataclass(frozen=True, slots=True)
class Market:
    """A country.

    Attributes
    ----------
    code : str
        ISO 3166-1 alpha-2.
    zones : tuple of (str, weight)
        Time zones, by people.
    isps, mobiles : tuple
        Who sells access.
    offices, schools : tuple of int
        ASs of companies' and universities' access.
    homes : dict of str to float
        Kinds of household, by weight.
    """

    code: str
    zones: tuple[tuple[str, float], ...]
    isps: tuple[Isp, ...]
    mobiles: tuple[Mobile, ...]
    offices: tuple[int, ...]
    schools: tuple[int, ...]
    homes: dict[str, float]


_SETTLED = (("static", 0.45, 0.0), ("lease", 0.55, 150.0))
_CABLE = (("static", 0.06, 0.0), ("lease", 0.94, 120.0))
_WEEKLY = (("reconnect", 0.55, 7.0), ("lease", 0.35, 60.0), ("static", 0.1, 0.0))
_NIGHTLY = (("reconnect", 0.5, 1.0), ("lease", 0.45, 90.0), ("static", 0.05, 0.0))
_FIXED = (("static", 1.0, 0.0),)
_ROVING = (("lease", 1.0, 4.0),)

#: INSEE and Census shares of household sizes, spread over ways of living together [G].
_EUROPE = {
    "young_alone": 0.12,
    "alone": 0.14,
    "senior_alone": 0.12,
    "couple": 0.17,
    "senior_couple": 0.11,
    "small_children": 0.11,
    "teens": 0.09,
    "single_parent": 0.06,
    "separated_parent": 0.03,
    "flat_share": 0.04,
    "generations": 0.01,
}
_AMERICA = {
    "young_alone": 0.09,
    "alone": 0.11,
    "senior_alone": 0.09,
    "couple": 0.18,
    "senior_couple": 0.12,
    "small_children": 0.13,
    "teens": 0.11,
    "single_parent": 0.06,
    "separated_parent": 0.03,
    "flat_share": 0.05,
    "generations": 0.03,
}
_LARGE = {
    "young_alone": 0.08,
    "alone": 0.03,
    "senior_alone": 0.01,
    "couple": 0.12,
    "senior_couple": 0.04,
    "small_children": 0.24,
    "teens": 0.21,
    "single_parent": 0.04,
    "separated_parent": 0.01,
    "flat_share": 0.08,
    "generations": 0.14,
}

_FRANCE = Market(
    "FR",
    (("Europe/Paris", 1.0),),
    (
        Isp("Orange FR", 0.39, _WEEKLY, 0.0, 0.0, 0.92),
        Isp("Free", 0.22, _FIXED, 0.4, 0.0, 0.99, 60),
        Isp("SFR", 0.19, _SETTLED, 0.5, 6.0, 0.35, 56, 0.4),
        Isp("Bouygues Telecom", 0.16, _SETTLED, 0.5, 12.0, 0.85, 60),
        Isp("Free Mobile", 0.025, _ROVING, 1.0, 2.0, 0.8, 64, 0.3, "radio"),
        Isp("SpaceX Starlink", 0.01, _ROVING, 1.0, 3.0, 0.95, 56, 0.3, "satellite"),
    ),
    (
        Mobile("Orange FR", 0.36, 10, 0.6),
        Mobile("Free Mobile", 0.2, 11, 0.3),
        Mobile("SFR", 0.23, 10, 0.2),
        Mobile("Bouygues Telecom", 0.21, 9, 0.7),
    ),
    (12844, 25540, 34177, 8399, 3215),
    (2200,),
    _EUROPE,
)
_STATES = Market(
    "US",
    (
        ("America/New_York", 0.45),
        ("America/Chicago", 0.3),
        ("America/Denver", 0.07),
        ("America/Los_Angeles", 0.18),
    ),
    (
        Isp("Comcast", 0.27, _CABLE, 0.0, 0.0, 0.7, 60, 0.25),
        Isp("Charter", 0.25, _CABLE, 0.0, 0.0, 0.55, 56, 0.25),
        Isp("AT&T", 0.13, (("static", 0.35, 0.0), ("lease", 0.65, 250.0)), 0.0, 0.0, 0.6, 64),
        Isp("Verizon", 0.08, (("lease", 1.0, 45.0),), 0.0, 0.0, 0.4),
        Isp("Cox", 0.05, _CABLE, 0.0, 0.0, 0.5),
        Isp("Frontier", 0.03, (("lease", 1.0, 30.0),), 0.05, 10.0, 0.1),
        Isp("Altice Optimum", 0.04, _CABLE, 0.0, 0.0, 0.1),
        Isp("CenturyLink", 0.03, (("reconnect", 0.4, 7.0), ("lease", 0.6, 40.0)), 0.1, 6.0, 0.1),
        Isp("T-Mobile US", 0.06, _ROVING, 1.0, 1.5, 0.97, 64, 0.3, "radio"),
        Isp("Verizon Wireless", 0.04, _ROVING, 1.0, 2.5, 0.8, 64, 0.3, "radio"),
        Isp("SpaceX Starlink", 0.02, _ROVING, 1.0, 3.0, 0.95, 56, 0.3, "satellite"),
    ),
    (
        Mobile("T-Mobile US", 0.35, 9, 0.93),
        Mobile("Verizon Wireless", 0.36, 11, 0.8),
        Mobile("AT&T Mobility", 0.29, 10, 0.7),
    ),
    (174, 7018, 701, 3356),
    (18, 73, 87, 55),
    _AMERICA,
)
_GERMANY = Market(
    "DE",
    (("Europe/Berlin", 1.0),),
    (
        Isp("Deutsche Telekom", 0.41, _NIGHTLY, 0.0, 0.0, 0.95),
        Isp("Vodafone DE", 0.29, _SETTLED, 0.45, 20.0, 0.8, 59),
        Isp("1&1 Versatel", 0.12, (("reconnect", 1.0, 1.0),), 0.0, 0.0, 0.85),
        Isp("Telefonica DE", 0.08, (("reconnect", 1.0, 1.0),), 0.1, 1.0, 0.7),
        Isp("NetCologne", 0.04, _NIGHTLY, 0.3, 1.0, 0.9, 48),
        Isp("Deutsche Glasfaser", 0.06, _FIXED, 1.0, 2.0, 0.99),
    ),
    (
        Mobile("Deutsche Telekom", 0.37, 11, 0.8),
        Mobile("Vodafone DE", 0.33, 10, 0.6),
        Mobile("Telefonica DE", 0.3, 10, 0.4),
    ),
    (174, 3320, 8881),
    (680,),
    _EUROPE,
)
_URUGUAY = Market(
    "UY",
    (("America/Montevideo", 1.0),),
    (Isp("Antel", 1.0, (("reconnect", 0.9, 0.5), ("static", 0.1, 0.0)), 0.02, 1.0, 0.6, 56, 0.1),),
    (Mobile("Antel", 1.0, 10, 0.3),),
    (6057,),
    (1797,),
    _AMERICA,
)
_BRAZIL = Market(
    "BR",
    (("America/Sao_Paulo", 0.8), ("America/Manaus", 0.2)),
    (
        Isp("Claro NET BR", 0.3, _CABLE, 0.25, 10.0, 0.8, 64),
        Isp("Vivo", 0.2, (("reconnect", 0.3, 2.0), ("lease", 0.7, 30.0)), 0.7, 3.0, 0.9, 64),
        Isp("V.tal", 0.15, (("lease", 1.0, 20.0),), 0.8, 3.0, 0.7),
        Isp("Brisanet", 0.2, (("lease", 1.0, 10.0),), 0.97, 1.0, 0.6),
        Isp("Unifique", 0.15, (("lease", 1.0, 15.0),), 0.95, 1.0, 0.85),
    ),
    (
        Mobile("Claro BR mobile", 0.35, 10, 0.7),
        Mobile("Vivo mobile", 0.38, 10, 0.7),
        Mobile("TIM BR", 0.27, 10, 0.8),
    ),
    (174, 4230, 28573),
    (1916,),
    _LARGE,
)
_PHILIPPINES = Market(
    "PH",
    (("Asia/Manila", 1.0),),
    (
        Isp("PLDT", 0.42, (("reconnect", 0.4, 3.0), ("lease", 0.6, 8.0)), 0.4, 2.0, 0.3),
        Isp("Converge", 0.33, (("lease", 1.0, 20.0),), 0.8, 2.0, 0.2),
        Isp("Globe mobile", 0.15, _ROVING, 1.0, 1.0, 0.4, 64, 0.3, "radio"),
        Isp("Smart", 0.1, _ROVING, 1.0, 1.0, 0.3, 64, 0.3, "radio"),
    ),
    (Mobile("Globe mobile", 0.5, 9, 0.4), Mobile("Smart", 0.5, 9, 0.3)),
    (9299, 174),
    (9821,),
    _LARGE,
)
_INDIA = Market(
    "IN",
    (("Asia/Kolkata", 1.0),),
    (
        Isp(
            "Airtel broadband", 0.35, (("reconnect", 0.5, 2.0), ("lease", 0.5, 9.0)), 0.5, 1.5, 0.8
        ),
        Isp("Reliance Jio", 0.45, _ROVING, 1.0, 1.5, 0.98, 64, 0.3, "radio"),
        Isp("ACT", 0.12, (("lease", 1.0, 20.0),), 0.4, 4.0, 0.5),
        Isp("BSNL", 0.08, (("reconnect", 1.0, 1.0),), 0.3, 1.0, 0.3),
    ),
    (
        Mobile("Reliance Jio", 0.45, 10, 0.97),
        Mobile("Airtel mobile", 0.35, 10, 0.85),
        Mobile("Vodafone Idea", 0.2, 10, 0.7),
    ),
    (9498, 4755),
    (55824,),
    _LARGE,
)
_SPAIN = Market(
    "ES",
    (("Europe/Madrid", 0.96), ("Atlantic/Canary", 0.04)),
    (
        Isp("Telefonica ES", 0.36, (("lease", 0.8, 25.0), ("static", 0.2, 0.0)), 0.05, 3.0, 0.4),
        Isp("Orange ES", 0.2, (("lease", 1.0, 40.0),), 0.4, 5.0, 0.6),
        Isp("MasMovil", 0.16, (("lease", 1.0, 30.0),), 0.7, 5.0, 0.2),
        Isp("Vodafone ES", 0.16, _CABLE, 0.3, 8.0, 0.5),
        Isp("Digi ES", 0.12, (("lease", 1.0, 20.0),), 0.85, 2.0, 0.7),
    ),
    (
        Mobile("Telefonica ES", 0.35, 10, 0.3),
        Mobile("Orange ES", 0.3, 10, 0.6),
        Mobile("Vodafone ES", 0.2, 10, 0.4),
        Mobile("Yoigo", 0.15, 9, 0.1),
    ),
    (174, 3352, 12430),
    (766,),
    _EUROPE,
)
_ITALY = Market(
    "IT",
    (("Europe/Rome", 1.0),),
    (
        Isp("TIM Italia", 0.4, (("lease", 0.7, 20.0), ("reconnect", 0.3, 7.0)), 0.0, 0.0, 0.15),
        Isp("Vodafone IT", 0.17, (("lease", 1.0, 60.0),), 0.1, 5.0, 0.5),
        Isp("Fastweb", 0.16, _SETTLED, 0.5, 15.0, 0.4),
        Isp("Wind Tre", 0.16, (("lease", 1.0, 15.0),), 0.5, 4.0, 0.3),
        Isp("EOLO", 0.06, (("lease", 1.0, 60.0),), 0.8, 10.0, 0.1),
        Isp("Iliad IT", 0.05, _FIXED, 0.8, 0.0, 0.95, 60),
    ),
    (
        Mobile("TIM Italia mobile", 0.3, 10, 0.3),
        Mobile("Vodafone IT", 0.25, 10, 0.4),
        Mobile("Wind Tre mobile", 0.28, 10, 0.2),
        Mobile("Iliad IT", 0.17, 9, 0.8),
    ),
    (8968, 174),
    (137,),
    _EUROPE,
)
_CANADA = Market(
    "CA",
    (("America/Toronto", 0.65), ("America/Winnipeg", 0.1), ("America/Vancouver", 0.25)),
    (
        Isp("Bell CA", 0.3, (("reconnect", 0.2, 7.0), ("lease", 0.8, 30.0)), 0.0, 0.0, 0.1),
        Isp("Rogers", 0.28, _CABLE, 0.0, 0.0, 0.9, 64),
        Isp("Telus", 0.2, _CABLE, 0.0, 0.0, 0.9),
        Isp("Videotron", 0.14, _CABLE, 0.0, 0.0, 0.5, 64),
        Isp("TekSavvy", 0.08, (("lease", 1.0, 60.0),), 0.0, 0.0, 0.4),
    ),
    (
        Mobile("Rogers", 0.4, 10, 0.8),
        Mobile("Telus Mobility", 0.3, 9, 0.6),
        Mobile("Bell Mobility", 0.3, 9, 0.5),
    ),
    (174, 577),
    (239, 376),
    _AMERICA,
)

#: Countries, by code.
MARKETS: Final[dict[str, Market]] = {
    market.code: market
    for market in (
        _FRANCE,
        _STATES,
        _GERMANY,
        _URUGUAY,
        _BRAZIL,
        _PHILIPPINES,
        _INDIA,
        _SPAIN,
        _ITALY,
        _CANADA,
    )
}
