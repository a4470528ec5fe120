import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from household_ml.modeling.evaluation import evaluate_scores
from household_ml.modeling.plots import (
    COLOURS,
    compute_false_flags,
    compute_ranking_curves,
    compute_reliability,
    plot_false_flags,
    plot_precision_recall,
    plot_recall_at_false_flags,
    plot_reliability,
)


@pytest.fixture(scope="module")
def devices():
    rng = np.random.default_rng(0)
    account = np.repeat(np.arange(400), 4)
    y = (rng.random(1600) < 0.85).astype(float)
    log_odds = np.where(y == 1, 3.0, -0.5) + 1.3 * rng.normal(size=1600)
    return (1 / (1 + np.exp(-log_odds))).round(2), y, account


@pytest.fixture(scope="module")
def evaluation(devices):
    situation = np.where(devices[1] == 1, "resident_vpn", "borrower_far").astype(object)
    situation[::7] = "resident_fixed"
    return evaluate_scores(*devices, situation=situation, replicates=30)


def test_curves_equal_scikit_learn_at_every_threshold(devices):
    p, y, _ = devices
    frame = compute_ranking_curves({"model": -p}, y)
    precision, recall, _ = precision_recall_curve(y == 0, -p, drop_intermediate=False)
    np.testing.assert_allclose(frame["recall"], recall[:-1][::-1])
    np.testing.assert_allclose(frame["precision"], precision[:-1][::-1])
    false, true, _ = roc_curve(y == 0, -p, drop_intermediate=False)
    np.testing.assert_allclose(frame["false_flag_rate"], false[1:])
    np.testing.assert_allclose(frame["recall"], true[1:])


def test_long_curves_are_thinned_and_keep_both_ends():
    rng = np.random.default_rng(1)
    y = (rng.random(20_000) < 0.8).astype(float)
    frame = compute_ranking_curves({"noise": rng.random(20_000)}, y, points=300)
    assert len(frame) <= 300
    assert frame["flagged"].iloc[[0, -1]].tolist() == [1, 20_000]


def test_tables_say_what_the_evaluation_says(evaluation):
    reliability = compute_reliability(evaluation)
    assert reliability["devices"].sum() == 1600
    assert reliability["said"].is_monotonic_increasing
    flags = compute_false_flags(evaluation)
    assert set(flags["slice"]) == {"resident_vpn", "resident_fixed"}
    assert flags["rate"].is_monotonic_decreasing


def test_pictures_are_drawn_with_words_on_both_axes(devices, evaluation, tmp_path):
    p, y, _ = devices
    curves = compute_ranking_curves({"model": -p, "prior": np.zeros(p.size)}, y)
    pictures = [
        plot_reliability(compute_reliability(evaluation)),
        plot_precision_recall(curves, 0.15),
        plot_recall_at_false_flags(curves),
        plot_false_flags(compute_false_flags(evaluation)),
    ]
    for number, axes in enumerate(pictures):
        assert axes.get_xlabel()
        assert axes.get_title()
        path = tmp_path / f"{number}.png"
        axes.figure.savefig(path, dpi=40)
        assert path.stat().st_size > 2000
    assert pictures[1].get_ylabel()
    assert len(set(COLOURS)) == len(COLOURS)


def test_an_empty_evaluation_is_an_empty_picture(devices):
    bare = evaluate_scores(*devices, replicates=2)
    frame = compute_false_flags(bare)
    assert frame.empty
    assert plot_false_flags(frame).get_title() == "False flags by situation"


def test_computing_needs_no_matplotlib():
    code = "import sys, household_ml.modeling.plots; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
