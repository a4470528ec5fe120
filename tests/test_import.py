"""What is quick to start stays quick."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("mlflow", "pyspark", "numba", "llvmlite", "sklearn", "scipy", "pandas", "matplotlib")


def run(code: str, *, cwd: str | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=cwd
    )
    return done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import household_ml",
        "import household_ml; household_ml.HouseholdError",
        "from household_ml.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass",
    ],
    ids=["import", "errors", "help"],
)
def test_heavy_libraries_stay_out(code: str) -> None:
    out = run(f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))")
    loaded = set(json.loads(out.splitlines()[-1]))

    assert sorted(loaded.intersection(HEAVY)) == []


def test_import_takes_a_small_part_of_the_time_that_pandas_takes() -> None:
    ours, pandas = json.loads(
        run(
            "import json, time\n"
            "start = time.perf_counter(); import household_ml; middle = time.perf_counter()\n"
            "import pandas; end = time.perf_counter()\n"
            "print(json.dumps([middle - start, end - middle]))"
        )
    )
    assert ours < 0.25 * pandas
