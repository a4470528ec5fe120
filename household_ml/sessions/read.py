"""Reading sessions from whatever holds them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from household_ml.errors import (
    FormatError,
    NoSessionsError,
    ParameterError,
    Problem,
    SchemaError,
)
from household_ml.sessions.adapters import File, choose
from household_ml.sessions.advice import find_doubts, name_no_zone, remedy_for
from household_ml.sessions.columns import type_problem
from household_ml.sessions.reading import SessionsWarning
from household_ml.sessions.stored import find_files
from household_ml.sessions.table import Sessions
from household_ml.sessions.tabular import in_memory, kind_of, open_tabular
from household_ml.sessions.validation import accept_or_reject

__all__ = ["check_rejected", "check_types", "open_files", "read_sessions"]

_TABULAR = ("parquet", "arrow", "csv")


def read_sessions(
    source: str | os.PathLike[str] | pd.DataFrame | pa.Table,
    *,
    format: str | None = None,  # noqa: A002, the word of the command line
    rejected: str | os.PathLike[str] | None = None,
    now: int | None = None,
) -> Sessions:
    """Read sessions; every row is used, or rejected for a stated reason.

    Parameters
    ----------
    source : path, DataFrame or pyarrow.Table
        A Parquet, CSV (also gzipped) or Arrow file, a folder, a zip, a glob, an export of a
        streaming service, or a table in memory. Columns are found by name.
    format : {'sessions', 'netflix-export', 'spotify-export', 'csfeye', 'rba-dataset'}, optional
        Recognised by content when left out.
    rejected : path, optional
        Where to write the rejected rows: ``.parquet`` or ``.csv``.
    now : int, optional
        Microseconds since 1970, UTC, from which clock skew is judged; the clock of the machine
        when left out.

    Returns
    -------
    Sessions
        At least one row; ``reading`` tells what was rejected and what else to know.

    Raises
    ------
    InputError
        When nothing is found at the path.
    FormatError
        When the content is damaged or of no known format.
    SchemaError
        When a needed column is missing or a column has a type that cannot be read; all problems
        are told together.
    NoSessionsError
        When not one row could be used; the rejected rows are written first.
    ParameterError
        When `format` or the suffix of `rejected` is unknown.

    Warns
    -----
    SessionsWarning
        When columns are ignored, when a format lacks something that the sessions need, or when
        the sessions look wrong: one address for nearly all accounts, local times taken for UTC.

    Examples
    --------
    >>> import pandas as pd
    >>> sessions = read_sessions(pd.DataFrame({
    ...     "account_id": ["a", "a", None],
    ...     "device_id": ["tv", "phone", "tv"],
    ...     "started_at": ["2026-03-01T20:00:00Z", "yesterday", "2026-03-01T20:00:00Z"],
    ...     "ip": ["203.0.113.7", "203.0.113.7", "203.0.113.7"],
    ... }))
    >>> print(sessions.reading)
    3 rows in, 1 used, 2 rejected (1 account_id_missing, 1 started_at_invalid)
    >>> sessions.reading.rejected.to_pylist()[0]
    {'source': 'DataFrame', 'row': 2, 'reason': 'started_at_invalid', 'value': 'yesterday'}
    """
    check_rejected(rejected)
    files = _files(source)
    form = choose(files, format)
    adapted = form.adapt(files)
    check_types((name, column.type) for raw in adapted.raws for name, column in raw.columns.items())
    for told in adapted.warnings:
        warnings.warn(told, SessionsWarning, stacklevel=2)
    sessions = accept_or_reject(adapted.raws, form=form.name, now=now)
    reading = replace(sessions.reading, notes=(*adapted.warnings, *sessions.reading.notes))
    if rejected is not None:
        _write_rejected(reading.rejected, Path(rejected))
    if len(sessions) == 0:
        raise NoSessionsError(
            Problem(
                "sessions must have at least one row that can be used",
                str(reading),
                remedy_for(reading.rejected_by_reason),
            )
        )
    zoneless = form.name == "sessions" and name_no_zone(
        raw.columns["started_at"] for raw in adapted.raws if "started_at" in raw.columns
    )
    doubts = find_doubts(sessions, zoneless=zoneless)
    for told in doubts:
        warnings.warn(told, SessionsWarning, stacklevel=2)
    return replace(sessions, reading=replace(reading, notes=(*reading.notes, *doubts)))


def _files(source: Any) -> list[File]:
    if isinstance(source, pd.DataFrame):
        return [File("DataFrame", "other", tabular=in_memory("DataFrame", _to_arrow(source)))]
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table):
        return [File("Table", "other", tabular=in_memory("Table", source))]
    if hasattr(source, "__arrow_c_stream__"):
        return [File("table", "other", tabular=in_memory("table", pa.table(source)))]
    if not isinstance(source, str | os.PathLike):
        raise ParameterError(
            Problem(
                "source must be a path, a DataFrame or an Arrow table",
                type(source).__name__,
                "Give one of these.",
            )
        )
    files, damaged = open_files(source)
    if damaged:
        raise damaged[0]
    return files


def open_files(source: str | os.PathLike[str]) -> tuple[list[File], list[FormatError]]:
    """Open the files that a path means.

    Parameters
    ----------
    source : path
        As in `read_sessions`.

    Returns
    -------
    files : list of File
        Those that could be opened.
    damaged : list of FormatError
        What is wrong with the others.

    Raises
    ------
    InputError
        Nothing is found at the path.
    """
    files, damaged = [], []
    for stored in find_files(source):
        kind = kind_of(stored.head())
        try:
            tabular = open_tabular(stored, kind) if kind in _TABULAR else None
            files.append(File(stored.name, kind, stored, tabular))
        except FormatError as error:
            damaged.append(error)
    return files, damaged


def _to_arrow(frame: pd.DataFrame) -> pa.Table:
    """A DataFrame column by column, so that every column that cannot be converted is told."""
    columns: dict[str, Any] = {}
    problems = []
    for position, name in enumerate(map(str, frame.columns)):
        try:
            columns[name] = pa.array(frame.iloc[:, position], from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            told = str(error).splitlines()[0]
            problems.append(
                Problem(f"column '{name}' must hold values of one type", told, "Cast it.")
            )
    if problems:
        raise SchemaError(problems)
    return pa.table(columns)


def check_types(columns: Iterable[tuple[str, pa.DataType]]) -> None:
    """Raise SchemaError when columns have types that cannot be read; all are told together."""
    problems = {
        str(problem): problem
        for name, kind in columns
        if (problem := type_problem(name, kind)) is not None
    }
    if problems:
        raise SchemaError(list(problems.values()))


def check_rejected(rejected: str | os.PathLike[str] | None) -> None:
    """Raise ParameterError when rejected rows cannot be written to a file of this name."""
    if rejected is not None and Path(rejected).suffix.lower() not in (".parquet", ".csv"):
        raise ParameterError(
            Problem(
                "the file of rejected rows must end in .parquet or .csv",
                repr(os.fspath(rejected)),
                "Rename it.",
            )
        )


def _write_rejected(rejected: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".parquet":
        pq.write_table(rejected, path)
    else:
        pa_csv.write_csv(rejected, path)
