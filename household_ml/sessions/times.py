"""Times: ISO 8601 text and Arrow timestamps as microseconds since 1970, UTC.

A time without a zone is UTC. Text is ``YYYY-MM-DD``, then ``T`` or a blank, then ``HH:MM`` or
``HH:MM:SS`` with a fraction of any length (cut at microseconds), then nothing, ``Z``, ``UTC`` or
an offset (``+02:00``, ``+0200``, ``+02``). A date alone lacks the time of day and is no start of a
session. Second 60 (a leap second) is the first second of the next minute.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from household_ml.compiling import compiled
from household_ml.errors import ParameterError, Problem
from household_ml.sessions.arrow_text import Integer, as_chunks, is_text, text_buffers

__all__ = [
    "INVALID",
    "MISSING",
    "READ",
    "Times",
    "fill_times",
    "is_time",
    "parse_time",
    "parse_times",
]

#: What comes of a text: a time, none because nothing was given, none because it is no time.
READ, MISSING, INVALID = 0, 1, 2
_SECOND = 1_000_000
_PER_UNIT = {"s": _SECOND, "ms": 1_000, "us": 1}


class Times(NamedTuple):
    """Times as numbers.

    Attributes
    ----------
    at : ndarray of int64, shape (N,)
        Microseconds since 1970-01-01T00:00Z; 0 where there is none.
    missing : ndarray of bool, shape (N,)
        Null, or empty text.
    invalid : ndarray of bool, shape (N,)
        Neither missing nor a time.
    """

    at: np.ndarray
    missing: np.ndarray
    invalid: np.ndarray


@compiled
def _number(characters: np.ndarray, start: Integer, size: Integer, end: Integer) -> Integer:
    """Exactly `size` digits as a number, or -1."""
    if start + size > end:
        return -1
    value: Integer = 0
    for i in range(start, start + size):
        digit = np.int64(characters[i]) - 48
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


@compiled
def _days(year: Integer, month: Integer, day: Integer) -> Integer:
    """Days from 1970-01-01 in the proleptic Gregorian calendar."""
    if month <= 2:
        year -= 1
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


@compiled
def _days_in(year: Integer, month: Integer) -> Integer:
    if month == 2:
        leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
        return 29 if leap else 28
    return 30 if month in (4, 6, 9, 11) else 31


@compiled
def _zone(characters: np.ndarray, i: Integer, end: Integer) -> tuple[bool, Integer]:
    """Offset from UTC in minutes written at the end of a time."""
    if i < end and characters[i] == 32:
        i += 1
    size = end - i
    if size == 0:
        return True, 0
    first = characters[i]
    if size == 1:
        return first == 90 or first == 122, 0
    if size == 3 and first == 85 and characters[i + 1] == 84 and characters[i + 2] == 67:
        return True, 0
    if first != 43 and first != 45:
        return False, 0
    hours = _number(characters, i + 1, 2, end)
    minutes: Integer = 0
    if size == 5:
        minutes = _number(characters, i + 3, 2, end)
    elif size == 6 and characters[i + 3] == 58:
        minutes = _number(characters, i + 4, 2, end)
    elif size != 3:
        return False, 0
    if hours < 0 or hours > 18 or minutes < 0 or minutes > 59:
        return False, 0
    offset = hours * 60 + minutes
    return True, -offset if first == 45 else offset


@compiled
def _parse_one(characters: np.ndarray, start: Integer, end: Integer) -> tuple[bool, Integer]:
    if end - start < 16:
        return False, 0
    year = _number(characters, start, 4, end)
    month = _number(characters, start + 5, 2, end)
    day = _number(characters, start + 8, 2, end)
    hour = _number(characters, start + 11, 2, end)
    minute = _number(characters, start + 14, 2, end)
    between = characters[start + 10]
    if (
        year < 1
        or characters[start + 4] != 45
        or characters[start + 7] != 45
        or characters[start + 13] != 58
        or not (between == 84 or between == 116 or between == 32)
        or month < 1
        or month > 12
        or day < 1
        or day > _days_in(year, month)
        or hour < 0
        or hour > 23
        or minute < 0
        or minute > 59
    ):
        return False, 0
    second: Integer = 0
    micros: Integer = 0
    i = start + 16
    if i < end and characters[i] == 58:
        second = _number(characters, i + 1, 2, end)
        if second < 0 or second > 60:
            return False, 0
        i += 3
        if i < end and (characters[i] == 46 or characters[i] == 44):
            i += 1
            place = 100_000
            first = i
            while i < end and 48 <= characters[i] <= 57:
                micros += (np.int64(characters[i]) - 48) * place
                place //= 10
                i += 1
            if i == first:
                return False, 0
    valid, offset = _zone(characters, i, end)
    if not valid:
        return False, 0
    seconds = ((_days(year, month, day) * 24 + hour) * 60 + minute - offset) * 60 + second
    return True, seconds * 1_000_000 + micros


@compiled
def fill_times(
    characters: np.ndarray,
    offsets: np.ndarray,
    null: np.ndarray,
    at: np.ndarray,
    state: np.ndarray,
) -> None:
    """Read texts as times; callable from other compiled functions.

    Parameters
    ----------
    characters, offsets, null : ndarray
        N texts, as in `TextBuffers`.
    at : ndarray of int64, shape (N,)
        Filled with microseconds since 1970, UTC; 0 where there is no time.
    state : ndarray of uint8, shape (N,)
        Filled with `READ`, `MISSING` or `INVALID`.
    """
    some_null = null.size > 0
    for row in range(at.size):
        at[row] = 0
        if (some_null and null[row]) or offsets[row] == offsets[row + 1]:
            state[row] = MISSING
            continue
        valid, value = _parse_one(characters, offsets[row], offsets[row + 1])
        if valid:
            at[row] = value
            state[row] = READ
        else:
            state[row] = INVALID


def is_time(kind: pa.DataType) -> bool:
    """Whether a column of this Arrow type can be read as times."""
    return is_text(kind) or bool(pa.types.is_timestamp(kind) or pa.types.is_null(kind))


def _from_timestamps(column: pa.Array | pa.ChunkedArray) -> Times:
    unit = column.type.unit
    missing = np.asarray(column.is_null())
    zeroed = column.fill_null(0) if column.null_count else column
    counts = np.asarray(zeroed.cast(pa.int64()))
    if unit == "ns":
        return Times(counts // 1_000, missing, np.zeros(len(counts), np.bool_))
    per_unit = _PER_UNIT[unit]
    limit = np.iinfo(np.int64).max // per_unit
    invalid = (counts > limit) | (counts < -limit)
    return Times(np.where(invalid, 0, counts) * per_unit, missing, invalid)


def parse_times(column: pa.Array | pa.ChunkedArray) -> Times:
    """Read times from an Arrow column of timestamps (any unit, any zone) or ISO 8601 text.

    Parameters
    ----------
    column : pyarrow Array or ChunkedArray
        N values of a type for which `is_time` holds.

    Returns
    -------
    Times
        N times.

    Examples
    --------
    >>> import pyarrow as pa
    >>> texts = ["2024-03-01T19:22:41Z", "2024-03-01 20:22:41.5+01:00", "01/03/2024 19:22", None]
    >>> times = parse_times(pa.array(texts))
    >>> times.at.tolist()
    [1709320961000000, 1709320961500000, 0, 0]
    >>> times.invalid.tolist(), times.missing.tolist()
    ([False, False, True, False], [False, False, False, True])
    """
    if pa.types.is_timestamp(column.type):
        return _from_timestamps(column)
    count = len(column)
    at, state = np.zeros(count, np.int64), np.full(count, MISSING, np.uint8)
    first = 0
    for chunk in as_chunks(column):
        part = slice(first, first + len(chunk))
        fill_times(*text_buffers(chunk), at[part], state[part])
        first = part.stop
    return Times(at, state == MISSING, state == INVALID)


def parse_time(text: str) -> int:
    """Read one time; a date alone is its midnight, UTC.

    Parameters
    ----------
    text : str
        ISO 8601.

    Returns
    -------
    int
        Microseconds since 1970-01-01T00:00Z.

    Raises
    ------
    ParameterError
        When the text is not a time.

    Examples
    --------
    >>> parse_time("2024-03-01") == parse_time("2024-03-01T01:00+01:00")
    True
    """
    stripped = text.strip()
    full = f"{stripped}T00:00Z" if len(stripped) == 10 else stripped
    times = parse_times(pa.array([full]))
    if times.missing[0] or times.invalid[0]:
        raise ParameterError(
            Problem(
                "a time must be ISO 8601, such as 2026-03-01T20:00:00Z",
                repr(text),
                "Write year, month and day first; without a zone it is UTC.",
            )
        )
    return int(times.at[0])
