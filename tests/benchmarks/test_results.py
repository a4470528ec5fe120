"""What was measured stands in the README as it was recorded, and is no worse than was agreed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.batch import (
    BEGIN,
    CEILINGS,
    CONTESTANTS,
    END,
    beside_earlier,
    into_readme,
    table,
)

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results.json").read_text())


def test_the_readme_tells_the_recorded_results() -> None:
    assert README.split(BEGIN)[1].split(END)[0] == f"\n\n{table(RESULTS)}\n"
    assert into_readme(README, RESULTS) == README


def test_every_contestant_ran_five_times_or_is_said_to_be_absent() -> None:
    assert list(RESULTS["contestants"]) == [each.name for each in CONTESTANTS]
    for each in RESULTS["contestants"].values():
        assert len(each.get("runs", [])) >= 5 or each["absent"]


@pytest.mark.parametrize("name", CEILINGS)
def test_a_recording_is_not_slower_than_was_agreed(name: str) -> None:
    """Ratios of one run that is over: nothing here depends on how busy this machine is."""
    assert RESULTS["contestants"][name]["cpu_to_floor"] <= CEILINGS[name]


def test_a_new_recording_is_told_beside_the_earlier_one() -> None:
    slower = json.loads(json.dumps(RESULTS))
    slower["contestants"]["score"]["cpu_to_floor"] *= 1.5
    (told,) = beside_earlier(slower, RESULTS)
    assert "scores with reasons" in told
    assert "+50% CPU" in told
    assert beside_earlier(RESULTS, RESULTS) == []
