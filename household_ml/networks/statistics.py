"""Statistics of networks: how many accounts, devices and sessions were seen on each.

They tell a private line from a carrier NAT, a campus or a mobile egress, which an address does not
tell by itself. A snapshot of them can be built, saved, loaded and passed to scoring, so that one
account alone is judged by what is known of its networks from all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.display import facts_html
from household_ml.errors import ParameterError, Problem
from household_ml.networks.counting import COUNTED, build_index, count_networks, find_rows
from household_ml.networks.ladder import LEVELS
from household_ml.networks.snapshot import not_a_snapshot, read_snapshot, write_snapshot
from household_ml.schema import DEVICE_TYPES, FIXED_DEVICE_TYPES
from household_ml.sessions.table import Sessions

__all__ = ["NetworkCounts", "NetworkStatistics", "counted_columns"]

_DAY_S: Final = 86_400
_DAY_US: Final = 86_400_000_000
#: Whether a device type is fixed, by its code; the last entry is that of no type.
_IS_FIXED: Final = np.array([*(name in FIXED_DEVICE_TYPES for name in DEVICE_TYPES), False])
_PHONE: Final = DEVICE_TYPES.index("phone")

Integers = npt.NDArray[np.int64]


def counted_columns(
    sessions: Sessions, asn: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[Any], ...]:
    """What `count_networks` takes of sessions and the AS of each."""
    return (
        np.ascontiguousarray(sessions.account_rows, np.int64),
        np.ascontiguousarray(sessions.account_devices, np.int64),
        np.ascontiguousarray(sessions.device, np.int32),
        np.ascontiguousarray(sessions.started_at, np.int64),
        _IS_FIXED[sessions.device_type],
        sessions.device_type == _PHONE,
        np.ascontiguousarray(sessions.ip_hi, np.uint64),
        np.ascontiguousarray(sessions.ip_lo, np.uint64),
        np.ascontiguousarray(asn, np.uint32),
    )


@dataclass(frozen=True, eq=False, repr=False)
class NetworkStatistics:
    """What was seen on each network, at the four levels of the ladder.

    Parameters
    ----------
    starts : ndarray of int64, shape (5,)
        Offsets of the levels in the networks.
    key : ndarray of uint64, shape (k,)
        Networks, ascending within a level: `prefix_key` at levels 0 to 2, the AS at level 3.
    networks : ndarray of int64, shape (k,)
        Distinct networks of level 0 in each; 1 at level 0.
    counts : ndarray of int64, shape (k, 8)
        Columns of `household_ml.networks.counting.COUNTED`: accounts, devices, sessions, sessions
        on fixed devices, sessions on phones, tenure in whole seconds, first and last session in
        microseconds since the epoch. Tenure is the sum over the accounts of the time between the
        first and the last session there; at level 3 it is the sum over the accounts and the
        networks of level 0 in the AS.
    sessions, accounts : int
        How many the statistics are built from.

    Examples
    --------
    >>> import pandas as pd
    >>> from household_ml.sessions import read_sessions
    >>> sessions = read_sessions(pd.DataFrame({
    ...     "account_id": ["a", "a", "b"], "device_id": ["tv", "tv", "phone"],
    ...     "ip": ["82.64.0.1", "82.64.0.1", "82.64.0.9"],
    ...     "started_at": ["2026-03-01T20:00Z", "2026-03-11T20:00Z", "2026-03-11T21:00Z"],
    ... }))
    >>> statistics = NetworkStatistics.build(sessions, np.full(3, 12322, np.uint32))
    >>> counts = statistics.lookup(sessions.ip_hi, sessions.ip_lo, np.full(3, 12322, np.uint32))
    >>> counts.accounts.tolist()
    [[1, 2, 2, 2], [1, 2, 2, 2], [1, 2, 2, 2]]
    >>> counts.tenure_days[0].tolist()
    [10.0, 10.0, 10.0, 10.0]
    """

    starts: Integers
    key: npt.NDArray[np.uint64]
    networks: Integers
    counts: Integers
    sessions: int
    accounts: int

    @classmethod
    def build(cls, sessions: Sessions, enriched_asn: npt.NDArray[np.uint32]) -> NetworkStatistics:
        """Count the networks of sessions.

        Parameters
        ----------
        sessions : Sessions
            N sessions; cut them at ``as_of`` before.
        enriched_asn : ndarray of uint32, shape (N,)
            AS of each session, given or looked up; sessions of AS 0 count at no AS.

        Returns
        -------
        NetworkStatistics
            The same for the same sessions in any order, and after accounts and devices are renamed.

        Raises
        ------
        ParameterError
            There is not one AS for each session.
        """
        if enriched_asn.shape != (len(sessions),):
            raise ParameterError(
                Problem(
                    f"enriched_asn must hold one AS for each of the {len(sessions)} sessions",
                    f"shape {enriched_asn.shape}",
                    "Take it from enrich(sessions).asn.",
                )
            )
        counted = count_networks(*counted_columns(sessions, enriched_asn))
        return cls(*counted, sessions=len(sessions), accounts=sessions.n_accounts)

    @classmethod
    def empty(cls) -> NetworkStatistics:
        """Statistics that know no network.

        Examples
        --------
        >>> len(NetworkStatistics.empty())
        0
        """
        return cls(
            np.zeros(LEVELS + 1, np.int64),
            np.zeros(0, np.uint64),
            np.zeros(0, np.int64),
            np.zeros((0, len(COUNTED)), np.int64),
            sessions=0,
            accounts=0,
        )

    @classmethod
    def load(cls, path: str | Path) -> NetworkStatistics:
        """Read a snapshot; see `household_ml.networks.snapshot`.

        Raises
        ------
        NetworksError
            The file is missing, damaged or no snapshot of this format.
        """
        path = Path(path)
        parts, digest = read_snapshot(path)
        statistics = cls(**parts)
        if statistics.digest != digest:
            raise not_a_snapshot(path, "its contents are not those that were saved")
        return statistics

    def save(self, path: str | Path) -> None:
        """Write a snapshot: a Parquet file with one row a network, see `schema.NETWORKS`.

        Equal statistics give equal bytes.
        """
        write_snapshot(self, Path(path))

    def lookup(
        self,
        hi: npt.NDArray[np.uint64],
        lo: npt.NDArray[np.uint64],
        asn: npt.NDArray[np.uint32],
    ) -> NetworkCounts:
        """What is known of the networks of each address.

        Parameters
        ----------
        hi, lo : ndarray of uint64, shape (n,)
            Halves of the addresses.
        asn : ndarray of uint32, shape (n,)
            Their ASs; 0 = unknown.

        Returns
        -------
        NetworkCounts
            Of n rows and the four levels; zeros where a network is not known.
        """
        rows = np.zeros((hi.size, LEVELS), np.int32)
        hi, lo = np.ascontiguousarray(hi), np.ascontiguousarray(lo)
        asn = np.ascontiguousarray(asn, np.uint32)
        for level, index in enumerate(self.indexes):
            start, end = int(self.starts[level]), int(self.starts[level + 1])
            find_rows(hi, lo, asn, level, self.key[start:end], index, start, rows)
        return NetworkCounts(self, rows)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that the statistics say, in hexadecimal."""
        digest = hashlib.sha256(f"{self.sessions} {self.accounts}".encode())
        for values in (self.starts, self.key, self.networks, self.counts):
            digest.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).data)
        return digest.hexdigest()

    @property
    def first_seen(self) -> int | None:
        """First session they are built from, microseconds since the epoch; None when empty."""
        column = self.counts[: self.starts[1], COUNTED.index("first_seen")]
        return int(column.min()) if column.size else None

    @property
    def last_seen(self) -> int | None:
        """Last session they are built from, microseconds since the epoch; None when empty."""
        column = self.counts[: self.starts[1], COUNTED.index("last_seen")]
        return int(column.max()) if column.size else None

    @cached_property
    def indexes(self) -> tuple[npt.NDArray[np.int32], ...]:
        """Hash tables over the networks of each level, see `counting.build_index`."""
        return tuple(
            build_index(self.key[self.starts[level] : self.starts[level + 1]])
            for level in range(LEVELS)
        )

    @cached_property
    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Columns of shape (k + 1,) by `NetworkCounts.row`: row 0 is that of an unknown network."""
        padded = np.zeros((self.key.size + 1, len(COUNTED)), np.int64)
        padded[1:] = self.counts
        columns: dict[str, npt.NDArray[Any]] = dict(zip(COUNTED, padded.T.copy(), strict=True))
        columns["networks"] = np.concatenate([np.zeros(1, np.int64), self.networks])
        columns["tenure_days"] = (columns["tenure_s"] / _DAY_S).astype(np.float32)
        span = columns["last_seen"] - columns["first_seen"]
        columns["span_days"] = (span / _DAY_US).astype(np.float32)
        return columns

    def __len__(self) -> int:
        return int(self.key.size)

    def _repr_html_(self) -> str:
        return facts_html("Network statistics", {"": repr(self), "digest": self.digest[:12]})

    def __repr__(self) -> str:
        levels = np.diff(self.starts)
        span = ""
        if self.first_seen is not None and self.last_seen is not None:
            days = np.array([self.first_seen, self.last_seen], "M8[us]").astype("M8[D]")
            span = f", {days[0]} to {days[1]}"
        return (
            f"NetworkStatistics({levels[0]:,} lines, {levels[3]:,} ASs, of {self.sessions:,} "
            f"sessions of {self.accounts:,} accounts{span})"
        )


@dataclass(frozen=True, eq=False)
class NetworkCounts:
    """Statistics of the networks of n addresses at the four levels of the ladder.

    Each attribute below is an array of shape (n, 4), gathered when it is first asked for; where a
    network is not known all of them are 0. `counts[rows]` is cheap and gives those of some rows.

    Attributes
    ----------
    row : ndarray of int32
        1 + position of the network in the statistics, 0 = not known.
    accounts, devices, sessions, fixed_sessions, phone_sessions : ndarray of int64
        Seen on the network.
    networks : ndarray of int64
        Distinct networks of level 0 in it.
    tenure_days : ndarray of float32
        Sum over the accounts of the days between their first and last session there.
    span_days : ndarray of float32
        Days between the first and the last session there.
    """

    statistics: NetworkStatistics
    row: npt.NDArray[np.int32]

    def __getitem__(self, rows: slice | npt.NDArray[Any]) -> NetworkCounts:
        return NetworkCounts(self.statistics, self.row[rows])

    def __len__(self) -> int:
        return len(self.row)

    @cached_property
    def accounts(self) -> Integers:
        """Distinct accounts."""
        return self._gather("accounts")

    @cached_property
    def devices(self) -> Integers:
        """Distinct devices."""
        return self._gather("devices")

    @cached_property
    def sessions(self) -> Integers:
        """Sessions."""
        return self._gather("sessions")

    @cached_property
    def fixed_sessions(self) -> Integers:
        """Sessions on devices that stay where they are plugged in."""
        return self._gather("fixed_sessions")

    @cached_property
    def phone_sessions(self) -> Integers:
        """Sessions on phones."""
        return self._gather("phone_sessions")

    @cached_property
    def networks(self) -> Integers:
        """Distinct networks of level 0."""
        return self._gather("networks")

    @cached_property
    def tenure_days(self) -> npt.NDArray[np.float32]:
        """Days that accounts held the network, summed over accounts."""
        return self._gather("tenure_days")

    @cached_property
    def span_days(self) -> npt.NDArray[np.float32]:
        """Days between the first and the last session."""
        return self._gather("span_days")

    def _gather(self, name: str) -> npt.NDArray[Any]:
        gathered: npt.NDArray[Any] = self.statistics.columns[name].take(self.row)
        return gathered
