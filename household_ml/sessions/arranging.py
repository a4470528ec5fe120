"""The rows of one account, judged, ordered and numbered in one compiled pass.

What `validation` does with whole columns of many accounts, on texts as they come: the same parsers,
the same bounds, the same order.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.sessions import addresses
from household_ml.sessions import times as clock
from household_ml.sessions.ordering import sort_accounts

__all__ = ["ROW_REASONS", "arrange", "number"]

Array = npt.NDArray[Any]

#: Devices or profiles of an account that is taken the quick way; of more the order is found later.
_IDS = 64

_MISSING_TIME, _INVALID_TIME, _EARLY, _LATE, _NO_IP, _BAD_IP, _PRIVATE, _BOGUS, _TWICE = range(
    1, 10
)

#: Why a row is rejected, by number.
ROW_REASONS: Final = (
    "",
    "started_at_missing",
    "started_at_invalid",
    "started_at_before_1990",
    "started_at_in_future",
    "ip_missing",
    "ip_invalid",
    "ip_private",
    "ip_bogus",
    "duplicate",
)


@compiled
def _split(joined: Array, begin: int, count: int, characters: Array, offsets: Array) -> int:
    """The next texts, a line feed after each, as they lie without these; where they end."""
    offsets[0] = 0
    at, size = begin, 0
    for value in range(count):
        while at < joined.size and joined[at] != 10:
            characters[size] = joined[at]
            size += 1
            at += 1
        at += 1
        offsets[value + 1] = size
    return at


@compiled
def _compare(text: Array, a: int, a_end: int, b: int, b_end: int) -> int:
    """Order of two texts by their bytes, which is that of their letters."""
    shared = min(a_end - a, b_end - b)
    for i in range(shared):
        if text[a + i] != text[b + i]:
            return -1 if text[a + i] < text[b + i] else 1
    return (a_end - a) - (b_end - b)


@compiled
def _rank(text: Array, starts: Array, ranks: Array, rows: Array) -> int:
    """Rank of each id among the distinct ones, -1 = empty; a row of each; how many there are.

    -1 when there are more than there is room for in `rows`, or one that may be blank.
    """
    found = 0
    for row in range(ranks.size):
        start, end = starts[row], starts[row + 1]
        ranks[row] = -1
        if start == end:
            continue
        place = 0
        while place < found:
            other = rows[place]
            if _compare(text, start, end, starts[other], starts[other + 1]) == 0:
                break
            place += 1
        ranks[row] = place
        if place < found:
            continue
        blank = True
        for i in range(start, end):
            blank = blank and not 0x20 < text[i] < 0x7F
        if blank or found == rows.size:
            return -1
        rows[found] = row
        found += 1
    order = np.arange(found)
    for i in range(1, found):
        one, j = order[i], i
        while j > 0:
            other = rows[order[j - 1]]
            row = rows[one]
            if _compare(text, starts[other], starts[other + 1], starts[row], starts[row + 1]) < 0:
                break
            order[j] = order[j - 1]
            j -= 1
        order[j] = one
    place_of = np.empty(found, np.int32)
    for i in range(found):
        place_of[order[i]] = i
    for row in range(ranks.size):
        if ranks[row] >= 0:
            ranks[row] = place_of[ranks[row]]
    rows[:found] = rows[order]
    return found


@compiled
def number(codes: Array) -> tuple[Array, Array]:
    """Number codes anew; callable from other compiled functions.

    Parameters
    ----------
    codes : ndarray of int32, shape (N,)
        Codes; -1 = none.

    Returns
    -------
    distinct : ndarray of int64
        The distinct codes, ascending.
    numbers : ndarray of int32, shape (N,)
        Place of each code among them; -1 = none.
    """
    highest = -1
    for code in codes:
        highest = max(highest, code)
    place = np.full(highest + 1, -1, np.int32)
    for code in codes:
        if code >= 0:
            place[code] = 0
    distinct = np.flatnonzero(place == 0)
    for i in range(distinct.size):
        place[distinct[i]] = i
    numbers = np.empty(codes.size, np.int32)
    for i in range(codes.size):
        numbers[i] = place[codes[i]] if codes[i] >= 0 else -1
    return distinct, numbers


@compiled
def arrange(
    text: Array,
    profiles: bool,
    time_given: Array,
    duration: Array,
    asn: Array,
    device_type: Array,
    country: Array,
    offset: Array,
    earliest: int,
    latest: int,
    no_offset: int,
) -> tuple[Array, ...]:
    """Reject, order and number the rows of one account; see `validation` for what is rejected.

    Parameters
    ----------
    text : ndarray of uint8
        UTF-8 of the N devices, profiles, addresses and times, a line feed between each two texts;
        without the profiles if there are none, and without the times if they are given as numbers.
    profiles : bool
        Whether there are profiles.
    time_given : ndarray of int64, shape (N,) or (0,)
        Microseconds since 1970, UTC, in place of texts.
    duration : ndarray of float64, shape (N,)
        Seconds; NaN = unknown.
    asn, device_type, country, offset : ndarray of int64, shape (N,)
        As in `Sessions`; the offset is `no_offset` where it is not given.
    earliest, latest : int
        Bounds of a start.
    no_offset : int
        Stands for an offset that is not given.

    Returns
    -------
    reasons : ndarray of uint8, shape (N,)
        Place in `ROW_REASONS` of why the row is rejected; 0 = it is not.
    counts : ndarray of int64, shape (3,)
        Rows that are kept; of these, rows whose offset is still to be told by the country; values
        that are not for this function, with which nothing is kept.
    device_rows : ndarray of int64, shape (D,)
        A row of each device that is left, in the order of their ids.
    device, started_at, duration_s, ip_hi, ip_lo, asn, device_type, country, utc_offset_min, profile
        Columns of `Sessions`.
    """
    count = duration.size
    counts = np.zeros(3, np.int64)
    characters = np.empty(text.size, np.uint8)
    offsets = np.empty(count + 1, np.int64)
    no_null = np.empty(0, np.bool_)
    hi, lo = np.empty(count, np.uint64), np.empty(count, np.uint64)
    kind, reasons = np.empty(count, np.uint8), np.zeros(count, np.uint8)
    device, profile = np.empty(count, np.int32), np.full(count, -1, np.int32)
    device_rows, profile_rows = np.empty(_IDS, np.int64), np.empty(_IDS, np.int64)
    begin = _split(text, 0, count, characters, offsets)
    if _rank(characters, offsets, device, device_rows) < 0:
        counts[2] += 1
    if profiles:
        begin = _split(text, begin, count, characters, offsets)
        if _rank(characters, offsets, profile, profile_rows) < 0:
            counts[2] += 1
    begin = _split(text, begin, count, characters, offsets)
    addresses.fill_addresses(characters, offsets, no_null, hi, lo, kind)
    for row in range(count):
        if offsets[row] == offsets[row + 1]:
            reasons[row] = _NO_IP
        elif kind[row] == addresses.INVALID:
            reasons[row] = _BAD_IP
        elif kind[row] == addresses.PRIVATE and asn[row] == 0:
            reasons[row] = _PRIVATE
        elif kind[row] == addresses.BOGUS and asn[row] == 0:
            reasons[row] = _BOGUS
    at, state = np.zeros(count, np.int64), np.zeros(count, np.uint8)
    if time_given.size:
        at[:] = time_given
    else:
        _split(text, begin, count, characters, offsets)
        clock.fill_times(characters, offsets, no_null, at, state)
    seconds = np.empty(count, np.float32)
    system, shift = np.empty(count, np.uint32), np.empty(count, np.int16)
    sort, place = np.empty(count, np.int8), np.empty(count, np.int16)
    for row in range(count):
        counts[2] += device[row] < 0
        # A NaN is plain: it is what None becomes.
        if duration[row] < 0 or duration[row] > 1e15:
            counts[2] += 1
        if asn[row] < 0 or asn[row] > 0xFFFF_FFFF:
            counts[2] += 1
        if offset[row] != no_offset and (offset[row] < -1080 or offset[row] > 1080):
            counts[2] += 1
        seconds[row], system[row], shift[row] = duration[row], asn[row], offset[row]
        sort[row], place[row] = device_type[row], country[row]
    order = np.empty(count, np.int64)
    size = 0
    for row in range(count):
        if state[row] == clock.MISSING:
            reasons[row] = _MISSING_TIME
        elif state[row] == clock.INVALID:
            reasons[row] = _INVALID_TIME
        elif at[row] < earliest:
            reasons[row] = _EARLY
        elif at[row] > latest:
            reasons[row] = _LATE
        elif reasons[row] == 0:
            order[size] = row
            size += 1
    same_as = np.full(size, -1, np.int64)
    rows = np.array([0, size])
    bits = (seconds + np.float32(0)).view(np.uint32)
    sort_accounts(
        0, min(size, 1), rows, order[:size], same_as, at, device, hi, lo, bits, system,
        sort, place, shift, profile,
    )  # fmt: skip
    kept = 0
    for position in range(size):
        row = order[position]
        if same_as[position] >= 0:
            reasons[row] = _TWICE
        else:
            order[kept] = row
            kept += 1
    order = order[:kept]
    if counts[2] > 0:
        kept = 0
        order = order[:0]
    devices, device = number(device[order])
    _, profile = number(profile[order])
    place, shift, at = place[order], shift[order], at[order]
    for row in range(kept):
        if shift[row] == no_offset:
            if place[row] >= 0:
                counts[1] += 1
            else:
                shift[row] = 0
    counts[0] = kept
    return (
        reasons, counts, device_rows[devices], device, at, seconds[order], hi[order], lo[order],
        system[order], sort[order], place, shift, profile,
    )  # fmt: skip
