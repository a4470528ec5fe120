"""In whose company a device is: travel with the household, simultaneous use, profiles, hours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.features import columns as c
from household_ml.features.elsewhere import second_place
from household_ml.features.history import UNKNOWN_MINUTES, Columns, History

__all__ = ["Company", "fill_company", "find_company"]

_TWO_DAYS = 2 * 86400
_HOURS = 6


class Company(NamedTuple):
    """What all devices of an account need of each other.

    ``member`` marks devices with most of their active days at home. ``accompanied`` marks
    sessions away from home on an address that another member used within 48 hours;
    ``egress`` those on mobile egress in a /20 or /48 where another member was; ``overlapping``
    those on a line away from home while another device played at home.
    """

    member: npt.NDArray[np.bool_]
    accompanied: npt.NDArray[np.bool_]
    egress: npt.NDArray[np.bool_]
    overlapping: npt.NDArray[np.bool_]
    hours: npt.NDArray[np.float64]
    country: np.int16


@compiled
def _members(history: History) -> npt.NDArray[np.bool_]:
    devices = history.device_start.size - 1
    member = np.zeros(devices, np.bool_)
    for d in range(devices):
        day = home_day = np.int64(-(10**9))
        days = home_days = 0
        for position in range(history.device_start[d], history.device_start[d + 1]):
            i = history.device_rows[position]
            if history.day[i] != day:
                day = history.day[i]
                days += 1
            if history.place[i] == 0 and history.day[i] != home_day:
                home_day = history.day[i]
                home_days += 1
        member[d] = home_days >= 2 and home_days * 3 >= days
    return member


@compiled
def _accompanied(history: History, member: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    n = history.time.size
    k = history.node_place.size
    marked = np.zeros(n, np.bool_)
    latest = np.empty((k, 2), np.int32)
    for backwards in range(2):
        latest[:] = -1
        for step in range(n):
            i = n - 1 - step if backwards else step
            u = history.node[i]
            if history.place[i] == 0:
                continue
            d = history.device[i]
            for rank in range(2):
                j = latest[u, rank]
                if (
                    j >= 0
                    and history.device[j] != d
                    and abs(history.time[j] - history.time[i]) <= _TWO_DAYS
                ):
                    marked[i] = True
            if member[d]:
                j = latest[u, 0]
                if j < 0 or history.device[j] != d:
                    latest[u, 1] = j
                latest[u, 0] = i
    return marked


@compiled
def _egress(history: History, member: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    n = history.time.size
    level2 = np.empty(n, np.uint64)
    rows = np.empty(n, np.int32)
    count = 0
    for i in range(n):
        if history.kind[i] == 1:
            level2[count] = history.nodes.level2[history.node[i]]
            rows[count] = i
            count += 1
    marked = np.zeros(n, np.bool_)
    order = np.argsort(level2[:count], kind="mergesort")
    begin = 0
    while begin < count:
        stop = begin
        first = second = -1
        while stop < count and level2[order[stop]] == level2[order[begin]]:
            d = history.device[rows[order[stop]]]
            if member[d]:
                if first < 0:
                    first = d
                elif d != first:
                    second = d
            stop += 1
        for rank in range(begin, stop):
            d = history.device[rows[order[rank]]]
            marked[rows[order[rank]]] = (first >= 0 and first != d) or second >= 0
        begin = stop
    return marked


@compiled
def _overlapping(history: History) -> npt.NDArray[np.bool_]:
    """Line sessions away from home that overlap one at home, on another device."""
    n = history.time.size
    marked = np.zeros(n, np.bool_)
    until = np.int64(-1)
    for i in range(n):
        played = history.minutes[i] if history.minutes[i] >= 0 else UNKNOWN_MINUTES
        stop = history.time[i] + np.int64(60 * min(played, 240.0))
        if history.place[i] == 0:
            until = max(until, stop)
        elif history.kind[i] == 0:
            if history.time[i] < until:
                marked[i] = True
            else:
                j = i + 1
                while j < n and history.time[j] < stop:
                    if history.place[j] == 0 and history.device[j] != history.device[i]:
                        marked[i] = True
                        break
                    j += 1
    return marked


@compiled
def find_company(history: History, columns: Columns, begin: int) -> Company:
    """Prepare what the devices of one account need of each other.

    Parameters
    ----------
    history : History
        The account.
    columns : Columns
        Sessions of all accounts; this account's begin at row ``begin``.
    begin : int
        First row of the account.

    Returns
    -------
    Company
        Marks per device and per session.
    """
    member = _members(history)
    hours = np.zeros(_HOURS)
    n = history.time.size
    country = np.int16(-1)
    votes = 0
    for i in range(n):
        if history.place[i] == 0:
            hours[history.hour[i] * _HOURS // 24] += 1.0
            # Majority vote in one pass (Boyer and Moore, 1981).
            if votes == 0:
                country = columns.country[begin + i]
            votes += 1 if columns.country[begin + i] == country else -1
    return Company(
        member,
        _accompanied(history, member),
        _egress(history, member),
        _overlapping(history),
        hours,
        country,
    )


@compiled
def _fill_profiles(
    history: History,
    columns: Columns,
    begin: int,
    d: int,
    rows: npt.NDArray[np.int32],
    second: int,
    out: npt.NDArray[np.float64],
) -> None:
    top = -1
    for i in rows:
        top = max(top, columns.profile[begin + i])
    if top < 0:
        return
    mine = np.zeros(top + 1, np.int32)
    with_profile = 0
    for i in rows:
        p = columns.profile[begin + i]
        if p >= 0:
            mine[p] += 1
            with_profile += 1
    others = np.zeros(top + 1, np.int32)
    others_home = np.zeros(top + 1, np.int32)
    others_second = np.zeros(top + 1, np.int32)
    days = shared_days = 0
    day = shared_day = np.int64(-(10**9))
    for i in range(history.time.size):
        p = columns.profile[begin + i]
        counted = p >= 0 and p <= top and history.device[i] != d
        if counted:
            others[p] += 1
            if second > 0 and history.place[i] == second:
                others_second[p] += 1
        if history.place[i] == 0:
            if history.day[i] != day:
                day = history.day[i]
                days += 1
            if counted:
                others_home[p] += 1
                if 3 * mine[p] >= with_profile and history.day[i] != shared_day:
                    shared_day = history.day[i]
                    shared_days += 1
    weight = share = shared = away = 0.0
    for p in range(top + 1):
        if mine[p] > 0 and others[p] > 0:
            weight += mine[p]
            share += mine[p] * others_home[p] / others[p]
            away += mine[p] * others_second[p] / others[p]
            shared += mine[p]
    if weight > 0:
        out[c.PROFILE_HOME_SHARE] = share / weight
        out[c.PROFILE_SECOND_SHARE] = away / weight
    out[c.PROFILE_SHARED_SHARE] = shared / with_profile
    if days > 0:
        out[c.PROFILE_HOME_DAYS] = shared_days / days


@compiled
def fill_company(
    history: History,
    columns: Columns,
    begin: int,
    company: Company,
    d: int,
    out: npt.NDArray[np.float64],
) -> None:
    """Fill the features of company, simultaneous use, profiles and hours of one device.

    Parameters
    ----------
    history, columns, begin
        As in :func:`find_company`.
    company : Company
        What it returned.
    d : int
        Number of the device.
    out : ndarray of float64, shape (f,)
        Row of the device.
    """
    rows = history.device_rows[history.device_start[d] : history.device_start[d + 1]]
    away = accompanied = mobile = egress = lines_away = overlapping = foreign = located = 0
    hours = np.zeros(_HOURS)
    for i in rows:
        hours[history.hour[i] * _HOURS // 24] += 1.0
        if history.place[i] != 0:
            away += 1
            if company.accompanied[i]:
                accompanied += 1
            if history.kind[i] == 0:
                lines_away += 1
                if company.overlapping[i]:
                    overlapping += 1
        if history.kind[i] == 1:
            mobile += 1
            if company.egress[i]:
                egress += 1
        if columns.country[begin + i] >= 0:
            located += 1
            if columns.country[begin + i] != company.country:
                foreign += 1
    if away > 0:
        out[c.COMPANION_SHARE] = accompanied / away
    if mobile > 0:
        out[c.EGRESS_SHARE] = egress / mobile
    if lines_away > 0:
        out[c.SIMULTANEOUS_SHARE] = overlapping / lines_away
    if located > 0 and company.country >= 0:
        out[c.FOREIGN_SHARE] = foreign / located
    at_home = company.hours.sum()
    if at_home > 0:
        distance = 0.0
        for b in range(_HOURS):
            distance += abs(hours[b] / rows.size - company.hours[b] / at_home)
        out[c.HOUR_DISTANCE] = distance
    second, _ = second_place(history, rows)
    if second > 0:
        others = members = 0
        for i in range(history.time.size):
            if history.place[i] == second and history.device[i] != d:
                others += 1
                if company.member[history.device[i]]:
                    members += 1
        if others > 0:
            out[c.SECOND_MEMBER_SHARE] = members / others
    _fill_profiles(history, columns, begin, d, rows, second, out)
