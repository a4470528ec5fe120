"""The model that ships is made from seeds alone, and says how it was measured."""

import json

import pytest

from household_ml.cli import default_model
from household_ml.cli.curriculum import (
    Lesson,
    Roughness,
    labelled_lesson,
    plan_fresh,
    plan_lessons,
)
from household_ml.cli.default_model import SAMPLE, train_from_seeds
from household_ml.modeling import references
from household_ml.modeling.classifier import ClassifierConfig
from household_ml.modeling.distance import MODEL, ORACLE, PLAIN
from household_ml.modeling.model import HouseholdModel
from household_ml.modeling.thresholds import ThresholdConfig
from household_ml.modeling.training import TrainingConfig
from household_ml.modeling.truth import align_truth
from household_ml.scoring import HouseholdScorer
from household_ml.serving import ablation
from household_ml.serving.datasets import LEARNT
from household_ml.simulation import WORLDS, simulate

LESSONS = (
    Lesson("fr", "fr", 90, 30, 1),
    Lesson("us", "us~5", 90, 40, 2, Roughness(lost_columns=("profile_id",), idle_days=3.0)),
    Lesson("us", "us", 90, 30, 3, hand="third"),
)
#: Kinds of these, and what the other authors make of them.
SETTINGS = {
    f"{kind}{hand}" for kind in ("fr", "us") for hand in ("", ", second hand", ", third hand")
}
QUICK = TrainingConfig(
    classifier=ClassifierConfig(trees=20, leaves=8, learning_rate=0.2),
    thresholds=ThresholdConfig(account_rate=0.2, device_rate=0.1, household_error=0.2),
    replicates=10,
)


@pytest.fixture(scope="module")
def small_sample():
    """A sample of fewer accounts, fewer trees and two families, so that the tests are quick."""
    patch = pytest.MonkeyPatch()
    patch.setattr(references, "LEARNER", ClassifierConfig(trees=20, leaves=8, learning_rate=0.2))
    patch.setattr(ablation, "FAMILIES", dict(list(ablation.FAMILIES.items())[:2]))
    patch.setattr(default_model, "SAMPLE", Lesson("fr", "fr~8", 60, 30, 8))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def model(small_sample):
    return train_from_seeds(
        LESSONS, seed=3, config=QUICK, leave_one_out=True, fresh_accounts=70, ablation_folds=2
    )


def test_the_same_seeds_give_the_same_digest_and_the_same_numbers(model):
    again = train_from_seeds(LESSONS, seed=3, config=QUICK, fresh_accounts=70)
    assert again.digest == model.digest
    more = {"left_out", "authors", "references", "situations", "ablation"}
    assert again.metrics == {key: model.metrics[key] for key in model.metrics if key not in more}
    other = train_from_seeds(LESSONS[:2], seed=3, config=QUICK, fresh_accounts=70)
    assert other.digest != model.digest


@pytest.mark.slow
def test_processes_change_nothing(model):
    again = train_from_seeds(
        LESSONS,
        seed=3,
        config=QUICK,
        leave_one_out=True,
        fresh_accounts=70,
        ablation_folds=2,
        jobs=2,
    )
    assert again.digest == model.digest
    assert again.metrics.keys() == model.metrics.keys()
    for key in model.metrics.keys() - {"references"}:  # of larger trees in other processes
        assert again.metrics[key] == model.metrics[key], key


def test_the_manifest_tells_the_seeds_and_the_versions(model):
    recipe = model.manifest["recipe"]
    assert recipe["seed"] == 3
    assert [lesson["world"] for lesson in recipe["lessons"]] == ["fr", "us~5", "us"]
    assert recipe["lessons"][1]["roughness"]["lost_columns"] == ["profile_id"]
    assert {"numpy", "scikit-learn", "numba"} <= set(model.manifest["libraries"])
    assert model.manifest["simulated"]
    assert model.manifest["config"]["classifier"]["trees"] == 20


def test_each_kind_is_measured_by_a_model_that_has_not_seen_it(model):
    left_out = model.metrics["left_out"]
    assert set(left_out) == {"fr", "us"}
    assert set(left_out["us"]["worlds"]) == {"us~5", "us, third hand, seed 3"}
    metrics = left_out["us"]["metrics"]
    assert metrics["pr_auc"]["low"] <= metrics["pr_auc"]["value"] <= metrics["pr_auc"]["high"]
    assert {"prevalence", "recall_at_0.01", "recall_at_0.005", "recall_at_0.001", "ece"} <= set(
        metrics
    )
    assert "other address than usual" in left_out["us"]["comparison"]


def test_each_author_is_measured_by_a_model_of_the_others_alone(model):
    authors = model.metrics["authors"]
    assert set(authors) == {"first", "third"}
    assert set(authors["third"]["worlds"]) == {"us, third hand, seed 3"}
    assert set(authors["third"]["fresh"]) == {"fr, third hand", "us, third hand"}
    for found in authors["first"]["fresh"].values():
        assert 0.0 <= found["recall_at_0.001"] <= found["recall_at_0.01"] <= 1.0
    assert "| third | 0.01 | " in model.card


def test_each_kind_stands_between_its_references(model):
    placed = model.metrics["references"]
    assert set(placed["kinds"]) == SETTINGS
    for kind, found in placed["kinds"].items():
        assert found["name"].startswith(f"{kind}, seed ")
        assert {MODEL, PLAIN, ORACLE} < set(found["recall"])
        assert f"| {kind} | {found['recall'][PLAIN]['recall_at_0.01']['value']:.3f} " in model.card
    assert "| **mean** |" in model.card
    assert "Least of the way at 1 %: " in model.card


def test_honest_situations_are_told_by_kind(model):
    situations = model.metrics["situations"]
    assert set(situations) == SETTINGS
    told = model.card.split("## Situations of honest people", 1)[1]
    for row in situations.values():
        assert {name for name in row if name.startswith("resident_")}
        for name, ratio in row.items():
            assert f"| {name} | " in told
            assert ratio["value"] is None or ratio["value"] >= 0


def test_homes_are_told_by_kind(model):
    homes = model.metrics["homes"]
    assert set(homes) == SETTINGS
    for kind, found in homes.items():
        assert found["right"]["value"] > 0.8
        assert found["right"]["value"] + sum(found["wrong"].values()) == pytest.approx(1, abs=1e-4)
        assert f"| {kind} | {found['accounts']} | {found['right']['value']:.3f} " in model.card
    assert "Least often right: " in model.card


def test_every_family_of_features_is_ablated(model):
    measured = model.metrics["ablation"]
    assert measured["folds"] == [["fr"], ["us"]]
    assert set(measured["families"]) == set(ablation.FAMILIES)
    for group, found in measured["families"].items():
        assert found["features"] == sum(feature.group == group for feature in LEARNT)
        assert set(found["kinds"]) == {"fr", "us"}
        mean = sum(row["log_loss"] for row in found["kinds"].values()) / 2
        assert found["log_loss"]["value"] == pytest.approx(mean, abs=1e-5)
        assert found["log_loss"]["low"] <= found["log_loss"]["high"]
        assert f"| {group} | {found['features']} | " in model.card


def test_fresh_worlds_are_of_no_lesson():
    lessons = plan_lessons(accounts=700, worlds_per_kind=5, seed=1)
    fresh = plan_fresh(list(WORLDS), accounts=2000, seed=1)
    assert list(dict.fromkeys(lesson.kind for lesson in fresh)) == list(WORLDS)
    assert len({lesson.setting for lesson in fresh}) == len(fresh)
    assert not {lesson.seed for lesson in fresh} & {SAMPLE.seed, *(each.seed for each in lessons)}


def test_a_rough_log_keeps_its_truth():
    rough = Roughness(lost_columns=("asn",), kept_accounts=0.6, doubled=0.3)
    world = labelled_lesson(Lesson("fr", "fr", 30, 20, 4, rough))
    assert len(align_truth(world.sessions, world.truth).place) == len(world.sessions)


def test_the_headline_is_sliced(model):
    kinds = {part["kind"] for part in model.metrics["evaluation"]["slices"]}
    assert kinds == {
        "situation",
        "kind",
        "devices of the account",
        "history of the account",
        "device",
        "statistics",
    }


def test_the_card_names_the_worst(model):
    left_out = model.metrics["left_out"]
    worst = max(left_out, key=lambda kind: left_out[kind]["metrics"]["ece"]["value"])
    told = model.card.split("Largest calibration error: ", 1)[1].splitlines()[0]
    assert told.endswith(f"of {worst}.")
    assert "**Simulated.**" in model.card
    assert "## Fairness" in model.card
    assert "borrower_vpn_through_home" in model.card


def test_what_is_saved_scores(model, tmp_path):
    model.save(tmp_path)
    assert HouseholdModel.load(tmp_path).digest == model.digest
    json.loads((tmp_path / "metrics.json").read_text())
    scores = HouseholdScorer.load(tmp_path).score(simulate("de", accounts=10, days=30).sessions)
    assert scores["household_probability"].between(0, 1).all()


def test_the_sample_is_of_no_world_that_is_trained_on():
    lessons = plan_lessons(accounts=600, worlds_per_kind=5, seed=1)
    assert SAMPLE.world not in {lesson.world for lesson in lessons}
    assert SAMPLE.seed not in {lesson.seed for lesson in lessons}
