"""What speaks for each place of an account, and which one is home.

Nothing in a history says which place the account belongs to. Where several are lived in, what
speaks for each is weighed: for how long it is used, by whom, whose profiles, and who visits whom.
The weights come from places whose truth is known, and what they give is a probability.

Some households have no line of their own and watch over the mobile network. So all mobile egress of
an account together stands among its places as one that may be home. It never joins a line, and it
is no place at all unless it is home or next to it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled

__all__ = ["CONSTANT", "DOUBT", "TERMS", "WEIGHTS", "Places", "Use", "weigh_places"]

#: Claim from which the place next to home is taken for a possible home. Below it, being right for
#: once would move a probability by no more than this.
DOUBT = 0.02

#: Terms of the claim of a place, in the order of :data:`WEIGHTS`. Counts enter as log(1 + count).
#: How much a place is used speaks for mobile egress by its own two terms alone: everybody is on the
#: road, and what tells is who is never on a line.
TERMS: tuple[str, ...] = (
    "weekend days",
    "minutes",
    "days on which no other place was used",
    "share of its sessions on working days from 9 to 17",
    "residents: devices used nowhere more",
    "their days there",
    "their days elsewhere",
    "visitors: devices used more at another place",
    "profiles used nowhere more",
    "mean over its sessions of the share of their profile's sessions that were there",
    "mobile: 1 for mobile egress, 0 for a line",
    "mobile: days on which no line was used",
    "mobile: devices that are used on no line",
)

#: Weight of each term, and the constant: conditional logistic regression over the places of an
#: account, and none of them, on the true homes of simulated worlds (simulated truth, [D];
#: ``tests/truth/fit_claims.py`` fits them). More use of a place never lowers its own claim: the
#: weights of days, minutes, residents and devices on no line are not negative.
WEIGHTS: tuple[float, ...] = (
    *(0.4, 0.45, 0.48, -0.33, 0.6, 0.74, 0.22, 1.26, 1.43, -1.19),
    *(0.4, 0.99, 0.89),
)
CONSTANT = -0.06

#: Terms of how much a line is used, by place in :data:`TERMS`.
_OF_LINES = (0, 1, 2, 4, 5, 8)

#: Stands for the share of a profile's sessions where no profile is known.
_NO_PROFILE = 0.5


class Places(NamedTuple):
    """Places of one account, strongest claim first: place 0 is home. Arrays of shape (p,).

    ``claim`` is the probability that the place is the account's home; the claims add up to less
    than 1, since home may be none of them. ``residents`` are devices that are used nowhere more
    than there. A day or night counts once however often the place was used on it. ``terms``, of
    shape (p, t), are those of the claim. ``mobile`` is the place that is mobile egress, -1 where
    that is no possible home.
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
    terms: npt.NDArray[np.float64]
    mobile: int


class Use(NamedTuple):
    """Sessions of one account, in order of time, as the claims of places need them, shape (n,).

    ``time`` in seconds; ``day`` and ``hour`` are local, ``night`` marks evening and night;
    ``fixed`` is of the device; ``minutes`` was watched; ``profile`` is -1 where unknown.
    ``device_rows`` and ``device_start`` give the sessions of each device, in order of time.
    """

    time: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    hour: npt.NDArray[np.int8]
    night: npt.NDArray[np.bool_]
    fixed: npt.NDArray[np.bool_]
    minutes: npt.NDArray[np.float64]
    profile: npt.NDArray[np.int32]
    device_rows: npt.NDArray[np.int32]
    device_start: npt.NDArray[np.int32]


@compiled
def _number(root: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], int]:
    """Number of each node's place, -1 for none, and how many there are."""
    number = np.full(root.size, -1, np.int32)
    count = 0
    for u in range(root.size):
        if root[u] == u:
            number[u] = count
            count += 1
    for u in range(root.size):
        if root[u] >= 0:
            number[u] = number[root[u]]
    return number, count


@compiled
def _count_by_day(use: Use, place: npt.NDArray[np.int32], count: npt.NDArray[np.float64]) -> None:
    """Days, nights, weekend days, minutes, days alone, sessions in working hours."""
    p = count.shape[0]
    never = -(10**9)
    last_day = np.full(p, never, np.int64)
    last_night = np.full(p, never, np.int64)
    today = np.int64(never)
    here = -1
    alone = False
    for i in range(use.time.size):
        q = place[i]
        if q < 0:
            continue
        day = use.day[i]
        # 1 January 1970 was a Thursday.
        weekend = (day + 3) % 7 >= 5
        count[q, 3] += use.minutes[i]
        if not weekend and 9 <= use.hour[i] < 17:
            count[q, 5] += 1
        if day != last_day[q]:
            last_day[q] = day
            count[q, 0] += 1
            if weekend:
                count[q, 2] += 1
        if use.night[i] and day != last_night[q]:
            last_night[q] = day
            count[q, 1] += 1
        if day != today:
            if alone:
                count[here, 4] += 1
            today, here, alone = day, q, True
        elif q != here:
            alone = False
    if alone:
        count[here, 4] += 1


@compiled
def _count_devices(use: Use, place: npt.NDArray[np.int32], count: npt.NDArray[np.float64]) -> None:
    """Devices, fixed ones, residents, their days there and elsewhere, visitors."""
    p = count.shape[0]
    sessions = np.zeros(p, np.int64)
    days = np.zeros(p, np.int64)
    last_day = np.full(p, -(10**9), np.int64)
    touched = np.empty(p, np.int32)
    for d in range(use.device_start.size - 1):
        places = 0
        total = np.int64(0)
        for position in range(use.device_start[d], use.device_start[d + 1]):
            i = use.device_rows[position]
            q = place[i]
            if q < 0:
                continue
            if sessions[q] == 0:
                touched[places] = q
                places += 1
            sessions[q] += 1
            if use.day[i] != last_day[q]:
                last_day[q] = use.day[i]
                days[q] += 1
                total += 1
        main = -1
        for t in range(places):
            q = touched[t]
            if main < 0 or (sessions[q], days[q]) > (sessions[main], days[main]):
                main = q
        for t in range(places):
            q = touched[t]
            if sessions[q] >= 2:
                count[q, 0] += 1
                if use.fixed[use.device_rows[use.device_start[d]]]:
                    count[q, 1] += 1
            if q == main:
                count[q, 2] += 1
                count[q, 3] += days[q]
                count[q, 4] += total - days[q]
            else:
                count[q, 5] += 1
        for t in range(places):
            q = touched[t]
            sessions[q] = 0
            days[q] = 0
            last_day[q] = -(10**9)


@compiled
def _count_profiles(use: Use, place: npt.NDArray[np.int32], count: npt.NDArray[np.float64]) -> None:
    """Profiles used nowhere more, and how much of the use of its profiles was there."""
    p = count.shape[0]
    pair = np.empty(use.time.size, np.int64)
    pairs = 0
    for i in range(use.time.size):
        if place[i] >= 0 and use.profile[i] >= 0:
            pair[pairs] = np.int64(use.profile[i]) * p + place[i]
            pairs += 1
    count[:, 1] = _NO_PROFILE
    if pairs == 0:
        return
    count[:, 1] = 0.0
    used = np.sort(pair[:pairs])
    here = np.zeros(p)
    begin = 0
    while begin < pairs:
        profile = used[begin] // p
        stop = begin
        while stop < pairs and used[stop] // p == profile:
            stop += 1
        total = np.float64(stop - begin)
        most = 0
        main = -1
        first = begin
        for rank in range(begin + 1, stop + 1):
            if rank == stop or used[rank] != used[first]:
                q = used[first] % p
                size = rank - first
                count[q, 1] += size * size / total
                here[q] += size
                if size > most:
                    most = size
                    main = q
                first = rank
        count[main, 0] += 1
        begin = stop
    for q in range(p):
        count[q, 1] = count[q, 1] / here[q] if here[q] > 0 else _NO_PROFILE


@compiled
def _on_no_line(
    use: Use, on_lines: npt.NDArray[np.int32], place: npt.NDArray[np.int32], mobile: int
) -> int:
    """Devices that are used on mobile egress, more than once, and never on a line."""
    devices = 0
    for d in range(use.device_start.size - 1):
        here = 0
        for position in range(use.device_start[d], use.device_start[d + 1]):
            i = use.device_rows[position]
            if on_lines[i] >= 0:
                here = -use.time.size
            elif place[i] == mobile:
                here += 1
        if here >= 2:
            devices += 1
    return devices


@compiled
def _claims(terms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Probability of each place to be home, beside the one that none is."""
    p = terms.shape[0]
    odds = np.empty(p)
    top = 0.0
    for q in range(p):
        odds[q] = CONSTANT
        for t in range(terms.shape[1]):
            odds[q] += WEIGHTS[t] * terms[q, t]
        top = max(top, odds[q])
    total = math.exp(-top)
    for q in range(p):
        odds[q] = math.exp(odds[q] - top)
        total += odds[q]
    return odds / total


@compiled
def _counts(
    use: Use, place: npt.NDArray[np.int32], p: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What speaks for each place, by day, by device and by profile."""
    by_day = np.zeros((p, 6))
    by_device = np.zeros((p, 6))
    by_profile = np.zeros((p, 2))
    _count_by_day(use, place, by_day)
    _count_devices(use, place, by_device)
    _count_profiles(use, place, by_profile)
    return by_day, by_device, by_profile


@compiled
def weigh_places(
    use: Use,
    node: npt.NDArray[np.int32],
    root: npt.NDArray[np.int32],
    mobile_root: int,
    least: float,
) -> tuple[npt.NDArray[np.int32], Places]:
    """Weigh the places of one account and number them by their claim to be home.

    Parameters
    ----------
    use : Use
        The sessions, shape (n,).
    node : ndarray of int32, shape (n,)
        Node of each session.
    root : ndarray of int32, shape (k,)
        Root of each node's place, -1 for none.
    mobile_root : int
        Root of the place that is mobile egress, -1 for none.
    least : float
        Claim from which mobile egress is a place.

    Returns
    -------
    place : ndarray of int32, shape (k,)
        Number of each node's place, -1 for none.
    places : Places
        The evidence for each place.
    """
    number, p = _number(root)
    mobile = number[mobile_root] if mobile_root >= 0 else -1
    n = use.time.size
    place = np.empty(n, np.int32)
    on_lines = np.empty(n, np.int32)
    sessions = np.zeros(p, np.int32)
    first = np.zeros(p, np.int64)
    last = np.zeros(p, np.int64)
    networks = np.zeros(p, np.int32)
    for u in range(root.size):
        if number[u] >= 0:
            networks[number[u]] += 1
    for i in range(n):
        q = number[node[i]]
        place[i] = q
        on_lines[i] = -1 if q == mobile else q
        if q >= 0:
            if sessions[q] == 0:
                first[q] = use.time[i]
            sessions[q] += 1
            last[q] = use.time[i]
    # Who lives on a line is on the road, too: what speaks for lines leaves mobile egress out.
    by_day, by_device, by_profile = _counts(use, on_lines, p)
    if mobile >= 0:
        every_day, every_device, every_profile = _counts(use, place, p)
        by_day[mobile] = every_day[mobile]
        by_device[mobile] = every_device[mobile]
        by_profile[mobile] = every_profile[mobile]
    terms = np.zeros((p, len(TERMS)))
    for q in range(p):
        for t in range(3):
            terms[q, t] = math.log1p(by_day[q, 2 + t])
        terms[q, 3] = by_day[q, 5] / sessions[q]
        for t in range(4, 8):
            terms[q, t] = math.log1p(by_device[q, t - 2])
        terms[q, 8] = math.log1p(by_profile[q, 0])
        terms[q, 9] = by_profile[q, 1]
        if q == mobile:
            for t in _OF_LINES:
                terms[q, t] = 0.0
            terms[q, 10] = 1.0
            terms[q, 11] = math.log1p(by_day[q, 4])
            terms[q, 12] = math.log1p(_on_no_line(use, on_lines, place, mobile))
    claim = _claims(terms)
    order = np.argsort(-claim, kind="mergesort")
    rank_of = np.empty(p, np.int32)
    for rank in range(p):
        rank_of[order[rank]] = rank
    if mobile >= 0:
        mobile = rank_of[mobile]
        if mobile > 0 and claim[order[mobile]] < least:
            for rank in range(mobile + 1, p):
                rank_of[order[rank]] = rank - 1
            rank_of[order[mobile]] = -1
            order = np.concatenate((order[:mobile], order[mobile + 1 :]))
            mobile = -1
    for u in range(root.size):
        if number[u] >= 0:
            number[u] = rank_of[number[u]]
    return number, Places(
        claim[order],
        by_device[order, 2].astype(np.int32),
        by_device[order, 0].astype(np.int32),
        by_device[order, 1].astype(np.int32),
        sessions[order],
        by_day[order, 0].astype(np.int32),
        by_day[order, 1].astype(np.int32),
        networks[order],
        first[order],
        last[order],
        terms[order],
        int(mobile),
    )
