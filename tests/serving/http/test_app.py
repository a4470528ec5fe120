"""The HTTP API, asked over loopback by a real client of a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from household_ml import errors
from household_ml.errors import Problem
from household_ml.networks import NetworkStatistics
from household_ml.scoring import HouseholdScorer
from household_ml.serving.audit import AuditedScorer, AuditLog, read_answer
from household_ml.serving.explaining import explain_answer
from household_ml.serving.http import create_app
from household_ml.serving.http.answers import try_out
from household_ml.serving.http.model_in_use import ModelInUse
from household_ml.serving.http.model_sources import FixedSource
from household_ml.serving.http.openapi import EXAMPLE, describe
from household_ml.serving.http.problems import STATUSES, status_of
from household_ml.sessions.keys import Keys
from tests.serving.http.asking import problems
from tests.serving.http.conftest import is_ready, running, wait_until


def body_of(sessions: pa.Table) -> list[dict[str, Any]]:
    rows = sessions.drop(["account_id"]).to_pylist()
    return [{**row, "started_at": row["started_at"].isoformat()} for row in rows]


def same_devices(got: list[dict[str, Any]], expected: pa.Table) -> None:
    wanted = {row["device_id"]: row for row in expected.to_pylist()}
    assert [device["device_id"] for device in got] == list(wanted)
    for device in got:
        row = wanted[device["device_id"]]
        for name in ("verdict", "place", "reasons"):
            assert device[name] == row[name]
        assert device["household_probability"] == row["household_probability"]
        assert (device["last_home_at"] is None) == (row["last_home_at"] is None)


def test_one_account_gets_the_scores_that_the_scorer_gives(
    client: httpx.Client,
    scorer: HouseholdScorer,
    statistics: NetworkStatistics,
    sessions: pa.Table,
) -> None:
    account = sessions["account_id"][0]
    alone = sessions.filter(pc.equal(sessions["account_id"], account))
    answer = client.post(
        "/v1/score", json={"account_id": account.as_py(), "sessions": body_of(alone)}
    )
    assert answer.status_code == 200
    found = answer.json()
    assert found["model"] == scorer.model_label
    assert found["account_id"] == account.as_py()
    assert found["rows"] == {"received": len(alone), "accepted": len(alone), "rejected": 0}
    same_devices(found["devices"], scorer.score_table(alone, networks=statistics))


def test_a_batch_gets_the_same(
    client: httpx.Client,
    scorer: HouseholdScorer,
    statistics: NetworkStatistics,
    sessions: pa.Table,
) -> None:
    ids = pc.unique(sessions["account_id"]).to_pylist()[:5]
    parts = {i: sessions.filter(pc.equal(sessions["account_id"], i)) for i in ids}
    accounts = [
        {"account_id": i, "sessions": body_of(part), "extra_members": 9}
        for i, part in parts.items()
    ]
    found = client.post("/v1/score/batch", json={"accounts": accounts}).json()
    expected = scorer.score_table(
        pa.concat_tables(parts.values()),
        networks=statistics,
        accounts=pa.table({"account_id": ids, "extra_members": [9] * 5}),
    )
    assert [account["account_id"] for account in found["accounts"]] == ids
    for account in found["accounts"]:
        own = expected.filter(pc.equal(expected["account_id"], account["account_id"]))
        same_devices(account["devices"], own)


def test_as_of_is_respected(client: httpx.Client) -> None:
    whole = client.post("/v1/score", json={**EXAMPLE, "as_of": "2026-01-04T00:00:00Z"}).json()
    until = [s for s in EXAMPLE["sessions"] if s["started_at"] < "2026-01-04"]
    cut = client.post(
        "/v1/score", json={**EXAMPLE, "sessions": until, "as_of": "2026-01-04T00:00:00Z"}
    ).json()
    assert whole["devices"] == cut["devices"]
    assert whole["as_of"] == "2026-01-04T00:00:00Z"


def test_rejected_rows_are_told(client: httpx.Client) -> None:
    sessions = [*EXAMPLE["sessions"], {**EXAMPLE["sessions"][0], "ip": "not an address"}]
    found = client.post("/v1/score", json={"account_id": "a", "sessions": sessions}).json()
    assert found["rows"]["rejected"] == 1
    assert found["rejected"] == [
        {"account_id": "a", "row": len(sessions) - 1, "reason": "ip_invalid"}
    ]


def test_all_that_is_wrong_is_told_together(client: httpx.Client) -> None:
    wrong = {
        "account_id": 7,
        "extra_members": -1,
        "sessions": [
            {"device_id": "a", "started_at": "soon", "ip": "192.0.2.1"},
            {"device_id": "", "started_at": "2026-01-01T00:00:00Z"},
        ],
    }
    told = problems(client.post("/v1/score", json=wrong), 422, "schema")
    assert {problem["pointer"] for problem in told} == {
        "/account_id",
        "/extra_members",
        "/sessions/0/started_at",
        "/sessions/1/device_id",
        "/sessions/1/ip",
    }
    assert "/account_id must be str, got 7. See /docs." in {
        f"{p['must']}, got {p['got']}. {p['remedy']}" for p in told
    }


def test_numbers_are_not_taken_from_text(client: httpx.Client) -> None:
    wrong = {**EXAMPLE, "extra_members": "1"}
    assert problems(client.post("/v1/score", json=wrong), 422, "schema")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 10_000])
def test_what_is_not_json(client: httpx.Client, body: bytes) -> None:
    problems(client.post("/v1/score", content=body), 400, "format")


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"'])
def test_json_that_is_no_object(client: httpx.Client, body: bytes) -> None:
    problems(client.post("/v1/score", content=body), 422, "schema")


def test_no_session_that_can_be_used(client: httpx.Client) -> None:
    only = [{**EXAMPLE["sessions"][0], "ip": "127.0.0.1"}]
    problems(client.post("/v1/score", json={"sessions": only}), 422, "no_sessions")


def test_an_account_twice_in_a_batch(client: httpx.Client) -> None:
    entry = {"account_id": "a", "sessions": EXAMPLE["sessions"]}
    answer = client.post("/v1/score/batch", json={"accounts": [entry, entry]})
    assert "once in a batch" in problems(answer, 422, "parameter")[0]["must"]


def test_calls_that_there_are_not(client: httpx.Client) -> None:
    problems(client.get("/v2/score"), 404, "input")
    problems(client.get("/v1/score"), 405, "input")


def test_an_error_of_the_service_tells_no_insides(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*given: object, **named: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(HouseholdScorer, "score_account", broken)
    with caplog.at_level("INFO", logger="household_ml.http"):
        answer = client.post("/v1/score", json=EXAMPLE)
    problems(answer, 500, "error")
    assert "secret" not in answer.text + caplog.text
    assert "ZeroDivisionError at" in caplog.text
    assert answer.headers["x-request-id"] in answer.text


def test_probes_and_the_model(client: httpx.Client, scorer: HouseholdScorer) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}
    found = client.get("/v1/model").json()
    assert found["digest"] == scorer.model.digest
    assert found["household_at"] == scorer.model.thresholds.household_at


def test_metrics_count_requests_sessions_and_verdicts(client: httpx.Client) -> None:
    client.post("/v1/score", json=EXAMPLE)
    text = client.get("/metrics").text
    assert 'household_ml_requests_total{route="/v1/score",status="200"}' in text
    assert 'household_ml_sessions_total{outcome="accepted"}' in text
    assert "household_ml_verdicts_total{verdict=" in text
    assert "192.0.2" not in text


def test_the_description_is_served_and_its_example_works(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    assert description == json.loads(json.dumps(describe(secured=False)))
    for path, key in (("/v1/score", "ScoreRequest"), ("/v1/score/batch", "BatchRequest")):
        content = description["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert content["schema"]["$ref"].endswith(key)
        assert client.post(path, json=content["example"]).status_code == 200


def test_every_answer_has_the_fields_that_are_described(client: httpx.Client) -> None:
    schemas = describe()["components"]["schemas"]
    found = client.post("/v1/score", json=EXAMPLE).json()
    assert set(found) == set(schemas["AccountScores"]["properties"])
    assert set(found["devices"][0]) == set(schemas["DeviceScore"]["properties"])
    model = client.get("/v1/model").json()
    assert set(model) == set(schemas["ModelDescription"]["properties"])


def test_the_page_of_the_api_fetches_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert "/v1/score/batch" in page
    assert "http://" not in page
    assert "https://" not in page


def test_logs_hold_nothing_personal(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="household_ml.http"):
        answer = client.post("/v1/score", json={**EXAMPLE, "account_id": "somebody"})
        wait_until(lambda: answer.headers["x-request-id"] in caplog.text)
    assert "route=/v1/score status=200" in caplog.text
    for personal in ("somebody", "television", "192.0.2"):
        assert personal not in caplog.text


def test_probabilities_survive_json(client: httpx.Client) -> None:
    devices = client.post("/v1/score", json=EXAMPLE).json()["devices"]
    probabilities = np.array([device["household_probability"] for device in devices])
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_each_code_is_described_under_the_status_that_it_is_answered_with() -> None:
    problem = Problem("it must be", "not", "Mend it.")
    kinds = [kind for name, kind in vars(errors).items() if name.endswith("Error")]
    status = {kind.code: status_of(kind(problem)) for kind in kinds}
    described: set[str] = set()
    for calls in describe()["paths"].values():
        for call in calls.values():
            for number, answer in call["responses"].items():
                if "application/problem+json" not in answer["content"]:
                    continue
                _, exact = answer["content"]["application/problem+json"]["schema"]["allOf"]
                assert exact["properties"]["status"] == {"const": int(number)}
                codes = exact["properties"]["code"]["enum"]
                assert [status[code] for code in codes] == [int(number)] * len(codes)
                assert all(f"{code}: " in answer["description"] for code in codes)
                described |= set(codes)
    assert {kind.code for kind in STATUSES} - {"input"} <= described


def test_what_is_recorded_is_named_and_can_be_explained(
    scorer: HouseholdScorer, model_folder: Path, tmp_path: Path
) -> None:
    path, keys = tmp_path / "audit.db", Keys.generate()
    with AuditLog(path, keys) as log:
        models = ModelInUse(
            FixedSource(scorer),
            try_out=try_out,
            recording=lambda each: AuditedScorer(each, log, source="http"),
        )
        with running(create_app(models)) as client:
            wait_until(lambda: is_ready(client))
            found = client.post("/v1/score", json=EXAMPLE).json()
            entry = {name: EXAMPLE[name] for name in ("account_id", "sessions")}
            batch = client.post("/v1/score/batch", json={"accounts": [entry]}).json()
    assert found["record"]
    assert batch["accounts"][0]["record"] == found["record"]
    for number, device in enumerate(found["devices"], start=1):
        answer, position = read_answer(path, f"{found['record']}.{number}")
        assert position == number
        explained = explain_answer(answer, model=model_folder, keys=keys)
        assert (explained.equal, explained.intact) == (True, True)
        assert explained.devices[number - 1].probability == device["household_probability"]
        assert list(explained.devices[number - 1].reasons) == device["reasons"]


def test_what_is_recorded_is_answered_as_what_is_not(
    scorer: HouseholdScorer, client: httpx.Client, statistics: NetworkStatistics, tmp_path: Path
) -> None:
    odd = {**EXAMPLE["sessions"][0], "ip": "127.0.0.1"}
    sessions, slots = [odd, *EXAMPLE["sessions"]], {"extra_members": 1, "networks": statistics}
    with AuditLog(tmp_path / "audit.db", Keys.generate()) as log:
        recorded = AuditedScorer(scorer, log).score_account(sessions, account_id="A-1", **slots)
    assert recorded == scorer.score_account(sessions, account_id="A-1", **slots)
    asked = {**EXAMPLE, "sessions": sessions, "extra_members": 1}
    found = client.post("/v1/score", json=asked).json()
    assert [device["household_probability"] for device in found["devices"]] == [
        device.household_probability for device in recorded.devices
    ]
    assert found["rejected"] == [{"account_id": "A-1", "row": 0, "reason": recorded.rejected[0][1]}]


def test_where_nothing_is_recorded_no_record_is_named(client: httpx.Client) -> None:
    assert client.post("/v1/score", json=EXAMPLE).json()["record"] is None
