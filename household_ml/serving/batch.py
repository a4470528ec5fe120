"""Batch scoring: files in, a file out.

The output appears under its name only when it is complete. A small input is scored in memory, in
chunks of whole accounts; a large one part by part, in bounded memory, see
:mod:`~household_ml.serving.streamed`: killed and started again, it goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from household_ml.errors import Problem
from household_ml.networks import NetworkStatistics
from household_ml.schema import VERDICTS
from household_ml.scoring.previous import PreviousScores, read_previous
from household_ml.scoring.scorer import HouseholdScorer, read_moment, score_schema
from household_ml.scoring.slots import read_accounts
from household_ml.scoring.window import known_at
from household_ml.serving.inputs import batch_sessions, batch_threads, open_input, surroundings
from household_ml.serving.journal import digest_of_table
from household_ml.serving.outputs import (
    check_output,
    partial_path,
    read_scores,
    write_table,
    writing,
)
from household_ml.serving.progress import Progress
from household_ml.serving.stages import Answering, in_parallel
from household_ml.serving.streamed import stream
from household_ml.sessions import Reading, Sessions
from household_ml.sessions.read import check_rejected
from household_ml.sessions.reading import RowCounts

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

__all__ = [
    "BatchSummary",
    "check_output",
    "partial_path",
    "read_scores",
    "score_files",
    "write_table",
]


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
    reading : Reading or RowCounts
        What was read and what was rejected.
    damaged : tuple of Problem, default=()
        Files among others that could not be read to their end; none of their rows was used.
    """

    devices: int
    accounts: int
    verdicts: dict[str, int]
    as_of: int
    model: str
    reading: Reading | RowCounts
    damaged: tuple[Problem, ...] = ()


def score_files(
    sessions: Sessions | pa.Table | pd.DataFrame | str | Path,
    out: str | Path,
    *,
    scorer: HouseholdScorer,
    accounts: pa.Table | pd.DataFrame | str | Path | None = None,
    networks: NetworkStatistics | str | Path | None = None,
    as_of: str | datetime | int | None = None,
    previous: PreviousScores | pa.Table | pd.DataFrame | str | Path | None = None,
    format: str | None = None,  # noqa: A002, the word of the command line
    rejected: str | Path | None = None,
    chunk_sessions: int | None = None,
    quiet: bool = False,
    tell: Callable[[Reading | RowCounts], object] | None = None,
) -> BatchSummary:
    """Score sessions into a file.

    Parameters
    ----------
    sessions : Sessions, pyarrow.Table, DataFrame, str or Path
        Sessions, or what they are read from. Files are read in pieces when they hold more than a
        chunk, or when one of several is damaged.
    out : str or Path
        ``.parquet`` or ``.csv`` file to write. In CSV, reasons are joined by a space.
    scorer : HouseholdScorer
        What answers.
    accounts, networks, as_of, previous
        As in :meth:`HouseholdScorer.score_table`.
    format, rejected
        As in :func:`household_ml.read_sessions`, for files.
    chunk_sessions : int, optional
        Sessions scored at a time, by each thread; decides memory, not the answer. Left out, what
        ``HOUSEHOLD_ML_BATCH_SESSIONS`` says.
    quiet : bool, default=False
        Tell no progress.
    tell : callable, optional
        Told what came of the rows, before they are scored.

    Returns
    -------
    BatchSummary

    Raises
    ------
    InputError
        The sessions, accounts, networks or options cannot be used.
    ResourcesError
        The disk is full or memory has run out; finished parts are kept, and the same call goes on.
    KeyboardInterrupt
        Interrupted; what was finished is at :func:`partial_path`.
    """
    target = check_output(out)
    check_rejected(rejected)
    size = batch_sessions() if chunk_sessions is None else chunk_sessions
    moment = None if as_of is None else read_moment(as_of)
    if not isinstance(networks, NetworkStatistics | None):
        networks = NetworkStatistics.load(Path(networks))
    given = None if accounts is None else read_accounts(accounts)
    before = None if previous is None else read_previous(previous)
    tally = _Tally()
    opened = open_input(sessions, format, rejected, size)
    if isinstance(opened, Sessions):
        if tell is not None:
            tell(opened.reading)
        slots = opened.reading.accounts if given is None else given
        table = None if slots is None else read_accounts(slots)
        options = {"accounts": table, "previous": before}
        return _score_in_memory(
            opened, target, scorer, moment, networks, options, size, quiet, tally
        )

    def answer(part: Sessions, statistics: NetworkStatistics, at: int) -> pa.Table:
        return scorer.score_table(
            part, accounts=given, networks=statistics, as_of=at, previous=before
        )

    work = Answering(
        score_schema(standing=before is not None),
        answer,
        {
            **surroundings(networks),
            "model": [scorer.model_label, scorer.model.digest],
            "snapshot": None if scorer.snapshot is None else scorer.snapshot.digest,
            "accounts": digest_of_table(given),
            "previous": None if before is None else digest_of_table(before.table),
        },
        networks=networks,
        alone=scorer.snapshot,
    )
    found = stream(
        opened,
        target,
        work,
        as_of=moment,
        part_sessions=size,
        threads=batch_threads(),
        rejected=None if rejected is None else Path(rejected),
        quiet=quiet,
        tell=tell,
        see=tally.add,
    )
    return BatchSummary(
        tally.devices,
        found.accounts,
        tally.verdicts,
        found.as_of,
        scorer.model_label,
        found.reading,
        found.damaged,
    )


class _Tally:
    """What the scores came to, table by table."""

    def __init__(self) -> None:
        self.devices = 0
        self.verdicts = dict.fromkeys(VERDICTS, 0)

    def add(self, scores: pa.Table) -> None:
        self.devices += scores.num_rows
        for entry in scores["verdict"].value_counts().to_pylist():
            self.verdicts[entry["values"]] += entry["counts"]


def _score_in_memory(
    taken: Sessions,
    target: Path,
    scorer: HouseholdScorer,
    as_of: int | None,
    networks: NetworkStatistics | None,
    options: Mapping[str, Any],
    size: int,
    quiet: bool,
    tally: _Tally,
) -> BatchSummary:
    moment = taken.last_started_at() if as_of is None else as_of
    known = known_at(taken, moment)
    statistics = scorer.statistics_for(known, networks)

    def answer(chunk: Sessions) -> pa.Table:
        return scorer.score_table(chunk, networks=statistics, as_of=moment, **options)

    schema = score_schema(standing=options["previous"] is not None)
    with (
        writing(target, schema) as writer,
        Progress("scoring", known.n_accounts, quiet=quiet) as progress,
    ):
        for chunk, scores in in_parallel(answer, _chunks(known, size), batch_threads()):
            writer.write(scores)
            tally.add(scores)
            progress.advance(chunk.n_accounts)
    return BatchSummary(
        tally.devices, known.n_accounts, tally.verdicts, moment, scorer.model_label, taken.reading
    )


def _chunks(sessions: Sessions, size: int) -> Iterator[Sessions]:
    """Whole accounts of about so many sessions, in the order of the accounts."""
    if len(sessions) <= size:
        yield sessions
        return
    cuts = np.searchsorted(sessions.account_rows, np.arange(0, len(sessions), size), "left")
    edges = np.unique(np.append(cuts, sessions.n_accounts))
    for first, stop in pairwise(edges.tolist()):
        yield sessions.take_accounts(np.arange(first, stop))
