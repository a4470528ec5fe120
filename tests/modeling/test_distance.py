"""The way from the plain model to the oracle, and a model's share of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from household_ml.errors import ParameterError
from household_ml.modeling.comparison import compare_scores
from household_ml.modeling.distance import (
    MODEL,
    ORACLE,
    ORACLE_HOME,
    PLAIN,
    Distance,
    mean_distance,
    measure_distance,
    share_of_mean_way,
    share_of_way,
)


def world(seed: int = 0, accounts: int = 600) -> tuple[dict[str, np.ndarray], ...]:
    """Scores of rising skill on the same devices."""
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(accounts), rng.integers(2, 8, accounts))
    y = (rng.random(account.size) < 0.8).astype(float)
    noise = rng.normal(size=account.size)
    skill = {PLAIN: 1.0, MODEL: 2.0, ORACLE: 3.5, ORACLE_HOME: 4.0}
    return {name: (y == 0) * by + noise for name, by in skill.items()}, y, account


def test_the_ends_are_nought_and_one() -> None:
    assert share_of_way(0.3, 0.3, 0.8) == 0.0
    assert share_of_way(0.8, 0.3, 0.8) == 1.0
    assert share_of_way(0.2, 0.3, 0.8) < 0
    assert share_of_way(0.9, 0.3, 0.8) > 1


@pytest.mark.parametrize("oracle", [0.3, 0.2])
def test_without_a_way_there_is_no_share_of_it(oracle: float) -> None:
    assert np.isnan(share_of_way(0.5, 0.3, oracle))


def test_recalls_are_those_of_the_comparison() -> None:
    scores, y, account = world()
    found = measure_distance(scores, y, account, name="w", replicates=20, seed=4)
    other = compare_scores(scores, y, account, rates=(0.01, 0.001), replicates=20, seed=4)
    for name, row in found.recall.items():
        assert row == {metric: other.rows[name][metric] for metric in row}
    way = found.covered[MODEL]["covered_at_0.01"]
    recalls = [found.recall[name]["recall_at_0.01"].value for name in (MODEL, PLAIN, ORACLE)]
    assert way.value == pytest.approx(float(share_of_way(*recalls)), abs=1e-4)
    assert way.low < way.value < way.high
    assert found.covered[ORACLE_HOME]["covered_at_0.01"].value > 1
    assert not {PLAIN, ORACLE} & set(found.covered)


def test_no_way_is_told_as_no_number() -> None:
    scores, y, account = world()
    scores[ORACLE] = scores[PLAIN]
    found = measure_distance(scores, y, account, name="w", replicates=5)
    assert found.covered[MODEL]["covered_at_0.01"].value is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_open_ones_are_apart() -> None:
    scores, y, account = world()
    more = {name: np.r_[score, np.full(50, score.max() + 1)] for name, score in scores.items()}
    with_open = measure_distance(
        more,
        np.r_[y, np.ones(50)],
        np.r_[account, account[:50]],
        ambiguous=np.r_[np.zeros(y.size, bool), np.ones(50, bool)],
        name="w",
        replicates=5,
    )
    alone = measure_distance(scores, y, account, name="w", replicates=5)
    assert with_open.recall == alone.recall
    assert with_open.counts == {**alone.counts, "ambiguous": 50}
    assert with_open.open_flagged[MODEL].value == 1.0
    assert alone.open_flagged[MODEL].value is None


def test_the_mean_is_that_of_the_worlds_and_narrower() -> None:
    worlds = [
        measure_distance(*world(seed), name=str(seed), replicates=100, seed=seed)
        for seed in range(4)
    ]
    mean = mean_distance(worlds)
    for metric in ("recall_at_0.01", "recall_at_0.001"):
        values = [each.recall[MODEL][metric].value for each in worlds]
        assert mean.recall[MODEL][metric].value == pytest.approx(np.mean(values), abs=1e-5)
    ways = [each.covered[MODEL]["covered_at_0.01"] for each in worlds]
    way = mean.covered[MODEL]["covered_at_0.01"]
    assert way.value == pytest.approx(np.mean([each.value for each in ways]), abs=1e-5)
    assert way.high - way.low < min(each.high - each.low for each in ways)
    assert mean.name == "mean of 4 worlds"


def test_the_way_between_mean_recalls_is_no_mean_of_ways() -> None:
    worlds = [measure_distance(*world(seed), name=str(seed), replicates=5) for seed in range(3)]
    mean = mean_distance(worlds)
    recalls = [mean.recall[name]["recall_at_0.01"].value for name in (MODEL, PLAIN, ORACLE)]
    whole = share_of_mean_way(mean, MODEL, "0.01")
    assert whole == pytest.approx(float(share_of_way(*recalls)))
    assert share_of_mean_way(mean, PLAIN, "0.01") == 0.0
    assert share_of_mean_way(mean, ORACLE, "0.01") == 1.0


def test_a_world_without_a_way_counts_for_the_recalls_alone() -> None:
    one = measure_distance(*world(1), name="1", replicates=5)
    scores, y, account = world(2)
    two = measure_distance({**scores, ORACLE: scores[PLAIN]}, y, account, name="2", replicates=5)
    mean = mean_distance([one, two])
    assert mean.covered[MODEL]["covered_at_0.01"].value == pytest.approx(
        one.covered[MODEL]["covered_at_0.01"].value
    )


def test_it_survives_json_but_for_the_draws() -> None:
    found = measure_distance(*world(), name="w", replicates=5)
    again = Distance.from_dict(json.loads(json.dumps(found.to_dict(), sort_keys=True)))
    assert again == found
    assert again.to_text() == found.to_text()
    assert "recall at 0.1% FF" in found.to_text()
    with pytest.raises(ParameterError, match="with their draws, got 1, 1 of them without"):
        mean_distance([again])


def test_both_ends_are_needed() -> None:
    scores, y, account = world()
    with pytest.raises(ParameterError, match="both ends of the way, got none called oracle"):
        measure_distance({PLAIN: scores[PLAIN]}, y, account, name="w")
