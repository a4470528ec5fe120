"""What the README says of the service's speed is what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.service_table import (
    FIRST,
    LAST,
    OURS,
    RESULTS,
    TITLES,
    goals,
    in_readme,
    table,
)

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def rounds(rate: float, p99_ms: float) -> list[dict[str, Any]]:
    load = {"requests": rate * 5, "seconds": 5.0, "p50_ms": p99_ms / 2, "p99_ms": p99_ms}
    return [{"load": load, "cpu_us": 1e6 / rate}] * 3


def test_the_readme_says_what_was_measured_and_nothing_before() -> None:
    if not RESULTS.exists():
        assert README.split(FIRST)[1].split(LAST)[0].strip() == ""
        return
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert set(found["rounds"]) == set(TITLES)
    assert in_readme(README, found) == README
    wrong = [each["load"]["wrong"] for runs in found["rounds"].values() for each in runs]
    assert sum(wrong) == 0


def test_ratios_are_ours_to_theirs() -> None:
    made = {"rounds": {OURS: rounds(2_000, 4.0), "pydantic": rounds(4_000, 2.0)}}
    lines = table(made).splitlines()
    assert lines[2].endswith("| 2,000 | 2.00 | 4.00 | 500 |  |")
    assert lines[3].endswith("| 4,000 | 1.00 | 2.00 | 250 | 0.5 x, 2 x |")


@pytest.mark.parametrize(("usual", "word"), [(40.0, "holds"), (50.0, "does not hold")])
def test_a_goal_that_does_not_hold_is_told(usual: float, word: str) -> None:
    made = {name: rounds(2_000, 4.0) for name in TITLES}
    made["mlflow-usual"] = rounds(usual, 100.0)
    told = goals({"rounds": made}).splitlines()
    assert (
        told[2]
        == f"| at least 50 times the rate of the usual pyfunc | {2_000 / usual:.3g} x | {word} |"
    )
    assert told[3].endswith("0.04 x | holds |")
