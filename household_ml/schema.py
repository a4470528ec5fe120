"""The tables that flow, on one page.

Columns are found by name, never by position. Times are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ACCOUNTS",
    "CONNECTION_TYPES",
    "DEVICE_TYPES",
    "FIXED_DEVICE_TYPES",
    "LABELS",
    "NETWORKS",
    "NO_AS",
    "PLACES",
    "RIVAL",
    "SCORES",
    "SESSIONS",
    "SITUATIONS",
    "TABLES",
    "TRUTH",
    "VERDICTS",
    "Column",
    "Table",
]

Kind = Literal["string", "timestamp", "float", "integer", "boolean", "strings"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, kind of value, whether it is needed, and what it means."""

    name: str
    kind: Kind
    needed: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its name and columns.

    Examples
    --------
    >>> SESSIONS.needed
    ('account_id', 'device_id', 'started_at', 'ip')
    """

    name: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in the order of the contract."""
        return tuple(column.name for column in self.columns)

    @property
    def needed(self) -> tuple[str, ...]:
        """Names of the columns that must be there."""
        return tuple(column.name for column in self.columns if column.needed)


#: Begins the name of a feature as it would be if the account's home were the place next in claim.
RIVAL = "rival."

#: Device types, in the order of their codes; a null type has code -1.
DEVICE_TYPES = (
    "tv",
    "set_top_box",
    "streaming_stick",
    "game_console",
    "phone",
    "tablet",
    "computer",
    "other",
)

#: Device types that stay where they are plugged in.
FIXED_DEVICE_TYPES = ("tv", "set_top_box", "game_console")

#: Connection types, in the order of their codes; unknown is a normal answer.
CONNECTION_TYPES = (
    "unknown",
    "residential",
    "cellular",
    "hosting",
    "business",
    "school",
    "traveler",
)

#: An AS that is known to be unknown, and is not looked up: reserved for no use by RFC 7300.
NO_AS = 2**32 - 1

VERDICTS = ("household", "extra_member", "undetermined", "outside")

SESSIONS = Table(
    "sessions",
    (
        Column("account_id", "string", True, "subscription"),
        Column("device_id", "string", True, "stable id of a device within the account"),
        Column("started_at", "timestamp", True, "start of playback; a time without a zone is UTC"),
        Column("duration_s", "float", False, "watched time in seconds; null = unknown"),
        Column("ip", "string", True, "public address seen by the service"),
        Column("asn", "integer", False, "origin AS of ip; null = looked up, 4294967295 = none"),
        Column("device_type", "string", False, "one of DEVICE_TYPES; null = unknown"),
        Column("country", "string", False, "ISO 3166-1 alpha-2 of ip"),
        Column(
            "utc_offset_min",
            "integer",
            False,
            "offset of the device's clock from UTC in minutes; null = from the country, else UTC",
        ),
        Column("profile_id", "string", False, "viewing profile"),
    ),
)

ACCOUNTS = Table(
    "accounts",
    (
        Column("account_id", "string", True, "subscription"),
        Column("country", "string", False, "the market, ISO 3166-1 alpha-2"),
        Column("extra_members", "integer", False, "paid extra-member slots; 0 when missing"),
    ),
)

LABELS = Table(
    "labels",
    (
        Column("account_id", "string", True, "subscription"),
        Column("device_id", "string", True, "device within the account"),
        Column(
            "in_household",
            "boolean",
            True,
            "the device's main user lives at the account's main home at as_of",
        ),
        Column("situation", "string", False, "name of an evaluation slice"),
        Column("source", "string", False, "where the label is from"),
        Column("weight", "float", False, "weight in training; 1 when missing"),
        Column("policy_ambiguous", "boolean", False, "what the policy itself leaves open"),
    ),
)

SCORES = Table(
    "scores",
    (
        Column("account_id", "string", True, "as given"),
        Column("device_id", "string", True, "as given"),
        Column("as_of", "timestamp", True, "no session after it was used"),
        Column("household_probability", "float", True, "calibrated, in [0, 1]; 1 = belongs"),
        Column("verdict", "string", True, "one of VERDICTS"),
        Column("last_home_at", "timestamp", False, "last session on the inferred home network"),
        Column("place", "integer", True, "inferred place the device belongs to; 0 = home"),
        Column("reasons", "strings", True, "reason codes, strongest first"),
        Column("model", "string", True, "name, version and digest of the model that answered"),
    ),
)

NETWORKS = Table(
    "networks",
    (
        Column("network", "string", True, "prefix in CIDR notation, or AS followed by a number"),
        Column("accounts", "integer", True, "distinct accounts seen on it"),
        Column("devices", "integer", True, "distinct devices seen on it"),
        Column("sessions", "integer", True, "sessions seen on it"),
        Column("fixed_sessions", "integer", True, "of these, on fixed devices"),
        Column("phone_sessions", "integer", True, "of these, on phones"),
        Column("tenure_days", "float", True, "sum over accounts of last minus first day seen"),
        Column("first_seen", "timestamp", True, "first session on it"),
        Column("last_seen", "timestamp", True, "last session on it"),
        Column("networks", "integer", True, "distinct /32 or /64 in it that were seen"),
    ),
)

PLACES = Table(
    "places",
    (
        Column("account_id", "string", True, "subscription"),
        Column("place", "integer", True, "number of the place within the account; 0 = home"),
        Column("claim", "float", True, "probability that it is the account's home, in [0, 1]"),
        Column("devices", "integer", True, "devices that were used there"),
        Column("fixed_devices", "integer", True, "of these, fixed ones"),
        Column("sessions", "integer", True, "sessions there"),
        Column("nights", "integer", True, "nights with a session there"),
        Column("networks", "integer", True, "distinct addresses or IPv6 prefixes joined in it"),
        Column("asn", "integer", False, "AS of most of its sessions; null = unknown"),
        Column(
            "mobile", "boolean", True, "mobile egress: where an account without a line may live"
        ),
        Column("first_at", "timestamp", True, "first session there"),
        Column("last_at", "timestamp", True, "last session there"),
    ),
)

TRUTH = Table(
    "truth",
    (
        Column(
            "account_id",
            "string",
            False,
            "with device_id and started_at, the session that is spoken of; without these three, "
            "row by row that of the sessions",
        ),
        Column("device_id", "string", False, "device within the account"),
        Column("started_at", "timestamp", False, "start of the session"),
        Column(
            "place_id",
            "integer",
            True,
            "where the device truly was, one number a place; -1 or null = on the move",
        ),
        Column(
            "line_id",
            "integer",
            False,
            "access line it truly used, one number a line; -1 or null = none of its own",
        ),
        Column(
            "at_home",
            "boolean",
            False,
            "whether that place was the account's main home then; read as at_main_home too",
        ),
        Column(
            "access",
            "string",
            False,
            "kind of access; on cellular and vpn there is no line of one's own",
        ),
    ),
)

TABLES = (SESSIONS, ACCOUNTS, LABELS, SCORES, NETWORKS, PLACES, TRUTH)

#: Evaluation slices of the simulated worlds: name -> policy_ambiguous.
SITUATIONS: dict[str, bool] = {
    "resident_fixed": False,
    "resident_mobile": False,
    "resident_travelling": False,
    "resident_new_device": False,
    "resident_commuting": False,
    "resident_vpn": False,
    "resident_cellular_only": False,
    "resident_renumbered_daily": False,
    "resident_moved": False,
    "resident_changed_isp": False,
    "resident_two_isps": False,
    "resident_carrier_nat": False,
    "second_home": True,
    "student_away": True,
    "alternating_custody": True,
    "borrower_far": False,
    "borrower_same_city": False,
    "borrower_same_isp": False,
    "borrower_same_carrier_nat": False,
    "borrower_visits_monthly": False,
    "borrower_visits_weekly": False,
    "ex_member_left": False,
    "grandparent_tv": False,
    "hotel_tv_left_signed_in": False,
    "stolen_credentials": False,
    "borrower_vpn_through_home": False,
    "borrower_phone_hotspot": False,
    "extra_member": False,
    "guest_once": False,
}
