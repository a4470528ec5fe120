"""The networks that one account was seen on: its nodes.

A node is what one access line shows at a time: an IPv4 address, or the /64 of an IPv6 one
(the lower half changes daily by itself and says nothing about the place).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.schema import CONNECTION_TYPES

__all__ = ["Nodes", "index_nodes", "summarise_nodes"]

_V4 = np.uint64(0xFFFF)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_CELLULAR = CONNECTION_TYPES.index("cellular")
_HOSTING = CONNECTION_TYPES.index("hosting")
_SCHOOL = CONNECTION_TYPES.index("school")
_TRAVELER = CONNECTION_TYPES.index("traveler")

#: Sessions that a network must have before its lack of fixed devices tells anything. Were it
#: homes, each session would be on a fixed device with probability of about one half, so 12
#: without one happen by chance less than once in 4,000.
_TELLING_SESSIONS = 12


class Nodes(NamedTuple):
    """Nodes of one account, in order of first use; every array has one entry a node.

    ``carrier`` is the operator, or a stand-in made of the /20 or /48 where it is unknown.
    ``concurrency`` is the number of accounts that hold the node at a time, at least 1.
    ``kind`` is 0 for a line, 1 for mobile egress, 2 for hosting (VPN), 3 for other shared
    access (campus, hotel, workplace).
    """

    is4: npt.NDArray[np.bool_]
    carrier: npt.NDArray[np.uint64]
    level1: npt.NDArray[np.uint64]
    level2: npt.NDArray[np.uint64]
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    sessions: npt.NDArray[np.int32]
    concurrency: npt.NDArray[np.float64]
    kind: npt.NDArray[np.int8]


@compiled
def index_nodes(
    hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Number the distinct nodes of one account.

    Parameters
    ----------
    hi, lo : ndarray of uint64, shape (n,)
        Halves of the addresses, in order of time.

    Returns
    -------
    node : ndarray of int32, shape (n,)
        Node of each session.
    row : ndarray of int32, shape (k,)
        First session of each node.
    """
    n = hi.size
    size = 8
    while size < 2 * n:
        size *= 2
    mask = np.uint64(size - 1)
    table = np.full(size, -1, np.int32)
    node = np.empty(n, np.int32)
    row = np.empty(n, np.int32)
    count = 0
    for i in range(n):
        high = hi[i]
        low = lo[i] if high == 0 and (lo[i] >> np.uint64(32)) == _V4 else np.uint64(0)
        key = (high ^ (low * _MIX)) * _MIX
        slot = (key ^ (key >> np.uint64(29))) & mask
        while True:
            found = table[slot]
            if found < 0:
                table[slot] = count
                row[count] = i
                node[i] = count
                count += 1
                break
            j = row[found]
            low_j = lo[j] if hi[j] == 0 and (lo[j] >> np.uint64(32)) == _V4 else np.uint64(0)
            if hi[j] == high and low_j == low:
                node[i] = found
                break
            slot = (slot + np.uint64(1)) & mask
    return node, row[:count].copy()


@compiled
def _kind(
    connection: int,
    own_fixed: int,
    own_plugged: int,
    own_days: int,
    own_sessions: int,
    several: bool,
    private: bool,
    lasting: bool,
    accounts: npt.NDArray[np.int64],
    sessions: npt.NDArray[np.int64],
    fixed: npt.NDArray[np.int64],
    phones: npt.NDArray[np.int64],
) -> int:
    """What kind of access a node is: what its AS is, what it is used for, how it is come back to.

    What is plugged in, or several devices that come back day after day, make a line of anything
    but a VPN exit, also of the network of a mobile operator (fixed wireless access). So do two
    devices on one IPv6 prefix that nobody else holds: they are behind one router.
    """
    if connection == _HOSTING:
        return 2
    if own_fixed >= 2:
        return 0
    if connection in (_SCHOOL, _TRAVELER):
        return 3
    if accounts[0] >= 4 and sessions[0] >= _TELLING_SESSIONS and fixed[0] * 25 < sessions[0]:
        return 3
    if (several or lasting) and own_days >= 3:
        return 0
    if own_plugged >= 1 or (several and private and own_sessions >= 3):
        return 0
    if connection == _CELLULAR:
        return 1
    if own_days >= 4 and own_sessions >= 8:
        return 0
    for level in range(1, 3):
        if (
            accounts[level] >= 8
            and sessions[level] >= 2 * _TELLING_SESSIONS
            and fixed[level] * 5 < sessions[level]
            and phones[level] * 2 > sessions[level]
        ):
            return 1
    return 0


@compiled
def summarise_nodes(
    time: npt.NDArray[np.int64],
    day: npt.NDArray[np.int64],
    device: npt.NDArray[np.int32],
    node: npt.NDArray[np.int32],
    row: npt.NDArray[np.int32],
    fixed: npt.NDArray[np.bool_],
    plugged: npt.NDArray[np.bool_],
    hi: npt.NDArray[np.uint64],
    lo: npt.NDArray[np.uint64],
    operator: npt.NDArray[np.uint32],
    connection: npt.NDArray[np.int8],
    accounts: npt.NDArray[np.int64],
    sessions: npt.NDArray[np.int64],
    fixed_sessions: npt.NDArray[np.int64],
    phone_sessions: npt.NDArray[np.int64],
    tenure_days: npt.NDArray[np.float32],
    span_days: npt.NDArray[np.float32],
) -> Nodes:
    """Say of each node when it was used, by whom it is shared and what kind of access it is.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        Start of each session in seconds, ascending.
    day : ndarray of int64, shape (n,)
        Local day of each session.
    device : ndarray of int32, shape (n,)
        Device of each session.
    node : ndarray of int32, shape (n,)
        Node of each session.
    row : ndarray of int32, shape (k,)
        First session of each node.
    fixed : ndarray of bool, shape (n,)
        Whether the session's device stays where it is plugged in.
    plugged : ndarray of bool, shape (n,)
        Whether it is such a device or a streaming stick.
    hi, lo, operator, connection
        Of each session, shape (n,).
    accounts, sessions, fixed_sessions, phone_sessions, tenure_days, span_days
        Network statistics of each session, shape (n, 4): /32 or /64, /24 or /56, /20 or /48, AS.

    Returns
    -------
    Nodes
        The nodes, with arrays of shape (k,).
    """
    k = row.size
    is4 = np.empty(k, np.bool_)
    carrier = np.empty(k, np.uint64)
    level1 = np.empty(k, np.uint64)
    level2 = np.empty(k, np.uint64)
    first = np.empty(k, np.int64)
    last = np.zeros(k, np.int64)
    count = np.zeros(k, np.int32)
    own_fixed = np.zeros(k, np.int32)
    own_plugged = np.zeros(k, np.int32)
    own_days = np.zeros(k, np.int32)
    last_day = np.full(k, -(10**9), np.int64)
    several = np.zeros(k, np.bool_)
    concurrency = np.ones(k)
    kind = np.zeros(k, np.int8)
    for i in range(node.size):
        u = node[i]
        count[u] += 1
        last[u] = time[i]
        if fixed[i]:
            own_fixed[u] += 1
        if plugged[i]:
            own_plugged[u] += 1
        if day[i] != last_day[u]:
            last_day[u] = day[i]
            own_days[u] += 1
        if device[i] != device[row[u]]:
            several[u] = True
    for u in range(k):
        i = row[u]
        first[u] = time[i]
        is4[u] = hi[i] == 0 and (lo[i] >> np.uint64(32)) == _V4
        if is4[u]:
            level1[u] = lo[i] >> np.uint64(8)
            level2[u] = lo[i] >> np.uint64(12)
        else:
            level1[u] = hi[i] >> np.uint64(8)
            level2[u] = hi[i] >> np.uint64(16)
        if operator[i] > 0:
            carrier[u] = np.uint64(operator[i])
        else:
            carrier[u] = level2[u] | np.uint64(1 << 60)
        if accounts[i, 0] > 0:
            concurrency[u] = max(
                1.0, (tenure_days[i, 0] + 0.5 * accounts[i, 0]) / (span_days[i, 0] + 0.5)
            )
        kind[u] = _kind(
            connection[i],
            own_fixed[u],
            own_plugged[u],
            own_days[u],
            count[u],
            several[u],
            not is4[u] and concurrency[u] < 1.5,
            not is4[u],
            accounts[i],
            sessions[i],
            fixed_sessions[i],
            phone_sessions[i],
        )
    return Nodes(is4, carrier, level1, level2, first, last, count, concurrency, kind)
