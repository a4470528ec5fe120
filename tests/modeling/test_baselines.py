import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from household_ml.errors import ParameterError
from household_ml.modeling.baselines import OVERLAP_FEATURES, Baselines, fit_baselines

RULES = (
    "last_address_differs_from_main",
    "days_since_main_tv_network",
    "share_main_address",
    "share_main_as",
)


def test_rules_by_hand():
    values = np.array([[0.0, 31.0, 0.9, 1.0], [1.0, 31.1, 0.2, 0.5], [np.nan] * 4])
    scores = Baselines(prevalence=0.9).scores(values, RULES)
    assert scores["prior"] == pytest.approx([0.1, 0.1, 0.1])
    assert scores["other address than usual"].tolist() == [0, 1, 1]
    assert scores["31 days off the TV's network"].tolist() == [0, 1, 1]
    assert scores["share off the main network"] == pytest.approx([0.1, 0.8, 1.0])
    assert scores["share off the main AS"] == pytest.approx([0.0, 0.5, 1.0])


def test_a_rule_without_its_column_is_left_out():
    scores = Baselines(prevalence=0.9).scores(np.zeros((2, 1)), ["something_else"])
    assert list(scores) == ["prior"]


@pytest.fixture
def overlaps():
    rng = np.random.default_rng(0)
    values = rng.gamma(2.0, [1.0, 3.0, 0.1, 20.0], size=(3000, 4))
    y = (rng.random(3000) < 1 / (1 + np.exp(1 - 2 * values[:, 0]))).astype(float)
    return values, y


def test_logistic_regression_equals_scikit_learn(overlaps):
    values, y = overlaps
    fitted = fit_baselines(values, OVERLAP_FEATURES, y)
    score = fitted.scores(values, OVERLAP_FEATURES)["logistic on overlaps"]
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    oracle = LogisticRegression().fit(scaled, y).decision_function(scaled)
    np.testing.assert_allclose(score, -oracle, atol=1e-6)


def test_unlabelled_devices_and_weight_zero_teach_nothing(overlaps):
    values, y = overlaps
    noisy = np.r_[y, np.full(50, np.nan), np.zeros(50)]
    weight = np.r_[np.ones(y.size + 50), np.zeros(50)]
    more = fit_baselines(np.r_[values, values[:100]], OVERLAP_FEATURES, noisy, weight=weight)
    plain = fit_baselines(values, OVERLAP_FEATURES, y)
    assert more.prevalence == pytest.approx(plain.prevalence)
    assert more.intercept == pytest.approx(plain.intercept, abs=0.1)


def test_baselines_come_back_from_dicts(overlaps):
    fitted = fit_baselines(*[overlaps[0], OVERLAP_FEATURES, overlaps[1]])
    assert Baselines.from_dict(fitted.to_dict()) == fitted


def test_one_class_has_a_prior_and_no_regression(overlaps):
    assert fit_baselines(overlaps[0], OVERLAP_FEATURES, np.ones(3000)).intercept is None
    with pytest.raises(ParameterError, match="baselines must see a labelled device, got none"):
        fit_baselines(overlaps[0], OVERLAP_FEATURES, np.full(3000, np.nan))
