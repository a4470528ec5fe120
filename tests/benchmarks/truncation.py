"""What cutting addresses costs the model that ships, on simulated accounts that it has not seen.

    python -m tests.benchmarks.truncation --readme README.md

writes the table between its marks in the README; without ``--readme`` it is printed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from household_ml import HouseholdScorer, read_sessions
from household_ml.serving.datasets import LabelledSessions
from household_ml.serving.truncation import compute_truncation_cost
from household_ml.simulation import simulate
from tests.docs.marks import write_between

#: Worlds, with seeds that no training uses.
WORLDS = {"fr": 90_001, "carrier_nat": 90_002}
ACCOUNTS, DAYS = 600, 60

FIRST = "<!-- truncation: make truncation writes what stands here -->"
LAST = "<!-- end of truncation -->"


def measure(accounts: int = ACCOUNTS, replicates: int = 200) -> pd.DataFrame:
    """The cost of each cut in each world."""
    model = HouseholdScorer.load().model
    parts = []
    for name, seed in WORLDS.items():
        world = simulate(name, accounts=accounts, days=DAYS, seed=seed)
        data = LabelledSessions(
            name, read_sessions(world.sessions), world.labels.to_pandas(), simulated=True
        )
        parts.append(compute_truncation_cost(model, data, replicates=replicates))
    return pd.concat(parts, ignore_index=True)


def to_markdown(frame: pd.DataFrame) -> str:
    """The table as the README has it."""
    lines = [
        "| world | kept | PR-AUC of outside | found at 1 % false flags | household devices called "
        "outside | answered |",
        "|---|---|---|---|---|---|",
    ]
    for row in frame.to_dict("records"):
        cells = [
            f"{row[name]:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]"
            for name in ("pr_auc", "found_at_1_percent", "false_flags", "answered")
        ]
        lines.append(f"| {row['world']} | {row['kept']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure, and write or print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readme", type=Path, help="file whose table is written")
    readme = parser.parse_args().readme
    table = to_markdown(measure())
    if readme is None:
        sys.stdout.write(f"{table}\n")
        return 0
    write_between(readme, FIRST, LAST, table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
