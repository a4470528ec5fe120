"""Faults, each against a real process of the service."""

from __future__ import annotations

import json
import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from household_ml.serving.api_keys import add_key, revoke_key
from household_ml.serving.http.openapi import EXAMPLE
from tests.serving.http.asking import SCORE, Raw, ask, chunked, post, problems
from tests.serving.http.conftest import wait_until
from tests.serving.http.load import Load
from tests.serving.http.process import Process

GIGABYTE = 1 << 30

#: Long enough for what is honest on a machine that is busy.
ARRIVAL_S = 2.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def service(folder: Path, model_folder: Path) -> Iterator[Process]:
    limits = {"HOUSEHOLD_ML_HTTP_ARRIVAL_S": str(ARRIVAL_S), "HOUSEHOLD_ML_HTTP_WORK_S": "60"}
    with Process(folder, "--model", str(model_folder), "--api-keys", "off", **limits) as found:
        found.ready()
        yield found


@pytest.fixture
def address(service: Process) -> str:
    return service.listening()


def scores(address: str) -> bool:
    return ask.post(f"{address}/v1/score", json=EXAMPLE).status_code == 200


def read_to_the_end(raw: Raw) -> int:
    size = 0
    while part := raw.socket.recv(1 << 20):
        size += len(part)
    return size


def connect_for_ever(address: str) -> None:
    while True:
        Raw(address).close()
        time.sleep(0.02)


def test_a_body_of_a_gigabyte_that_says_so(address: str) -> None:
    with Raw(address) as raw:
        raw.send(post("/v1/score", GIGABYTE, "Expect: 100-continue"))
        assert raw.answer()[0] == 413


def test_a_body_of_a_gigabyte_that_does_not_say_so(service: Process, address: str) -> None:
    before = service.memory_mb()
    head = post("/v1/score", 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    part = chunked(b" " * (1 << 20))
    most = before
    with Raw(address) as raw:
        raw.send(head)
        try:
            for _ in range(GIGABYTE >> 20):
                raw.send(part)
                most = max(most, service.memory_mb())
            raw.send(chunked(b""))
        except ConnectionError:
            pass  # refused long ago, and cut off when it did not stop
        else:
            assert raw.answer()[0] == 413
    assert most - before < 150
    assert scores(address)


def test_slow_callers_are_let_go_and_stop_nobody(address: str) -> None:
    slow = [Raw(address) for _ in range(30)]
    for raw in slow:
        raw.send(post("/v1/score", len(SCORE)))
    began = time.monotonic()
    while time.monotonic() - began < ARRIVAL_S / 2:
        for raw in slow:
            raw.send(b" ")
        assert scores(address)
    assert {raw.answer()[0] for raw in slow} == {408}
    for raw in slow:
        raw.close()


def test_half_open_connections_are_closed(address: str) -> None:
    silent = [Raw(address) for _ in range(50)]
    for raw in silent[25:]:
        raw.send(b"POST /v1/score HTT")
    assert scores(address)
    assert all(raw.answer()[0] == 408 for raw in silent[25:])
    assert all(raw.is_closed() for raw in silent)
    for raw in silent:
        raw.close()


def test_callers_who_vanish_leave_nothing_behind(address: str) -> None:
    for _ in range(20):
        raw = Raw(address)
        raw.send(post("/v1/score", len(SCORE)) + SCORE)
        reset = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        raw.close()
    metrics = ask.get(f"{address}/metrics").text
    wait_until(lambda: "requests_in_progress 0.0" in ask.get(f"{address}/metrics").text)
    assert 'status="500"' not in metrics


@pytest.mark.parametrize("sessions", [10_000])
def test_many_sessions_of_one_account(address: str, sessions: int) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    rows = [
        {
            "device_id": f"device-{index % 40}",
            "started_at": (noon + timedelta(minutes=11 * index)).isoformat(),
            "ip": f"192.0.2.{index % 200}",
        }
        for index in range(sessions)
    ]
    answer = ask.post(f"{address}/v1/score", json={"sessions": rows})
    assert answer.status_code == 200
    found = answer.json()
    assert found["rows"] == {"received": sessions, "accepted": sessions, "rejected": 0}
    assert len(found["devices"]) == 40


def test_more_sessions_than_an_account_may_have(address: str) -> None:
    rows = [EXAMPLE["sessions"][0]] * 20_001
    answer = ask.post(f"{address}/v1/score", json={"sessions": rows})
    (told,) = problems(answer, 422, "schema")
    assert told["pointer"] == "/sessions"


def test_noise_instead_of_http(address: str) -> None:
    noise = random.Random(5)
    lines = [b"POST /v1/score HTTP/1.1\r\n", b"GET / HTTP/9.9\r\n", b"", b"\0\0"]
    for _ in range(150):
        with Raw(address, timeout=0.01) as raw:
            raw.send(noise.choice(lines) + noise.randbytes(noise.randrange(1, 400)) + b"\r\n\r\n")
            try:
                assert raw.answer()[0] < 500
            except (TimeoutError, ConnectionError, IndexError, ValueError):
                continue
    assert scores(address)
    assert 'status="500"' not in ask.get(f"{address}/metrics").text


@pytest.fixture(scope="module")
def keys(folder: Path) -> Path:
    return folder / "keys.json"


@pytest.fixture(scope="module")
def first_key(keys: Path) -> str:
    return add_key(keys, "first")


@pytest.fixture(scope="module")
def closed(folder: Path, model_folder: Path, keys: Path, first_key: str) -> Iterator[Process]:
    """A service that keys open, and that nobody hurries."""
    patient = {f"HOUSEHOLD_ML_HTTP_{name}_S": "300" for name in ("DRAIN", "ARRIVAL", "WORK")}
    options = ("--model", str(model_folder), "--api-keys", str(keys))
    with Process(folder, *options, HOUSEHOLD_ML_HTTP_REFRESH_S="0.1", **patient) as found:
        found.ready()
        yield found


def test_keys_missing_wrong_and_rotated(closed: Process, keys: Path, first_key: str) -> None:
    def status(key: str | None) -> int:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return ask.post(f"{address}/v1/score", json=EXAMPLE, headers=headers).status_code

    address = closed.listening()
    assert (status(None), status("hml_guess"), status(first_key)) == (401, 401, 200)
    second_key = add_key(keys, "second")
    wait_until(lambda: status(second_key) == 200)
    assert status(first_key) == 200
    revoke_key(keys, "first")
    wait_until(lambda: status(first_key) == 401)
    assert status(second_key) == 200
    assert first_key not in closed.log
    assert second_key not in closed.log


def test_a_stop_under_load_loses_no_request(closed: Process, keys: Path) -> None:
    authorization = f"Authorization: Bearer {add_key(keys, 'load')}"
    address = closed.listening()
    name, _, value = authorization.partition(": ")
    wait_until(lambda: ask.get(f"{address}/v1/model", headers={name: value}).status_code == 200)
    with Load(address, headers={name: value}) as load, Raw(address) as slow:
        load.wait_for(20)
        slow.send(post("/v1/score", len(SCORE), authorization) + SCORE[:100])
        closed.popen.send_signal(signal.SIGTERM)
        wait_until(lambda: ask.get(f"{address}/readyz").status_code == 503)
        assert ask.get(f"{address}/readyz").json() == {"status": "stopping"}
        load.wait_for(10)
        load.stop()  # whoever balances the load has seen it, and asks no more
        closed.popen.send_signal(signal.SIGTERM)  # no need to wait for the rest of the time
        with pytest.raises(ConnectionError):
            connect_for_ever(address)
        slow.send(SCORE[100:])  # in flight when the service stopped listening
        status, headers, body = slow.answer()
    assert (status, headers["connection"]) == (200, "close")
    assert json.loads(body)["devices"]
    assert len(load.counts()) == 1, load.counts()
    assert not next(iter(load.counts())).startswith(("error", "4", "5"))
    assert closed.popen.wait(240) == 0


def test_killed_and_started_again_it_answers_the_same(folder: Path, model_folder: Path) -> None:
    options = ("--model", str(model_folder), "--api-keys", "off")
    answers = []
    for _ in range(2):
        with Process(folder, *options, HOUSEHOLD_ML_HTTP_WORK_S="2") as found:
            address = found.ready()
            answers.append(ask.post(f"{address}/v1/score", json=EXAMPLE).json())
            if len(answers) == 1:
                let_go_who_does_not_read(found)
            found.kill()
    assert answers[0] == answers[1]


def let_go_who_does_not_read(service: Process) -> None:
    address, before = service.listening(), service.memory_mb()
    with Raw(address, room=4096) as raw:
        raw.send(b"GET /openapi.json HTTP/1.1\r\nHost: service\r\n\r\n" * 1000)
        unread = 'refused_total{why="unread"} 1.0'
        wait_until(lambda: unread in ask.get(f"{address}/metrics").text)
        with suppress(ConnectionError):
            assert read_to_the_end(raw) < 500 * len(ask.get(f"{address}/openapi.json").content)
    assert service.memory_mb() - before < 100


def test_the_log_tells_nothing_personal(service: Process, address: str) -> None:
    body = {**EXAMPLE, "account_id": "somebody"}
    assert ask.post(f"{address}/v1/score?who=somebody", json=body).status_code == 200
    ask.get(f"{address}/somebody")
    last = ask.post(f"{address}/v1/score", content=b'{"account_id": "somebody", "sessions": 5}')
    wait_until(lambda: last.headers["x-request-id"] in service.log)
    assert "route=/v1/score status=200" in service.log
    for personal in ("somebody", "television", "192.0.2", "198.51.100", "127.0.0.1:"):
        told = service.log.replace(f"listening on {address}", "")
        assert personal not in told
