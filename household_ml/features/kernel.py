"""The one kernel: from columns of sessions to rows of features, account by account.

The same compiled function serves one account and a partition of millions; threads share
nothing but the read-only columns and write to rows of their own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.features import columns as c
from household_ml.features.catalogue import FEATURE_NAMES
from household_ml.features.colocation import fill_colocation, find_anchors
from household_ml.features.company import fill_company, find_company
from household_ml.features.context import fill_context, fill_rules
from household_ml.features.elsewhere import fill_elsewhere
from household_ml.features.history import Columns, History, read_history, seen_from
from household_ml.features.homes import DOUBT
from household_ml.features.presence import fill_presence
from household_ml.features.ties import has_ties, settle_ties, take_rows

__all__ = ["place_sessions", "score_columns"]

_FEATURES = len(FEATURE_NAMES)


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
        Filled with the columns of
        :data:`~household_ml.features.catalogue.COLUMN_NAMES`.
    device_place : ndarray of int32, shape (d,)
        Filled with the place each device belongs to, 0 = home, -1 = none.
    last_home_at : ndarray of int64, shape (d,)
        Filled with the last session at home in microseconds, the least integer where none.
    """
    for account in range(begin, end):
        first, stop = account_rows[account], account_rows[account + 1]
        begin_device, end_device = account_devices[account], account_devices[account + 1]
        out = values[begin_device:end_device]
        place = device_place[begin_device:end_device]
        last_home = last_home_at[begin_device:end_device]
        if has_ties(columns.started_at, first, stop):
            settled = take_rows(columns, settle_ties(columns, first, stop))
            _score_account(settled, 0, stop - first, as_of, out, place, last_home)
        else:
            _score_account(columns, first, stop, as_of, out, place, last_home)


@compiled
def _score_account(
    columns: Columns,
    first: int,
    stop: int,
    as_of: int,
    out: npt.NDArray[np.float64],
    device_place: npt.NDArray[np.int32],
    last_home_at: npt.NDArray[np.int64],
) -> None:
    devices = device_place.size
    history = read_history(columns, first, stop, devices, as_of, DOUBT)
    claim = history.places.claim
    _fill_place(history.place, history.device_rows, history.device_start, claim.size, device_place)
    out[:] = np.nan
    fill_rules(history, out)
    doubt = claim.size > 1 and claim[1] >= DOUBT
    # One call in a loop, not two: the features are compiled into the machine code once.
    for rival in range(2 if doubt else 1):
        _fill(seen_from(history, rival), columns, first, out[:, rival * _FEATURES :])
    if claim.size > 0:
        out[:, c.HOME_CLAIM] = claim[0]
        out[:, c.RIVAL_CLAIM] = claim[1] if claim.size > 1 else 0.0
    last_home_at[:] = np.iinfo(np.int64).min
    for i in range(stop - first):
        if history.place[i] == 0:
            last_home_at[history.device[i]] = columns.started_at[first + i]


@compiled
def _fill(history: History, columns: Columns, first: int, out: npt.NDArray[np.float64]) -> None:
    """Fill the features that the classifier sees, place 0 taken for home."""
    anchors = find_anchors(history)
    company = find_company(history, columns, first)
    for d in range(out.shape[0]):
        fill_presence(history, d, out[d])
        fill_colocation(history, anchors, d, out[d])
        fill_elsewhere(history, d, out[d])
        fill_company(history, columns, first, company, d, out[d])
    fill_context(history, columns, first, out)


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
    least: float,
    place: npt.NDArray[np.int32],
    evidence: npt.NDArray[np.float64],
    place_start: npt.NDArray[np.int64],
) -> int:
    """Infer the place of every session, and what speaks for every place.

    Parameters
    ----------
    columns, account_rows, account_devices, as_of
        As in :func:`score_columns`.
    least : float
        Claim from which mobile egress is a place.
    place : ndarray of int32, shape (n,)
        Filled with the place of each session, -1 for none.
    evidence : ndarray of float64, shape (n, 11 + t)
        Its first rows are filled, one a place: claim, devices, fixed devices, sessions, days,
        nights, networks, first and last second of use, AS, whether it is mobile egress, and the t
        terms of the claim.
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
        place_start[account] = count
        if has_ties(columns.started_at, first, stop):
            order = settle_ties(columns, first, stop)
            settled = take_rows(columns, order)
            found = np.empty(stop - first, np.int32)
            count += _place_account(
                settled, 0, stop - first, devices, as_of, least, found, evidence[count:]
            )
            for i in range(stop - first):
                place[order[i]] = found[i]
        else:
            count += _place_account(
                columns, first, stop, devices, as_of, least, place[first:stop], evidence[count:]
            )
    place_start[account_rows.size - 1] = count
    return count


@compiled
def _place_account(
    columns: Columns,
    first: int,
    stop: int,
    devices: int,
    as_of: int,
    least: float,
    place: npt.NDArray[np.int32],
    evidence: npt.NDArray[np.float64],
) -> int:
    history = read_history(columns, first, stop, devices, as_of, least)
    places = history.places
    votes = np.zeros(places.claim.size)
    for p in range(places.claim.size):
        row = evidence[p]
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
        row[10] = 1.0 if p == places.mobile else 0.0
        row[11:] = places.terms[p]
    for i in range(stop - first):
        p = history.place[i]
        place[i] = p
        if p >= 0:
            asn = np.float64(columns.asn[first + i])
            if votes[p] == 0.0:
                evidence[p, 9] = asn
            votes[p] += 1.0 if evidence[p, 9] == asn else -1.0
    return places.claim.size
