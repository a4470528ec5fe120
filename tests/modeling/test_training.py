from dataclasses import replace

import numpy as np
import pytest

from household_ml.errors import LabelsError, ParameterError
from household_ml.modeling.classifier import ClassifierConfig
from household_ml.modeling.evaluation import Evaluation
from household_ml.modeling.model import HouseholdModel
from household_ml.modeling.splits import CALIBRATION
from household_ml.modeling.training import (
    TrainingConfig,
    TrainingSet,
    evaluate_model,
    fit_household_model,
    leave_one_world_out,
    split_training_set,
    stack_worlds,
)

NAMES = (
    "home_share",
    "days_since_main_tv_network",
    "last_address_differs_from_main",
    "overlap_address",
    "overlap_24",
    "overlap_48h",
    "overlap_as",
    "noise",
)
MONOTONE = (1, -1, -1, 1, 1, 1, 1, 0)
FAST = TrainingConfig(classifier=ClassifierConfig(trees=40), replicates=20)


def world(name, seed, accounts=900):
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(accounts), rng.integers(1, 8, accounts))
    y = (rng.random(account.size) < 0.88).astype(float)
    values = rng.normal(size=(account.size, len(NAMES)))
    values[:, 0] += 2.5 * y
    values[:, 1] = np.exp(values[:, 1] + 2.0 * (1 - y))
    values[:, 2] = rng.random(y.size) < np.where(y == 1, 0.5, 0.9)
    values[:, 3:7] = np.abs(values[:, 3:7]) + 0.5 * y[:, None]
    values[rng.random(values.shape) < 0.1] = np.nan
    situation = np.where(y == 1, "resident_fixed", "borrower_far").astype(object)
    y[rng.random(y.size) < 0.05] = np.nan
    return TrainingSet(
        name=name,
        values=values,
        y=y,
        account=account,
        situation=situation,
        ambiguous=rng.random(y.size) < 0.03,
        simulated=True,
    )


def fit(*worlds, **options):
    chosen = {"feature_names": NAMES, "monotone": MONOTONE, "config": FAST, **options}
    return fit_household_model(worlds, **chosen)


@pytest.fixture(scope="module")
def model():
    return fit(world("fr", 1), world("us", 2, accounts=400), version="1")


def test_a_model_beats_every_rule_on_accounts_kept_aside(model):
    rows = model.metrics["comparison"]["rows"]
    assert list(rows)[:3] == ["this model", "prior", "other address than usual"]
    assert "logistic on overlaps" in rows
    best = max(row["pr_auc"]["value"] for name, row in rows.items() if name != "this model")
    assert rows["this model"]["pr_auc"]["value"] > best + 0.1
    assert all(gap["low"] > 0 for gap in model.metrics["comparison"]["ahead"].values())


def test_probabilities_mean_what_they_say_on_a_world_not_trained_on(model):
    evaluation, _ = evaluate_model(model, world("de", 3), replicates=20)
    assert evaluation.metrics["ece"].value < 0.03


def test_the_certified_bound_holds_on_accounts_kept_aside(model):
    evaluation, _ = evaluate_model(model, world("de", 4, accounts=3000), replicates=20)
    assert evaluation.metrics["called_honest_flagged"].value < 0.015


def test_the_same_input_gives_the_same_digest(model):
    again = fit(world("fr", 1), world("us", 2, accounts=400), version="1")
    assert again.digest == model.digest
    assert again.metrics == model.metrics
    assert fit(world("fr", 1), seed=5).digest != fit(world("fr", 1), seed=6).digest


def test_more_evidence_of_home_never_lowers_the_probability(model):
    values = np.repeat(world("fr", 7, accounts=40).values, 20, axis=0)
    for column, sign in enumerate(MONOTONE):
        if sign:
            moved = values.copy()
            moved[:, column] = np.tile(np.linspace(-3, 30, 20), values.shape[0] // 20)
            answers = model.probability(moved).reshape(-1, 20)
            assert np.all(sign * np.diff(answers, axis=1) >= 0)


def test_worlds_weigh_the_same_whatever_their_size(model):
    assert [part["name"] for part in model.manifest["worlds"]] == ["fr", "us"]
    evaluation = Evaluation.from_dict(model.metrics["evaluation"])
    assert {part.value for part in evaluation.slices_of("world")} == {"fr", "us"}


def test_a_saved_model_brings_metrics_and_card(model, tmp_path):
    again = HouseholdModel.load(model.save(tmp_path), catalogue=NAMES)
    assert again.card == model.card
    assert again.metrics == model.metrics
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2_000_000


def test_ambiguous_devices_are_not_learnt_from():
    plain = world("fr", 1)
    flipped = replace(plain, y=np.where(plain.ambiguous, 1.0 - plain.y, plain.y))
    assert fit(plain).digest == fit(flipped).digest


def test_linked_accounts_stay_on_one_side():
    plain = world("fr", 1)
    linked = replace(plain, group=plain.account // 3)
    side = split_training_set(linked, shares=(0.6, 0.2, 0.2), seed=0)
    for group in range(50):
        assert np.unique(side[linked.group == group]).size == 1


def test_stacked_worlds_keep_their_accounts_apart():
    together = stack_worlds([world("fr", 1), world("us", 1)])
    assert np.unique(together.account).size == 2 * np.unique(world("fr", 1).account).size
    assert len(together) == 2 * len(world("fr", 1))


def test_each_world_is_measured_by_a_model_that_never_saw_it():
    worlds = [world(name, seed, accounts=400) for seed, name in enumerate(["fr", "us", "de"])]
    found = leave_one_world_out(worlds, feature_names=NAMES, monotone=MONOTONE, config=FAST)
    assert list(found) == ["fr", "us", "de"]
    for evaluation, comparison in found.values():
        assert evaluation.name.startswith("without ")
        assert comparison.ahead["other address than usual"].low > 0
    with pytest.raises(ParameterError, match="must be at least 2, got 1"):
        leave_one_world_out(worlds[:1], feature_names=NAMES, monotone=MONOTONE)


def test_few_accounts_give_a_model_that_calls_nobody_outside():
    few = fit(world("fr", 1, accounts=60))
    assert few.thresholds.outside_at is None
    assert "No device is ever called outside" in few.card


@pytest.mark.parametrize("answer", [1.0, 0.0])
def test_one_answer_alone_cannot_be_trained_on(answer):
    plain = world("fr", 1)
    with pytest.raises(LabelsError, match="must hold household and outside devices, got"):
        fit(replace(plain, y=np.full(plain.y.size, answer)))


def test_columns_that_do_not_fit_are_told_together():
    plain = world("fr", 1)
    wrong = replace(plain, values=plain.values[:, :3], weight=np.ones(2))
    with pytest.raises(ParameterError, match="values of fr must have 8 columns") as caught:
        fit(wrong, monotone=(1, 0))
    assert len(caught.value.problems) == 3


def test_the_card_says_what_matters(model):
    card = model.card
    for text in (
        "**Simulated.**",
        "## Not to be used alone",
        "Nothing may be blocked on it",
        "| fr |",
        "situation: borrower_far",
        "## Fairness",
        "borrower_vpn_through_home",
        model.digest,
    ):
        assert text in card


def test_thresholds_are_certified_on_calibration_accounts_alone():
    data = world("a", 3)
    model = fit(data, seed=4)
    aside = split_training_set(data, shares=FAST.shares, seed=4) == CALIBRATION
    counted = aside & np.isfinite(data.y) & ~data.ambiguous
    accounts = np.unique(data.account[counted])
    strangers = np.unique(data.account[counted & (data.y == 0)])
    by_name = {bound.name: bound for bound in model.thresholds.bounds}
    assert by_name["account_false_flags"].units == len(accounts) - len(strangers)
    assert by_name["device_false_flags"].units == (data.y[counted] == 1).sum()
    odd = np.where(counted & (data.values[:, 0] > 0), 1.0 - data.y, data.y)
    assert fit(replace(data, y=odd), seed=4).thresholds != model.thresholds
