"""From sessions to the feature table and to the table of places."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml.compiling import compiled
from household_ml.config import FeatureConfig, environment
from household_ml.display import facts_html
from household_ml.errors import NoSessionsError, ParameterError, Problem
from household_ml.features.catalogue import COLUMN_NAMES, FEATURE_NAMES
from household_ml.features.history import Columns
from household_ml.features.homes import DOUBT, TERMS
from household_ml.features.kernel import place_sessions, score_columns
from household_ml.networks import EnrichedSessions, NetworkStatistics, enrich
from household_ml.networks.one_account import AccountCounts, AccountNetworks
from household_ml.sessions import Sessions

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "NEVER",
    "Features",
    "assign_places",
    "build_account_features",
    "build_features",
    "infer_places",
    "place_account_sessions",
]

_DAY_US = 86_400_000_000

#: ``last_home_at`` of a device that was never seen at home.
NEVER = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, eq=False)
class Features:
    """One row of features for each device that has a session in the window.

    Parameters
    ----------
    account_id, device_id : pyarrow.Array of string, shape (d,)
        Ids, ordered by account, then device.
    account : ndarray of int64, shape (d,)
        Number of each device's account.
    values : ndarray of float64, shape (d, f)
        Columns in the order of ``names``: the features, and those of the classifier again as they
        would be if the rival place were home; NaN = the history does not tell.
    place : ndarray of int32, shape (d,)
        The inferred place the device belongs to; 0 = home, -1 = none.
    last_home_at : ndarray of int64, shape (d,)
        Last session at the inferred home, microseconds since the epoch; ``NEVER`` where none.
    as_of : int
        Microseconds since the epoch; no session after it was used.
    """

    account_id: pa.Array
    device_id: pa.Array
    account: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    place: npt.NDArray[np.int32]
    last_home_at: npt.NDArray[np.int64]
    as_of: int
    names: tuple[str, ...] = COLUMN_NAMES

    def __len__(self) -> int:
        return len(self.device_id)

    def __repr__(self) -> str:
        return f"Features({len(self):,} devices x {len(FEATURE_NAMES)} features)"

    def _repr_html_(self) -> str:
        at_home = np.count_nonzero(self.place == 0) / max(len(self), 1)
        return facts_html(
            "Features",
            {
                "devices": f"{len(self):,}",
                "accounts": f"{np.unique(self.account).size:,}",
                "features": f"{len(FEATURE_NAMES)}",
                "as of": f"{np.datetime64(self.as_of, 'us').astype('M8[s]')} UTC",
                "devices that belong to the home": f"{at_home:.1%}",
            },
            "to_frame() gives the table; column(name) gives the values of one feature.",
        )

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """Values of one feature, shape (d,)."""
        return self.values[:, self.names.index(name)]

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame: ids, ``as_of``, place and the features at the inferred home."""
        import pandas as pd

        features = len(FEATURE_NAMES)
        frame = pd.DataFrame(self.values[:, :features], columns=list(self.names[:features]))
        head = pd.DataFrame(
            {
                "account_id": self.account_id.to_pandas(),
                "device_id": self.device_id.to_pandas(),
                "as_of": pd.Series(
                    np.full(len(self), self.as_of, np.int64).view("datetime64[us]")
                ).dt.tz_localize("UTC"),
                "place": self.place,
            }
        )
        return pd.concat([head, frame], axis=1)


@compiled
def _device_types(
    device: npt.NDArray[np.int32],
    device_type: npt.NDArray[np.int8],
    account_rows: npt.NDArray[np.int64],
    account_devices: npt.NDArray[np.int64],
    out: npt.NDArray[np.int8],
) -> None:
    """Give every session the type that its device states most often, -1 where it states none."""
    for account in range(account_rows.size - 1):
        first, stop = account_rows[account], account_rows[account + 1]
        count = np.zeros((account_devices[account + 1] - account_devices[account], 8), np.int32)
        for i in range(first, stop):
            if device_type[i] >= 0:
                count[device[i], device_type[i]] += 1
        for i in range(first, stop):
            best = -1
            for kind in range(8):
                if count[device[i], kind] > 0 and (
                    best < 0 or count[device[i], kind] > count[device[i], best]
                ):
                    best = kind
            out[i] = best


def _columns(enriched: EnrichedSessions | AccountNetworks) -> Columns:
    sessions, counts = enriched.sessions, enriched.counts
    device_type = np.empty(len(sessions.device), np.int8)
    _device_types(
        sessions.device,
        sessions.device_type,
        sessions.account_rows,
        sessions.account_devices,
        device_type,
    )
    if not isinstance(counts, AccountCounts):
        counts = AccountCounts(
            *(
                np.ascontiguousarray(
                    getattr(counts, name), np.float32 if name.endswith("_days") else np.int64
                )
                for name in AccountCounts._fields
            )
        )
    return Columns(
        started_at=sessions.started_at,
        device=sessions.device,
        device_type=device_type,
        duration_s=sessions.duration_s,
        hi=sessions.ip_hi,
        lo=sessions.ip_lo,
        asn=enriched.asn,
        operator=enriched.operator,
        connection=enriched.connection,
        country=sessions.country,
        utc_offset_min=sessions.utc_offset_min,
        profile=sessions.profile,
        **counts._asdict(),
    )


def build_account_features(
    enriched: AccountNetworks, *, as_of: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Compute the features of the devices of one account, as :func:`build_features` does.

    Parameters
    ----------
    enriched : AccountNetworks
        The sessions that count: up to ``as_of``, within the window; at least one.
    as_of : int
        Microseconds since the epoch.

    Returns
    -------
    values, place, last_home_at
        As in :class:`Features`.
    """
    cut = enriched.sessions
    devices = int(cut.account_devices[-1])
    values = np.empty((devices, len(COLUMN_NAMES)))
    place, last_home_at = np.empty(devices, np.int32), np.empty(devices, np.int64)
    score_columns(
        _columns(enriched),
        cut.account_rows,
        cut.account_devices,
        0,
        1,
        as_of,
        values,
        place,
        last_home_at,
    )
    return values, place, last_home_at


def place_account_sessions(enriched: AccountNetworks, *, as_of: int) -> npt.NDArray[np.int32]:
    """Infer at which place each session of one account was, as :func:`assign_places` does.

    Parameters
    ----------
    enriched, as_of
        As in :func:`build_account_features`.

    Returns
    -------
    ndarray of int32, shape (n,)
        0 = home, then by claim; -1 = none, and mobile egress: nobody can go there.
    """
    cut = enriched.sessions
    place = np.empty(len(cut.device), np.int32)
    evidence = np.empty((len(place), 11 + len(TERMS)))
    start = np.empty(2, np.int64)
    count = place_sessions(
        _columns(enriched),
        cut.account_rows,
        cut.account_devices,
        as_of,
        DOUBT,
        place,
        evidence,
        start,
    )
    place[np.isin(place, np.flatnonzero(evidence[:count, 10]))] = -1
    return place


def _threads() -> int:
    given = environment("HOUSEHOLD_ML_THREADS")
    if given == "":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if not given.isdecimal() or int(given) < 1:
        raise ParameterError(
            Problem(
                "HOUSEHOLD_ML_THREADS must be a whole number of at least 1",
                repr(given),
                "Set it to a number of threads, or unset it.",
            )
        )
    return int(given)


def _in_window(
    sessions: Sessions | EnrichedSessions,
    statistics: NetworkStatistics | None,
    as_of: int | None,
    config: FeatureConfig,
) -> tuple[EnrichedSessions, int]:
    """Cut the sessions to the window before ``as_of`` and enrich what is left."""
    bare = sessions.sessions if isinstance(sessions, EnrichedSessions) else sessions
    if len(bare) == 0:
        raise NoSessionsError(
            Problem("sessions must have at least one row", "none", "Give a history to look at.")
        )
    moment = bare.last_started_at() if as_of is None else int(as_of)
    cut = bare.until(moment).since(moment - config.window_days * _DAY_US)
    if len(cut) == 0:
        raise NoSessionsError(
            Problem(
                f"sessions must have a row in the {config.window_days} days before as_of",
                "none",
                "Give a later as_of, or a longer history.",
            )
        )
    if isinstance(sessions, EnrichedSessions) and cut is bare and statistics is None:
        return sessions, moment
    if isinstance(sessions, EnrichedSessions) and statistics is None:
        statistics = sessions.statistics
    return enrich(cut, statistics=statistics), moment


def build_features(
    sessions: Sessions | EnrichedSessions,
    *,
    statistics: NetworkStatistics | None = None,
    as_of: int | None = None,
    config: FeatureConfig | None = None,
) -> Features:
    """Compute the features of every device that has a session in the window.

    Parameters
    ----------
    sessions : Sessions or EnrichedSessions
        Histories of any number of accounts.
    statistics : NetworkStatistics, optional
        Counts of accounts and devices per network. Left out, they are built from the sessions
        in the window themselves.
    as_of : int, optional
        Microseconds since the epoch; nothing after it is used. Left out, the last session.
    config : FeatureConfig, optional
        Length of the window.

    Returns
    -------
    Features
        One row a device.

    Raises
    ------
    NoSessionsError
        When no session lies in the window.
    """
    enriched, moment = _in_window(sessions, statistics, as_of, config or FeatureConfig())
    cut = enriched.sessions
    columns = _columns(enriched)
    devices = cut.n_devices
    values = np.empty((devices, len(COLUMN_NAMES)))
    place = np.empty(devices, np.int32)
    last_home_at = np.empty(devices, np.int64)
    threads = min(_threads(), max(1, len(cut) // 20_000))
    # Equal shares of sessions, not of accounts: accounts differ in size by orders of magnitude.
    shares = np.searchsorted(
        cut.account_rows, np.linspace(0, len(cut), threads + 1).astype(np.int64)
    )
    shares[0], shares[-1] = 0, cut.n_accounts

    def fill(begin: int, end: int) -> None:
        score_columns(
            columns,
            cut.account_rows,
            cut.account_devices,
            begin,
            end,
            moment,
            values,
            place,
            last_home_at,
        )

    if threads == 1:
        fill(0, cut.n_accounts)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, shares[:-1].tolist(), shares[1:].tolist()))
    account = cut.device_account()
    return Features(
        account_id=cut.account_id.take(pa.array(account)),
        device_id=cut.device_id,
        account=account,
        values=values,
        place=place,
        last_home_at=last_home_at,
        as_of=moment,
    )


def _infer(
    sessions: Sessions | EnrichedSessions,
    statistics: NetworkStatistics | None,
    as_of: int | None,
    config: FeatureConfig | None,
    least: float = DOUBT,
) -> tuple[Sessions, npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    enriched, moment = _in_window(sessions, statistics, as_of, config or FeatureConfig())
    cut = enriched.sessions
    place = np.empty(len(cut), np.int32)
    evidence = np.empty((len(cut), 11 + len(TERMS)))
    start = np.empty(cut.n_accounts + 1, np.int64)
    count = place_sessions(
        _columns(enriched),
        cut.account_rows,
        cut.account_devices,
        moment,
        least,
        place,
        evidence,
        start,
    )
    return cut, place, evidence[:count], start


def assign_places(
    sessions: Sessions | EnrichedSessions,
    *,
    statistics: NetworkStatistics | None = None,
    as_of: int | None = None,
    config: FeatureConfig | None = None,
) -> tuple[Sessions, npt.NDArray[np.int32]]:
    """Infer at which place of its account each session was.

    Parameters
    ----------
    sessions, statistics, as_of, config
        As in :func:`build_features`.

    Returns
    -------
    sessions : Sessions
        The sessions in the window, shape (n,).
    place : ndarray of int32, shape (n,)
        0 = home, then by claim; -1 = none (VPN, hotel, campus, and mobile egress unless it may
        be the account's home).
    """
    cut, place, _, _ = _infer(sessions, statistics, as_of, config)
    return cut, place


def infer_places(
    sessions: Sessions | EnrichedSessions,
    *,
    statistics: NetworkStatistics | None = None,
    as_of: int | None = None,
    config: FeatureConfig | None = None,
) -> pd.DataFrame:
    """Infer the places of each account, and which is home.

    Parameters
    ----------
    sessions, statistics, as_of, config
        As in :func:`build_features`.

    Returns
    -------
    pandas.DataFrame
        The table PLACES of :mod:`household_ml.schema`, one row a place, strongest claim first.
    """
    import pandas as pd

    cut, _, evidence, start = _infer(sessions, statistics, as_of, config)
    count = np.diff(start)
    account = np.repeat(np.arange(cut.n_accounts), count)

    def times(column: int) -> pd.Series:
        seconds = evidence[:, column].astype(np.int64)
        return pd.Series((seconds * 1_000_000).view("datetime64[us]")).dt.tz_localize("UTC")

    asn = pd.Series(evidence[:, 9].astype(np.int64), dtype="Int64")
    return pd.DataFrame(
        {
            "account_id": cut.account_id.take(pa.array(account)).to_pandas(),
            "place": np.arange(len(account)) - np.repeat(start[:-1], count),
            "claim": evidence[:, 0],
            "devices": evidence[:, 1].astype(np.int64),
            "fixed_devices": evidence[:, 2].astype(np.int64),
            "sessions": evidence[:, 3].astype(np.int64),
            "nights": evidence[:, 5].astype(np.int64),
            "networks": evidence[:, 6].astype(np.int64),
            "asn": asn.mask(asn == 0),
            "mobile": evidence[:, 10] > 0,
            "first_at": times(7),
            "last_at": times(8),
        }
    )
