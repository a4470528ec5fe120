"""The sessions of one account from Python objects, as a request brings them, in microseconds.

`read_account` gives what `read_sessions` gives of the same rows as a table. What makes it quick is
that a plain value is taken as it is: text is joined once and read by the compiled parsers, ids are
numbered by a dictionary, and one compiled function rejects, orders and numbers the rows. Columns
with a value that is not plain, such as an id that may be blank or a number in text, take the long
way through a table, so that what they mean, and what is told of them, is decided in one place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import NoneType
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml.errors import Problem, SchemaError
from household_ml.schema import SESSIONS
from household_ml.sessions.arranging import ROW_REASONS, arrange, number
from household_ml.sessions.columns import NO_OFFSET, country_word_code, device_type_code
from household_ml.sessions.localtime import NO_COUNTRY, offsets_between
from household_ml.sessions.read import read_sessions
from household_ml.sessions.table import ROW_COLUMNS, Sessions
from household_ml.sessions.validation import FIRST_START, SKEW

__all__ = ["AccountSessions", "account_table", "read_account"]

Array = npt.NDArray[Any]
Columns = Mapping[str, Sequence[Any]]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOCAL_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001
_NAMES: Final = tuple(name for name in SESSIONS.names if name != "account_id")
_NEEDED: Final = tuple(name for name in SESSIONS.needed if name != "account_id")
_NO_TIMES: Final = np.zeros(0, np.int64)

#: Types of plain values.
_TEXTS: Final = frozenset({str, NoneType})
_NUMBERS: Final = frozenset({float, int, NoneType})
_WHOLE: Final = frozenset({int, NoneType})

#: Words of a column whose codes are kept at hand.
_MOST_WORDS: Final = 1024


class _NotPlainError(Exception):
    """A value that takes the long way."""


class AccountSessions(NamedTuple):
    """Accepted sessions of one account, and what became of the other rows.

    Attributes
    ----------
    account_id : str
        The account.
    device_id : tuple of str, length D
        In order.
    account_rows, account_devices : ndarray of int64, shape (2,)
        0 and N, 0 and D.
    device, started_at, duration_s, ip_hi, ip_lo, asn, device_type, country, utc_offset_min, profile
        As in `Sessions`, in the same order.
    rows_in : int
        Rows found.
    rejected : tuple of (int, str)
        Rows that were rejected, counted from 0, and the reason.
    """

    account_id: str
    device_id: tuple[str, ...]
    account_rows: Array
    account_devices: Array
    device: Array
    started_at: Array
    duration_s: Array
    ip_hi: Array
    ip_lo: Array
    asn: Array
    device_type: Array
    country: Array
    utc_offset_min: Array
    profile: Array
    rows_in: int
    rejected: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, sessions: Sessions) -> AccountSessions:
        """Take the sessions of one account that were read in another way."""
        table = sessions.reading.rejected
        columns: dict[str, Any] = {name: getattr(sessions, name) for name in ROW_COLUMNS}
        return cls(
            account_id=sessions.account_id[0].as_py(),
            device_id=tuple(sessions.device_id.to_pylist()),
            account_rows=sessions.account_rows,
            account_devices=sessions.account_devices,
            **columns,
            rows_in=sessions.reading.rows_in,
            rejected=tuple(
                zip(
                    (table["row"].to_numpy() - 1).tolist(), table["reason"].to_pylist(), strict=True
                )
            ),
        )

    def between(self, first: int, last: int) -> AccountSessions:
        """Sessions that started between two moments, both included; see `Sessions.until`.

        Parameters
        ----------
        first, last : int
            Microseconds since 1970, UTC.
        """
        at = self.started_at
        if len(at) and first <= at[0] and at[-1] <= last:
            return self
        start, stop = np.searchsorted(at, first), np.searchsorted(at, last, side="right")
        columns: dict[str, Any] = {name: getattr(self, name)[start:stop] for name in ROW_COLUMNS}
        used, columns["device"] = number(columns["device"])
        _, columns["profile"] = number(columns["profile"])
        return self._replace(
            device_id=tuple(self.device_id[number] for number in used.tolist()),
            account_rows=np.array([0, stop - start]),
            account_devices=np.array([0, used.size]),
            **columns,
        )


def read_account(
    rows: Sequence[Mapping[str, Any]] | Columns,
    *,
    account_id: str = "account",
    now: int | None = None,
) -> AccountSessions:
    """Read the sessions of one account from Python objects.

    Parameters
    ----------
    rows : sequence of mappings, or mapping of str to sequences
        Rows, or columns of one length, under the names of the contract; `account_id` among them
        is not looked at. Quickest are times as ISO 8601 text.
    account_id : str, default="account"
        The account.
    now : int, optional
        As in `read_sessions`.

    Returns
    -------
    AccountSessions
        Those that `read_sessions` reads of the table of `account_table`.

    Raises
    ------
    SchemaError
        A needed column is missing, or a column holds values that cannot be read; all problems are
        told together.
    NoSessionsError
        Not one row can be used.

    Examples
    --------
    >>> sessions = read_account([
    ...     {"device_id": "tv", "started_at": "2026-03-01T20:00:00Z", "ip": "203.0.113.7"},
    ...     {"device_id": "phone", "started_at": "2026-03-02T20:00:00Z", "ip": "203.0.113.7"},
    ...     {"device_id": "phone", "started_at": "tomorrow", "ip": "203.0.113.7"},
    ... ])
    >>> sessions.device_id, sessions.rejected
    (('phone', 'tv'), ((2, 'started_at_invalid'),))
    """
    columns = rows if isinstance(rows, Mapping) else _columns_of(rows)
    try:
        return _read(columns, account_id, time.time_ns() // 1_000 if now is None else now)
    except _NotPlainError:
        table = account_table(columns, account_id)
        return AccountSessions.of(read_sessions(table, format="sessions", now=now))


def account_table(
    rows: Sequence[Mapping[str, Any]] | Columns, account_id: str = "account"
) -> pa.Table:
    """Rows of one account as the sessions table of the contract.

    Parameters
    ----------
    rows, account_id
        As in `read_account`.

    Returns
    -------
    pyarrow.Table
        The columns of the contract that are given, each of the type that its values have.

    Raises
    ------
    SchemaError
        Columns are of different lengths, or hold values of different types; all are told.
    """
    columns = rows if isinstance(rows, Mapping) else _columns_of(rows)
    table: dict[str, pa.Array] = {}
    problems = []
    for name in _NAMES:
        if name not in columns:
            continue
        try:
            table[name] = pa.array(columns[name])
        except (pa.ArrowException, UnicodeEncodeError, OverflowError, TypeError) as error:
            told = str(error).splitlines()[0]
            problems.append(
                Problem(f"column '{name}' must hold values of one type", told, "Convert them.")
            )
    try:
        name = pa.scalar(account_id, pa.large_string())
    except (pa.ArrowException, UnicodeEncodeError) as error:
        problems.append(Problem("account_id must be text", str(error), "Give it as text."))
    sizes = {len(column) for column in table.values()}
    if len(sizes) > 1:
        told = ", ".join(map(str, sorted(sizes)))
        problems.append(Problem("columns must be of one length", told, "Fill gaps with None."))
    if problems:
        raise SchemaError(problems)
    count = max(sizes, default=0)
    return pa.table({"account_id": pa.repeat(name, count), **table})


def _columns_of(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Rows as columns; what a row does not name is None."""
    if not rows:
        return {}
    names = tuple(rows[0])
    if sum(map(len, rows)) == len(names) * len(rows):
        try:
            return {name: [row[name] for row in rows] for name in names}
        except KeyError:
            pass
    named = {name for row in rows for name in row}
    return {name: [row.get(name) for row in rows] for name in _NAMES if name in named}


def _read(columns: Columns, account_id: str, now: int) -> AccountSessions:
    if not all(map(columns.__contains__, _NEEDED)) or not _is_name(account_id):
        raise _NotPlainError
    count = len(columns["device_id"])
    given = {name: _told(columns[name], count) for name in _NAMES if name in columns}
    devices, profiles, times = given["device_id"], given.get("profile_id"), given["started_at"]
    if count == 0 or devices is None or times is None or given["ip"] is None:
        raise _NotPlainError
    countries = _words(given.get("country"), count, _COUNTRIES)
    written = type(times[0]) is not datetime
    (
        reasons, counts, device_rows, device, at, duration, hi, lo, asn, device_type,
        country, offset, profile,
    ) = arrange(
        _joined([*devices, *(profiles or ()), *given["ip"], *(times if written else ())]),
        profiles is not None,
        _NO_TIMES if written else _moments(times),
        _numbers(given.get("duration_s"), count),
        _whole(given.get("asn"), count, 0),
        _words(given.get("device_type"), count, _DEVICE_TYPES),
        countries,
        _whole(given.get("utc_offset_min"), count, NO_OFFSET),
        FIRST_START,
        now + SKEW,
        NO_OFFSET,
    )  # fmt: skip
    kept, zoned, odd = counts.tolist()
    if kept == 0 or odd:
        raise _NotPlainError
    if zoned:
        codes = tuple(sorted(set(countries.tolist()) - {NO_COUNTRY}))
        offset = offsets_between(at, country, offset, NO_OFFSET, codes, int(at[0]), int(at[-1]))
    device_id = tuple([devices[row] for row in device_rows.tolist()])
    return AccountSessions(
        account_id, device_id, _bounds(kept), _bounds(len(device_id)), device, at,
        duration, hi, lo, asn, device_type, country, offset, profile, count,
        () if kept == count else _rejected(reasons),
    )  # fmt: skip


def _is_name(text: str) -> bool:
    """Whether a value is a text that is surely not blank, whatever is called blank."""
    return type(text) is str and ("!" <= text[:1] <= "~" or any("!" <= c <= "~" for c in text))


def _told(values: Sequence[Any], count: int) -> Sequence[Any] | None:
    """A column; None if it tells nothing."""
    if type(values) is not list and type(values) is not tuple:
        values = list(values)
    if len(values) != count:
        raise _NotPlainError
    return None if count and values[0] is None and values.count(None) == count else values


def _joined(texts: list[Any]) -> Array:
    """Texts in one, a line feed between each two; None is empty."""
    try:
        joined = "\n".join(texts)
    except TypeError:
        if not _TEXTS.issuperset(map(type, texts)):
            raise _NotPlainError from None
        joined = "\n".join([text or "" for text in texts])
    if joined.count("\n") != len(texts) - 1:
        raise _NotPlainError
    try:
        return np.frombuffer(joined.encode(), np.uint8)
    except UnicodeEncodeError as error:
        raise _NotPlainError from error


def _moments(times: Sequence[Any]) -> Array:
    """Microseconds since 1970, UTC; a time without a zone is UTC."""
    if set(map(type, times)) != {datetime}:
        raise _NotPlainError
    try:
        start = _LOCAL_EPOCH if times[0].tzinfo is None else _EPOCH
        since = [each - start for each in times]
    except TypeError as error:
        raise _NotPlainError from error
    micros = [(each.days * 86_400 + each.seconds) * 1_000_000 + each.microseconds for each in since]
    return np.array(micros, np.int64)


def _numbers(numbers: Sequence[Any] | None, count: int) -> Array:
    """Numbers as float64; NaN = None."""
    if numbers is None:
        return _constant(count, np.nan, np.float64)
    if not _NUMBERS.issuperset(map(type, numbers)):
        raise _NotPlainError
    try:
        return np.array(numbers, np.float64)
    except OverflowError as error:
        raise _NotPlainError from error


def _whole(numbers: Sequence[Any] | None, count: int, none: int) -> Array:
    """Whole numbers as int64, and what stands for None."""
    if numbers is None:
        return _constant(count, none, np.int64)
    kinds = set(map(type, numbers))
    if not kinds <= _WHOLE:
        raise _NotPlainError
    if NoneType in kinds:
        numbers = [none if number is None else number for number in numbers]
    try:
        return np.array(numbers, np.int64)
    except OverflowError as error:
        raise _NotPlainError from error


class _Codes(dict[Any, int]):
    """Codes of the words that were met, each found once; what is no word is not plain."""

    def __init__(self, code: Callable[[str], int | None], none: int) -> None:
        super().__init__({None: none})
        self._code = code
        self._none = none

    def __missing__(self, word: object) -> int:
        if type(word) is not str:
            raise _NotPlainError
        if len(self) >= _MOST_WORDS:
            self.clear()
            self[None] = self._none
        code = self._code(word)
        return self.setdefault(word, self._none if code is None else code)


_DEVICE_TYPES: Final = _Codes(device_type_code, -1)
_COUNTRIES: Final = _Codes(country_word_code, NO_COUNTRY)


def _words(words: Sequence[Any] | None, count: int, codes: _Codes) -> Array:
    """Codes of words; -1 = None."""
    if words is None:
        return _constant(count, -1, np.int64)
    try:
        if len(set(words)) == 1:
            return _constant(count, codes[words[0]], np.int64)
        return np.array(list(map(codes.__getitem__, words)), np.int64)
    except TypeError as error:
        raise _NotPlainError from error


@lru_cache(maxsize=256)
def _constant(count: int, value: float, kind: type[np.int64 | np.float64]) -> Array:
    """A column of one value, which nobody writes to."""
    return np.full(count, value, kind)


@lru_cache(maxsize=1024)
def _bounds(count: int) -> Array:
    """Offsets of one account, which nobody writes to."""
    return np.array((0, count))


def _rejected(reasons: Array) -> tuple[tuple[int, str], ...]:
    """Rows that are rejected, and why."""
    rows = np.flatnonzero(reasons)
    codes = [ROW_REASONS[code] for code in reasons[rows].tolist()]
    return tuple(zip(rows.tolist(), codes, strict=True))
