"""Every row is accepted, or rejected for a stated reason.

A row is rejected for the first reason of `REASONS` that holds. Two of them need a word:

* Clock skew: a start up to 24 hours after `now` (the clock of the machine that reads, unless one
  is given) is a clock that runs ahead, and is kept as it is; a later one is rejected, or a single
  broken clock would move `as_of` for everybody. A start before 1990 is a clock that was never set.
* Private and bogus addresses say nothing about where a device was, unless the row names an AS:
  then the address may be a prefix-preserving pseudonym, and is taken as an opaque name.
  Carrier-NAT (100.64/10) and documentation addresses are accepted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.sessions import addresses
from household_ml.sessions.columns import NO_OFFSET, Codes, Converted, convert, encode
from household_ml.sessions.localtime import offsets_from_country
from household_ml.sessions.ordering import Columns, number_within, order_rows
from household_ml.sessions.raw import RawSessions, refused_rows
from household_ml.sessions.reading import REJECTED_SCHEMA, Reading
from household_ml.sessions.table import Sessions
from household_ml.sessions.times import parse_times

__all__ = ["FIRST_START", "REASONS", "SKEW", "Judged", "accept_or_reject", "judge"]

#: Why a row is rejected: code -> what was wrong. The order is the order of the checks.
REASONS: Mapping[str, str] = {
    "row_damaged": "the row has another number of fields than the header",
    "login_failed": "nobody got in, so nothing was watched",
    "account_id_missing": "account_id is null, empty or blank",
    "device_id_missing": "device_id is null, empty or blank",
    "device_id_damaged": "device_id was turned into a number by a spreadsheet",
    "started_at_missing": "started_at is null or empty",
    "started_at_invalid": "started_at is not an ISO 8601 time",
    "started_at_before_1990": "started_at is from a clock that was never set",
    "started_at_in_future": "started_at is more than 24 hours after now",
    "ip_missing": "ip is null or empty",
    "ip_invalid": "ip is not the text of an address",
    "ip_private": "ip is a private address and the row names no AS",
    "ip_bogus": "ip is reserved, loopback, link-local or multicast and the row names no AS",
    "duplicate": "all columns of the contract repeat those of another row",
}

_CODES = {reason: code for code, reason in enumerate(REASONS, start=1)}
_COLUMN = {
    "account_id_missing": "account_id",
    "device_id_missing": "device_id",
    "started_at_missing": "started_at",
    "started_at_invalid": "started_at",
    "started_at_before_1990": "started_at",
    "started_at_in_future": "started_at",
    "ip_missing": "ip",
    "ip_invalid": "ip",
    "ip_private": "ip",
    "ip_bogus": "ip",
}
_OPTIONAL = ("duration_s", "asn", "device_type", "country", "utc_offset_min")

#: The first start that may be true, microseconds since 1970, UTC.
FIRST_START = 631_152_000 * 1_000_000

#: How far a clock may run ahead, microseconds.
SKEW = 24 * 3600 * 1_000_000


def _joined(raws: Sequence[RawSessions], name: str) -> pa.ChunkedArray:
    chunks: list[pa.Array] = []
    for raw in raws:
        column = raw.columns.get(name)
        if column is None:
            chunks.append(pa.nulls(len(raw), pa.large_string()))
        else:
            chunks.extend(column.cast(pa.large_string()).chunks)
    return pa.chunked_array(chunks, pa.large_string())


def _encoded(raws: Sequence[RawSessions], name: str) -> Codes:
    return encode(_joined(raws, name))


def _started_at(raws: Sequence[RawSessions]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    every = []
    for raw in raws:
        times = parse_times(raw.columns["started_at"])
        if raw.shift_us is not None:
            times = times._replace(at=times.at + raw.shift_us)
        every.append(times)
    at, missing, invalid = (np.concatenate(parts) for parts in zip(*every, strict=True))
    return at, missing, invalid


def _optional(raws: Sequence[RawSessions], name: str) -> tuple[np.ndarray, list[Converted]]:
    parts = [convert(name, raw.columns.get(name), len(raw)) for raw in raws]
    return np.concatenate([part.values for part in parts]), parts


def _note(raws: Sequence[RawSessions], name: str, parts: Sequence[Converted]) -> str | None:
    """One sentence about the values of a column that were set to null."""
    dropped = sum(len(part.dropped) for part in parts)
    for raw, part in zip(raws, parts, strict=True):
        if len(part.dropped):
            first = part.dropped[:1]
            value = raw.columns[name].take(pa.array(first)).cast(pa.string())[0].as_py()
            place = f"row {raw.row_numbers(first)[0]} of {raw.source}"
            return (
                f"{name} must {part.rule}: {dropped} values set to null, first {value!r} in {place}"
            )
    return None


def _reasons(
    no_account: np.ndarray,
    no_device: np.ndarray,
    times: tuple[np.ndarray, np.ndarray, np.ndarray],
    kind: np.ndarray,
    asn: np.ndarray,
    now: int,
) -> np.ndarray:
    """Code of the first reason to reject each row, 0 = none."""
    at, missing, invalid = times
    unnamed = asn == 0
    checks = {
        "account_id_missing": no_account,
        "device_id_missing": no_device,
        "started_at_missing": missing,
        "started_at_invalid": invalid,
        "started_at_before_1990": at < FIRST_START,
        "started_at_in_future": at > now + SKEW,
        "ip_missing": kind == addresses.NULL,
        "ip_invalid": kind == addresses.INVALID,
        "ip_private": (kind == addresses.PRIVATE) & unnamed,
        "ip_bogus": (kind == addresses.BOGUS) & unnamed,
    }
    reasons = np.zeros(len(at), np.uint8)
    for reason, holds in checks.items():
        if holds.any():
            reasons[holds & (reasons == 0)] = _CODES[reason]
    return reasons


def _shown(raw: RawSessions, reason: str, rows: np.ndarray) -> pa.Array:
    """The offending values, as text."""
    found = raw.columns[_COLUMN[reason]].cast(pa.large_string()).take(pa.array(rows))
    return found.combine_chunks()


def _places(raws: Sequence[RawSessions], starts: np.ndarray, rows: np.ndarray) -> pa.Array:
    """Where rows, counted over all sources, were found, as text."""
    index = np.searchsorted(starts, rows, side="right") - 1
    numbers = np.empty(len(rows), np.int64)
    for source in np.unique(index).tolist():
        here = index == source
        numbers[here] = raws[source].row_numbers(rows[here] - starts[source])
    names = pa.array([raw.source for raw in raws], pa.large_string()).take(pa.array(index))
    told = pa.array(numbers).cast(pa.large_string())
    row, of, space = (pa.scalar(text, pa.large_string()) for text in ("row", "of", " "))
    return pc.binary_join_element_wise(row, told, of, names, space)


def _rejected(
    raws: Sequence[RawSessions], reasons: np.ndarray, repeats: np.ndarray, repeated: np.ndarray
) -> pa.Table:
    """The table of rejected rows, by source and row; ``repeats[i]`` copies ``repeated[i]``."""
    starts = np.cumsum([0, *(len(raw) for raw in raws)])
    names = list(REASONS)
    by_row = np.argsort(repeats)
    tables = []
    for raw, start, end in zip(raws, starts[:-1], starts[1:], strict=True):
        here = reasons[start:end]
        parts = [raw.refused]
        for code in np.unique(here[here > 0]).tolist():
            rows = np.flatnonzero(here == code)
            reason = names[code - 1]
            if reason == "duplicate":
                found = by_row[np.searchsorted(repeats, rows + start, sorter=by_row)]
                values = _places(raws, starts, repeated[found])
            else:
                values = _shown(raw, reason, rows)
            parts.append(refused_rows(raw.row_numbers(rows), reason, values))
        table = pa.concat_tables(parts).sort_by("row")
        source = pa.repeat(pa.scalar(raw.source, pa.large_string()), len(table))
        tables.append(table.add_column(0, "source", source))
    return pa.concat_tables([REJECTED_SCHEMA.empty_table(), *tables])


def _addresses(raws: Sequence[RawSessions]) -> addresses.Addresses:
    text = _joined(raws, "ip")
    parsed = addresses.parse_addresses(text)
    unread = np.flatnonzero(parsed.kind == addresses.INVALID)
    if len(unread):
        empty = pc.equal(pc.binary_length(text.take(pa.array(unread))), 0)
        parsed.kind[unread[np.asarray(empty)]] = addresses.NULL
    return parsed


class Judged(NamedTuple):
    """Rows of one source, each accepted or rejected; which of them repeat others is not known yet.

    Attributes
    ----------
    reasons : ndarray of uint8, shape (N,)
        1 + position in REASONS of the first reason that holds, 0 = accepted.
    values : dict of str to ndarray of shape (N,)
        Columns of `Sessions`, but for the ids and the profile; the offset is not yet resolved.
    rejected : pyarrow.Table
        The rejected rows.
    dropped : dict of str to (int, str)
        Values of a column that were set to null: how many, and a sentence about the first.
    """

    reasons: np.ndarray
    values: dict[str, np.ndarray]
    rejected: pa.Table
    dropped: dict[str, tuple[int, str]]


def judge(raw: RawSessions, no_account: np.ndarray, no_device: np.ndarray, now: int) -> Judged:
    """Accept or reject the rows of one source, repeated rows aside.

    Parameters
    ----------
    raw : RawSessions
        N rows as found.
    no_account, no_device : ndarray of bool, shape (N,)
        Where the id is null, empty or blank.
    now : int
        Microseconds since 1970, UTC.

    Returns
    -------
    Judged
    """
    raws = [raw]
    times = _started_at(raws)
    parsed = _addresses(raws)
    optional = {name: _optional(raws, name) for name in _OPTIONAL}
    values = {name: found for name, (found, _) in optional.items()}
    reasons = _reasons(no_account, no_device, times, parsed.kind, values["asn"], now)
    dropped = {
        name: (len(parts[0].dropped), _note(raws, name, parts) or "")
        for name, (_, parts) in optional.items()
        if len(parts[0].dropped)
    }
    values.update(started_at=times[0], ip_hi=parsed.hi, ip_lo=parsed.lo)
    none = np.zeros(0, np.int64)
    some = len(raw.refused) > 0 or bool(reasons.any())
    rejected = _rejected(raws, reasons, none, none) if some else REJECTED_SCHEMA.empty_table()
    return Judged(reasons, values, rejected, dropped)


def accept_or_reject(raws: Sequence[RawSessions], *, form: str, now: int | None = None) -> Sessions:
    """Sort rows into sessions and rejected rows.

    Parameters
    ----------
    raws : sequence of RawSessions
        Rows as found, in the order of the input; each has the needed columns, of usable types.
    form : str
        Name of the format, for the record.
    now : int, optional
        Microseconds since 1970, UTC; the clock of the machine when left out.

    Returns
    -------
    Sessions
        Possibly without a row; ``reading`` tells the rest.
    """
    now = time.time_ns() // 1_000 if now is None else now
    with ThreadPoolExecutor(2) as pool:  # the work below holds no lock
        encoding = {
            name: pool.submit(_encoded, raws, name)
            for name in ("account_id", "device_id", "profile_id")
        }
        parsing = pool.submit(_addresses, raws)
        timing = pool.submit(_started_at, raws)
        converting = {name: pool.submit(_optional, raws, name) for name in _OPTIONAL}
        account, device, profile = (task.result() for task in encoding.values())
        parsed, times = parsing.result(), timing.result()
        optional = {name: task.result() for name, task in converting.items()}
    value = {name: values for name, (values, _) in optional.items()}
    reasons = _reasons(account.codes < 0, device.codes < 0, times, parsed.kind, value["asn"], now)
    found = Columns(
        np.where(reasons == 0, account.codes, np.int32(-1)),
        device.codes,
        profile.codes,
        times[0],
        value["duration_s"],
        parsed.hi,
        parsed.lo,
        value["asn"],
        value["device_type"],
        value["country"],
        value["utc_offset_min"],
    )
    order, same_as = order_rows(found, len(account.values))
    again = same_as >= 0
    repeats, repeated = order[again], same_as[again]
    reasons[repeats] = _CODES["duplicate"]
    notes = [note for name in _OPTIONAL if (note := _note(raws, name, optional[name][1]))]
    reading = Reading(
        rows_in=len(reasons) + sum(len(raw.refused) for raw in raws),
        rejected=_rejected(raws, reasons, repeats, repeated),
        format=form,
        sources=tuple(raw.source for raw in raws),
        notes=(*(note for raw in raws for note in raw.notes), *notes),
        labels=_together([raw.labels for raw in raws]),
        accounts=_together([raw.accounts for raw in raws]),
    )
    return _arrange(found, order if not again.any() else order[~again], account, device, reading)


def _together(frames: Sequence[pd.DataFrame | None]) -> pd.DataFrame | None:
    present = [frame for frame in frames if frame is not None]
    return pd.concat(present, ignore_index=True) if present else None


def _arrange(
    found: Columns, order: np.ndarray, account: Codes, device: Codes, reading: Reading
) -> Sessions:
    with ThreadPoolExecutor(2) as pool:
        row = Columns(*pool.map(lambda column: column[order], found))
    sizes = np.bincount(row.account, minlength=len(account.values))
    used = np.flatnonzero(sizes)
    account_rows = np.concatenate(([0], np.cumsum(sizes[used]))).astype(np.int64)
    devices = number_within(account_rows, row.device)
    profiles = number_within(account_rows, row.profile)
    return Sessions(
        account_id=account.values.take(pa.array(used)),
        device_id=device.values.take(pa.array(devices.values)),
        account_rows=account_rows,
        account_devices=devices.starts,
        device=devices.numbers,
        started_at=row.started_at,
        duration_s=row.duration_s,
        ip_hi=row.ip_hi,
        ip_lo=row.ip_lo,
        asn=row.asn,
        device_type=row.device_type,
        country=row.country,
        utc_offset_min=offsets_from_country(
            row.started_at, row.country, row.utc_offset_min, NO_OFFSET
        ),
        profile=profiles.numbers,
        reading=reading,
    )
