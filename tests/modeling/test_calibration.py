import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from household_ml.errors import ModelFormatError, ParameterError
from household_ml.modeling.calibration import Calibration, fit_calibration, sigmoid


def population(rows, seed, prevalence=0.85, spread=1.4):
    """Two normal classes, so that the true log-odds are known in closed form."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < prevalence).astype(float)
    x = rng.normal(np.where(y == 1, 1.0, -1.0), spread)
    true = 2 * x / spread**2 + np.log(prevalence / (1 - prevalence))
    return x, y, true


def test_the_true_map_is_found():
    x, y, _ = population(20_000, 0)
    fitted = fit_calibration(x, y)
    grid = np.linspace(-3, 4, 50)
    true = 2 * grid / 1.4**2 + np.log(0.85 / 0.15)
    np.testing.assert_allclose(fitted.probability(grid), sigmoid(true), atol=0.03)


def test_a_bent_map_is_found_better_than_a_line_could():
    _, y, true = population(20_000, 1)
    bent = np.where(true > 1, 1 + (true - 1) * 3, true)
    fitted = fit_calibration(bent, y)
    assert np.abs(fitted.probability(bent) - sigmoid(true)).mean() < 0.01


def test_few_devices_change_little():
    x, y, _ = population(5, 2)
    fitted = fit_calibration(x, y)
    grid = np.linspace(-6, 6, 9)
    assert np.abs(fitted.log_odds(grid) - grid).max() < 3
    assert np.abs(fitted.log_odds(0.0)) < 1.5


def test_weights_count_as_repetition():
    x, y, _ = population(400, 3)
    twice = fit_calibration(np.repeat(x, 2), np.repeat(y, 2))
    weighted = fit_calibration(x, y, weight=np.full(400, 2.0))
    grid = np.linspace(-3, 3, 20)
    np.testing.assert_allclose(twice.probability(grid), weighted.probability(grid), atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 80), st.sampled_from([0.0, 0.3, 1.0]))
def test_the_map_is_strictly_increasing_whatever_it_saw(seed, rows, prevalence):
    rng = np.random.default_rng(seed)
    fitted = fit_calibration(
        rng.normal(size=rows).round(1) * 5, (rng.random(rows) < prevalence).astype(float)
    )
    answers = fitted.log_odds(np.linspace(-40, 40, 2001))
    assert np.all(np.diff(answers) > 0)
    assert np.all(np.diff(fitted.probability(np.linspace(-40, 40, 2001))) >= 0)


def test_raw_is_the_inverse_and_dicts_come_back():
    x, y, _ = population(2000, 4)
    fitted = fit_calibration(x, y)
    np.testing.assert_allclose(fitted.raw(fitted.log_odds(x)), x, atol=1e-9)
    assert Calibration.from_dict(fitted.to_dict()) == fitted


@pytest.mark.parametrize("bad", [{"levels": (1.0, 0.0)}, {"slopes": (0.0, 1.0)}, {"prevalence": 1}])
def test_a_map_that_is_not_increasing_is_refused(bad):
    parts = {"knots": (0.0, 1.0), "levels": (0.0, 1.0), "slopes": (1.0, 1.0), "prevalence": 0.5}
    with pytest.raises(ModelFormatError, match="calibration must be strictly increasing"):
        Calibration(**{**parts, **bad})


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ParameterError, match="calibration must see at least one device"):
        fit_calibration(np.zeros(0), np.zeros(0))
    with pytest.raises(ParameterError, match="y 0 or 1"):
        fit_calibration(np.zeros(2), np.array([0.0, np.nan]))
