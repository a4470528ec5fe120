"""Two clients that put a service under load: wrk (C, as fast as can be), and one in Python.

wrk measures the top rate. The one in Python keeps to a rate, which wrk cannot, and stands in where
there is no wrk; it takes about as much of a core as the service, so its top rate is its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CONNECTIONS = 8

_SCRIPT = """
local requests, following = {}, 0
function init(arguments)
  for line in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, nil, line)
  end
end
function request()
  following = following % #requests + 1
  return requests[following]
end
"""


@dataclass
class Load:
    """What came of some seconds of load."""

    client: str
    requests: int = 0
    wrong: int = 0
    seconds: float = 0.0
    client_cpu: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0

    @property
    def rate(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def client_share(self) -> float:
        """Share of one core that the client took; near 1, it was the client that was measured."""
        return self.client_cpu / self.seconds if self.seconds else 0.0


@dataclass
class Target:
    """A service to ask."""

    port: int
    path: str
    bodies: Sequence[str]
    headers: dict[str, str] = field(default_factory=dict)


def have_wrk() -> bool:
    return shutil.which("wrk") is not None


def put_under_load(target: Target, seconds: float, core: int | None) -> Load:
    """Ask as fast as it answers, over eight connections."""
    if have_wrk():
        return _wrk(target, seconds, core)
    before = os.sched_getaffinity(0) if core is not None else set()
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        return asyncio.run(ask(target, seconds))
    finally:
        if before:
            os.sched_setaffinity(0, before)


def _wrk(target: Target, seconds: float, core: int | None) -> Load:
    with tempfile.TemporaryDirectory() as scratch:
        bodies, script = Path(scratch) / "bodies", Path(scratch) / "bodies.lua"
        bodies.write_text("\n".join(target.bodies) + "\n", encoding="utf-8")
        script.write_text(_SCRIPT, encoding="utf-8")
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency"]
        command += ["--timeout", "30s", "-s", str(script)]
        for name, value in {"Content-Type": "application/json", **target.headers}.items():
            command += ["-H", f"{name}: {value}"]
        command += [f"http://127.0.0.1:{target.port}{target.path}", "--", str(bodies)]
        pinned = ["taskset", "-c", str(core)] if core is not None else []
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([*pinned, *command], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = done.stdout
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    requests, took = re.findall(r"(\d+) requests in ([\d.]+\w+)", told)[0]
    wrong = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", told)))
    for socket_errors in re.findall(r"Socket errors: (.*)", told):
        wrong += sum(map(int, re.findall(r"\d+", socket_errors)))
    quantile = dict(re.findall(r"^\s+(\d+)%\s+([\d.]+\w+)", told, re.MULTILINE))
    return Load(
        "wrk",
        int(requests),
        wrong,
        _seconds(took),
        cpu,
        _seconds(quantile["50"]) * 1e3,
        _seconds(quantile["99"]) * 1e3,
    )


def _seconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[unit]


class _Caller(asyncio.Protocol):
    """One connection that sends a request and waits for the whole answer."""

    def __init__(self) -> None:
        self.waiting: asyncio.Future[int] | None = None
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def ask(self, request: bytes) -> asyncio.Future[int]:
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)  # type: ignore[attr-defined]
        return self.waiting

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) >= length and self.waiting is not None and not self.waiting.done():
            self._got = body[length:]
            self.waiting.set_result(int(head.split(b" ", 2)[1]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(0)


def _request(target: Target, body: str) -> bytes:
    lines = [
        f"POST {target.path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body.encode())}",
        *(f"{name}: {value}" for name, value in target.headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


async def ask(
    target: Target,
    seconds: float,
    rate: float | None = None,
    on_answer: Callable[[float, int], object] | None = None,
) -> Load:
    """Ask over eight connections, as fast as answers come, or at a rate.

    Parameters
    ----------
    target : Target
        Whom.
    seconds : float
        For how long.
    rate : float or None, default=None
        Requests a second; what is late for it counts from when it was due.
    on_answer : callable or None, default=None
        Called with the time of each answer in seconds, and its status (0: the connection broke).

    Returns
    -------
    Load
    """
    requests = [_request(target, body) for body in target.bodies]
    load = Load("Python")
    took: list[float] = []
    began = time.perf_counter()
    cpu = time.process_time()
    turn = 0

    async def caller() -> None:
        nonlocal turn
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(_Caller, "127.0.0.1", target.port)
        while True:
            mine, turn = turn, turn + 1
            due = began + mine / rate if rate else time.perf_counter()
            if due - began >= seconds:
                break
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
                due = time.perf_counter()
            status = await protocol.ask(requests[mine % len(requests)])
            spent = time.perf_counter() - due
            if status != 200:
                load.wrong += 1
            if status == 0:
                _, protocol = await loop.create_connection(_Caller, "127.0.0.1", target.port)
            load.requests += 1
            if on_answer is None:
                took.append(spent)
            else:
                on_answer(spent, status)
        protocol.transport.close()

    await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
    load.seconds = time.perf_counter() - began
    load.client_cpu = time.process_time() - cpu
    if took:
        took.sort()
        load.p50_ms, load.p99_ms = (took[int(len(took) * share)] * 1e3 for share in (0.5, 0.99))
    return load


def bodies_of(accounts: int, seed: int, sessions: int = 60) -> list[str]:
    """Bodies of one account each, with so many sessions of five devices: about 5 KB for 60."""
    import numpy as np

    rng = np.random.default_rng(seed)
    found = []
    for account in range(accounts):
        start = np.datetime64("2026-08-01T00:00:00") + np.sort(
            rng.integers(0, 60 * 86_400, sessions)
        )
        home, other, *cells = (".".join(map(str, rng.integers(1, 223, 4))) for _ in range(8))
        devices = rng.choice(5, sessions, p=[0.35, 0.25, 0.2, 0.12, 0.08])
        rows = []
        for at, device in zip(start.tolist(), devices.tolist(), strict=True):
            network = other if device == 4 else home
            if device in (1, 2) and rng.random() < 0.25:
                network = cells[int(rng.integers(len(cells)))]
            rows.append(
                {
                    "device_id": f"d{device}",
                    "started_at": f"{at.isoformat()}Z",
                    "duration_s": int(rng.integers(60, 7_200)),
                    "ip": network,
                }
            )
        body = {"account_id": f"account-{account}", "sessions": rows}
        found.append(json.dumps(body, separators=(",", ":")))
    return found
