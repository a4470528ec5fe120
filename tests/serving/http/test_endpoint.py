"""What every request goes through: keys, limits, time, memory."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from household_ml.config import ServiceConfig
from household_ml.scoring import HouseholdScorer
from household_ml.serving.api_keys import KeyRing, add_key, revoke_key
from household_ml.serving.http import create_app
from household_ml.serving.http.openapi import EXAMPLE
from tests.serving.http.asking import SCORE, Raw, post, problems
from tests.serving.http.conftest import is_ready, running, wait_until

LIMITS = replace(ServiceConfig(), max_body=len(SCORE), max_sessions=18, max_requests=2)


@pytest.fixture(scope="module")
def limited(scorer: HouseholdScorer) -> Iterator[httpx.Client]:
    """A service with limits that are soon met."""
    with running(create_app(scorer, config=LIMITS)) as found:
        wait_until(lambda: is_ready(found))
        yield found


@pytest.fixture(scope="module")
def hurried(scorer: HouseholdScorer) -> Iterator[httpx.Client]:
    """A service that waits for nobody."""
    with running(create_app(scorer, config=replace(LIMITS, arrival_s=0.3))) as found:
        wait_until(lambda: is_ready(found))
        yield found


def test_a_body_of_the_largest_size_is_taken(limited: httpx.Client) -> None:
    answer = limited.post("/v1/score", content=SCORE, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


def test_a_body_that_is_too_large(limited: httpx.Client) -> None:
    told = problems(limited.post("/v1/score", content=SCORE + b" "), 413, "too_large")
    assert told[0]["must"] == f"the body must be at most {len(SCORE)} bytes"


def test_a_body_that_grows_too_large_without_saying_so(limited: httpx.Client) -> None:
    def in_parts() -> Iterator[bytes]:
        yield SCORE
        yield b"  "

    problems(limited.post("/v1/score", content=in_parts()), 413, "too_large")


def test_an_early_refusal_leaves_the_connection_usable(limited: httpx.Client) -> None:
    with Raw(limited.base_url) as raw:
        raw.send(post("/v1/score", len(SCORE) + 5))
        assert raw.answer()[0] == 413
        raw.send(b"x" * (len(SCORE) + 5))
        raw.send(post("/v1/score", len(SCORE)) + SCORE)
        assert raw.answer()[0] == 200


def test_more_sessions_than_a_request_may_have(limited: httpx.Client) -> None:
    session = {"device_id": "tv", "started_at": "2026-01-01T20:00:00Z", "ip": "192.0.2.1"}
    for path, body in (
        ("/v1/score", {"sessions": [session] * 19}),
        (
            "/v1/score/batch",
            {
                "accounts": [
                    {"account_id": "a", "sessions": [session] * 10},
                    {"account_id": "b", "sessions": [session] * 9},
                ]
            },
        ),
    ):
        (told,) = problems(limited.post(path, json=body), 413, "too_large")
        assert "at most 18 sessions" in told["must"]
        assert told["got"] == "19"


def test_a_body_that_does_not_arrive(hurried: httpx.Client) -> None:
    with Raw(hurried.base_url) as raw:
        raw.send(post("/v1/score", len(SCORE)) + SCORE[:10])
        status, headers, body = raw.answer()
        assert (status, headers["connection"]) == (408, "close")
        assert b"slow_request" in body
        assert raw.is_closed()


def test_headers_that_do_not_arrive(hurried: httpx.Client) -> None:
    with Raw(hurried.base_url) as raw:
        raw.send(b"POST /v1/score HTTP/1.1\r\nHost:")
        status, headers, body = raw.answer()
        assert (status, headers["content-type"]) == (408, "application/problem+json")
        assert b"slow_request" in body
        assert raw.is_closed()


def test_headers_without_end(limited: httpx.Client) -> None:
    with Raw(limited.base_url) as raw:
        raw.send(b"GET /healthz HTTP/1.1\r\n" + b"X-A: " + b"a" * 70_000)
        assert raw.answer()[0] == 431
        assert raw.is_closed()


def test_a_connection_on_which_nothing_is_asked_is_closed(hurried: httpx.Client) -> None:
    with Raw(hurried.base_url) as raw:
        assert raw.is_closed()


def test_what_is_not_http(limited: httpx.Client) -> None:
    with Raw(limited.base_url) as raw:
        raw.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        status, headers, _ = raw.answer()
        assert (status, headers["content-type"]) == (400, "application/problem+json")


def test_more_requests_than_may_be_in_progress(limited: httpx.Client) -> None:
    with Raw(limited.base_url) as first, Raw(limited.base_url) as second:
        for raw in (first, second):
            raw.send(post("/v1/score", len(SCORE)) + SCORE[:10])
        wait_until(lambda: "requests_in_progress 2.0" in limited.get("/metrics").text)
        answer = limited.post("/v1/score", json=EXAMPLE)
        problems(answer, 503, "busy")
        assert answer.headers["retry-after"] == "1"
        first.send(SCORE[10:])
        assert first.answer()[0] == 200
    wait_until(lambda: "requests_in_progress 0.0" in limited.get("/metrics").text)


def test_callers_that_leave_give_their_places_back(limited: httpx.Client) -> None:
    for _ in range(5):
        with Raw(limited.base_url) as raw:
            raw.send(post("/v1/score", len(SCORE)) + SCORE[:10])
    wait_until(lambda: "requests_in_progress 0.0" in limited.get("/metrics").text)


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "text/plain"}, {"Content-Type": "application/xml; charset=utf-8"}],
)
def test_types_that_are_not_taken(limited: httpx.Client, headers: dict[str, str]) -> None:
    answer = limited.post("/v1/score", content=b"{}", headers=headers)
    told = problems(answer, 415, "media_type")
    assert told[0]["must"] == "Content-Type must be application/json"


def test_compressed_bodies_are_not_taken(limited: httpx.Client) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = limited.post("/v1/score", content=gzip.compress(SCORE), headers=headers)
    problems(answer, 415, "media_type")


def test_each_request_has_a_name_of_its_own(limited: httpx.Client) -> None:
    names = {limited.get("/healthz").headers["x-request-id"] for _ in range(5)}
    names.add(limited.post("/v1/score", json=[]).headers["x-request-id"])
    assert len(names) == 6


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_keys_open_what_is_not_a_probe(scorer: HouseholdScorer, key_file: Path) -> None:
    key = add_key(key_file, "caller")
    with running(create_app(scorer, keys=KeyRing(key_file))) as client:
        wait_until(lambda: is_ready(client))
        for method, path in (
            ("POST", "/v1/score"),
            ("POST", "/v1/score/batch"),
            ("GET", "/v1/model"),
            ("GET", "/metrics"),
        ):
            for headers in ({}, {"Authorization": f"Bearer {key}x"}, {"Authorization": key}):
                answer = client.request(method, path, headers=headers)
                problems(answer, 401, "unauthorized")
                assert answer.headers["www-authenticate"] == "Bearer"
                assert key not in answer.text
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
            assert client.get(path).status_code == 200

        client.headers["Authorization"] = f"Bearer {key}"
        assert client.post("/v1/score", json=EXAMPLE).status_code == 200
        assert 'household_ml_calls_total{key="caller"}' in client.get("/metrics").text


def test_keys_rotate_while_the_service_runs(scorer: HouseholdScorer, key_file: Path) -> None:
    old = add_key(key_file, "old")
    config = replace(ServiceConfig(), refresh_s=0.05)

    def opens(key: str) -> bool:
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {key}"})
        return answer.status_code == 200

    with running(create_app(scorer, keys=KeyRing(key_file), config=config)) as client:
        new = add_key(key_file, "new")
        wait_until(lambda: opens(new))
        assert opens(old)
        revoke_key(key_file, "old")
        wait_until(lambda: not opens(old))
        assert opens(new)
        client.headers["Authorization"] = f"Bearer {new}"
        key_file.write_text("not a file of keys")
        failed = 'household_ml_refresh_failures_total{what="API keys"}'
        wait_until(lambda: failed in client.get("/metrics").text)
        assert opens(new)
