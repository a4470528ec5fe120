"""Columns as found, turned into the columns of `Sessions`.

A value of an optional column that breaks its rule becomes null: the row stays, and the reader is
told how many values went and where the first one was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.errors import Problem
from household_ml.schema import DEVICE_TYPES
from household_ml.sessions.arrow_text import is_text
from household_ml.sessions.localtime import NO_COUNTRY, country_code
from household_ml.sessions.times import is_time

__all__ = [
    "NO_OFFSET",
    "Codes",
    "Converted",
    "convert",
    "country_word_code",
    "device_type_code",
    "encode",
    "type_problem",
]

#: Stands for a null offset before it is resolved.
NO_OFFSET = -32768

_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_UNKNOWN_COUNTRIES = frozenset({"", "ZZ", "XX", "--", "-"})
_UNKNOWN_TYPES = frozenset({"", "unknown"})


class Codes(NamedTuple):
    """Ids as ranks.

    Attributes
    ----------
    codes : ndarray of int32, shape (N,)
        Rank of each id among the distinct ones; -1 = null, empty or blank.
    values : pyarrow.Array
        The distinct ids in order.
    """

    codes: np.ndarray
    values: pa.Array


class Converted(NamedTuple):
    """An optional column.

    Attributes
    ----------
    values : ndarray, shape (N,)
        With the null of `Sessions` where there is no value.
    dropped : ndarray of int64
        Rows whose value broke the rule.
    rule : str
        The rule, as ``<column> must <rule>``.
    """

    values: np.ndarray
    dropped: np.ndarray
    rule: str


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
        or is_text(kind)
    )


def _is_id(kind: pa.DataType) -> bool:
    return is_text(kind) or bool(pa.types.is_integer(kind) or pa.types.is_null(kind))


def _is_duration(kind: pa.DataType) -> bool:
    return _is_number(kind) or bool(pa.types.is_duration(kind))


def _is_word(kind: pa.DataType) -> bool:
    return is_text(kind) or bool(pa.types.is_null(kind))


_ID = ("be text or whole numbers", _is_id, "Cast the ids to text: other types lose digits.")
_WORD = ("be text", _is_word, "Cast it to text, or leave the column out.")
_NUMERIC = ("be a number", _is_number, "Cast it to a number, or leave the column out.")
_TYPES: dict[str, tuple[str, Callable[[pa.DataType], bool], str]] = {
    "account_id": _ID,
    "device_id": _ID,
    "started_at": (
        "be a timestamp or ISO 8601 text",
        is_time,
        "Cast it to a timestamp: seconds and milliseconds cannot be told apart in a plain number.",
    ),
    "duration_s": ("be a number of seconds", _is_duration, _NUMERIC[2]),
    "ip": ("be text", _is_word, "Write addresses as text, such as '192.0.2.1'."),
    "asn": _NUMERIC,
    "device_type": _WORD,
    "country": _WORD,
    "utc_offset_min": _NUMERIC,
    "profile_id": _ID,
}


def type_problem(name: str, kind: pa.DataType) -> Problem | None:
    """What is wrong with the type of a column of the contract, if anything.

    Examples
    --------
    >>> import pyarrow as pa
    >>> print(type_problem("ip", pa.int64()))
    column 'ip' must be text, got int64. Write addresses as text, such as '192.0.2.1'.
    """
    rule, accepts, remedy = _TYPES[name]
    return None if accepts(kind) else Problem(f"column '{name}' must {rule}", str(kind), remedy)


def encode(column: pa.ChunkedArray) -> Codes:
    """Number the distinct values of a text column in their order.

    Parameters
    ----------
    column : pyarrow.ChunkedArray of large_string
        N ids.

    Returns
    -------
    Codes

    Examples
    --------
    >>> import pyarrow as pa
    >>> encode(pa.chunked_array([["b", "a", None, " "]], pa.large_string())).codes.tolist()
    [2, 1, -1, -1]
    """
    if len(column) == 0:
        return Codes(np.zeros(0, np.int32), pa.array([], pa.large_string()))
    encoded = column.dictionary_encode()
    distinct = encoded.chunk(0).dictionary
    order = np.asarray(pc.array_sort_indices(distinct))
    ranks = np.empty(len(distinct) + 1, np.int32)
    ranks[order] = np.arange(len(distinct), dtype=np.int32)
    ranks[-1] = -1
    blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(distinct)), 0)
    ranks[:-1][np.asarray(blank)] = -1
    codes = np.empty(len(column), np.int32)
    first = 0
    for chunk in encoded.chunks:
        indices = chunk.indices
        filled = indices.fill_null(-1) if indices.null_count else indices
        np.take(ranks, np.asarray(filled), out=codes[first : first + len(chunk)], mode="wrap")
        first += len(chunk)
    return Codes(codes, distinct.take(pa.array(order)))


def _numbers(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Values as float64, NaN = null, and which texts are no number."""
    bad = np.zeros(len(column), np.bool_)
    if pa.types.is_duration(column.type):
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
        counts = column.cast(pa.int64()).to_numpy().astype(np.float64)
        return counts / per_second, bad
    if is_text(column.type):
        column = column.cast(pa.large_string())
        column = pc.if_else(pc.equal(column, ""), None, column)
        try:
            column = column.cast(pa.float64())
        except pa.ArrowInvalid:
            is_number = pc.match_substring_regex(column, _NUMBER)
            bad = np.asarray(pc.fill_null(pc.invert(is_number), False))
            column = pc.if_else(is_number, pc.utf8_trim_whitespace(column), None)
            column = column.cast(pa.float64())
    elif not pa.types.is_float64(column.type):
        column = column.cast(pa.float64(), safe=False)
    return column.to_numpy(), bad


def _duration(column: pa.ChunkedArray) -> Converted:
    seconds, bad = _numbers(column)
    bad |= np.isinf(seconds) | (seconds < 0)
    values = np.where(bad, np.nan, seconds).astype(np.float32)
    return Converted(values, np.flatnonzero(bad), "be seconds, 0 or more")


def _whole(
    column: pa.ChunkedArray, low: float, high: float, null: int, kind: type[np.generic]
) -> tuple[np.ndarray, np.ndarray]:
    numbers, bad = _numbers(column)
    null_rows = np.isnan(numbers)
    with np.errstate(invalid="ignore"):
        bad |= ~null_rows & ~((numbers >= low) & (numbers <= high) & (numbers % 1 == 0))
    values = np.where(bad | null_rows, null, numbers).astype(kind)
    return values, np.flatnonzero(bad)


def _asn(column: pa.ChunkedArray) -> Converted:
    if is_text(column.type):
        column = pc.replace_substring_regex(column.cast(pa.large_string()), "^[Aa][Ss]", "")
    values, bad = _whole(column, 0, 2**32 - 1, 0, np.uint32)
    return Converted(values, bad, "be an AS number below 2**32")


def _offset(column: pa.ChunkedArray) -> Converted:
    values, bad = _whole(column, -18 * 60, 18 * 60, NO_OFFSET, np.int16)
    return Converted(values, bad, "be whole minutes within 18 hours of UTC")


def _words(
    column: pa.ChunkedArray, kind: type[np.generic], code: Callable[[str], int | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Codes of words, looked up once for each distinct word; None = no such word."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.large_string()).dictionary_encode()
    values, bad = np.empty(len(column), kind), np.zeros(len(column), np.bool_)
    first = 0
    for chunk in column.chunks:
        part = slice(first, first + len(chunk))
        known = [-1 if word is None else code(word) for word in chunk.dictionary.to_pylist()]
        table = np.array([-1 if found is None else found for found in known] + [-1], kind)
        indices = np.asarray(chunk.indices.fill_null(-1))
        np.take(table, indices, out=values[part], mode="wrap")
        if None in known:
            np.take(np.array([*(x is None for x in known), False]), indices, out=bad[part])
        first = part.stop
    return values, np.flatnonzero(bad)


def device_type_code(word: str) -> int | None:
    """Index of a word in `DEVICE_TYPES`, -1 when it says that nothing is known, None for others."""
    lower = word.strip().lower()
    if lower in DEVICE_TYPES:
        return DEVICE_TYPES.index(lower)
    return -1 if lower in _UNKNOWN_TYPES else None


def country_word_code(word: str) -> int | None:
    """`country_code` of a word, -1 when it says that nothing is known, None for no country."""
    if word.strip() in _UNKNOWN_COUNTRIES:
        return NO_COUNTRY
    code = country_code(word.strip())
    return None if code == NO_COUNTRY else code


def _device_type(column: pa.ChunkedArray) -> Converted:
    values, bad = _words(column, np.int8, device_type_code)
    return Converted(values, bad, f"be one of {', '.join(DEVICE_TYPES)}")


def _country(column: pa.ChunkedArray) -> Converted:
    values, bad = _words(column, np.int16, country_word_code)
    return Converted(values, bad, "be two letters (ISO 3166-1 alpha-2)")


_CONVERT: dict[str, tuple[Callable[[pa.ChunkedArray], Converted], float, type[np.generic]]] = {
    "duration_s": (_duration, np.nan, np.float32),
    "asn": (_asn, 0, np.uint32),
    "device_type": (_device_type, -1, np.int8),
    "country": (_country, NO_COUNTRY, np.int16),
    "utc_offset_min": (_offset, NO_OFFSET, np.int16),
}


def convert(name: str, column: pa.ChunkedArray | None, count: int) -> Converted:
    """Turn an optional column into the one of `Sessions`.

    Parameters
    ----------
    name : {'duration_s', 'asn', 'device_type', 'country', 'utc_offset_min'}
    column : pyarrow.ChunkedArray or None
        As found; None when the source has no such column.
    count : int
        Rows of the source, N.

    Returns
    -------
    Converted

    Examples
    --------
    >>> import pyarrow as pa
    >>> found = convert("duration_s", pa.chunked_array([["90", "-1", "soon", ""]]), 4)
    >>> found.values.tolist(), found.dropped.tolist()
    ([90.0, nan, nan, nan], [1, 2])
    """
    converter, null, kind = _CONVERT[name]
    if column is None or pa.types.is_null(column.type):
        return Converted(np.full(count, null, kind), np.zeros(0, np.int64), "")
    return converter(column)
