"""What a family of features is worth, measured on kinds left out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from household_ml.errors import ParameterError
from household_ml.modeling.ablation import Ablated, compare_ablated
from household_ml.modeling.training import TrainingSet
from household_ml.serving.ablation import FAMILIES, deal_kinds
from household_ml.serving.datasets import LEARNT


def kind(seed: int, accounts: int = 500) -> tuple[TrainingSet, np.ndarray]:
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(accounts), rng.integers(1, 9, accounts))
    y = (rng.random(account.size) < 0.8).astype(float)
    log_odds = np.where(y == 1, 2.5, -1.5) + rng.normal(size=y.size)
    p = 1 / (1 + np.exp(-log_odds))
    return TrainingSet("w", np.zeros((y.size, 1)), y, account), p


KINDS = {"one": kind(1), "two": kind(2)}
DEVICES = {name: devices for name, (devices, _) in KINDS.items()}
FULL = {name: p for name, (_, p) in KINDS.items()}


def blurred(scale: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        name: np.clip(p + scale * rng.normal(size=p.size), 0.01, 0.99) for name, p in FULL.items()
    }


def test_a_family_that_changes_nothing_is_worth_nothing_for_sure() -> None:
    found = compare_ablated(DEVICES, FULL, {"idle": FULL}, features={"idle": 3}, replicates=20)
    for change in (found["idle"].recall, found["idle"].log_loss):
        assert (change.value, change.low, change.high) == (0.0, 0.0, 0.0)


def test_losing_a_family_costs_and_the_worst_comes_first() -> None:
    without = {"idle": FULL, "small": blurred(0.05), "large": blurred(0.3)}
    features = dict.fromkeys(without, 1)
    found = compare_ablated(DEVICES, FULL, without, features=features, replicates=100)
    assert list(found) == ["large", "small", "idle"]
    assert found["large"].log_loss.low > 0
    assert found["large"].recall.high < 0
    for each in found.values():
        assert each.log_loss.low <= each.log_loss.value <= each.log_loss.high
        mean = np.mean([row["log_loss"] for row in each.kinds.values()])
        assert each.log_loss.value == pytest.approx(mean, abs=1e-5)


def test_changes_are_paired() -> None:
    """The interval of a small change is far narrower than that of the loss itself."""
    found = compare_ablated(
        DEVICES, FULL, {"small": blurred(0.02)}, features={"small": 1}, replicates=100
    )
    loss = found["small"].log_loss
    assert loss.high - loss.low < 0.01


def test_open_and_unlabelled_devices_do_not_count() -> None:
    devices, p = KINDS["one"]
    odd = np.zeros(p.size, bool)
    odd[::7] = True
    marked = TrainingSet("w", devices.values, devices.y, devices.account, ambiguous=odd)
    wrong = np.where(odd, 0.001, p)
    found = compare_ablated({"k": marked}, {"k": p}, {"f": {"k": wrong}}, features={"f": 1})
    assert found["f"].log_loss.value == 0.0


def test_it_survives_json() -> None:
    found = compare_ablated(DEVICES, FULL, {"x": blurred(0.1)}, features={"x": 2}, replicates=5)[
        "x"
    ]
    assert Ablated.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def test_families_are_the_groups_of_what_is_learnt() -> None:
    assert sum(FAMILIES.values()) == len(LEARNT)
    assert set(FAMILIES) == {feature.group for feature in LEARNT}


@pytest.mark.parametrize("folds", [2, 3, 9])
def test_every_kind_is_dealt_once(folds: int) -> None:
    kinds = ["a", "a", "b", "c", "d", "d"]
    dealt = deal_kinds(kinds, folds)
    assert sorted(each for fold in dealt for each in fold) == ["a", "b", "c", "d"]
    assert len(dealt) == min(folds, 4)


def test_one_fold_or_one_kind_is_refused() -> None:
    with pytest.raises(ParameterError, match="got 1 folds of 2 kinds"):
        deal_kinds(["a", "b"], 1)
    with pytest.raises(ParameterError, match="got 3 folds of 1 kinds"):
        deal_kinds(["a", "a"], 3)
