import numpy as np
import pytest
from scipy import stats

from household_ml.errors import ModelFormatError, ParameterError
from household_ml.modeling.calibration import Calibration
from household_ml.modeling.thresholds import (
    GRID,
    ThresholdConfig,
    Thresholds,
    choose_thresholds,
    clopper_pearson_upper,
    clustered_upper,
)


def accounts(count, seed, outside=0.1):
    """Devices of accounts with a mood in common, so that errors come in clusters."""
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 8, count)
    account = np.repeat(np.arange(count), size)
    mood = rng.normal(size=count)[account]
    y = (rng.random(account.size) >= outside).astype(float)
    log_odds = np.where(y == 1, 5.0, -2.0) + mood + 1.5 * rng.normal(size=account.size)
    return log_odds, y, account


@pytest.mark.parametrize("errors", [0, 1, 7, 100])
def test_the_limit_is_the_exact_binomial_one(errors):
    limit = clopper_pearson_upper(errors, 400)
    assert limit == pytest.approx(
        stats.binomtest(errors, 400, alternative="less").proportion_ci(0.95, "exact").high
    )
    assert stats.binom.cdf(errors, 400, limit) == pytest.approx(0.05)


@pytest.mark.parametrize(("rate", "needed"), [(0.01, 299), (0.005, 598), (0.001, 2995)])
def test_with_no_error_seen_a_bound_needs_this_many_accounts(rate, needed):
    assert clopper_pearson_upper(0, needed) <= rate < clopper_pearson_upper(0, needed - 1)


def test_nothing_counted_and_all_wrong_give_no_bound():
    assert clopper_pearson_upper([0, 5], [0, 5]).tolist() == [1.0, 1.0]


def test_errors_in_clusters_weigh_more_than_errors_apart():
    units = np.full(200, 5)
    apart = np.zeros(200, dtype=np.int64)
    apart[:10] = 1
    together = np.zeros(200, dtype=np.int64)
    together[:2] = 5
    assert clustered_upper(together, units) > 1.3 * clustered_upper(apart, units)


@pytest.mark.parametrize("config", [ThresholdConfig(), ThresholdConfig(account_rate=0.05)])
def test_the_bounds_are_held_in_the_population(config):
    """The bound fails in at most 5 % of repetitions; the number of failures is binomial."""
    truth = accounts(20_000, 99)
    failures = {"account": 0, "device": 0, "household": 0}
    repetitions = 80
    for seed in range(repetitions):
        chosen = choose_thresholds(*accounts(1500, seed), Calibration.identity(), config=config)
        calls = chosen.calls(Calibration.identity().probability(truth[0]))
        flagged = (calls == -1) & (truth[1] == 1)
        honest = np.bincount(truth[2], weights=truth[1] == 0) == 0
        hit = np.bincount(truth[2], weights=flagged) > 0
        failures["account"] += hit[honest].mean() > config.account_rate
        failures["device"] += flagged.sum() / (truth[1] == 1).sum() > config.device_rate
        said = calls == 1
        failures["household"] += (truth[1][said] == 0).mean() > config.household_error
    allowed = stats.binom.ppf(0.999, repetitions, 0.05)
    assert max(failures.values()) <= allowed


def test_the_threshold_is_the_last_candidate_within_the_bound():
    log_odds, y, account = accounts(3000, 1)
    chosen = choose_thresholds(log_odds, y, account, Calibration.identity())
    honest = np.bincount(account, weights=y == 0) == 0
    weakest = np.full(3000, np.inf)
    np.minimum.at(weakest, account[y == 1], log_odds[y == 1])
    within = [
        clopper_pearson_upper((weakest[honest] <= candidate).sum(), honest.sum()) <= 0.01
        for candidate in GRID
    ]
    last = GRID[np.flatnonzero(within)[-1]]
    assert chosen.outside_at == pytest.approx(Calibration.identity().probability(last))
    bound = chosen.bounds[0]
    assert (bound.name, bound.units) == ("account_false_flags", honest.sum())
    assert bound.errors == (weakest[honest] <= last).sum()


def test_too_few_accounts_qualify_nothing():
    log_odds, y, account = accounts(250, 2)
    chosen = choose_thresholds(log_odds, y, account, Calibration.identity())
    assert chosen.outside_at is None
    assert chosen.bounds[0].upper is None
    assert not (chosen.calls(np.zeros(5)) == -1).any()


def test_scores_that_know_nothing_qualify_nothing():
    rng = np.random.default_rng(3)
    account = np.arange(4000)
    y = (rng.random(4000) < 0.5).astype(float)
    chosen = choose_thresholds(np.zeros(4000), y, account, Calibration.identity())
    assert chosen.household_at is None
    calls = chosen.calls(np.full(4000, 0.5))
    assert not calls.any()


def test_ambiguous_unlabelled_and_unseen_devices_are_not_held_against_it():
    log_odds, y, account = accounts(2000, 4)
    plain = choose_thresholds(log_odds, y, account, Calibration.identity())
    extra = np.full(500, -20.0)
    ambiguous = np.r_[np.zeros(y.size, bool), np.ones(500, bool)]
    more = choose_thresholds(
        np.r_[log_odds, extra],
        np.r_[y, np.ones(500)],
        np.r_[account, account[:500]],
        Calibration.identity(),
        ambiguous=ambiguous,
    )
    unlabelled = choose_thresholds(
        np.r_[log_odds, extra],
        np.r_[y, np.full(500, np.nan)],
        np.r_[account, account[:500]],
        Calibration.identity(),
    )
    assert plain == more == unlabelled
    worst = np.where((y == 1) & (log_odds < 2), -20.0, log_odds)
    spared = choose_thresholds(
        worst, y, account, Calibration.identity(), unseen=(y == 1) & (log_odds < 2)
    )
    assert spared.outside_at is not None
    assert choose_thresholds(worst, y, account, Calibration.identity()).outside_at is None


def test_a_shift_moves_thresholds_along_with_the_probabilities():
    chosen = Thresholds(0.1, 0.9)
    p = np.linspace(0.001, 0.999, 997)
    moved = Calibration.identity().shifted(1.3, prevalence=0.8)
    raw = np.log(p / (1 - p))
    assert np.array_equal(chosen.shifted(1.3).calls(moved.probability(raw)), chosen.calls(p))


def test_thresholds_come_back_from_dicts():
    chosen = choose_thresholds(*accounts(800, 5), Calibration.identity())
    assert Thresholds.from_dict(chosen.to_dict()) == chosen


def test_thresholds_out_of_order_and_rates_out_of_range_are_refused():
    with pytest.raises(ModelFormatError, match=r"the lower one below the upper one, got 0\.9"):
        Thresholds(0.9, 0.1)
    with pytest.raises(ParameterError, match="account_rate must be between 0 and 1, got 1"):
        ThresholdConfig(account_rate=1)
