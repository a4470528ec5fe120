"""The service as it is run: a process of its own, with signals and an environment."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx

_LISTENING = re.compile(r"listening on (http://\S+)")


class Process:
    """``household-ml serve`` with some options.

    Parameters
    ----------
    folder : Path
        Where its log goes.
    options : str
        What follows ``serve``.
    environment : str
        Variables besides those of the tests.
    """

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        self.log_path = folder / f"{time.monotonic_ns()}.log"
        command = [sys.executable, "-m", "household_ml", "serve", "--port", "0", *options]
        own = {"HOUSEHOLD_ML_HTTP_CACHE": str(folder / "cache"), **environment}
        with self.log_path.open("wb") as log:
            self.popen = subprocess.Popen(
                command, stderr=log, stdout=log, env={**os.environ, **own}
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8")

    def listening(self, seconds: float = 600) -> str:
        """Its address, once it listens."""
        end = time.monotonic() + seconds
        while not (found := _LISTENING.search(self.log)):
            assert self.popen.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.02)
        return found[1]

    def ready(self, seconds: float = 600) -> str:
        """Its address, once it answers."""
        address = self.listening()
        end = time.monotonic() + seconds
        while httpx.get(f"{address}/readyz", timeout=60).status_code != 200:
            assert self.popen.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.05)
        return address

    def terminate(self, seconds: float = 240) -> int:
        """Ask it to stop, and wait for its end."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(seconds)

    def kill(self) -> None:
        """End it at once, as a machine that fails would."""
        self.popen.kill()
        self.popen.wait()

    def memory_mb(self) -> float:
        """Memory that it holds now, in MB."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.poll() is None:
            self.kill()
