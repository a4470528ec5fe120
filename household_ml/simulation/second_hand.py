"""A second hand: an independent simulator of the session histories of streaming accounts.

What one author takes for granted, every world of that author has. So the model that ships learns
from two: this simulator shares no code and no modelling decision with the rest of the package. A
model trained on the worlds of one author and measured on those of the other shows what a habit of
a simulator is worth.

How a world comes about: people have an hour-by-hour calendar of where they are (home, work,
campus, friends, kin, hotels, second homes, on the move); places have access lines at real
operators whose addresses live, expire and are shared as the operator does it; devices are
carried or plugged in; a play happens where the person is, on a device at hand, over the line
of the place, a mobile network, a VPN or a tunnel. Labels follow from who mainly uses a device
and where that person lives on the last day.

>>> world = make_world("fr", accounts=20, days=30, seed=1)
>>> sorted(world)
['accounts', 'labels', 'sessions', 'truth']
>>> len(world["sessions"]) == len(world["truth"])
True
"""

from __future__ import annotations

import ipaddress
import math
import zlib
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
import pandas as pd

__all__ = [
    "AMBIGUOUS",
    "KINDS",
    "PREFIXES",
    "Account",
    "Device",
    "Habits",
    "Isp",
    "Line",
    "Market",
    "Networks",
    "Person",
    "Place",
    "Space",
    "World",
    "draw_habits",
    "make_world",
]

#: Announced prefixes of real networks: ASN -> (IPv4 prefixes, IPv6 prefixes); a sample of the
#: iptoasn table of 2026-09-16 (PDDL 1.0), embedded so that a seed always gives the same world.
PREFIXES: dict[int, tuple[str, str]] = {
    3215: (
        "90.0.0.0/11 86.192.0.0/12 90.48.0.0/12 109.208.0.0/12 2.8.0.0/13",
        "2a01:cb00::/27",
    ),
    12322: (
        "82.224.0.0/11 88.160.0.0/11 78.192.0.0/12 91.160.0.0/12 78.216.0.0/13",
        "2a01:e20::/27",
    ),
    51207: (
        "37.168.0.0/13 78.240.0.0/13 37.164.0.0/14 37.8.160.0/19 37.1.232.0/21",
        "2a0d:e480::/29",
    ),
    15557: (
        "93.0.0.0/11 109.0.0.0/11 77.144.0.0/12 77.192.0.0/12 78.112.0.0/12",
        "2a02:8400::/25",
    ),
    5410: (
        "89.80.0.0/12 176.144.0.0/12 176.176.0.0/12 31.32.0.0/13 176.128.0.0/13",
        "2001:860::/29",
    ),
    2200: (
        "132.166.0.0/15 81.194.0.0/16 128.93.0.0/16 129.20.0.0/16 129.102.0.0/16",
        "2a07:2e40::/29",
    ),
    174: (
        "38.216.0.0/14 38.232.0.0/14 149.92.0.0/14 204.204.0.0/14 206.4.0.0/14",
        "2600:8::/29",
    ),
    7922: (
        "73.0.0.0/8 98.192.0.0/10 96.128.0.0/11 50.128.0.0/12 74.16.0.0/12",
        "2601:c00::/22",
    ),
    20115: (
        "174.80.0.0/13 24.180.0.0/14 47.132.0.0/14 75.132.0.0/14 75.136.0.0/14",
        "2603:6090::/28",
    ),
    20001: (
        "76.168.0.0/13 172.112.0.0/13 23.240.0.0/14 45.48.0.0/14 98.148.0.0/14",
        "2603:8000::/28",
    ),
    11427: (
        "70.112.0.0/13 72.176.0.0/13 70.120.0.0/14 76.184.0.0/14 173.172.0.0/14",
        "2603:8080::/27",
    ),
    10796: (
        "74.128.0.0/13 74.136.0.0/14 98.28.0.0/14 173.88.0.0/14 174.100.0.0/14",
        "2603:6010::/28",
    ),
    22773: (
        "68.0.0.0/12 68.96.0.0/13 24.252.0.0/14 70.160.0.0/14 70.176.0.0/14",
        "2600:8800::/29",
    ),
    7018: (
        "99.32.0.0/11 107.192.0.0/11 108.192.0.0/11 12.80.0.0/12 12.112.0.0/12",
        "2602:300::/24",
    ),
    20057: (
        "166.128.0.0/13 166.184.0.0/14 166.200.0.0/14 166.212.0.0/14 107.90.0.0/15",
        "2600:380:2000::/35",
    ),
    701: (
        "63.0.0.0/12 71.112.0.0/12 65.232.0.0/13 71.104.0.0/13 108.24.0.0/13",
        "2600:4000::/25",
    ),
    5650: (
        "47.144.0.0/12 47.160.0.0/12 47.192.0.0/12 47.136.0.0/13 47.184.0.0/13",
        "2a07:a900::/29",
    ),
    21928: (
        "100.128.0.0/9 162.160.0.0/11 172.32.0.0/11 75.122.0.0/15 65.76.0.0/16",
        "2607:fb98::/29",
    ),
    22394: (
        "97.32.0.0/11 70.192.0.0/12 72.112.0.0/12 97.16.0.0/12 70.216.0.0/13",
        "2001:4888::/32",
    ),
    6167: (
        "63.40.0.0/13 97.160.0.0/13 97.176.0.0/13 97.208.0.0/13 97.232.0.0/13",
        "",
    ),
    3: (
        "18.8.0.0/13 18.4.0.0/14 18.0.0.0/15 18.16.0.0/15 18.22.0.0/15",
        "2603:4000::/31",
    ),
    18: (
        "128.62.0.0/16 128.83.0.0/16 129.116.0.0/16 146.6.0.0/16 198.213.192.0/18",
        "",
    ),
    17: (
        "128.10.0.0/16 128.46.0.0/16 128.210.0.0/17 128.210.128.0/18 128.210.192.0/19",
        "2607:ac80:8000::/33",
    ),
    87: (
        "149.162.0.0/15 129.79.0.0/16 134.68.0.0/16 140.182.0.0/16 149.161.0.0/16",
        "",
    ),
    3320: (
        "79.192.0.0/10 84.128.0.0/10 87.128.0.0/10 91.0.0.0/10 93.192.0.0/10",
        "2003::/19",
    ),
    3209: (
        "88.64.0.0/12 178.0.0.0/12 188.96.0.0/12 2.200.0.0/13 47.64.0.0/13",
        "2a00::/22",
    ),
    6805: (
        "77.0.0.0/12 77.176.0.0/12 2.208.0.0/13 2.240.0.0/13 78.48.0.0/13",
        "2a02:3000::/23",
    ),
    8881: (
        "89.244.0.0/15 92.116.0.0/15 46.142.0.0/16 62.214.0.0/16 83.135.0.0/16",
        "2a00:fb8::/29",
    ),
    680: (
        "139.18.0.0/15 141.22.0.0/15 141.24.0.0/15 141.32.0.0/15 141.42.0.0/15",
        "2001:4cf0::/29",
    ),
    2856: (
        "86.128.0.0/10 81.128.0.0/11 109.144.0.0/12 31.48.0.0/13 31.112.0.0/13",
        "2a00:2380::/25",
    ),
    5607: (
        "90.192.0.0/11 94.0.0.0/12 2.120.0.0/13 5.64.0.0/13 151.224.0.0/13",
        "2a01:f8c0::/29",
    ),
    5089: (
        "86.0.0.0/11 81.96.0.0/12 82.0.0.0/12 77.96.0.0/13 80.0.0.0/13",
        "2a02:8880::/25",
    ),
    13285: (
        "92.16.0.0/12 2.96.0.0/13 78.144.0.0/13 89.240.0.0/14 92.12.0.0/14",
        "2001:4a00::/27",
    ),
    25135: (
        "148.252.128.0/18 88.82.0.0/19 212.183.128.0/20 212.183.152.0/21 85.255.232.0/22",
        "2a01:840::/32",
    ),
    5378: (
        "90.240.0.0/12 84.64.0.0/13 81.76.0.0/14 83.104.0.0/14 80.176.0.0/15",
        "2a0a:ef40::/29",
    ),
    35228: (
        "87.194.0.0/16 93.97.0.0/16 158.230.0.0/17 46.233.64.0/18 82.132.160.0/20",
        "2a03:dd00::/32",
    ),
    206067: (
        "188.28.0.0/14 94.196.0.0/15 92.40.0.0/16 92.41.0.0/17 92.41.128.0/18",
        "2a04:4a45::/32",
    ),
    786: (
        "193.60.0.0/14 194.80.0.0/14 138.250.0.0/15 143.52.0.0/15 195.194.0.0/15",
        "2a03:aba0::/29",
    ),
    7713: (
        "36.80.0.0/12 36.72.0.0/13 36.68.0.0/14 110.136.0.0/14 125.164.0.0/14",
        "2001:4488::/31",
    ),
    23700: (
        "118.136.0.0/15 139.192.0.0/15 111.94.0.0/16 139.194.0.0/16 139.228.0.0/16",
        "2404:5600::/32",
    ),
    23693: (
        "182.0.0.0/12 114.120.0.0/13 202.3.208.0/20 23.43.36.0/22 23.195.52.0/22",
        "2400:82e0::/32",
    ),
    4761: (
        "114.4.0.0/15 114.7.0.0/16 114.10.0.0/19 114.6.16.0/20 114.6.32.0/20",
        "2407::/32",
    ),
    24203: (
        "140.213.128.0/19 112.215.160.0/20 112.215.208.0/20 112.215.224.0/20 140.213.16.0/20",
        "2400:9800:8000::/33",
    ),
    4800: (
        "123.231.128.0/18 182.23.0.0/18 202.152.0.0/18 123.231.224.0/19 182.23.96.0/19",
        "2400:8000::/32",
    ),
    16276: (
        "54.36.0.0/14 57.128.0.0/15 141.94.0.0/15 178.32.0.0/15 5.135.0.0/16",
        "2402:1f00::/32",
    ),
    16509: (
        "3.128.0.0/10 3.96.0.0/11 13.32.0.0/11 44.224.0.0/11 108.96.0.0/11",
        "2406:da80::/25",
    ),
    24940: (
        "2.28.0.0/15 46.224.0.0/15 49.12.0.0/15 65.108.0.0/15 78.46.0.0/15",
        "2a06:be80::/29",
    ),
    14061: (
        "45.55.0.0/16 46.101.0.0/16 68.183.0.0/16 104.131.0.0/16 104.236.0.0/16",
        "2400:6180:100::/40",
    ),
    9009: (
        "106.48.128.0/17 106.49.128.0/17 58.68.128.0/18 106.49.0.0/18 146.70.64.0/18",
        "2a01:300::/29",
    ),
    60068: (
        "79.127.224.0/19 89.187.160.0/19 109.61.80.0/20 152.233.32.0/20 195.181.160.0/20",
        "2a02:6ea0:800::/37",
    ),
    212238: (
        "85.122.192.0/19 149.102.224.0/19 85.122.160.0/20 94.116.16.0/20 104.233.32.0/20",
        "2a00:7320::/29",
    ),
    20473: (
        "45.76.0.0/15 44.33.0.0/16 45.32.0.0/16 64.176.0.0/17 95.179.128.0/17",
        "2a0a:3400::/29",
    ),
    12479: (
        "85.48.0.0/12 90.160.0.0/12 87.216.0.0/13 95.16.0.0/13 37.132.0.0/14",
        "2a01:c500::/29",
    ),
}

HOSTING = (16276, 16509, 24940, 14061, 9009, 60068, 212238, 20473)
VPN_EXITS = (9009, 60068, 212238, 20473, 16276, 14061)

#: Situations that the policy itself leaves open.
AMBIGUOUS = frozenset({"second_home", "student_away", "alternating_custody"})

_NIGHT = "5 3.5 2.5 1.7 1.2 1.1 1.2 1.6 2 2.3 2.6 2.9"
_DAY = "3.6 3.9 3.8 3.7 3.9 4.5 5.4 6.7 8.6 10 9.6 8.7"
HOUR_WEIGHTS = np.array([float(text) for text in f"{_NIGHT} {_DAY}".split()])
HOUR_WEIGHTS = HOUR_WEIGHTS / HOUR_WEIGHTS.sum() * 24.0

#: How much a person watches at a place, relative to being at home.
APPETITE = {"work": 0.12, "campus": 0.3, "hotel": 0.6, "rental": 0.7, "public": 0.3}

FIXED = frozenset({"tv", "set_top_box", "game_console"})
SIM = frozenset({"phone"})


@dataclass(frozen=True, slots=True)
class Isp:
    """How one operator hands out addresses on fixed lines."""

    asn: int
    share: float
    static: float = 0.25
    weekly: float = 0.25
    daily: float = 0.0
    mean_days: float = 134.0
    nat: float = 0.05
    nat_kind: str = "pool"  # "pool": few addresses for a town; "quarter": one address, four lines
    v6: float = 0.6
    v6_length: int = 56
    fixed_wireless: bool = False


@dataclass(frozen=True, slots=True)
class Market:
    """One country: its operators, towns and habits."""

    code: str
    offsets: tuple[int, ...]
    isps: tuple[Isp, ...]
    mobiles: tuple[tuple[int, float], ...]
    business: tuple[int, ...]
    campus: tuple[int, ...]
    sizes: tuple[float, ...]
    towns: int = 12


FR = Market(
    "FR",
    (60,),
    (
        Isp(3215, 0.40, 0.15, 0.35, nat=0.0, v6=0.92),
        Isp(12322, 0.22, 0.6, 0.0, mean_days=200, nat=0.40, nat_kind="quarter", v6=0.97),
        Isp(15557, 0.20, 0.2, 0.2, nat=0.5, v6=0.35),
        Isp(5410, 0.18, 0.3, 0.2, nat=0.5, v6=0.85),
    ),
    ((3215, 0.36), (51207, 0.22), (15557, 0.23), (5410, 0.19)),
    (3215, 15557, 174, 5410),
    (2200,),
    (0.386, 0.32, 0.135, 0.105, 0.054),
)
US = Market(
    "US",
    (-300, -300, -360, -360, -420, -480),
    (
        Isp(7922, 0.28, 0.05, 0.0, mean_days=90, nat=0.05, v6=0.75),
        Isp(20115, 0.08, 0.05, 0.0, mean_days=90, nat=0.05, v6=0.6),
        Isp(20001, 0.05, 0.05, 0.0, mean_days=90, nat=0.05, v6=0.55),
        Isp(11427, 0.05, 0.05, 0.0, mean_days=90, nat=0.05, v6=0.55),
        Isp(10796, 0.05, 0.05, 0.0, mean_days=90, nat=0.05, v6=0.55),
        Isp(22773, 0.08, 0.05, 0.0, mean_days=90, nat=0.05, v6=0.5),
        Isp(7018, 0.16, 0.25, 0.0, mean_days=90, nat=0.05, v6=0.7, v6_length=64),
        Isp(701, 0.09, 0.05, 0.05, mean_days=60, nat=0.05, v6=0.3),
        Isp(5650, 0.05, 0.05, 0.1, mean_days=40, nat=0.055, v6=0.1),
        Isp(21928, 0.12, fixed_wireless=True, v6=0.95, v6_length=64),
        Isp(22394, 0.08, fixed_wireless=True, v6=0.8, v6_length=64),
    ),
    ((21928, 0.33), (22394, 0.24), (6167, 0.13), (20057, 0.30)),
    (7018, 701, 174, 7922),
    (3, 18, 17, 87),
    (0.29, 0.345, 0.15, 0.125, 0.09),
    towns=16,
)
DE = Market(
    "DE",
    (60,),
    (
        Isp(3320, 0.42, 0.05, 0.05, 0.65, mean_days=60, nat=0.0, v6=0.95),
        Isp(3209, 0.30, 0.05, 0.05, 0.25, mean_days=90, nat=0.35, v6=0.8),
        Isp(6805, 0.14, 0.02, 0.05, 0.85, mean_days=30, nat=0.15, v6=0.7),
        Isp(8881, 0.14, 0.02, 0.05, 0.85, mean_days=30, nat=0.1, v6=0.7),
    ),
    ((3320, 0.35), (3209, 0.3), (6805, 0.35)),
    (3320, 174, 3209),
    (680,),
    (0.41, 0.34, 0.12, 0.09, 0.04),
)
GB = Market(
    "GB",
    (0,),
    (
        Isp(2856, 0.36, 0.05, 0.1, 0.0, mean_days=20, nat=0.0, v6=0.9),
        Isp(5607, 0.26, 0.1, 0.1, mean_days=100, nat=0.1, v6=0.9),
        Isp(5089, 0.24, 0.4, 0.0, mean_days=300, nat=0.0, v6=0.1),
        Isp(13285, 0.14, 0.05, 0.2, mean_days=25, nat=0.3, v6=0.2),
    ),
    ((2856, 0.3), (25135, 0.25), (35228, 0.25), (206067, 0.2)),
    (2856, 174, 5089),
    (786,),
    (0.30, 0.35, 0.16, 0.13, 0.06),
)
ID = Market(
    "ID",
    (420, 420, 480),
    (
        Isp(7713, 0.45, 0.02, 0.1, 0.15, mean_days=6, nat=0.35, v6=0.25),
        Isp(23700, 0.2, 0.1, 0.1, mean_days=30, nat=0.5, v6=0.1),
        Isp(23693, 0.2, fixed_wireless=True, v6=0.4, v6_length=64),
        Isp(24203, 0.15, fixed_wireless=True, v6=0.3, v6_length=64),
    ),
    ((23693, 0.45), (4761, 0.3), (24203, 0.25)),
    (4800, 7713),
    (4800,),
    (0.12, 0.2, 0.25, 0.25, 0.18),
    towns=10,
)


@dataclass(frozen=True, slots=True)
class Habits:
    """The knobs of one kind of world."""

    markets: tuple[tuple[Market, float], ...]
    start: str
    nat_override: float | None = None
    nat_drift_days: float = 6.0  # how long a line keeps its place in a shared pool
    nat_scatter: float = 0.15  # pools that give each connection any address
    nat_addresses: int = 24
    daily_override: float | None = None
    sharing: float = 0.28
    borrowed: float = 0.085  # scale of what a household elsewhere watches, against the home
    cell_home: float = 0.08
    cell_out: float = 0.35
    cell_only: float = 0.05
    no_fixed_line: float = 0.02
    vpn_person: float = 0.05
    vpn_rate: float = 0.02
    trip_rate: float = 1.0
    move_year: float = 0.09
    isp_change_year: float = 0.12
    evasion: float = 0.10
    tunnel: float = 0.02
    hotspot: float = 0.03
    mess: float = 0.0
    two_lines: float = 0.05
    new_id_year: float = 0.25


BASE = Habits(markets=((FR, 1.0),), start="2025-01-06")
KINDS: dict[str, Habits] = {
    "fr": BASE,
    "us": replace(
        BASE,
        markets=((US, 1.0),),
        start="2025-02-03",
        cell_home=0.17,
        two_lines=0.08,
        borrowed=0.105,
    ),
    "daily_renumbering": replace(
        BASE, markets=((DE, 1.0),), start="2024-09-30", daily_override=0.72
    ),
    "carrier_nat": replace(BASE, start="2026-01-05", nat_override=0.85, nat_addresses=20),
    "mobile_first": replace(
        BASE,
        markets=((ID, 1.0),),
        start="2025-08-04",
        cell_home=0.35,
        cell_out=0.6,
        cell_only=0.2,
        no_fixed_line=0.14,
        nat_drift_days=3.0,
    ),
    "evaders": replace(
        BASE,
        markets=((GB, 1.0),),
        start="2025-03-31",
        evasion=0.40,
        tunnel=0.10,
        hotspot=0.10,
        vpn_person=0.09,
        sharing=0.32,
    ),
    "messy": replace(
        BASE, markets=((US, 0.5), (FR, 0.5)), start="2025-04-07", mess=1.0, new_id_year=0.5
    ),
    "moves_holidays": replace(
        BASE,
        start="2025-06-16",
        trip_rate=3.2,
        move_year=0.45,
        isp_change_year=0.45,
    ),
}

# --------------------------------------------------------------------------- networks


def _v4(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _v6(top: int, low: int) -> str:
    return str(ipaddress.IPv6Address((top << 64) | low))


class Space:
    """Blocks of addresses of an operator in a town, drawn once per world."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.blocks4: dict[tuple[int, str], list[int]] = {}
        self.blocks6: dict[tuple[int, str], int] = {}
        self.parsed: dict[int, tuple[list[tuple[int, int]], tuple[int, int] | None]] = {}

    def ranges(self, asn: int) -> tuple[list[tuple[int, int]], tuple[int, int] | None]:
        """First address and prefix length of each known prefix of an AS."""
        if asn not in self.parsed:
            four, six = PREFIXES[asn]
            nets = [ipaddress.IPv4Network(text) for text in four.split()]
            net6 = ipaddress.IPv6Network(six) if six else None
            self.parsed[asn] = (
                [(int(net.network_address), net.prefixlen) for net in nets],
                None if net6 is None else (int(net6.network_address) >> 64, net6.prefixlen),
            )
        return self.parsed[asn]

    def blocks(self, asn: int, name: str, count: int = 3, length: int = 21) -> list[int]:
        """First addresses of `count` blocks of 2 ** (32 - length) addresses."""
        key = (asn, name)
        if key not in self.blocks4:
            rng = Random(f"{self.seed}|{asn}|{name}|4")
            found = []
            for _ in range(count):
                base, prefix = rng.choice(self.ranges(asn)[0])
                steps = max(1, 1 << max(0, length - prefix))
                found.append(base + (rng.randrange(steps) << (32 - length)))
            self.blocks4[key] = found
        return self.blocks4[key]

    def block6(self, asn: int, name: str) -> int | None:
        """Top 64 bits of a /40 of the operator in a town."""
        six = self.ranges(asn)[1]
        if six is None:
            return None
        key = (asn, name)
        if key not in self.blocks6:
            rng = Random(f"{self.seed}|{asn}|{name}|6")
            base, prefix = six
            self.blocks6[key] = base + (rng.randrange(1 << max(0, 40 - prefix)) << 24)
        return self.blocks6[key]


class Line:
    """One access line: which public address it shows at any hour."""

    __slots__ = (
        "asn",
        "country",
        "hours4",
        "hours6",
        "isp",
        "kind",
        "number",
        "pool",
        "prefixes",
        "shown",
        "town",
        "v6_length",
    )

    def __init__(
        self, number: int, asn: int, country: str, town: int, isp: Isp | None, kind: str
    ) -> None:
        self.number = number
        self.asn = asn
        self.country = country
        self.town = town
        self.isp = isp
        self.kind = kind  # static weekly daily lease nat scatter wireless
        self.hours4: list[float] = [-1e9]
        self.shown: list[int] = []
        self.hours6: list[float] = [-1e9]
        self.prefixes: list[int] = []
        self.v6_length = 56
        self.pool: list[int] = []

    @property
    def shared(self) -> bool:
        """Whether strangers show the same IPv4 address."""
        return self.kind in ("nat", "scatter", "wireless")

    def four(self, hour: float, rng: Random) -> str:
        """IPv4 address at that hour."""
        if self.kind == "scatter":
            return _v4(rng.choice(self.pool))
        return _v4(self.shown[bisect_right(self.hours4, hour) - 1])

    def six(self, hour: float, device: Device) -> str:
        """IPv6 address at that hour: the line's prefix, the device's daily interface id."""
        prefix = self.prefixes[bisect_right(self.hours6, hour) - 1]
        if self.v6_length < 64:
            prefix |= device.subnet
        day = int(hour // 24) if device.privacy else 0
        low = zlib.crc32(f"{device.name}{day}".encode()) << 32
        low |= zlib.crc32(f"{day}{device.name}{self.number}".encode())
        return _v6(prefix, low)


class Networks:
    """Makes lines, mobile egresses, VPN exits; remembers pools."""

    def __init__(self, habits: Habits, seed: str, hours: int) -> None:
        self.habits = habits
        self.seed = seed
        self.hours = hours
        self.space = Space(seed)
        self.count = 0
        self.pools: dict[tuple[int, int], list[int]] = {}

    def _walk4(self, blocks: list[int], kind: str, mean: float, rng: Random, line: Line) -> None:
        """Fill the timeline of IPv4 addresses."""
        minute = rng.uniform(1.5, 5.0)
        hour = -24.0 * rng.uniform(0, 7)
        block = rng.choice(blocks)
        now = block + rng.randrange(1, 2047)
        line.shown.append(now)
        reboots = (0.35 if kind == "lease" else 0.7) / 720.0  # half of them keep a lease
        reboot = rng.expovariate(reboots)
        while kind != "static":
            if kind == "daily":
                upto = math.floor(hour / 24.0) * 24.0 + 24.0 + minute
                if upto <= hour:
                    upto += 24.0
            elif kind == "weekly":
                upto = hour + 168.0
            else:
                upto = hour + rng.expovariate(1.0 / (24.0 * mean))
            if reboot < upto:
                upto, reboot = reboot, reboot + rng.expovariate(reboots)
            hour = max(upto, hour + 0.5)
            if hour > self.hours + 48:
                break
            draw = rng.random()
            if draw < 0.30:
                now = (now & ~255) + rng.randrange(1, 255)
            else:
                if draw > 0.52:
                    block = rng.choice(blocks)
                now = block + rng.randrange(1, 2047)
            line.hours4.append(hour)
            line.shown.append(now)

    def _pool(self, asn: int, town: int) -> list[int]:
        key = (asn, town)
        if key not in self.pools:
            rng = Random(f"{self.seed}|nat|{asn}|{town}")
            blocks = self.space.blocks(asn, f"nat{town}", 2, 24)
            size = self.habits.nat_addresses
            first = rng.randrange(0, 256 - size)
            half = size // 2
            self.pools[key] = [blocks[0] + first + i for i in range(size - half)] + [
                blocks[1] + first + i for i in range(half)
            ]
        return self.pools[key]

    def _hop(self, pool: list[int], mean: float, rng: Random, line: Line) -> None:
        hour = -rng.uniform(0, 24 * mean)
        line.shown.append(rng.choice(pool))
        while True:
            hour += rng.expovariate(1.0 / (24.0 * mean))
            if hour > self.hours + 48:
                return
            line.hours4.append(hour)
            line.shown.append(rng.choice(pool))

    def _walk6(self, base: int, kind: str, rng: Random, line: Line) -> None:
        width = line.v6_length - 40
        draw = rng.random()
        if line.kind == "wireless":
            mean = 2.0
        elif draw < 0.7 and kind != "daily":
            mean = 900.0
        elif draw < 0.55 and kind == "daily":
            mean = 1.0
        elif draw < 0.9:
            mean = 60.0 if kind != "weekly" else 7.0
        else:
            mean = 1.0
        hour = 0.0
        while True:
            line.prefixes.append(base | (rng.randrange(1 << width) << (64 - line.v6_length)))
            hour += 24.0 * mean if mean == 1.0 else rng.expovariate(1.0 / (24.0 * mean))
            if hour > self.hours + 48:
                return
            line.hours6.append(hour)

    def home_line(self, market: Market, town: int, rng: Random, like: Line | None = None) -> Line:
        """A residential line; `like` forces the operator and, behind NAT, the same address."""
        number = self.count
        self.count += 1
        if like is not None and like.isp is not None:
            isp = like.isp
        else:
            isp = rng.choices(market.isps, [isp.share for isp in market.isps])[0]
        line = Line(number, isp.asn, market.code, town, isp, "static")
        line.v6_length = isp.v6_length
        nat = isp.nat if self.habits.nat_override is None else self.habits.nat_override
        kind = "lease"
        if isp.fixed_wireless:
            line.kind = "wireless"
            self._hop(self.mobile_pool(isp.asn, town), rng.choice((0.3, 1.0, 3.0)), rng, line)
        elif like is not None and like.shared:
            line.kind, line.pool = like.kind, like.pool
            line.hours4, line.shown = like.hours4, like.shown
        elif rng.random() < nat:
            pool = self._pool(isp.asn, town)
            if isp.nat_kind == "quarter":
                line.kind = "nat"
                line.shown.append(rng.choice(self._quarter(isp.asn, town)))
            elif rng.random() < self.habits.nat_scatter:
                line.kind = "scatter"
                first = rng.randrange(len(pool))
                width = rng.choice((2, 4, 8))
                line.pool = [pool[(first + i) % len(pool)] for i in range(width)]
            else:
                line.kind = "nat"
                drift = self.habits.nat_drift_days
                self._hop(pool, drift * rng.choice((0.3, 1.0, 5.0)), rng, line)
        else:
            daily = isp.daily
            if self.habits.daily_override is not None:
                daily = self.habits.daily_override
            draw = rng.random()
            if draw < daily:
                kind = "daily"
            elif draw < daily + isp.static * (1 - daily):
                kind = "static"
            elif draw < daily + (isp.static + isp.weekly) * (1 - daily):
                kind = "weekly"
            line.kind = kind
            blocks = self.space.blocks(isp.asn, f"town{town}")
            self._walk4(blocks, kind, isp.mean_days, rng, line)
        base = self.space.block6(isp.asn, f"town{town}")
        if base is not None and rng.random() < isp.v6:
            self._walk6(base, kind, rng, line)
        return line

    def _quarter(self, asn: int, town: int) -> list[int]:
        blocks = self.space.blocks(asn, f"quarter{town}", 1, 24)
        return [blocks[0] + i for i in range(1, 41)]

    def mobile_pool(self, asn: int, town: int) -> list[int]:
        """Egress addresses of a mobile operator in the region of a town."""
        region = town % 3
        key = (asn, -1 - region)
        if key not in self.pools:
            rng = Random(f"{self.seed}|mobile|{asn}|{region}")
            size = rng.choice((128, 256, 512, 1024))
            first = self.space.blocks(asn, f"mobile{region}", 1, 22)[0]
            self.pools[key] = [first + i for i in range(size)]
        return self.pools[key]

    def site_line(self, market: Market, town: int, rng: Random, kind: str) -> Line:
        """Line of a workplace, campus or hotel: a few addresses that do not change."""
        number = self.count
        self.count += 1
        asn = rng.choice(market.campus if kind == "campus" else market.business)
        line = Line(number, asn, market.code, town, None, "scatter")
        block = rng.choice(self.space.blocks(asn, f"{kind}{town}", 4, 22))
        first = block + rng.randrange(1, 1000)
        line.pool = [first + i for i in range(rng.choice((1, 1, 2, 4)))]
        return line


# --------------------------------------------------------------------------- people and things


@dataclass(slots=True)
class Place:
    """Somewhere with walls; its lines over time as (from hour, line)."""

    number: int
    kind: str
    town: int
    lines: list[tuple[float, Line]]
    second: Line | None = None
    second_share: float = 0.0
    dark_until: float = -1e9

    def line(self, hour: float, rng: Random, device: Device) -> Line | None:
        """The line a device uses at that hour; None while there is no line."""
        if hour < self.dark_until:
            return None
        if self.second is not None and rng.random() < self.second_share * device.second_line:
            return self.second
        found: Line | None = None
        for since, line in self.lines:
            if since <= hour:
                found = line
        return found


@dataclass(slots=True)
class Device:
    """One device id of an account."""

    name: str
    kind: str
    weight: float
    situation: str = ""
    inside: bool = True
    since: float = -1e9
    until: float = 1e9
    six: float = 0.5
    subnet: int = 0
    privacy: bool = True
    vpn: float = 0.0
    tunnel: bool = False
    hotspot: float = 0.0
    corporate: float = 0.0
    carried: float = 0.0  # chance to come along on a trip
    to_work: bool = False
    spots: list[tuple[float, int]] = field(default_factory=list)  # (from hour, place) if plugged in
    used: int = 0
    second_line: float = 1.0
    journeys: bool = False  # used on trips only
    outdoors: bool = False  # hardly used at home
    handover: float = 1e9  # when it goes over to the receiver
    receiver: str = ""

    def spot(self, hour: float) -> int:
        """Place where a plugged-in device is."""
        found = -2
        for since, place in self.spots:
            if since <= hour:
                found = place
        return found


@dataclass(slots=True)
class Person:
    """Somebody who uses the account."""

    name: str
    where: np.ndarray  # place number per local hour, -1 on the move
    trips: np.ndarray  # trip number per local hour, 0 none
    base: np.ndarray  # where the person lives, per local hour
    rate: float
    devices: list[Device]
    mobile: int
    shift: int
    tv_share: float
    profile: str
    cell_home: float
    cell_only: bool = False
    known: dict[int, bool] = field(default_factory=dict)
    bags: dict[int, set[str]] = field(default_factory=dict)
    last_cell: tuple[float, str] = (-1e9, "")
    work: int = -1
    role: str = "resident"
    since: float = -1e9
    until: float = 1e9


class Account:
    """The making of one account."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.name = f"{world.kind[:2]}{world.seed % 1000:03d}-{number:06d}"
        self.rng = Random(f"{world.tag}|account|{number}")
        self.np_rng = np.random.default_rng([world.seed, zlib.crc32(world.kind.encode()), number])
        rng = self.rng
        markets = world.habits.markets
        self.market = rng.choices([m for m, _ in markets], [w for _, w in markets])[0]
        self.town = world.town(self.market, rng)
        self.offset = self.market.offsets[self.town % len(self.market.offsets)]
        self.homes: list[tuple[float, Place]] = []
        self.devices: list[Device] = []
        self.people: list[Person] = []
        self.slots = 0
        self.trip_serial = 0
        self.forced: list[tuple[Person, float]] = []
        self.plugged: list[Device] = []
        self.kin: Place
        self.born = -1e9
        self.volume = 0.0
        if rng.random() < 0.15:
            self.born = rng.uniform(0, world.hours * 0.85)
        self.changed_isp = False
        self.two_lines = False

    # -- homes

    def settle(self) -> None:
        """Choose the home, its line and whether either changes in the window."""
        world, rng, habits = self.world, self.rng, self.world.habits
        years = world.days / 365.0
        place = world.dwelling(self.market, self.town, rng)
        self.homes = [(-1e9, place)]
        if rng.random() < 0.04 and world.homes:
            flat = rng.choice(world.homes)  # a flat that shares its line with another account
            if flat.town == self.town:
                place.lines = flat.lines
        if rng.random() < habits.two_lines:
            self.two_lines = True
            if rng.random() < 0.5:
                place.second = world.networks.home_line(self.market, self.town, rng)
                place.second_share = rng.uniform(0.2, 0.9)
            else:
                place.second = world.cell_box(self.market, self.town, rng)
                place.second_share = rng.uniform(0.05, 0.3)
        if rng.random() < habits.isp_change_year * years:
            self.changed_isp = True
            hour = rng.uniform(5 * 24, world.hours - 4 * 24)
            place.lines = [
                *place.lines[:1],
                (hour, world.networks.home_line(self.market, self.town, rng)),
            ]
        if rng.random() < habits.move_year * years:
            hour = rng.randrange(7, max(8, world.days - 5)) * 24.0 + 10
            town = self.town if rng.random() < 0.65 else world.town(self.market, rng)
            fresh = world.dwelling(self.market, town, rng)
            if rng.random() < 0.45:  # takes the operator along
                old = place.lines[-1][1] if place.lines else None
                like = old if old is not None and not old.shared else None
                fresh.lines = [(-1e9, world.networks.home_line(self.market, town, rng, like))]
            if rng.random() < 0.4:
                fresh.dark_until = hour + rng.expovariate(1 / 120.0)
            self.homes.append((hour, fresh))
        world.homes.append(place)

    def home_at(self, hour: float) -> Place:
        """The main home at that hour."""
        found = self.homes[0][1]
        for since, place in self.homes:
            if since <= hour:
                found = place
        return found

    def home_track(self) -> np.ndarray:
        """Number of the main home for every hour."""
        track = np.full(self.world.hours, self.homes[0][1].number, dtype=np.int32)
        for since, place in self.homes[1:]:
            track[int(since) :] = place.number
        return track

    # -- devices

    def device(self, kind: str, inside: bool, *, spread: float = 1.25) -> Device:
        """A device with its own quirks."""
        rng = self.rng
        made = Device(
            name=f"{self.name}-{rng.getrandbits(40):010x}",
            kind=kind,
            weight=math.exp(rng.gauss(0, spread)),
            inside=inside,
            six=rng.choice((0.0, 0.5, 0.9, 0.97))
            if kind in FIXED
            else rng.choice((0.3, 0.8, 0.95)),
            subnet=0 if rng.random() < 0.9 else 1,
            privacy=kind not in FIXED or rng.random() < 0.5,
            second_line=rng.choice((0.0, 0.6, 1.0)),
        )
        hours = self.world.hours
        draw = rng.random()
        rate = self.world.habits.new_id_year * self.world.days / 365.0
        if draw < 0.06 + rate:
            made.since = rng.uniform(0, hours * 0.97)
            if kind in ("computer", "other") and rng.random() < 0.4:
                made.until = made.since + rng.expovariate(1 / 120.0)
        elif draw < 0.15 + rate:
            made.until = rng.uniform(0.05, 1.0) * hours
        self.devices.append(made)
        return made

    def tvs(self, count: int, spots: list[tuple[float, int]], inside: bool) -> list[Device]:
        """Plugged-in devices."""
        rng = self.rng
        made = []
        for _ in range(count):
            kind = rng.choices(
                ("tv", "set_top_box", "streaming_stick", "game_console"), (46, 22, 22, 10)
            )[0]
            device = self.device(kind, inside)
            device.spots = list(spots)
            if kind == "streaming_stick":
                device.carried = 0.06
            elif kind == "game_console":
                device.carried = 0.02
            made.append(device)
        return made

    def personal(self, inside: bool, thrift: float = 1.0) -> list[Device]:
        """Phone, tablet, computer of one person, some of them signed in twice."""
        rng, habits = self.rng, self.world.habits
        made: list[Device] = []
        plan = (("phone", 0.68, 0.97), ("tablet", 0.2, 0.5), ("computer", 0.32, 0.45))
        always = rng.random() < habits.vpn_person
        for kind, chance, carried in plan:
            if rng.random() > chance * thrift:
                continue
            device = self.device(kind, inside)
            device.carried = carried
            if kind != "tablet" and always:
                device.vpn = rng.uniform(0.5, 1.0)
            elif rng.random() < 0.3:
                device.vpn = habits.vpn_rate * rng.expovariate(0.4)
            if kind == "computer":
                device.to_work = rng.random() < 0.25
                if device.to_work and rng.random() < 0.4:
                    device.corporate = rng.uniform(0.3, 1.0)
            made.append(device)
            if rng.random() < (0.25 if kind == "computer" else 0.06):  # a second browser, a new app
                twin = self.device(kind, inside)
                twin.carried = carried
                twin.weight *= 0.25
                twin.to_work = device.to_work
                twin.vpn = device.vpn
                if rng.random() < 0.6:
                    twin.since = rng.uniform(0, self.world.hours)
                    twin.until = twin.since + rng.expovariate(1 / 100.0)
                made.append(twin)
        return made

    # -- calendars

    def calendar(self, base: np.ndarray, *, worker: float = 0.6) -> tuple[np.ndarray, int]:
        """Where a person is each hour, before trips and visits."""
        world, rng = self.world, self.rng
        where = base.copy()
        work = -1
        if rng.random() < worker:
            kind = "campus" if rng.random() < 0.12 else "work"
            work = world.site(self.market, world.places[int(base[0])].town, kind, rng).number
            days = {day for day in range(7) if rng.random() < (0.85 if day < 5 else 0.08)}
            start = rng.choice((7, 8, 8, 9, 9, 10, 13, 20))
            span = rng.choice((6, 8, 8, 9))
            commute = rng.choice((0, 1, 1, 1, 2))
            for day in range(world.days):
                if (day % 7) in days and rng.random() < 0.93:
                    left = day * 24 + start
                    where[left : left + span] = work
                    if commute:
                        where[max(0, left - commute) : left] = -1
                        where[left + span : left + span + commute] = -1
        outings = rng.uniform(0, 0.35)
        town = world.places[int(base[0])].town
        friends = [world.friend_home(self.market, town, rng, self) for _ in range(2)]
        for day in range(world.days):
            if rng.random() < outings:
                left = day * 24 + rng.choice((11, 14, 17, 18, 19, 20))
                span = rng.choice((2, 3, 4, 5))
                spot = -1 if rng.random() < 0.5 else rng.choice(friends).number
                where[left : left + span] = spot
        return where, work

    def stay(self, person: Person, begin: int, end: int, place: int, travel: int) -> int:
        """Put a person somewhere for a while; returns the number of the trip."""
        self.trip_serial += 1
        hours = self.world.hours
        begin, end = max(0, begin), min(hours, end)
        person.bags[self.trip_serial] = set()
        if begin >= end:
            return 0
        person.where[begin:end] = place
        person.where[begin : min(end, begin + travel)] = -1
        person.trips[begin:end] = self.trip_serial
        person.bags[self.trip_serial] = {
            device.name for device in person.devices if self.rng.random() < device.carried
        }
        return self.trip_serial

    def add_person(
        self, base: np.ndarray, rate: float, devices: list[Device], role: str, worker: float
    ) -> Person:
        """Somebody with a calendar."""
        rng, habits = self.rng, self.world.habits
        where, work = self.calendar(base, worker=worker)
        only = rng.random() < habits.cell_only
        mobiles = self.market.mobiles
        person = Person(
            name=f"{self.name}-p{len(self.people)}",
            where=where,
            trips=np.zeros(self.world.hours, dtype=np.int32),
            base=base,
            rate=rate,
            devices=devices,
            mobile=rng.choices([asn for asn, _ in mobiles], [w for _, w in mobiles])[0],
            shift=rng.choice((-2, -1, -1, 0, 0, 0, 1, 1, 2)),
            tv_share=rng.betavariate(2.2, 1.5),
            profile="",
            cell_home=0.97 if only else min(0.9, rng.expovariate(1 / habits.cell_home)),
            cell_only=only,
            work=work,
            role=role,
        )
        choice = rng.randrange(5) if rng.random() < 0.3 else len(self.people) % 5
        person.profile = f"{zlib.crc32(f'{self.name}{choice}'.encode()):08x}"
        self.people.append(person)
        return person

    # -- the household

    def household(self) -> list[Person]:
        """Residents, their devices and their comings and goings."""
        world, rng, habits = self.world, self.rng, self.world.habits
        size = rng.choices((1, 2, 3, 4, 5), self.market.sizes)[0]
        rate = (0.12 + rng.gammavariate(1.1, 2.5 / 1.1)) * world.days
        self.volume = rate
        split = [rng.gammavariate(1.0, 1.0) for _ in range(size)]
        total = sum(split)
        track = self.home_track()
        fixed = [(since, place.number) for since, place in self.homes]
        self.tvs(rng.choices((0, 1, 2, 3), (0.12, 0.48, 0.28, 0.12))[0], fixed, True)
        residents = []
        for index in range(size):
            adult = index < 2 or rng.random() < 0.3
            person = self.add_person(
                track,
                rate * split[index] / total,
                self.personal(True, 1.0 if adult else 0.75),
                "resident",
                0.62 if adult else 0.3,
            )
            residents.append(person)
        if size > 1 and rng.random() < 0.06:
            self.moved_in(residents[-1])
        self.oddments(residents)
        if rng.random() < 0.3:  # ids that were seen a few times and left behind
            for _ in range(rng.choice((1, 1, 2))):
                kind = rng.choices(("computer", "phone", "tablet", "tv", "other"), (5, 2, 1, 2, 1))[
                    0
                ]
                stale = self.device(kind, True, spread=0.6)
                stale.since = rng.uniform(0, world.hours)
                stale.until = stale.since + rng.expovariate(1 / 72.0) + 2
                stale.carried = 0.5
                if kind == "tv":
                    stale.spots = list(fixed)
                else:
                    rng.choice(residents).devices.append(stale)
        self.second_base(residents)
        self.holidays(residents, habits.trip_rate)
        return residents

    def moved_in(self, person: Person) -> None:
        """A partner or flatmate who used the account from elsewhere and moved in."""
        world, rng = self.world, self.rng
        hour = int(rng.uniform(0.05, 0.97) * world.hours)
        before = world.dwelling(self.market, self.near_town(0.7), rng).number
        elsewhere = person.where[:hour] == person.base[:hour]
        person.where[:hour][elsewhere] = before
        person.base = person.base.copy()
        person.base[:hour] = before
        for week in range(hour // 168 + 1):
            if rng.random() < 0.6:  # was there often already
                begin = week * 168 + rng.choice((114, 138, 42))
                end = min(hour, begin + rng.choice((8, 18, 40)))
                self.stay(person, begin, end, self.home_at(begin).number, 0)
        self.mark([d for d in person.devices if not d.situation], "resident_moved")

    def oddments(self, residents: list[Person]) -> None:
        """Devices of the household that live an odd life."""
        rng = self.rng
        person = rng.choice(residents)
        if person.work >= 0 and rng.random() < 0.12:  # the computer that stays at work
            device = self.device("computer", True)
            device.weight *= 2.0
            device.spots = [(-1e9, person.work)]
            device.situation = "resident_commuting"
        if rng.random() < 0.05:  # a tablet or stick that is used on journeys only
            device = self.device(rng.choice(("tablet", "computer", "streaming_stick")), True)
            device.carried, device.journeys = 1.0, True
            device.situation = "resident_travelling"
            person.devices.append(device)
        if rng.random() < 0.04:  # a phone for journeys to work, hardly used at home
            device = self.device("phone", True)
            device.carried, device.outdoors = 0.9, True
            device.situation = "resident_commuting"
            person.devices.append(device)

    def handed_down(self, people: list[Person], residents: list[Person], place: int) -> None:
        """A device of the household that is given to the people elsewhere."""
        rng, world = self.rng, self.world
        hour = rng.uniform(0.1, 0.97) * world.hours
        kind = rng.choice(("tablet", "phone", "tv", "computer"))
        device = self.device(kind, False)
        device.since, device.until = -1e9, 1e9
        device.situation = "borrower_same_city"
        if kind == "tv":
            device.spots = [(-1e9, self.homes[0][1].number), (hour, place)]
        else:
            device.handover = hour
            residents[0].devices.append(device)
            people[0].devices.append(device)
            device.receiver = people[0].name

    def second_base(self, residents: list[Person]) -> None:
        """Students, children between two homes, weekday workers, second homes."""
        world, rng = self.world, self.rng
        for person in residents[1:]:
            draw = rng.random()
            if draw < 0.045:
                town = world.town(self.market, rng)
                if rng.random() < 0.4:
                    dorm = world.site(self.market, town, "campus", rng)
                else:
                    dorm = world.dwelling(self.market, town, rng)
                for week in range(-1, world.days // 7 + 1):
                    if rng.random() < 0.3:  # stays over the weekend
                        begin, end = week * 168 - 30, week * 168 + 162
                    else:
                        begin, end = week * 168 - 6, week * 168 + 114
                    self.stay(person, begin, end, dorm.number, 2)
                    if begin < world.hours and end > 0:
                        person.bags[self.trip_serial] = {d.name for d in person.devices}
                self.mark(person.devices, "student_away")
                if rng.random() < 0.25:
                    self.mark(self.tvs(1, [(-1e9, dorm.number)], True), "student_away")
            elif draw < 0.085:
                other = world.dwelling(self.market, self.near_town(0.7), rng)
                for week in range(0, world.days // 7 + 1, 2):
                    begin = week * 168 + rng.choice((0, 114))
                    self.stay(person, begin, begin + 168, other.number, 1)
                    person.bags[self.trip_serial] = {
                        d.name for d in person.devices if rng.random() < 0.9
                    }
                self.mark(person.devices, "alternating_custody")
                if rng.random() < 0.4:
                    self.mark(self.tvs(1, [(-1e9, other.number)], True), "alternating_custody")
        if residents and rng.random() < 0.03:  # works elsewhere on weekdays, for good
            person = residents[0]
            flat = world.dwelling(self.market, world.town(self.market, rng), rng)
            for week in range(world.days // 7 + 1):
                self.stay(person, week * 168 + 6, week * 168 + 90, flat.number, 2)
            self.mark(person.devices, "second_home")
        if rng.random() < 0.10:
            cabin = world.dwelling(self.market, world.town(self.market, rng), rng)
            if rng.random() < 0.3:
                cabin.lines = [(-1e9, world.cell_box(self.market, cabin.town, rng))]
            self.mark(self.tvs(rng.choice((0, 1, 1)), [(-1e9, cabin.number)], True), "second_home")
            nights = 30 * world.days / 365 * world.habits.trip_rate**0.5
            spent = 0.0
            while spent < nights:
                length = rng.choice((2, 2, 3, 7, 10))
                day = rng.randrange(max(1, world.days))
                for person in residents:
                    if rng.random() < 0.85:
                        self.stay(person, day * 24 + 10, (day + length) * 24 + 10, cabin.number, 3)
                spent += length

    def holidays(self, residents: list[Person], rate: float) -> None:
        """Trips together and alone, and a few long absences."""
        world, rng = self.world, self.rng
        if rng.random() > 0.78:
            rate *= 0.1
        trips = int(self.np_rng.poisson(rate * 1.25 * world.days / 90))
        self.kin = world.friend_home(self.market, world.town(self.market, rng), rng, self)
        for _ in range(trips):
            group = list(residents) if rng.random() < 0.45 else [rng.choice(residents)]
            self.trip(group, rng.choice((1, 1, 2, 2, 3, 3, 4, 6, 8, 13)), None)
        for person in residents:
            if rng.random() < 0.04:
                begin = rng.randrange(world.hours)
                spot = self.lodging()
                self.stay(person, begin, begin + int(rng.uniform(18, 60) * 24), spot.number, 5)
                person.bags[self.trip_serial] |= {
                    d.name for d in person.devices if d.kind in ("phone", "computer")
                }

    def lodging(self) -> Place:
        """Somewhere to sleep away: kin, hotel or rented flat."""
        world, rng = self.world, self.rng
        draw = rng.random()
        if draw < 0.42:
            return self.kin
        town = world.town(self.market, rng)
        if draw < 0.72:
            return world.site(self.market, town, "hotel", rng)
        return world.dwelling(self.market, town, rng, "rental")

    def trip(self, group: list[Person], nights: int, spot: Place | None) -> None:
        """Some people go somewhere for some nights."""
        world, rng = self.world, self.rng
        place = self.lodging() if spot is None else spot
        day = rng.randrange(-2, world.days)
        if rng.random() < 0.5:
            day += 4 - day % 7
        begin = day * 24 + rng.choice((8, 10, 14, 17))
        end = begin + nights * 24 + rng.choice((-4, 0, 4, 8))
        travel = rng.choice((1, 2, 3, 5))
        for person in group:
            self.stay(person, begin, end, place.number, travel)
        if group[0].role == "resident" and place is not self.homes[0][1]:
            for device in self.devices:
                ours = device.kind == "streaming_stick" and device.spots and device.inside
                if ours and rng.random() < device.carried:
                    back = device.spot(end)
                    device.spots += [(float(begin), place.number), (float(end), back)]
                    device.spots.sort()
        if place.kind in ("hotel", "rental") and rng.random() < 0.10:
            television = self.device("tv" if rng.random() < 0.8 else "streaming_stick", False)
            television.spots = [(-1e9, place.number)]
            television.since, television.until = float(begin), float(end)
            television.situation = "hotel_tv_left_signed_in"
            television.weight = 1.0
            if rng.random() < 0.55:
                television.until = end + rng.expovariate(1 / 300.0)
                base = np.full(world.hours, place.number, dtype=np.int32)
                stranger = self.add_person(base, rng.gammavariate(1, 60), [], "stranger", 0.0)
                stranger.since = float(end)
                stranger.until = television.until

    def near_town(self, same: float) -> int:
        """The town of the account with that chance, else any."""
        return self.town if self.rng.random() < same else self.world.town(self.market, self.rng)

    @staticmethod
    def mark(devices: list[Device], situation: str, inside: bool = True) -> None:
        """Name the situation of devices."""
        for device in devices:
            device.situation = situation
            device.inside = inside

    # -- people who live elsewhere

    def outsiders(self, residents: list[Person]) -> None:
        """Households elsewhere that use the account."""
        rng, habits = self.rng, self.world.habits
        if rng.random() < 0.08:
            self.guest()
        if rng.random() < 0.012:
            self.thief()
        if rng.random() >= habits.sharing:
            return
        for index in range(rng.choices((1, 2, 3), (80, 15, 5))[0]):
            relation = rng.choices(("kin", "friend", "ex", "former"), (54, 20, 12, 14))[0]
            paid = rng.random() < 0.10
            self.borrow(relation, residents, paid, index)

    def borrow(self, relation: str, residents: list[Person], paid: bool, index: int) -> None:
        """One household elsewhere: people, devices, visits, tricks."""
        world, rng, habits = self.world, self.rng, self.world.habits
        hours = world.hours
        home = self.homes[0][1]
        last_home = self.homes[-1][1]
        near = rng.random() < (0.45 if relation != "former" else 0.6)
        town = last_home.town if near else world.town(self.market, rng)
        near = town == last_home.town
        place: Place | None = None
        if rng.random() < 0.1:
            place = world.friend_home(self.market, town, rng, self, strict=True)
        same_nat = False
        if place is None:
            place = world.dwelling(self.market, town, rng)
            own = last_home.lines[-1][1] if last_home.lines else None
            if own is not None and near and own.shared and rng.random() < 0.05:
                same_nat = True
                line = world.networks.home_line(self.market, town, rng, own)
                place.lines = [(-1e9, line)]
        left = -1e9
        if relation in ("ex", "former"):
            left = rng.uniform(-45 * 24, hours * 0.96)
        grand = relation == "kin" and rng.random() < 0.14
        size = rng.choices((1, 2, 3), (0.66, 0.26, 0.08))[0]
        if relation == "ex":
            size = 1
        rate = rng.gammavariate(3.0, habits.borrowed) * self.volume * (0.5 if grand else 1.0)
        base = np.full(hours, place.number, dtype=np.int32)
        if left > 0:
            track = self.home_track()
            base[: int(left)] = track[: int(left)]
        spots = [(-1e9, place.number)]
        if left > 0:
            spots = [(max(0.0, left), place.number)]
        tvs = self.tvs(rng.choices((0, 1, 2), (0.42, 0.5, 0.08))[0], spots, False)
        if grand and not tvs:
            tvs = self.tvs(1, spots, False)
        if relation == "ex" and tvs and rng.random() < 0.4:
            tvs[0].spots = [(-1e9, home.number), (left, place.number)]
        begins = -1e9
        if rng.random() < 0.15:
            begins = rng.uniform(0, hours * 0.9)
        people: list[Person] = []
        devices = list(tvs)
        for number in range(size):
            own_devices = [] if grand and rng.random() < 0.8 else self.personal(False, 0.85)
            if not tvs and not own_devices and number == 0:
                phone = self.device("phone", False)
                phone.carried = 0.97
                own_devices = [phone]
            person = self.add_person(
                base if number == 0 else np.full(hours, place.number, dtype=np.int32),
                rate / size,
                own_devices,
                "grand" if grand else "borrower",
                0.1 if grand else 0.6,
            )
            person.since = begins if left < 0 or number == 0 else max(begins, left)
            people.append(person)
            devices += own_devices
        situation = self.relation_name(relation, near, place, last_home, same_nat, grand)
        visits = rng.choices(("none", "rare", "monthly", "weekly"), (34, 28, 22, 16))[0]
        if relation == "ex":
            visits = rng.choice(("none", "none", "rare"))
        count = {"none": 0, "rare": rng.choice((1, 2)), "monthly": 3, "weekly": 12}[visits]
        count = max(1, round(count * world.days / 90)) if count else 0
        for _ in range(count):
            day = rng.randrange(world.days)
            if rng.random() < 0.6:
                day += 5 - day % 7
            nights = 0 if near and rng.random() < 0.75 else rng.choice((1, 2, 2, 3))
            begin = day * 24 + rng.choice((11, 14, 18))
            end = begin + (nights * 24 or rng.choice((3, 4, 6)))
            target = self.home_at(begin).number
            for person in people:
                if rng.random() < 0.75:
                    self.stay(person, begin, end, target, 1 if near else 3)
                    if nights == 0:
                        person.bags[self.trip_serial] &= {
                            d.name for d in person.devices if d.kind == "phone"
                        } | ({d.name for d in person.devices if rng.random() < 0.1})
        if visits == "monthly" and situation.startswith("borrower") and not same_nat:
            situation = "borrower_visits_monthly"
        elif visits == "weekly" and situation.startswith("borrower"):
            situation = "borrower_visits_weekly"
        self.visited(relation, residents, place, near, grand)
        self.holidays_of(people)
        if rng.random() < habits.evasion:
            self.ritual(people, tvs)
        if rng.random() < habits.tunnel:
            for device in devices:
                device.tunnel = rng.random() < 0.7
            if any(device.tunnel for device in devices):
                situation = "borrower_vpn_through_home"
        elif rng.random() < habits.hotspot:
            for device in devices:
                device.hotspot = rng.uniform(0.4, 1.0)
            situation = "borrower_phone_hotspot"
        if paid:
            self.slots += 1
            situation = "extra_member"
        self.mark(devices, situation, inside=False)
        if rng.random() < 0.12 and not grand:
            self.handed_down(people, residents, place.number)
        if index == 0 and rng.random() < 0.02:  # the owner hardly watches any more
            for resident in residents:
                resident.rate *= 0.3

    @staticmethod
    def relation_name(
        relation: str, near: bool, place: Place, home: Place, same_nat: bool, grand: bool
    ) -> str:
        """Name of the situation, before visits and tricks."""
        if same_nat:
            return "borrower_same_carrier_nat"
        if relation in ("ex", "former"):
            return "ex_member_left"
        if grand:
            return "grandparent_tv"
        if not near:
            return "borrower_far"
        if place.lines and home.lines and place.lines[-1][1].asn == home.lines[-1][1].asn:
            return "borrower_same_isp"
        return "borrower_same_city"

    def visited(
        self, relation: str, residents: list[Person], place: Place, near: bool, grand: bool
    ) -> None:
        """The household goes and sees them."""
        rng, world = self.rng, self.world
        if relation == "ex":
            return
        often = rng.choices((0, 1, 3, 8), (40, 30, 20, 10) if not grand else (10, 20, 40, 30))[0]
        for _ in range(round(often * world.days / 90)):
            group = list(residents) if rng.random() < 0.5 else [rng.choice(residents)]
            if near and rng.random() < 0.7:
                day = rng.randrange(world.days)
                begin = day * 24 + rng.choice((11, 14, 18))
                for person in group:
                    self.stay(person, begin, begin + rng.choice((3, 4, 6)), place.number, 1)
                    person.bags[self.trip_serial] &= {
                        d.name for d in person.devices if d.kind in ("phone", "tablet")
                    }
            else:
                self.trip(group, rng.choice((1, 2, 2, 3, 5)), place)

    def holidays_of(self, people: list[Person]) -> None:
        """Borrowers travel too."""
        rng, world = self.rng, self.world
        trips = int(self.np_rng.poisson(world.habits.trip_rate * 0.8 * world.days / 90))
        for _ in range(trips):
            self.trip(people, rng.choice((1, 2, 2, 3, 4, 7)), None)

    def ritual(self, people: list[Person], tvs: list[Device]) -> None:
        """Once a month the devices come to the home and are switched on there."""
        rng, world = self.rng, self.world
        for month in range(max(1, world.days // 30)):
            begin = month * 720 + rng.randrange(600)
            target = self.home_at(begin).number
            for person in people[:1]:
                self.stay(person, begin, begin + rng.choice((2, 4, 8)), target, 0)
                person.bags[self.trip_serial] = {d.name for d in person.devices}
                self.forced.append((person, begin + 1.0))
            for device in tvs:
                if device.kind == "streaming_stick":
                    device.spots += [
                        (float(begin), target),
                        (begin + 8.0, int(people[0].base[-1])),
                    ]

    def guest(self) -> None:
        """Somebody signs in on a device of their own, once, mostly at the account's home."""
        rng, world = self.rng, self.world
        own = world.dwelling(self.market, self.near_town(0.7), rng)
        base = np.full(world.hours, own.number, dtype=np.int32)
        device = self.device(rng.choice(("phone", "computer", "tablet", "tv")), False)
        device.situation = "guest_once"
        begin = rng.randrange(world.hours)
        device.since, device.until = float(begin), begin + rng.choice((5.0, 30.0, 80.0))
        device.carried = 1.0
        person = self.add_person(base, world.days * rng.uniform(0.5, 3), [device], "guest", 0.2)
        if device.kind == "tv":
            device.spots = [(-1e9, own.number)]
            person.devices = []
        elif rng.random() < 0.7:
            self.stay(person, begin - 2, begin + 24, self.home_at(begin).number, 0)
            person.bags[self.trip_serial] = {device.name}
        person.since, person.until = device.since, device.until

    def thief(self) -> None:
        """Credentials that were stolen and sold."""
        rng, world = self.rng, self.world
        spot = world.dwelling(self.market, world.town(self.market, rng), rng)
        base = np.full(world.hours, spot.number, dtype=np.int32)
        devices = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            device = self.device(rng.choice(("tv", "phone", "computer", "streaming_stick")), False)
            device.situation = "stolen_credentials"
            device.carried = 0.5
            if device.kind in ("tv", "streaming_stick"):
                device.spots = [(-1e9, spot.number)]
            elif rng.random() < 0.4:
                device.vpn = 0.9
            devices.append(device)
        person = self.add_person(base, rng.gammavariate(1, 1.5) * world.days, devices, "thief", 0.4)
        person.devices = [d for d in devices if not d.spots]
        person.since = rng.uniform(0, world.hours * 0.8)
        person.until = person.since + rng.expovariate(1 / 700.0)

    # -- what the service sees

    def network(
        self, person: Person, device: Device, place: int, hour: float, at_base: bool
    ) -> tuple[str, int, str, int]:
        """Address, AS, country and true line (-1: mobile, VPN, public) of one play."""
        world, rng = self.world, self.rng
        if device.vpn and rng.random() < device.vpn:
            return world.exit(device, self.market, hour, rng)
        if device.tunnel and rng.random() < 0.85:
            line = self.home_at(hour).line(hour, rng, device)
            if line is not None:
                return line.four(hour, rng), line.asn, line.country, line.number
        if device.corporate and person.work >= 0 and rng.random() < device.corporate:
            line = world.places[person.work].lines[0][1]
            return line.four(hour, rng), line.asn, line.country, -1
        if device.hotspot and rng.random() < device.hotspot:
            return self.cell(person, place, hour)
        spot = world.places[place] if place >= 0 else None
        if spot is None:
            if device.kind in SIM or rng.random() < 0.4:
                return self.cell(person, place, hour)
            spot = world.site(self.market, self.town, "public", rng)
        elif device.kind in SIM or (device.kind == "tablet" and rng.random() < 0.3):
            if at_base:
                chance = person.cell_home
            elif spot.kind in ("work", "campus"):
                chance = min(1.0, world.habits.cell_out * 1.5)
            else:
                if place not in person.known:
                    person.known[place] = rng.random() < (0.75 if spot.kind != "hotel" else 0.6)
                chance = world.habits.cell_out * 0.7 if person.known[place] else 1.0
            if rng.random() < chance:
                return self.cell(person, place, hour)
        line = spot.line(hour, rng, device)
        if line is None or rng.random() < 0.004:
            return self.cell(person, place, hour)
        number = line.number if spot.kind not in ("hotel", "campus", "public") else -1
        if line.prefixes and rng.random() < device.six:
            return line.six(hour, device), line.asn, line.country, number
        return line.four(hour, rng), line.asn, line.country, number

    def cell(self, person: Person, place: int, hour: float) -> tuple[str, int, str, int]:
        """A mobile network: some address of the region, kept for a short while."""
        world, rng = self.world, self.rng
        asn = person.mobile
        if hour - person.last_cell[0] < 1.0 and rng.random() < 0.6:
            address = person.last_cell[1]
        else:
            town = world.places[place].town if place >= 0 else self.town
            base = world.networks.space.block6(asn, f"mobile{town % 3}")
            if base is not None and rng.random() < 0.45:
                address = _v6(base | rng.getrandbits(20), rng.getrandbits(64))
            else:
                address = _v4(rng.choice(world.networks.mobile_pool(asn, town)))
        person.last_cell = (hour, address)
        return address, asn, self.market.code, -1

    def pick(self, person: Person, place: int, hour: float, trip: int) -> Device | None:
        """The device of a play: at hand for the person, or plugged in where the person is."""
        rng = self.rng
        index = int(hour)
        at_base = place == person.base[index]
        carried: list[Device] = []
        for device in person.devices:
            if not device.since <= hour < device.until or device.spots:
                continue
            if device.receiver and (device.receiver == person.name) != (hour >= device.handover):
                continue
            if device.outdoors and at_base and rng.random() < 0.93:
                continue
            if device.journeys and not trip:
                continue
            if trip:
                fits = device.name in person.bags.get(trip, ())
            elif at_base:
                fits = True
            elif place == person.work and place >= 0:
                fits = device.kind == "phone" or device.to_work
            else:
                fits = device.kind == "phone"
            if fits:
                carried.append(device)
        plugged = (
            [d for d in self.plugged if d.since <= hour < d.until and d.spot(hour) == place]
            if place >= 0
            else []
        )
        if plugged and (not carried or rng.random() < person.tv_share):
            return rng.choices(plugged, [d.weight for d in plugged])[0]
        if carried:
            return rng.choices(carried, [d.weight for d in carried])[0]
        return None

    def play(self, rows: list[tuple[object, ...]]) -> None:
        """All sessions of the account, appended to rows."""
        world, rng = self.world, self.rng
        hours = world.hours
        self.plugged = [device for device in self.devices if device.spots]
        for device in self.plugged:
            device.spots.sort()
        weekend = np.repeat([1.3 if day % 7 in (5, 6) else 0.9 for day in range(world.days)], 24)
        clock = np.arange(hours)
        for person in self.people:
            appetite = np.full(hours, 0.4)
            appetite[person.where == -1] = 0.22
            appetite[person.where == person.base] = 1.0
            for number in np.unique(person.where):
                if number >= 0 and world.places[number].kind in APPETITE:
                    factor = APPETITE[world.places[number].kind]
                    appetite[(person.where == number) & (person.base != number)] = factor
            away = (person.trips > 0) & (appetite == 0.4)
            appetite[away] = 0.6
            mood = np.repeat(self.np_rng.gamma(0.55, 1 / 0.55, world.days), 24)
            usual = HOUR_WEIGHTS[(clock - person.shift) % 24]
            mean = person.rate / 1.55 / hours * appetite * mood * usual * weekend
            counts = self.np_rng.poisson(mean)
            moments = [
                int(hour) + rng.random()
                for hour in np.nonzero(counts)[0]
                for _ in range(counts[hour])
            ]
            moments += [hour for who, hour in self.forced if who is person]
            moments.sort()
            for moment in moments:
                if not max(person.since, self.born) <= moment < min(person.until, hours):
                    continue
                place = int(person.where[int(moment)])
                trip = int(person.trips[int(moment)])
                chosen = self.pick(person, place, moment, trip)
                if chosen is not None:
                    self.binge(person, chosen, place, moment, rows)

    def binge(
        self,
        person: Person,
        device: Device,
        place: int,
        moment: float,
        rows: list[tuple[object, ...]],
    ) -> None:
        """One play and what follows on the same device."""
        world, rng = self.world, self.rng
        fixed = bool(device.spots) or device.kind == "streaming_stick"
        typical = 28.7 if fixed else (8.6 if device.kind == "phone" else 18.0)
        at_base = place == person.base[int(moment)]
        network = self.network(person, device, place, moment, at_base)
        profile = person.profile
        town = world.places[place].town if place >= 0 else self.town
        offset = self.market.offsets[town % len(self.market.offsets)]
        while moment < world.hours:
            minutes = typical * math.exp(rng.gauss(-0.35, 0.85))
            home = self.home_at(moment).number
            rows.append(
                (
                    self.name,
                    device.name,
                    moment - offset / 60.0,
                    round(minutes * 60.0, 1),
                    network[0],
                    network[1],
                    device.kind,
                    network[2],
                    offset,
                    profile,
                    network[3],
                    place,
                    place == home,
                    world.places[place].kind if place >= 0 else "transit",
                )
            )
            device.used += 1
            if rng.random() > 0.36:
                return
            moment += minutes / 60.0 + rng.uniform(0.01, 0.15)
            if rng.random() < 0.3:
                network = self.network(person, device, place, min(moment, world.hours - 1), at_base)

    def name_residents(self) -> None:
        """Situations of the devices of the household."""
        world = self.world
        owner = {d.name: p for p in self.people if p.role == "resident" for d in p.devices}
        line = self.homes[-1][1].lines[-1][1] if self.homes[-1][1].lines else None
        for device in self.devices:
            if device.situation:
                continue
            person = owner.get(device.name)
            plugged = bool(device.spots)
            away = bool(person is not None and (person.trips[-240:] > 0).mean() > 0.5)
            absent = bool(person is not None and (person.trips > 0).mean() > 0.22)
            if device.vpn > 0.3:
                name = "resident_vpn"
            elif person is not None and person.cell_only and device.kind == "phone":
                name = "resident_cellular_only"
            elif device.since > world.hours - 21 * 24:
                name = "resident_new_device"
            elif len(self.homes) > 1:
                name = "resident_moved"
            elif not plugged and (away or absent):
                name = "resident_travelling"
            elif self.changed_isp:
                name = "resident_changed_isp"
            elif self.two_lines:
                name = "resident_two_isps"
            elif device.to_work or device.corporate:
                name = "resident_commuting"
            elif line is not None and line.kind == "daily":
                name = "resident_renumbered_daily"
            elif line is not None and line.shared:
                name = "resident_carrier_nat"
            else:
                name = "resident_fixed" if plugged else "resident_mobile"
            device.situation = name


# --------------------------------------------------------------------------- the world


#: Knobs that are drawn anew, and the most each may be: the ranges of the usual assumptions.
_DRAWN = {
    "sharing": 0.45,
    "borrowed": 0.2,
    "cell_home": 0.5,
    "cell_out": 0.8,
    "cell_only": 0.25,
    "no_fixed_line": 0.2,
    "vpn_person": 0.2,
    "vpn_rate": 0.1,
    "trip_rate": 4.0,
    "move_year": 0.5,
    "isp_change_year": 0.5,
    "evasion": 0.4,
    "tunnel": 0.12,
    "hotspot": 0.12,
    "two_lines": 0.15,
    "new_id_year": 0.6,
}


def draw_habits(kind: str, seed: int) -> Habits:
    """Knobs of a world like one kind: each rate times a factor, half of them between 0.7 and 1.4.

    Parameters
    ----------
    kind
        One of `KINDS`.
    seed
        Of the factors.

    Returns
    -------
    Habits
    """
    draw = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    habits = KINDS[kind]
    factors = np.exp(draw.normal(0.0, 0.5, len(_DRAWN)))
    rates = {
        name: min(float(getattr(habits, name) * factor), most)
        for (name, most), factor in zip(_DRAWN.items(), factors, strict=True)
    }
    return replace(habits, **rates)  # type: ignore[arg-type]


class World:
    """Towns, places and accounts of one kind of world."""

    def __init__(self, kind: str, accounts: int, days: int, seed: int) -> None:
        kind, _, drawn = kind.partition("~")
        if kind not in KINDS or not (drawn == "" or drawn.isdecimal()):
            raise ValueError(
                f"kind must be one of {', '.join(KINDS)}, or one of them drawn as in 'fr~7'; "
                f"got {kind!r}"
            )
        self.kind = kind
        self.days = days
        self.hours = days * 24
        self.seed = seed
        self.habits = draw_habits(kind, int(drawn)) if drawn else KINDS[kind]
        self.tag = f"{kind}~{drawn}|{seed}" if drawn else f"{kind}|{seed}"
        self.networks = Networks(self.habits, self.tag, self.hours)
        self.places: list[Place] = []
        self.homes: list[Place] = []
        self.sites: dict[tuple[int, str, int], Place] = {}
        self.by_town: dict[int, list[Place]] = {}
        self.exits: dict[tuple[int, str], list[int]] = {}
        rng = Random(self.tag)
        self.accounts = [Account(self, number) for number in range(accounts)]
        for account in self.accounts:
            account.settle()
        for home in self.homes:
            self.by_town.setdefault(home.town, []).append(home)
        self.rng = rng

    def town(self, market: Market, rng: Random) -> int:
        """A town, large ones more often; towns of markets do not mix."""
        first = 100 * [FR, US, DE, GB, ID].index(market)
        weights = [1 / (rank + 2) for rank in range(market.towns)]
        return first + rng.choices(range(market.towns), weights)[0]

    def _place(self, kind: str, town: int, lines: list[tuple[float, Line]]) -> Place:
        place = Place(len(self.places), kind, town, lines)
        self.places.append(place)
        return place

    def dwelling(self, market: Market, town: int, rng: Random, kind: str = "dwelling") -> Place:
        """A flat or house with a line, a mobile box, or nothing."""
        if rng.random() < self.habits.no_fixed_line:
            lines = []
            if rng.random() < 0.6:
                lines = [(-1e9, self.cell_box(market, town, rng))]
            return self._place(kind, town, lines)
        return self._place(kind, town, [(-1e9, self.networks.home_line(market, town, rng))])

    def cell_box(self, market: Market, town: int, rng: Random) -> Line:
        """A box at home on a mobile network."""
        asn = rng.choices([a for a, _ in market.mobiles], [w for _, w in market.mobiles])[0]
        like = Isp(asn, 1.0, fixed_wireless=True, v6=0.4, v6_length=64)
        model = Line(-1, asn, market.code, town, like, "wireless")
        return self.networks.home_line(market, town, rng, model)

    def site(self, market: Market, town: int, kind: str, rng: Random) -> Place:
        """A workplace, campus, hotel or public network that many accounts share."""
        count = {"work": 60, "campus": 2, "hotel": 25, "public": 20}[kind]
        index = min(count - 1, int(rng.paretovariate(0.6)) - 1)
        if rng.random() < 0.5:
            index = rng.randrange(count)
        key = (town, kind, index)
        if key not in self.sites:
            maker = Random(f"{self.tag}|site|{key}")
            line = self.networks.site_line(market, town, maker, kind)
            self.sites[key] = self._place(kind, town, [(-1e9, line)])
        return self.sites[key]

    def friend_home(
        self, market: Market, town: int, rng: Random, account: Account, *, strict: bool = False
    ) -> Place:
        """Home of a friend or relative, often one that has its own account."""
        known = self.by_town.get(town, [])
        if known and (strict or rng.random() < 0.35):
            found = rng.choice(known)
            if found is not account.homes[0][1]:
                return found
        return self.dwelling(market, town, rng)

    def exit(
        self, device: Device, market: Market, hour: float, rng: Random
    ) -> tuple[str, int, str, int]:
        """Exit of a VPN: the provider of the device, a town that changes from day to day."""
        code = zlib.crc32(device.name.encode())
        asn = VPN_EXITS[code % len(VPN_EXITS)]
        where = f"{market.code}{code % 3}" if rng.random() < 0.75 else f"far{rng.randrange(6)}"
        if (asn, where) not in self.exits:
            first = self.networks.space.blocks(asn, f"vpn{where}", 1, 24)[0]
            self.exits[asn, where] = [first + 2 + 3 * i for i in range(24)]
        pool = self.exits[asn, where]
        address = pool[zlib.crc32(f"{code}{int(hour // 24)}".encode()) % len(pool)]
        country = market.code if where.startswith(market.code) else rng.choice(("NL", "US", "CH"))
        return _v4(address), asn, country, -1

    def tables(self) -> dict[str, pd.DataFrame]:
        """Run all accounts and return the tables."""
        rows: list[tuple[object, ...]] = []
        for account in self.accounts:
            residents = account.household()
            account.outsiders(residents)
            account.play(rows)
            account.name_residents()
        columns = [
            "account_id",
            "device_id",
            "hour",
            "duration_s",
            "ip",
            "asn",
            "device_type",
            "country",
            "utc_offset_min",
            "profile_id",
            "line_id",
            "place_id",
            "at_home",
            "place_kind",
        ]
        table = pd.DataFrame(rows, columns=columns)
        start = pd.Timestamp(self.habits.start, tz="UTC")
        seconds = np.round(table.pop("hour").to_numpy(dtype=float) * 3600.0).astype("int64")
        table.insert(2, "started_at", start + pd.to_timedelta(seconds, unit="s"))
        table = table.sort_values(
            ["started_at", "account_id", "device_id"], kind="stable", ignore_index=True
        )
        table["asn"] = table["asn"].astype("Int64")
        table["utc_offset_min"] = table["utc_offset_min"].astype("Int64")
        draw = np.random.default_rng([self.seed, 7, zlib.crc32(self.kind.encode())])
        table.loc[draw.random(len(table)) < 0.02, "asn"] = pd.NA
        if self.habits.mess:
            table = _mess(table, draw)
        labels = pd.DataFrame(
            [
                (account.name, device.name, device.inside, device.situation)
                for account in self.accounts
                for device in account.devices
                if device.used
            ],
            columns=["account_id", "device_id", "in_household", "situation"],
        )
        labels["policy_ambiguous"] = labels["situation"].isin(list(AMBIGUOUS))
        seen = table[["account_id", "device_id"]].drop_duplicates()
        labels = labels.merge(seen, on=["account_id", "device_id"])
        accounts = pd.DataFrame(
            [(account.name, account.market.code, account.slots) for account in self.accounts],
            columns=["account_id", "country", "extra_members"],
        )
        truth = table[["line_id", "place_id", "at_home", "place_kind"]].copy()
        sessions = table.drop(columns=list(truth.columns))
        return {"sessions": sessions, "accounts": accounts, "labels": labels, "truth": truth}


def _mess(table: pd.DataFrame, draw: np.random.Generator) -> pd.DataFrame:
    """What logs of real services look like: holes, doubles, wrong clocks, odd addresses."""
    size = len(table)
    table = table.copy()
    # accounts whose log was kept for the last weeks only
    names = table["account_id"].unique()
    short = set(names[draw.random(len(names)) < 0.2])
    cut = table["started_at"].max() - pd.Timedelta(days=21)
    keep = ~(table["account_id"].isin(short) & (table["started_at"] < cut))
    keep &= draw.random(size) > 0.15  # lost rows
    table = table[keep.to_numpy()].reset_index(drop=True)
    size = len(table)
    table.loc[draw.random(size) < 0.3, "asn"] = pd.NA
    table.loc[draw.random(size) < 0.4, "duration_s"] = np.nan
    devices = table["device_id"].unique()
    vague = table["device_id"].isin(devices[draw.random(len(devices)) < 0.2])
    table.loc[vague.to_numpy(), "device_type"] = None
    other = draw.random(size) < 0.03
    table.loc[other, "device_type"] = "other"
    table.loc[draw.random(size) < 0.3, "country"] = None
    four = ~table["ip"].str.contains(":")
    mapped = four.to_numpy() & (draw.random(size) < 0.03)
    table.loc[mapped, "ip"] = "::ffff:" + table.loc[mapped, "ip"]
    jitter = pd.to_timedelta(
        np.where(draw.random(size) < 0.05, draw.normal(0, 1800, size), 0.0).round(), unit="s"
    )
    last = table["started_at"].max()
    table["started_at"] = (table["started_at"] + jitter).clip(upper=last)
    busy = table.groupby("device_id")["ip"].transform("size") >= 4
    junk = busy.to_numpy() & (draw.random(size) < 0.002)
    table.loc[junk, "ip"] = draw.choice(["192.168.1.23", "unknown", "10.0.0.7", ""], junk.sum())
    doubles = table[draw.random(size) < 0.015]
    table = pd.concat([table, doubles], ignore_index=True)
    table = table.sort_values(["started_at", "account_id"], kind="stable", ignore_index=True)
    return table.drop(columns=["utc_offset_min", "profile_id"])


def make_world(kind: str, accounts: int, days: int, seed: int) -> dict[str, pd.DataFrame]:
    """Sessions, accounts, labels and truth of one world.

    Parameters
    ----------
    kind
        One of `KINDS`, or one of them with its rates drawn anew, as in ``"fr~7"``.
    accounts, days
        How many accounts, over how many days.
    seed
        The same seed gives the same world.

    Returns
    -------
    dict of DataFrame
        `sessions`, `accounts` and `labels` as in the contract (labels with `policy_ambiguous`);
        `truth`, row by row with sessions: `line_id` (-1 on mobile, VPN and public networks),
        `place_id` (-1 on the move), `at_home`, `place_kind`.
    """
    return World(kind, accounts, days, seed).tables()
