"""What speaks for each place of an account, and which one is home."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled

__all__ = ["Places", "weigh_places"]

_DAY = 86400
#: A day of use counts half as much for the claim when it lies this long before ``as_of``.
_HALF_LIFE_DAYS = 45.0


class Places(NamedTuple):
    """Places of one account, strongest claim first: place 0 is home. Arrays of shape (p,).

    ``claim`` sums to 1 where there is any place. ``residents`` are devices that are used nowhere
    more than there. A day or night counts once however often the place was used on it.
    """

    claim: npt.NDArray[np.float64]
    residents: npt.NDArray[np.int32]
    devices: npt.NDArray[np.int32]
    fixed_devices: npt.NDArray[np.int32]
    sessions: npt.NDArray[np.int32]
    days: npt.NDArray[np.int32]
    nights: npt.NDArray[np.int32]
    networks: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]


@compiled
def weigh_places(
    time: npt.NDArray[np.int64],
    day: npt.NDArray[np.int64],
    night: npt.NDArray[np.bool_],
    device: npt.NDArray[np.int32],
    fixed: npt.NDArray[np.bool_],
    node: npt.NDArray[np.int32],
    root: npt.NDArray[np.int32],
    as_of: int,
) -> tuple[npt.NDArray[np.int32], Places]:
    """Weigh the places of one account and number them by their claim to be home.

    The claim of a place is its days of use, recent ones more, times the weight of who uses it:
    several devices, and fixed ones above all.

    Parameters
    ----------
    time, day : ndarray of int64, shape (n,)
        Start of each session in seconds, and its local day.
    night : ndarray of bool, shape (n,)
        Whether it falls in the evening or night.
    device : ndarray of int32, shape (n,)
        Device of each session.
    fixed : ndarray of bool, shape (n,)
        Whether that device stays where it is plugged in.
    node : ndarray of int32, shape (n,)
        Node of each session.
    root : ndarray of int32, shape (k,)
        Root of each node's place, -1 for none.
    as_of : int
        Seconds since the epoch.

    Returns
    -------
    place : ndarray of int32, shape (k,)
        Number of each node's place, -1 for none.
    places : Places
        The evidence for each place.
    """
    k = root.size
    number = np.full(k, -1, np.int32)
    p = 0
    for u in range(k):
        if root[u] == u:
            number[u] = p
            p += 1
    residents = np.zeros(p, np.int32)
    devices = np.zeros(p, np.int32)
    fixed_devices = np.zeros(p, np.int32)
    sessions = np.zeros(p, np.int32)
    days = np.zeros(p, np.int32)
    nights = np.zeros(p, np.int32)
    networks = np.zeros(p, np.int32)
    weight = np.zeros(p)
    first = np.zeros(p, np.int64)
    last = np.zeros(p, np.int64)
    last_day = np.full(p, -(10**9), np.int64)
    last_night = np.full(p, -(10**9), np.int64)
    for u in range(k):
        if root[u] >= 0:
            networks[number[root[u]]] += 1
    n = time.size
    pair = np.empty(n, np.int64)
    pairs = 0
    many = device.max() + 1 if n > 0 else 1
    most = np.zeros(many, np.int64)
    main = np.full(many, -1, np.int64)
    for i in range(n):
        r = root[node[i]]
        if r < 0:
            continue
        q = number[r]
        if sessions[q] == 0:
            first[q] = time[i]
        sessions[q] += 1
        last[q] = time[i]
        if day[i] != last_day[q]:
            last_day[q] = day[i]
            days[q] += 1
            weight[q] += 0.5 ** ((as_of - time[i]) / (_HALF_LIFE_DAYS * _DAY))
        if night[i] and day[i] != last_night[q]:
            last_night[q] = day[i]
            nights[q] += 1
        pair[pairs] = (np.int64(q) * many + device[i]) * 2 + fixed[i]
        pairs += 1
    used = np.sort(pair[:pairs])
    begin = 0
    for rank in range(1, pairs + 1):
        if rank == pairs or used[rank] != used[begin]:
            q = used[begin] // 2 // many
            d = used[begin] // 2 % many
            if rank - begin > most[d] or (rank - begin == most[d] and days[q] > days[main[d]]):
                most[d] = rank - begin
                main[d] = q
            if rank - begin >= 2:
                devices[q] += 1
                fixed_devices[q] += used[begin] % 2
            begin = rank
    for d in range(many):
        if main[d] >= 0:
            residents[main[d]] += 1
    claim = np.empty(p)
    for q in range(p):
        claim[q] = (
            weight[q]
            * (1.0 + 0.35 * min(np.float64(devices[q]), 6.0))
            * (1.0 + 0.25 * min(np.float64(fixed_devices[q]), 2.0))
        )
    order = np.argsort(-claim, kind="mergesort")
    rank_of = np.empty(p, np.int32)
    for rank in range(p):
        rank_of[order[rank]] = rank
    place = np.full(k, -1, np.int32)
    for u in range(k):
        if root[u] >= 0:
            place[u] = rank_of[number[root[u]]]
    total = claim.sum()
    if total > 0:
        claim = claim / total
    return place, Places(
        claim[order],
        residents[order],
        devices[order],
        fixed_devices[order],
        sessions[order],
        days[order],
        nights[order],
        networks[order],
        first[order],
        last[order],
    )
