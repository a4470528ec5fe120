"""The command that watches a model in use: monitor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from household_ml.cli.learning import check_file
from household_ml.cli.options import FORMATS, Command, model_option

if TYPE_CHECKING:
    import pandas as pd

    from household_ml.sessions import Sessions

__all__ = ["monitor"]


@click.command(
    cls=Command,
    examples=(
        "household-ml monitor --reference march.parquet --current april.parquet",
        "household-ml monitor --reference march --current april --json drift.json",
    ),
)
@click.option(
    "--reference",
    metavar="PATH",
    required=True,
    help="Sessions of before: what score reads, or a folder with sessions and labels.",
)
@click.option("--current", metavar="PATH", required=True, help="Sessions of now, likewise.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="Format of the sessions; left out, it is recognised by content.",
)
@model_option
@click.option("--json", "json_", metavar="PATH", help="What was found, to write as JSON.")
def monitor(
    reference: str,
    current: str,
    format_: str | None,
    model: str | None,
    json_: str | None,
) -> None:
    """Compare what the model meets now with what it met before.

    Tells which features and scores have drifted, whether the calibration still holds (with labels),
    which networks behave otherwise (renumbering, carrier NAT, IPv6), and which operators' answers
    to distrust. Give stretches of about equal length, such as two months.
    """
    from household_ml.scoring import HouseholdScorer
    from household_ml.serving import monitoring

    if json_ is not None:
        check_file(json_, ".json")
    scorer = HouseholdScorer.load(model)
    sides = {
        name: _read(path, format_)
        for name, path in (("reference", reference), ("current", current))
    }
    labels = {name: told for name, (_, told) in sides.items() if told is not None}
    found = monitoring.monitor(scorer, sides["reference"][0], sides["current"][0], labels=labels)
    click.echo(found.to_text())
    if json_ is not None:
        Path(json_).write_text(json.dumps(found.to_dict(), indent=1) + "\n", encoding="utf-8")
        click.echo(f"what was found in {json_}")


def _read(path: str, format_: str | None) -> tuple[Sessions, pd.DataFrame | None]:
    """Sessions, and labels where the path is a folder that holds some."""
    from household_ml.serving.datasets import read_labelled
    from household_ml.sessions import read_sessions

    folder = Path(path)
    if folder.is_dir() and any(folder.glob("labels.*")):
        data = read_labelled(folder, sessions_format=format_)
        return data.sessions, data.labels
    return read_sessions(path, format=format_), None
