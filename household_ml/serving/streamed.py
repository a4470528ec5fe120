"""Batches of any size: from files to one file, part by part, in bounded memory.

What a part comes to depends on the input alone. So the output has the same bytes, whatever the
number of threads and however often the batch was killed on its way.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from household_ml.errors import Problem
from household_ml.serving.journal import Journal, clear_errors, fingerprint
from household_ml.serving.outputs import partial_path
from household_ml.serving.progress import Progress
from household_ml.serving.stages import Answering, Batch
from household_ml.sessions import SessionsWarning
from household_ml.sessions.pieced import PiecedInput
from household_ml.sessions.reading import RowCounts

__all__ = ["Answering", "Streamed", "stream"]


@dataclass(frozen=True)
class Streamed:
    """What a batch came to.

    Parameters
    ----------
    reading : RowCounts
        Rows in, and rejected by reason.
    as_of : int
        Microseconds since the epoch.
    accounts : int
        Accounts with a session in the window.
    damaged : tuple of Problem
        Files that could not be read to their end; none of their rows was used.
    """

    reading: RowCounts
    as_of: int
    accounts: int
    damaged: tuple[Problem, ...]


def stream(
    source: PiecedInput,
    target: Path,
    work: Answering,
    *,
    as_of: int | None,
    part_sessions: int,
    threads: int,
    rejected: Path | None = None,
    quiet: bool = False,
    tell: Callable[[RowCounts], object] | None = None,
    see: Callable[[pa.Table], object] | None = None,
) -> Streamed:
    """Answer an input into a file.

    Parameters
    ----------
    source : PiecedInput
        What to read.
    target : Path
        File to write; beside it lies what is finished while this goes on, see
        :mod:`~household_ml.serving.journal`.
    work : Answering
        What to make of it.
    as_of : int or None
        Microseconds since the epoch; None is the last session.
    part_sessions : int
        Sessions of a partition, about.
    threads : int
        Parts done side by side; decides no byte.
    rejected : Path or None, default=None
        File to write the rejected rows to.
    quiet : bool, default=False
        Tell no progress.
    tell : callable, optional
        Told what came of the rows, before they are answered.
    see : callable, optional
        Given the output, table by table.

    Returns
    -------
    Streamed

    Raises
    ------
    FormatError
        No file could be read.
    NoSessionsError
        No row can be used, or none in the window; the rejected rows are written first.
    ResourcesError
        The disk is full or memory has run out; finished parts are kept.
    KeyboardInterrupt
        Interrupted; finished parts are kept, and answers at
        :func:`~household_ml.serving.outputs.partial_path`.
    """
    key = {
        "inputs": [fingerprint(path) for path in _paths(source)],
        "files": [file.file.name for file in source.files],
        "as_of": as_of,
        "rejected": rejected is not None,
        "target": target.name,
        **work.key,
    }
    for told in source.warnings:
        warnings.warn(told, SessionsWarning, stacklevel=3)
    journal = Journal(target, key)
    with clear_errors(journal.folder), journal:
        batch = Batch(source, target, work, journal, threads)
        with Progress(work.task, batch.plan(part_sessions), unit="", quiet=quiet) as progress:
            batch.progress = progress
            batch.read()
            batch.arrange(as_of)
            counts = batch.counts(rejected)
            if tell is not None:
                tell(counts)
            batch.check(counts)
            batch.add_up()
            batch.answer(see)
        streamed = Streamed(
            counts, journal.plan["moment"], journal.plan["accounts"], tuple(batch.damaged())
        )
        journal.finish()
    partial_path(target).unlink(missing_ok=True)
    return streamed


def _paths(source: PiecedInput) -> list[Path]:
    stored = [file.file.stored for file in source.files]
    return sorted({each.path for each in stored if each is not None})
