"""The history of one account as the kernel sees it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.features.homes import Places, Use, weigh_places
from household_ml.features.lines import join_lines, join_mobile, join_places
from household_ml.features.nodes import Nodes, index_nodes, summarise_nodes

__all__ = ["UNKNOWN_MINUTES", "Columns", "History", "read_history", "seen_from"]

_MICRO = 1_000_000
_DAY = 86400

#: Minutes that a session of unknown length is taken to last: between the 28.7 of a play on a
#: television and the 8.6 of one on a phone (second-hand figures).
UNKNOWN_MINUTES = 20.0


class Columns(NamedTuple):
    """Sessions of many accounts as plain columns, shape (n,) or (n, 4), ordered by account.

    Times are microseconds since the epoch; ``fixed`` and ``device_type`` are those of the
    device; ``minutes`` is NaN where the watched time is unknown.
    """

    started_at: npt.NDArray[np.int64]
    device: npt.NDArray[np.int32]
    device_type: npt.NDArray[np.int8]
    duration_s: npt.NDArray[np.float32]
    hi: npt.NDArray[np.uint64]
    lo: npt.NDArray[np.uint64]
    asn: npt.NDArray[np.uint32]
    operator: npt.NDArray[np.uint32]
    connection: npt.NDArray[np.int8]
    country: npt.NDArray[np.int16]
    utc_offset_min: npt.NDArray[np.int16]
    profile: npt.NDArray[np.int32]
    accounts: npt.NDArray[np.int64]
    sessions: npt.NDArray[np.int64]
    fixed_sessions: npt.NDArray[np.int64]
    phone_sessions: npt.NDArray[np.int64]
    networks: npt.NDArray[np.int64]
    tenure_days: npt.NDArray[np.float32]
    span_days: npt.NDArray[np.float32]


class History(NamedTuple):
    """One account: its sessions in order of time, and what was inferred about where they were.

    ``place`` is the place of each session (0 = home, -1 = none); ``kind`` that of its node.
    """

    as_of: int
    time: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    hour: npt.NDArray[np.int8]
    night: npt.NDArray[np.bool_]
    device: npt.NDArray[np.int32]
    fixed: npt.NDArray[np.bool_]
    minutes: npt.NDArray[np.float64]
    node: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int8]
    place: npt.NDArray[np.int32]
    device_rows: npt.NDArray[np.int32]
    device_start: npt.NDArray[np.int32]
    nodes: Nodes
    node_place: npt.NDArray[np.int32]
    places: Places


@compiled
def read_history(
    columns: Columns, begin: int, end: int, devices: int, as_of: int, least: float
) -> History:
    """Infer the places of one account from its sessions.

    Parameters
    ----------
    columns : Columns
        Sessions of all accounts.
    begin, end : int
        Rows of this account, ordered by time.
    devices : int
        Devices of this account.
    as_of : int
        Microseconds since the epoch.
    least : float
        Claim from which mobile egress is a place.

    Returns
    -------
    History
        Arrays of shape (end - begin,) for sessions.
    """
    n = end - begin
    time = columns.started_at[begin:end] // _MICRO
    device = columns.device[begin:end]
    duration = columns.duration_s[begin:end]
    day = np.empty(n, np.int64)
    hour = np.empty(n, np.int8)
    night = np.empty(n, np.bool_)
    minutes = np.empty(n)
    fixed = np.empty(n, np.bool_)
    plugged = np.empty(n, np.bool_)
    device_start = np.zeros(devices + 1, np.int32)
    for i in range(n):
        local = time[i] + 60 * np.int64(columns.utc_offset_min[begin + i])
        h = (local % _DAY) // 3600
        hour[i] = h
        night[i] = h >= 20 or h < 6
        # An evening that runs past midnight is one: days turn at six.
        day[i] = (local - 6 * 3600) // _DAY
        minutes[i] = duration[i] / 60.0 if duration[i] >= 0 else np.nan
        kind = columns.device_type[begin + i]
        fixed[i] = kind == 0 or kind == 1 or kind == 3
        plugged[i] = fixed[i] or kind == 2
        device_start[device[i] + 1] += 1
    for d in range(devices):
        device_start[d + 1] += device_start[d]
    filled = device_start[:devices].copy()
    device_rows = np.empty(n, np.int32)
    for i in range(n):
        device_rows[filled[device[i]]] = i
        filled[device[i]] += 1
    hi, lo = columns.hi[begin:end], columns.lo[begin:end]
    node, row = index_nodes(hi, lo)
    nodes = summarise_nodes(
        time,
        day,
        device,
        node,
        row,
        fixed,
        plugged,
        hi,
        lo,
        columns.operator[begin:end],
        columns.connection[begin:end],
        columns.accounts[begin:end],
        columns.sessions[begin:end],
        columns.fixed_sessions[begin:end],
        columns.phone_sessions[begin:end],
        columns.tenure_days[begin:end],
        columns.span_days[begin:end],
    )
    line = join_lines(time, node, nodes, device_rows, device_start, fixed)
    root = join_places(time, node, nodes, line, device_rows, device_start, fixed)
    mobile_root = join_mobile(nodes, root)
    profile = columns.profile[begin:end]
    played = np.where(minutes >= 0, minutes, UNKNOWN_MINUTES)
    use = Use(time, day, hour, night, fixed, played, profile, device_rows, device_start)
    node_place, places = weigh_places(use, node, root, mobile_root, least)
    session_kind = np.empty(n, np.int8)
    place = np.empty(n, np.int32)
    for i in range(n):
        session_kind[i] = nodes.kind[node[i]]
        place[i] = node_place[node[i]]
    return History(
        as_of // _MICRO,
        time,
        day,
        hour,
        night,
        device,
        fixed,
        minutes,
        node,
        session_kind,
        place,
        device_rows,
        device_start,
        nodes,
        node_place,
        places,
    )


@compiled
def seen_from(history: History, home: int) -> History:
    """Take a place for home; mobile egress that is not home then is no place.

    Parameters
    ----------
    history : History
        An account.
    home : int
        0 for the place with the strongest claim, 1 for the one next to it, which must be there.

    Returns
    -------
    History
        The same sessions, with places 0 and ``home`` exchanged.
    """
    places = history.places
    mobile = places.mobile
    if home == 1 and 0 <= mobile <= 1:
        mobile = 1 - mobile
    if home == 0 and mobile <= 0:
        return history
    order = np.arange(places.claim.size)
    if home == 1:
        order[0], order[1] = 1, 0
    days = places.days[order]
    if mobile > 0:
        days[mobile] = 0
    return History(
        history.as_of,
        history.time,
        history.day,
        history.hour,
        history.night,
        history.device,
        history.fixed,
        history.minutes,
        history.node,
        history.kind,
        _renumbered(history.place, home, mobile),
        history.device_rows,
        history.device_start,
        history.nodes,
        _renumbered(history.node_place, home, mobile),
        Places(
            places.claim[order],
            places.residents[order],
            places.devices[order],
            places.fixed_devices[order],
            places.sessions[order],
            days,
            places.nights[order],
            places.networks[order],
            places.first[order],
            places.last[order],
            places.terms[order],
            mobile,
        ),
    )


@compiled
def _renumbered(place: npt.NDArray[np.int32], home: int, mobile: int) -> npt.NDArray[np.int32]:
    out = place.copy()
    for i in range(out.size):
        if home == 1 and 0 <= out[i] <= 1:
            out[i] = 1 - out[i]
        if mobile > 0 and out[i] == mobile:
            out[i] = -1
    return out
