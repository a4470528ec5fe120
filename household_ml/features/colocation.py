"""Use of one address by several devices at about the same time.

Time-aligned agreement needs no memory of addresses: at any moment a home shows one address of
each family, so a device that plays while another is known to be at home either shares that
address or is elsewhere. It holds through any renumbering.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.features import columns as c
from household_ml.features.history import History

__all__ = ["Anchors", "fill_colocation", "find_anchors"]

_HOUR = 3600
_WEEK = 7 * 86400


class Anchors(NamedTuple):
    """Nearest home sessions of another device and the same family, shape (n,), -1 for none."""

    before: npt.NDArray[np.int32]
    after: npt.NDArray[np.int32]


@compiled
def _nearest(history: History, backwards: bool) -> npt.NDArray[np.int32]:
    n = history.time.size
    found = np.full(n, -1, np.int32)
    latest = np.full((2, 2), -1, np.int32)
    for step in range(n):
        i = n - 1 - step if backwards else step
        family = 0 if history.nodes.is4[history.node[i]] else 1
        d = history.device[i]
        own = latest[family, 0]
        if own >= 0 and history.device[own] == d:
            found[i] = latest[family, 1]
        else:
            found[i] = own
        if history.place[i] == 0:
            if own < 0 or history.device[own] != d:
                latest[family, 1] = own
            latest[family, 0] = i
    return found


@compiled
def find_anchors(history: History) -> Anchors:
    """Find for each session the home sessions of other devices just before and after it.

    Parameters
    ----------
    history : History
        The account.

    Returns
    -------
    Anchors
        Rows of those sessions.
    """
    return Anchors(_nearest(history, False), _nearest(history, True))


@compiled
def fill_colocation(
    history: History, anchors: Anchors, d: int, out: npt.NDArray[np.float64]
) -> None:
    """Fill the features of colocation and of certain absence of one device.

    Parameters
    ----------
    history : History
        The account.
    anchors : Anchors
        Nearest home sessions of other devices.
    d : int
        Number of the device.
    out : ndarray of float64, shape (f,)
        Row of the device.
    """
    begin, end = history.device_start[d], history.device_start[d + 1]
    n = end - begin
    nodes = history.nodes
    together = np.zeros(3, np.int64)
    agree = np.zeros(5, np.int64)
    comparable = np.zeros(2, np.int64)
    with_fixed = elsewhere = days = companions = 0
    day = np.int64(-(10**9))
    companion = np.zeros(history.device_start.size - 1, np.bool_)
    for position in range(begin, end):
        i = history.device_rows[position]
        u = history.node[i]
        gap_same = np.int64(10**15)
        gap = np.int64(10**15)
        same1 = same2 = same_operator = fixed_near = False
        for side in range(2):
            j = anchors.before[i] if side == 0 else anchors.after[i]
            if j < 0:
                continue
            apart = abs(history.time[j] - history.time[i])
            v = history.node[j]
            gap = min(gap, apart)
            if v == u and history.place[i] == 0:
                gap_same = min(gap_same, apart)
                if apart <= _WEEK:
                    fixed_near = fixed_near or history.fixed[j]
                    if not companion[history.device[j]]:
                        companion[history.device[j]] = True
                        companions += 1
            if apart <= _WEEK:
                same1 = same1 or nodes.level1[v] == nodes.level1[u]
                same2 = same2 or nodes.level2[v] == nodes.level2[u]
                same_operator = same_operator or nodes.carrier[v] == nodes.carrier[u]
        if gap_same <= 6 * _HOUR:
            together[0] += 1
        if gap_same <= 24 * _HOUR:
            together[1] += 1
            if history.day[i] != day:
                day = history.day[i]
                days += 1
        if gap_same <= _WEEK:
            together[2] += 1
            if fixed_near:
                with_fixed += 1
        if nodes.kind[u] != 0:
            continue
        if gap <= 24 * _HOUR:
            comparable[0] += 1
            if gap_same <= 24 * _HOUR:
                agree[0] += 1
        if gap <= _WEEK:
            comparable[1] += 1
            if gap_same <= _WEEK:
                agree[1] += 1
            if same1:
                agree[2] += 1
            if same2:
                agree[3] += 1
            if same_operator:
                agree[4] += 1
        before, after = anchors.before[i], anchors.after[i]
        if (
            before >= 0
            and after >= 0
            and history.node[before] == history.node[after]
            and history.node[before] != u
            and history.place[i] != 0
            and history.time[i] - history.time[before] <= _WEEK
            and history.time[after] - history.time[i] <= _WEEK
        ):
            elsewhere += 1
    out[c.TOGETHER_6H] = together[0] / n
    out[c.TOGETHER_24H] = together[1] / n
    out[c.TOGETHER_7D] = together[2] / n
    out[c.TOGETHER_FIXED_7D] = with_fixed / n
    if comparable[0] > 0:
        out[c.AGREEMENT_24H] = agree[0] / comparable[0]
    if comparable[1] > 0:
        out[c.AGREEMENT_7D] = agree[1] / comparable[1]
        out[c.AGREEMENT_PREFIX_7D] = agree[2] / comparable[1]
        out[c.AGREEMENT_REGION_7D] = agree[3] / comparable[1]
        out[c.AGREEMENT_OPERATOR_7D] = agree[4] / comparable[1]
    out[c.COMPARABLE_7D] = np.log1p(comparable[1])
    out[c.TOGETHER_DAYS] = np.log1p(days)
    out[c.TOGETHER_DEVICES] = np.log1p(companions)
    out[c.ELSEWHERE_SHARE] = elsewhere / n
