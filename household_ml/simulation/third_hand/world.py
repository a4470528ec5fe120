"""One world: its sessions, accounts and labels, and the truth behind every session."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from household_ml.errors import ParameterError, Problem
from household_ml.simulation.third_hand.access import LINE, Access, reach
from household_ml.simulation.third_hand.addresses import Seen, address
from household_ml.simulation.third_hand.chance import name_seed, scatter, share_of
from household_ml.simulation.third_hand.country import settle
from household_ml.simulation.third_hand.damage import damage
from household_ml.simulation.third_hand.days import Calendar
from household_ml.simulation.third_hand.homes import Builder
from household_ml.simulation.third_hand.households import found_household
from household_ml.simulation.third_hand.itinerary import nights, plan_trips
from household_ml.simulation.third_hand.ledger import OUTSIDE, column
from household_ml.simulation.third_hand.naming import Use, name_devices
from household_ml.simulation.third_hand.outsiders import share_account
from household_ml.simulation.third_hand.plays import Plays, play
from household_ml.simulation.third_hand.pools import Pools
from household_ml.simulation.third_hand.rates import rates_of
from household_ml.simulation.third_hand.viewing import Sittings, sit_down

__all__ = ["make_world"]

Ints = npt.NDArray[np.int64]

_TRUTH = ["line_id", "place_id", "at_home", "place_kind"]
#: Words of the table of truth for kinds of places.
_KINDS = {"station": "transit", "hospital": "hotel"}
#: Sessions whose AS the service's own enrichment did not know.
_NO_ASN = 0.015


def make_world(kind: str, accounts: int, days: int, seed: int) -> dict[str, pd.DataFrame]:
    """Simulate one world.

    Parameters
    ----------
    kind : str
        One of `KINDS`, or one of them with its rates drawn anew, as in ``"fr~7"``.
    accounts : int
        How many accounts, at least 1.
    days : int
        How many days, at least 7.
    seed : int
        The same seed gives the same world, byte for byte.

    Returns
    -------
    dict of DataFrame
        ``sessions``, ``accounts`` and ``labels`` as in the contract (labels with ``situation`` and
        ``policy_ambiguous``); ``truth``, row by row with sessions: ``line_id`` (-1 on mobile
        networks, public ones and tunnels), ``place_id`` (-1 on the move), ``at_home`` and
        ``place_kind``. A play that tunnels through the home has the line of the home, and the
        place where its viewer was.

    Raises
    ------
    ParameterError
        There is no such kind, or a number is too small.

    Examples
    --------
    >>> world = make_world("fr", accounts=20, days=14, seed=1)
    >>> list(world), len(world["truth"]) == len(world["sessions"])
    (['sessions', 'accounts', 'labels', 'truth'], True)
    """
    _check(accounts, days, seed)
    rates = rates_of(kind)
    rng = np.random.default_rng([name_seed(kind), accounts, days, seed])
    salt = int(rng.integers(1 << 62))
    calendar = Calendar.of(rates.start, days)
    builder = Builder(rates, settle(rates, accounts, rng), days, rng)
    weights = np.array([weight for _, weight in rates.markets])
    markets = rng.choice(weights.size, size=accounts, p=weights / weights.sum())
    for market in markets:
        share_account(found_household(builder, int(market)))
    plan_trips(builder, calendar)
    slept = nights(builder, calendar)
    sittings = sit_down(builder, calendar, slept, salt)
    plays = play(builder, sittings, days)
    access = reach(builder, sittings, salt)
    pools = Pools(builder, rng)
    seen = address(builder, pools, sittings, access, plays, days, salt)
    names = _Names(builder, kind, seed, salt)
    rows = _log(builder, calendar, pools, sittings, access, plays, seen, names)
    labels = _labels(builder, sittings, access, plays, rows, names, days)
    rows = damage(rows.drop(columns="device"), rates.mess, rng).reset_index(drop=True)
    seen_ids = labels["device_id"].isin(rows["device_id"].unique())
    told = [name for name in rows.columns if name not in _TRUTH]
    return {
        "sessions": rows[told],
        "accounts": names.accounts(),
        "labels": labels[seen_ids].reset_index(drop=True),
        "truth": rows[_TRUTH],
    }


def _check(accounts: int, days: int, seed: int) -> None:
    wrong = [
        Problem(f"{name} must be at least {least}", str(value), "Give a larger number.")
        for name, value, least in (("accounts", accounts, 1), ("days", days, 7), ("seed", seed, 0))
        if value < least
    ]
    if wrong:
        raise ParameterError(wrong)


class _Names:
    """Names of accounts, devices and profiles, which tell nothing about them."""

    def __init__(self, builder: Builder, kind: str, seed: int, salt: int) -> None:
        ledger = builder.ledger
        number = np.arange(len(ledger.accounts))
        self._ledger = ledger
        self._codes = builder.country.codes
        self.account = np.array([f"{kind}.{seed}.{one:06d}" for one in number], dtype=object)
        owner = column(ledger.devices, "account", np.int64)
        made = scatter(salt, 81, np.arange(owner.size))
        self.device = np.array(
            [f"{self.account[of]}.{int(one):016x}" for of, one in zip(owner, made, strict=True)],
            dtype=object,
        )
        # some of those outside watch on the profile of who pays
        people = ledger.people
        payer = np.array([0] * len(number))
        for one in range(len(people) - 1, -1, -1):
            if people[one].role not in OUTSIDE:
                payer[people[one].account] = one
        outside = np.array([person.role in OUTSIDE for person in people])
        shares = share_of(salt, 82, np.arange(outside.size)) < np.where(outside, 0.3, 0.12)
        profile = np.where(
            shares, payer[column(people, "account", np.int64)], np.arange(outside.size)
        )
        self.profile = np.array(
            [f"{int(one):08x}" for one in scatter(salt, 83, profile) >> np.uint64(32)], dtype=object
        )

    def accounts(self) -> pd.DataFrame:
        """The table of accounts."""
        rows = self._ledger.accounts
        return pd.DataFrame(
            {
                "account_id": pd.Series(self.account, dtype="str"),
                "country": pd.Series([self._codes[row.market] for row in rows], dtype="str"),
                "extra_members": column(rows, "extra_members", np.int64),
            }
        )


def _log(
    builder: Builder,
    calendar: Calendar,
    pools: Pools,
    sittings: Sittings,
    access: Access,
    plays: Plays,
    seen: Seen,
    names: _Names,
) -> pd.DataFrame:
    """Sessions and their truth in order of time."""
    ledger, country = builder.ledger, builder.country
    of = plays.sitting
    device, place = sittings.device[of], sittings.place[of]
    account = column(ledger.devices, "account", np.int64)[device]
    home = column(ledger.accounts, "home", np.int64)[account]
    later = column(ledger.accounts, "next_home", np.int64)[account]
    moved = sittings.day[of] >= column(ledger.accounts, "moves_on", np.float64)[account]
    main = np.where(moved & (later >= 0), later, home)
    kinds = np.array([_KINDS.get(one.kind, one.kind) for one in country.places], dtype=object)
    offset = calendar.offsets(country.zone)[sittings.town[of], sittings.day[of]]
    unknown = (seen.asn == 0) | (builder.rng.random(of.size) < _NO_ASN)
    codes = np.array(pools.countries, dtype=object)
    types = np.array([one.kind for one in ledger.devices], dtype=object)
    begin = pd.Timestamp(calendar.start)
    started = begin + pd.to_timedelta(np.round(plays.start * 86400.0), unit="s")
    rows = pd.DataFrame(
        {
            "account_id": pd.Series(names.account[account], dtype="str"),
            "device_id": pd.Series(names.device[device], dtype="str"),
            "started_at": pd.Series(started).astype("datetime64[us, UTC]"),
            "duration_s": plays.seconds,
            "ip": pd.Series(_spell(seen), dtype="str"),
            "asn": pd.array(seen.asn.astype(np.int64), dtype="Int64"),
            "device_type": pd.Series(types[device], dtype="str"),
            "country": pd.Series(codes[seen.country], dtype="str"),
            "utc_offset_min": pd.array(offset, dtype="Int64"),
            "profile_id": pd.Series(names.profile[sittings.person[of]], dtype="str"),
            "line_id": np.where(access.way[of] == LINE, access.which[of], -1),
            "place_id": place,
            "at_home": place == main,
            "place_kind": pd.Series(
                np.where(place >= 0, kinds[np.maximum(place, 0)], "transit"), dtype="str"
            ),
            "device": device,
        }
    )
    rows.loc[unknown, "asn"] = pd.NA
    order = np.lexsort((device, plays.start))
    return rows.iloc[order].reset_index(drop=True)


def _labels(
    builder: Builder,
    sittings: Sittings,
    access: Access,
    plays: Plays,
    rows: pd.DataFrame,
    names: _Names,
    days: int,
) -> pd.DataFrame:
    """Labels of all devices that ever played."""
    ledger = builder.ledger
    of = plays.sitting
    device = sittings.device[of]
    kinds = np.array([one.kind for one in builder.country.places] + ["transit"])
    place = sittings.place[of]
    people = ledger.people
    person = sittings.person[of]
    own = np.zeros(of.size, np.bool_)
    for name in ("home", "next_home", "other_home"):
        own |= place == column(people, name, np.int64)[person]
    visiting = (kinds[place] == "dwelling") & ~own
    use = Use.of(len(ledger.devices), device, access.way[of], kinds[place], visiting, plays.start)
    named = name_devices(builder, use, days)
    shown = np.unique(rows["device"].to_numpy())
    account = column(ledger.devices, "account", np.int64)
    order = shown[np.lexsort((names.device[shown].astype(str), account[shown]))]
    return pd.DataFrame(
        {
            "account_id": pd.Series(names.account[account[order]], dtype="str"),
            "device_id": pd.Series(names.device[order], dtype="str"),
            "in_household": named.in_household[order],
            "situation": pd.Series(named.situation[order], dtype="str"),
            "policy_ambiguous": named.ambiguous[order],
        }
    )


def _spell(seen: Seen) -> npt.NDArray[Any]:
    """Addresses as text."""
    pairs = np.empty((seen.hi.size, 2), ">u8")
    pairs[:, 0], pairs[:, 1] = seen.hi, seen.lo
    raw = np.ascontiguousarray(pairs).view("V16").ravel()
    known, inverse = np.unique(raw, return_inverse=True)
    texts = [
        socket.inet_ntop(socket.AF_INET, one[12:])
        if one[:8] == bytes(8)
        else socket.inet_ntop(socket.AF_INET6, one)
        for one in map(bytes, known)
    ]
    return np.array(texts, dtype=object)[inverse]
