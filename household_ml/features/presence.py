"""How much and how lately a device was used, at home and at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.features import columns as c
from household_ml.features.catalogue import CAP_DAYS
from household_ml.features.history import UNKNOWN_MINUTES, History

__all__ = ["fill_presence"]

_DAY = 86400.0
_NEVER = -(10**9)


@compiled
def fill_presence(history: History, d: int, out: npt.NDArray[np.float64]) -> None:
    """Fill the features of activity, home presence and recency of one device.

    Parameters
    ----------
    history : History
        The account.
    d : int
        Number of the device within it.
    out : ndarray of float64, shape (f,)
        Row of the device; NaN stands already where nothing is filled in.
    """
    begin, end = history.device_start[d], history.device_start[d + 1]
    n = end - begin
    rows = history.device_rows[begin:end]
    as_of = history.as_of
    first, last = history.time[rows[0]], history.time[rows[n - 1]]
    home = lines = nights = home_nights = recent = recent_home = 0
    days = home_days = weeks = home_weeks = 0
    day = home_day = week = home_week = _NEVER
    minutes = home_minutes = private = 0.0
    last_home = np.int64(-1)
    absence = np.int64(0)
    first_line = last_line = -1
    for i in rows:
        at_home = history.place[i] == 0
        t = history.time[i]
        this_day = history.day[i]
        this_week = this_day // 7
        if this_day != day:
            day = this_day
            days += 1
        if this_week != week:
            week = this_week
            weeks += 1
        if history.night[i]:
            nights += 1
        if as_of - t <= 30 * _DAY:
            recent += 1
        if at_home or history.kind[i] == 0:
            lines += 1
            last_line = i
            if first_line < 0:
                first_line = i
        played = history.minutes[i] if history.minutes[i] >= 0 else UNKNOWN_MINUTES
        minutes += played
        if at_home:
            home += 1
            home_minutes += played
            private += 1.0 / history.nodes.concurrency[history.node[i]]
            if history.night[i]:
                home_nights += 1
            if as_of - t <= 30 * _DAY:
                recent_home += 1
            if this_day != home_day:
                home_day = this_day
                home_days += 1
            if this_week != home_week:
                home_week = this_week
                home_weeks += 1
            absence = max(absence, t - (last_home if last_home >= 0 else first))
            last_home = t
    if last_home >= 0:
        absence = max(absence, last - last_home)
    out[c.SESSIONS] = np.log1p(n)
    out[c.ACTIVE_DAYS] = days
    out[c.TENURE_DAYS] = (last - first) / _DAY
    out[c.DAYS_SINCE_LAST] = (as_of - last) / _DAY
    out[c.JOINED_AFTER_DAYS] = (first - history.time[0]) / _DAY
    out[c.SESSION_SHARE] = n / history.time.size
    out[c.NIGHT_SHARE] = nights / n
    out[c.HOME_SHARE] = home / n
    if lines > 0:
        out[c.HOME_LINE_SHARE] = home / lines
        out[c.FIRST_AT_HOME] = 1.0 if history.place[first_line] == 0 else 0.0
        out[c.LAST_AT_HOME] = 1.0 if history.place[last_line] == 0 else 0.0
    if nights > 0:
        out[c.HOME_NIGHT_SHARE] = home_nights / nights
    out[c.HOME_DAYS] = np.log1p(home_days)
    out[c.HOME_DAY_SHARE] = home_days / days
    out[c.HOME_WEEK_SHARE] = home_weeks / weeks
    if minutes > 0:
        out[c.HOME_MINUTES_SHARE] = home_minutes / minutes
    out[c.HOME_PRIVATE_SHARE] = private / n
    if recent > 0:
        out[c.HOME_SHARE_30D] = recent_home / recent
    out[c.DAYS_SINCE_HOME] = (as_of - last_home) / _DAY if last_home >= 0 else CAP_DAYS
    out[c.LONGEST_ABSENCE_DAYS] = absence / _DAY if last_home >= 0 else CAP_DAYS
    used = np.zeros(history.node_place.size, np.bool_)
    for i in rows:
        used[history.node[i]] = True
    held = kept = 0
    for u in range(history.node_place.size):
        if (
            history.node_place[u] == 0
            and history.nodes.first[u] <= last
            and history.nodes.last[u] >= first
        ):
            held += 1
            if used[u]:
                kept += 1
    if held > 0:
        out[c.HOME_NETWORKS_SHARE] = kept / held
