"""How fast features and scores are made from a file, beside the floor of reading that file.

Run as a script. A file of sessions is generated from a seed; each contestant then works on it in a
process of its own, once to warm up and then several times. Medians are shown, of wall and of
processor seconds, with ratios to the floor measured in the same run. Then larger files are scored
once each, to see how time and memory grow.

No time is asserted anywhere. The ratios are kept in ``benchmarks/results.json``; a test holds the
README to them, and them to the ceilings in `CEILINGS`, which only a new recording can break.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

# This process imports nothing heavy: Linux counts its memory to the peak of what it starts.

SESSIONS_PER_ACCOUNT = 60.6
DAYS = 80
ROW_GROUP = 500_000
#: Accounts that slow contestants are run on; their time is scaled up by sessions.
FEW_ACCOUNTS = 50
CALLS = 1_000

#: Sessions a month of a nation, for the page on sizing.
NATION_SESSIONS = 20_000_000_000

#: What the project wants, as ratios to the floor in wall seconds, and of memory in MiB.
GOALS = {"features": 3.0, "score": 6.0, "peak_mib": 1536, "growth": 1.3}

#: Processor seconds to those of the floor, in one run on one machine: what a new recording may not
#: exceed without a word about why.
CEILINGS = {"features": 20.0, "score": 24.0}


#: Where the table stands in the README.
BEGIN = "<!-- bench: make bench writes what stands here -->"
END = "<!-- end of bench -->"


class Run(NamedTuple):
    """Wall and processor seconds of one run."""

    wall: float
    cpu: float


class Contestant(NamedTuple):
    """A name to call it by, and what the table says of it."""

    name: str
    title: str


CONTESTANTS = (
    Contestant("floor", "floor: DuckDB, `count(*)` by account and device"),
    Contestant("columns", "reading the columns with pyarrow, nothing else"),
    Contestant("features", "all features: file to feature table in a file"),
    Contestant("score", "scores with reasons: file to file"),
    Contestant("command", "`household-ml score`, start of Python included"),
    Contestant("sql", "six features in SQL by DuckDB"),
    Contestant("pandas", "six features by pandas groupby-apply, scaled up"),
    Contestant("library", "ten features of one column by tsfresh, scaled up"),
)


# The file


def generate(path: Path, sessions: int, seed: int) -> None:
    """Write a file of sessions in order of time, piece by piece.

    Accounts have 1 to 9 devices, most of them at a home line, some at a second place, and phones
    that are partly on a carrier's shared addresses. A third of the lines are IPv6, whose devices
    change the lower half of their address every day.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from household_ml.networks import NetworkTable
    from household_ml.schema import DEVICE_TYPES
    from household_ml.sessions.addresses import format_addresses

    rng = np.random.default_rng(seed)
    accounts = _accounts(sessions)
    owned = rng.integers(1, 10, accounts)
    first = np.concatenate(([0], np.cumsum(owned)))
    device_ids = _ids(rng, "d", int(first[-1]))
    account_ids = _ids(rng, "", accounts)
    kind = rng.integers(0, len(DEVICE_TYPES), first[-1]).astype(np.int8)
    away = rng.random(first[-1]) < 0.15
    mobile = np.isin(kind, [DEVICE_TYPES.index("phone"), DEVICE_TYPES.index("tablet")])
    lines = _lines(rng, NetworkTable.default(), 2 * accounts)
    carrier = _lines(rng, NetworkTable.default(), max(8, accounts // 200))
    kinds = pa.array(DEVICE_TYPES)
    start_us = 1_767_225_600_000_000
    schema = pa.schema(
        [
            ("account_id", pa.string()),
            ("device_id", pa.string()),
            ("started_at", pa.timestamp("us", tz="UTC")),
            ("duration_s", pa.float64()),
            ("ip", pa.string()),
            ("device_type", pa.string()),
        ]
    )
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        for begin in range(0, sessions, ROW_GROUP):
            count = min(ROW_GROUP, sessions - begin)
            at = np.sort(rng.uniform(begin, begin + count, count)) / sessions * DAYS * 86_400e6
            account = rng.integers(0, accounts, count)
            # Squared: the first devices of an account are used most.
            device = first[account] + (rng.random(count) ** 2 * owned[account]).astype(np.int64)
            line = account + accounts * away[device]
            hi, lo, six = (column[line] for column in lines)
            day = (at / 86_400e6).astype(np.uint64)
            lo = np.where(six, (device.astype(np.uint64) << np.uint64(16)) + day + lo, lo)
            out = mobile[device] & (rng.random(count) < 0.3)
            cell = rng.integers(0, len(carrier[0]), int(out.sum()))
            hi[out], lo[out] = carrier[0][cell], carrier[1][cell]
            columns = [
                account_ids.take(pa.array(account)),
                device_ids.take(pa.array(device)),
                pa.array(start_us + at.astype(np.int64)).cast(schema.field("started_at").type),
                pa.array(np.round(rng.exponential(2_400, count))),
                format_addresses(hi, lo).cast(pa.string()),
                kinds.take(pa.array(kind[device])),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def _ids(rng: np.random.Generator, letter: str, count: int) -> pa.Array:
    """Distinct texts of 16 random digits and a counter, as ids in the wild look."""
    import pyarrow as pa

    numbers = rng.integers(0, 1 << 62, count).tolist()
    return pa.array([f"{letter}{number:016x}{i:x}" for i, number in enumerate(numbers)])


def _lines(
    rng: np.random.Generator, table: Any, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Addresses inside announced ranges, one in three of them a /64 of IPv6."""
    import numpy as np

    four = rng.choice(table.v4.start[table.v4.asn > 0], count).astype(np.uint64)
    four = (four + rng.integers(1, 250, count).astype(np.uint64)) | np.uint64(0xFFFF_0000_0000)
    six = rng.choice(table.v6.start[table.v6.asn > 0], count).astype(np.uint64)
    six += rng.integers(0, 1 << 16, count).astype(np.uint64)
    is_six = rng.random(count) < 1 / 3
    lower = rng.integers(1, 1 << 48, count).astype(np.uint64)
    return np.where(is_six, six, 0).astype(np.uint64), np.where(is_six, lower, four), is_six


# The contestants, each run in a process of its own


def count_by_device(path: Path) -> Callable[[], object]:
    import duckdb

    # What an earlier run read is not kept: the floor reads the file every time.
    connection = duckdb.connect(config={"enable_external_file_cache": "false"})
    query = f"select account_id, device_id, count(*) from '{path}' group by 1, 2"
    return lambda: connection.sql(query).to_arrow_table()


def read_columns(path: Path) -> Callable[[], object]:
    import pyarrow.parquet as pq

    return lambda: pq.read_table(path)


def make_features(path: Path) -> Callable[[], object]:
    from household_ml.serving.feature_files import write_features

    out = path.with_name("features.parquet")

    def run() -> None:
        write_features(path, out, quiet=True)
        out.unlink()

    return run


def _arguments(path: Path, model: str | None, out: Path) -> list[str]:
    named = [] if model is None else ["--model", model]
    return ["score", "--sessions", str(path), "--out", str(out), *named]


def make_scores(path: Path, model: str | None) -> Callable[[], object]:
    from household_ml.scoring import HouseholdScorer
    from household_ml.serving.batch import score_files

    scorer = HouseholdScorer.load(model)
    out = path.with_name("scores.parquet")

    def run() -> None:
        score_files(path, out, scorer=scorer, quiet=True)
        out.unlink()

    return run


def sql_features(path: Path) -> Callable[[], object]:
    """The six features of `naive_features`, by an engine that is not slow."""
    import duckdb

    connection = duckdb.connect(config={"enable_external_file_cache": "false"})
    query = rf"""
        with session as (
            select account_id, device_id, started_at, hour(started_at) as hour,
                regexp_replace(ip, '(\.[0-9]+|(:[0-9a-f]*){{4}})$', '') as network
            from '{path}'
        ),
        home as (
            select account_id, mode(network) as main from session group by 1
        )
        select account_id, device_id, count(*), count(distinct started_at::date),
            count(distinct network), avg((network = main)::int),
            avg((hour >= 19 or hour < 6)::int),
            date_diff('day', max(started_at) filter (network = main),
                (select max(started_at) from session))
        from session join home using (account_id) group by 1, 2
    """
    return lambda: connection.sql(query).to_arrow_table()


def few_accounts(path: Path) -> tuple[pd.DataFrame, float]:
    """Sessions of the first accounts, their end aside, and how many times they are the file."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    ids = pq.read_table(path, columns=["account_id"])["account_id"]
    chosen = pc.unique(ids.slice(0, 100 * FEW_ACCOUNTS))[:FEW_ACCOUNTS]
    table = pq.read_table(path, filters=pc.field("account_id").isin(chosen))
    return table.to_pandas(), len(ids) / len(table)


def naive_features(path: Path) -> tuple[Callable[[], object], float]:
    """What would be written first, on few accounts."""
    import pandas as pd

    frame, factor = few_accounts(path)
    end = frame["started_at"].max()

    def of_account(account: pd.DataFrame) -> pd.DataFrame:
        network = account["ip"].str.replace(r"(\.\d+|(:[0-9a-f]*){4})$", "", regex=True)
        main = network.value_counts().index[0]
        on_main = network == main

        def of_device(device: pd.DataFrame) -> pd.Series:
            there = on_main[device.index]
            hour = device["started_at"].dt.hour
            return pd.Series(
                {
                    "sessions": len(device),
                    "days": device["started_at"].dt.date.nunique(),
                    "networks": network[device.index].nunique(),
                    "share_main": there.mean(),
                    "night_share": ((hour >= 19) | (hour < 6)).mean(),
                    "days_since_main": (end - device["started_at"][there].max()).days
                    if there.any()
                    else None,
                }
            )

        return cast("pd.DataFrame", account.groupby("device_id").apply(of_device))

    return lambda: frame.groupby("account_id").apply(of_account), factor


def library_features(path: Path) -> tuple[Callable[[], object], float]:
    """What a feature library makes of the times of day of each device, on few accounts.

    Raises
    ------
    ImportError
        tsfresh is not installed; it is no dependency of the project.
    """
    from tsfresh import extract_features
    from tsfresh.feature_extraction import MinimalFCParameters

    frame, factor = few_accounts(path)
    start = frame["started_at"]
    table = frame.assign(id=frame["account_id"] + frame["device_id"], hour=start.dt.hour * 1.0)
    table = table[["id", "started_at", "hour"]]

    def run() -> object:
        return extract_features(
            table,
            column_id="id",
            column_sort="started_at",
            default_fc_parameters=MinimalFCParameters(),
            n_jobs=0,
            disable_progressbar=True,
        )

    return run, factor


def compete(name: str, path: Path, repeats: int, model: str | None) -> dict[str, Any]:
    """Run a contestant here, after a warm-up."""
    factor = 1.0
    try:
        if name in ("pandas", "library"):
            run, factor = (naive_features if name == "pandas" else library_features)(path)
        elif name == "score":
            run = make_scores(path, model)
        else:
            makers = {
                "floor": count_by_device,
                "columns": read_columns,
                "features": make_features,
                "sql": sql_features,
            }
            run = makers[name](path)
    except ModuleNotFoundError as error:
        return {"absent": f"{error.name} is not installed here"}
    run()
    runs = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        runs.append(
            Run((time.perf_counter() - wall) * factor, (time.process_time() - cpu) * factor)
        )
    summary = _summary(runs, _peak_mib())
    if factor != 1.0:
        summary["scaled_by"] = round(factor, 1)
        del summary["peak_mib"]
    return summary


def grow(small: Path, path: Path, model: str | None) -> dict[str, Any]:
    """Score a file once, after a small one to warm up."""
    make_scores(small, model)()
    run = make_scores(path, model)
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return {
        "wall_s": round(time.perf_counter() - wall, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "peak_mib": round(_peak_mib()),
    }


def time_command(path: Path, repeats: int, model: str | None) -> dict[str, Any]:
    """Run the command as a user does, start of Python and imports included."""
    out = path.with_name("scores.parquet")
    command = [sys.executable, "-m", "household_ml", *_arguments(path, model, out)]
    runs, peaks = [], []
    for _ in range(repeats + 1):
        wall = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        runs.append(Run(time.perf_counter() - wall, used.ru_utime + used.ru_stime))
        peaks.append(used.ru_maxrss / 1024)
    out.unlink()
    return _summary(runs[1:], max(peaks))


def time_account(model: str | None, seed: int) -> dict[str, Any]:
    """One account, 60 sessions on 5 devices: from Python dicts to answers with reasons."""
    from datetime import UTC, datetime, timedelta

    import numpy as np

    from household_ml import HouseholdScorer

    rng = np.random.default_rng(seed)
    homes = ("82.64.10.20", "2a01:cb00:8d5:3400::17", "82.64.10.20", "37.166.4.9")
    kinds = ("tv", "computer", "phone", "tablet", "tv")
    sessions = [
        {
            "device_id": f"device-{i % 5}",
            "started_at": datetime(2026, 1, 1, 19, tzinfo=UTC)
            + timedelta(days=i, minutes=int(rng.integers(0, 240))),
            "duration_s": float(rng.integers(60, 7_200)),
            "ip": homes[int(rng.integers(0, len(homes)))],
            "device_type": kinds[i % 5],
        }
        for i in range(60)
    ]
    scorer = HouseholdScorer.load(model)

    def answer() -> object:
        return scorer.score_account(sessions)

    for _ in range(20):
        answer()
    seconds = []
    for _ in range(CALLS):
        start = time.perf_counter()
        answer()
        seconds.append(time.perf_counter() - start)
    cuts = statistics.quantiles(seconds, n=100)
    return {"calls": CALLS, "p50_us": round(cuts[49] * 1e6), "p99_us": round(cuts[98] * 1e6)}


def _summary(runs: list[Run], peak: float) -> dict[str, Any]:
    return {
        "wall_s": round(statistics.median(run.wall for run in runs), 3),
        "cpu_s": round(statistics.median(run.cpu for run in runs), 3),
        "peak_mib": round(peak),
        "runs": [[round(run.wall, 3), round(run.cpu, 3)] for run in runs],
    }


def _peak_mib() -> float:
    """Peak memory of this process; not ru_maxrss, which may be that of the process before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def time_spark(small: Path, path: Path, model: str | None) -> dict[str, Any]:
    """Spark in local[2], in a session that is warm, beside the local engine; one run of each."""
    import warnings

    warnings.simplefilter("ignore")
    os.environ["HOUSEHOLD_ML_THREADS"] = "2"
    try:
        from pyspark.sql import SparkSession  # noqa: F401

        from household_ml.errors import MissingDependencyError
        from household_ml.serving.spark import local_session, read_source, score_into
    except ModuleNotFoundError as error:
        return {"absent": f"{error.name} is not installed here"}
    out = path.with_name("spark-scores")
    walls = []
    try:
        with local_session() as session:
            for each in (small, path):
                start = time.perf_counter()
                score_into(read_source(session, str(each)), out, model=model)
                walls.append(time.perf_counter() - start)
    except MissingDependencyError as error:
        return {"absent": str(error)}
    shutil.rmtree(out)
    make_scores(small, model)()
    start = time.perf_counter()
    make_scores(path, model)()
    engine = time.perf_counter() - start
    return {
        "wall_s": round(walls[-1], 2),
        "local_wall_s": round(engine, 2),
        "times_local": round(walls[-1] / engine, 2),
    }


# The run


def _elsewhere(arguments: list[str]) -> str:
    """Do a part in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Generate the files, run every contestant, and put the ratios beside."""
    path = _file(folder, options.sessions, options.seed)
    load = round(os.getloadavg()[0], 1)
    common = ["--seed", str(options.seed), "--repeats", str(options.repeats)]
    if options.model is not None:
        common += ["--model", options.model]
    where = ["--file", str(path), *common]
    if not path.exists():
        _elsewhere(["--part", "generate", "--sessions", str(options.sessions), *where])
    found: dict[str, Any] = {}
    for name, title in CONTESTANTS:
        sys.stderr.write(f"{title} ...\n")
        if name == "command":
            found[name] = time_command(path, options.repeats, options.model)
        else:
            found[name] = json.loads(_elsewhere(["--part", name, *where]))
    small = min([options.sessions, *options.others])
    beside = ["--beside", str(_file(folder, small, options.seed))]
    growth = [
        _grown(folder, sessions, beside, options.seed, common)
        for sessions in sorted(options.others)
    ]
    sys.stderr.write("Spark ...\n")
    spark = json.loads(_elsewhere(["--part", "spark", *where, *beside]))
    account = json.loads(_elsewhere(["--part", "account", *where]))
    for each in found.values():
        if "wall_s" in each:
            each["wall_to_floor"] = round(each["wall_s"] / found["floor"]["wall_s"], 1)
            each["cpu_to_floor"] = round(each["cpu_s"] / found["floor"]["cpu_s"], 1)
    return {
        "file": {
            "sessions": options.sessions,
            "accounts": _accounts(options.sessions),
            "mib": round(path.stat().st_size / 2**20, 1),
            "seed": options.seed,
        },
        "machine": {
            "cores": os.cpu_count(),
            "load": [load, round(os.getloadavg()[0], 1)],
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "pyarrow", "numba", "duckdb", "pandas")},
        },
        "repeats": options.repeats,
        "contestants": found,
        "growth": growth,
        "spark": spark,
        "one_account": account,
    }


def _file(folder: Path, sessions: int, seed: int) -> Path:
    return folder / f"sessions-{sessions}-{seed}.parquet"


def _grown(
    folder: Path, sessions: int, beside: list[str], seed: int, common: list[str]
) -> dict[str, Any]:
    """Cost of a file of another size."""
    sys.stderr.write(f"scores of {sessions:,} sessions ...\n")
    path = _file(folder, sessions, seed)
    where = ["--file", str(path), *common]
    if not path.exists():
        _elsewhere(["--part", "generate", "--sessions", str(sessions), *where])
    return {"sessions": sessions, **json.loads(_elsewhere(["--part", "grow", *where, *beside]))}


def sizes(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Cost by size of the file, the least first, with seconds for a million sessions."""
    main = results["contestants"]["score"]
    every = [{"sessions": results["file"]["sessions"], **main}, *results["growth"]]
    return [
        each
        | {
            f"{kind}_of_million": each[f"{kind}_s"] * 1e6 / each["sessions"]
            for kind in ("wall", "cpu")
        }
        for each in sorted(every, key=lambda each: each["sessions"])
    ]


def _accounts(sessions: int) -> int:
    return max(1, round(sessions / SESSIONS_PER_ACCOUNT))


def table(results: dict[str, Any]) -> str:
    """The results as they stand in the README."""
    file, machine = results["file"], results["machine"]
    load = " to ".join(map(str, machine["load"]))
    lines = [
        f"{file['sessions']:,} sessions of {file['accounts']:,} accounts, {file['mib']} MiB of "
        f"Parquet in order of time; {machine['cores']} cores, load {load} by this and other work; "
        f"medians of {results['repeats']}.",
        "",
        "| | wall s | CPU s | x floor, wall | x floor, CPU | peak MiB |",
        "|---|---|---|---|---|---|",
    ]
    for name, title in CONTESTANTS:
        each = results["contestants"][name]
        if "absent" in each:
            lines.append(f"| {title} | {each['absent']} | | | | |")
            continue
        lines.append(
            f"| {title} | {each['wall_s']:,.2f} | {each['cpu_s']:,.2f} | "
            f"{each['wall_to_floor']:,.1f} | {each['cpu_to_floor']:,.1f} | "
            f"{each.get('peak_mib', '')} |"
        )
    lines += [
        "",
        "| scores of | wall s | CPU s | a million, wall s | a million, CPU s | peak MiB |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each['sessions']:,} sessions | {each['wall_s']:,.1f} | {each['cpu_s']:,.1f} | "
        f"{each['wall_of_million']:.2f} | {each['cpu_of_million']:.2f} | {each['peak_mib']:,} |"
        for each in sizes(results)
    ]
    account = results["one_account"]
    lines += [
        "",
        f"One account of 60 sessions on 5 devices, from Python objects to scores with reasons: "
        f"p50 {account['p50_us']:,} us, p99 {account['p99_us']:,} us ({account['calls']:,} calls).",
        "",
        goals(results),
        "",
        *sizing(results),
    ]
    return "\n".join(lines) + "\n"


def goals(results: dict[str, Any]) -> str:
    """What the project wants, and whether it is reached."""

    def told(what: str, limit: float, got: float, more: str = "") -> str:
        return f"{what} {limit:,g} ({'reached' if got <= limit else 'not reached'}: {got:,g}{more})"

    found = results["contestants"]
    every = sizes(results)
    peaks = [each["peak_mib"] for each in every]
    growth = round(every[-1]["cpu_of_million"] / every[0]["cpu_of_million"], 2)
    parts = [
        *(
            told(
                f"{name}, times the floor:",
                GOALS[name],
                found[name]["wall_to_floor"],
                f", and {found[name]['cpu_to_floor']:g} in CPU",
            )
            for name in ("features", "score")
        ),
        told("memory in MiB at any size:", GOALS["peak_mib"], max(peaks)),
        told(
            "CPU a session in the largest file, times that in the smallest:",
            GOALS["growth"],
            growth,
        ),
    ]
    return f"Goals, at most: {'; '.join(parts)}."


def sizing(results: dict[str, Any]) -> list[str]:
    """What a nation would need, by calculation from the measured cost."""
    spark = results["spark"]
    million = results["file"]["sessions"] / 1e6
    seconds = results["contestants"]["score"]["cpu_s"] / million
    bytes_a_session = results["file"]["mib"] * 2**20 / results["file"]["sessions"]
    if "absent" in spark:
        times, told = 1.0, f"Spark was not measured ({spark['absent']})"
    else:
        times = max(1.0, spark["times_local"])
        told = (
            f"Spark in local[2] took {spark['times_local']} times as long as the local engine on "
            f"the same file ({spark['wall_s']} s, {spark['local_wall_s']} s; session warm, one run)"
        )
    lines = [
        f"{told}; the start of its jobs and workers is in it, and weighs less the larger the file. "
        f"A million sessions cost {seconds:.1f} core seconds in the local engine. By calculation "
        f"from that, for 300 million accounts with 20 billion sessions a month (a run looks at 180 "
        f"days), at the local engine's cost and at Spark's:",
        "",
        "| a run over | sessions | Parquet | core hours | with Spark | cores, to end in 4 hours |",
        "|---|---|---|---|---|---|",
    ]
    for name, months in (("a month", 1), ("the window of 180 days", 6)):
        sessions = months * NATION_SESSIONS
        hours = sessions / 1e6 * seconds / 3_600
        lines.append(
            f"| {name} | {sessions / 1e9:,.0f} billion | "
            f"{sessions * bytes_a_session / 1e12:.1f} TB | {hours:,.0f} | {hours * times:,.0f} | "
            f"{hours / 4:,.0f} to {hours * times / 4:,.0f} |"
        )
    return lines


def beside_earlier(results: dict[str, Any], earlier: dict[str, Any]) -> list[str]:
    """What became slower or faster than recorded by a tenth or more, as ratios to the floor."""
    told = []
    for name, title in CONTESTANTS:
        new, old = (each["contestants"].get(name, {}) for each in (results, earlier))
        if "cpu_to_floor" in new and "cpu_to_floor" in old and old["cpu_to_floor"]:
            change = new["cpu_to_floor"] / old["cpu_to_floor"] - 1
            if abs(change) >= 0.1:
                told.append(f"{title}: {change:+.0%} CPU beside the floor, against the recorded")
    return told


def into_readme(text: str, results: dict[str, Any]) -> str:
    """The README with the table of these results between its marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{table(results)}\n{END}{after}"


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number


def _several(text: str) -> list[int]:
    return [_positive(each) for each in text.split(",") if each]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=_positive, default=1_000_000)
    parser.add_argument(
        "--others", type=_several, default=[3_000_000], help="other sizes, as 1000000,30000000"
    )
    parser.add_argument("--repeats", type=_positive, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="folder of a model; left out, the one that ships")
    parser.add_argument("--out", type=Path, help="JSON file to write; left out, only shown")
    parser.add_argument("--folder", type=Path, help="where generated files lie and are kept")
    parser.add_argument("--readme", type=Path, help="README to put the table into")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--beside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part == "generate":
        generate(options.file, options.sessions, options.seed)
    elif options.part == "account":
        sys.stdout.write(json.dumps(time_account(options.model, options.seed)))
    elif options.part == "spark":
        sys.stdout.write(json.dumps(time_spark(options.beside, options.file, options.model)))
    elif options.part == "grow":
        sys.stdout.write(json.dumps(grow(options.beside, options.file, options.model)))
    elif options.part is not None:
        found = compete(options.part, options.file, options.repeats, options.model)
        sys.stdout.write(json.dumps(found))
    else:
        with tempfile.TemporaryDirectory(prefix="household-ml-bench-") as scratch:
            results = measure(options, options.folder or Path(scratch))
        sys.stdout.write(table(results))
        if options.out is not None:
            if options.out.exists():
                earlier = json.loads(options.out.read_text(encoding="utf-8"))
                sys.stdout.writelines(f"{line}\n" for line in beside_earlier(results, earlier))
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        if options.readme is not None:
            text = options.readme.read_text(encoding="utf-8")
            options.readme.write_text(into_readme(text, results), encoding="utf-8")


if __name__ == "__main__":
    main()
