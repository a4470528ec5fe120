"""A measured model between the references of its world, from folders to the report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from household_ml.cli import main
from household_ml.errors import LabelsError, ParameterError
from household_ml.modeling.distance import INSIDE, LINE, MODEL, ORACLE, ORACLE_HOME, PLAIN, STARTED
from household_ml.scoring import HouseholdScorer
from household_ml.serving.datasets import read_labelled, world_folders
from household_ml.serving.learning import Measured, evaluate_model
from household_ml.serving.references import (
    REFERENCES,
    Referenced,
    compare_with_references,
    homes_of,
    table_of_worlds,
)
from household_ml.simulation import write_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds") / "known"
    write_world(folder, "fr", accounts=110, days=30, seed=21, truth=True)
    return folder


@pytest.fixture(scope="module")
def measured(scorer: HouseholdScorer, world: Path) -> Measured:
    return evaluate_model(scorer.model, read_labelled(world), replicates=5)


@pytest.fixture(scope="module")
def found(measured: Measured, world: Path) -> Referenced:
    told: list[str] = []
    placed = compare_with_references(
        measured, read_labelled(world), replicates=20, progress=told.append
    )
    assert len(told) == REFERENCES
    return placed


def test_every_score_is_there_and_the_model_is_the_one_that_was_measured(
    found: Referenced, measured: Measured
) -> None:
    recall = found.distance.recall
    assert list(recall) == [PLAIN, MODEL, INSIDE, STARTED, LINE, ORACLE, ORACLE_HOME]
    ours = measured.evaluation.metrics["recall_at_0.01"].value
    assert recall[MODEL]["recall_at_0.01"].value == ours
    assert found.distance.counts["devices"] == measured.evaluation.counts["devices"]
    assert found.distance.counts["ambiguous"] == measured.evaluation.counts["ambiguous"]


def test_homes_are_those_of_the_world_alone(found: Referenced, world: Path) -> None:
    assert found.homes is not None
    assert found.homes.right.value is not None
    assert found.homes.right.value > 0.8
    assert homes_of(read_labelled(world)).right.value == found.homes.right.value


def test_it_is_plain_json_and_text(found: Referenced) -> None:
    json.dumps(found.to_dict(), allow_nan=False)
    assert "share of the way" in found.to_text()
    assert "inferred home is right in" in found.to_text()
    rows = table_of_worlds([found, found]).splitlines()
    assert len(rows) == 5
    assert rows[-2].startswith("mean of 2 worlds")
    assert rows[-1].startswith("of the way between the mean recalls: ")


def test_a_truth_by_name_is_the_same_as_row_by_row(world: Path, tmp_path: Path) -> None:
    for name in ("sessions", "labels"):
        shutil.copy(world / f"{name}.parquet", tmp_path)
    sessions = pd.read_parquet(world / "sessions.parquet")
    keys = sessions[["account_id", "device_id", "started_at"]]
    truth = pd.concat([keys, pd.read_parquet(world / "truth.parquet")], axis=1)
    truth.sample(frac=1.0, random_state=1).to_csv(tmp_path / "truth.csv", index=False)
    data = read_labelled(tmp_path)
    assert data.simulated, "of real people nobody has a truth"
    assert homes_of(data).right == homes_of(read_labelled(world)).right


def test_a_truth_that_does_not_match_is_refused(world: Path, tmp_path: Path) -> None:
    for name in ("sessions", "labels"):
        shutil.copy(world / f"{name}.parquet", tmp_path)
    truth = pd.read_parquet(world / "truth.parquet")
    truth[:-1].to_parquet(tmp_path / "truth.parquet")
    with pytest.raises(LabelsError, match="must name its sessions, or have one row per row"):
        read_labelled(tmp_path)


def test_without_a_truth_there_is_no_reference(
    measured: Measured, world: Path, tmp_path: Path
) -> None:
    for name in ("sessions", "labels"):
        shutil.copy(world / f"{name}.parquet", tmp_path)
    data = read_labelled(tmp_path)
    assert data.truth is None
    with pytest.raises(ParameterError, match=r"must have its truth, .* simulate --truth"):
        compare_with_references(measured, data)


def test_a_folder_of_worlds_is_its_worlds(world: Path, tmp_path: Path) -> None:
    assert world_folders(world) == [world]
    assert world_folders(world.parent) == [world]
    assert world_folders(tmp_path) == [tmp_path]


def test_evaluate_tells_the_way_with_and_without_a_truth(
    world: Path, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = tmp_path / "both"
    shutil.copytree(world, both / "first")
    shutil.copytree(world, both / "second")
    (both / "second" / "truth.parquet").unlink()
    page, metrics = tmp_path / "report.html", tmp_path / "metrics.json"
    with pytest.raises(SystemExit) as ended:
        main(
            f"evaluate --data {both} --data {world} --model {model_folder} "
            f"--out {page} --json {metrics}".split()
        )
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert told.count("share of the way") == 4
    assert "need the true place of every session: fr has no table truth" in told
    assert "mean of 2 worlds" in told
    read = json.loads(metrics.read_text(encoding="utf-8"))
    known = [world["references"] for world in read["worlds"]]
    assert [each is None for each in known] == [False, True, False]
    assert known[0] == known[2]
    assert read["references_mean"]["covered"][MODEL].keys() == {
        "covered_at_0.01",
        "covered_at_0.001",
    }
    html = page.read_text(encoding="utf-8")
    assert html.count("<h3>Between two references</h3>") == 2
    assert "From the plain model to the oracle, by world" in html
