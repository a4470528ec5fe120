"""Runs of one batch in processes of their own, which are killed or run out of disk; a script.

Imports and compiled code are loaded once, before a process is forked for each run. A run is told as
``whole``, ``kill GLOB`` (SIGKILL when the work folder has such a file) or ``file BYTES`` (no file
may grow beyond, as on a disk that is full). What came of each is printed as a line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def run_batches(
    source: Path, model: Path, out: Path, runs: list[str], *, part_sessions: int, threads: int = 2
) -> list[dict[str, Any]]:
    """What came of each run, in order."""
    ended = subprocess.run(
        [sys.executable, __file__, source, model, out, *runs],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HOUSEHOLD_ML_BATCH_SESSIONS": str(part_sessions),
            "HOUSEHOLD_ML_THREADS": str(threads),
        },
        stdout=subprocess.PIPE,
        check=True,
        timeout=600,
    )
    return [json.loads(line) for line in ended.stdout.splitlines()]


def finished(folder: Path) -> dict[str, list[int]]:
    """Parts that are there, and what tells one that was made from one that was made again."""
    parts = {}
    for kind in ("rows", "sessions", "range", "systems", "answers"):
        for path in folder.glob(f"{kind}-*[0-9]"):
            about = path.stat()
            parts[path.name] = [about.st_ino, about.st_mtime_ns]
    return parts


def _child(batch: Any, run: str, report: int) -> None:
    """Do one run, and tell the error that it ended with."""
    kind, _, given = run.partition(" ")
    if kind == "file":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(given), int(given)))
    told = ""
    try:
        batch()
    except Exception as error:  # noqa: BLE001, whatever it is, it is told
        told = f"{type(error).__name__}: {error}"
    os.write(report, told.encode()[:4_000])
    os._exit(1 if told else 0)


def _one(batch: Any, run: str, folder: Path) -> dict[str, Any]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        _child(batch, run, write)
    os.close(write)
    kind, _, pattern = run.partition(" ")
    while (
        kind == "kill" and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    ):
        if any(folder.glob(pattern)):
            os.kill(child, signal.SIGKILL)
            break
        time.sleep(0.0005)
    _, status = os.waitpid(child, 0)
    with os.fdopen(read, "rb") as pipe:
        error = pipe.read().decode()
    ended = os.waitstatus_to_exitcode(status)
    return {"run": run, "ended": ended, "error": error, "finished": finished(folder)}


def main() -> None:
    """Do the runs that the command line names."""
    source, model, out = map(Path, sys.argv[1:4])
    from household_ml.scoring import HouseholdScorer
    from household_ml.serving.batch import score_files
    from household_ml.serving.journal import work_folder

    scorer = HouseholdScorer.load(model)

    def batch(target: Path = out) -> None:
        score_files(source, target, scorer=scorer, quiet=True)

    first = out.with_name("warm.parquet")
    batch(first)
    first.unlink()
    for run in sys.argv[4:]:
        sys.stdout.write(json.dumps(_one(batch, run, work_folder(out))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
