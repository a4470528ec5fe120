"""Which nodes are one access line, and which lines are one place.

A line shows a new address when it is renumbered, and two at once where it speaks both IPv4 and
IPv6. Nodes are joined when a device carries over from one to the other on the same operator,
fixed devices counting most, and are kept apart where their uses interleave: a private line has
one address of a family at a time. Behind carrier NAT it has many, so there the addresses that a
device has mostly to itself are one line. What one line ends with and another begins with in the
same region is one, too. Lines are then joined into a place when a fixed device was used on both
(a second line, a change of operator), or when all use went from one to the other (a house move).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.features.nodes import Nodes

__all__ = ["join_lines", "join_mobile", "join_places"]

_HOUR = 3600
#: Weight of one carry-over by a fixed device, by a carried one, and what is added when it
#: changes the family within half a day or stays within a /24 or /56: in twentieths, since sums of
#: whole numbers are the same in any order.
_FIXED, _CARRIED, _OTHER_FAMILY, _SAME_PREFIX = 20, 7, 8, 6
#: Two addresses in one /56 are one line, whoever used them.
_ONE_LINE = 60
#: Carry-overs by fixed devices that outweigh an interleaved use.
_CERTAIN = 40
#: A node that more accounts than this hold at once is carrier NAT: interleaved use of several
#: such addresses is then normal on one line, and only fixed devices can tell.
_SHARED = 1.6
#: A device has moved when it was used this often in a row on the old line and on the new one;
#: for so many seconds both lines may be in use.
_MOVED, _MOVING = 4, 3 * 86400


@compiled
def _root(parent: npt.NDArray[np.int32], u: int) -> int:
    while parent[u] != u:
        parent[u] = parent[parent[u]]
        u = parent[u]
    return u


@compiled
def _by_first_use(
    device_rows: npt.NDArray[np.int32], device_start: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Devices in the order in which they appear: that of their numbers is that of their names."""
    devices = device_start.size - 1
    first = np.empty(devices, np.int64)
    for d in range(devices):
        used = device_start[d] < device_start[d + 1]
        first[d] = device_rows[device_start[d]] if used else device_rows.size
    return np.argsort(first, kind="mergesort")


@compiled
def _interleaved(
    nodes: Nodes, follow: npt.NDArray[np.int32], a: int, b: int, shared_too: bool
) -> bool:
    i = a
    while i >= 0:
        if shared_too or nodes.concurrency[i] < _SHARED:
            j = b
            while j >= 0:
                if (
                    (shared_too or nodes.concurrency[j] < _SHARED)
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
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Pairs of nodes that a device carried over between: key, weight, by a fixed device."""
    k = nodes.is4.size
    room = node.size + k + 1
    key = np.empty(room, np.int64)
    weight = np.empty(room, np.int64)
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
            weight[count] = _ONE_LINE
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
    total = np.zeros(key.size, np.int64)
    total_fixed = np.zeros(key.size, np.int64)
    for rank in range(key.size):
        i = order[rank]
        if rank == 0 or key[i] != pair[pairs - 1]:
            pair[pairs] = key[i]
            pairs += 1
        total[pairs - 1] += weight[i]
        if by_fixed[i]:
            total_fixed[pairs - 1] += weight[i]
    strongest = np.argsort(-(total[:pairs] + 2 * total_fixed[:pairs]), kind="mergesort")
    for e in strongest:
        u, v = pair[e] // k, pair[e] % k
        a, b = _root(parent, u), _root(parent, v)
        if a == b:
            continue
        if total_fixed[e] < _CERTAIN and _interleaved(nodes, follow, a, b, total_fixed[e] == 0):
            continue
        low, high = min(a, b), max(a, b)
        parent[high] = low
        follow[tail[low]] = high
        tail[low] = tail[high]
    _join_pools(node, nodes, device_rows, device_start, parent)
    _join_successors(nodes, parent)
    for u in range(k):
        parent[u] = _root(parent, u)
    return parent


@compiled
def _join_pools(
    node: npt.NDArray[np.int32],
    nodes: Nodes,
    device_rows: npt.NDArray[np.int32],
    device_start: npt.NDArray[np.int32],
    parent: npt.NDArray[np.int32],
) -> None:
    """Join the carrier-NAT addresses of one operator that one device has mostly to itself."""
    k = parent.size
    own = np.zeros(k, np.int32)
    for d in range(device_start.size - 1):
        begin, end = device_start[d], device_start[d + 1]
        for position in range(begin, end):
            own[node[device_rows[position]]] += 1
        for position in range(begin, end):
            u = node[device_rows[position]]
            if own[u] == 0 or nodes.kind[u] != 0 or not _mostly(nodes, own, u):
                continue
            pool = 0
            first = -1
            for other in range(position, end):
                v = node[device_rows[other]]
                if (
                    own[v] > 0
                    and nodes.kind[v] == 0
                    and nodes.carrier[v] == nodes.carrier[u]
                    and _mostly(nodes, own, v)
                ):
                    if first < 0:
                        first = v
                    if v != first:
                        pool += 1
            if pool >= 2:
                for other in range(position, end):
                    v = node[device_rows[other]]
                    if (
                        own[v] > 0
                        and nodes.kind[v] == 0
                        and nodes.carrier[v] == nodes.carrier[u]
                        and _mostly(nodes, own, v)
                    ):
                        a, b = _root(parent, u), _root(parent, v)
                        parent[max(a, b)] = min(a, b)
                        if v != u:
                            own[v] = 0
            own[u] = 0
        for position in range(begin, end):
            own[node[device_rows[position]]] = 0


@compiled
def _mostly(nodes: Nodes, own: npt.NDArray[np.int32], u: int) -> bool:
    return bool(nodes.concurrency[u] >= _SHARED and 3 * own[u] >= nodes.sessions[u])


@compiled
def _join_successors(nodes: Nodes, parent: npt.NDArray[np.int32]) -> None:
    """Join a line that ends with one that begins after it on the same operator and region."""
    k = parent.size
    first = nodes.first.copy()
    last = nodes.last.copy()
    for u in range(k):
        root = _root(parent, u)
        first[root] = min(first[root], nodes.first[u])
        last[root] = max(last[root], nodes.last[u])
    region = np.empty(k, np.uint64)
    for u in range(k):
        # /20 of IPv4; of IPv6 the /40, which operators give to a region as a whole.
        region[u] = nodes.level2[u] if nodes.is4[u] else nodes.level2[u] >> np.uint64(8)
    order = np.argsort(region, kind="mergesort")
    before = np.full(k, -1, np.int32)
    for rank in range(1, k):
        if region[order[rank]] == region[order[rank - 1]]:
            before[order[rank]] = order[rank - 1]
    # A line may lie in several regions, and what it is joined with first tells when it ends: so
    # this goes by first use, not by the numbers of regions, which are names.
    for v in range(k):
        u = before[v]
        if (
            u < 0
            or nodes.is4[u] != nodes.is4[v]
            or nodes.carrier[u] != nodes.carrier[v]
            or nodes.kind[u] != 0
            or nodes.kind[v] != 0
        ):
            continue
        a, b = _root(parent, u), _root(parent, v)
        if a != b and (last[a] <= first[b] or last[b] <= first[a]):
            low, high = min(a, b), max(a, b)
            parent[high] = low
            first[low] = min(first[low], first[high])
            last[low] = max(last[low], last[high])


@compiled
def _handed_over(
    time: npt.NDArray[np.int64],
    node: npt.NDArray[np.int32],
    parent: npt.NDArray[np.int32],
    a: int,
    b: int,
    moment: int,
) -> bool:
    """Tell whether all use of one place went over to another at a moment.

    It did not where others stayed behind or were there before: then only a device has moved.
    """
    all_a = late_a = all_b = early_b = 0
    for i in range(time.size):
        root = _root(parent, node[i])
        if root == a:
            all_a += 1
            if time[i] > moment + _MOVING:
                late_a += 1
        elif root == b:
            all_b += 1
            if time[i] < moment - _MOVING:
                early_b += 1
    return late_a * 8 <= all_a and early_b * 8 <= all_b


@compiled
def join_places(
    time: npt.NDArray[np.int64],
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
    time, node, nodes, device_rows, device_start, fixed
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
    back_at = np.full(k, -1, np.int32)
    by_first_use = _by_first_use(device_rows, device_start)
    for d in by_first_use:
        begin, end = device_start[d], device_start[d + 1]
        if begin == end or not fixed[device_rows[begin]]:
            continue
        for position in range(begin, end):
            seen[line[node[device_rows[position]]]] += 1
        current = -1
        for position in range(begin, end):
            i = device_rows[position]
            root = line[node[i]]
            if nodes.kind[node[i]] != 0 or seen[root] < 2 or seen[root] * 12 < end - begin:
                continue
            if current >= 0 and root != current:
                a, b = _root(parent, current), _root(parent, root)
                if a != b and (
                    back_at[root] == d or _handed_over(time, node, parent, a, b, time[i])
                ):
                    parent[max(a, b)] = min(a, b)
            current = root
            back_at[root] = d
        for position in range(begin, end):
            seen[line[node[device_rows[position]]]] = 0
    _join_moves(node, nodes, device_rows, device_start, by_first_use, parent)
    place = np.empty(k, np.int32)
    for u in range(k):
        place[u] = _root(parent, u) if nodes.kind[u] == 0 else -1
    return place


@compiled
def join_mobile(nodes: Nodes, root: npt.NDArray[np.int32]) -> int:
    """Join all mobile egress of one account: a household without a line lives on it.

    Parameters
    ----------
    nodes : Nodes
        The nodes, shape (k,).
    root : ndarray of int32, shape (k,)
        Root of each node's place, -1 for none; that of mobile egress is filled in.

    Returns
    -------
    int
        Root of the mobile egress, -1 where there is none.
    """
    mobile = -1
    for u in range(root.size):
        if nodes.kind[u] == 1:
            if mobile < 0:
                mobile = u
            root[u] = mobile
    return mobile


@compiled
def _join_moves(
    node: npt.NDArray[np.int32],
    nodes: Nodes,
    device_rows: npt.NDArray[np.int32],
    device_start: npt.NDArray[np.int32],
    by_first_use: npt.NDArray[np.int64],
    parent: npt.NDArray[np.int32],
) -> None:
    """Join two places where all use of one ends before the other begins and devices go along."""
    k = parent.size
    first = nodes.first.copy()
    last = nodes.last.copy()
    for u in range(k):
        root = _root(parent, u)
        first[root] = min(first[root], nodes.first[u])
        last[root] = max(last[root], nodes.last[u])
    for d in by_first_use:
        before = -1
        count = 0
        current = -1
        for position in range(device_start[d], device_start[d + 1]):
            u = node[device_rows[position]]
            if nodes.kind[u] != 0:
                continue
            root = _root(parent, u)
            if root == current:
                count += 1
            else:
                current = root
                count = 1
            if count < _MOVED:
                continue
            if before >= 0 and before != root:
                before = _root(parent, before)
                if before != root and last[before] <= first[root] + _MOVING:
                    low, high = min(before, root), max(before, root)
                    parent[high] = low
                    first[low] = min(first[low], first[high])
                    last[low] = max(last[low], last[high])
                    current = low
            before = current
