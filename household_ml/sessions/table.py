"""Sessions as columns, ordered by account and time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from household_ml.display import facts_html
from household_ml.schema import DEVICE_TYPES
from household_ml.sessions.addresses import format_addresses
from household_ml.sessions.localtime import NO_COUNTRY, country_name
from household_ml.sessions.ordering import number_within
from household_ml.sessions.reading import Reading

__all__ = ["ROW_COLUMNS", "Sessions"]

#: Columns with a value for each row.
ROW_COLUMNS = (
    "device",
    "started_at",
    "duration_s",
    "ip_hi",
    "ip_lo",
    "asn",
    "device_type",
    "country",
    "utc_offset_min",
    "profile",
)


@dataclass(frozen=True)
class Sessions:
    """Accepted sessions of A accounts with D devices, N rows, each column an array.

    Rows lie by account id, then by start, device id, address and all other columns, so the order
    of the input never shows. Two rows are never equal in all columns.

    Attributes
    ----------
    account_id : pyarrow.LargeStringArray, length A
        Sorted, unique.
    device_id : pyarrow.LargeStringArray, length D
        Sorted within each account.
    account_rows : ndarray of int64, shape (A + 1,)
        Offsets of the accounts in the rows.
    account_devices : ndarray of int64, shape (A + 1,)
        Offsets of the accounts in `device_id`.
    device : ndarray of int32, shape (N,)
        Number of the device within its account, from 0.
    started_at : ndarray of int64, shape (N,)
        Microseconds since 1970-01-01T00:00Z.
    duration_s : ndarray of float32, shape (N,)
        Seconds, not negative; NaN = unknown.
    ip_hi, ip_lo : ndarray of uint64, shape (N,)
        Halves of the 128-bit address; IPv4 as ``::ffff:a.b.c.d``.
    asn : ndarray of uint32, shape (N,)
        0 = unknown.
    device_type : ndarray of int8, shape (N,)
        Index in `DEVICE_TYPES`; -1 = unknown.
    country : ndarray of int16, shape (N,)
        26 * first + second letter; -1 = unknown.
    utc_offset_min : ndarray of int16, shape (N,)
        Minutes east of UTC: as given, else from the country, else 0.
    profile : ndarray of int32, shape (N,)
        Number of the profile within its account, from 0; -1 = unknown.
    reading : Reading
        What was read and what was rejected.

    Examples
    --------
    >>> from household_ml.sessions import read_sessions
    >>> import pandas as pd
    >>> sessions = read_sessions(pd.DataFrame({
    ...     "account_id": ["b", "a"], "device_id": ["tv", "tv"], "ip": ["192.0.2.1", "2001:db8::1"],
    ...     "started_at": ["2026-03-01T20:00Z", "2026-03-02T21:00+01:00"],
    ... }))
    >>> sessions
    <Sessions: 2 rows, 2 accounts, 2 devices, 2026-03-01 to 2026-03-02>
    >>> sessions.account_id.to_pylist()
    ['a', 'b']
    >>> sessions.until(sessions.started_at.min()).account_id.to_pylist()
    ['b']
    """

    account_id: pa.LargeStringArray
    device_id: pa.LargeStringArray
    account_rows: np.ndarray
    account_devices: np.ndarray
    device: np.ndarray
    started_at: np.ndarray
    duration_s: np.ndarray
    ip_hi: np.ndarray
    ip_lo: np.ndarray
    asn: np.ndarray
    device_type: np.ndarray
    country: np.ndarray
    utc_offset_min: np.ndarray
    profile: np.ndarray
    reading: Reading = field(repr=False)

    @property
    def n_accounts(self) -> int:
        """Number of accounts, A."""
        return len(self.account_id)

    @property
    def n_devices(self) -> int:
        """Number of devices of all accounts together, D."""
        return len(self.device_id)

    def __len__(self) -> int:
        return len(self.started_at)

    def __repr__(self) -> str:
        span = ""
        if len(self):
            first, last = np.array([self.started_at.min(), self.last_started_at()], "M8[us]")
            span = f", {first.astype('M8[D]')} to {last.astype('M8[D]')}"
        size = f"{len(self)} rows, {self.n_accounts} accounts, {self.n_devices} devices"
        return f"<Sessions: {size}{span}>"

    def _repr_html_(self) -> str:
        reading = self.reading
        span = np.array([], "M8[D]")
        if len(self):
            span = np.array([self.started_at.min(), self.last_started_at()], "M8[us]")
        return facts_html(
            "Sessions",
            {
                "rows": f"{len(self):,}",
                "accounts": f"{self.n_accounts:,}",
                "devices": f"{self.n_devices:,}",
                "from, to": ", ".join(str(day) for day in span.astype("M8[D]")),
                "read": str(reading),
                "format": reading.format,
                "notes": "; ".join(reading.notes),
            },
        )

    def last_started_at(self) -> int:
        """Latest start, microseconds since 1970, UTC; `as_of` when none is given."""
        return int(self.started_at.max())

    def row_account(self) -> np.ndarray:
        """Account of each row: ndarray of int64, shape (N,)."""
        return np.repeat(np.arange(self.n_accounts), np.diff(self.account_rows))

    def device_account(self) -> np.ndarray:
        """Account of each device: ndarray of int64, shape (D,)."""
        return np.repeat(np.arange(self.n_accounts), np.diff(self.account_devices))

    def until(self, as_of: int) -> Sessions:
        """Sessions that started at `as_of` or before, as if nothing later had been read.

        Parameters
        ----------
        as_of : int
            Microseconds since 1970, UTC.

        Returns
        -------
        Sessions
            Devices and accounts without a row left are gone.
        """
        return self._take(self.started_at <= as_of)

    def since(self, first: int) -> Sessions:
        """Sessions that started at `first` (microseconds since 1970, UTC) or after."""
        return self._take(self.started_at >= first)

    def take_accounts(self, accounts: np.ndarray) -> Sessions:
        """Sessions of some accounts.

        Parameters
        ----------
        accounts : ndarray of int, or of bool with shape (A,)
            Numbers of the accounts, in any order, or which to take.

        Returns
        -------
        Sessions
            In the order of the account ids.
        """
        chosen = np.zeros(self.n_accounts, np.bool_)
        chosen[accounts] = True
        kept = np.flatnonzero(chosen)
        if kept.size and kept[-1] - kept[0] + 1 == kept.size:
            return self._slice(int(kept[0]), int(kept[-1]) + 1)
        return self._take(np.repeat(chosen, np.diff(self.account_rows)))

    def _slice(self, first: int, stop: int) -> Sessions:
        """Sessions of neighbouring accounts, as views: nothing is copied."""
        rows = slice(int(self.account_rows[first]), int(self.account_rows[stop]))
        start, end = (int(self.account_devices[edge]) for edge in (first, stop))
        return replace(
            self,
            account_id=self.account_id.slice(first, stop - first),
            device_id=self.device_id.slice(start, end - start),
            account_rows=self.account_rows[first : stop + 1] - rows.start,
            account_devices=self.account_devices[first : stop + 1] - start,
            **{name: getattr(self, name)[rows] for name in ROW_COLUMNS},
        )

    def _take(self, rows: np.ndarray) -> Sessions:
        if rows.all():
            return self
        account = self.row_account()[rows]
        columns = {name: getattr(self, name)[rows] for name in ROW_COLUMNS}
        sizes = np.bincount(account, minlength=self.n_accounts)
        kept = np.flatnonzero(sizes)
        account_rows = _offsets(sizes[kept])
        devices = number_within(account_rows, columns["device"])
        profiles = number_within(account_rows, columns["profile"])
        columns["device"], columns["profile"] = devices.numbers, profiles.numbers
        starts = np.repeat(self.account_devices[kept], np.diff(devices.starts))
        return replace(
            self,
            account_id=self.account_id.take(pa.array(kept)),
            device_id=self.device_id.take(pa.array(starts + devices.values)),
            account_rows=account_rows,
            account_devices=devices.starts,
            **columns,
        )

    def to_table(self) -> pa.Table:
        """The sessions as an Arrow table with the columns of the contract.

        Profiles are named by their number within the account; the offset is the resolved one.
        Reading the table again gives equal sessions.
        """
        account = self.row_account()
        device = self.account_devices[account] + self.device
        no_profile = self.profile < 0
        names = pa.array([country_name(code) for code in range(26 * 26)], pa.large_string())
        types = pa.array(DEVICE_TYPES, pa.large_string())
        return pa.table(
            {
                "account_id": self.account_id.take(pa.array(account)),
                "device_id": self.device_id.take(pa.array(device)),
                "started_at": pa.array(self.started_at, pa.int64()).cast(
                    pa.timestamp("us", tz="UTC")
                ),
                "duration_s": pa.array(self.duration_s, pa.float32(), from_pandas=True),
                "ip": format_addresses(self.ip_hi, self.ip_lo),
                "asn": pa.array(self.asn, pa.uint32(), mask=self.asn == 0),
                "device_type": types.take(
                    pa.array(self.device_type, pa.int8(), mask=self.device_type < 0)
                ),
                "country": names.take(
                    pa.array(self.country, pa.int16(), mask=self.country == NO_COUNTRY)
                ),
                "utc_offset_min": pa.array(self.utc_offset_min, pa.int16()),
                "profile_id": _profile_names(self.profile, no_profile),
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """The sessions as a DataFrame with the columns of the contract; see `to_table`."""
        frame: pd.DataFrame = self.to_table().to_pandas()
        return frame


def _offsets(sizes: np.ndarray) -> np.ndarray:
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets


def _profile_names(profile: np.ndarray, missing: np.ndarray) -> pa.Array:
    """Numbers as text of one width, so that their order as text is their order as numbers."""
    highest = int(profile.max()) if len(profile) else 0
    width = len(str(max(highest, 0)))
    names = pa.array([f"{number:0{width}d}" for number in range(highest + 1)], pa.large_string())
    return names.take(pa.array(profile, pa.int32(), mask=missing))
