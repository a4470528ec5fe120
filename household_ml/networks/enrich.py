"""Sessions with what is known of their networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from household_ml.display import facts_html
from household_ml.networks.ladder import AS_LEVEL
from household_ml.networks.operators import connection_type_of, operator_of
from household_ml.networks.statistics import NetworkCounts, NetworkStatistics
from household_ml.networks.table import NetworkTable
from household_ml.schema import CONNECTION_TYPES, NO_AS
from household_ml.sessions.table import Sessions

__all__ = ["EnrichedSessions", "add_behaviour", "enrich", "find_systems"]

_CELLULAR: Final = CONNECTION_TYPES.index("cellular")

#: What an AS must show to be called cellular for what happens on it [A]: this many accounts, at
#: least this share of sessions on phones and at most this share on fixed devices.
_MIN_ACCOUNTS: Final = 30
_MIN_PHONE_SHARE: Final = 0.8
_MAX_FIXED_SHARE: Final = 0.04


@dataclass(frozen=True, eq=False)
class EnrichedSessions:
    """N sessions and, for each, its networks.

    Attributes
    ----------
    sessions : Sessions
        The sessions.
    asn : ndarray of uint32, shape (N,)
        AS: as given, else looked up; 0 = unknown.
    operator : ndarray of uint32, shape (N,)
        The one AS that stands for the operator; 0 = unknown.
    connection : ndarray of int8, shape (N,)
        Index in CONNECTION_TYPES; 0 = unknown.
    counts : NetworkCounts
        Statistics of its networks, of shape (N, 4).
    statistics : NetworkStatistics
        Where they are from.
    """

    sessions: Sessions
    asn: npt.NDArray[np.uint32]
    operator: npt.NDArray[np.uint32]
    connection: npt.NDArray[np.int8]
    counts: NetworkCounts
    statistics: NetworkStatistics

    def __len__(self) -> int:
        return len(self.sessions)

    def __repr__(self) -> str:
        return f"<EnrichedSessions: {self.sessions!r}, AS known for {_share(self.asn > 0)}>"

    def _repr_html_(self) -> str:
        kinds = {
            f"{name} networks": _share(self.connection == code)
            for code, name in enumerate(CONNECTION_TYPES)
            if name != "unknown" and (self.connection == code).any()
        }
        facts = {"sessions": f"{len(self):,}", "AS known": _share(self.asn > 0), **kinds}
        return facts_html("Sessions with their networks", facts, f"Counted: {self.statistics!r}")


def _share(rows: npt.NDArray[np.bool_]) -> str:
    return f"{rows.mean():.1%}" if rows.size else "none"


def enrich(
    sessions: Sessions,
    *,
    statistics: NetworkStatistics | None = None,
    table: NetworkTable | None = None,
) -> EnrichedSessions:
    """Add AS, operator, connection type and network statistics to sessions.

    Parameters
    ----------
    sessions : Sessions
        N sessions; a given AS is taken as it is, whatever the table says, and `NO_AS` as unknown.
    statistics : NetworkStatistics, default=None
        Snapshot to look networks up in; None = built of these very sessions.
    table : NetworkTable, default=None
        Table of networks; None = `NetworkTable.default`.

    Returns
    -------
    EnrichedSessions

    Raises
    ------
    NetworksError
        The table of networks cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> from household_ml.sessions import read_sessions
    >>> sessions = read_sessions(pd.DataFrame({
    ...     "account_id": ["a", "a"], "device_id": ["tv", "phone"],
    ...     "ip": ["82.64.0.1", "203.0.113.7"],
    ...     "started_at": ["2026-03-01T20:00Z", "2026-03-02T20:00Z"],
    ... }))
    >>> enriched = enrich(sessions)
    >>> enriched.asn.tolist(), [CONNECTION_TYPES[code] for code in enriched.connection]
    ([12322, 0], ['residential', 'unknown'])
    """
    table = table or NetworkTable.default()
    asn = find_systems(sessions, table)
    if statistics is None:
        statistics = NetworkStatistics.build(sessions, asn)
    counts = statistics.lookup(sessions.ip_hi, sessions.ip_lo, asn)
    connection = connection_type_of(asn, table)
    add_behaviour(connection, counts)
    return EnrichedSessions(
        sessions=sessions,
        asn=asn,
        operator=operator_of(asn, table),
        connection=connection,
        counts=counts,
        statistics=statistics,
    )


def find_systems(sessions: Sessions, table: NetworkTable | None = None) -> npt.NDArray[np.uint32]:
    """AS of each session.

    Parameters
    ----------
    sessions : Sessions
        N sessions; a given AS is taken as it is, and `NO_AS` as unknown.
    table : NetworkTable, default=None
        Table of networks; None = `NetworkTable.default`.

    Returns
    -------
    ndarray of uint32, shape (N,)
        As given, else looked up; 0 = unknown.
    """
    table = table or NetworkTable.default()
    asn: npt.NDArray[np.uint32] = np.ascontiguousarray(sessions.asn, np.uint32)
    missing, unknown = np.flatnonzero(asn == 0), np.flatnonzero(asn == NO_AS)
    if missing.size or unknown.size:
        asn = asn.copy()
        asn[missing] = table.lookup(sessions.ip_hi[missing], sessions.ip_lo[missing])
        asn[unknown] = 0
    return asn


def add_behaviour(connection: npt.NDArray[np.int8], counts: NetworkCounts) -> None:
    """Call an AS cellular whose name tells nothing, when phones and no fixed devices use it.

    Parameters
    ----------
    connection : ndarray of int8, shape (N,)
        Index in CONNECTION_TYPES; some of those that are unknown are changed.
    counts : NetworkCounts
        Of the same N sessions.
    """
    unknown = np.flatnonzero((connection == 0) & (counts.row[:, AS_LEVEL] > 0))
    seen = NetworkCounts(counts.statistics, counts.row[unknown, AS_LEVEL])
    cellular = (
        (seen.accounts >= _MIN_ACCOUNTS)
        & (seen.phone_sessions >= _MIN_PHONE_SHARE * seen.sessions)
        & (seen.fixed_sessions <= _MAX_FIXED_SHARE * seen.sessions)
    )
    connection[unknown[cellular]] = _CELLULAR
