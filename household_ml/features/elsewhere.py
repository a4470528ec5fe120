"""Where a device is when it is not at home: a second place, the road, other access."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.features import columns as c
from household_ml.features.catalogue import CAP_DAYS
from household_ml.features.history import History

__all__ = ["fill_elsewhere", "second_place"]

_DAY = 86400.0
_NEVER = -(10**9)


@compiled
def second_place(
    history: History, rows: npt.NDArray[np.int32]
) -> tuple[int, npt.NDArray[np.int32]]:
    """Find the device's main place that is not home, by days, then by claim.

    Parameters
    ----------
    history : History
        The account.
    rows : ndarray of int32, shape (n,)
        Sessions of the device.

    Returns
    -------
    second : int
        Number of the place, 0 where there is none.
    days : ndarray of int32, shape (p,)
        Days of the device at each place.
    """
    places = history.places.claim.size
    days = np.zeros(places, np.int32)
    last_day = np.full(places, _NEVER, np.int64)
    for i in rows:
        p = history.place[i]
        if p >= 0 and history.day[i] != last_day[p]:
            last_day[p] = history.day[i]
            days[p] += 1
    best = 0
    for p in range(1, places):
        if days[p] > 0 and (best == 0 or days[p] > days[best]):
            best = p
    return best, days


@compiled
def _fill_parallel(
    history: History,
    rows: npt.NDArray[np.int32],
    second: int,
    days: int,
    d: int,
    out: npt.NDArray[np.float64],
) -> None:
    """Whether home went on without it: a family that is away leaves its home idle."""
    parallel = 0
    day = np.int64(_NEVER)
    cursor = 0
    n = history.time.size
    for i in rows:
        if history.place[i] != second or history.day[i] == day:
            continue
        day = history.day[i]
        while cursor < n and history.day[cursor] < day:
            cursor += 1
        j = cursor
        while j < n and history.day[j] == day:
            if history.place[j] == 0 and history.device[j] != d:
                parallel += 1
                break
            j += 1
    out[c.PARALLEL_SHARE] = parallel / days


@compiled
def _fill_second(
    history: History,
    rows: npt.NDArray[np.int32],
    second: int,
    days: npt.NDArray[np.int32],
    d: int,
    out: npt.NDArray[np.float64],
) -> None:
    n = rows.size
    sessions = nights = second_nights = active = weekend = recent = second_recent = 0
    day = np.int64(_NEVER)
    run_start = np.int64(-1)
    run = np.int64(0)
    first = last = np.int64(-1)
    concurrency = 1.0
    for i in rows:
        if history.day[i] != day:
            day = history.day[i]
            active += 1
        if history.night[i]:
            nights += 1
        if history.as_of - history.time[i] <= 30 * _DAY:
            recent += 1
        p = history.place[i]
        if p == 0:
            run_start = np.int64(-1)
        elif p == second:
            sessions += 1
            # 1 January 1970 was a Thursday.
            if (history.day[i] + 3) % 7 >= 5:
                weekend += 1
            if history.as_of - history.time[i] <= 30 * _DAY:
                second_recent += 1
            if history.night[i]:
                second_nights += 1
            if first < 0:
                first = history.time[i]
            last = history.time[i]
            if run_start < 0:
                run_start = history.time[i]
            run = max(run, history.time[i] - run_start)
            concurrency = max(concurrency, history.nodes.concurrency[history.node[i]])
    out[c.SECOND_SHARE] = sessions / n
    out[c.SECOND_WEEKEND_SHARE] = weekend / sessions
    if recent > 0:
        out[c.SECOND_SHARE_30D] = second_recent / recent
    if nights > 0:
        out[c.SECOND_NIGHT_SHARE] = second_nights / nights
    out[c.SECOND_DAYS] = np.log1p(days[second])
    out[c.SECOND_DAY_SHARE] = days[second] / active
    out[c.SECOND_RUN_DAYS] = run / _DAY
    out[c.DAYS_SINCE_SECOND] = (history.as_of - last) / _DAY
    out[c.SECOND_AFTER_DAYS] = (first - history.time[rows[0]]) / _DAY
    out[c.SECOND_CONCURRENCY] = concurrency
    out[c.HOME_AGAINST_SECOND] = days[0] / (days[0] + days[second])
    _fill_parallel(history, rows, second, days[second], d, out)
    others = fixed = 0
    seen = np.zeros(history.device_start.size - 1, np.bool_)
    for i in range(history.time.size):
        if history.place[i] == second and not seen[history.device[i]]:
            seen[history.device[i]] = True
            if history.device[i] != d:
                others += 1
            if history.fixed[i]:
                fixed += 1
    out[c.SECOND_DEVICES] = np.log1p(others)
    out[c.SECOND_FIXED] = 1.0 if fixed > 0 else 0.0
    same = 0.0
    for u in range(history.node_place.size):
        if history.node_place[u] == second:
            for v in range(history.node_place.size):
                if (
                    history.node_place[v] == 0
                    and history.nodes.carrier[u] == history.nodes.carrier[v]
                ):
                    same = 1.0
                    break
            break
    out[c.SECOND_SAME_OPERATOR] = same


@compiled
def _fill_travel(
    history: History, rows: npt.NDArray[np.int32], out: npt.NDArray[np.float64]
) -> None:
    n = rows.size
    nodes = history.nodes
    used = np.zeros(history.node_place.size, np.int32)
    visited = np.zeros(history.places.claim.size, np.bool_)
    lines = other_lines = other_operator = cellular = hosting = shared = away_places = 0
    settled = passing = 0
    concurrency = 0.0
    for i in rows:
        u = history.node[i]
        used[u] += 1
        concurrency += np.log(nodes.concurrency[u])
        kind = nodes.kind[u]
        if kind == 1:
            cellular += 1
        elif kind == 2:
            hosting += 1
        elif kind == 3:
            shared += 1
        else:
            lines += 1
            if history.places.days[history.place[i]] <= 2:
                passing += 1
            if history.place[i] != 0:
                other_lines += 1
                if history.places.days[history.place[i]] >= 3:
                    settled += 1
                if not visited[history.place[i]]:
                    visited[history.place[i]] = True
                    away_places += 1
    distinct = operators = 0
    entropy = 0.0
    most = 0
    order = np.argsort(nodes.carrier, kind="mergesort")
    begin = 0
    k = order.size
    while begin < k:
        stop = begin
        total = home = np.int64(0)
        any_home = False
        while stop < k and nodes.carrier[order[stop]] == nodes.carrier[order[begin]]:
            u = order[stop]
            if used[u] > 0:
                total += 1
                if nodes.kind[u] == 0 and history.node_place[u] != 0:
                    home += used[u]
            any_home = any_home or history.node_place[u] == 0
            stop += 1
        if total > 0:
            operators += 1
        if not any_home:
            other_operator += int(home)
        most = max(most, int(home))
        begin = stop
    for u in range(k):
        if used[u] > 0:
            distinct += 1
            share = used[u] / n
            entropy -= share * np.log(share)
    out[c.OTHER_LINE_SHARE] = other_lines / n
    out[c.SETTLED_OTHER_SHARE] = settled / n
    out[c.PASSING_SHARE] = passing / n
    if lines > 0:
        out[c.OTHER_OPERATOR_SHARE] = other_operator / lines
    out[c.CELLULAR_SHARE] = cellular / n
    out[c.HOSTING_SHARE] = hosting / n
    out[c.SHARED_ACCESS_SHARE] = shared / n
    out[c.MAIN_OTHER_OPERATOR_SHARE] = most / n
    out[c.NETWORKS_PER_SESSION] = distinct / n
    out[c.OPERATORS] = np.log1p(operators)
    out[c.ENTROPY] = entropy
    out[c.PLACES_PER_SESSION] = away_places / n
    out[c.OWN_CONCURRENCY] = concurrency / n


@compiled
def _fill_home_against_none(days: int, out: npt.NDArray[np.float64]) -> None:
    """No second place: what counts against the household is zero, not unknown."""
    out[c.SECOND_SHARE] = 0.0
    out[c.SECOND_NIGHT_SHARE] = 0.0
    out[c.SECOND_DAYS] = 0.0
    out[c.SECOND_DAY_SHARE] = 0.0
    out[c.SECOND_RUN_DAYS] = 0.0
    out[c.SECOND_SHARE_30D] = 0.0
    out[c.PARALLEL_SHARE] = 0.0
    out[c.DAYS_SINCE_SECOND] = CAP_DAYS
    out[c.SECOND_DEVICES] = 0.0
    out[c.SECOND_FIXED] = 0.0
    if days > 0:
        out[c.HOME_AGAINST_SECOND] = 1.0


@compiled
def fill_elsewhere(history: History, d: int, out: npt.NDArray[np.float64]) -> None:
    """Fill the features of the second place and of travel of one device.

    Parameters
    ----------
    history : History
        The account.
    d : int
        Number of the device.
    out : ndarray of float64, shape (f,)
        Row of the device.
    """
    rows = history.device_rows[history.device_start[d] : history.device_start[d + 1]]
    second, days = second_place(history, rows)
    if second > 0:
        _fill_second(history, rows, second, days, d, out)
    else:
        _fill_home_against_none(days[0] if days.size > 0 else 0, out)
    _fill_travel(history, rows, out)
