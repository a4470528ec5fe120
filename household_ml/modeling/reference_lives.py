"""What an oracle knows of a device: its life, told by true lines or by true places.

The line oracle has the plain view with the access line in the place of the address. The oracle is
told places. Neither is told which place is home: that is the one with the strongest claim, and how
it stands against the place next to it is for the learner to weigh. Only the last one is told home.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from household_ml.modeling.grouping import Pairs
from household_ml.modeling.reference_features import (
    NEVER,
    DeviceRows,
    describe_habits,
    describe_operators,
    describe_overlap,
    first_type,
    quotient,
)
from household_ml.schema import DEVICE_TYPES, FIXED_DEVICE_TYPES
from household_ml.sessions import Sessions

__all__ = ["line_features", "oracle_features"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Days that are recent.
_RECENT: Final = 30.0

_FIXED: Final = [DEVICE_TYPES.index(kind) for kind in FIXED_DEVICE_TYPES]


def line_features(sessions: Sessions, as_of: int, line: Ints) -> dict[str, Floats]:
    """The plain view with the true access line in the place of the address.

    Nothing is told of sessions without a line of their own, nor which line is home's.

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
    rows = DeviceRows.of(sessions, as_of)
    fixed = line >= 0
    evening = fixed & rows.night
    night = describe_overlap(rows.take(evening), line[evening], "night")
    operator = describe_operators(rows)
    home = line == _Places.of(rows, line).strongest()[rows.account]
    return {
        **_life(rows, line, home & fixed),
        **describe_overlap(rows.take(fixed), line[fixed], "line"),
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
        largest claim: sessions times the root of the devices that were there.

    Returns
    -------
    dict of str to float64 array of shape (D,)
    """
    rows = DeviceRows.of(sessions, as_of)
    places = _Places.of(rows, place)
    if at_home is None:
        home_of = places.strongest()
        home = (place == home_of[rows.account]) & (place >= 0)
    else:
        home = at_home
        home_of = np.full(sessions.n_accounts, -1, dtype=np.int64)
        home_of[rows.account[home]] = place[home]
    return {
        **_life(rows, place, home),
        **_contest(rows, places, place, home_of),
        **_profiles(rows, home),
    }


@dataclass(frozen=True)
class _Places:
    """Places of all accounts, and what speaks for each to be home. Arrays of shape (P,)."""

    pairs: Pairs
    accounts: int
    evidence: dict[str, Floats]

    @classmethod
    def of(cls, rows: DeviceRows, place: Ints) -> _Places:
        placed = rows.take(place >= 0)
        there = place[place >= 0]
        pairs = Pairs.of(placed.account, there)
        own = Pairs.of(placed.device, there)
        size = pairs.sizes.size
        pair_of = np.zeros(own.sizes.size, dtype=np.int64)
        pair_of[own.at] = pairs.at
        fixed = np.isin(first_type(rows), _FIXED)
        most = own.largest(own.sizes)
        first, last = np.full(size, -np.inf), np.full(size, np.inf)
        np.maximum.at(first, pairs.at, placed.age)
        np.minimum.at(last, pairs.at, placed.age)
        devices = pairs.distinct(placed.device)
        nights = Pairs.of(pairs.at[placed.night], placed.day[placed.night]).owner
        accounts = rows.sessions.n_accounts
        claim = pairs.sizes * np.sqrt(devices)
        total = np.bincount(pairs.owner, weights=claim, minlength=accounts)
        evidence = {
            "sessions": pairs.sizes,
            "devices": devices,
            "fixed": np.bincount(pair_of, weights=fixed[own.owner], minlength=size),
            "residents": np.bincount(pair_of[most], minlength=size),
            "days": pairs.distinct(placed.day),
            "nights": np.bincount(nights, minlength=size),
            "first": first,
            "last": last,
            "claim": claim / total[pairs.owner],
        }
        found = {name: np.asarray(values, dtype=np.float64) for name, values in evidence.items()}
        return cls(pairs, accounts, found)

    def strongest(self, other_than: Ints | None = None) -> Ints:
        """Place of the largest claim of each account, -1 = none; shape (A,)."""
        claim = self.evidence["claim"]
        if other_than is not None:
            claim = np.where(self.pairs.value == other_than[self.pairs.owner], -1.0, claim)
        top = self.pairs.largest(claim)
        top = top[claim[top] >= 0]
        found = np.full(self.accounts, -1, dtype=np.int64)
        found[self.pairs.owner[top]] = self.pairs.value[top]
        return found

    def evidence_for(self, owner: Ints, place: Ints, stem: str) -> dict[str, Floats]:
        """Evidence for one place of an account each, NaN where it has none; shape of `owner`."""
        span = max(int(self.pairs.value.max(initial=-1)), int(place.max(initial=-1))) + 2
        keys = self.pairs.owner * span + self.pairs.value
        wanted = owner * span + place
        at = np.minimum(np.searchsorted(keys, wanted), max(keys.size - 1, 0))
        known = (keys[at] == wanted) if keys.size else np.zeros(owner.size, dtype=bool)
        found = {}
        for name, values in self.evidence.items():
            column = np.full(owner.size, np.nan)
            column[known] = values[at[known]]
            found[f"{stem}_{name}"] = column
        return found


def _life(rows: DeviceRows, place: Ints, home: Bools) -> dict[str, Floats]:
    """A device's life, from its places and which of them is home."""
    return {
        **describe_habits(rows),
        "home_share": rows.mean(home),
        "home_sessions": rows.count(home),
        "home_last": _filled(rows.least(rows.age, home), NEVER),
        "home_first": _filled(-rows.least(-rows.age, home), -1.0),
        "home_days": rows.distinct(rows.day, home),
        "home_nights": rows.distinct(rows.day, home & rows.night),
        "home_recent": rows.mean(home, rows.age < _RECENT),
        "moving_share": rows.mean(place < 0),
        **_base(rows, place, home),
    }


def _base(rows: DeviceRows, place: Ints, home: Bools) -> dict[str, Floats]:
    """The place that is not home where a device is most, and who else is there."""
    away = rows.take(~home & (place >= 0))
    there = place[~home & (place >= 0)]
    own = Pairs.of(away.device, there)
    spots = Pairs.of(away.account, there)
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
        "base_share": of_device(own.sizes[best], 0.0) / rows.count(),
        "base_days": of_device(own.distinct(away.day)[best], 0.0),
        "base_span": of_device(first[best] - last[best]),
        "base_last": of_device(last[best]),
        "places": np.bincount(own.owner, minlength=rows.devices).astype(np.float64),
        "base_devices": of_device(mates[spot_of[best]]),
        "base_rows": of_device(spots.sizes[spot_of[best]]),
        "base_account_days": of_device(spots.distinct(away.day)[spot_of[best]]),
        "base_mates_home": of_device(quotient(friends, mates)[spot_of[best]]),
    }


def _contest(rows: DeviceRows, places: _Places, place: Ints, home_of: Ints) -> dict[str, Floats]:
    """How home stands against the place next to it, and against the device's own other place."""
    owner = rows.sessions.device_account()
    rival_of = places.strongest(other_than=home_of)
    away = (place >= 0) & (place != home_of[rows.account])
    own = Pairs.of(rows.device[away], place[away])
    best = own.largest(own.sizes)
    base = np.full(rows.devices, -1, dtype=np.int64)
    base[own.owner[best]] = own.value[best]
    at_rival = (place == rival_of[rows.account]) & (place >= 0)
    placed = np.flatnonzero(place >= 0)
    first = np.full(rows.devices, -1, dtype=np.int64)
    first[rows.device[placed[::-1]]] = place[placed[::-1]]
    last = np.full(rows.devices, -1, dtype=np.int64)
    last[rows.device[placed]] = place[placed]
    return {
        **places.evidence_for(owner, home_of[owner], "home_place"),
        **places.evidence_for(owner, rival_of[owner], "rival_place"),
        **places.evidence_for(owner, base, "base_place"),
        "rival_share": rows.mean(at_rival),
        "rival_recent": rows.mean(at_rival, rows.age < _RECENT),
        "first_at_home": ((first == home_of[owner]) & (first >= 0)).astype(np.float64),
        "last_at_home": ((last == home_of[owner]) & (last >= 0)).astype(np.float64),
    }


def _profiles(rows: DeviceRows, home: Bools) -> dict[str, Floats]:
    """How far other devices use the profiles of a device at home."""
    named = rows.profile >= 0
    account = Pairs.of(rows.account[named], rows.profile[named])
    own = Pairs.of(rows.device[named], rows.profile[named])
    pair_of = np.zeros(own.sizes.size, dtype=np.int64)
    pair_of[own.at] = account.at
    here = np.bincount(account.at, weights=home[named], minlength=account.sizes.size)
    mine = np.bincount(own.at, weights=home[named], minlength=own.sizes.size)
    others = account.sizes[pair_of] - own.sizes
    at_home = quotient(here[pair_of] - mine, others)
    share: Floats = np.full(rows.device.size, np.nan)
    share[named] = at_home[own.at]
    known = np.isfinite(share)
    return {
        "profile_home_share": rows.mean(share, known),
        "profile_shared_share": rows.mean(known),
    }


def _filled(values: Floats, empty: float) -> Floats:
    return np.where(np.isnan(values), empty, values)
