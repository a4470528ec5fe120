"""What is known of the networks of one account, in microseconds.

The same tables and the same compiled look-up as in `enrich`; when the account is all there is to
count, it is counted without a snapshot being made in between.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.config import environment
from household_ml.networks.counting import find_rows, sort_by_key
from household_ml.networks.enrich import add_behaviour
from household_ml.networks.ladder import cut_key, prefix_key
from household_ml.networks.operators import directory
from household_ml.networks.ranges import fill_asn
from household_ml.networks.statistics import NetworkCounts, NetworkStatistics
from household_ml.networks.table import NetworkTable
from household_ml.schema import DEVICE_TYPES, FIXED_DEVICE_TYPES, NO_AS
from household_ml.sessions.one_account import AccountSessions
from household_ml.sessions.table import Sessions

__all__ = ["AccountCounts", "AccountNetworks", "enrich_account"]

Array = npt.NDArray[Any]

_SECOND = 1_000_000
_DAY_S = 86_400
_DAY_US = 86_400_000_000

#: Whether a device type is fixed, and whether it is a phone; the last entry is that of no type.
_FIXED_TYPES: Final = np.array([*(name in FIXED_DEVICE_TYPES for name in DEVICE_TYPES), False])
_PHONES: Final = np.array([*(name == "phone" for name in DEVICE_TYPES), False])

_NO_AS: Final = np.uint32(NO_AS)


class AccountCounts(NamedTuple):
    """Statistics of the networks of N sessions; arrays of shape (N, 4), as in `NetworkCounts`."""

    accounts: Array
    sessions: Array
    fixed_sessions: Array
    phone_sessions: Array
    networks: Array
    tenure_days: Array
    span_days: Array


class AccountNetworks(NamedTuple):
    """N sessions of one account and the networks of each, as in `EnrichedSessions`."""

    sessions: Sessions | AccountSessions
    asn: Array
    operator: Array
    connection: Array
    counts: AccountCounts


class _Tables(NamedTuple):
    start4: Array
    asn4: Array
    first4: Array
    start6: Array
    asn6: Array
    first6: Array
    operator: Array
    connection: Array


@compiled
def _find_systems(
    hi: Array, lo: Array, given: Array, unknown: np.uint32, tables: _Tables
) -> tuple[Array, Array, Array]:
    """AS, operator and connection type of each session."""
    asn = np.empty(hi.size, np.uint32)
    fill_asn(
        hi, lo, tables.start4, tables.asn4, tables.first4, tables.start6, tables.asn6,
        tables.first6, asn,
    )  # fmt: skip
    operator, connection = np.empty(hi.size, np.uint32), np.empty(hi.size, np.int8)
    others = tables.operator.size - 1
    for i in range(hi.size):
        if given[i] != 0:
            asn[i] = 0 if given[i] == unknown else given[i]
        place = others
        if asn[i] < others:
            place = asn[i]
        operator[i] = asn[i] if place == others else tables.operator[place]
        connection[i] = tables.connection[place]
    return asn, operator, connection


@compiled
def _count_own(
    account_rows: Array,
    time: Array,
    device_type: Array,
    hi: Array,
    lo: Array,
    given: Array,
    unknown: np.uint32,
    tables: _Tables,
    fixed_types: Array,
    phones: Array,
) -> tuple[Array, ...]:
    """AS, operator, connection type, and statistics of the networks of this account alone.

    `count_level` where there is one account: each run of rows of one network is all of it.
    """
    n = hi.size
    asn, operator, connection = _find_systems(hi, lo, given, unknown, tables)
    lines, systems = np.empty(n, np.uint64), np.empty(n, np.uint64)
    fixed, phone = np.empty(n, np.bool_), np.empty(n, np.bool_)
    order = np.empty(n, np.int64)
    for i in range(n):
        lines[i] = prefix_key(hi[i], lo[i], 0)
        systems[i] = asn[i]
        fixed[i], phone[i] = fixed_types[device_type[i]], phones[device_type[i]]
        order[i] = i
    accounts, sessions = np.empty((n, 4), np.int64), np.empty((n, 4), np.int64)
    with_fixed, with_phone = np.empty((n, 4), np.int64), np.empty((n, 4), np.int64)
    networks = np.empty((n, 4), np.int64)
    tenure, span = np.empty((n, 4), np.float32), np.empty((n, 4), np.float32)
    for level in range(4):
        if level == 0:
            sort_by_key(account_rows, lines, order)
        elif level == 3:
            sort_by_key(account_rows, systems, order)
        begin = 0
        while begin < n:
            row = order[begin]
            wanted = cut_key(lines[row], level) if level < 3 else systems[row]
            known = level < 3 or wanted != 0
            first = last = line_first = line_last = time[row]
            own_fixed = own_phone = below = used = 0
            end = begin
            while end < n:
                row = order[end]
                if (cut_key(lines[row], level) if level < 3 else systems[row]) != wanted:
                    break
                if end == begin or lines[row] != lines[order[end - 1]]:
                    below += 1
                    if level == 3:
                        used += (line_last - line_first) // _SECOND
                        line_first = line_last = time[row]
                line_first, line_last = min(line_first, time[row]), max(line_last, time[row])
                first, last = min(first, time[row]), max(last, time[row])
                own_fixed += fixed[row]
                own_phone += phone[row]
                end += 1
            used += (line_last - line_first) // _SECOND
            for place in range(begin, end):
                row = order[place]
                accounts[row, level] = known
                sessions[row, level] = end - begin if known else 0
                with_fixed[row, level] = own_fixed if known else 0
                with_phone[row, level] = own_phone if known else 0
                networks[row, level] = below if known else 0
                tenure[row, level] = used / _DAY_S if known else 0
                span[row, level] = (last - first) / _DAY_US if known else 0
            begin = end
    return (
        asn, operator, connection, accounts, sessions, with_fixed, with_phone, networks, tenure,
        span,
    )  # fmt: skip


@compiled
def _look_up(
    hi: Array,
    lo: Array,
    asn: Array,
    starts: Array,
    key: Array,
    indexes: tuple[Array, ...],
    columns: AccountCounts,
) -> tuple[Array, Array, Array, Array, Array, Array, Array, Array]:
    """Rows of a snapshot, and what stands there."""
    n = hi.size
    rows = np.zeros((n, 4), np.int32)
    for level in range(4):
        start = starts[level]
        find_rows(hi, lo, asn, level, key[start : starts[level + 1]], indexes[level], start, rows)
    accounts, sessions = np.empty((n, 4), np.int64), np.empty((n, 4), np.int64)
    with_fixed, with_phone = np.empty((n, 4), np.int64), np.empty((n, 4), np.int64)
    networks = np.empty((n, 4), np.int64)
    tenure, span = np.empty((n, 4), np.float32), np.empty((n, 4), np.float32)
    for i in range(n):
        for level in range(4):
            row = rows[i, level]
            accounts[i, level] = columns.accounts[row]
            sessions[i, level] = columns.sessions[row]
            with_fixed[i, level] = columns.fixed_sessions[row]
            with_phone[i, level] = columns.phone_sessions[row]
            networks[i, level] = columns.networks[row]
            tenure[i, level] = columns.tenure_days[row]
            span[i, level] = columns.span_days[row]
    return rows, accounts, sessions, with_fixed, with_phone, networks, tenure, span


@lru_cache(maxsize=4)
def _tables(replaced: str) -> _Tables:
    """The tables that `enrich` looks things up in."""
    del replaced  # what names the table, and so tells whether it is still the same
    table = NetworkTable.default()
    found = directory(table)
    return _Tables(*table.v4, *table.v6, found.operator, found.connection)


@lru_cache(maxsize=2)
def _snapshot(
    statistics: NetworkStatistics,
) -> tuple[Array, Array, tuple[Array, ...], AccountCounts]:
    columns = AccountCounts(*(statistics.columns[name] for name in AccountCounts._fields))
    return statistics.starts, statistics.key, statistics.indexes, columns


def enrich_account(
    sessions: Sessions | AccountSessions, *, statistics: NetworkStatistics | None = None
) -> AccountNetworks:
    """Add AS, operator, connection type and network statistics to the sessions of one account.

    Parameters
    ----------
    sessions : Sessions or AccountSessions
        N sessions of one account.
    statistics : NetworkStatistics, default=None
        Snapshot to look networks up in; None = counted of these very sessions.

    Returns
    -------
    AccountNetworks
        The same numbers as `enrich` gives.

    Raises
    ------
    NetworksError
        The table of networks cannot be read.
    """
    hi, lo = sessions.ip_hi, sessions.ip_lo
    tables = _tables(environment("HOUSEHOLD_ML_NETWORK_TABLE"))
    if statistics is None:
        asn, operator, connection, *counts = _count_own(
            sessions.account_rows,
            sessions.started_at,
            sessions.device_type,
            hi,
            lo,
            sessions.asn,
            _NO_AS,
            tables,
            _FIXED_TYPES,
            _PHONES,
        )
        return AccountNetworks(sessions, asn, operator, connection, AccountCounts(*counts))
    asn, operator, connection = _find_systems(hi, lo, sessions.asn, _NO_AS, tables)
    starts, key, indexes, kept = _snapshot(statistics)
    rows, *counts = _look_up(hi, lo, asn, starts, key, indexes, kept)
    if 0 in connection.tolist():
        add_behaviour(connection, NetworkCounts(statistics, rows))
    return AccountNetworks(sessions, asn, operator, connection, AccountCounts(*counts))
