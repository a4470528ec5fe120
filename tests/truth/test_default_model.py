"""The model that ships is what its manifest says, and its published numbers come out again."""

import json
from pathlib import Path

import pytest

from household_ml.cli.default_model import SAMPLE, measure_sample
from household_ml.features import COLUMN_NAMES
from household_ml.modeling.evaluation import Evaluation
from household_ml.modeling.model import HouseholdModel
from household_ml.resources import resource
from household_ml.scoring import HouseholdScorer
from household_ml.simulation import WORLDS


@pytest.fixture(scope="module")
def folder() -> Path:
    return resource("models/default")


@pytest.fixture(scope="module")
def model(folder: Path) -> HouseholdModel:
    return HouseholdModel.load(folder, catalogue=COLUMN_NAMES)


def test_it_is_used_when_none_is_named(model, monkeypatch):
    monkeypatch.delenv("HOUSEHOLD_ML_MODEL", raising=False)
    assert HouseholdScorer.load().model_label == model.label


def test_its_digest_is_that_of_the_manifest(folder, model):
    assert json.loads((folder / "manifest.json").read_bytes())["digest"] == model.digest


def test_it_is_small(folder):
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_000_000


def test_both_thresholds_are_certified(model):
    assert model.thresholds.outside_at is not None
    assert model.thresholds.household_at is not None
    assert all(bound.upper <= bound.rate for bound in model.thresholds.bounds)


def test_every_kind_of_world_was_left_out_once(model):
    left_out = model.metrics["left_out"]
    assert set(left_out) == set(WORLDS)
    for found in left_out.values():
        areas = {name: row["pr_auc"]["value"] for name, row in found["comparison"].items()}
        model_area = areas.pop("this model")
        assert model_area > max(areas.values())


def test_its_numbers_come_out_again_on_a_small_sample(model):
    published = model.metrics["sample"]
    assert published["lesson"] == SAMPLE.to_dict()
    again = measure_sample(model)["metrics"]
    assert set(again) == set(published["metrics"])
    for name, estimate in published["metrics"].items():
        assert estimate["low"] <= again[name]["value"] <= estimate["high"], name
        assert again[name]["value"] == pytest.approx(estimate["value"], abs=0.01), name


def test_its_card_tells_what_it_must(model, folder):
    card = (folder / "card.md").read_text(encoding="utf-8")
    assert card == model.card
    for told in (
        "## Intended use",
        "## Not to be used alone",
        "**Simulated.**",
        "On kinds of worlds it has not seen",
        "Largest calibration error: ",
        "borrower_vpn_through_home",
        "borrower_same_carrier_nat",
    ):
        assert told in card
    for part in Evaluation.from_dict(model.metrics["evaluation"]).unfair():
        assert f"**{part.kind} {part.value}**" in card
