"""Requests made from the OpenAPI description, right and wrong ones: what is documented holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from household_ml.scoring import HouseholdScorer
from household_ml.serving.http import create_app
from tests.serving.http.conftest import is_ready, running, wait_until
from tests.serving.http.process import Process

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

STREAM = "application/x-ndjson"

CALLS = [
    ("/v1/score", "POST", "application/json"),
    ("/v1/score/batch", "POST", "application/json"),
    ("/v1/score/batch", "POST", STREAM),
    ("/v1/model", "GET", None),
    ("/metrics", "GET", None),
    ("/healthz", "GET", None),
    ("/readyz", "GET", None),
]


@schemathesis.serializer(STREAM)
def as_it_is(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def service(scorer: HouseholdScorer) -> Iterator[httpx.Client]:
    with running(create_app(scorer)) as found:
        wait_until(lambda: is_ready(found))
        yield found


def only_made(cases: int) -> settings:
    """So many cases, the same each time, none remembered and none made smaller."""
    return settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def fuzz(
    service: httpx.Client,
    path: str,
    method: str,
    kind: str | None,
    mode: GenerationMode,
    cases: int,
) -> Counter[int]:
    """Send so many cases of one call, check every answer, and count the statuses."""
    schema = schemathesis.openapi.from_url(str(service.base_url.join("/openapi.json")))
    operation = schema[path][method]
    strategy = operation.as_strategy(generation_mode=mode, media_type=kind)
    statuses: Counter[int] = Counter()

    @only_made(cases)
    @given(case=strategy)
    def send(case: schemathesis.Case) -> None:
        # A stream is answered with 200 whatever its lines say: each is told what is wrong with it.
        refused = [] if case.media_type == STREAM else [negative_data_rejection]
        answer = case.call_and_validate(base_url=str(service.base_url), checks=[*CHECKS, *refused])
        statuses[answer.status_code] += 1

    send()
    return statuses


@pytest.mark.parametrize(("path", "method", "kind"), CALLS)
def test_right_requests(service: httpx.Client, path: str, method: str, kind: str | None) -> None:
    found = fuzz(service, path, method, kind, GenerationMode.POSITIVE, 25 if kind else 2)
    assert 500 not in found
    assert 200 in found or 422 in found


@pytest.mark.parametrize(("path", "method", "kind"), [call for call in CALLS if call[2]])
def test_wrong_requests(service: httpx.Client, path: str, method: str, kind: str) -> None:
    found = fuzz(service, path, method, kind, GenerationMode.NEGATIVE, 25)
    assert 500 not in found


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_a_line_of_a_stream_is_answered_as_a_request_is(
    service: httpx.Client, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_url(str(service.base_url.join("/openapi.json")))
    strategy = schema["/v1/score"]["POST"].as_strategy(generation_mode=mode)
    bodies: list[bytes] = []

    @only_made(30)
    @given(case=strategy)
    def collect(case: schemathesis.Case) -> None:
        bodies.append(json.dumps(case.body, default=str).encode())

    collect()
    json_type, stream_type = ({"Content-Type": kind} for kind in ("application/json", STREAM))
    lines = service.post("/v1/score/batch", content=b"\n".join(bodies), headers=stream_type)
    assert lines.status_code == 200
    found = [json.loads(line) for line in lines.content.splitlines()]
    assert len(found) == len(bodies)
    for body, line in zip(bodies, found, strict=True):
        alone = service.post("/v1/score", content=body, headers=json_type)
        assert alone.json() == (line["scores"] if alone.status_code == 200 else line["problem"])


@pytest.fixture(scope="module")
def process(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The service as it is run, which must live through all of it without an error of its own."""
    folder = tmp_path_factory.mktemp("fuzz")
    with Process(folder, "--model", str(model_folder), "--api-keys", "off") as found:
        with httpx.Client(base_url=found.ready()) as client:
            yield client
        assert found.popen.poll() is None
        assert "failed: " not in found.log
        assert found.terminate() == 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("path", "method", "kind"), [call for call in CALLS if call[2]])
def test_a_thousand_requests_of_each_sort(
    process: httpx.Client, path: str, method: str, kind: str, mode: GenerationMode
) -> None:
    found = fuzz(process, path, method, kind, mode, 1000)
    assert found.total() >= 900
    assert 500 not in found
