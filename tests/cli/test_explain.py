"""`explain` of sessions: the answers of `score`, why, and what would change them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from household_ml.cli import household_ml
from household_ml.errors import ParameterError
from household_ml.scoring import HouseholdScorer
from household_ml.scoring.reasons import sentence


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(household_ml, ["explain", *arguments])


@pytest.fixture(scope="module")
def paths(world_folder: Path, model_folder: Path) -> list[str]:
    return ["--sessions", str(world_folder / "sessions.parquet"), "--model", str(model_folder)]


@pytest.fixture(scope="module")
def doubted(scorer: HouseholdScorer, world_folder: Path) -> str:
    """An account with a device outside."""
    scores = scorer.score(world_folder / "sessions.parquet")
    return str(scores.loc[scores["verdict"] == "outside", "account_id"].iloc[0])


def test_the_answers_are_those_of_score(
    paths: list[str], doubted: str, scorer: HouseholdScorer, world_folder: Path
) -> None:
    told = json.loads(explain(*paths, "--account", doubted, "--json").stdout)
    scores = scorer.score(world_folder / "sessions.parquet").set_index("account_id").loc[[doubted]]
    assert told["account_id"] == doubted
    assert [device["device_id"] for device in told["devices"]] == scores["device_id"].tolist()
    for device, verdict, probability, reasons in zip(
        told["devices"],
        scores["verdict"],
        scores["household_probability"],
        scores["reasons"],
        strict=True,
    ):
        assert device["verdict"] == verdict
        assert device["household_probability"] == pytest.approx(probability, abs=1e-9)
        assert device["reasons"] == list(reasons)


def test_reasons_and_changes_are_told_as_sentences(paths: list[str], doubted: str) -> None:
    plain = json.loads(explain(*paths, "--account", doubted, "--json").stdout)
    changes: list[dict[str, Any]] = [
        change for device in plain["devices"] for change in device["counterfactuals"]
    ]
    assert "extra_member" in {change["verdict"] for change in changes}
    for language in ("en", "fr"):
        told = explain(*paths, "--account", doubted, "--language", language).stdout
        for device in plain["devices"]:
            assert f"{device['device_id']}: {device['verdict']}, " in told
            assert all(sentence(code, language) in told for code in device["reasons"])
        assert told.count("  > ") == len(changes)
    assert all(
        change["sentence"] in explain(*paths, "--account", doubted).stdout for change in changes
    )


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ([], "one of them, got neither"),
        (["--record", "9f", "--sessions", "x"], "one of them, got both"),
    ],
)
def test_a_record_or_sessions(arguments: list[str], match: str) -> None:
    found = explain(*arguments)
    assert isinstance(found.exception, ParameterError)
    assert match in str(found.exception)


@pytest.mark.parametrize(
    ("arguments", "match"), [([], "must name one account"), (["--account", "nobody"], "'nobody'")]
)
def test_the_account_must_be_one_of_the_sessions(
    paths: list[str], arguments: list[str], match: str
) -> None:
    found = explain(*paths, *arguments)
    assert isinstance(found.exception, ParameterError)
    assert match in str(found.exception)
