"""What to do about sessions that cannot be used, and what looks wrong with sessions that can.

Mistakes that many make are told by what they look like. A doubt stops nothing: a service may truly
be like that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.sessions.table import Sessions

__all__ = ["REMEDIES", "find_doubts", "name_no_zone", "remedy_for"]

#: What to do where most rows were rejected for a reason.
REMEDIES: Final[Mapping[str, str]] = {
    "row_damaged": "Write the table again, with every field that holds the separator in quotes.",
    "account_id_missing": "Fill account_id in: it says which devices share a subscription.",
    "device_id_missing": "Fill device_id in: a stable id of each device within its account.",
    "device_id_damaged": "Take the file as it was before a spreadsheet saved it.",
    "started_at_missing": "Fill started_at in: the start of playback.",
    "started_at_invalid": "Write times as ISO 8601, such as 2026-03-01T20:00:00Z: year first, with "
    "the zone, or in UTC.",
    "started_at_before_1990": "Check the unit: seconds that are taken for milliseconds give such "
    "times.",
    "started_at_in_future": "Check the clock and the unit of started_at.",
    "ip_missing": "Log the public address that each session came from.",
    "ip_invalid": "Give addresses as text, such as 203.0.113.7. In the place of digests give "
    "prefix-preserving pseudonyms, as household-ml anonymise makes them.",
    "ip_private": "Log the address of the client, not of your own proxy or load balancer (see "
    "X-Forwarded-For); for pseudonyms, name the AS in the column asn.",
    "ip_bogus": "Log the address of the client, not of your own proxy or load balancer; for "
    "pseudonyms, name the AS in the column asn.",
}

#: So many sessions, or accounts, must speak for a doubt.
_TELLING: Final = 50

#: Share of all accounts that are seen on one address: no carrier NAT is so large.
_ONE_ADDRESS: Final = 0.8

_DAY_S: Final = 86_400.0

#: Times looked at to see whether they name a zone.
_LOOKED_AT: Final = 200

_ZONE: Final = re.compile(r"(Z|[+-]\d\d(:?\d\d)?)\s*$", re.IGNORECASE)


def remedy_for(rejected: Mapping[str, int]) -> str:
    """What to do where not one row could be used.

    Parameters
    ----------
    rejected : mapping of str to int
        Reason code -> rejected rows.

    Returns
    -------
    str
        What helps against the most frequent reason, and where to see the rows.

    Examples
    --------
    >>> remedy_for({})
    'The table is empty.'
    >>> remedy_for({"started_at_missing": 2})
    'Fill started_at in: the start of playback. Look at the rejected rows (...).'
    """
    if not rejected:
        return "The table is empty."
    most = max(rejected, key=lambda code: rejected[code])
    seen = "Look at the rejected rows (rejected= or --rejected)."
    return f"{REMEDIES[most]} {seen}" if most in REMEDIES else seen


def name_no_zone(times: Iterable[pa.ChunkedArray]) -> bool:
    """Whether times are written without a zone; the first of each column tell.

    Examples
    --------
    >>> name_no_zone([pa.chunked_array([["2026-03-01 20:00", None]])])
    True
    >>> name_no_zone([pa.chunked_array([["2026-03-01T20:00Z", "2026-03-01T20:00+01:00"]])])
    False
    """
    seen = False
    for column in times:
        if pa.types.is_timestamp(column.type):
            seen = seen or column.type.tz is None
            if column.type.tz is not None:
                return False
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            told = pc.drop_null(column.slice(0, _LOOKED_AT)).to_pylist()
            if any(_ZONE.search(text) for text in told if text.count(":")):
                return False
            seen = seen or bool(told)
    return seen


def find_doubts(sessions: Sessions, *, zoneless: bool = False) -> tuple[str, ...]:
    """What looks wrong with sessions that can be used.

    Parameters
    ----------
    sessions : Sessions
        Accepted sessions.
    zoneless : bool, default=False
        Whether their times were written without a zone.

    Returns
    -------
    tuple of str
        Sentences, each with what it probably is; empty where nothing looks wrong.
    """
    found = []
    if sessions.n_accounts >= _TELLING:
        if len(sessions) == sessions.n_accounts:
            found.append(
                f"all {sessions.n_accounts:,} accounts have one session each: account_id may hold "
                "the id of a session, and then no place can be inferred"
            )
        owner = sessions.row_account()
        folded = sessions.ip_hi ^ (sessions.ip_lo << np.uint64(1))
        _, address = np.unique(folded, return_inverse=True)
        pairs = np.unique(address.astype(np.int64) * sessions.n_accounts + owner)
        accounts = np.bincount(pairs // sessions.n_accounts)
        if accounts.max() > _ONE_ADDRESS * sessions.n_accounts:
            found.append(
                f"one address is used by {accounts.max():,} of {sessions.n_accounts:,} accounts: "
                "ip may hold the address of your own proxy or load balancer (see X-Forwarded-For)"
            )
    known = sessions.duration_s[np.isfinite(sessions.duration_s)]
    if known.size >= _TELLING and float(np.median(known)) > _DAY_S:
        found.append(
            f"half of the sessions last over {float(np.median(known)) / 3600:,.0f} hours: "
            "duration_s may hold milliseconds"
        )
    farthest = int(np.abs(sessions.utc_offset_min).max(initial=0))
    if zoneless and farthest and len(sessions) >= _TELLING:
        found.append(
            "started_at names no zone and is read as UTC, while clocks of the devices are up to "
            f"{farthest / 60:g} hours away from UTC: if these are local times, write their zone, "
            "as in 2026-03-01T20:00:00-06:00"
        )
    return tuple(found)
