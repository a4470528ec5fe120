"""The command that measures a model, beside rules and between references."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from household_ml.cli.learning import check_file
from household_ml.cli.options import (
    Command,
    as_of_option,
    labelled_format_option,
    language_option,
    model_option,
    networks_option,
)

if TYPE_CHECKING:
    from household_ml.serving.datasets import LabelledSessions
    from household_ml.serving.learning import Measured
    from household_ml.serving.references import Referenced

__all__ = ["evaluate"]


@click.command(
    cls=Command,
    examples=(
        "household-ml evaluate --data holdout --model model --out report.html --json metrics.json",
        "household-ml simulate --out worlds/us --world us --truth",
        "household-ml evaluate --data worlds",
    ),
)
@click.option(
    "--data",
    metavar="DIR",
    required=True,
    multiple=True,
    help="Folder with sessions and labels, and optionally accounts and truth, or a folder of such "
    "folders; give it again for more worlds.",
)
@labelled_format_option
@model_option
@networks_option
@as_of_option
@click.option(
    "--references/--no-references",
    default=True,
    show_default=True,
    help="Also train a plain model and an oracle inside each world whose truth is known.",
)
@click.option("--out", metavar="PATH", help="HTML report to write; it opens without a network.")
@language_option
@click.option("--json", "json_", metavar="PATH", help="Metrics to write as JSON.")
def evaluate(
    data: tuple[str, ...],
    format_: str | None,
    model: str | None,
    networks: str | None,
    as_of: str | None,
    references: bool,
    out: str | None,
    language: str,
    json_: str | None,
) -> None:
    """Measure a model beside the rule baselines, with slices and intervals.

    The accounts should be none that the model was trained on. Where the true place of every
    session is known, the model is also put between two references made inside the world: a plain
    model, and an oracle that is told these places.
    """
    from household_ml.networks import NetworkStatistics
    from household_ml.scoring.scorer import HouseholdScorer, read_moment
    from household_ml.serving.datasets import read_labelled, world_folders
    from household_ml.serving.learning import evaluate_model

    for path, suffix in ((out, ".html"), (json_, ".json")):
        if path is not None:
            check_file(path, suffix)
    scorer = HouseholdScorer.load(model)
    moment = None if as_of is None else read_moment(as_of)
    statistics = None if networks is None else NetworkStatistics.load(networks)
    first: LabelledSessions | None = None
    measured: list[tuple[str, Measured]] = []
    placed: list[Referenced | None] = []
    for folder in (folder for given in data for folder in world_folders(given)):
        labelled = read_labelled(folder, sessions_format=format_)
        result = evaluate_model(scorer.model, labelled, networks=statistics, as_of=moment)
        first = first or labelled
        measured.append((labelled.name, result))
        click.echo(f"{labelled.name}\n{result.comparison.to_text()}\n")
        click.echo(result.evaluation.to_text())
        placed.append(_between(labelled, result) if references else None)
    told = [each for each in placed if each is not None]
    if len(told) > 1:
        from household_ml.serving.references import table_of_worlds

        click.echo(f"\n{table_of_worlds(told)}")
    if json_ is not None:
        Path(json_).write_text(
            json.dumps(_metrics(scorer.model_label, measured, placed), indent=1) + "\n",
            encoding="utf-8",
        )
        click.echo(f"metrics in {json_}")
    if out is not None and first is not None:
        from household_ml.serving.report import telling_accounts, write_report

        write_report(
            out,
            measured,
            model=scorer.model,
            accounts=telling_accounts(scorer, first, measured[0][1]),
            references=placed,
            language=language,
        )
        click.echo(f"report in {out}")


def _between(labelled: LabelledSessions, result: Measured) -> Referenced | None:
    """Put the model between the references of a world whose truth is known, and tell."""
    if labelled.truth is None:
        click.echo(
            "\nreferences (plain model, oracle) need the true place of every session: "
            f"{labelled.name} has no table truth; household-ml simulate --truth writes one"
        )
        return None
    from household_ml.serving.progress import Progress
    from household_ml.serving.references import REFERENCES, compare_with_references

    with Progress(f"references of {labelled.name}", REFERENCES, unit="scores") as progress:
        found = compare_with_references(
            result,
            labelled,
            jobs=os.cpu_count() or 1,
            progress=lambda _: progress.advance(1),
        )
    click.echo(f"\n{found.to_text()}")
    return found


def _metrics(
    label: str, measured: list[tuple[str, Measured]], placed: list[Referenced | None]
) -> dict[str, object]:
    from household_ml.modeling.distance import mean_distance

    worlds = [
        {**result.to_dict(), "references": None if found is None else found.to_dict()}
        for (_, result), found in zip(measured, placed, strict=True)
    ]
    told = [found.distance for found in placed if found is not None]
    mean = mean_distance(told).to_dict() if told else None
    return {"model": label, "worlds": worlds, "references_mean": mean}
