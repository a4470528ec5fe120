"""Scoring inside Spark: whole accounts per partition, through Arrow, into the same scorer.

Three passes, each over whole accounts: the last session (only when ``as_of`` is left out), network
statistics (only when none are given) and the scores. Sessions stay on the executors; what reaches
the driver are the statistics, which are then sent to every executor, and counts.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from household_ml.errors import MissingDependencyError, NoSessionsError, ParameterError, Problem
from household_ml.networks import NetworkStatistics, enrich
from household_ml.networks.counting import COUNTED
from household_ml.networks.ladder import AS_LEVEL, LEVELS, prefix_keys
from household_ml.schema import SESSIONS
from household_ml.scoring.hysteresis import STANDING
from household_ml.scoring.previous import PreviousScores, read_previous
from household_ml.scoring.scorer import HouseholdScorer, read_moment, score_schema
from household_ml.scoring.slots import read_accounts
from household_ml.scoring.sources import model_folder
from household_ml.scoring.window import known_at
from household_ml.sessions import Sessions, SessionsWarning, read_sessions

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["local_session", "read_source", "score", "score_into"]

Batches = Iterator[pa.RecordBatch]

_SCORES: Final = (
    "account_id string, device_id string, as_of timestamp, household_probability double, "
    "verdict string, last_home_at timestamp, place int, reasons array<string>, model string"
)
_STANDING: Final = "".join(f", {column.name} timestamp" for column in STANDING)
_COUNTS: Final = "level int, key long, asn long, " + ", ".join(f"{name} long" for name in COUNTED)
_CENSUS: Final = "last long, rows long, rejected long"

#: Level under which pairs of a network of level 0 and its AS are counted.
_PAIR_LEVEL: Final = LEVELS


def score(
    df: DataFrame,
    *,
    model: str | Path | None = None,
    accounts: pd.DataFrame | pa.Table | str | Path | None = None,
    networks: NetworkStatistics | str | Path | None = None,
    as_of: str | datetime | int | None = None,
    previous: PreviousScores | pd.DataFrame | pa.Table | str | Path | None = None,
) -> DataFrame:
    """Score every device of a Spark table of sessions.

    Parameters
    ----------
    df : pyspark.sql.DataFrame
        The sessions table.
    model : str, Path or None, default=None
        As in :meth:`HouseholdScorer.load`; read on the driver and sent to the executors.
    accounts : DataFrame, pyarrow.Table, str, Path or None, default=None
        The accounts table, for extra-member slots; read on the driver.
    networks : NetworkStatistics, str, Path or None, default=None
        Network statistics; None counts them in Spark from ``df``.
    as_of : str, datetime, int or None, default=None
        No session after it is used; None is the last session of ``df``.
    previous : PreviousScores, DataFrame, pyarrow.Table, str, Path or None, default=None
        The scores before, as in :meth:`HouseholdScorer.score_table`; read on the driver.

    Returns
    -------
    pyspark.sql.DataFrame
        The scores table, equal to the local engine's.

    Raises
    ------
    InputError
        The sessions, accounts, networks or ``as_of`` cannot be used.
    """
    session = df.sparkSession
    columns = [name for name in SESSIONS.names if name in df.columns]
    by_account = df.select(*columns)
    if "account_id" in columns:
        by_account = by_account.repartition("account_id").sortWithinPartitions("account_id")
    last = _census(by_account)
    moment = last if as_of is None else read_moment(as_of)
    if isinstance(networks, str | Path):
        networks = NetworkStatistics.load(networks)
    statistics = networks if networks is not None else _count(by_account, moment)
    with model_folder(model) as folder:
        files = _files(folder)
        snapshot = HouseholdScorer.load(folder).snapshot
    if networks is None and statistics.accounts == 1 and snapshot is not None:
        statistics = snapshot
    shared = session.sparkContext.broadcast(
        (
            files,
            _saved(statistics),
            None if accounts is None else read_accounts(accounts),
            None if previous is None else read_previous(previous),
        )
    )
    schema = _spark_schema(standing=previous is not None)

    def answer(batches: Batches) -> Batches:
        files, snapshot, slots, before = shared.value
        for sessions in _sessions(batches):
            own = _known(sessions, moment)
            if own is None:
                continue
            scorer = _scorer(files)
            table = scorer.score_table(
                own,
                accounts=slots,
                networks=_statistics(snapshot),
                as_of=moment,
                previous=before,
            )
            yield from table.cast(schema).to_batches()

    return by_account.mapInArrow(answer, _SCORES + ("" if previous is None else _STANDING))


def score_into(
    df: DataFrame,
    out: str | Path,
    *,
    model: str | Path | None = None,
    accounts: pd.DataFrame | pa.Table | str | Path | None = None,
    networks: NetworkStatistics | str | Path | None = None,
    as_of: str | datetime | int | None = None,
    previous: PreviousScores | pd.DataFrame | pa.Table | str | Path | None = None,
) -> int:
    """Score a Spark table into a folder of Parquet files; see :func:`score`.

    Returns
    -------
    int
        Devices scored.
    """
    target = Path(out)
    if target.exists() and not target.is_dir():
        raise ParameterError(
            Problem(
                "the output must be a folder with --engine spark",
                repr(str(out)),
                "Give a new name, or use the local engine for one file.",
            )
        )
    scores = score(
        df, model=model, accounts=accounts, networks=networks, as_of=as_of, previous=previous
    )
    scores.write.mode("overwrite").parquet(str(target))
    return int(df.sparkSession.read.parquet(str(target)).count())


@contextmanager
def local_session() -> Iterator[SparkSession]:
    """The Spark session in use, else one on this machine that listens on loopback alone.

    Yields
    ------
    pyspark.sql.SparkSession

    Raises
    ------
    MissingDependencyError
        PySpark or Java is not installed.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingDependencyError(
            Problem(
                "PySpark must be installed for --engine spark",
                f"no module {error.name}",
                "Install the extra: pip install 'household-ml[spark]'.",
            )
        ) from error
    active = SparkSession.getActiveSession()
    if active is not None:
        yield active
        return
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise MissingDependencyError(
            Problem(
                "Java 17 or later must be installed for --engine spark",
                "no java on PATH and no JAVA_HOME",
                "Install a Java runtime.",
            )
        )
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder.master("local[*]").appName("household-ml")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()


def read_source(session: SparkSession, path: str) -> DataFrame:
    """A Spark table of the sessions at a path: Parquet, or CSV by its suffix.

    Raises
    ------
    ParameterError
        Nothing lies there, or it is of another format.
    """
    from pyspark.errors import AnalysisException

    try:
        if path.endswith((".csv", ".csv.gz")):
            return session.read.csv(path, header=True)
        return session.read.parquet(path)
    except AnalysisException as error:
        raise ParameterError(
            Problem(
                "the sessions must be Parquet or CSV with --engine spark",
                f"{path!r} ({str(error).splitlines()[0]})",
                "Check the path, or use the local engine, which reads exports too.",
            )
        ) from error


def _census(by_account: DataFrame) -> int:
    """Last session in microseconds since the epoch; warns of rows that cannot be used."""

    def count(batches: Batches) -> Batches:
        for sessions in _sessions(batches):
            reading = sessions.reading
            row = {
                "last": [sessions.last_started_at()],
                "rows": [reading.rows_in],
                "rejected": [reading.rejected.num_rows],
            }
            yield from pa.table(row).to_batches()

    found = by_account.mapInArrow(count, _CENSUS).toArrow()
    if found.num_rows == 0:
        raise _nothing("the sessions must have a row that can be used")
    rejected = int(np.sum(found["rejected"].to_numpy()))
    if rejected:
        rows = int(np.sum(found["rows"].to_numpy()))
        warnings.warn(
            f"{rejected:,} of {rows:,} rows were rejected; the local engine writes them out with "
            "their reasons.",
            SessionsWarning,
            stacklevel=3,
        )
    return int(np.max(found["last"].to_numpy()))


def _nothing(must: str) -> NoSessionsError:
    return NoSessionsError(
        Problem(must, "none", "Read them with the local engine, which tells the reasons.")
    )


def _count(by_account: DataFrame, moment: int) -> NetworkStatistics:
    """Network statistics: counted by partition, added up by Spark.

    Accounts are whole within a partition, so that accounts, devices and tenure are sums.
    """
    from pyspark.sql import functions as f

    def count(batches: Batches) -> Batches:
        for sessions in _sessions(batches):
            own = _known(sessions, moment)
            if own is not None:
                yield from _counts(own).to_batches()

    least, greatest = ("first_seen",), ("last_seen",)
    added = [f.sum(name).alias(name) for name in COUNTED if name not in (*least, *greatest)]
    added += [f.min(name).alias(name) for name in least]
    added += [f.max(name).alias(name) for name in greatest]
    rows = by_account.mapInArrow(count, _COUNTS).groupBy("level", "key", "asn").agg(*added)
    found = rows.toArrow()
    if found.num_rows == 0:
        raise _nothing("the sessions must have one in the window before as_of")
    return _gathered(found)


def _counts(sessions: Sessions) -> pa.Table:
    """Networks of one partition, the pairs of network and AS, and the totals, as rows."""
    enriched = enrich(sessions)
    statistics = enriched.statistics
    lowest = prefix_keys(sessions.ip_hi, sessions.ip_lo, 0)
    known = enriched.asn > 0
    systems = enriched.asn[known].astype(np.uint64)
    pairs = np.unique(np.column_stack([lowest[known], systems]), axis=0)
    total = [statistics.accounts, 0, statistics.sessions, 0, 0, 0, 0, 0]
    level = np.repeat(np.arange(LEVELS), np.diff(statistics.starts))
    counts = np.concatenate(
        [statistics.counts, np.zeros((len(pairs), len(COUNTED)), np.int64), [total]]
    )
    return pa.table(
        {
            "level": np.concatenate(
                [level, np.full(len(pairs), _PAIR_LEVEL), [_PAIR_LEVEL + 1]]
            ).astype(np.int32),
            "key": np.concatenate([statistics.key, pairs[:, 0], np.zeros(1, np.uint64)]).view(
                np.int64
            ),
            "asn": np.concatenate(
                [np.zeros(statistics.key.size, np.int64), pairs[:, 1].astype(np.int64), [0]]
            ).astype(np.int64),
            **{name: counts[:, column] for column, name in enumerate(COUNTED)},
        }
    )


def _gathered(rows: pa.Table) -> NetworkStatistics:
    level = rows["level"].to_numpy()
    key = rows["key"].to_numpy().astype(np.int64).view(np.uint64)
    asn = rows["asn"].to_numpy()
    order = np.lexsort((key, level))
    order = order[level[order] < LEVELS]
    starts = np.searchsorted(level[order], np.arange(LEVELS + 1))
    keys = key[order]
    counts = np.column_stack([rows[name].to_numpy() for name in COUNTED]).astype(np.int64)
    networks = np.ones(keys.size, np.int64)
    lowest = keys[: starts[1]]
    for upper in range(1, AS_LEVEL):
        part = slice(starts[upper], starts[upper + 1])
        parent = np.searchsorted(keys[part], lowest, side="right") - 1
        networks[part] = np.bincount(parent, minlength=part.stop - part.start)
    systems = slice(starts[AS_LEVEL], starts[AS_LEVEL + 1])
    of_pair = np.searchsorted(keys[systems], asn[level == _PAIR_LEVEL].astype(np.uint64))
    networks[systems] = np.bincount(of_pair, minlength=systems.stop - systems.start)
    total = counts[level == _PAIR_LEVEL + 1][0]
    return NetworkStatistics(
        starts=starts.astype(np.int64),
        key=keys,
        networks=networks,
        counts=counts[order],
        sessions=int(total[COUNTED.index("sessions")]),
        accounts=int(total[COUNTED.index("accounts")]),
    )


def _sessions(batches: Batches) -> Iterator[Sessions]:
    """The sessions of one partition; nothing when no row can be used."""
    parts = [batch for batch in batches if batch.num_rows]
    if not parts:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SessionsWarning)
        try:
            sessions = read_sessions(pa.Table.from_batches(parts))
        except NoSessionsError:
            return
    yield sessions


def _known(sessions: Sessions, moment: int) -> Sessions | None:
    try:
        return known_at(sessions, moment)
    except NoSessionsError:
        return None


def _spark_schema(*, standing: bool) -> pa.Schema:
    small = {pa.large_string(): pa.string()}
    whole = score_schema(standing=standing)
    return pa.schema([field.with_type(small.get(field.type, field.type)) for field in whole])


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def _saved(statistics: NetworkStatistics) -> bytes:
    with tempfile.TemporaryDirectory(prefix="household-ml-") as scratch:
        path = Path(scratch) / "networks.parquet"
        statistics.save(path)
        return path.read_bytes()


def _once(make: Callable[[Any, Path], Any]) -> Callable[[Any], Any]:
    """Keep what was last made, for the partitions that one worker process gets one by one."""
    kept: dict[int, Any] = {}

    def made(given: Any) -> Any:
        if id(given) not in kept:
            kept.clear()
            with tempfile.TemporaryDirectory(prefix="household-ml-") as scratch:
                kept[id(given)] = (make(given, Path(scratch)), given)
        return kept[id(given)][0]

    return made


def _load_scorer(files: dict[str, bytes], folder: Path) -> HouseholdScorer:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return HouseholdScorer.load(folder)


def _load_statistics(content: bytes, folder: Path) -> NetworkStatistics:
    (folder / "networks.parquet").write_bytes(content)
    return NetworkStatistics.load(folder / "networks.parquet")


_scorer = _once(_load_scorer)
_statistics = _once(_load_statistics)
