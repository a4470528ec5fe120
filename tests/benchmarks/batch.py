"""How fast features and scores are made from a file, beside the floor of reading that file.

Run as a script. A file of sessions is generated from a seed; each contestant then works on it in a
process of its own, once to warm up and then several times. Medians are shown, of wall and of
processor seconds, with ratios to the floor measured in the same run. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
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
#: Accounts that the naive pandas code is run on; its time is scaled up by sessions.
PANDAS_ACCOUNTS = 200
CALLS = 1_000


class Run(NamedTuple):
    """Wall and processor seconds of one run."""

    wall: float
    cpu: float


class Contestant(NamedTuple):
    """A name to call it by, and what the table says of it."""

    name: str
    title: str


CONTESTANTS = (
    Contestant("floor", "floor: DuckDB, count by account and device"),
    Contestant("columns", "reading the columns with pyarrow, nothing else"),
    Contestant("features", "features: file to feature table"),
    Contestant("score", "scores with reasons: file to file, warm process"),
    Contestant("command", "household-ml score: file to file, whole process"),
    Contestant("pandas", "six features by pandas groupby-apply, scaled up"),
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
    accounts = max(1, round(sessions / SESSIONS_PER_ACCOUNT))
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


def make_features(path: Path, stages: dict[str, list[float]]) -> Callable[[], object]:
    from household_ml import build_features, read_sessions
    from household_ml.networks import enrich

    def run() -> object:
        marks = [time.perf_counter()]
        sessions = read_sessions(path)
        marks.append(time.perf_counter())
        enriched = enrich(sessions)
        marks.append(time.perf_counter())
        features = build_features(enriched)
        marks.append(time.perf_counter())
        for i, stage in enumerate(("read_sessions", "enrich", "build_features")):
            stages.setdefault(stage, []).append(marks[i + 1] - marks[i])
        return features

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


def naive_features(path: Path) -> tuple[Callable[[], object], float]:
    """What would be written first, on the first accounts; and how many times they are the file."""
    import pandas as pd

    every = pd.read_parquet(path)
    chosen = every["account_id"].drop_duplicates().head(PANDAS_ACCOUNTS)
    frame = every[every["account_id"].isin(chosen)]
    factor = len(every) / len(frame)
    del every
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


def compete(name: str, path: Path, repeats: int, model: str | None) -> dict[str, Any]:
    """Run a contestant here, after a warm-up."""
    stages: dict[str, list[float]] = {}
    factor = 1.0
    if name == "pandas":
        run, factor = naive_features(path)
    elif name == "floor":
        run = count_by_device(path)
    elif name == "columns":
        run = read_columns(path)
    elif name == "features":
        run = make_features(path, stages)
    else:
        run = make_scores(path, model)
    run()
    runs = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        runs.append(
            Run((time.perf_counter() - wall) * factor, (time.process_time() - cpu) * factor)
        )
    summary = _summary(runs, _peak_mib())
    if stages:
        summary["stages_s"] = {
            stage: round(statistics.median(seconds[1:]), 3) for stage, seconds in stages.items()
        }
    if factor != 1.0:
        summary["scaled_by"] = round(factor, 1)
        del summary["peak_mib"]
    return summary


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
    """One account, 60 sessions on 5 devices: from Python dicts to Python dicts with reasons."""
    from datetime import UTC, datetime, timedelta

    import numpy as np
    import pyarrow as pa

    from household_ml import HouseholdScorer

    rng = np.random.default_rng(seed)
    homes = ("82.64.10.20", "2a01:cb00:8d5:3400::17", "82.64.10.20", "37.166.4.9")
    kinds = ("tv", "computer", "phone", "tablet", "tv")
    sessions = [
        {
            "account_id": "account",
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
        return scorer.score_table(pa.Table.from_pylist(sessions)).to_pylist()

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


# The run


def _elsewhere(arguments: list[str]) -> str:
    """Do a part in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure(options: argparse.Namespace, path: Path) -> dict[str, Any]:
    """Generate the file, run every contestant on it, and put the ratios beside."""
    common = ["--seed", str(options.seed), "--repeats", str(options.repeats)]
    if options.model is not None:
        common += ["--model", options.model]
    where = ["--file", str(path), "--sessions", str(options.sessions)]
    _elsewhere(["--part", "generate", *where, *common])
    found: dict[str, Any] = {}
    for name, title in CONTESTANTS:
        sys.stderr.write(f"{title} ...\n")
        if name == "command":
            found[name] = time_command(path, options.repeats, options.model)
        else:
            found[name] = json.loads(_elsewhere(["--part", name, *where, *common]))
    account = json.loads(_elsewhere(["--part", "account", *where, *common]))
    for each in found.values():
        each["wall_to_floor"] = round(each["wall_s"] / found["floor"]["wall_s"], 1)
        each["cpu_to_floor"] = round(each["cpu_s"] / found["floor"]["cpu_s"], 1)
    return {
        "file": {
            "sessions": options.sessions,
            "accounts": max(1, round(options.sessions / SESSIONS_PER_ACCOUNT)),
            "mib": round(path.stat().st_size / 2**20, 1),
            "seed": options.seed,
        },
        "machine": {
            "cores": os.cpu_count(),
            "load_at_end": round(os.getloadavg()[0], 1),
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "pyarrow", "numba", "duckdb", "pandas")},
        },
        "repeats": options.repeats,
        "contestants": found,
        "one_account": account,
    }


def table(results: dict[str, Any]) -> str:
    """The results as text."""
    file, machine, account = results["file"], results["machine"], results["one_account"]
    lines = [
        f"{file['sessions']:,} sessions of {file['accounts']:,} accounts, {file['mib']} MiB of "
        f"Parquet in order of time; {machine['cores']} cores, load {machine['load_at_end']}, "
        f"medians of {results['repeats']}",
        f"{'':<52}{'wall s':>9}{'CPU s':>9}{'x wall':>8}{'x CPU':>8}{'peak MiB':>10}",
    ]
    for name, title in CONTESTANTS:
        each = results["contestants"][name]
        lines.append(
            f"{title:<52}{each['wall_s']:>9.2f}{each['cpu_s']:>9.2f}{each['wall_to_floor']:>8.1f}"
            f"{each['cpu_to_floor']:>8.1f}{each.get('peak_mib', '-'):>10}"
        )
    stages = results["contestants"]["features"]["stages_s"]
    told = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in stages.items())
    lines += [
        f"stages of features: {told}",
        f"pandas ran on {PANDAS_ACCOUNTS} accounts, its seconds are multiplied by "
        f"{results['contestants']['pandas']['scaled_by']}",
        f"one account, 60 sessions, 5 devices, dicts to scores in process: "
        f"p50 {account['p50_us']:,} us, p99 {account['p99_us']:,} us of {account['calls']:,} calls",
    ]
    return "\n".join(lines) + "\n"


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=_positive, default=1_000_000)
    parser.add_argument("--repeats", type=_positive, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="folder of a model; left out, the one that ships")
    parser.add_argument("--out", type=Path, help="JSON file to write; left out, only shown")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part == "generate":
        generate(options.file, options.sessions, options.seed)
    elif options.part == "account":
        sys.stdout.write(json.dumps(time_account(options.model, options.seed)))
    elif options.part is not None:
        found = compete(options.part, options.file, options.repeats, options.model)
        sys.stdout.write(json.dumps(found))
    else:
        with tempfile.TemporaryDirectory(prefix="household-ml-bench-") as folder:
            results = measure(options, Path(folder) / "sessions.parquet")
        sys.stdout.write(table(results))
        if options.out is not None:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
