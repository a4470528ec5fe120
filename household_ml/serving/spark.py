"""Scoring inside Spark: parts of whole accounts, through Arrow, into the same scorer.

Accounts are spread over parts by a hash of their id, so that those of one operator, or of one
stretch of ids, never come together; a part holds about `PART_SESSIONS` sessions, more only where
one account alone has more. Three passes: a census (rows, last session), network statistics, and the
scores. For the statistics each part says what its accounts did on each network, Spark adds that up,
and each part gets the sums back for the networks it uses. So nothing of size reaches the driver or
is sent to every executor: sessions, statistics and scores stay where Spark puts them.
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
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from household_ml.config import FeatureConfig
from household_ml.errors import MissingDependencyError, NoSessionsError, ParameterError, Problem
from household_ml.networks import NetworkStatistics
from household_ml.networks.counting import COUNTED, count_entries
from household_ml.networks.enrich import find_systems
from household_ml.networks.ladder import AS_LEVEL, LEVELS, prefix_keys
from household_ml.networks.statistics import counted_columns
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

__all__ = ["PART_SESSIONS", "local_session", "read_source", "score", "score_into"]

Batches = Iterator[pa.RecordBatch]

#: Column with the part of a row.
_PART: Final = "part_of_accounts"

_SCORES: Final = (
    "account_id string, device_id string, as_of timestamp, household_probability double, "
    "verdict string, last_home_at timestamp, place int, reasons array<string>, model string"
)
_STANDING: Final = "".join(f", {column.name} timestamp" for column in STANDING)
_COUNTED: Final = ", ".join(f"{name} long" for name in COUNTED)
_COUNTS: Final = f"part int, level int, key long, asn long, {_COUNTED}"
_CENSUS: Final = "last long, rows long, rejected long, known long"

#: Level under which pairs of a network of level 0 and its AS are counted, and totals.
_PAIR_LEVEL: Final = LEVELS
_TOTAL_LEVEL: Final = LEVELS + 1

#: Sessions of a part, about.
PART_SESSIONS: Final = 250_000

_DAY_US: Final = 86_400_000_000


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

    Notes
    -----
    Counts of networks are kept on the executors' disks until the Spark session ends;
    :func:`score_into` gives them back.

    Raises
    ------
    InputError
        The sessions, accounts, networks or ``as_of`` cannot be used.
    """
    return _score(df, model, accounts, networks, as_of, previous)[0]


def _score(
    df: DataFrame,
    model: str | Path | None,
    accounts: pd.DataFrame | pa.Table | str | Path | None,
    networks: NetworkStatistics | str | Path | None,
    as_of: str | datetime | int | None,
    previous: PreviousScores | pd.DataFrame | pa.Table | str | Path | None,
) -> tuple[DataFrame, DataFrame | None]:
    """The scores, and the counts that are kept on the executors' disks for them, if any."""
    from pyspark.sql import functions as f

    session = df.sparkSession
    rows = df.select(*(name for name in SESSIONS.names if name in df.columns))
    census = _take_census(rows, None if as_of is None else read_moment(as_of))
    moment = census.moment
    parts = -(-census.rows // PART_SESSIONS)
    spread = f.pmod(f.xxhash64(f.col("account_id")), f.lit(parts)).cast("int")
    by_part = rows.withColumn(_PART, spread)
    if isinstance(networks, str | Path):
        networks = NetworkStatistics.load(networks)
    with model_folder(model) as folder:
        files = _files(folder)
    shared = session.sparkContext.broadcast(
        (
            files,
            None if networks is None else _saved(networks),
            None if accounts is None else read_accounts(accounts),
            None if previous is None else read_previous(previous),
        )
    )
    schema = _spark_schema(standing=previous is not None)

    def answer(table: pa.Table, statistics: NetworkStatistics | None) -> pa.Table:
        files, snapshot, slots, before = shared.value
        own = _known(_read(table.drop_columns([_PART])), moment)
        if own is None:
            return schema.empty_table()
        scorer = _scorer(files)
        if statistics is None:
            statistics = _statistics(snapshot)
        elif statistics.accounts == 1 and scorer.snapshot is not None:
            statistics = scorer.snapshot
        scores = scorer.score_table(
            own, accounts=slots, networks=statistics, as_of=moment, previous=before
        )
        return scores.cast(schema)

    told = _SCORES + ("" if previous is None else _STANDING)
    if networks is not None:
        grouped = by_part.groupBy(_PART)
        return grouped.applyInArrow(lambda table: answer(table, None), told), None
    counts = _count(by_part, moment)
    pairs = by_part.groupBy(_PART).cogroup(_added(counts).groupBy(_PART))
    found = pairs.applyInArrow(lambda table, sums: answer(table, _gathered(sums)), told)
    return found, counts


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
    scores, counts = _score(df, model, accounts, networks, as_of, previous)
    scores.write.mode("overwrite").parquet(str(target))
    if counts is not None:
        counts.unpersist()
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


class _Census(NamedTuple):
    """What is to be known of all sessions before they are scored."""

    rows: int
    moment: int


def _take_census(rows: DataFrame, as_of: int | None) -> _Census:
    """Count the rows as they lie, without moving them; warns of rows that cannot be used."""
    first = None if as_of is None else as_of - FeatureConfig().window_days * _DAY_US

    def count(batches: Batches) -> Batches:
        for table in _in_tables(batches):
            sessions = _read(table)
            if sessions is None:
                found = {"last": [None], "rows": [len(table)], "rejected": [len(table)]}
                known = 0
            else:
                at = sessions.started_at
                known = len(at)
                if as_of is not None:
                    known = int(np.count_nonzero((at <= as_of) & (at >= first)))
                refused = sessions.reading.rejected_by_reason
                # Which rows repeat others is known only where an account is whole.
                lost = sum(refused.values()) - refused.get("duplicate", 0)
                found = {"last": [int(at.max())], "rows": [len(table)], "rejected": [lost]}
            kinds = dict.fromkeys(found, pa.int64())
            row = pa.table(
                {**found, "known": [known]}, schema=pa.schema({**kinds, "known": "int64"})
            )
            yield from row.to_batches()

    from pyspark.sql import functions as f

    counted = rows.mapInArrow(count, _CENSUS)
    (found,) = counted.agg(
        f.max("last"), f.sum("rows"), f.sum("rejected"), f.sum("known")
    ).collect()
    last, total, rejected, known = found
    if last is None:
        raise _nothing("the sessions must have a row that can be used")
    if rejected:
        warnings.warn(
            f"{rejected:,} of {total:,} rows were rejected; the local engine writes them out with "
            "their reasons.",
            SessionsWarning,
            stacklevel=4,
        )
    if not known:
        raise _nothing("the sessions must have one in the window before as_of")
    return _Census(int(total), int(last) if as_of is None else as_of)


def _nothing(must: str) -> NoSessionsError:
    return NoSessionsError(
        Problem(must, "none", "Read them with the local engine, which tells the reasons.")
    )


def _count(by_part: DataFrame, moment: int) -> DataFrame:
    """What the accounts of each part did on each network, kept on the executors' disks."""
    from pyspark import StorageLevel

    def count(key: tuple[pa.Scalar, ...], table: pa.Table) -> pa.Table:
        own = _known(_read(table.drop_columns([_PART])), moment)
        return _counts(own, key[0].as_py())

    counted = by_part.groupBy(_PART).applyInArrow(count, _COUNTS)
    return counted.persist(StorageLevel.DISK_ONLY)


def _added(counts: DataFrame) -> DataFrame:
    """For each part, the networks that it uses with what all parts say of them.

    Accounts are whole within a part, so that accounts, devices and tenure are sums.
    """
    from pyspark.sql import functions as f

    least, greatest = ("first_seen",), ("last_seen",)
    added = [f.sum(name).alias(name) for name in COUNTED if name not in (*least, *greatest)]
    added += [f.min(name).alias(name) for name in least]
    added += [f.max(name).alias(name) for name in greatest]
    sums = counts.groupBy("level", "key", "asn").agg(*added)
    lines = sums.where("level = 0").select("key")
    above = lines.mapInArrow(_networks_above, "level int, key long")
    systems = sums.where(f"level = {_PAIR_LEVEL}").select(
        f.lit(AS_LEVEL).alias("level"), f.col("asn").alias("key")
    )
    networks = above.union(systems).groupBy("level", "key").agg(f.count("*").alias("networks"))
    total = sums.where(f"level = {_TOTAL_LEVEL}").select(
        f.col("accounts").alias("all_accounts"), f.col("sessions").alias("all_sessions")
    )
    used = counts.where(f"level < {LEVELS}").select(f.col("part").alias(_PART), "level", "key")
    known = used.join(sums.drop("asn"), ["level", "key"]).join(networks, ["level", "key"], "left")
    return known.crossJoin(f.broadcast(total))


def _networks_above(batches: Batches) -> Batches:
    """The networks of levels 1 and 2 in which networks of level 0 lie, one by one."""
    for batch in batches:
        key = batch.column(0).to_numpy().view(np.uint64)
        v4 = (key >> np.uint64(32)) == np.uint64(0xFFFF)
        zero = np.uint64(0)
        for level in range(1, AS_LEVEL):
            above = prefix_keys(np.where(v4, zero, key), np.where(v4, key, zero), level)
            columns = [
                pa.array(np.full(key.size, level, np.int32)),
                pa.array(above.view(np.int64)),
            ]
            yield pa.record_batch(columns, names=["level", "key"])


def _counts(sessions: Sessions | None, part: int) -> pa.Table:
    """Networks of one part, the pairs of network and AS, and the totals, as rows."""
    schema = pa.schema(
        {"part": "int32", "level": "int32", "key": "int64", "asn": "int64"}
        | dict.fromkeys(COUNTED, "int64")
    )
    if sessions is None:
        return schema.empty_table()
    entries = count_entries(*counted_columns(sessions, find_systems(sessions)))
    pairs = entries.pair_key.size
    total = [sessions.n_accounts, 0, len(sessions), 0, 0, 0, 0, 0]
    level = np.repeat(np.arange(LEVELS), [keys.size for keys in entries.keys])
    counts = np.concatenate([*entries.counts, np.zeros((pairs, len(COUNTED)), np.int64), [total]])
    none = np.zeros(level.size, np.int64)
    columns = [
        np.full(len(counts), part),
        np.concatenate([level, np.full(pairs, _PAIR_LEVEL), [_TOTAL_LEVEL]]),
        np.concatenate([*entries.keys, entries.pair_key, np.zeros(1, np.uint64)]).view(np.int64),
        np.concatenate([none, entries.pair_asn.astype(np.int64), [0]]),
        *counts.T,
    ]
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)],
        schema=schema,
    )


def _gathered(rows: pa.Table) -> NetworkStatistics:
    """Statistics of the networks that one part uses."""
    if rows.num_rows == 0:
        return NetworkStatistics.empty()
    level = rows["level"].to_numpy()
    key = rows["key"].to_numpy().view(np.uint64)
    order = np.lexsort((key, level))
    counts = np.column_stack([rows[name].to_numpy() for name in COUNTED]).astype(np.int64)
    networks = rows["networks"].fill_null(1).to_numpy().astype(np.int64)
    return NetworkStatistics(
        starts=np.searchsorted(level[order], np.arange(LEVELS + 1)).astype(np.int64),
        key=key[order],
        networks=networks[order],
        counts=counts[order],
        sessions=rows["all_sessions"][0].as_py(),
        accounts=rows["all_accounts"][0].as_py(),
    )


def _in_tables(batches: Batches) -> Iterator[pa.Table]:
    """Batches of a partition together, as many as a part has rows, so that few are held."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        if batch.num_rows:
            waiting.append(batch)
        if sum(each.num_rows for each in waiting) >= PART_SESSIONS:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _read(table: pa.Table) -> Sessions | None:
    """The sessions of a table; None when no row can be used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SessionsWarning)
        try:
            return read_sessions(table)
        except NoSessionsError:
            return None


def _known(sessions: Sessions | None, moment: int) -> Sessions | None:
    if sessions is None:
        return None
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
