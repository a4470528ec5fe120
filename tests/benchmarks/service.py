"""How many requests a second the scoring service answers, beside what else would answer them.

Run as a script: ``python tests/benchmarks/service.py``. Every server has one worker process on one
core; the client has another core. Rounds go over all servers in turn, so that a noisy moment meets
each; medians are shown, with ratios. Nothing is asserted. Bodies are one account each, with 60
sessions: about 5 KB.

With ``--soak MINUTES`` our service alone is asked at 70 % of its top rate, and errors, memory and
times are followed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

from tests.benchmarks.service_load import (  # noqa: E402
    CONNECTIONS,
    Load,
    Target,
    ask,
    bodies_of,
    have_wrk,
    put_under_load,
)
from tests.benchmarks.service_table import OURS, goals, in_readme, table  # noqa: E402
from tests.serving.processes import end_all  # noqa: E402

ACCOUNTS = 64
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Contestant:
    """A server that is measured."""

    name: str
    command: list[str]
    target: Target
    environment: dict[str, str]


@dataclass
class Measured:
    """A round of one server."""

    load: Load
    cpu_us: float


def contestants(folder: Path, names: Sequence[str]) -> Iterator[Contestant]:
    """The servers, each made ready to be started."""
    from household_ml.serving.api_keys import add_key

    python, bodies = sys.executable, bodies_of(ACCOUNTS, seed=7)
    if OURS in names:
        key = add_key(folder / "keys.json", "bench")
        port = free_port()
        serve = [python, "-m", "household_ml", "serve", "--port", str(port)]
        yield Contestant(
            OURS,
            [*serve, "--api-keys", str(folder / "keys.json")],
            Target(port, "/v1/score", bodies, {"Authorization": f"Bearer {key}"}),
            {},
        )
    for name, app in (("pydantic", "by_pydantic"), ("msgspec", "by_msgspec")):
        if name in names:
            port = free_port()
            serve = [python, "-m", "uvicorn", f"tests.benchmarks.empty_endpoints:{app}"]
            serve += ["--port", str(port), "--log-level", "warning", "--no-access-log"]
            yield Contestant(name, serve, Target(port, "/v1/score", bodies), {})
    records = [as_records(body) for body in bodies]
    for name, save in (("mlflow-ours", save_ours), ("mlflow-usual", save_usual)):
        if name in names:
            port = free_port()
            model = save(folder / name)
            serve = [python, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
            serve += ["--model-uri", str(model), "--port", str(port), "--workers", "1"]
            own = {"PATH": f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"}
            yield Contestant(name, serve, Target(port, "/invocations", records), own)


def as_records(body: str) -> str:
    """The same account as MLflow takes it."""
    account = json.loads(body)
    rows = [{"account_id": account["account_id"], **row} for row in account["sessions"]]
    return json.dumps({"dataframe_records": rows}, separators=(",", ":"))


def save_ours(folder: Path) -> Path:
    """The default model as the registry holds it."""
    from household_ml.resources import resource
    from household_ml.serving.registry import register

    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder.parent / 'mlflow.db'}"
    import mlflow

    registered = register(resource("models/default"), "household")
    found = mlflow.artifacts.download_artifacts(registered.uri, dst_path=str(folder))
    return Path(found)


def save_usual(folder: Path) -> Path:
    """As many trees and leaves as the default model has, behind pandas features."""
    import joblib
    import mlflow
    from sklearn.ensemble import HistGradientBoostingClassifier

    from household_ml.scoring import HouseholdScorer
    from household_ml.simulation import simulate
    from tests.benchmarks.usual_pyfunc import DEVICE, features

    trees = HouseholdScorer.load().model.trees
    world = simulate("fr", accounts=300, days=60, seed=1)
    found = features(world.sessions.to_pandas())
    labels = world.labels.to_pandas().set_index(DEVICE)["in_household"]
    known = found.index.intersection(labels.index)
    fitted = HistGradientBoostingClassifier(
        max_iter=len(trees), max_leaf_nodes=31, early_stopping=False, random_state=0
    ).fit(found.loc[known], labels.loc[known].astype(int))
    folder.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump(fitted, folder.parent / "trees.joblib")
    mlflow.pyfunc.save_model(
        str(folder),
        python_model=str(ROOT / "tests" / "benchmarks" / "usual_pyfunc.py"),
        artifacts={"trees": str(folder.parent / "trees.joblib")},
        pip_requirements=["scikit-learn", "pandas"],
    )
    return folder


def tell(line: str) -> None:
    """Say how far it is, on standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def started(contestant: Contestant, folder: Path, core: int | None) -> Iterator[int]:
    """A server that runs until the block ends; its process id."""
    own = {"OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", **contestant.environment}
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    with (folder / f"{contestant.name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*pinned, *contestant.command],
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, **own},
            start_new_session=True,
        )
    try:
        wait_for(contestant, process, folder)
        yield process.pid
    finally:
        end_all(process)


def wait_for(contestant: Contestant, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until the server answers the first body with 200."""
    target = contestant.target
    request = urllib.request.Request(
        f"http://127.0.0.1:{target.port}{target.path}",
        target.bodies[0].encode(),
        {"Content-Type": "application/json", **target.headers},
    )
    end = time.monotonic() + 600
    while True:
        try:
            urllib.request.urlopen(request, timeout=60).close()
        except OSError as error:
            log = folder / f"{contestant.name}.log"
            over = process.poll() is not None or time.monotonic() > end
            if over or getattr(error, "code", 503) not in (503, None):
                told = error.read().decode() if hasattr(error, "read") else str(error)
                raise SystemExit(f"{contestant.name}: {told}\n{log.read_text()[-3000:]}") from None
            time.sleep(0.2)
        else:
            return


def processor_seconds(session: int) -> float:
    """Processor time of all processes of a session."""
    return sum(one[11] + one[12] for one in _processes(session)) / TICK


def memory_mb(session: int) -> float:
    """Memory that the processes of a session hold."""
    return sum(one[21] for one in _processes(session)) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _processes(session: int) -> Iterator[list[int]]:
    """What the system tells of each process of a session, from its state on; the state as 0."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, *fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == session:
            yield [0, *map(int, fields)]


def measure(
    names: Sequence[str], seconds: float, rounds: int, cores: tuple[int | None, int | None]
) -> dict[str, list[Measured]]:
    """Put every server under load, round after round."""
    found: dict[str, list[Measured]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="household-ml-bench-") as scratch, ExitStack() as stack:
        folder = Path(scratch)
        servers = []
        for contestant in contestants(folder, names):
            tell(f"starting {contestant.name}")
            servers.append((contestant, stack.enter_context(started(contestant, folder, cores[0]))))
        for contestant, _ in servers:
            put_under_load(contestant.target, min(2.0, seconds), cores[1])
        for turn in range(rounds):
            for contestant, session in servers:
                before = processor_seconds(session)
                load = put_under_load(contestant.target, seconds, cores[1])
                cpu = processor_seconds(session) - before
                found[contestant.name].append(Measured(load, cpu / max(load.requests, 1) * 1e6))
                tell(
                    f"round {turn + 1} {contestant.name}: {load.rate:,.0f} requests/s, p99 "
                    f"{load.p99_ms:.1f} ms, {load.wrong} wrong, client {load.client_share:.0%}"
                )
    return found


@dataclass
class Soak:
    """What came of a long time at a steady rate."""

    minutes: float
    rate: float
    requests: int
    wrong: int
    memory_mb_first: float
    memory_mb_last: float
    memory_mb_per_million: float
    p99_ms_by_part: list[float]


def soak(minutes: float, cores: tuple[int | None, int | None], share: float = 0.7) -> Soak:
    """Ask our service at a share of its top rate, and follow errors, memory and times."""
    with tempfile.TemporaryDirectory(prefix="household-ml-soak-") as scratch, ExitStack() as stack:
        folder = Path(scratch)
        (ours,) = contestants(folder, [OURS])
        session = stack.enter_context(started(ours, folder, cores[0]))
        put_under_load(ours.target, 3, cores[1])
        top = put_under_load(ours.target, 5, cores[1]).rate
        if cores[1] is not None:
            os.sched_setaffinity(0, {cores[1]})
        parts: list[list[float]] = [[]]
        memory: list[tuple[int, float]] = []
        answered = 0
        part_seconds = max(minutes * 60 / 30, 1.0)
        began = last = time.monotonic()

        def on_answer(spent: float, status: int) -> None:
            nonlocal answered, last
            del status
            answered += 1
            parts[-1].append(spent)
            now = time.monotonic()
            if now - last >= part_seconds:
                last = now
                parts.append([])
                memory.append((answered, memory_mb(session)))

        load = asyncio.run(ask(ours.target, minutes * 60, top * share, on_answer))
        memory.append((answered, memory_mb(session)))
    warm = memory[len(memory) // 5 :]
    slope = statistics.linear_regression(*zip(*warm, strict=True)).slope * 1e6
    quantiles = [sorted(part)[int(len(part) * 0.99)] * 1e3 for part in parts if len(part) > 100]
    return Soak(
        minutes=(time.monotonic() - began) / 60,
        rate=load.rate,
        requests=load.requests,
        wrong=load.wrong,
        memory_mb_first=warm[0][1],
        memory_mb_last=warm[-1][1],
        memory_mb_per_million=slope,
        p99_ms_by_part=quantiles,
    )


def choose_cores() -> tuple[int | None, int | None]:
    """A core for the server and one for the client, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 or shutil.which("taskset") is None:
        tell("One core, or no taskset: server and client share what there is.")
        return None, None
    return cores[0], cores[1]


def main() -> None:
    names = [OURS, "pydantic", "msgspec", "mlflow-ours", "mlflow-usual"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of load, each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(names), help="names, with commas between")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="at 70 %% of the top rate")
    parser.add_argument("--out", type=Path, help="JSON file to write, or to add a soak to")
    parser.add_argument("--readme", type=Path, help="file with marks to write the table between")
    given = parser.parse_args()
    if not have_wrk():
        tell(
            "There is no wrk (Debian: apt install wrk): the client is in Python and takes about "
            "as much of a core as the server; the highest rates are the client's."
        )
    cores = choose_cores()
    machine: dict[str, Any] = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": [round(os.getloadavg()[0], 1)],
        **{name: version(name) for name in ("fastapi", "uvicorn", "uvloop", "msgspec", "mlflow")},
    }
    if given.soak:
        result = soak(given.soak, cores)
        sys.stdout.write(json.dumps(asdict(result), indent=1) + "\n")
        written = {"machine": machine, "soak": asdict(result)}
    else:
        chosen = [name for name in names if name in given.only.split(",")]
        found = measure(chosen, given.seconds, given.rounds, cores)
        rounds = {name: [asdict(each) for each in runs] for name, runs in found.items()}
        written = {"machine": machine, "rounds": rounds}
        sys.stdout.write(f"{table(written)}\n")
        if set(rounds) == set(names):
            sys.stdout.write(f"\n{goals(written)}\n")
        client = statistics.median(
            each.load.client_share for rounds in found.values() for each in rounds
        )
        most = max(each.load.client_share for rounds in found.values() for each in rounds)
        tool = "wrk" if have_wrk() else "Python"
        sys.stdout.write(
            f"\n{CONNECTIONS} connections, {given.rounds} rounds of {given.seconds:g} s; "
            f"the client ({tool}) took {client:.0%} of its core, at most {most:.0%}.\n"
        )
    machine["load"].append(round(os.getloadavg()[0], 1))
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        if given.out.exists():  # a soak and a comparison may lie in one file
            written = {**json.loads(given.out.read_text(encoding="utf-8")), **written}
        given.out.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    if given.readme and set(written.get("rounds", ())) == set(names):
        text = given.readme.read_text(encoding="utf-8")
        given.readme.write_text(in_readme(text, written), encoding="utf-8")


if __name__ == "__main__":
    main()
