"""Cost curves: the least cost there is, never more than flagging nobody."""

from __future__ import annotations

import numpy as np
import pytest

from household_ml.modeling.costs import RATIOS, compute_cost_curves, plot_cost_curves


@pytest.fixture
def devices(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    y = (rng.random(300) < 0.7).astype(float)
    return np.round(rng.normal(-y, 1.0), 1), y


def test_the_cost_is_the_least_over_all_thresholds(
    devices: tuple[np.ndarray, np.ndarray],
) -> None:
    score, y = devices
    found = compute_cost_curves({"score": score}, y, ratios=[0.3, 2.0, 40.0])
    outside = y == 0
    for row in found.to_dict("records"):
        costs = [
            (outside & (score < at)).sum() + row["ratio"] * (~outside & (score >= at)).sum()
            for at in [*np.unique(score), np.inf]
        ]
        assert row["cost"] == pytest.approx(min(costs) / outside.sum())


def test_no_price_makes_a_score_worse_than_flagging_nobody(
    devices: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> None:
    score, y = devices
    found = compute_cost_curves({"score": score, "noise": rng.normal(size=300)}, y)

    assert found["cost"].max() <= 1.0
    assert found.groupby("score")["cost"].apply(lambda cost: cost.is_monotonic_increasing).all()
    assert len(found) == 2 * len(RATIOS)


def test_a_perfect_score_leaves_no_harm() -> None:
    y = np.array([1.0, 1.0, 0.0, np.nan])
    found = compute_cost_curves({"truth": np.array([0.0, 0.0, 1.0, 1.0])}, y)
    assert found["cost"].tolist() == [0.0] * len(RATIOS)


def test_the_ambiguous_ones_do_not_count() -> None:
    y, score = np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0, 2.0])
    found = compute_cost_curves(
        {"score": score}, y, ambiguous=np.array([False, False, True]), ratios=[1000.0]
    )
    assert found["cost"].tolist() == [0.0]


def test_the_picture_has_a_line_for_each_score_and_one_for_flagging_nobody(
    devices: tuple[np.ndarray, np.ndarray],
) -> None:
    score, y = devices
    axes = plot_cost_curves(compute_cost_curves({"a": score, "b": -score}, y))
    assert axes.get_legend_handles_labels()[1] == ["a", "b", "flag nobody"]
