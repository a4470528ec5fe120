"""What few, wrong and unfairly drawn labels do to a model: learning curves on simulated worlds.

    household-ml simulate --hand second --world us --accounts 4000 --truth --out worlds/us
    python -m tests.benchmarks.labels --data worlds/us --model MODEL --out curves.json

Half of the accounts of each world are kept aside. Accounts of the other half are labelled in the
ways of :data:`WAYS`; the model learns from ever more of them, as `household-ml train` does, and is
measured on the accounts kept aside, against the truth. The oracle and the plain model learn from
the same accounts, rightly labelled; the share of the way between them is told for the largest
number of accounts. ``make labels`` writes what is found into the README.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.modeling.calibration import sigmoid
from household_ml.modeling.learning_curve import COUNTS, LearningCurve, measure_curve
from household_ml.modeling.model import HouseholdModel
from household_ml.modeling.training import TrainingSet
from tests.docs.marks import write_between

__all__ = ["WAYS", "label", "summarise", "to_readme"]

FIRST = "<!-- labels: make labels writes what stands here -->"
LAST = "<!-- end of labels -->"

Floats = npt.NDArray[np.float64]

#: A way of labelling: from what is true and what the model says, the chance of a label and the
#: share of labels that are wrong.
Way = Callable[[Floats, Floats], tuple[Floats, float]]


def _everybody(wrong: float) -> Way:
    return lambda y, p: (np.ones(y.size), wrong)


#: Ways of labelling devices. All chances are assumptions.
WAYS: dict[str, Way] = {
    "fair": _everybody(0.0),
    "4 % wrong": _everybody(0.04),
    "15 % wrong": _everybody(0.15),
    # outsiders are complained about and looked at three times as often
    "complaints": lambda y, p: (np.where(y == 1.0, 0.2, 0.6), 0.04),
    # what the model suspects is looked at
    "suspects": lambda y, p: (np.where(p < np.quantile(p, 0.3), 0.6, 0.1), 0.04),
    # devices that are surely at home are verified, the others rarely
    "home devices": lambda y, p: (np.where((y == 1.0) & (p > np.median(p)), 0.7, 0.15), 0.04),
    "household alone": lambda y, p: (np.where(y == 1.0, 0.4, 0.0), 0.0),
}


def label(model: HouseholdModel, world: TrainingSet, way: str, seed: int) -> TrainingSet:
    """The devices of a world, labelled in one of the ways."""
    known = np.isfinite(world.y)
    if world.ambiguous is not None:
        known &= ~world.ambiguous
    rng = np.random.default_rng([seed, list(WAYS).index(way)])
    p = sigmoid(model.calibration.log_odds(model.log_odds(world.values)))
    chance, wrong = WAYS[way](world.y, p)
    given = known & (rng.random(len(world)) < chance)
    turned = rng.random(len(world)) < wrong
    told = np.where(turned, 1.0 - world.y, world.y)
    return replace(world, name=f"{world.name}, {way}", y=np.where(given, told, np.nan))


def summarise(curves: dict[str, LearningCurve]) -> str:
    """One row per way and number of accounts: what was gained on the model started from."""
    lines = [
        "| labels | accounts | own trees | found at 1 % false flags | gained | worst draw | "
        "log loss gained | calibration error, before | false flags where called |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, curve in curves.items():
        before = curve.points[0]
        for point in curve.points[1:]:
            flags = "none" if point.false_flags is None else f"{point.false_flags:.4f}"
            lines.append(
                f"| {name} | {point.accounts} | {point.own_weight:.2f} | {point.recall} | "
                f"{point.recall_gain} | {point.worst_recall_gain:+.3f} | {point.log_loss_gain} | "
                f"{point.calibration_error:.3f}, {before.calibration_error:.3f} | {flags} |"
            )
    return "\n".join(lines)


def to_readme(curves: dict[str, LearningCurve]) -> str:
    """What is found by number of labelled accounts, and below it the worst that a draw lost."""
    counts = sorted({point.accounts for curve in curves.values() for point in curve.points})
    heads = ["none" if count == 0 else f"{count:,}" for count in counts]
    lines = [
        f"| labels | {' | '.join(heads)} | least gain of a draw | log loss gained at the end |",
        f"|---|{'---|' * (len(heads) + 2)}",
    ]
    for name, curve in curves.items():
        found = {point.accounts: f"{point.recall.value:.3f}" for point in curve.points}
        cells = " | ".join(found.get(count, "") for count in counts)
        least = min(point.worst_recall_gain for point in curve.points[1:])
        gained = curve.points[-1].log_loss_gain
        lines.append(f"| {name} | {cells} | {least:+.3f} | {gained} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", action="append", required=True, help="folder of a world")
    parser.add_argument("--model", help="left out, the one that ships")
    parser.add_argument("--way", action="append", choices=tuple(WAYS))
    parser.add_argument("--accounts", type=int, action="append")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--readme", type=Path, help="page to write the curves of one world into")
    given = parser.parse_args(arguments)
    if given.readme is not None and len(given.data) > 1:
        parser.error("--readme takes one --data")
    from household_ml.scoring.scorer import HouseholdScorer
    from household_ml.serving.adapting import devices_to_learn_from
    from household_ml.serving.datasets import read_labelled

    model = HouseholdScorer.load(given.model).model
    found: dict[str, Any] = {"model": model.label, "worlds": {}}
    for folder in given.data:
        world, _, _ = devices_to_learn_from(model, [read_labelled(folder)])
        curves = {
            way: measure_curve(
                model,
                label(model, world, way, given.seed),
                counts=given.accounts or COUNTS,
                repeats=given.repeats,
                truth=world.y,
                seed=given.seed,
            )
            for way in given.way or WAYS
        }
        sys.stdout.write(f"{world.name}\n{summarise(curves)}\n\n")
        if given.readme is not None:
            write_between(given.readme, FIRST, LAST, to_readme(curves))
        found["worlds"][world.name] = {way: curve.to_dict() for way, curve in curves.items()}
    if given.out is not None:
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
