"""A world: every parameter of a simulation, with its source and the range it is tested over.

Marks: [S] read in the source, [S2] in a page that quotes it, [D] arithmetic on such numbers,
[G] general knowledge, unverified, [A] an assumption with no data behind it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from household_ml.errors import ParameterError, Problem

__all__ = ["COLUMNS_THAT_MAY_BE_MISSING", "WORLDS", "World", "named_world", "parameter_table"]

#: Columns of the sessions table that a messy world may lack.
COLUMNS_THAT_MAY_BE_MISSING = (
    "duration_s",
    "asn",
    "device_type",
    "country",
    "utc_offset_min",
    "profile_id",
)


def _parameter(
    default: float,
    low: float,
    high: float,
    mark: str,
    meaning: str,
    *,
    source: str = "",
    scale: Literal["linear", "log"] = "linear",
) -> Any:
    """One number: its default, the range to test, its mark, what it means and where it is from."""
    return field(
        default=default,
        metadata={
            "low": low,
            "high": high,
            "mark": mark,
            "meaning": meaning,
            "source": source,
            "scale": scale,
        },
    )


def _shares(
    default: tuple[float, ...], mark: str, meaning: str, *, source: str = "", spread: float = 8.0
) -> Any:
    """Shares that add up to one; a drawn world draws them from a Dirichlet about the default."""
    return field(
        default=default,
        metadata={
            "mark": mark,
            "meaning": meaning,
            "source": source,
            "scale": "shares",
            "spread": spread,
        },
    )


def _setting(default: object, meaning: str) -> Any:
    """Something that a drawn world keeps."""
    return field(
        default=default, metadata={"mark": "", "meaning": meaning, "source": "", "scale": "kept"}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a simulated service, its country and its people are like.

    Shares are in [0, 1] unless their meaning names another unit. `parameter_table` prints every
    parameter with its range to test, mark and source.

    Examples
    --------
    >>> WORLDS["fr"].country, WORLDS["fr"].tv_play_share
    ('FR', 0.55)
    >>> WORLDS["fr"].drawn(1) == WORLDS["fr"].drawn(1)
    True
    """

    name: str = _setting("world", "name of the world")
    country: str = _setting("FR", "market, one of the simulated countries")
    start: str = _setting("2023-09-04", "first day, ISO 8601")
    pinned: tuple[str, ...] = _setting((), "parameters that make this world what it is")
    missing_columns: tuple[str, ...] = _setting((), "columns that the sessions lack")

    # how much of the world the service sees
    regions: float = _parameter(
        12, 3, 40, "A", "regions in which operators pool their addresses", scale="log"
    )
    coverage: float = _parameter(
        0.15, 0.01, 0.7, "A", "share of an address pool's subscribers who are sampled", scale="log"
    )
    isp_share_noise: float = _parameter(
        0.0, 0.0, 1.0, "A", "how far market shares are drawn away from the country's"
    )
    short_history: float = _parameter(0.10, 0.0, 0.5, "A", "accounts that begin in the window")

    # accounts and their people
    household_size_tilt: float = _parameter(
        1.0, 0.7, 1.6, "A", "odds of each further person, relative to the country's households"
    )
    outside_accounts: float = _parameter(
        0.22, 0.10, 0.45, "A", "accounts with an outside household", source="surveys"
    )
    outside_households: tuple[float, ...] = _shares(
        (0.80, 0.15, 0.05), "A", "1, 2, 3 outside households where there is one"
    )
    relations: tuple[float, ...] = _shares(
        (0.60, 0.20, 0.10, 0.10), "A", "borrower is kin, friend, ex-partner, former member"
    )
    same_city: float = _parameter(
        0.40, 0.2, 0.7, "S", "borrowers within 8 km", source="distances between kin"
    )
    far: float = _parameter(
        0.20, 0.1, 0.5, "S", "borrowers beyond 200 km", source="distances between kin"
    )
    same_isp: float = _parameter(
        0.0, 0.0, 0.5, "A", "borrowers forced onto the owner's ISP, beyond the market share"
    )
    same_nat: float = _parameter(
        0.01, 0.0, 0.10, "A", "borrowers behind the owner's carrier-NAT address"
    )
    extra_member: float = _parameter(0.12, 0.0, 0.4, "A", "outside households with a paid slot")
    kin_tv_only: float = _parameter(
        0.12, 0.0, 0.3, "A", "kin who only have a TV on the account: the grandparents"
    )
    outside_activity: float = _parameter(
        0.4, 0.15, 0.9, "A", "plays of an outside household, relative to the owner's"
    )
    visits_in_town: float = _parameter(
        0.5, 0.0, 2.0, "A", "visits a month that outsiders of the same city pay the owner"
    )
    evaders_monthly: float = _parameter(
        0.10, 0.0, 0.40, "A", "outside households that visit every month to stay connected"
    )
    evaders_weekly: float = _parameter(
        0.04, 0.0, 0.20, "A", "outside households that visit every week"
    )
    evaders_tunnel: float = _parameter(
        0.02, 0.0, 0.15, "A", "outside households that tunnel through the owner's home"
    )
    evaders_hotspot: float = _parameter(
        0.03, 0.0, 0.15, "A", "outside households on the hotspot of a phone"
    )
    stolen: float = _parameter(0.012, 0.0, 0.05, "A", "accounts with stolen credentials in use")
    guests_a_year: float = _parameter(0.5, 0.0, 2.0, "A", "guests seen once, per account and year")
    hotel_sign_ins: float = _parameter(
        0.08, 0.0, 0.3, "A", "paid trips on which somebody signs in on the hotel's TV"
    )
    joiners_a_year: float = _parameter(
        0.02, 0.0, 0.1, "A", "households that somebody moves into, a year"
    )
    dual_adults: float = _parameter(
        0.11, 0.03, 0.20, "S", "adults with two dwellings", source="adults in France, 11 %"
    )
    dual_minors: float = _parameter(0.034, 0.0, 0.10, "S", "minors in alternating custody")
    second_homes: float = _parameter(0.10, 0.05, 0.15, "S", "accounts with a second home")
    second_home_nights: float = _parameter(30, 10, 60, "S", "nights a year in the second home")
    moves_a_year: float = _parameter(0.088, 0.05, 0.20, "S2", "households that move, a year")
    isp_changes_a_year: float = _parameter(
        0.12, 0.05, 0.20, "S2", "homes that change their ISP, a year"
    )
    second_access: float = _parameter(
        0.10, 0.0, 0.25, "A", "homes with a second access: 4G fallback or another ISP"
    )

    # devices
    tvs_per_home: float = _parameter(1.3, 0.8, 2.0, "S2", "TVs and boxes per home")
    phones_per_person: float = _parameter(0.9, 0.6, 1.2, "S2", "phones and tablets per person")
    computers_per_person: float = _parameter(0.35, 0.15, 0.7, "S2", "computers per person")
    devices_used: float = _parameter(0.60, 0.45, 0.9, "A", "devices that are ever used")
    stale_ids: float = _parameter(0.25, 0.0, 0.6, "A", "device ids per device that are old ones")
    resets_a_year: float = _parameter(
        0.05, 0.0, 0.3, "A", "new device ids on reset or re-install, a year"
    )
    purchases_a_year: float = _parameter(0.15, 0.0, 0.5, "A", "new devices, per device and year")

    # plays
    plays_a_day: float = _parameter(
        2.5, 0.3, 8.0, "D", "plays per household and day", scale="log", source="viewing reports"
    )
    plays_shape: float = _parameter(
        1.3, 0.6, 3.0, "A", "gamma shape of plays over households; small = unequal", scale="log"
    )
    day_shape: float = _parameter(
        1.0, 0.4, 4.0, "A", "gamma shape of a person's plays over days", scale="log"
    )
    plays_in_a_row: float = _parameter(1.7, 1.0, 2.5, "A", "plays per sitting, in TV equivalents")
    weekend: float = _parameter(1.3, 1.0, 1.8, "D", "plays on a weekend day relative to others")
    tv_play_share: float = _parameter(
        0.55, 0.45, 0.65, "D", "plays of main households on TVs and boxes"
    )
    tv_minutes: float = _parameter(28.7, 20, 45, "S2", "minutes per play on a TV")
    phone_minutes: float = _parameter(8.6, 5, 15, "S2", "minutes per play on a phone")
    hour_shift: float = _parameter(1.0, 0.3, 2.0, "A", "hours by which a person's day is shifted")
    shared_profiles: float = _parameter(0.3, 0.0, 1.0, "A", "people who use another's profile")

    # fixed lines
    v4_holding: tuple[float, ...] = _shares(
        (0.25, 0.25, 0.40, 0.10),
        "G",
        "IPv4 held for good, 168 h, exponentially long, 24 h",
        spread=4.0,
    )
    v4_mean_days: float = _parameter(
        134, 40, 300, "S", "mean of the exponential IPv4 holding time, days", scale="log",
        source="over 20 % of US homes change monthly",
    )  # fmt: skip
    leaves_24: float = _parameter(0.70, 0.30, 0.95, "A", "new addresses outside the old /24")
    leaves_prefix: float = _parameter(
        0.48, 0.15, 0.90, "S", "new addresses outside the announced prefix",
        source="Padmanabhan et al., IMC 2016: almost half",
    )  # fmt: skip
    reboots_a_month: float = _parameter(0.7, 0.2, 2.0, "A", "reboots and outages a month")
    v6_share: float = _parameter(0.81, 0.0, 0.99, "S2", "fixed lines with IPv6")
    v6_holding: tuple[float, ...] = _shares(
        (0.70, 0.20, 0.10), "A", "IPv6 prefix stable, changes as IPv4 does, daily",
        source="after DynamIPs, CoNEXT 2020", spread=4.0,
    )  # fmt: skip
    v6_56: float = _parameter(0.8, 0.2, 1.0, "G", "IPv6 lines that are given a /56, not a /64")
    v6_preferred: float = _parameter(
        0.85, 0.5, 0.98, "A", "sessions over IPv6 where device and line have it"
    )
    nat_share: float = _parameter(
        0.30, 0.0, 0.90, "A", "fixed lines behind carrier NAT", source="order [S2]"
    )
    nat_subscribers: float = _parameter(
        16, 4, 64, "S2", "subscribers per fixed carrier-NAT address", scale="log"
    )
    nat_modes: tuple[float, ...] = _shares(
        (0.45, 0.40, 0.15),
        "A",
        "carrier NAT: one address for good, a new one per lease, one of eight per play",
        spread=4.0,
    )

    # phones and mobile lines
    mobile_pool: float = _parameter(
        1024, 256, 4096, "A", "addresses of a mobile operator per area", scale="log"
    )
    mobile_areas: float = _parameter(
        3, 1, 12, "A", "areas of a country with a mobile egress of their own", scale="log"
    )
    mobile_hold_h: float = _parameter(
        0.0, 0.0, 12.0, "A", "hours a phone keeps its cellular address; 0 = one play"
    )
    mobile_v6: float = _parameter(0.6, 0.0, 0.95, "G", "cellular plays over IPv6")
    cellular_home: float = _parameter(0.08, 0.0, 0.20, "A", "phone plays at home over cellular")
    cellular_away: float = _parameter(
        0.25, 0.05, 0.40, "A", "phone plays at places away from home over cellular"
    )
    cellular_only: float = _parameter(
        0.03, 0.0, 0.3, "A", "people whose phone is only ever on cellular"
    )
    wireless_homes: float = _parameter(
        1.0, 0.0, 4.0, "A", "market share of fixed-wireless access, relative to the country's"
    )
    out_and_about: float = _parameter(
        0.08, 0.02, 0.2, "A", "day and evening sittings in transit, cafes and the like"
    )
    phone_centric: float = _parameter(
        0.12, 0.0, 0.4, "A", "people who mostly watch on a phone, wherever they are"
    )

    # days and travels
    employed: float = _parameter(0.62, 0.4, 0.75, "G", "adults with a workplace")
    at_work: float = _parameter(0.6, 0.2, 0.8, "A", "weekdays of the employed at the workplace")
    work_plays: float = _parameter(0.3, 0.05, 0.8, "A", "sittings kept in working hours at work")
    commuters: float = _parameter(0.5, 0.1, 0.8, "A", "employed people who watch on the way")
    friend_evenings: float = _parameter(0.03, 0.0, 0.10, "A", "evenings at a friend's")
    nights_away: float = _parameter(16, 5, 60, "S2", "nights away per person and year", scale="log")
    travellers: float = _parameter(0.74, 0.5, 0.95, "S2", "people who travel")
    short_trips: float = _parameter(0.56, 0.3, 0.7, "S2", "trips of one to three nights")
    trip_nights: float = _parameter(5.0, 3.5, 8.0, "S2", "mean nights per trip")
    trips_to: tuple[float, ...] = _shares(
        (0.39, 0.12, 0.49), "S2", "trips to kin, a second home, paid lodging"
    )
    trips_to_borrower: float = _parameter(
        0.5, 0.1, 0.9, "A", "trips to kin that go to the borrower's home where there is one"
    )
    trips_abroad: float = _parameter(0.25, 0.05, 0.6, "G", "paid trips to another country")
    phone_travels: float = _parameter(0.95, 0.8, 1.0, "A", "phones taken on a trip")
    portable_travels: float = _parameter(0.50, 0.2, 0.8, "A", "tablets and computers taken along")
    stick_travels: float = _parameter(0.05, 0.0, 0.2, "A", "sticks taken along")
    tv_travels: float = _parameter(0.002, 0.0, 0.01, "A", "TVs and boxes taken along")

    # virtual private networks
    vpn_computer: float = _parameter(0.04, 0.0, 0.20, "A", "plays of computers through a VPN")
    vpn_phone: float = _parameter(0.015, 0.0, 0.10, "A", "plays of phones through a VPN")
    vpn_tv: float = _parameter(0.003, 0.0, 0.03, "A", "plays of TVs through a VPN")
    vpn_always: float = _parameter(0.05, 0.0, 0.20, "A", "people whose VPN is always on")
    vpn_pool: float = _parameter(96, 8, 512, "A", "exits of a VPN location", scale="log")

    # what the log loses
    null_asn: float = _parameter(0.0, 0.0, 0.3, "A", "rows without asn")
    null_duration: float = _parameter(0.01, 0.0, 0.3, "A", "rows without duration_s")
    null_device_type: float = _parameter(0.005, 0.0, 0.2, "A", "devices without device_type")
    null_offset: float = _parameter(0.01, 0.0, 0.5, "A", "rows without utc_offset_min")
    null_country: float = _parameter(0.002, 0.0, 0.2, "A", "rows without country")
    null_profile: float = _parameter(0.01, 0.0, 0.5, "A", "rows without profile_id")
    duplicates: float = _parameter(0.0, 0.0, 0.05, "A", "rows written twice")
    lost_rows: float = _parameter(0.0, 0.0, 0.3, "A", "rows that were never written")
    bogus_addresses: float = _parameter(0.0, 0.0, 0.01, "A", "rows with a useless address")
    clock_noise_s: float = _parameter(0.0, 0.0, 120.0, "A", "spread of started_at, seconds")
    wrong_clocks: float = _parameter(0.0, 0.0, 0.03, "A", "devices whose clock is hours wrong")

    def __post_init__(self) -> None:
        problems = [
            Problem(
                f"{item.name} of a world must be shares that add up to 1",
                repr(getattr(self, item.name)),
                "Give shares in [0, 1].",
            )
            for item in fields(self)
            if item.metadata["scale"] == "shares"
            and not math.isclose(sum(getattr(self, item.name)), 1.0, abs_tol=1e-6)
        ]
        problems += [
            Problem(
                f"{item.name} of a world must be finite and not negative",
                repr(getattr(self, item.name)),
                "See the table of parameters for its range.",
            )
            for item in fields(self)
            if item.metadata["scale"] in ("linear", "log")
            and not 0 <= getattr(self, item.name) < math.inf
        ]
        if problems:
            raise ParameterError(problems)

    def drawn(self, seed: int) -> World:
        """Draw every parameter anew over its range to test: another world of the same kind.

        Parameters that are pinned, because they make the world what it is, stay within a quarter
        of their value; one in eight of the others keeps the value it has here.

        Parameters
        ----------
        seed : int
            The same seed draws the same world.

        Returns
        -------
        World
            Named ``<name>~<seed>``.
        """
        kind = int.from_bytes(self.name.encode()[:7], "little")
        rng = np.random.default_rng([seed, kind])
        chosen: dict[str, Any] = {"name": f"{self.name}~{seed}"}
        for item in fields(self):
            low, high = item.metadata.get("low", 0.0), item.metadata.get("high", 0.0)
            now, scale = getattr(self, item.name), item.metadata["scale"]
            keeps, at = rng.random() < 0.125, rng.random()
            if scale == "shares":
                shares = rng.dirichlet(np.asarray(now) * item.metadata["spread"] + 0.05)
                if item.name not in self.pinned:
                    chosen[item.name] = tuple(float(share) for share in shares)
            elif scale == "kept":
                continue
            elif item.name in self.pinned:
                chosen[item.name] = float(now * (0.75 + 0.5 * at))
                if high <= 1.0:
                    chosen[item.name] = min(chosen[item.name], 1.0)
            elif keeps:
                continue
            elif scale == "log":
                chosen[item.name] = float(low * (high / low) ** at)
            else:
                chosen[item.name] = float(low + (high - low) * at)
        chosen["leaves_prefix"] = min(
            chosen.get("leaves_prefix", self.leaves_prefix),
            chosen.get("leaves_24", self.leaves_24),
        )
        far_limit = 1.0 - chosen.get("same_city", self.same_city)
        chosen["far"] = min(chosen.get("far", self.far), far_limit)
        start = np.datetime64("2023-01-02") + int(rng.integers(0, 1000))
        if "start" not in self.pinned:
            chosen["start"] = str(start)
        if rng.random() < 0.3 or self.missing_columns:
            lost = rng.random(len(COLUMNS_THAT_MAY_BE_MISSING)) < 0.25
            chosen["missing_columns"] = tuple(
                column
                for column, is_lost in zip(COLUMNS_THAT_MAY_BE_MISSING, lost, strict=True)
                if is_lost
            )
        return replace(self, **chosen)

    def to_json(self) -> str:
        """Write the parameters as JSON, sorted by name."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"


def parameter_table() -> str:
    """Every parameter of a world as a Markdown table, with range to test, mark and source.

    Examples
    --------
    >>> print(parameter_table().splitlines()[0])
    | parameter | default | range to test | mark | meaning |
    """
    rows = [
        "| parameter | default | range to test | mark | meaning |",
        "|---|---|---|---|---|",
    ]
    for item in fields(World):
        note = item.metadata
        if note["scale"] == "kept":
            continue
        default: Any = item.default
        if note["scale"] == "shares":
            default = " / ".join(f"{share:g}" for share in default)
            tested = f"Dirichlet, {note['spread']:g}"
        else:
            default = f"{default:g}"
            tested = f"{note['low']:g} to {note['high']:g}"
        meaning = note["meaning"] + (f" ({note['source']})" if note["source"] else "")
        rows.append(f"| `{item.name}` | {default} | {tested} | [{note['mark']}] | {meaning} |")
    return "\n".join(rows) + "\n"


# IPv4 holding by country: FR hardly any 24 h, DE half 24 h, US 95 % mean 134 d [G].
_FR = World(name="fr", country="FR", v4_holding=(0.55, 0.13, 0.30, 0.02), pinned=("v4_holding",))
_US = World(
    name="us",
    country="US",
    v4_holding=(0.04, 0.005, 0.95, 0.005),
    v6_share=0.53,
    nat_share=0.05,
    mobile_v6=0.75,
    wireless_homes=1.0,
    pinned=("v4_holding",),
)
_DE = World(
    name="de",
    country="DE",
    v4_holding=(0.15, 0.05, 0.30, 0.50),
    v6_share=0.65,
    nat_share=0.20,
    v6_holding=(0.45, 0.35, 0.20),
    pinned=("v4_holding", "v6_holding"),
)

_WORLDS = (
    _FR,
    _US,
    _DE,
    World(
        name="daily_renumbering",
        country="DE",
        v4_holding=(0.03, 0.10, 0.07, 0.80),
        v6_holding=(0.10, 0.55, 0.35),
        v6_share=0.5,
        nat_share=0.05,
        pinned=("v4_holding", "v6_holding", "nat_share"),
    ),
    World(
        name="carrier_nat",
        country="ES",
        nat_share=0.85,
        nat_subscribers=32,
        coverage=0.3,
        v6_share=0.25,
        same_nat=0.03,
        pinned=("nat_share", "nat_subscribers", "coverage", "v6_share"),
    ),
    World(
        name="mobile_first",
        country="IN",
        cellular_home=0.35,
        cellular_away=0.7,
        cellular_only=0.30,
        wireless_homes=2.0,
        tvs_per_home=0.7,
        tv_play_share=0.25,
        phone_centric=0.5,
        out_and_about=0.15,
        v6_share=0.6,
        nat_share=0.6,
        mobile_v6=0.8,
        pinned=(
            "cellular_home",
            "cellular_away",
            "cellular_only",
            "wireless_homes",
            "tvs_per_home",
            "tv_play_share",
            "phone_centric",
        ),
    ),
    World(
        name="evaders",
        country="GB",
        outside_accounts=0.35,
        evaders_monthly=0.30,
        evaders_weekly=0.15,
        evaders_tunnel=0.08,
        evaders_hotspot=0.10,
        visits_in_town=1.5,
        v6_share=0.6,
        nat_share=0.08,
        pinned=(
            "evaders_monthly",
            "evaders_weekly",
            "evaders_tunnel",
            "evaders_hotspot",
            "visits_in_town",
        ),
    ),
    World(
        name="messy",
        country="PL",
        v6_share=0.2,
        nat_share=0.35,
        missing_columns=("profile_id",),
        short_history=0.4,
        null_asn=0.15,
        null_duration=0.2,
        null_device_type=0.15,
        null_offset=0.4,
        null_country=0.15,
        null_profile=0.3,
        duplicates=0.03,
        lost_rows=0.2,
        bogus_addresses=0.004,
        clock_noise_s=60.0,
        wrong_clocks=0.02,
        pinned=(
            "short_history",
            "null_asn",
            "null_duration",
            "null_device_type",
            "null_offset",
            "duplicates",
            "lost_rows",
            "clock_noise_s",
            "wrong_clocks",
        ),
    ),
    World(
        name="moves_and_holidays",
        country="IT",
        start="2024-06-17",
        v6_share=0.2,
        nat_share=0.35,
        moves_a_year=0.45,
        isp_changes_a_year=0.45,
        joiners_a_year=0.15,
        nights_away=55,
        second_homes=0.2,
        second_home_nights=60,
        purchases_a_year=0.4,
        pinned=(
            "start",
            "moves_a_year",
            "isp_changes_a_year",
            "joiners_a_year",
            "nights_away",
            "second_homes",
            "second_home_nights",
        ),
    ),
    World(
        name="br",
        country="BR",
        v6_share=0.65,
        nat_share=0.55,
        cellular_home=0.15,
        same_city=0.55,
        outside_accounts=0.3,
    ),
)  # fmt: skip

#: Named worlds. Three of countries, the others each hard in one way.
WORLDS: Mapping[str, World] = MappingProxyType({world.name: world for world in _WORLDS})


def named_world(name: str) -> World:
    """The world of that name; ``name~seed`` is the world drawn with that seed.

    Raises
    ------
    ParameterError
        When there is no such world.

    Examples
    --------
    >>> named_world("us~3") == WORLDS["us"].drawn(3)
    True
    """
    base, _, seed = name.partition("~")
    if base not in WORLDS or (seed and not seed.isdigit()) or name.endswith("~"):
        raise ParameterError(
            Problem(
                "world must be one of " + ", ".join(WORLDS),
                repr(name),
                "Name one, or add ~ and a number to have its parameters drawn anew.",
            )
        )
    return WORLDS[base].drawn(int(seed)) if seed else WORLDS[base]
