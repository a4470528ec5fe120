"""What a simulation knows of every session: its true place and line, and whether that was home.

The table ``truth`` of :mod:`household_ml.schema` stands beside sessions whose truth is known. It
speaks of a session by account, device and start; without these columns it is row by row the table
of sessions. It must speak of every session: an oracle that is not told some places is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.errors import LabelsError, Problem
from household_ml.schema import TRUTH
from household_ml.sessions import Sessions
from household_ml.sessions.times import is_time, parse_times

__all__ = ["NOWHERE", "SESSION_KEY", "Truth", "align_truth", "name_sessions"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Columns that name a session.
SESSION_KEY = ("account_id", "device_id", "started_at")

#: Stands for no place and for no line.
NOWHERE = -1

#: Another name of ``at_home``.
_ALSO_AT_HOME = "at_main_home"

#: Kinds of access on which there is no line of one's own.
_NO_LINE = ("cellular", "vpn")


@dataclass(frozen=True, eq=False)
class Truth:
    """True place of each of N sessions.

    Parameters
    ----------
    place : int64 array of shape (N,)
        Place, numbered from 0 in the order of ``place_id``; -1 = on the move.
    line : int64 array of shape (N,) or None
        Access line, numbered likewise, -1 = none of its own; None where it is not told.
    at_home : bool array of shape (N,) or None
        Whether the place was the account's main home then; None where it is not told.
    """

    place: Ints
    line: Ints | None = None
    at_home: Bools | None = None


def name_sessions(truth: pa.Table, sessions: pa.Table | None) -> pa.Table:
    """Give the rows of a table of truth the names of the sessions they speak of.

    Parameters
    ----------
    truth : pyarrow.Table
        Table ``truth`` of :mod:`household_ml.schema`; it may have these names already.
    sessions : pyarrow.Table or None
        The table of sessions in its own order, as it was before reading; at least with the
        columns that name a session. None when there is no such table.

    Returns
    -------
    pyarrow.Table
        The truth, each row with ``account_id``, ``device_id`` and ``started_at``.

    Raises
    ------
    LabelsError
        When it has neither names nor a row per session.

    Examples
    --------
    >>> sessions = {"account_id": ["a"], "device_id": ["tv"], "started_at": ["2026-03-01T20:00Z"]}
    >>> name_sessions(pa.table({"place_id": [7]}), pa.table(sessions)).column_names
    ['account_id', 'device_id', 'started_at', 'place_id']
    """
    if set(SESSION_KEY) <= set(truth.column_names):
        return truth
    if sessions is None or truth.num_rows != sessions.num_rows:
        rows = "no table of sessions" if sessions is None else f"{sessions.num_rows} sessions"
        raise LabelsError(
            Problem(
                "the truth must name its sessions, or have one row per row of the sessions",
                f"{truth.num_rows} rows without account_id, device_id and started_at, for {rows}",
                "Add these columns to the truth, or write both tables again, together.",
            )
        )
    rest = truth.drop_columns([name for name in SESSION_KEY if name in truth.column_names])
    columns = {name: sessions[name] for name in SESSION_KEY}
    columns |= {name: rest[name] for name in rest.column_names}
    return pa.table(columns)


def align_truth(sessions: Sessions, truth: pa.Table) -> Truth:
    """Find the truth of each session.

    Parameters
    ----------
    sessions : Sessions
        N sessions.
    truth : pyarrow.Table
        As :func:`name_sessions` gives it. Rows of other sessions are passed over; of several rows
        that name one session the first counts.

    Returns
    -------
    Truth

    Raises
    ------
    LabelsError
        When a column is missing or cannot be read, or a session has no row. What is wrong is told
        together.
    """
    problems = _unreadable(truth)
    if problems:
        raise LabelsError(problems)
    position = _positions(sessions, truth)
    lacking = int((position < 0).sum())
    if lacking:
        raise LabelsError(
            Problem(
                "the truth must speak of every session that is used",
                f"{truth.num_rows} rows, none of them of {lacking} of {len(sessions)} sessions"
                + _example(sessions, int(np.flatnonzero(position < 0)[0])),
                "Give the truth that was written together with these sessions.",
            )
        )
    at_home = _ALSO_AT_HOME if "at_home" not in truth.column_names else "at_home"
    return Truth(
        place=_renumbered(_whole(truth["place_id"])[position]),
        line=_renumbered(_lines(truth)[position]) if "line_id" in truth.column_names else None,
        at_home=_flags(truth[at_home])[position] if at_home in truth.column_names else None,
    )


def _unreadable(truth: pa.Table) -> list[Problem]:
    names = truth.column_names
    lacking = [name for name in TRUTH.needed if name not in names]
    problems = [
        Problem(
            f"the truth must have the column {name}",
            f"none among {', '.join(names)}",
            "See the table truth in household_ml/schema.py.",
        )
        for name in lacking
    ]
    problems += [
        Problem(
            f"column {name} of the truth must hold whole numbers",
            str(truth[name].type),
            "Number the places and lines; -1 stands for none.",
        )
        for name in ("place_id", "line_id")
        if name in names and not _is_whole(truth[name].type)
    ]
    if not is_time(truth["started_at"].type):
        problems.append(
            Problem(
                "column started_at of the truth must be a timestamp or ISO 8601 text",
                str(truth["started_at"].type),
                "Write it as in the sessions.",
            )
        )
    return problems


def _is_whole(kind: pa.DataType) -> bool:
    # a column of whole numbers with a null among them comes from pandas as floats
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind))


def _positions(sessions: Sessions, truth: pa.Table) -> Ints:
    """Row of the truth that speaks of each session, -1 = none; shape (N,)."""
    account = _code(truth["account_id"], sessions.account_id)
    names = pc.unique(sessions.device_id)
    device = _code(truth["device_id"], names)
    # devices as pairs of account and name: names alone may return in another account
    pair = sessions.device_account() * len(names) + _code(sessions.device_id, names)
    order = np.argsort(pair, kind="stable")
    told = np.where((account >= 0) & (device >= 0), account * len(names) + device, -1)
    owner = _find(pair, order, told)
    moments = np.unique(sessions.started_at)
    times = parse_times(truth["started_at"])
    moment = _find(moments, np.arange(moments.size), times.at)
    known = (owner >= 0) & (moment >= 0) & ~times.missing & ~times.invalid
    rows = np.flatnonzero(known)
    key = owner[rows] * moments.size + moment[rows]
    own = sessions.account_devices[sessions.row_account()] + sessions.device
    wanted = own * moments.size + np.searchsorted(moments, sessions.started_at)
    first = _find(key, np.argsort(key, kind="stable"), wanted)
    return np.where(first >= 0, rows[first] if rows.size else -1, -1)


def _code(values: pa.Array | pa.ChunkedArray, among: pa.Array) -> Ints:
    """Place of each text in an array of distinct ones, -1 = none."""
    text = values.cast(pa.large_string())
    found = pc.index_in(text, value_set=among.cast(pa.large_string()))
    return np.asarray(found.fill_null(-1), dtype=np.int64)


def _find(values: Ints, order: Ints, wanted: Ints) -> Ints:
    """Where each number stands among others, the first of equals; -1 = nowhere."""
    if values.size == 0:
        return np.full(wanted.size, -1, dtype=np.int64)
    ordered = values[order]
    at = np.minimum(np.searchsorted(ordered, wanted), ordered.size - 1)
    return np.where(ordered[at] == wanted, order[at], -1)


def _whole(column: pa.ChunkedArray) -> Ints:
    if not pa.types.is_integer(column.type):
        number = pc.cast(column, pa.float64())
        column = pc.if_else(pc.is_nan(number), None, number)
    whole = pc.cast(column, pa.int64(), safe=False)
    values = np.asarray(pc.fill_null(whole, NOWHERE), dtype=np.int64)
    return np.maximum(values, NOWHERE)


def _renumbered(values: Ints) -> Ints:
    told = values >= 0
    found = np.full(values.size, NOWHERE, dtype=np.int64)
    found[told] = np.unique(values[told], return_inverse=True)[1]
    return found


def _flags(column: pa.ChunkedArray) -> Bools:
    return np.asarray(pc.fill_null(pc.cast(column, pa.bool_()), False), dtype=bool)


def _lines(truth: pa.Table) -> Ints:
    line = _whole(truth["line_id"])
    if "access" not in truth.column_names:
        return line
    shared = pc.is_in(truth["access"].cast(pa.string()), value_set=pa.array(_NO_LINE))
    return np.where(np.asarray(shared), NOWHERE, line)


def _example(sessions: Sessions, row: int) -> str:
    account = int(np.searchsorted(sessions.account_rows, row, side="right")) - 1
    device = int(sessions.account_devices[account] + sessions.device[row])
    return (
        f", such as one of {sessions.device_id[device].as_py()!r} "
        f"of account {sessions.account_id[account].as_py()!r}"
    )
