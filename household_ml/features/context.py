"""What the whole account looks like, and the columns that the rule baselines need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.features import columns as c
from household_ml.features.catalogue import CAP_DAYS
from household_ml.features.history import Columns, History

__all__ = ["fill_context", "fill_rules"]

_DAY = 86400.0
_TWO_DAYS = 2 * 86400


@compiled
def fill_context(
    history: History, columns: Columns, begin: int, out: npt.NDArray[np.float64]
) -> None:
    """Fill the features that describe the account, and the device's place in it.

    Parameters
    ----------
    history, columns, begin
        As in :func:`household_ml.features.company.find_company`.
    out : ndarray of float64, shape (d, f)
        Rows of all devices of the account.
    """
    devices = history.device_start.size - 1
    n = history.time.size
    places = history.places
    concurrency = weight = tenure = networks = 0.0
    home = np.zeros(devices, np.int32)
    addresses = 0
    for u in range(history.node_place.size):
        if history.node_place[u] == 0:
            addresses += 1
            concurrency += history.nodes.sessions[u] * np.log(history.nodes.concurrency[u])
            weight += history.nodes.sessions[u]
    for i in range(n):
        if history.place[i] == 0:
            home[history.device[i]] += 1
            tenure += columns.tenure_days[begin + i, 3]
            networks += columns.networks[begin + i, 3]
    has_home = places.claim.size > 0
    lived_in = 0
    for p in range(places.claim.size):
        if places.days[p] >= 3:
            lived_in += 1
    for d in range(devices):
        size = history.device_start[d + 1] - history.device_start[d]
        larger = 0
        for other in range(devices):
            if history.device_start[other + 1] - history.device_start[other] > size:
                larger += 1
        kind = columns.device_type[begin + history.device_rows[history.device_start[d]]]
        row = out[d]
        row[c.RANK_SHARE] = larger / devices
        if kind >= 0:
            row[c.IS_FIXED] = 1.0 if kind == 0 or kind == 1 or kind == 3 else 0.0
            row[c.IS_STICK] = 1.0 if kind == 2 else 0.0
            row[c.IS_PHONE] = 1.0 if kind == 4 else 0.0
            row[c.IS_TABLET] = 1.0 if kind == 5 else 0.0
            row[c.IS_COMPUTER] = 1.0 if kind == 6 else 0.0
        row[c.ACCOUNT_DEVICES] = np.log1p(devices)
        row[c.ACCOUNT_PLACES] = np.log1p(lived_in)
        row[c.ACCOUNT_SPAN_DAYS] = (history.as_of - history.time[0]) / _DAY
        row[c.HOME_IDLE_DAYS] = CAP_DAYS
        if has_home:
            row[c.HOME_DEVICES] = np.log1p(places.devices[0])
            row[c.HOME_FIXED_DEVICES] = np.log1p(places.fixed_devices[0])
            row[c.ACCOUNT_HOME_DAYS] = np.log1p(places.days[0])
            span = (places.last[0] - places.first[0]) / _DAY
            row[c.HOME_ADDRESSES_PER_30D] = addresses / max(span / 30.0, 1.0)
            row[c.HOME_IDLE_DAYS] = (history.as_of - places.last[0]) / _DAY
            row[c.SHARE_OF_HOME] = home[d] / places.sessions[0]
            row[c.HOME_CONCURRENCY] = np.exp(concurrency / weight)
            if networks > 0:
                row[c.ADDRESS_LIFE_DAYS] = tenure / networks


@compiled
def _main_node(
    history: History, level1: npt.NDArray[np.uint64]
) -> tuple[int, np.uint64, np.uint64]:
    """Most used address, /24 or /56, and operator of the account; of equal ones the first seen."""
    nodes = history.nodes
    k = nodes.is4.size
    main = 0
    for u in range(k):
        if nodes.sessions[u] > nodes.sessions[main]:
            main = u
    prefix = level1[0]
    carrier = nodes.carrier[0]
    for by_carrier in range(2):
        values = nodes.carrier if by_carrier == 1 else level1
        order = np.argsort(values, kind="mergesort")
        best = np.int64(-1)
        earliest = k
        start = 0
        while start < k:
            stop = start
            total = np.int64(0)
            while stop < k and values[order[stop]] == values[order[start]]:
                total += nodes.sessions[order[stop]]
                stop += 1
            # Nodes are in order of first use, and a stable sort keeps that order in a group.
            if total > best or (total == best and order[start] < earliest):
                best, earliest = total, order[start]
                if by_carrier == 1:
                    carrier = values[order[start]]
                else:
                    prefix = values[order[start]]
            start = stop
    return main, prefix, carrier


@compiled
def fill_rules(history: History, out: npt.NDArray[np.float64]) -> None:
    """Fill the columns that the rules of the field look at; no place is inferred for them.

    Parameters
    ----------
    history : History
        The account.
    out : ndarray of float64, shape (d, f)
        Rows of all devices of the account.
    """
    devices = history.device_start.size - 1
    n = history.time.size
    nodes = history.nodes
    k = nodes.is4.size
    # A /24 and a /56 can be equal as numbers; the family goes into the top bit.
    level1 = nodes.level1.copy()
    for u in range(k):
        if nodes.is4[u]:
            level1[u] |= np.uint64(1 << 63)
    main, prefix, carrier = _main_node(history, level1)
    television = -1
    most = earliest_row = 0
    for d in range(devices):
        size = history.device_start[d + 1] - history.device_start[d]
        first_row = history.device_rows[history.device_start[d]]
        if history.fixed[first_row] and (
            size > most or (size == most and first_row < earliest_row)
        ):
            television, most, earliest_row = d, size, first_row
    on_television = np.zeros(k, np.bool_)
    users = np.full((k, 2), -1, np.int32)
    for i in range(n):
        u, d = history.node[i], history.device[i]
        if d == television:
            on_television[u] = True
        if users[u, 0] < 0:
            users[u, 0] = d
        elif users[u, 0] != d:
            users[u, 1] = d
    group = np.empty(k, np.int32)
    order = np.argsort(level1, kind="mergesort")
    group_users = np.full((k, 2), -1, np.int32)
    groups = -1
    for rank in range(k):
        u = order[rank]
        if rank == 0 or level1[u] != level1[order[rank - 1]]:
            groups += 1
        group[u] = groups
        for which in range(2):
            d = users[u, which]
            if d >= 0:
                if group_users[groups, 0] < 0:
                    group_users[groups, 0] = d
                elif group_users[groups, 0] != d:
                    group_users[groups, 1] = d
    near = np.zeros(n, np.bool_)
    latest = np.full((k, 2), -1, np.int32)
    for backwards in range(2):
        latest[:] = -1
        for step in range(n):
            i = n - 1 - step if backwards else step
            u, d = history.node[i], history.device[i]
            for which in range(2):
                j = latest[u, which]
                if (
                    j >= 0
                    and history.device[j] != d
                    and abs(history.time[j] - history.time[i]) <= _TWO_DAYS
                ):
                    near[i] = True
            if latest[u, 0] >= 0 and history.device[latest[u, 0]] != d:
                latest[u, 1] = latest[u, 0]
            latest[u, 0] = i
    for d in range(devices):
        start, stop = history.device_start[d], history.device_start[d + 1]
        row = out[d]
        row[c.DAYS_SINCE_MAIN_TV_NETWORK] = CAP_DAYS
        same = prefix_same = carrier_same = shared = shared_prefix = close = 0
        for position in range(start, stop):
            i = history.device_rows[position]
            u = history.node[i]
            if on_television[u]:
                row[c.DAYS_SINCE_MAIN_TV_NETWORK] = (history.as_of - history.time[i]) / _DAY
            if level1[u] == prefix:
                prefix_same += 1
            if nodes.carrier[u] == carrier:
                carrier_same += 1
            if users[u, 1] >= 0:
                shared += 1
            if group_users[group[u], 1] >= 0:
                shared_prefix += 1
            if near[i]:
                close += 1
        same = 1 if history.node[history.device_rows[stop - 1]] == main else 0
        size = stop - start
        row[c.LAST_ADDRESS_DIFFERS_FROM_MAIN] = 1.0 - same
        row[c.SHARE_MAIN_ADDRESS] = prefix_same / size
        row[c.SHARE_MAIN_AS] = carrier_same / size
        row[c.OVERLAP_ADDRESS] = shared / size
        row[c.OVERLAP_24] = shared_prefix / size
        row[c.OVERLAP_48H] = close / size
    _overlap_as(history, out)


@compiled
def _overlap_as(history: History, out: npt.NDArray[np.float64]) -> None:
    """Share of each device's sessions on the operator that the others use most."""
    nodes = history.nodes
    k = nodes.is4.size
    devices = history.device_start.size - 1
    order = np.argsort(nodes.carrier, kind="mergesort")
    carrier = np.empty(k, np.int32)
    carriers = 0
    for rank in range(k):
        if rank > 0 and nodes.carrier[order[rank]] != nodes.carrier[order[rank - 1]]:
            carriers += 1
        carrier[order[rank]] = carriers
    total = np.zeros(carriers + 1, np.int64)
    own = np.zeros(carriers + 1, np.int64)
    for u in range(k):
        total[carrier[u]] += nodes.sessions[u]
    for d in range(devices):
        own[:] = 0
        start, stop = history.device_start[d], history.device_start[d + 1]
        for position in range(start, stop):
            own[carrier[history.node[history.device_rows[position]]]] += 1
        best = 0
        for a in range(carriers + 1):
            if total[a] - own[a] > total[best] - own[best]:
                best = a
        others = total[best] - own[best]
        out[d, c.OVERLAP_AS] = own[best] / (stop - start) if others > 0 else 0.0
