"""Real servers of other programs, on free ports of loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]

#: Starting may take long on a machine that is busy.
PATIENCE = 900.0

MLFLOW = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[object],
    port: int,
    alive: str,
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """A server, from when it answers at a path until the end; yields its address."""
    address = f"http://127.0.0.1:{port}"
    log = folder / f"server-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                **MLFLOW,
                "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                **(environment or {}),
            },
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(address + alive):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield address
    finally:
        end_all(process)


def end_all(leader: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started, which are a session of their own."""
    os.killpg(leader.pid, signal.SIGTERM)
    try:
        leader.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(leader.pid, signal.SIGKILL)
        leader.wait()


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """`mlflow server` with a store and artifacts of its own."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port),
        *("--backend-store-uri", f"sqlite:///{folder / 'server.db'}", "--workers", 1),
        *("--artifacts-destination", folder / "artifacts"),
    ]
    with running(command, port, "/health", folder) as address:
        yield address


@contextmanager
def mlflow_models_serve(uri: str, store: str, folder: Path) -> Iterator[str]:
    """`mlflow models serve` of a registered model, in this environment."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", uri),
        *("--host", "127.0.0.1", "--port", port, "--env-manager", "local", "--workers", 1),
    ]
    given = {"MLFLOW_TRACKING_URI": store, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    with running(command, port, "/ping", folder, environment=given) as address:
        yield address


@contextmanager
def household_ml_serve(folder: Path, *options: object) -> Iterator[str]:
    """`household-ml serve`, without API keys."""
    port = free_port()
    command = [sys.executable, "-m", "household_ml", "serve", "--port", port, *options]
    given = {"HOUSEHOLD_ML_HTTP_KEYS": "off"}
    with running(command, port, "/readyz", folder, environment=given) as address:
        yield address


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
