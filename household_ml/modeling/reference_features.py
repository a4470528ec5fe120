"""What a plain model knows of a device: counts, shares and ages by address, network and operator.

About forty features such as any competent data scientist writes in an afternoon: no places, no
inference over time, nothing that joins addresses. Parts of it serve the oracles too, which see
true lines or true places where this sees addresses; they differ in knowledge alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from household_ml.modeling.grouping import Pairs
from household_ml.networks.ladder import prefix_keys
from household_ml.schema import DEVICE_TYPES
from household_ml.sessions import Sessions

__all__ = [
    "NEVER",
    "DeviceRows",
    "describe_habits",
    "describe_operators",
    "describe_overlap",
    "first_type",
    "plain_features",
    "quotient",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Age in days of what never happened.
NEVER: Final = 180.0

_MINUTE_US: Final = 60_000_000
_DAY_US: Final = 86_400_000_000


def plain_features(sessions: Sessions, as_of: int) -> dict[str, Floats]:
    """About forty straightforward features per device.

    Parameters
    ----------
    sessions : Sessions
        Those that count at `as_of`, of D devices.
    as_of : int
        Microseconds since the epoch, UTC.

    Returns
    -------
    dict of str to float64 array of shape (D,)
        NaN where the history does not tell.
    """
    rows = DeviceRows.of(sessions, as_of)
    address = _codes(prefix_keys(sessions.ip_hi, sessions.ip_lo, 0))
    four = (sessions.ip_hi == 0) & (sessions.ip_lo >> np.uint64(32) == np.uint64(0xFFFF))
    network = _codes(np.where(four, sessions.ip_lo >> np.uint64(8), sessions.ip_hi))
    found = {
        **describe_habits(rows),
        **describe_overlap(rows, address, "ip"),
        **describe_overlap(rows, network, "net"),
    }
    operator = describe_operators(rows)
    found |= {name: operator[name] for name in operator if name not in ("as_crowd", "as_foreign")}
    evening = describe_overlap(rows.take(rows.night), network[rows.night], "night")
    return found | {name: evening[name] for name in ("night_top", "night_shared")}


@dataclass(frozen=True)
class DeviceRows:
    """Sessions with what every view needs.

    Parameters
    ----------
    sessions : Sessions
        Of D devices and A accounts.
    devices : int
        D.
    account, device : int64 array of shape (N,)
        Account of each row, and its device among all.
    age : float64 array of shape (N,)
        Days before ``as_of``.
    day : int64 array of shape (N,)
        Local day; a night belongs to the day it began on.
    night, weekend : bool array of shape (N,)
        Local time from 20 to 6 h; Saturday or Sunday.
    duration : float64 array of shape (N,)
        Seconds; NaN = unknown.
    profile, kind : int64 array of shape (N,)
        Profile within the account and index in ``DEVICE_TYPES``; -1 = unknown.
    """

    sessions: Sessions
    devices: int
    account: Ints
    device: Ints
    age: Floats
    day: Ints
    night: Bools
    weekend: Bools
    duration: Floats
    profile: Ints
    kind: Ints

    @classmethod
    def of(cls, sessions: Sessions, as_of: int) -> DeviceRows:
        """Look at sessions from a moment, in microseconds since the epoch."""
        account = sessions.row_account()
        local = sessions.started_at + sessions.utc_offset_min.astype(np.int64) * _MINUTE_US
        hour = local // (60 * _MINUTE_US) % 24
        return cls(
            sessions=sessions,
            devices=sessions.n_devices,
            account=account,
            device=sessions.account_devices[account] + sessions.device,
            age=(as_of - sessions.started_at) / _DAY_US,
            day=(local - _DAY_US // 2) // _DAY_US,
            night=(hour >= 20) | (hour < 6),
            # 1970-01-01 was a Thursday
            weekend=(local // _DAY_US + 3) % 7 >= 5,
            duration=sessions.duration_s.astype(np.float64),
            profile=sessions.profile.astype(np.int64),
            kind=sessions.device_type.astype(np.int64),
        )

    def take(self, chosen: Bools) -> DeviceRows:
        """Keep some rows, a bool array of shape (N,); all devices stay."""
        names = ("account", "device", "age", "day", "night", "weekend", "duration", "profile")
        columns = {name: getattr(self, name)[chosen] for name in (*names, "kind")}
        return DeviceRows(sessions=self.sessions, devices=self.devices, **columns)

    def count(self, chosen: Bools | None = None) -> Floats:
        """Sessions of each device, shape (D,)."""
        device = self.device if chosen is None else self.device[chosen]
        return np.bincount(device, minlength=self.devices).astype(np.float64)

    def mean(self, values: npt.ArrayLike, chosen: Bools | None = None) -> Floats:
        """Mean over the sessions of each device, NaN where it has none."""
        kept = np.ones(self.device.size, bool) if chosen is None else chosen
        column = np.asarray(values, dtype=np.float64)[kept]
        total = np.bincount(self.device[kept], weights=column, minlength=self.devices)
        return quotient(total, self.count(kept))

    def least(self, values: Floats, chosen: Bools | None = None) -> Floats:
        """Least over the sessions of each device, NaN where it has none."""
        kept = slice(None) if chosen is None else chosen
        found = np.full(self.devices, np.inf)
        np.minimum.at(found, self.device[kept], values[kept])
        return np.where(np.isfinite(found), found, np.nan)

    def distinct(self, values: Ints, chosen: Bools | None = None) -> Floats:
        """Distinct values among the sessions of each device."""
        kept = slice(None) if chosen is None else chosen
        owner = Pairs.of(self.device[kept], values[kept]).owner
        return np.bincount(owner, minlength=self.devices).astype(np.float64)


def _codes(values: npt.NDArray[np.unsignedinteger]) -> Ints:
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)


def quotient(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    """Quotient, NaN where the whole is zero."""
    below = np.asarray(whole, dtype=np.float64)
    return np.asarray(part, dtype=np.float64) / np.where(below == 0.0, np.nan, below)


def describe_habits(rows: DeviceRows) -> dict[str, Floats]:
    """What can be said without looking at networks."""
    sessions = rows.count()
    owner = rows.sessions.device_account()
    of_account = np.bincount(owner, weights=sessions, minlength=rows.sessions.n_accounts)
    known = np.isfinite(rows.duration)
    order = np.lexsort((-sessions, owner))
    rank = np.empty(owner.size)
    rank[order] = np.arange(owner.size) - rows.sessions.account_devices[owner[order]] + 1
    kind = first_type(rows)
    return {
        "sessions": sessions,
        "minutes": np.nan_to_num(rows.mean(rows.duration, known)) * rows.count(known) / 60.0,
        "minutes_mean": rows.mean(rows.duration, known) / 60.0,
        "days": rows.distinct(rows.day),
        "age_last": rows.least(rows.age),
        "age_first": -rows.least(-rows.age),
        "night_share": rows.mean(rows.night),
        "weekend_share": rows.mean(rows.weekend),
        "account_sessions": of_account[owner],
        "account_devices": np.diff(rows.sessions.account_devices)[owner].astype(np.float64),
        "share_of_account": sessions / of_account[owner],
        "rank": rank,
        "profiles": rows.distinct(rows.profile, rows.profile >= 0),
        **{
            f"is_{name}": (kind == code).astype(np.float64)
            for code, name in enumerate(DEVICE_TYPES)
        },
    }


def first_type(rows: DeviceRows) -> Ints:
    """Type that a device names first, -1 = never."""
    kind = np.full(rows.devices, -1, dtype=np.int64)
    known = np.flatnonzero(rows.kind >= 0)[::-1]
    kind[rows.device[known]] = rows.kind[known]
    return kind


def describe_overlap(rows: DeviceRows, network: Ints, stem: str) -> dict[str, Floats]:
    """How a device relates to the networks of its account, at one level."""
    spots = Pairs.of(rows.account, network)
    own = Pairs.of(rows.device, network)
    devices = spots.distinct(rows.device)
    top = np.zeros(spots.sizes.size, dtype=bool)
    top[spots.largest(spots.sizes)] = True
    steady = np.zeros(spots.sizes.size, dtype=bool)
    steady[spots.largest(devices, spots.distinct(rows.day))] = True
    crowd = np.log(np.maximum(np.bincount(spots.value), 1))
    share = own.sizes / np.maximum(rows.count()[own.owner], 1.0)
    entropy = -np.bincount(own.owner, weights=share * np.log(share), minlength=rows.devices)
    seen = rows.count() > 0
    others = (spots.sizes[spots.at] - own.sizes[own.at]) / spots.sizes[spots.at]
    last = rows.least(rows.age, top[spots.at])
    return {
        f"{stem}_top": rows.mean(top[spots.at]),
        f"{stem}_steady": rows.mean(steady[spots.at]),
        f"{stem}_count": np.where(seen, rows.distinct(network), np.nan),
        f"{stem}_entropy": np.where(seen, entropy, np.nan),
        f"{stem}_shared": rows.mean(devices[spots.at] > 1),
        f"{stem}_foreign": rows.mean(others),
        f"{stem}_crowd": rows.mean(crowd[network]),
        f"{stem}_top_age": np.where(seen & np.isnan(last), NEVER, last),
    }


def describe_operators(rows: DeviceRows) -> dict[str, Floats]:
    """Overlap by AS, on the sessions of which it is known."""
    known = rows.sessions.asn > 0
    return describe_overlap(rows.take(known), _codes(rows.sessions.asn[known]), "as")
