"""How much has been seen of each device and of its account."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.scoring.verdicts import Evidence
from household_ml.sessions import Sessions
from household_ml.sessions.one_account import AccountSessions

__all__ = ["fill_evidence", "measure_evidence"]

_DAY_US = 86_400_000_000


def measure_evidence(sessions: Sessions | AccountSessions) -> Evidence:
    """Count the sessions of each device and the sessions and days of its account.

    Parameters
    ----------
    sessions : Sessions or AccountSessions
        The sessions that count: up to ``as_of``, within the window.

    Returns
    -------
    Evidence
        One row per device, in the order of ``sessions.device_id``.
    """
    devices = int(sessions.account_devices[-1])
    found = Evidence(*(np.empty(devices, dtype=np.int64) for _ in range(3)))
    fill_evidence(
        sessions.account_rows,
        sessions.account_devices,
        sessions.device,
        sessions.started_at,
        found.device_sessions,
        found.account_sessions,
        found.account_days,
    )
    return found


@compiled
def fill_evidence(
    account_rows: npt.NDArray[np.int64],
    account_devices: npt.NDArray[np.int64],
    device: npt.NDArray[np.int32],
    started_at: npt.NDArray[np.int64],
    device_sessions: npt.NDArray[np.int64],
    account_sessions: npt.NDArray[np.int64],
    account_days: npt.NDArray[np.int64],
) -> None:
    """Count sessions and days; callable from other compiled functions.

    Parameters
    ----------
    account_rows, account_devices, device, started_at
        As in `Sessions`.
    device_sessions, account_sessions, account_days : int64 array of shape (D,)
        Filled, see :class:`~household_ml.scoring.verdicts.Evidence`.
    """
    device_sessions[:] = 0
    for account in range(account_rows.size - 1):
        first, stop = account_rows[account], account_rows[account + 1]
        begin, end = account_devices[account], account_devices[account + 1]
        days = 0
        for row in range(first, stop):
            device_sessions[begin + device[row]] += 1
            if row == first or started_at[row] // _DAY_US != started_at[row - 1] // _DAY_US:
                days += 1
        account_sessions[begin:end] = stop - first
        account_days[begin:end] = days
