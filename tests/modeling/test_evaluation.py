import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_curve

from household_ml.errors import ParameterError
from household_ml.modeling.evaluation import (
    Estimate,
    Evaluation,
    compare_scores,
    evaluate_scores,
    tell_above,
)
from household_ml.modeling.thresholds import Thresholds


def devices(accounts=800, seed=0, decimals=2):
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(accounts), rng.integers(1, 9, accounts))
    y = (rng.random(account.size) < 0.88).astype(float)
    log_odds = np.where(y == 1, 3.0, -0.5) + rng.normal(size=account.size) * 1.3
    return (1 / (1 + np.exp(-log_odds))).round(decimals), y, account


def metric(evaluation, name):
    return evaluation.metrics[name].value


@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_metrics_equal_scikit_learn_with_and_without_ties(decimals):
    p, y, account = devices(decimals=decimals)
    found = evaluate_scores(p, y, account, replicates=2)
    outside = y == 0
    assert metric(found, "pr_auc") == pytest.approx(average_precision_score(outside, -p), abs=1e-6)
    assert metric(found, "brier") == pytest.approx(brier_score_loss(y, p), abs=1e-6)
    clipped = np.clip(p, 1e-15, 1 - 1e-15)
    assert metric(found, "log_loss") == pytest.approx(log_loss(y, clipped), abs=2e-6)
    assert metric(found, "prevalence") == pytest.approx(outside.mean(), abs=1e-6)
    false, true, _ = roc_curve(outside, -p, drop_intermediate=False)
    for rate in (0.01, 0.005, 0.001):
        assert metric(found, f"recall_at_{rate:g}") == pytest.approx(
            true[false <= rate].max(), abs=1e-6
        )


def test_a_score_without_an_operating_point_finds_nothing():
    y = np.array([1.0] * 90 + [0.0] * 10)
    flags_many = np.r_[np.ones(5), np.zeros(85), np.ones(10)]
    found = compare_scores({"rule": flags_many}, y, np.arange(100), replicates=5)
    assert found.rows["rule"]["recall_at_0.01"].value == 0.0
    assert found.rows["rule"]["flagged_rule"].value == pytest.approx(5 / 90, abs=1e-6)


def test_calibration_error_by_hand():
    p = np.repeat([0.2, 0.6, 0.9], 100)
    y = np.r_[np.ones(30), np.zeros(70), np.ones(60), np.zeros(40), np.ones(70), np.zeros(30)]
    found = evaluate_scores(p, y, np.arange(300), replicates=2, bins=3)
    assert [part.devices for part in found.reliability] == [100, 100, 100]
    assert [part.true.value for part in found.reliability] == [0.3, 0.6, 0.7]
    assert metric(found, "ece") == pytest.approx((0.1 + 0.0 + 0.2) / 3)


def test_bins_of_equal_probabilities_are_never_divided():
    p = np.r_[np.full(900, 0.9), np.linspace(0.1, 0.5, 100)]
    found = evaluate_scores(p, (p > 0.5).astype(float), np.arange(1000), replicates=2)
    holding = [part for part in found.reliability if part.low <= 0.9 <= part.high]
    assert len(holding) == 1


def test_honest_accounts_are_counted_as_accounts():
    """Four honest accounts, one of them with a flagged device, and a fifth that shares."""
    account = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    y = np.array([1.0, 1, 1, 1, 1, 1, 1, 1, 1, 0])
    p = np.array([0.01, 0.01, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.01, 0.01])
    found = evaluate_scores(
        p, y, account, thresholds=Thresholds(0.05, 0.5), replicates=2, rates=(0.5,)
    )
    assert found.counts["honest_accounts"] == 4
    assert metric(found, "called_honest_flagged") == 0.25
    assert metric(found, "honest_flagged_at_0.5") == 0.25
    assert metric(found, "called_false_flags") == pytest.approx(3 / 9, abs=1e-6)
    assert metric(found, "called_recall") == 1.0
    assert metric(found, "coverage") == 1.0
    assert metric(found, "risk") == pytest.approx(3 / 10)


def test_unseen_devices_are_never_called():
    p, y, account = devices()
    found = evaluate_scores(
        p, y, account, thresholds=Thresholds(0.3, 0.6), unseen=np.ones(y.size, bool), replicates=2
    )
    assert metric(found, "coverage") == 0.0
    assert found.metrics["risk"].value is None


def test_ambiguous_and_unlabelled_devices_change_no_headline_number():
    p, y, account = devices()
    plain = evaluate_scores(p, y, account, replicates=2)
    rng = np.random.default_rng(1)
    more = evaluate_scores(
        np.r_[p, rng.random(200)],
        np.r_[y, np.zeros(100), np.full(100, np.nan)],
        np.r_[account, account[:200]],
        ambiguous=np.r_[np.zeros(y.size, bool), np.ones(100, bool), np.zeros(100, bool)],
        situation=np.r_[np.full(y.size, "a", object), np.full(200, "student_away", object)],
        replicates=2,
    )
    assert {k: v.value for k, v in more.metrics.items()} == {
        k: v.value for k, v in plain.metrics.items()
    }
    apart = [part for part in more.slices if part.ambiguous]
    assert [(part.value, part.devices) for part in apart] == [("student_away", 100)]
    assert more.counts["ambiguous"] == 100


def test_slices_divide_the_whole():
    p, y, account = devices()
    situation = np.where(y == 1, np.where(p < 0.8, "travelling", "fixed"), "borrower")
    found = evaluate_scores(
        p, y, account, situation=situation, thresholds=Thresholds(0.1, 0.7), replicates=20
    )
    parts = {part.value: part for part in found.slices_of("situation")}
    assert sum(part.devices for part in parts.values()) == y.size
    flags = sum(
        part.false_flags.value * part.households for part in parts.values() if part.households
    )
    assert flags / (y == 1).sum() <= 0.01 + 1e-5
    assert parts["borrower"].recall.value == metric(found, "recall_at_0.01")
    assert parts["travelling"].ratio.value > 1.5
    assert parts["fixed"].false_flags.value == 0
    assert parts["travelling"] in found.unfair()
    assert parts["fixed"] not in found.unfair()


def test_situations_flagged_too_often_are_named_worst_first():
    """Of 1,000 household devices 30 are flagged: 8 of 50 moved, 20 of 50 travelling, 2 others."""
    flagged = {"moved": (8, 50), "travelling": (20, 50), "fixed": (2, 900), "second_home": (9, 20)}
    p = np.concatenate(
        [np.r_[np.full(hit, 0.1), np.full(n - hit, 0.9)] for hit, n in flagged.values()]
    )
    names = np.repeat(np.array(list(flagged), object), [n for _, n in flagged.values()])
    found = evaluate_scores(
        np.r_[p, np.full(200, 0.05)],
        np.r_[np.ones(p.size), np.zeros(200)],
        np.arange(p.size + 200),
        situation=np.r_[names, np.full(200, "borrower", object)],
        ambiguous=np.r_[names == "second_home", np.zeros(200, bool)],
        rates=(0.03,),
        replicates=5,
    )
    above = found.above()
    assert [part.value for part in above] == ["travelling", "moved"]
    assert [part.ratio.value for part in above] == pytest.approx(
        [0.4 / 0.03, 0.16 / 0.03], abs=1e-4
    )
    assert found.to_dict()["above"] == ["travelling", "moved"]
    assert found.above(limit=1e9) == ()
    assert tell_above(found) in found.to_text()
    assert "over 2 times as often as the whole: travelling" in tell_above(found)
    assert tell_above(found, limit=1e9).startswith("No situation is flagged wrongly")


def test_abstaining_lowers_the_risk():
    p, y, account = devices(accounts=3000)
    risks = [point.risk.value for point in evaluate_scores(p, y, account, replicates=2).abstention]
    assert risks[0] == pytest.approx(((p >= 0.5) != (y == 1)).mean(), abs=1e-6)
    assert risks[-1] < 0.3 * risks[0]


def test_intervals_are_those_of_accounts_resampled_with_their_devices():
    """Copies of a device within its account add no information: the interval stays as wide."""
    p, y, account = devices(accounts=500)
    once = evaluate_scores(p, y, account, seed=1)
    fivefold = evaluate_scores(np.repeat(p, 5), np.repeat(y, 5), np.repeat(account, 5), seed=1)
    for name in ("pr_auc", "brier", "prevalence"):
        assert fivefold.metrics[name] == once.metrics[name], name


def test_intervals_cover_the_truth():
    p, y, account = devices(accounts=40_000, seed=9, decimals=12)
    truth = metric(evaluate_scores(p, y, account, replicates=1), "recall_at_0.01")
    covered = 0
    for seed in range(40):
        found = evaluate_scores(
            *devices(accounts=400, seed=seed + 100, decimals=12), replicates=100
        )
        estimate = found.metrics["recall_at_0.01"]
        covered += estimate.low <= truth <= estimate.high
    assert covered >= 33  # 95 % of 40, less chance and the bias of a percentile interval


def test_row_order_and_names_of_accounts_change_nothing_but_the_draws():
    p, y, account = devices()
    order = np.random.default_rng(0).permutation(y.size)
    plain = evaluate_scores(p, y, account, seed=4)
    assert evaluate_scores(p[order], y[order], account[order], seed=4).metrics == plain.metrics
    assert evaluate_scores(p, y, account * 17 + 3, seed=4).to_dict() == plain.to_dict()


def test_comparison_is_paired():
    p, y, account = devices()
    rng = np.random.default_rng(5)
    found = compare_scores(
        {"model": -p, "worse": -p + 0.3 * rng.normal(size=p.size), "prior": np.zeros(p.size)},
        y,
        account,
    )
    gap = found.ahead["worse"]
    alone = found.rows["model"]["pr_auc"]
    assert gap.low > 0
    assert gap.high - gap.low < alone.high - alone.low + 0.05
    assert found.rows["prior"]["pr_auc"].value == pytest.approx(found.prevalence, abs=1e-6)
    text = found.to_text()
    assert text.splitlines()[0].split()[0] == "PR-AUC"
    assert "recall at 0.1% FF" in text


def test_an_evaluation_survives_json():
    p, y, account = devices()
    situation = np.where(y == 1, "fixed", "borrower")
    found = evaluate_scores(
        p, y, account, situation=situation, thresholds=Thresholds(0.1, 0.7), replicates=5
    )
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert Evaluation.from_dict(json.loads(text)) == found
    assert "situation borrower" in found.to_text()


def test_one_class_alone_gives_numbers_where_there_are_any():
    p, _, account = devices()
    found = evaluate_scores(p, np.ones(p.size), account, replicates=3)
    assert found.metrics["pr_auc"] == Estimate(None, None, None)
    assert found.metrics["brier"].value is not None
    assert "pr_auc                       -" in found.to_text()


def test_what_cannot_be_measured_is_refused():
    p, y, account = devices()
    with pytest.raises(ParameterError, match="probability must be between 0 and 1, got"):
        evaluate_scores(p * 2, y, account)
    with pytest.raises(ParameterError, match="score x must be finite, got 1 that are not"):
        compare_scores({"x": np.r_[np.nan, p[1:]]}, y, account)
    with pytest.raises(ParameterError, match="must have a score and a labelled device"):
        evaluate_scores(p, np.full(p.size, np.nan), account)
