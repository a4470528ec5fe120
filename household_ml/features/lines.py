"""Which nodes are one access line, and which lines are one place.

A line shows a new address when it is renumbered, and two at once where it speaks both IPv4 and
IPv6. Nodes are joined when a device carries over from one to the other on the same operator,
fixed devices counting most, and are kept apart where their uses interleave: a private line has
one address of a family at a time. Lines are then joined into a place when a fixed device was
used on both (a change of operator, a second line, a house move).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.features.nodes import Nodes

__all__ = ["join_lines", "join_places"]

_HOUR = 3600
#: Weight of one carry-over by a fixed device, by a carried one, and what is added when it
#: changes the family within half a day or stays within a /24 or /56.
_FIXED, _CARRIED, _OTHER_FAMILY, _SAME_PREFIX = 1.0, 0.35, 0.4, 0.3
#: A node that more accounts than this hold at once is carrier NAT: interleaved use of several
#: such addresses is then normal on one line, and only fixed devices can tell.
_SHARED = 1.6


@compiled
def _root(parent: npt.NDArray[np.int32], u: int) -> int:
    while parent[u] != u:
        parent[u] = parent[parent[u]]
        u = parent[u]
    return u


@compiled
def _interleaved(nodes: Nodes, follow: npt.NDArray[np.int32], a: int, b: int) -> bool:
    i = a
    while i >= 0:
        if nodes.concurrency[i] < _SHARED:
            j = b
            while j >= 0:
                if (
                    nodes.concurrency[j] < _SHARED
                    and nodes.is4[i] == nodes.is4[j]
                    and nodes.carrier[i] == nodes.carrier[j]
                    and nodes.first[i] < nodes.last[j]
                    and nodes.first[j] < nodes.last[i]
                ):
                    return True
                j = follow[j]
        i = follow[i]
    return False


@compiled
def _carry_overs(
    time: npt.NDArray[np.int64],
    node: npt.NDArray[np.int32],
    nodes: Nodes,
    device_rows: npt.NDArray[np.int32],
    device_start: npt.NDArray[np.int32],
    fixed: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Pairs of nodes that a device carried over between: key, weight, by a fixed device."""
    k = nodes.is4.size
    room = node.size + k + 1
    key = np.empty(room, np.int64)
    weight = np.empty(room)
    by_fixed = np.zeros(room, np.bool_)
    count = 0
    order = np.argsort(nodes.carrier, kind="mergesort")
    carrier = np.empty(k, np.int32)
    carriers = 0
    for rank in range(k):
        if rank > 0 and nodes.carrier[order[rank]] != nodes.carrier[order[rank - 1]]:
            carriers += 1
        carrier[order[rank]] = carriers
    latest = np.full(carriers + 1, -1, np.int32)
    for d in range(device_start.size - 1):
        latest[:] = -1
        for position in range(device_start[d], device_start[d + 1]):
            i = device_rows[position]
            v = node[i]
            if nodes.kind[v] != 0:
                continue
            before = latest[carrier[v]]
            if before >= 0 and node[before] != v:
                u = node[before]
                w = _FIXED if fixed[i] else _CARRIED
                if nodes.is4[u] != nodes.is4[v] and time[i] - time[before] < 12 * _HOUR:
                    w += _OTHER_FAMILY
                if nodes.level1[u] == nodes.level1[v]:
                    w += _SAME_PREFIX
                key[count] = np.int64(min(u, v)) * k + max(u, v)
                weight[count] = w
                by_fixed[count] = fixed[i]
                count += 1
            latest[carrier[v]] = i
    by_prefix = np.argsort(nodes.level1, kind="mergesort")
    for rank in range(1, k):
        u, v = by_prefix[rank - 1], by_prefix[rank]
        if (
            nodes.level1[u] == nodes.level1[v]
            and not nodes.is4[u]
            and not nodes.is4[v]
            and nodes.kind[u] == 0
            and nodes.kind[v] == 0
            and count < room
        ):
            key[count] = np.int64(min(u, v)) * k + max(u, v)
            weight[count] = 3.0
            by_fixed[count] = True
            count += 1
    return key[:count], weight[:count], by_fixed[:count]


@compiled
def join_lines(
    time: npt.NDArray[np.int64],
    node: npt.NDArray[np.int32],
    nodes: Nodes,
    device_rows: npt.NDArray[np.int32],
    device_start: npt.NDArray[np.int32],
    fixed: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int32]:
    """Join the nodes of one account into access lines.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        Start of each session in seconds, ascending.
    node : ndarray of int32, shape (n,)
        Node of each session.
    nodes : Nodes
        The nodes, shape (k,).
    device_rows, device_start : ndarray of int32, shapes (n,) and (d + 1,)
        Sessions of each device, in order of time.
    fixed : ndarray of bool, shape (n,)
        Whether the session's device stays where it is plugged in.

    Returns
    -------
    ndarray of int32, shape (k,)
        For each node the number of one node of its line (a root).
    """
    k = nodes.is4.size
    parent = np.arange(k).astype(np.int32)
    follow = np.full(k, -1, np.int32)
    tail = np.arange(k).astype(np.int32)
    key, weight, by_fixed = _carry_overs(time, node, nodes, device_rows, device_start, fixed)
    if key.size == 0:
        return parent
    order = np.argsort(key, kind="mergesort")
    pairs = 0
    pair = np.empty(key.size, np.int64)
    total = np.zeros(key.size)
    total_fixed = np.zeros(key.size)
    for rank in range(key.size):
        i = order[rank]
        if rank == 0 or key[i] != pair[pairs - 1]:
            pair[pairs] = key[i]
            pairs += 1
        total[pairs - 1] += weight[i]
        if by_fixed[i]:
            total_fixed[pairs - 1] += weight[i]
    strongest = np.argsort(-(total[:pairs] + 2.0 * total_fixed[:pairs]), kind="mergesort")
    for e in strongest:
        u, v = pair[e] // k, pair[e] % k
        a, b = _root(parent, u), _root(parent, v)
        if a == b:
            continue
        if total_fixed[e] < 2.0:
            if total_fixed[e] == 0.0 and (
                nodes.concurrency[u] >= _SHARED or nodes.concurrency[v] >= _SHARED
            ):
                continue
            if _interleaved(nodes, follow, a, b):
                continue
        low, high = min(a, b), max(a, b)
        parent[high] = low
        follow[tail[low]] = high
        tail[low] = tail[high]
    for u in range(k):
        parent[u] = _root(parent, u)
    return parent


@compiled
def join_places(
    node: npt.NDArray[np.int32],
    nodes: Nodes,
    line: npt.NDArray[np.int32],
    device_rows: npt.NDArray[np.int32],
    device_start: npt.NDArray[np.int32],
    fixed: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int32]:
    """Join the access lines of one account into places.

    Parameters
    ----------
    node, nodes, device_rows, device_start, fixed
        As in :func:`join_lines`.
    line : ndarray of int32, shape (k,)
        Root of the line of each node.

    Returns
    -------
    ndarray of int32, shape (k,)
        For each node the root of its place, or -1 where the node is no line (mobile egress,
        hosting, campus, hotel).
    """
    k = line.size
    parent = line.copy()
    seen = np.zeros(k, np.int32)
    for d in range(device_start.size - 1):
        begin, end = device_start[d], device_start[d + 1]
        if begin == end or not fixed[device_rows[begin]]:
            continue
        for position in range(begin, end):
            seen[line[node[device_rows[position]]]] += 1
        base = -1
        for position in range(begin, end):
            u = node[device_rows[position]]
            if nodes.kind[u] != 0:
                continue
            root = line[u]
            if seen[root] >= 2 and seen[root] * 12 >= end - begin:
                if base < 0:
                    base = root
                else:
                    a, b = _root(parent, base), _root(parent, root)
                    parent[max(a, b)] = min(a, b)
        for position in range(begin, end):
            seen[line[node[device_rows[position]]]] = 0
    place = np.empty(k, np.int32)
    for u in range(k):
        place[u] = _root(parent, u) if nodes.kind[u] == 0 else -1
    return place
