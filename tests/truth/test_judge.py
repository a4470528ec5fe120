"""Any scores of a world on disk are put between the references of that world."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from household_ml.modeling.distance import MODEL, ORACLE, PLAIN
from tests.truth.judge import judge, write_world


def test_any_scores_are_put_between_the_references(tmp_path: Path) -> None:
    write_world(tmp_path / "fr", "fr", accounts=150, days=30, seed=5)
    labels = pd.read_parquet(tmp_path / "fr" / "labels.parquet")
    knowing = labels.assign(household_probability=labels["in_household"].astype(float))
    found = judge(tmp_path / "fr", knowing, replicates=5)
    assert found.recall[MODEL]["recall_at_0.001"].value == 1.0
    assert found.covered[MODEL]["covered_at_0.01"].value > 1.0
    blank = judge(tmp_path / "fr", knowing[:0], replicates=5)
    assert blank.recall[MODEL]["recall_at_0.01"].value == 0.0
    for name in (PLAIN, ORACLE):
        assert blank.recall[name] == found.recall[name]
