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


def extremes(rows, seed):
    values = table(rows, seed=seed, nulls=0.3)
    values[:50] = np.nan
    values[50:60] = np.inf
    values[60:70] = -np.inf
    values[70:80] *= 1e300
    return values


def test_log_odds_equal_the_estimator_on_rows_with_nulls(estimator, trees):
    values = extremes(20_000, seed=5)
    np.testing.assert_allclose(
        trees.log_odds(values), estimator.decision_function(values), rtol=0, atol=1e-9
    )


@pytest.mark.slow
def test_probabilities_equal_predict_proba_on_a_million_rows_with_nulls(estimator, trees):
    values = extremes(1_000_000, seed=5)
    told = 1 / (1 + np.exp(-trees.log_odds(values)))
    np.testing.assert_allclose(told, estimator.predict_proba(values)[:, 1], rtol=0, atol=1e-9)


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


def test_one_walk_gives_the_log_odds_and_the_sums_of_groups(trees):
    values = extremes(5000, seed=6)
    groups = [0, 1, 1, 2, 0, 3, 2, 4]
    log_odds, sums = trees.explain(values, groups)
    by_feature = trees.contributions(values)
    expected = [by_feature[:, np.equal(groups, each)].sum(axis=1) for each in range(5)]

    assert np.array_equal(log_odds, trees.log_odds(values))
    np.testing.assert_allclose(sums, np.column_stack(expected), rtol=0, atol=1e-9)
    np.testing.assert_allclose(trees.base + sums.sum(axis=1), log_odds, rtol=0, atol=1e-9)


def test_a_contribution_is_the_change_of_the_mean_when_one_question_is_answered():
    stump = Trees(
        features=2,
        bias=-1.0,
        roots=np.array([0], np.int32),
        feature=np.array([1, -1, -1], np.int16),
        threshold=np.array([0.5, 0.0, 0.0]),
        left=np.array([1, 0, 0], np.int32),
        missing_left=np.array([True, False, False]),
        value=np.array([0.25, 1.0, -0.5]),
    )
    values = np.array([[9.0, 0.5], [9.0, 0.6], [9.0, np.nan]])

    assert stump.base == -0.75
    assert stump.log_odds(values).tolist() == [0.0, -1.5, 0.0]
    assert stump.contributions(values).tolist() == [[0.0, 0.75], [0.0, -0.75], [0.0, 0.75]]


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
    groups = range(8)
    alone, together = (trees.explain(values, groups, threads=threads) for threads in (1, 2))
    assert np.array_equal(alone[0], together[0])
    assert np.array_equal(alone[1], together[1])
    assert np.array_equal(alone[0], trees.log_odds(values, threads=2))


def test_no_rows_and_no_trees(trees):
    assert trees.log_odds(np.zeros((0, 8))).shape == (0,)
    arrays = {name: array[:0] for name, array in trees.to_arrays().items() if array.ndim}
    none = Trees(features=8, bias=0.5, **arrays)
    log_odds, sums = none.explain(table(3), [0] * 8)
    assert log_odds.tolist() == [0.5] * 3
    assert not sums.any()


def test_thresholds_that_are_far_apart_or_infinite():
    edges = np.array([-1e300, -1.0, 0.0, 5e-324, 1e-9, 1.0, 1e300, np.inf])
    size = edges.size
    chain = Trees(
        features=1,
        bias=0.0,
        roots=(3 * np.arange(size)).astype(np.int32),
        feature=np.tile(np.array([0, -1, -1], np.int16), size),
        threshold=np.repeat(edges, 3),
        left=(3 * np.repeat(np.arange(size), 3) + 1).astype(np.int32),
        missing_left=np.zeros(3 * size, bool),
        value=np.tile([0.5, 0.0, 1.0], size),
    )
    values = np.sort(np.concatenate([edges, np.nextafter(edges, 0), [-np.inf, 0.5, np.nan]]))
    expected = np.where(np.isnan(values), size, (edges[None] < values[:, None]).sum(axis=1))
    assert np.array_equal(chain.log_odds(values[:, None]), expected)


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
