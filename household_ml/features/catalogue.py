"""Every feature: its name, unit, range, meaning, and the direction in which it may act.

A feature describes one device of one account at ``as_of``. ``monotone`` is the sign of its
constraint on ``household_probability``: +1 where more of it may only speak for the household,
-1 where it may only speak against, 0 where it is context. NaN means that the history does not
tell. Where the account's home is in doubt, the features are built twice, for the home and for the
rival place. Ideas after the winning entries of the ICDM 2015 cross-device contest and after Metwally
and Paduano, KDD 2011; each is named in ``meaning`` by what it measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from household_ml.schema import RIVAL

__all__ = [
    "CAP_DAYS",
    "COLUMN_NAMES",
    "FEATURES",
    "FEATURE_NAMES",
    "GROUPS",
    "MONOTONE",
    "Feature",
]

Group = Literal[
    "home_presence",
    "home_recency",
    "colocation",
    "second_place",
    "elsewhere",
    "travel",
    "simultaneous",
    "profile",
    "shared_network",
    "activity",
    "device",
    "account",
    "home",
    "rule",
]

GROUPS: tuple[Group, ...] = (
    "home_presence",
    "home_recency",
    "colocation",
    "second_place",
    "elsewhere",
    "travel",
    "simultaneous",
    "profile",
    "shared_network",
    "activity",
    "device",
    "account",
    "home",
    "rule",
)

#: Days stand at this value where a thing never happened.
CAP_DAYS = 400.0


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of a device.

    Parameters
    ----------
    name : str
        Column of the feature table.
    unit : str
        ``share``, ``days``, ``count``, ``log1p count``, ``flag`` or ``ratio``.
    low, high : float
        Range of its values.
    monotone : {-1, 0, 1}
        Direction in which it may move ``household_probability``.
    group : str
        What it tells about; reasons are given by group.
    meaning : str
        What is measured.
    model : bool
        Whether the classifier sees it; the others serve rules and pictures.
    """

    name: str
    unit: str
    low: float
    high: float
    monotone: Literal[-1, 0, 1]
    group: Group
    meaning: str
    model: bool = True


def _share(
    name: str, monotone: Literal[-1, 0, 1], group: Group, meaning: str, *, model: bool = True
) -> Feature:
    return Feature(name, "share", 0.0, 1.0, monotone, group, meaning, model)


def _days(
    name: str, monotone: Literal[-1, 0, 1], group: Group, meaning: str, *, model: bool = True
) -> Feature:
    return Feature(name, "days", 0.0, CAP_DAYS, monotone, group, meaning, model)


def _count(name: str, monotone: Literal[-1, 0, 1], group: Group, meaning: str) -> Feature:
    return Feature(name, "log1p count", 0.0, 25.0, monotone, group, meaning)


def _flag(
    name: str, monotone: Literal[-1, 0, 1], group: Group, meaning: str, *, model: bool = True
) -> Feature:
    return Feature(name, "flag", 0.0, 1.0, monotone, group, meaning, model)


def _ratio(
    name: str, high: float, monotone: Literal[-1, 0, 1], group: Group, meaning: str
) -> Feature:
    return Feature(name, "ratio", 0.0, high, monotone, group, meaning)


FEATURES: tuple[Feature, ...] = (
    _count("sessions", 0, "activity", "sessions in the window"),
    _days("active_days", 0, "activity", "local days with a session"),
    _days("tenure_days", 0, "activity", "first to last session of the device"),
    _days("days_since_last", 0, "activity", "last session to as_of"),
    _days("joined_after_days", 0, "activity", "first session of the account to that of the device"),
    _share("session_share", 0, "activity", "of the account's sessions"),
    _share("rank_share", 0, "activity", "rank by sessions among the account's devices"),
    _flag("is_fixed", 0, "device", "television, set-top box or console"),
    _flag("is_stick", 0, "device", "streaming stick"),
    _flag("is_phone", 0, "device", "phone"),
    _flag("is_tablet", 0, "device", "tablet"),
    _flag("is_computer", 0, "device", "computer"),
    _share("home_share", 1, "home_presence", "of sessions at the inferred home"),
    _share("home_line_share", 1, "home_presence", "of sessions on access lines, those at home"),
    _share("home_night_share", 1, "home_presence", "of evening and night sessions, those at home"),
    _count("home_days", 1, "home_presence", "days with a session at home"),
    _share("home_day_share", 1, "home_presence", "of active days, those with one at home"),
    _share("home_week_share", 1, "home_presence", "of active weeks, those with one at home"),
    _share("home_minutes_share", 1, "home_presence", "of watched time, that at home"),
    _share(
        "home_private_share",
        1,
        "home_presence",
        "of sessions, those at home, each divided by the accounts that hold its address at once",
    ),
    _share(
        "home_networks_share",
        1,
        "home_presence",
        "of the addresses home had while the device was active, those it used",
    ),
    _flag("first_at_home", 1, "home_presence", "whether its first session on a line was at home"),
    _share("home_share_30d", 1, "home_recency", "of sessions of the last 30 days, those at home"),
    _days("days_since_home", -1, "home_recency", "last session at home to as_of"),
    _days("longest_absence_days", 0, "home_recency", "longest time between two sessions at home"),
    _flag("last_at_home", 1, "home_recency", "whether its last session on a line was at home"),
    _share(
        "together_6h",
        1,
        "colocation",
        "of sessions, those on an address that another device used at home within 6 h",
    ),
    _share("together_24h", 1, "colocation", "the same within 24 h"),
    _share("together_7d", 1, "colocation", "the same within 7 days"),
    _share("together_fixed_7d", 1, "colocation", "the same within 7 days of a fixed device"),
    _share(
        "agreement_24h",
        1,
        "colocation",
        "of line sessions with a home session of another device and the same family within 24 h, those on the same address",
    ),
    _share("agreement_7d", 1, "colocation", "the same within 7 days"),
    _share("agreement_prefix_7d", 1, "colocation", "the same by /24 or /56 within 7 days"),
    _share("agreement_region_7d", 1, "colocation", "the same by /20 or /48 within 7 days"),
    _share("agreement_operator_7d", 1, "colocation", "the same by operator within 7 days"),
    _count(
        "comparable_7d",
        0,
        "colocation",
        "line sessions with a home session of another device and the same family within 7 days",
    ),
    _count(
        "together_days",
        1,
        "colocation",
        "days on which it shared a home address with another device within 24 h",
    ),
    _count(
        "together_devices",
        1,
        "colocation",
        "other devices with which it shared a home address within 7 days",
    ),
    _share(
        "elsewhere_share",
        -1,
        "elsewhere",
        "of sessions, those on another line of the same family while home kept its address before and after, within 7 days",
    ),
    _share(
        "other_line_share", -1, "elsewhere", "of sessions, those on access lines that are not home"
    ),
    _share(
        "other_operator_share",
        0,
        "elsewhere",
        "of line sessions, those on operators never seen at home",
    ),
    _share("cellular_share", 0, "elsewhere", "of sessions, those on mobile egress"),
    _share("hosting_share", 0, "elsewhere", "of sessions, those behind hosting or VPN"),
    _share(
        "shared_access_share",
        0,
        "elsewhere",
        "of sessions, those on campus, hotel or other shared access",
    ),
    _share(
        "second_share", -1, "second_place", "of sessions, those at its main place that is not home"
    ),
    _share("second_night_share", -1, "second_place", "of evening and night sessions, those there"),
    _count("second_days", -1, "second_place", "days with a session there"),
    _share("second_day_share", -1, "second_place", "of active days, those with a session there"),
    _days(
        "second_run_days", -1, "second_place", "longest time spent there without a session at home"
    ),
    _days("days_since_second", 0, "second_place", "last session there to as_of"),
    _count("second_devices", 0, "second_place", "other devices used there"),
    _flag("second_fixed", -1, "second_place", "whether a fixed device is used there"),
    _ratio(
        "second_concurrency", 1000.0, 0, "second_place", "accounts that hold its address at once"
    ),
    _flag("second_same_operator", 0, "second_place", "whether it is on an operator of home"),
    _share("home_against_second", 1, "second_place", "home days over home days and days there"),
    _share(
        "main_other_operator_share",
        0,
        "second_place",
        "of sessions, those on lines of the operator it uses most beside home",
    ),
    _days("second_after_days", 0, "second_place", "first session of the device to its first there"),
    _ratio("networks_per_session", 1.0, 0, "travel", "distinct addresses over sessions"),
    _count("operators", 0, "travel", "distinct operators"),
    _ratio("entropy", 10.0, 0, "travel", "entropy of its sessions over addresses, in nats"),
    _share("places_per_session", 0, "travel", "distinct places that are not home over sessions"),
    _share("foreign_share", 0, "travel", "of sessions, those in another country than home's"),
    _share(
        "companion_share",
        1,
        "travel",
        "of sessions away from home, those on an address that a device of the home used within 48 h",
    ),
    _share(
        "egress_share",
        1,
        "travel",
        "of sessions on mobile egress, those in a /20 or /48 where devices of the home were too",
    ),
    _share(
        "simultaneous_share",
        -1,
        "simultaneous",
        "of line sessions away from home, those during a session at home",
    ),
    _share(
        "profile_home_share",
        1,
        "profile",
        "of other devices' sessions on its profiles, those at home",
    ),
    _share(
        "profile_shared_share",
        0,
        "profile",
        "of its sessions with a profile, those on one that other devices use",
    ),
    _share(
        "profile_home_days",
        1,
        "profile",
        "of the home's days, those on which one of its profiles was used at home by another device",
    ),
    _ratio(
        "home_concurrency",
        1000.0,
        0,
        "shared_network",
        "accounts that hold home's addresses at once",
    ),
    _ratio(
        "own_concurrency",
        1000.0,
        0,
        "shared_network",
        "mean over its sessions of accounts that hold the address at once, as a logarithm",
    ),
    _ratio(
        "address_life_days",
        400.0,
        0,
        "shared_network",
        "mean time an account keeps an address of home's AS",
    ),
    _ratio("hour_distance", 2.0, 0, "activity", "distance of its hours from those of home"),
    _share("night_share", 0, "activity", "of sessions, those in the evening or night"),
    _count("account_devices", 0, "account", "devices of the account"),
    _count("account_places", 0, "account", "places used on three days or more"),
    _count("home_devices", 0, "account", "devices used at home"),
    _count("home_fixed_devices", 0, "account", "of these, fixed ones"),
    _count("account_home_days", 0, "account", "days on which home was used"),
    _ratio("home_addresses_per_30d", 400.0, 0, "account", "addresses of home in 30 days"),
    _share("share_of_home", 0, "account", "of home's sessions, those of this device"),
    _days("home_idle_days", 0, "account", "last session of any device at home to as_of"),
    _days("account_span_days", 0, "account", "first session of the account to as_of"),
    _share(
        "settled_other_share",
        -1,
        "second_place",
        "of sessions, those at places that are not home and were used on three days or more",
    ),
    _share("passing_share", 0, "travel", "of sessions, those on lines used on two days or less"),
    _share(
        "second_weekend_share",
        0,
        "second_place",
        "of sessions at its second place, those on a weekend",
    ),
    _share(
        "second_share_30d",
        -1,
        "second_place",
        "of sessions of the last 30 days, those at its second place",
    ),
    _share(
        "parallel_share",
        -1,
        "simultaneous",
        "of days at its second place, those on which another device was used at home",
    ),
    _share(
        "second_member_share",
        0,
        "second_place",
        "of sessions of others at its second place, those of devices of the home",
    ),
    _share(
        "profile_second_share",
        -1,
        "profile",
        "of other devices' sessions on its profiles, those at its second place",
    ),
    _share(
        "home_claim",
        0,
        "home",
        "probability that the inferred home is the account's; unknown where there is no place",
        model=False,
    ),
    _share(
        "rival_claim",
        0,
        "home",
        "probability that the place next to it in claim is",
        model=False,
    ),
    _flag(
        "last_address_differs_from_main",
        0,
        "rule",
        "last address is not the account's most used one",
        model=False,
    ),
    _days(
        "days_since_main_tv_network",
        0,
        "rule",
        "last session on a network of the main television to as_of",
        model=False,
    ),
    _share(
        "share_main_address",
        0,
        "rule",
        "of sessions, those on the account's majority /24 or /56",
        model=False,
    ),
    _share(
        "share_main_as", 0, "rule", "of sessions, those on the account's majority AS", model=False
    ),
    _share(
        "overlap_address",
        0,
        "rule",
        "of sessions, those on an address other devices use",
        model=False,
    ),
    _share(
        "overlap_24", 0, "rule", "of sessions, those in a /24 or /56 other devices use", model=False
    ),
    _share(
        "overlap_48h",
        0,
        "rule",
        "of sessions, those on an address another device used within 48 h",
        model=False,
    ),
    _share(
        "overlap_as",
        0,
        "rule",
        "of sessions, those on the AS that other devices use most",
        model=False,
    ),
)

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

#: Columns of the feature table: every feature, and again those that the classifier sees, as they
#: would be if the rival place were home; unknown where that is out of the question.
COLUMN_NAMES: tuple[str, ...] = FEATURE_NAMES + tuple(
    RIVAL + feature.name for feature in FEATURES if feature.model
)

#: Constraint of each feature, in the order of the catalogue.
MONOTONE: tuple[int, ...] = tuple(feature.monotone for feature in FEATURES)
