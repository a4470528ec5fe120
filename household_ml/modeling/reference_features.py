"""What the references know of a device: the plain view, and a life told by true places.

The plain view is what anybody writes in an afternoon: counts, shares and ages by address, network
and operator. The told views replace the address by what nobody can see: the true access line, or
the true place. They share the learner and differ in knowledge alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from household_ml.modeling.grouping import Pairs
from household_ml.networks.ladder import prefix_keys
from household_ml.schema import DEVICE_TYPES
from household_ml.sessions import Sessions

__all__ = ["line_features", "oracle_features", "plain_features", "strongest_place"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_MINUTE_US: Final = 60_000_000
_DAY_US: Final = 86_400_000_000

#: Age in days of what never happened.
_NEVER: Final = 180.0

#: Days that are recent.
_RECENT: Final = 30.0


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
    rows = _Rows.of(sessions, as_of)
    address = _codes(prefix_keys(sessions.ip_hi, sessions.ip_lo, 0))
    four = (sessions.ip_hi == 0) & (sessions.ip_lo >> np.uint64(32) == np.uint64(0xFFFF))
    network = _codes(np.where(four, sessions.ip_lo >> np.uint64(8), sessions.ip_hi))
    found = {**_habits(rows), **_overlap(rows, address, "ip"), **_overlap(rows, network, "net")}
    operator = _operators(rows)
    found |= {name: operator[name] for name in operator if name not in ("as_crowd", "as_foreign")}
    evening = _overlap(rows.take(rows.night), network[rows.night], "night")
    return found | {name: evening[name] for name in ("night_top", "night_shared")}


def line_features(sessions: Sessions, as_of: int, line: Ints) -> dict[str, Floats]:
    """The plain view with the true access line in the place of the address.

    Nothing is told of sessions without a line of their own, nor which line is home's: that is
    taken to be the one with the strongest claim, see :func:`strongest_place`.

    Parameters
    ----------
    sessions : Sessions
        Of N rows and D devices.
    as_of : int
        Microseconds since the epoch, UTC.
    line : int64 array of shape (N,)
        True line; -1 = none.

    Returns
    -------
    dict of str to float64 array of shape (D,)
    """
    rows = _Rows.of(sessions, as_of)
    fixed = line >= 0
    evening = fixed & rows.night
    night = _overlap(rows.take(evening), line[evening], "night")
    operator = _operators(rows)
    return {
        **_life(rows, line, _home_of(rows, line)),
        **_overlap(rows.take(fixed), line[fixed], "line"),
        **{name: night[name] for name in ("night_top", "night_shared")},
        **{name: operator[name] for name in ("as_top", "as_count")},
    }


def oracle_features(
    sessions: Sessions, as_of: int, place: Ints, at_home: Bools | None = None
) -> dict[str, Floats]:
    """A device's life, told by the true place of every session.

    Parameters
    ----------
    sessions : Sessions
        Of N rows and D devices.
    as_of : int
        Microseconds since the epoch, UTC.
    place : int64 array of shape (N,)
        True place; -1 = on the move.
    at_home : bool array of shape (N,), optional
        Whether the place was the account's home then. Left out, home is the place with the
        strongest claim, see :func:`strongest_place`.

    Returns
    -------
    dict of str to float64 array of shape (D,)
    """
    rows = _Rows.of(sessions, as_of)
    return _life(rows, place, _home_of(rows, place) if at_home is None else at_home)


def strongest_place(sessions: Sessions, place: Ints) -> Ints:
    """The place of each account with the most sessions, weighed by who uses it.

    Parameters
    ----------
    sessions : Sessions
        Of N rows and A accounts.
    place : int64 array of shape (N,)
        Place of each session; -1 = none.

    Returns
    -------
    int64 array of shape (A,)
        The place with the largest claim, sessions times the root of its devices; -1 = none.
    """
    account = sessions.row_account()
    device = sessions.account_devices[account] + sessions.device
    best = np.full(sessions.n_accounts, -1, dtype=np.int64)
    placed = place >= 0
    spots = Pairs.of(account[placed], place[placed])
    claim = spots.sizes * np.sqrt(spots.distinct(device[placed]))
    top = spots.largest(claim)
    best[spots.owner[top]] = spots.value[top]
    return best


@dataclass(frozen=True)
class _Rows:
    """Sessions with what every view needs. Arrays of shape (N,), D devices, A accounts."""

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
    def of(cls, sessions: Sessions, as_of: int) -> _Rows:
        account = sessions.row_account()
        local = sessions.started_at + sessions.utc_offset_min.astype(np.int64) * _MINUTE_US
        hour = local // (60 * _MINUTE_US) % 24
        return cls(
            sessions=sessions,
            devices=sessions.n_devices,
            account=account,
            device=sessions.account_devices[account] + sessions.device,
            age=(as_of - sessions.started_at) / _DAY_US,
            # a night belongs to the day it began on
            day=(local - _DAY_US // 2) // _DAY_US,
            night=(hour >= 20) | (hour < 6),
            # 1970-01-01 was a Thursday
            weekend=(local // _DAY_US + 3) % 7 >= 5,
            duration=sessions.duration_s.astype(np.float64),
            profile=sessions.profile.astype(np.int64),
            kind=sessions.device_type.astype(np.int64),
        )

    def take(self, chosen: Bools) -> _Rows:
        names = ("account", "device", "age", "day", "night", "weekend", "duration", "profile")
        columns = {name: getattr(self, name)[chosen] for name in (*names, "kind")}
        return _Rows(sessions=self.sessions, devices=self.devices, **columns)

    def count(self, chosen: Bools | None = None) -> Floats:
        """Sessions of each device, shape (D,)."""
        device = self.device if chosen is None else self.device[chosen]
        return np.bincount(device, minlength=self.devices).astype(np.float64)

    def mean(self, values: npt.ArrayLike, chosen: Bools | None = None) -> Floats:
        """Mean over the sessions of each device, NaN where it has none."""
        kept = np.ones(self.device.size, bool) if chosen is None else chosen
        column = np.asarray(values, dtype=np.float64)[kept]
        total = np.bincount(self.device[kept], weights=column, minlength=self.devices)
        return _quotient(total, self.count(kept))

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


def _quotient(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.asarray(part, dtype=np.float64) / np.asarray(whole, dtype=np.float64))


def _habits(rows: _Rows) -> dict[str, Floats]:
    """What can be said without looking at networks."""
    sessions = rows.count()
    owner = rows.sessions.device_account()
    of_account = np.bincount(owner, weights=sessions, minlength=rows.sessions.n_accounts)
    known = np.isfinite(rows.duration)
    order = np.lexsort((-sessions, owner))
    rank = np.empty(owner.size)
    rank[order] = np.arange(owner.size) - rows.sessions.account_devices[owner[order]] + 1
    kind = _first(rows)
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


def _first(rows: _Rows) -> Ints:
    """Type that a device names first, -1 = never."""
    kind = np.full(rows.devices, -1, dtype=np.int64)
    known = np.flatnonzero(rows.kind >= 0)[::-1]
    kind[rows.device[known]] = rows.kind[known]
    return kind


def _overlap(rows: _Rows, network: Ints, stem: str) -> dict[str, Floats]:
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
        f"{stem}_top_age": np.where(seen & np.isnan(last), _NEVER, last),
    }


def _operators(rows: _Rows) -> dict[str, Floats]:
    """Overlap by AS, on the sessions of which it is known."""
    known = rows.sessions.asn > 0
    return _overlap(rows.take(known), _codes(rows.sessions.asn[known]), "as")


def _home_of(rows: _Rows, place: Ints) -> Bools:
    """Whether each session is at the place of the account with the strongest claim."""
    best = strongest_place(rows.sessions, place)[rows.account]
    return np.asarray((place == best) & (place >= 0))


def _life(rows: _Rows, place: Ints, home: Bools) -> dict[str, Floats]:
    """A device's life, from its places and which of them is home."""
    sessions = rows.count()
    return {
        **_habits(rows),
        "home_share": rows.mean(home),
        "home_sessions": rows.count(home),
        "home_last": _filled(rows.least(rows.age, home), _NEVER),
        "home_first": _filled(-rows.least(-rows.age, home), -1.0),
        "home_days": rows.distinct(rows.day, home),
        "home_nights": rows.distinct(rows.day, home & rows.night),
        "home_recent": rows.mean(home, rows.age < _RECENT),
        "moving_share": rows.mean(place < 0),
        **_base(rows, place, home, sessions),
    }


def _base(rows: _Rows, place: Ints, home: Bools, sessions: Floats) -> Mapping[str, Floats]:
    """The place that is not home where a device is most, and who else is there."""
    away = rows.take(~home & (place >= 0))
    there = place[~home & (place >= 0)]
    own = Pairs.of(away.device, there)
    spots = Pairs.of(away.account, there)
    days = own.distinct(away.day)
    best = own.largest(own.sizes)
    # the pair of account and place in which each pair of device and place lies
    spot_of = np.zeros(own.sizes.size, dtype=np.int64)
    spot_of[own.at] = spots.at
    first = np.full(own.sizes.size, -np.inf)
    np.maximum.at(first, own.at, away.age)
    last = np.full(own.sizes.size, np.inf)
    np.minimum.at(last, own.at, away.age)
    at_home = rows.count(home) > 0
    mates = np.bincount(spot_of, minlength=spots.sizes.size)
    friends = np.bincount(spot_of, weights=at_home[own.owner], minlength=spots.sizes.size)

    def of_device(values: npt.NDArray[np.float64] | Ints, empty: float = np.nan) -> Floats:
        column = np.full(rows.devices, empty)
        column[own.owner[best]] = values
        return column

    return {
        "base_share": of_device(own.sizes[best], 0.0) / sessions,
        "base_days": of_device(days[best], 0.0),
        "base_span": of_device(first[best] - last[best]),
        "base_last": of_device(last[best]),
        "places": np.bincount(own.owner, minlength=rows.devices).astype(np.float64),
        "base_devices": of_device(mates[spot_of[best]]),
        "base_rows": of_device(spots.sizes[spot_of[best]]),
        "base_account_days": of_device(spots.distinct(away.day)[spot_of[best]]),
        "base_mates_home": of_device(_quotient(friends, mates)[spot_of[best]]),
    }


def _filled(values: Floats, empty: float) -> Floats:
    return np.where(np.isnan(values), empty, values)
