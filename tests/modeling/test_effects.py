"""Effects of features are those of the model's own sum."""

from __future__ import annotations

import numpy as np
import pytest

from household_ml.errors import ParameterError
from household_ml.features import COLUMN_NAMES
from household_ml.modeling.effects import (
    compute_feature_effects,
    plot_feature_effect,
    rank_features,
)
from household_ml.modeling.model import HouseholdModel
from household_ml.resources import resource


@pytest.fixture(scope="module")
def model() -> HouseholdModel:
    return HouseholdModel.load(resource("models/default"), catalogue=COLUMN_NAMES)


@pytest.fixture(scope="module")
def values(model: HouseholdModel) -> np.ndarray:
    rng = np.random.default_rng(2)
    drawn = rng.gamma(1.0, 2.0, (400, len(model.feature_names)))
    drawn[rng.random(drawn.shape) < 0.1] = np.nan
    return drawn


def test_every_device_is_in_one_bin_and_nulls_in_one_of_their_own(
    model: HouseholdModel, values: np.ndarray
) -> None:
    found = compute_feature_effects(model, values, model.feature_names[:3])
    for name, rows in found.groupby("feature", sort=False):
        column = values[:, model.feature_names.index(str(name))]
        assert rows["devices"].sum() == 400
        assert rows[rows["value"].isna()]["devices"].tolist() == [np.isnan(column).sum()]
        assert rows["value"].dropna().is_monotonic_increasing
        assert (rows["low"] <= rows["effect"]).all()
        assert (rows["effect"] <= rows["high"]).all()


def test_the_features_that_move_answers_most_come_first(
    model: HouseholdModel, values: np.ndarray
) -> None:
    ranked = rank_features(model, values)
    found = compute_feature_effects(model, values, most=4)

    assert ranked.is_monotonic_decreasing
    assert ranked.sum() == pytest.approx(np.abs(model.contributions(values)).mean(axis=0).sum())
    assert found["feature"].unique().tolist() == ranked.index[:4].tolist()


def test_a_feature_that_is_not_in_the_model_is_refused(
    model: HouseholdModel, values: np.ndarray
) -> None:
    with pytest.raises(ParameterError, match="got shoe_size and 400 devices"):
        compute_feature_effects(model, values, ["shoe_size"])
    with pytest.raises(ParameterError, match="got no unknown feature and 0 devices"):
        compute_feature_effects(model, values[:0])


def test_the_picture_shows_a_line_and_the_nulls_beside_it(
    model: HouseholdModel, values: np.ndarray
) -> None:
    name = model.feature_names[0]
    found = compute_feature_effects(model, values, [name])
    axes = plot_feature_effect(found, name)

    np.testing.assert_allclose(axes.lines[1].get_xdata(), found["value"].dropna().to_numpy())
    assert [text.get_text() for text in axes.texts] == ["null"]
