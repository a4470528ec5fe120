"""Streams: a line in, a line out, in order, while the next lines arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from household_ml.config import ServiceConfig
from household_ml.scoring import HouseholdScorer
from household_ml.serving.http import create_app
from household_ml.serving.http.openapi import EXAMPLE
from tests.serving.http.asking import SCORE, Raw, chunked, problems
from tests.serving.http.conftest import is_ready, running, wait_until

STREAM = {"Content-Type": "application/x-ndjson"}


def lines_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.content.splitlines()]


def test_each_line_is_answered_as_one_account_is(client: httpx.Client) -> None:
    accounts = [{**EXAMPLE, "account_id": f"A-{number}"} for number in range(150)]
    body = "\n".join(map(json.dumps, accounts))
    found = lines_of(client.post("/v1/score/batch", content=body, headers=STREAM))

    assert [each["line"] for each in found] == list(range(1, 151))
    assert [each["scores"]["account_id"] for each in found] == [a["account_id"] for a in accounts]
    alone = client.post("/v1/score", json=accounts[149]).json()
    assert found[149]["scores"] == alone


def test_a_line_that_is_wrong_spoils_no_other(client: httpx.Client) -> None:
    nobody = json.dumps({"sessions": [{**EXAMPLE["sessions"][0], "ip": "127.0.0.1"}]}).encode()
    body = b"\n".join([SCORE, b"", b"{", b"[]", nobody, b"   ", SCORE, b""])
    found = lines_of(client.post("/v1/score/batch", content=body, headers=STREAM))

    assert [each["line"] for each in found] == [1, 3, 4, 5, 7]
    codes = [each["problem"]["code"] if "problem" in each else None for each in found]
    assert codes == [None, "format", "schema", "no_sessions", None]
    assert found[0]["scores"] == found[4]["scores"]


HEAD = b"""POST /v1/score/batch HTTP/1.1\r
Host: service\r
Content-Type: application/x-ndjson\r
Transfer-Encoding: chunked\r
\r
"""


def test_answers_come_while_the_next_lines_are_not_sent_yet(client: httpx.Client) -> None:
    with Raw(client.base_url) as raw:
        raw.send(HEAD + chunked(SCORE + b"\n"))
        assert raw.head()[0] == 200
        assert json.loads(raw.chunk())["line"] == 1
        raw.send(chunked(SCORE[:50]))
        raw.send(chunked(SCORE[50:]))
        raw.send(chunked(b""))
        assert json.loads(raw.chunk())["line"] == 2
        assert raw.chunk() == b""


def test_nothing_in_nothing_out(client: httpx.Client) -> None:
    assert lines_of(client.post("/v1/score/batch", content=b"", headers=STREAM)) == []


@pytest.fixture(scope="module")
def limited(scorer: HouseholdScorer) -> Iterator[httpx.Client]:
    config = replace(ServiceConfig(), max_body=200_000)
    with running(create_app(scorer, config=config)) as found:
        wait_until(lambda: is_ready(found))
        yield found


def test_a_stream_may_be_longer_than_a_body(limited: httpx.Client) -> None:
    body = (SCORE + b"\n") * (300_000 // len(SCORE))
    found = lines_of(limited.post("/v1/score/batch", content=body, headers=STREAM))
    assert len(found) == 300_000 // len(SCORE)
    assert all("scores" in each for each in found)


def test_a_line_may_not(limited: httpx.Client) -> None:
    body = b" " * 300_000
    answer = limited.post("/v1/score/batch", content=body, headers=STREAM)
    problems(answer, 413, "too_large")

    *found, last = lines_of(
        limited.post("/v1/score/batch", content=SCORE + b"\n" + body, headers=STREAM)
    )
    assert last["problem"]["code"] == "too_large"
    assert "line" not in last
    assert len(found) <= 1


def test_a_stream_that_falls_silent_is_ended(scorer: HouseholdScorer) -> None:
    config = replace(ServiceConfig(), arrival_s=0.4)
    with running(create_app(scorer, config=config)) as hurried:
        wait_until(lambda: is_ready(hurried))
        with Raw(hurried.base_url) as raw:
            raw.send(HEAD + chunked(SCORE + b"\n"))
            assert raw.head()[0] == 200
            assert json.loads(raw.chunk())["line"] == 1
            assert json.loads(raw.chunk())["problem"]["code"] == "slow_request"
            assert raw.chunk() == b""
            assert raw.is_closed()
