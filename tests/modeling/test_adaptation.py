from dataclasses import replace

import numpy as np
import pytest

from household_ml.errors import LabelsError
from household_ml.modeling.adaptation import AdaptationConfig, adapt_model
from household_ml.modeling.classifier import ClassifierConfig
from household_ml.modeling.learning_curve import measure_curve
from household_ml.modeling.model import HouseholdModel
from household_ml.modeling.training import TrainingConfig, TrainingSet, fit_household_model

NAMES = ("home", "away", "custom", "noise")
FAST = AdaptationConfig(
    classifier=ClassifierConfig(trees=60, leaves=8, min_rows=20, learning_rate=0.1), replicates=10
)


def world(accounts, seed, *, theirs=False):
    """``custom`` speaks only in the customer's world, where fewer devices belong."""
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(accounts), 4)
    y = (rng.random(account.size) < (0.75 if theirs else 0.9)).astype(float)
    values = rng.normal(size=(account.size, 4))
    values[:, 0] += 1.5 * y
    values[:, 1] -= y
    values[:, 2] += 2.0 * y * theirs
    return TrainingSet("theirs" if theirs else "ours", values, y, account, simulated=True)


@pytest.fixture(scope="module")
def default():
    return fit_household_model(
        [world(1500, 0)],
        feature_names=NAMES,
        monotone=(1, -1, 0, 0),
        config=TrainingConfig(classifier=ClassifierConfig(trees=60), replicates=10),
    )


@pytest.fixture(scope="module")
def unseen_accounts():
    return world(4000, 99, theirs=True)


def loss(model, dataset):
    p = np.clip(model.probability(dataset.values), 1e-12, 1 - 1e-12)
    return -np.mean(np.where(dataset.y == 1, np.log(p), np.log1p(-p)))


def test_more_labels_are_never_worse_and_many_are_better(default, unseen_accounts):
    losses = [loss(default, unseen_accounts)]
    for accounts in (5, 40, 300, 1500):
        adapted = adapt_model(default, world(accounts, 1, theirs=True), config=FAST)
        losses.append(loss(adapted, unseen_accounts))
    assert max(losses[1:]) < 1.02 * losses[0]
    assert losses[-1] < 0.7 * losses[0]
    assert losses[-1] < losses[-2] < losses[0]


def complained_about(dataset, seed):
    """Labels of a half of the devices outside and of a tenth of the others, 4 % of them wrong."""
    rng = np.random.default_rng(seed)
    told = np.where(rng.random(len(dataset)) < 0.04, 1 - dataset.y, dataset.y)
    labelled = rng.random(len(dataset)) < np.where(dataset.y == 1, 0.1, 0.5)
    return replace(dataset, y=np.where(labelled, told, np.nan))


@pytest.mark.parametrize("way", ["fair", "complaints"])
def test_the_curve_is_no_worse_within_noise_and_better_at_the_most_labels(default, way):
    whole = world(2400, 21, theirs=True)
    told = whole if way == "fair" else complained_about(whole, 22)
    counts = (20, 120, 1200)
    curve = measure_curve(
        default, told, counts=counts, repeats=1, truth=whole.y, config=FAST, replicates=50
    )
    assert curve.points[0].accounts == 0
    assert len(curve.points) == 4
    for point in curve.points[1:]:
        assert point.recall_gain.high >= 0.0
        assert point.log_loss_gain.high >= -0.01
        assert point.worst_recall_gain > -0.05
    most = curve.points[-1]
    assert most.recall_gain.low > 0.0
    assert most.log_loss_gain.low > 0.0
    assert most.calibration_error < curve.points[0].calibration_error
    assert f"| {most.accounts} | " in curve.to_markdown()


def test_fewer_than_a_hundred_accounts_teach_no_trees(default):
    few = adapt_model(default, world(99, 2, theirs=True), config=FAST)
    assert few.manifest["own_weight"] == 0.0
    assert set(few.manifest["losses"]) == {"untouched", "0"}


def test_few_accounts_certify_nothing_and_the_card_says_so(default):
    few = adapt_model(default, world(40, 2, theirs=True), config=FAST)
    assert few.thresholds.outside_at is None
    assert all(bound.upper is None for bound in few.thresholds.bounds[:2])
    assert few.card.count("none qualifies") >= 2


def test_a_few_unfair_labels_move_the_level_little(default):
    """Nothing is known of how they were drawn: the level of the model holds them back."""
    mine = world(400, 31)
    rng = np.random.default_rng(32)
    labelled = rng.random(len(mine)) < np.where(mine.y == 1, 0.02, 0.3)
    few = replace(mine, y=np.where(labelled, mine.y, np.nan))
    level = adapt_model(default, few, config=FAST).manifest["level"]
    assert level["labels"] < -1.0
    assert abs(level["settled"]) < 0.3 * abs(level["labels"])


def test_labels_of_its_own_world_leave_the_model_alone(default):
    adapted = adapt_model(default, world(200, 7), config=FAST)
    assert adapted.manifest["own_weight"] <= 0.25
    fresh = world(3000, 8)
    assert loss(adapted, fresh) < 1.02 * loss(default, fresh)


def test_labels_at_random_do_not_ruin_it(default, unseen_accounts):
    noise = world(100, 3, theirs=True)
    rng = np.random.default_rng(0)
    wrong = replace(noise, y=np.where(rng.random(400) < 0.15, 1 - noise.y, noise.y))
    assert loss(adapt_model(default, wrong, config=FAST), unseen_accounts) < 1.05 * loss(
        default, unseen_accounts
    )


def test_one_answer_alone_is_allowed(default):
    few = world(10, 4)
    adapted = adapt_model(default, replace(few, y=np.ones(len(few))), config=FAST)
    assert adapted.manifest["own_weight"] == 0.0
    assert adapted.thresholds.outside_at is None


def test_what_was_learnt_is_still_explained_exactly_and_saved(default, tmp_path):
    theirs = world(800, 5, theirs=True)
    adapted = adapt_model(default, theirs, config=FAST, name="mine", version="2")
    assert adapted.manifest["own_weight"] > 0
    split = adapted.trees.base + adapted.contributions(theirs.values).sum(axis=1)
    np.testing.assert_allclose(split, adapted.log_odds(theirs.values), rtol=0, atol=1e-9)
    again = HouseholdModel.load(adapted.save(tmp_path))
    assert again.digest == adapted.digest
    assert again.manifest["adapted_from"] == default.digest
    assert "theirs" in again.card


def test_more_evidence_of_home_still_never_lowers_the_probability(default):
    adapted = adapt_model(default, world(800, 5, theirs=True), config=FAST)
    values = np.repeat(world(50, 6).values, 20, axis=0)
    values[:, 0] = np.tile(np.linspace(-4, 6, 20), 200)
    assert np.all(np.diff(adapted.probability(values).reshape(-1, 20), axis=1) >= 0)


def test_nothing_labelled(default):
    few = world(10, 4)
    with pytest.raises(LabelsError, match="must hold a device, got none"):
        adapt_model(default, replace(few, y=np.full(len(few), np.nan)))
