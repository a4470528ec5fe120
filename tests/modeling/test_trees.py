import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from household_ml.errors import ModelFeaturesError, ModelFormatError
from household_ml.modeling.classifier import ClassifierConfig, fit_classifier
from household_ml.modeling.trees import Trees

SMALL = ClassifierConfig(trees=60, min_rows=10)


def table(rows, seed=0, nulls=0.15):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 8)).round(2)
    values[rng.random(values.shape) < nulls] = np.nan
    return values


@pytest.fixture(scope="module")
def estimator():
    rng = np.random.default_rng(1)
    values = table(4000)
    values[:, 7] = np.nan_to_num(values[:, 7])  # never missing in training
    known = np.nan_to_num(values)
    log_odds = 2 + 2 * known[:, 0] - known[:, 1] + known[:, 2] * known[:, 3]
    log_odds[np.isnan(values[:, 4])] -= 2  # missing speaks
    y = (rng.random(4000) < 1 / (1 + np.exp(-log_odds))).astype(float)
    return fit_classifier(values, y, monotone=[1, -1, 0, 0, 0, 0, 0, 0], seed=3, config=SMALL)


@pytest.fixture(scope="module")
def trees(estimator):
    return Trees.from_estimator(estimator)


def test_log_odds_equal_the_estimator_on_a_hundred_thousand_rows_with_nulls(estimator, trees):
    values = table(100_000, seed=5, nulls=0.3)
    values[:50] = np.nan
    values[50:60] = np.inf
    values[60:70] = -np.inf
    np.testing.assert_allclose(
        trees.log_odds(values), estimator.decision_function(values), rtol=0, atol=1e-9
    )


def test_values_on_a_threshold_go_the_same_way(estimator, trees):
    inner = np.flatnonzero(trees.feature >= 0)
    values = np.zeros((inner.size, trees.features))
    values[np.arange(inner.size), trees.feature[inner]] = trees.threshold[inner]
    np.testing.assert_allclose(
        trees.log_odds(values), estimator.decision_function(values), rtol=0, atol=1e-9
    )


def test_contributions_add_up_to_the_log_odds(trees):
    values = table(5000, seed=6, nulls=0.3)
    split = trees.contributions(values)
    np.testing.assert_allclose(
        trees.base + split.sum(axis=1), trees.log_odds(values), rtol=0, atol=1e-9
    )


def test_base_is_the_mean_log_odds_of_the_training_rows(estimator, trees):
    values = table(4000)
    values[:, 7] = np.nan_to_num(values[:, 7])
    assert trees.base == pytest.approx(trees.log_odds(values).mean(), abs=1e-9)


def test_a_feature_that_is_never_asked_contributes_nothing():
    values = table(500)
    y = (np.nan_to_num(values[:, 0]) > 0).astype(float)
    values[:, 5] = 1.0
    fitted = fit_classifier(values, y, monotone=[0] * 8, config=SMALL)
    assert not Trees.from_estimator(fitted).contributions(values)[:, 5].any()


def test_one_row_gets_the_same_bits_as_many(trees):
    values = table(200, seed=7)
    many = trees.log_odds(values)
    one = np.array([trees.log_odds(values[row : row + 1])[0] for row in range(200)])
    assert np.array_equal(many, one)


def test_threads_change_nothing(trees):
    values = table(40_000, seed=8)
    assert np.array_equal(trees.log_odds(values), trees.log_odds(values, threads=2))
    assert np.array_equal(trees.contributions(values), trees.contributions(values, threads=2))


@pytest.mark.parametrize(("column", "sign"), [(0, 1), (1, -1)])
def test_monotone_features_never_act_against_their_direction(trees, column, sign):
    values = np.repeat(table(200, seed=9), 30, axis=0)
    values[:, column] = np.tile(np.linspace(-4, 4, 30), 200)
    answers = trees.log_odds(values).reshape(200, 30)
    assert np.all(sign * np.diff(answers, axis=1) >= -1e-12)


def test_arrays_come_back_as_equal_trees(trees):
    again = Trees.from_arrays(trees.to_arrays())
    values = table(100)
    assert np.array_equal(again.log_odds(values), trees.log_odds(values))
    assert again.base == trees.base


def test_sum_of_trees_is_the_sum_of_log_odds(trees):
    values = table(100)
    both = trees.plus(trees)
    np.testing.assert_allclose(both.log_odds(values), 2 * trees.log_odds(values), atol=1e-9)


def test_rows_of_another_width_are_refused(trees):
    with pytest.raises(ModelFeaturesError, match=r"shape \(devices, 8\), got \(3, 7\)"):
        trees.log_odds(np.zeros((3, 7)))


@pytest.mark.parametrize(
    ("name", "index", "value"),
    [
        ("left", 0, 0),
        ("left", 0, 10**6),
        ("feature", 0, 99),
        ("roots", 0, -1),
        ("value", 3, np.nan),
    ],
)
def test_arrays_that_would_lead_nowhere_are_refused(trees, name, index, value):
    arrays = {key: array.copy() for key, array in trees.to_arrays().items()}
    arrays[name][index] = value
    with pytest.raises(ModelFormatError, match="trees must lead from every root to a leaf"):
        Trees.from_arrays(arrays)


def test_missing_arrays_and_wrong_types_are_refused(trees):
    arrays = trees.to_arrays()
    with pytest.raises(ModelFormatError, match="trees must be the arrays"):
        Trees.from_arrays({key: arrays[key] for key in list(arrays)[1:]})
    with pytest.raises(ModelFormatError, match=r"trees\.threshold must be one column of float64"):
        Trees.from_arrays({**arrays, "threshold": arrays["threshold"].astype(np.float32)})


def test_categories_and_three_classes_are_refused():
    values = np.repeat(np.arange(6.0), 50)[:, None]
    kinds = HistGradientBoostingClassifier(
        max_iter=2, categorical_features=[0], early_stopping=False
    )
    with pytest.raises(ModelFormatError, match="numbers alone, got a split over categories"):
        Trees.from_estimator(kinds.fit(values, values[:, 0] % 2))
    three = HistGradientBoostingClassifier(max_iter=2, early_stopping=False)
    with pytest.raises(ModelFormatError, match="two classes apart, got 3 classes"):
        Trees.from_estimator(three.fit(values, values[:, 0] % 3))


def test_trees_that_share_a_node_are_refused(trees):
    arrays = {key: array.copy() for key, array in trees.to_arrays().items()}
    arrays["roots"][1] = arrays["roots"][0]
    with pytest.raises(ModelFormatError, match="trees must lead from every root to a leaf"):
        Trees.from_arrays(arrays)
