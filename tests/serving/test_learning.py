"""Folders of sessions and labels become models and measurements."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from household_ml.errors import FormatError, LabelsError
from household_ml.modeling.model import HouseholdModel
from household_ml.networks import NetworkStatistics
from household_ml.serving.datasets import (
    LEARNT,
    LEARNT_COLUMNS,
    labelled_devices,
    read_labelled,
)
from household_ml.serving.learning import evaluate_model, train_model
from tests.small_world import QUICK


def test_a_simulated_folder_is_known_as_such(world_folder: Path) -> None:
    data = read_labelled(world_folder)
    assert (data.name, data.simulated) == ("fr", True)


def test_csv_does_as_well(world_folder: Path, tmp_path: Path) -> None:
    for name in ("sessions", "labels"):
        frame = pd.read_parquet(world_folder / f"{name}.parquet")
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    data = read_labelled(tmp_path)
    assert (data.name, data.simulated) == (tmp_path.name, False)
    known = labelled_devices(read_labelled(world_folder)).labels
    assert (labelled_devices(data).labels.y == known.y).all()


def test_a_folder_without_labels(world_folder: Path, tmp_path: Path) -> None:
    shutil.copy(world_folder / "sessions.parquet", tmp_path)
    with pytest.raises(LabelsError, match="the data must have labels, got none in"):
        read_labelled(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="must be a folder with sessions and labels"):
        read_labelled(tmp_path / "none")


def test_the_same_data_and_seed_give_the_same_model(
    world_folder: Path, model_folder: Path, tmp_path: Path
) -> None:
    again = train_model([read_labelled(world_folder)], tmp_path, version="7", seed=3, config=QUICK)
    assert again.digest == HouseholdModel.load(model_folder).digest
    for name in ("trees.npz", "networks.parquet", "manifest.json"):
        assert (tmp_path / name).read_bytes() == (model_folder / name).read_bytes()


def test_the_classifier_sees_no_feature_of_the_rules(model_folder: Path) -> None:
    model = HouseholdModel.load(model_folder)
    assert model.feature_names == LEARNT_COLUMNS
    assert not any(feature.group == "rule" for feature in LEARNT)


def test_the_card_compares_with_the_rules(model_folder: Path) -> None:
    model = HouseholdModel.load(model_folder)
    assert model.metrics is not None
    assert "other address than usual" in model.metrics["comparison"]["rows"]
    assert "other address than usual" in model.card


def test_the_snapshot_beside_the_model_knows_the_training_accounts_alone(
    world_folder: Path, model_folder: Path
) -> None:
    snapshot = NetworkStatistics.load(model_folder / "networks.parquet")
    accounts = read_labelled(world_folder).sessions.n_accounts
    assert 0.5 * accounts < snapshot.accounts < 0.7 * accounts


def test_the_model_beats_every_rule_on_accounts_it_has_not_seen(
    model_folder: Path, tmp_path: Path
) -> None:
    from household_ml.simulation import write_world

    write_world(tmp_path, "fr", accounts=150, days=45, seed=99)
    measured = evaluate_model(
        HouseholdModel.load(model_folder), read_labelled(tmp_path), replicates=10
    )
    rows = measured.comparison.rows
    ours = rows["this model"]["pr_auc"].value
    assert ours is not None
    assert ours > max(
        row["pr_auc"].value or 0.0 for name, row in rows.items() if name != "this model"
    )
    assert set(measured.to_dict()) == {"name", "evaluation", "comparison"}
