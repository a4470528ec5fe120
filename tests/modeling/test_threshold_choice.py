"""The picture to choose thresholds by counts what counting by hand gives."""

from __future__ import annotations

import numpy as np
import pytest

from household_ml.modeling.threshold_choice import (
    compute_threshold_choice,
    plot_threshold_choice,
)
from household_ml.modeling.thresholds import Thresholds


def test_shares_are_those_counted_by_hand(rng: np.random.Generator) -> None:
    p, account = np.round(rng.random(200), 2), rng.integers(0, 60, 200)
    y = (rng.random(200) < p).astype(float)
    y[::9] = np.nan
    known = np.isfinite(y)
    found = compute_threshold_choice(p, y, account, at=np.array([0.0, 0.25, 0.5, 1.0]))
    honest = [each for each in np.unique(account[known]) if not (y[account == each] == 0).any()]
    for row in found.to_dict("records"):
        flagged = known & (p <= row["at"])
        hit = [each for each in honest if flagged[account == each].any()]
        assert row["flagged"] == flagged.sum()
        assert row["recall"] == pytest.approx((flagged & (y == 0)).sum() / (y == 0).sum())
        assert row["false_flags"] == pytest.approx((flagged & (y == 1)).sum() / (y == 1).sum())
        assert row["honest_flagged"] == pytest.approx(len(hit) / len(honest))


def test_flagging_more_never_finds_fewer(rng: np.random.Generator) -> None:
    p = rng.random(300)
    y = (rng.random(300) < p).astype(float)
    found = compute_threshold_choice(p, y, np.arange(300) // 4)
    for column in ("flagged", "recall", "false_flags", "honest_flagged"):
        assert found[column].is_monotonic_increasing


def test_the_thresholds_of_a_model_are_drawn_where_there_are_any(
    rng: np.random.Generator,
) -> None:
    p = rng.random(50)
    found = compute_threshold_choice(p, (p > 0.5).astype(float), np.arange(50))
    words = [
        [text.get_text().split()[0] for text in plot_threshold_choice(found, given).texts]
        for given in (None, Thresholds(None, 0.9), Thresholds(0.1, 0.9))
    ]
    assert words == [[], ["household"], ["outside", "household"]]
