"""The feature table as a file, of an input of any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from household_ml.errors import Problem
from household_ml.features import FEATURE_NAMES, Features, build_features
from household_ml.networks import NetworkStatistics, enrich
from household_ml.scoring.window import known_at
from household_ml.serving.inputs import batch_sessions, batch_threads, open_input, surroundings
from household_ml.serving.outputs import check_output, writing
from household_ml.serving.streamed import Answering, stream
from household_ml.sessions import Reading, Sessions
from household_ml.sessions.read import check_rejected
from household_ml.sessions.reading import RowCounts

__all__ = ["FeatureSummary", "feature_schema", "write_features"]

_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class FeatureSummary:
    """What a feature table came to.

    Parameters
    ----------
    devices : int
        Rows.
    reading : Reading or RowCounts
        What was read and what was rejected.
    damaged : tuple of Problem
        Files among others that could not be read to their end; none of their rows was used.
    """

    devices: int
    reading: Reading | RowCounts
    damaged: tuple[Problem, ...] = ()


def feature_schema() -> pa.Schema:
    """Arrow schema of the feature table.

    Examples
    --------
    >>> feature_schema().names[:4]
    ['account_id', 'device_id', 'as_of', 'place']
    """
    head = {
        "account_id": pa.large_string(),
        "device_id": pa.large_string(),
        "as_of": _TIME,
        "place": pa.int32(),
    }
    return pa.schema([*head.items(), *((name, pa.float64()) for name in FEATURE_NAMES)])


def write_features(
    sessions: Sessions | str | Path,
    out: str | Path,
    *,
    networks: NetworkStatistics | None = None,
    as_of: int | None = None,
    format: str | None = None,  # noqa: A002, the word of the command line
    rejected: str | Path | None = None,
    chunk_sessions: int | None = None,
    quiet: bool = False,
    tell: Callable[[Reading | RowCounts], object] | None = None,
) -> FeatureSummary:
    """Write the features of every device that has a session in the window.

    Parameters
    ----------
    sessions : Sessions, str or Path
        Sessions, or what they are read from.
    out : str or Path
        ``.parquet`` or ``.csv`` file to write; a feature that the history does not tell is null.
    networks : NetworkStatistics or None, default=None
        Network statistics; None counts them in the input.
    as_of : int or None, default=None
        Microseconds since the epoch; None is the last session.
    format, rejected, chunk_sessions, quiet, tell
        As in :func:`~household_ml.serving.batch.score_files`.

    Returns
    -------
    FeatureSummary

    Raises
    ------
    InputError
        The sessions or options cannot be used.
    ResourcesError
        The disk is full or memory has run out; finished parts are kept, and the same call goes on.
    """
    target = check_output(out)
    check_rejected(rejected)
    size = batch_sessions() if chunk_sessions is None else chunk_sessions
    opened = open_input(sessions, format, rejected, size)
    if isinstance(opened, Sessions):
        if tell is not None:
            tell(opened.reading)
        moment = opened.last_started_at() if as_of is None else as_of
        known = known_at(opened, moment)
        table = _table(build_features(enrich(known, statistics=networks), as_of=moment))
        with writing(target, table.schema) as writer:
            writer.write(table)
        return FeatureSummary(table.num_rows, opened.reading)
    devices = 0

    def count(table: pa.Table) -> None:
        nonlocal devices
        devices += table.num_rows

    def answer(part: Sessions, statistics: NetworkStatistics, moment: int) -> pa.Table:
        return _table(build_features(enrich(part, statistics=statistics), as_of=moment))

    key = {**surroundings(networks), "features": list(FEATURE_NAMES)}
    found = stream(
        opened,
        target,
        Answering(feature_schema(), answer, key, networks=networks, task="features"),
        as_of=as_of,
        part_sessions=size,
        threads=batch_threads(),
        rejected=None if rejected is None else Path(rejected),
        quiet=quiet,
        tell=tell,
        see=count,
    )
    return FeatureSummary(devices, found.reading, found.damaged)


def _table(features: Features) -> pa.Table:
    as_of = pa.array(np.full(len(features), features.as_of), type=_TIME)
    values = (features.values[:, place] for place in range(len(FEATURE_NAMES)))
    return pa.table(
        [
            features.account_id,
            features.device_id,
            as_of,
            pa.array(features.place),
            *(pa.array(np.ascontiguousarray(each), from_pandas=True) for each in values),
        ],
        schema=feature_schema(),
    )
