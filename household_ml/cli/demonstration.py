"""The demo: simulate, train, evaluate, register, score, and a report to open."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from household_ml.cli.learning import check_folder, tell_thresholds
from household_ml.cli.options import Command
from household_ml.errors import MissingDependencyError

if TYPE_CHECKING:
    from household_ml.serving.learning import Measured

__all__ = ["demo"]

_DAYS: Final = 90

#: What is simulated: folder -> (world, part of the accounts, days of the seed).
_TRAINED_ON: Final = ("fr", "daily_renumbering", "carrier_nat", "mobile_first")
_HELD_OUT: Final = "fr"
_NEVER_SEEN: Final = "us"

#: Columns of the table that is printed: metric -> heading.
_TABLE: Final = {
    "pr_auc": "PR-AUC",
    "recall_at_0.01": "found at 1 % false flags",
    "flagged_rule": "strictest answer flags",
}


@click.command(
    cls=Command,
    examples=(
        "household-ml demo",
        "household-ml demo --out small --accounts 400",
    ),
)
@click.option(
    "--out", metavar="DIR", default="demo", show_default=True, help="Folder to write everything to."
)
@click.option(
    "--accounts",
    type=click.IntRange(200),
    default=4800,
    show_default=True,
    help="Accounts to train on, over four worlds; a third as many are kept to measure.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same result.")
def demo(out: str, accounts: int, seed: int) -> None:
    """Go the whole way on simulated accounts in real address space.

    Simulates accounts in several worlds, trains a model, measures it on accounts and on a world
    that it has not seen, registers it in a local MLflow store, scores with it, and writes a report
    that opens in a browser without a network.
    """
    check_folder(out)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with _step("simulating"):
        worlds = _simulate(folder, accounts, seed)
    with _step("training"):
        from household_ml.serving.datasets import read_labelled
        from household_ml.serving.learning import evaluate_model, train_model

        model_folder = folder / "model"
        learnt_from = [read_labelled(folder / name) for name in worlds]
        model = train_model(learnt_from, model_folder, seed=seed)
    with _step("measuring"):
        held_out = read_labelled(folder / "held_out")
        unseen = read_labelled(folder / "unseen_world")
        results = [
            (f"Accounts it has not seen ({_HELD_OUT})", evaluate_model(model, held_out)),
            (f"A world it was not trained on ({_NEVER_SEEN})", evaluate_model(model, unseen)),
        ]
    source = str(model_folder)
    with _step("registering"):
        source = _register(folder, model_folder, [folder / name for name in worlds]) or source
    with _step("scoring"):
        from household_ml.scoring import HouseholdScorer
        from household_ml.serving.batch import score_files

        scorer = HouseholdScorer.load(source)
        summary = score_files(
            folder / "held_out" / "sessions.parquet",
            folder / "scores.parquet",
            scorer=scorer,
            accounts=folder / "held_out" / "accounts.parquet",
        )
    with _step("writing the report"):
        from household_ml.serving.report import telling_accounts, write_report

        report = write_report(
            folder / "report.html",
            results,
            model=model,
            accounts=telling_accounts(scorer, held_out, results[0][1]),
        )
    for heading, result in results:
        _print_table(heading, result)
    tell_thresholds(model.thresholds.outside_at, model.thresholds.household_at)
    verdicts = ", ".join(f"{count:,} {name}" for name, count in summary.verdicts.items())
    click.echo(f"{summary.devices:,} devices scored by {source}: {verdicts}")
    click.echo(f"scores in {folder / 'scores.parquet'}, model in {model_folder}")
    click.echo(f"done in {time.monotonic() - began:.0f} s; open {report.resolve().as_uri()}")


def _simulate(folder: Path, accounts: int, seed: int) -> list[str]:
    """Write the worlds to train on, the accounts kept aside and the world never seen."""
    from household_ml.serving.progress import Progress
    from household_ml.simulation import write_world

    share = accounts // len(_TRAINED_ON)
    aside = max(accounts // 3, 100)
    plan = [
        *(
            (f"trained_on_{name}", name, share, seed + number)
            for number, name in enumerate(_TRAINED_ON)
        ),
        ("held_out", _HELD_OUT, aside, seed + 1_000),
        ("unseen_world", _NEVER_SEEN, aside, seed + 2_000),
    ]
    with Progress("simulating", sum(part[2] for part in plan)) as progress:
        for name, world, count, world_seed in plan:
            write_world(folder / name, world, count, _DAYS, world_seed)
            progress.advance(count)
    return [name for name, *_ in plan[: len(_TRAINED_ON)]]


def _register(folder: Path, model_folder: Path, data: Sequence[Path]) -> str | None:
    """Register in a store of the demo's own; None, with a line why, where MLflow is missing."""
    from household_ml.serving.registry import register

    if "MLFLOW_TRACKING_URI" not in os.environ:
        store = (folder / "mlflow.db").resolve()
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{store}"
    try:
        registered = register(model_folder, "household", data=data)
    except MissingDependencyError as error:
        click.echo(f"not registered: {error}", err=True)
        return None
    return f"models:/{registered.name}@{registered.alias}"


@contextmanager
def _step(name: str) -> Iterator[None]:
    began = time.monotonic()
    click.echo(f"{name} ...", err=True)
    yield
    click.echo(f"{name}: {time.monotonic() - began:.1f} s", err=True)


def _print_table(heading: str, result: Measured) -> None:
    counts = result.evaluation.counts
    click.echo(
        f"{heading}: {counts['devices']:,} devices of {counts['accounts']:,} accounts, "
        f"{result.comparison.prevalence:.1%} outside"
    )
    rows = [["", *_TABLE.values()]]
    for name, row in result.comparison.rows.items():
        rows.append([name, *(str(row[metric]) for metric in _TABLE)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        click.echo(
            "  "
            + "  ".join(
                cell.ljust(width) for cell, width in zip(cells, widths, strict=True)
            ).rstrip()
        )
    click.echo()
