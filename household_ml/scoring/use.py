"""On how many days a device was used since some moment: the new evidence of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from household_ml.sessions import Sessions

__all__ = ["days_of_use"]

Ints = npt.NDArray[np.int64]

_DAY_US = 86_400_000_000


def days_of_use(sessions: Sessions, since: Ints) -> Ints:
    """Count the days on which each device has a session after a moment of its own.

    Parameters
    ----------
    sessions : Sessions
        The sessions that count: up to ``as_of``, within the window.
    since : int64 array of shape (D,)
        A moment for each device of the sessions, microseconds since the epoch. A session at that
        very moment was known then and does not count.

    Returns
    -------
    int64 array of shape (D,)
        Days, in UTC, each counted once.

    Examples
    --------
    >>> import pandas as pd
    >>> from household_ml.sessions import parse_time, read_sessions
    >>> starts = ["2026-03-01T20:00Z", "2026-03-02T20:00Z", "2026-03-02T21:00Z"]
    >>> frame = pd.DataFrame({"account_id": "a", "device_id": "tv", "started_at": starts})
    >>> sessions = read_sessions(frame.assign(ip="192.0.2.1"))
    >>> days_of_use(sessions, np.array([parse_time("2026-03-01T20:00Z")])).tolist()
    [1]
    """
    device = sessions.account_devices[sessions.row_account()] + sessions.device
    new = np.flatnonzero(sessions.started_at > since[device])
    if new.size == 0:
        return np.zeros(since.size, dtype=np.int64)
    day = sessions.started_at[new] // _DAY_US
    first = int(day.min())
    span = int(day.max()) - first + 1
    seen = np.unique(device[new] * span + (day - first))
    return np.bincount(seen // span, minlength=since.size).astype(np.int64)
