"""Countries as a streaming service meets them: who connects their homes, phones and guests.

Autonomous systems are those of the table of networks; every address of a simulation is one that
such a system announces. Market shares and the rest of the levels are rounded general knowledge
[G] unless a figure of the field's literature is named beside them; a drawn world draws them anew.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COUNTRIES", "HOSTING", "RELAYS", "Country", "Isp", "Mobile"]


@dataclass(frozen=True, slots=True)
class Isp:
    """One operator of fixed lines.

    Parameters
    ----------
    name : str
        For people to read.
    asns : tuple of int
        Its autonomous systems, the main one first.
    share : float
        Share of the country's homes, up to a common factor.
    ipv6 : float
        Share of its lines with IPv6, relative to the others of the country.
    nat : float
        Share of its lines behind carrier NAT, relative to the others of the country.
    wireless : bool, default=False
        Its lines are fixed-wireless boxes on a mobile network or by satellite.
    """

    name: str
    asns: tuple[int, ...]
    share: float
    ipv6: float
    nat: float
    wireless: bool = False


@dataclass(frozen=True, slots=True)
class Mobile:
    """One operator of mobile lines: name, autonomous systems, market share."""

    name: str
    asns: tuple[int, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Country:
    """One country.

    Parameters
    ----------
    code : str
        ISO 3166-1 alpha-2.
    zones : tuple of str
        IANA names of its time zones, the most peopled first.
    zone_shares : tuple of float
        Share of people in each zone.
    sizes : tuple of float
        Share of households of 1, 2, 3, 4 and 5 or more persons.
    isps, mobiles : tuple
        Operators.
    campuses : tuple of int
        Autonomous systems of universities.
    business : tuple of int
        Autonomous systems that connect hotels and workplaces, beside the operators.
    """

    code: str
    zones: tuple[str, ...]
    zone_shares: tuple[float, ...]
    sizes: tuple[float, ...]
    isps: tuple[Isp, ...]
    mobiles: tuple[Mobile, ...]
    campuses: tuple[int, ...]
    business: tuple[int, ...]


#: Autonomous systems that VPN providers rent exits from.
HOSTING = (9009, 212238, 60068, 62240, 60781, 16276, 24940, 14061, 20473, 136787, 11878, 36352)

#: Autonomous systems of privacy relays, whose exits change with every connection.
RELAYS = (36183, 13335, 54113)

# France: household sizes so that 38.6 % live alone and the mean is 2.15 (INSEE) [S];
# IPv6 Free 99, Orange 92, Bouygues 85, SFR 35 % [S2]; carrier NAT in 2023 Orange 0, Free 40,
# SFR and Bouygues 50 %: order [S2], levels [A].
_FR = Country(
    "FR",
    ("Europe/Paris",),
    (1.0,),
    (0.386, 0.320, 0.130, 0.112, 0.052),
    (
        Isp("Orange", (3215,), 0.39, 0.92, 0.05),
        Isp("Free", (12322,), 0.23, 0.99, 0.40),
        Isp("SFR", (15557, 21502), 0.20, 0.35, 0.50),
        Isp("Bouygues", (5410,), 0.16, 0.85, 0.50),
        Isp("K-Net", (24904,), 0.01, 0.60, 0.20),
        Isp("4G box", (51207,), 0.02, 0.60, 1.0, wireless=True),
    ),
    (
        Mobile("Orange", (3215,), 0.36),
        Mobile("SFR", (15557,), 0.25),
        Mobile("Bouygues", (5410,), 0.20),
        Mobile("Free Mobile", (51207,), 0.19),
    ),
    (2200,),
    (12876, 3356, 174),
)

_US = Country(
    "US",
    ("America/New_York", "America/Chicago", "America/Los_Angeles", "America/Denver"),
    (0.47, 0.29, 0.17, 0.07),
    (0.275, 0.340, 0.155, 0.135, 0.095),
    (
        Isp("Comcast", (7922,), 0.27, 0.70, 0.01),
        Isp("Charter", (20115, 20001, 11427, 10796, 11426, 11351, 33363), 0.26, 0.50, 0.01),
        Isp("AT&T", (7018,), 0.14, 0.65, 0.02),
        Isp("Verizon", (701,), 0.08, 0.35, 0.02),
        Isp("Cox", (22773,), 0.06, 0.50, 0.01),
        Isp("Altice", (6128, 19108), 0.05, 0.10, 0.05),
        Isp("Lumen", (209,), 0.03, 0.30, 0.05),
        Isp("Frontier", (5650,), 0.03, 0.10, 0.05),
        Isp("T-Mobile Home", (21928,), 0.05, 0.95, 1.0, wireless=True),
        Isp("Starlink", (14593,), 0.02, 0.90, 1.0, wireless=True),
        Isp("Google Fiber", (16591,), 0.01, 0.95, 0.0),
    ),
    (
        Mobile("Verizon", (6167, 22394), 0.35),
        Mobile("T-Mobile", (21928,), 0.36),
        Mobile("AT&T", (20057,), 0.29),
    ),
    (3, 25, 32, 36375, 88, 217, 59),
    (174, 3356, 7018, 701),
)

_DE = Country(
    "DE",
    ("Europe/Berlin",),
    (1.0,),
    (0.41, 0.34, 0.12, 0.09, 0.04),
    (
        Isp("Telekom", (3320,), 0.40, 0.85, 0.02),
        Isp("Vodafone", (3209, 6830), 0.28, 0.60, 0.45),
        Isp("1&1", (8881,), 0.11, 0.70, 0.10),
        Isp("O2", (6805,), 0.10, 0.55, 0.20),
        Isp("NetCologne", (8422,), 0.03, 0.70, 0.40),
        Isp("EWE", (9145,), 0.03, 0.70, 0.30),
        Isp("M-net", (8767,), 0.03, 0.80, 0.60),
        Isp("Deutsche Glasfaser", (60294,), 0.02, 0.95, 0.95),
    ),
    (
        Mobile("Telekom", (3320,), 0.35),
        Mobile("Vodafone", (3209,), 0.33),
        Mobile("O2", (6805,), 0.32),
    ),
    (680,),
    (3356, 174, 8881),
)

_GB = Country(
    "GB",
    ("Europe/London",),
    (1.0,),
    (0.30, 0.345, 0.16, 0.14, 0.055),
    (
        Isp("BT", (2856,), 0.33, 0.85, 0.02),
        Isp("Sky", (5607,), 0.23, 0.90, 0.05),
        Isp("Virgin", (5089,), 0.21, 0.05, 0.02),
        Isp("TalkTalk", (13285,), 0.12, 0.05, 0.15),
        Isp("Vodafone", (5378,), 0.08, 0.30, 0.30),
        Isp("Three", (206067,), 0.03, 0.20, 1.0, wireless=True),
    ),
    (
        Mobile("EE", (2856,), 0.35),
        Mobile("O2", (35228,), 0.30),
        Mobile("Vodafone", (5378,), 0.20),
        Mobile("Three", (206067,), 0.15),
    ),
    (786,),
    (174, 3356),
)

_ES = Country(
    "ES",
    ("Europe/Madrid",),
    (1.0,),
    (0.27, 0.30, 0.20, 0.175, 0.055),
    (
        Isp("Movistar", (3352,), 0.35, 0.10, 0.10),
        Isp("Orange", (12479,), 0.24, 0.25, 0.50),
        Isp("Vodafone", (12430, 6739), 0.18, 0.20, 0.40),
        Isp("MasMovil", (15704,), 0.13, 0.10, 0.70),
        Isp("Digi", (57269,), 0.10, 0.60, 0.90),
    ),
    (
        Mobile("Movistar", (3352,), 0.30),
        Mobile("Orange", (12479,), 0.27),
        Mobile("Vodafone", (12430,), 0.23),
        Mobile("Digi", (57269,), 0.20),
    ),
    (766,),
    (174, 3356),
)

_IT = Country(
    "IT",
    ("Europe/Rome",),
    (1.0,),
    (0.35, 0.28, 0.19, 0.14, 0.04),
    (
        Isp("TIM", (3269,), 0.41, 0.10, 0.05),
        Isp("Vodafone", (30722,), 0.17, 0.20, 0.30),
        Isp("Fastweb", (12874,), 0.16, 0.30, 0.60),
        Isp("WindTre", (1267, 24608), 0.18, 0.30, 0.40),
        Isp("4G box", (16232,), 0.08, 0.30, 1.0, wireless=True),
    ),
    (
        Mobile("TIM", (16232,), 0.30),
        Mobile("Vodafone", (30722,), 0.30),
        Mobile("WindTre", (24608,), 0.40),
    ),
    (137,),
    (174, 3356),
)

_BR = Country(
    "BR",
    ("America/Sao_Paulo", "America/Manaus"),
    (0.90, 0.10),
    (0.17, 0.25, 0.25, 0.19, 0.14),
    (
        Isp("Claro", (28573,), 0.30, 0.70, 0.50),
        Isp("Vivo", (27699, 18881), 0.22, 0.75, 0.40),
        Isp("Oi", (7738, 8167), 0.20, 0.55, 0.60),
        Isp("TIM", (26615,), 0.08, 0.50, 0.70),
        Isp("4G box", (26599,), 0.20, 0.60, 1.0, wireless=True),
    ),
    (
        Mobile("Vivo", (26599,), 0.38),
        Mobile("Claro", (22085,), 0.36),
        Mobile("TIM", (26615,), 0.26),
    ),
    (1916,),
    (3356, 174),
)

_IN = Country(
    "IN",
    ("Asia/Kolkata",),
    (1.0,),
    (0.08, 0.15, 0.22, 0.27, 0.28),
    (
        Isp("Jio", (55836,), 0.34, 0.90, 0.80),
        Isp("Airtel", (24560, 9498), 0.28, 0.60, 0.60),
        Isp("BSNL", (9829,), 0.10, 0.20, 0.50),
        Isp("ACT", (24309, 55577), 0.10, 0.20, 0.80),
        Isp("Airtel AirFiber", (45609,), 0.18, 0.70, 1.0, wireless=True),
    ),
    (
        Mobile("Jio", (55836,), 0.45),
        Mobile("Airtel", (45609,), 0.37),
        Mobile("Vi", (38266,), 0.18),
    ),
    (55836,),
    (9498, 9829),
)

_PL = Country(
    "PL",
    ("Europe/Warsaw",),
    (1.0,),
    (0.29, 0.27, 0.20, 0.15, 0.09),
    (
        Isp("Orange", (5617,), 0.38, 0.25, 0.20),
        Isp("Play and UPC", (39603, 6830), 0.27, 0.20, 0.50),
        Isp("Netia", (12741,), 0.15, 0.10, 0.30),
        Isp("Vectra", (29314,), 0.12, 0.10, 0.50),
        Isp("4G box", (8374,), 0.08, 0.30, 1.0, wireless=True),
    ),
    (
        Mobile("Orange", (5617,), 0.30),
        Mobile("Play", (39603,), 0.27),
        Mobile("T-Mobile", (12912,), 0.23),
        Mobile("Plus", (8374,), 0.20),
    ),
    (12741,),
    (3356, 174),
)

#: Countries by code.
COUNTRIES: dict[str, Country] = {
    country.code: country for country in (_FR, _US, _DE, _GB, _ES, _IT, _BR, _IN, _PL)
}
