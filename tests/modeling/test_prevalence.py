import numpy as np
import pytest

from household_ml.errors import ParameterError
from household_ml.modeling.calibration import Calibration, sigmoid
from household_ml.modeling.prevalence import (
    DOUBT,
    TRUST,
    adapt_to_prevalence,
    settled_share,
)
from household_ml.modeling.thresholds import Bound, Thresholds


def population(rows, seed, prevalence=0.85, spread=1.4):
    """Two normal classes, and the log-odds where 85 % are household, in closed form."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < prevalence).astype(float)
    x = rng.normal(np.where(y == 1, 1.0, -1.0), spread)
    return 2 * x / spread**2 + np.log(0.85 / 0.15), y


def logit(share):
    return np.log(share / (1 - share))


@pytest.mark.parametrize("true_share", [0.6, 0.85, 0.97])
def test_prevalence_of_an_unlabelled_population_is_recovered(true_share):
    log_odds, y = population(20_000, 5, prevalence=true_share)
    shift = adapt_to_prevalence(log_odds, prevalence=0.85)
    assert shift.prevalence == pytest.approx(y.mean(), abs=4 * shift.standard_error + 0.002)
    assert shift.estimated == pytest.approx(shift.prevalence)
    adapted = sigmoid(log_odds + shift.delta)
    assert adapted.mean() == pytest.approx(y.mean(), abs=0.02)


def test_the_maximum_is_the_one_expectation_maximisation_reaches():
    log_odds, _ = population(3000, 6, prevalence=0.7)
    share = 0.85
    for _ in range(3000):
        share = sigmoid(log_odds + logit(share) - logit(0.85)).mean()
    found = adapt_to_prevalence(log_odds, prevalence=0.85, pseudo_devices=1e-9)
    assert found.prevalence == pytest.approx(share, abs=1e-6)


def test_a_few_devices_do_not_move_the_prevalence_far():
    assert adapt_to_prevalence([-6.0] * 3, prevalence=0.9).prevalence > 0.8
    assert adapt_to_prevalence([], prevalence=0.9).prevalence == 0.9


def test_the_interval_covers_and_knows_that_devices_of_an_account_are_alike():
    covered = 0
    for seed in range(60):
        log_odds, _ = population(400, 100 + seed, prevalence=0.7)
        found = adapt_to_prevalence(log_odds, prevalence=0.85, pseudo_devices=1e-3)
        low, high = found.interval
        covered += low <= 0.7 <= high
    assert covered >= 52
    log_odds, _ = population(400, 7, prevalence=0.7)
    once = adapt_to_prevalence(log_odds, prevalence=0.85, pseudo_devices=1e-9)
    fourfold = {"log_odds": np.repeat(log_odds, 4), "prevalence": 0.85, "pseudo_devices": 1e-9}
    alike = adapt_to_prevalence(**fourfold, account=np.repeat(np.arange(400), 4))
    assert alike.standard_error == pytest.approx(once.standard_error, rel=0.1)
    assert adapt_to_prevalence(**fourfold).standard_error < 0.6 * alike.standard_error


def test_open_cases_are_taken_off_from_both_classes():
    settled, open_share = 0.9, 0.08
    everyone = (1 - open_share) * settled + open_share / 2
    assert settled_share(everyone, open_share) == pytest.approx(settled)
    log_odds, _ = population(20_000, 8, prevalence=everyone)
    found = adapt_to_prevalence(log_odds, prevalence=0.85, open_share=open_share)
    assert found.estimated == pytest.approx(everyone, abs=0.01)
    assert found.prevalence == pytest.approx(settled, abs=0.01)


def test_a_difference_within_the_doubt_is_not_acted_upon_and_a_larger_one_by_the_rest():
    log_odds, _ = population(20_000, 9, prevalence=0.85)
    assert adapt_to_prevalence(log_odds, prevalence=0.85, doubt=DOUBT).delta == 0.0
    log_odds, _ = population(20_000, 9, prevalence=0.6)
    sure = adapt_to_prevalence(log_odds, prevalence=0.85)
    doubting = adapt_to_prevalence(log_odds, prevalence=0.85, doubt=DOUBT)
    assert doubting.delta == pytest.approx(sure.delta + DOUBT)
    assert doubting.prevalence == pytest.approx(float(sigmoid(logit(0.85) + doubting.delta)))


def test_parameters_out_of_range_are_told_together():
    with pytest.raises(ParameterError, match=r"prevalence must be in \(0, 1\)") as caught:
        adapt_to_prevalence([0.0], prevalence=1.0, open_share=1.0)
    assert len(caught.value.problems) == 2


def test_bounds_hold_after_a_shift_as_thresholds_move_along():
    """False flags stay; the share of errors among those called household follows its odds."""
    before, y_before = population(200_000, 10, prevalence=0.85)
    after, y_after = population(200_000, 11, prevalence=0.6)
    delta = logit(0.6) - logit(0.85)
    chosen = Thresholds(0.05, 0.9, (Bound("household_error", 0.05, 0.95, 400, 9, 0.04),))
    moved = chosen.shifted(delta)

    def called(thresholds, log_odds):
        return thresholds.calls(sigmoid(log_odds))

    old, new = called(chosen, before), called(moved, after + delta)
    assert np.array_equal(new, called(chosen, after))
    flagged_before = (old[y_before == 1] == -1).mean()
    assert (new[y_after == 1] == -1).mean() == pytest.approx(flagged_before, abs=0.002)
    errors = [(y[calls == 1] == 0).mean() for y, calls in ((y_before, old), (y_after, new))]
    wanted = sigmoid(logit(errors[0]) - delta)
    assert errors[1] == pytest.approx(float(wanted), rel=0.05)
    assert moved.bounds[0].rate == pytest.approx(float(sigmoid(logit(0.05) - delta)))


def test_a_shift_and_its_opposite_bring_the_thresholds_back():
    chosen = Thresholds(0.1, 0.9, (Bound("household_error", 0.05, 0.95, 400, 9, None),))
    again = chosen.shifted(1.3).shifted(-1.3)
    assert again.outside_at == pytest.approx(0.1)
    assert again.bounds[0].rate == pytest.approx(0.05)
    assert again.bounds[0].upper is None


def test_the_identity_stays_where_the_population_is_the_same():
    log_odds, _ = population(5000, 12)
    kept = adapt_to_prevalence(log_odds, prevalence=0.85, doubt=DOUBT)
    plain = Calibration.identity(0.85)
    assert plain.shifted(kept.delta, prevalence=kept.prevalence) == plain


def test_what_is_trusted_by_half_moves_half_as_far() -> None:
    log_odds = [-3.0] * 400 + [3.0] * 600
    whole = adapt_to_prevalence(log_odds, prevalence=0.85, doubt=DOUBT)
    part = adapt_to_prevalence(log_odds, prevalence=0.85, doubt=DOUBT, trust=TRUST)
    assert part.delta == pytest.approx(TRUST * whole.delta)
    assert whole.prevalence < part.prevalence < 0.85
    assert part.estimated == whole.estimated
    with pytest.raises(ParameterError, match="trust in \\[0, 1\\]"):
        adapt_to_prevalence(log_odds, prevalence=0.85, trust=1.1)
