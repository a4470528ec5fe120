"""A model made ready to answer says what the model says."""

from __future__ import annotations

import numpy as np
import pytest

from household_ml.modeling.calibration import Calibration
from household_ml.modeling.classifier import ClassifierConfig, fit_classifier
from household_ml.modeling.hypotheses import columns_for
from household_ml.modeling.inference import Inference
from household_ml.modeling.model import HouseholdModel
from household_ml.modeling.thresholds import Thresholds
from household_ml.modeling.trees import Trees
from household_ml.scoring.reasons import group_sums

NAMES = tuple(f"feature{number}" for number in range(6))
GROUPS = ("a", "b", "a", "c", "b", "d")
BENT = Calibration((-1.0, 0.5, 2.0), (-1.5, 0.25, 3.0), (0.5, 2.0), 0.7)


@pytest.fixture(scope="module")
def trees() -> Trees:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(2000, 6))
    values[rng.random(values.shape) < 0.2] = np.nan
    y = (np.nan_to_num(values[:, 0]) + rng.normal(size=2000) > 0).astype(float)
    config = ClassifierConfig(trees=30, leaves=8, min_rows=10)
    return Trees.from_estimator(fit_classifier(values, y, monotone=[0] * 6, config=config))


def model_of(trees: Trees, *, in_doubt: bool, calibration: Calibration = BENT) -> HouseholdModel:
    names = columns_for(NAMES) if in_doubt else NAMES
    return HouseholdModel("m", "1", names, (0,) * 6, trees, calibration, Thresholds(0.1, 0.9))


def rows(count: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    values = 2 * rng.normal(size=(count, columns))
    values[rng.random(values.shape) < 0.2] = np.nan
    if columns > 6:
        claim, rival = rng.random(count), rng.random(count)
        values[:, 6], values[:, 7] = claim, rival * (1 - claim)
        values[rng.random(count) < 0.2, 6:] = np.nan  # no place
        values[rng.random(count) < 0.3, 8:] = np.nan  # no rival
        values[rng.random(count) < 0.1, 7] = np.nan
        values[:3, 6] = 1.0
    return values


@pytest.mark.parametrize("in_doubt", [False, True])
@pytest.mark.parametrize("calibration", [BENT, Calibration.identity()])
def test_log_odds_and_probabilities_are_those_of_the_model(
    trees: Trees, in_doubt: bool, calibration: Calibration
) -> None:
    model = model_of(trees, in_doubt=in_doubt, calibration=calibration)
    values = rows(3000, len(model.feature_names))
    asked = Inference(model, (*GROUPS, "home") if in_doubt else GROUPS)(values)
    np.testing.assert_allclose(asked.log_odds, model.log_odds(values), rtol=0, atol=1e-9)
    np.testing.assert_allclose(asked.probability, model.probability(values), rtol=0, atol=1e-9)


@pytest.mark.parametrize("doubt", ["home", "b"])
def test_sums_of_groups_are_the_contributions_and_make_the_log_odds(
    trees: Trees, doubt: str
) -> None:
    model = model_of(trees, in_doubt=True)
    values = rows(3000, len(model.feature_names))
    inference = Inference(model, (*GROUPS, doubt))
    asked = inference(values)
    names, expected = group_sums(model.contributions(values), (*GROUPS, doubt))
    assert inference.names == names
    np.testing.assert_allclose(asked.sums, expected, rtol=0, atol=1e-9)
    total = trees.base + asked.sums.sum(axis=1)
    np.testing.assert_allclose(total, model.log_odds(values), rtol=0, atol=1e-9)


def test_a_device_gets_the_same_bits_alone_and_among_others(trees: Trees) -> None:
    model = model_of(trees, in_doubt=True)
    values = rows(60, len(model.feature_names))
    inference = Inference(model, (*GROUPS, "home"))
    many = inference(values)
    for row in range(60):
        alone = inference(values[row : row + 1])
        assert alone.probability[0] == many.probability[row]
        assert np.array_equal(alone.sums[0], many.sums[row])


def test_no_devices(trees: Trees) -> None:
    asked = Inference(model_of(trees, in_doubt=True), (*GROUPS, "home"))(np.zeros((0, 14)))
    assert asked.probability.shape == (0,)
    assert asked.sums.shape == (0, 5)
