"""Batch scoring: files in, a file out.

The output appears under its name only when it is complete. Interrupted, what was finished is kept
beside it as ``NAME.partial.SUFFIX``: whole accounts, readable as it is.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.config import environment
from household_ml.errors import ParameterError, Problem
from household_ml.schema import VERDICTS
from household_ml.scoring.hysteresis import STANDING
from household_ml.scoring.previous import PreviousScores, read_previous
from household_ml.scoring.scorer import HouseholdScorer, read_moment, score_schema
from household_ml.scoring.slots import read_accounts
from household_ml.scoring.window import known_at
from household_ml.serving.progress import Progress
from household_ml.sessions import Sessions, read_sessions

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from household_ml.networks import NetworkStatistics

__all__ = [
    "BatchSummary",
    "check_output",
    "partial_path",
    "read_scores",
    "score_files",
    "write_table",
]

#: Sessions scored at a time, in whole accounts.
CHUNK_SESSIONS = 250_000

_SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What a batch came to.

    Parameters
    ----------
    devices, accounts : int
        Scored.
    verdicts : dict of str to int
        Devices by verdict, in the order of the contract.
    as_of : int
        Microseconds since the epoch.
    model : str
        Name, version and digest of the model.
    """

    devices: int
    accounts: int
    verdicts: dict[str, int]
    as_of: int
    model: str


def score_files(
    sessions: Sessions | pa.Table | pd.DataFrame | str | Path,
    out: str | Path,
    *,
    scorer: HouseholdScorer,
    accounts: pa.Table | pd.DataFrame | str | Path | None = None,
    networks: NetworkStatistics | str | Path | None = None,
    as_of: str | datetime | int | None = None,
    previous: PreviousScores | pa.Table | pd.DataFrame | str | Path | None = None,
    chunk_sessions: int = CHUNK_SESSIONS,
    quiet: bool = False,
) -> BatchSummary:
    """Score sessions into a file, in chunks of whole accounts.

    Parameters
    ----------
    sessions : Sessions, pyarrow.Table, DataFrame, str or Path
        Sessions, or what they are read from.
    out : str or Path
        ``.parquet`` or ``.csv`` file to write. In CSV, reasons are joined by a space.
    scorer : HouseholdScorer
        What answers.
    accounts, networks, as_of, previous
        As in :meth:`HouseholdScorer.score_table`.
    chunk_sessions : int, default=250_000
        Sessions scored at a time, by each thread; decides memory, not the answer.
    quiet : bool, default=False
        Tell no progress.

    Returns
    -------
    BatchSummary

    Raises
    ------
    InputError
        The sessions, accounts, networks or options cannot be used.
    KeyboardInterrupt
        Interrupted; what was finished is at :func:`partial_path`.
    """
    target = check_output(out)
    taken = sessions if isinstance(sessions, Sessions) else read_sessions(sessions)
    moment = taken.last_started_at() if as_of is None else read_moment(as_of)
    known = known_at(taken, moment)
    statistics = scorer.statistics_for(known, networks)
    slots = taken.reading.accounts if accounts is None else accounts
    table = None if slots is None else read_accounts(slots)
    before = None if previous is None else read_previous(previous)
    schema = score_schema(standing=before is not None)
    verdicts = dict.fromkeys(VERDICTS, 0)
    devices = scored = 0

    def answer(chunk: Sessions) -> pa.Table:
        return scorer.score_table(
            chunk, accounts=table, networks=statistics, as_of=moment, previous=before
        )

    with (
        _writing(target, schema) as writer,
        Progress("scoring", known.n_accounts, quiet=quiet) as progress,
    ):
        for chunk, scores in _in_threads(answer, _chunks(known, chunk_sessions)):
            writer.write(scores)
            devices += scores.num_rows
            scored += chunk.n_accounts
            for entry in scores["verdict"].value_counts().to_pylist():
                verdicts[entry["values"]] += entry["counts"]
            progress.advance(chunk.n_accounts)
    return BatchSummary(devices, scored, verdicts, moment, scorer.model_label)


def check_output(out: str | Path) -> Path:
    """Refuse early what could not be written late.

    Raises
    ------
    ParameterError
        The name has another suffix than ``.parquet`` or ``.csv``, or its folder is not there.
    """
    target = Path(out)
    if target.suffix.lower() not in _SUFFIXES:
        raise ParameterError(
            Problem(
                "the output must be a .parquet or .csv file", repr(str(out)), "Give such a name."
            )
        )
    if not target.parent.is_dir() or target.is_dir():
        raise ParameterError(
            Problem(
                "the output must be a file in a folder that exists",
                repr(str(out)),
                "Make the folder, or give another name.",
            )
        )
    return target


def partial_path(target: Path) -> Path:
    """Where an interrupted batch keeps what was finished.

    Examples
    --------
    >>> partial_path(Path("scores.parquet")).name
    'scores.partial.parquet'
    """
    return target.with_name(f"{target.stem}.partial{target.suffix}")


def write_table(table: pa.Table, out: str | Path) -> Path:
    """Write one table so that it appears whole or not at all.

    Parameters
    ----------
    table : pyarrow.Table
        What to write.
    out : str or Path
        ``.parquet`` or ``.csv`` file.

    Returns
    -------
    Path
    """
    target = check_output(out)
    with _writing(target, table.schema) as writer:
        writer.write(table)
    return target


class _Writer(Protocol):
    def write(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


class _CsvWriter:
    """Scores as CSV: lists joined by a space, times in ISO 8601."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        from pyarrow import csv

        flat = [field.with_type(_flat_type(field.type)) for field in schema]
        self._writer = csv.CSVWriter(path, pa.schema(flat))

    def write(self, table: pa.Table) -> None:
        columns = [_flat(table[name]) for name in table.column_names]
        self._writer.write_table(pa.table(columns, names=table.column_names))

    def close(self) -> None:
        self._writer.close()


class _ParquetWriter:
    """Scores as Parquet, a row group a chunk."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        from pyarrow import parquet

        self._writer = parquet.ParquetWriter(path, schema, compression="zstd")

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()


@contextmanager
def _writing(target: Path, schema: pa.Schema) -> Iterator[_Writer]:
    """A writer whose file gets its name when all went well."""
    working = target.with_name(f".{target.name}.{os.getpid()}.part")
    kind = _CsvWriter if target.suffix.lower() == ".csv" else _ParquetWriter
    writer = kind(working, schema)
    try:
        yield writer
        writer.close()
        working.replace(target)
    except KeyboardInterrupt:
        writer.close()
        working.replace(partial_path(target))
        raise
    finally:
        working.unlink(missing_ok=True)


def _chunks(sessions: Sessions, size: int) -> Iterator[Sessions]:
    """Whole accounts of about so many sessions, in the order of the accounts."""
    if len(sessions) <= size:
        yield sessions
        return
    cuts = np.searchsorted(sessions.account_rows, np.arange(0, len(sessions), size), "left")
    edges = np.unique(np.append(cuts, sessions.n_accounts))
    for first, stop in pairwise(edges.tolist()):
        yield sessions.take_accounts(np.arange(first, stop))


def _in_threads(
    answer: Callable[[Sessions], pa.Table], chunks: Iterator[Sessions]
) -> Iterator[tuple[Sessions, pa.Table]]:
    """Chunks with their answers, in order; no more are begun than there are threads, and one."""
    threads = int(environment("HOUSEHOLD_ML_THREADS") or os.cpu_count() or 1)
    begun: deque[tuple[Sessions, Future[pa.Table]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for chunk in chunks:
                begun.append((chunk, pool.submit(answer, chunk)))
                if len(begun) > threads:
                    first, scores = begun.popleft()
                    yield first, scores.result()
            while begun:
                first, scores = begun.popleft()
                yield first, scores.result()
        finally:
            for _, waiting in begun:
                waiting.cancel()


def _flat_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_list(kind) or pa.types.is_timestamp(kind) else kind


def _flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_list(column.type):
        return pc.binary_join(column, " ")
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
    return column


def read_scores(path: str | Path) -> pa.Table:
    """Read what :func:`score_files` wrote.

    Parameters
    ----------
    path : str or Path
        ``.parquet`` or ``.csv`` file.

    Returns
    -------
    pyarrow.Table
        The scores table, in its schema.
    """
    source = Path(path)
    if source.suffix.lower() == ".csv":
        from pyarrow import csv

        schema = score_schema(standing=True)
        kinds = {field.name: _flat_type(field.type) for field in schema}
        table = csv.read_csv(
            source,
            convert_options=csv.ConvertOptions(column_types=kinds, strings_can_be_null=False),
        )
        schema = score_schema(standing=STANDING[0].name in table.column_names)
        reasons = [codes.split() for codes in table["reasons"].to_pylist()]
        columns = {
            field.name: pa.chunked_array([pa.array(reasons, type=field.type)])
            if field.name == "reasons"
            else _timed(table[field.name], field.type)
            for field in schema
        }
        return pa.table(columns).cast(schema)
    from pyarrow import parquet

    return parquet.read_table(source)


def _timed(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if not pa.types.is_timestamp(kind):
        return column
    empty = pc.equal(column, "")
    return pc.if_else(empty, None, column).cast(kind)
