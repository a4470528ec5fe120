"""score --audit, explain and audit, as they are typed."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from household_ml.cli import main
from household_ml.scoring import HouseholdScorer
from household_ml.serving.batch import read_scores

Told = tuple[int, str, str]


class Typed:
    """A folder with sessions and keys, and commands typed in it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> Told:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        out, err = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err


@pytest.fixture
def typed(
    sessions: pa.Table,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Typed:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOUSEHOLD_ML_MODEL", str(model_folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("AUDIT", "KEYS"):
        monkeypatch.delenv(f"HOUSEHOLD_ML_{name}", raising=False)
    pq.write_table(sessions, "sessions.parquet")
    command = Typed(capsys)
    assert command("keys", "--keys", "keys")[0] == 0
    return command


SCORE = ("score", "--sessions", "sessions.parquet", "--out", "scores.parquet")
AUDITED = (*SCORE, "--audit", "audit.db", "--keys", "keys")


def records(path: str = "audit.db") -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        query = (
            "SELECT id || '.' || device_number FROM records JOIN answers ON answer = number"
            " ORDER BY answer, device_number"
        )
        return [row for (row,) in connection.execute(query)]


def test_every_score_is_recorded_and_given_again(typed: Typed, sessions: pa.Table) -> None:
    code, out, _ = typed(*AUDITED)
    assert code == 0
    assert "recorded in audit.db" in out
    scores = read_scores("scores.parquet")
    ids = records()
    assert len(ids) == scores.num_rows
    account = scores["account_id"][0].as_py()
    code, listed, _ = typed(
        "audit", "list", "--audit", "audit.db", "--keys", "keys", "--account", account
    )
    assert code == 0
    assert listed.startswith(f"{account}: 1 answers")
    own = re.findall(r"([0-9a-f]{32}\.\d+)", listed)
    devices = scores.filter(pc.equal(scores["account_id"], account))
    assert len(own) == devices.num_rows
    for record, device in zip(own, devices.to_pylist(), strict=True):
        code, out, _ = typed("explain", "--record", record, "--audit", "audit.db", "--keys", "keys")
        assert code == 0
        assert f"recorded    {device['household_probability']:.6f} {device['verdict']}" in out
        assert out.splitlines()[-2:] == [
            "seal: whole; the record is what was written",
            "equal: yes; the same probability, verdicts and reasons",
        ]
        assert account not in out


def test_the_environment_names_record_and_keys(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSEHOLD_ML_AUDIT", "audit.db")
    monkeypatch.setenv("HOUSEHOLD_ML_KEYS", "keys")
    assert typed(*SCORE)[0] == 0
    first = records()[0]
    code, out, _ = typed("explain", "--record", first.split(".")[0][:16], "--language", "fr")
    assert code == 0
    assert "seal: whole" in out
    assert re.search(r"  - (L'appareil|Le compte|Trop peu|Les )", out)


def test_as_json_it_is_what_was_recorded(typed: Typed, scorer: HouseholdScorer) -> None:
    assert typed(*AUDITED)[0] == 0
    record = records()[0]
    code, out, _ = typed("explain", "--record", record, "--audit", "audit.db", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["equal"], told["seal_whole"], told["source"]) == (True, None, "batch")
    assert told["model"]["digest"] == scorer.model.digest
    (device,) = told["devices"]
    assert device["record"] == record
    assert device["recorded"] == device["given_again"]
    assert {entry["name"] for entry in device["features"]} == set(scorer.model.explained_names)


def test_a_model_that_is_not_at_hand_is_told(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    assert typed(*AUDITED)[0] == 0
    monkeypatch.delenv("HOUSEHOLD_ML_MODEL")
    code, out, _ = typed("explain", "--record", records()[0], "--audit", "audit.db")
    assert code == 1
    assert "equal: unknown; the model with digest" in out
    assert "recorded    0." in out


def test_an_account_is_erased(typed: Typed) -> None:
    assert typed(*AUDITED)[0] == 0
    before = len(records())
    scores = read_scores("scores.parquet")
    account = scores["account_id"][0].as_py()
    count = scores["account_id"].to_pylist().count(account)
    erase = ("audit", "erase", "--audit", "audit.db", "--keys", "keys", "--account", account)
    assert f"{count} records would be erased" in typed(*erase, "--dry-run")[1]
    assert len(records()) == before
    assert f"{count} records erased from audit.db" in typed(*erase)[1]
    assert len(records()) == before - count
    code, out, _ = typed("audit", "erase", "--audit", "audit.db", "--before", "2100-01-01")
    assert (code, out) == (0, f"{before - count:,} records erased from audit.db\n")
    assert records() == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((*SCORE, "--audit", "audit.db"), "parameter: --keys must name a file of keys"),
        ((*SCORE, "--audit", "none/audit.db", "--keys", "keys"), "audit: none/audit.db must be an"),
        (
            (*SCORE, "--audit", "sessions.parquet", "--keys", "keys"),
            "audit: sessions.parquet must be an audit record that can be read",
        ),
        (
            (*AUDITED, "--engine", "spark"),
            "parameter: no audit record must be asked for with --engine spark",
        ),
        (("explain", "--record", "00000000"), "parameter: --audit must name an audit record"),
        (("explain", "--record", "00000000", "--audit", "a"), "audit: the audit record must be a"),
        (("explain", "--record", "?", "--audit", "a"), "parameter: a record must be named by 8 to"),
        (("audit", "list", "--audit", "a"), "parameter: audit list must be given --account"),
        (("audit", "erase", "--audit", "a"), "parameter: an erasure must say which accounts"),
        (("audit", "list", "--audit", "a", "--account", "x"), "parameter: --keys must name a file"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    typed: Typed, words: tuple[str, ...], told: str
) -> None:
    code, out, err = typed(*words)
    assert (code, out) == (2, "")
    assert err.startswith(f"household-ml: {told}")
    assert err.count("\n") == 1
