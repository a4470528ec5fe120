"""What the classifier must bear."""

from __future__ import annotations

import numpy as np

from household_ml.modeling.classifier import ClassifierConfig, fit_classifier
from household_ml.modeling.trees import Trees


def test_a_feature_that_nobody_knows_is_learnt_around() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(400, 3))
    values[:, 1] = np.nan
    y = (values[:, 0] > 0).astype(float)
    config = ClassifierConfig(trees=20, leaves=4, min_rows=20)
    trees = Trees.from_estimator(fit_classifier(values, y, monotone=(1, 0, 0), config=config))
    assert np.mean((trees.log_odds(values) > 0) == (y == 1)) > 0.95
    assert trees.usage()[1] == 0


def test_more_of_a_constrained_feature_never_lowers_the_answer() -> None:
    rng = np.random.default_rng(6)
    values = rng.normal(size=(600, 2))
    y = (values[:, 0] + np.sin(3 * values[:, 0]) + rng.normal(size=600) > 0).astype(float)
    config = ClassifierConfig(trees=40, leaves=8, min_rows=20)
    trees = Trees.from_estimator(fit_classifier(values, y, monotone=(1, 0), config=config))
    line = np.column_stack([np.linspace(-3, 3, 200), np.zeros(200)])
    assert np.all(np.diff(trees.log_odds(line)) >= 0)
