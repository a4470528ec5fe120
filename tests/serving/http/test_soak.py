"""Half an hour at 70 % of the top rate: no error, flat memory, steady times.

`SOAK_MINUTES` makes it shorter; the slope of memory is judged from a million requests on.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "service.py"


@pytest.mark.soak
@pytest.mark.slow
def test_a_long_time_at_seventy_per_cent_of_the_top_rate(tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    minutes = os.environ.get("SOAK_MINUTES", "30")
    command = [sys.executable, str(SCRIPT), "--soak", minutes, "--out", str(out)]
    subprocess.run(command, check=True)
    found = json.loads(out.read_text(encoding="utf-8"))["soak"]

    assert found["requests"] > 1000
    assert found["wrong"] == 0
    if found["requests"] >= 1_000_000:
        assert found["memory_mb_per_million"] < 1
    else:
        assert found["memory_mb_last"] - found["memory_mb_first"] < 20
    first, last = (statistics.median(part) for part in halves(found["p99_ms_by_part"]))
    assert last < 2 * first


def halves(parts: list[float]) -> tuple[list[float], list[float]]:
    middle = len(parts) // 2
    return parts[:middle], parts[middle:]
