"""The one kernel: from columns of sessions to rows of features, account by account.

The same compiled function serves one account and a partition of millions; threads share
nothing but the read-only columns and write to rows of their own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.features.colocation import fill_colocation, find_anchors
from household_ml.features.company import fill_company, find_company
from household_ml.features.context import fill_context, fill_rules
from household_ml.features.elsewhere import fill_elsewhere
from household_ml.features.history import Columns, read_history
from household_ml.features.presence import fill_presence

__all__ = ["place_sessions", "score_columns"]


@compiled
def score_columns(
    columns: Columns,
    account_rows: npt.NDArray[np.int64],
    account_devices: npt.NDArray[np.int64],
    begin: int,
    end: int,
    as_of: int,
    values: npt.NDArray[np.float64],
    device_place: npt.NDArray[np.int32],
    last_home_at: npt.NDArray[np.int64],
) -> None:
    """Fill the feature rows of the devices of some accounts.

    Parameters
    ----------
    columns : Columns
        Sessions of all accounts, ordered by account and time.
    account_rows, account_devices : ndarray of int64, shape (a + 1,)
        Where the sessions and the devices of each account begin.
    begin, end : int
        Accounts to fill.
    as_of : int
        Microseconds since the epoch.
    values : ndarray of float64, shape (d, f)
        Filled with features.
    device_place : ndarray of int32, shape (d,)
        Filled with the place each device belongs to, 0 = home, -1 = none.
    last_home_at : ndarray of int64, shape (d,)
        Filled with the last session at home in microseconds, the least integer where none.
    """
    for account in range(begin, end):
        first, stop = account_rows[account], account_rows[account + 1]
        device = account_devices[account]
        devices = account_devices[account + 1] - device
        history = read_history(columns, first, stop, devices, as_of)
        anchors = find_anchors(history)
        company = find_company(history, columns, first)
        out = values[device : device + devices]
        out[:] = np.nan
        for d in range(devices):
            fill_presence(history, d, out[d])
            fill_colocation(history, anchors, d, out[d])
            fill_elsewhere(history, d, out[d])
            fill_company(history, columns, first, company, d, out[d])
        fill_context(history, columns, first, out)
        fill_rules(history, out)
        _fill_place(
            history.place,
            history.device_rows,
            history.device_start,
            history.places.claim.size,
            device_place[device : device + devices],
        )
        last_home_at[device : device + devices] = np.iinfo(np.int64).min
        for i in range(stop - first):
            if history.place[i] == 0:
                last_home_at[device + history.device[i]] = columns.started_at[first + i]


@compiled
def _fill_place(
    place: npt.NDArray[np.int32],
    device_rows: npt.NDArray[np.int32],
    device_start: npt.NDArray[np.int32],
    places: int,
    out: npt.NDArray[np.int32],
) -> None:
    count = np.zeros(places, np.int32)
    for d in range(device_start.size - 1):
        best = -1
        for position in range(device_start[d], device_start[d + 1]):
            p = place[device_rows[position]]
            if p >= 0:
                count[p] += 1
                if best < 0 or count[p] > count[best] or (count[p] == count[best] and p < best):
                    best = p
        for position in range(device_start[d], device_start[d + 1]):
            p = place[device_rows[position]]
            if p >= 0:
                count[p] = 0
        out[d] = best


@compiled
def place_sessions(
    columns: Columns,
    account_rows: npt.NDArray[np.int64],
    account_devices: npt.NDArray[np.int64],
    as_of: int,
    place: npt.NDArray[np.int32],
    evidence: npt.NDArray[np.float64],
    place_start: npt.NDArray[np.int64],
) -> int:
    """Infer the place of every session, and what speaks for every place.

    Parameters
    ----------
    columns, account_rows, account_devices, as_of
        As in :func:`score_columns`.
    place : ndarray of int32, shape (n,)
        Filled with the place of each session, -1 for none.
    evidence : ndarray of float64, shape (n, 10)
        Its first rows are filled, one a place: claim, devices, fixed devices, sessions, days,
        nights, networks, first and last second of use, AS.
    place_start : ndarray of int64, shape (a + 1,)
        Filled with where the places of each account begin.

    Returns
    -------
    int
        Places of all accounts.
    """
    count = 0
    for account in range(account_rows.size - 1):
        first, stop = account_rows[account], account_rows[account + 1]
        devices = account_devices[account + 1] - account_devices[account]
        history = read_history(columns, first, stop, devices, as_of)
        place_start[account] = count
        places = history.places
        votes = np.zeros(places.claim.size)
        for p in range(places.claim.size):
            row = evidence[count + p]
            row[0] = places.claim[p]
            row[1] = places.devices[p]
            row[2] = places.fixed_devices[p]
            row[3] = places.sessions[p]
            row[4] = places.days[p]
            row[5] = places.nights[p]
            row[6] = places.networks[p]
            row[7] = places.first[p]
            row[8] = places.last[p]
            row[9] = 0.0
        for i in range(stop - first):
            p = history.place[i]
            place[first + i] = p
            if p >= 0:
                asn = np.float64(columns.asn[first + i])
                if votes[p] == 0.0:
                    evidence[count + p, 9] = asn
                votes[p] += 1.0 if evidence[count + p, 9] == asn else -1.0
        count += places.claim.size
    place_start[account_rows.size - 1] = count
    return count
