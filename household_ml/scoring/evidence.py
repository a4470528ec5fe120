"""How much has been seen of each device and of its account."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from household_ml.scoring.verdicts import Evidence
from household_ml.sessions import Sessions

__all__ = ["measure_evidence"]

_DAY_US = 86_400_000_000


def measure_evidence(sessions: Sessions) -> Evidence:
    """Count the sessions of each device and the sessions and days of its account.

    Parameters
    ----------
    sessions : Sessions
        The sessions that count: up to ``as_of``, within the window.

    Returns
    -------
    Evidence
        One row per device, in the order of ``sessions.device_id``.
    """
    accounts = sessions.account_id.__len__()
    rows_of = np.diff(sessions.account_rows)
    devices_of = np.diff(sessions.account_devices)
    row_account = np.repeat(np.arange(accounts), rows_of)
    device = sessions.account_devices[row_account] + sessions.device
    day = sessions.started_at // _DAY_US
    new_day = np.ones(day.size, dtype=bool)
    new_day[1:] = (np.diff(day) != 0) | (np.diff(row_account) != 0)
    days_of = np.bincount(row_account[new_day], minlength=accounts)
    return Evidence(
        device_sessions=np.bincount(device, minlength=int(devices_of.sum())),
        account_sessions=_per_device(rows_of, devices_of),
        account_days=_per_device(days_of, devices_of),
    )


def _per_device(
    of_account: npt.NDArray[np.int64], devices_of: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    return np.repeat(of_account, devices_of)
