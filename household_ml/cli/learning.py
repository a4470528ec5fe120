"""Commands that learn and measure: train and evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import click

from household_ml.cli.options import FORMATS, Command, as_of_option, model_option, networks_option
from household_ml.errors import ParameterError, Problem

__all__ = ["check_file", "check_folder", "evaluate", "tell_thresholds", "train"]

_DATA = click.option(
    "--data",
    metavar="DIR",
    required=True,
    multiple=True,
    help="Folder with sessions and labels, and optionally accounts; give it again for more worlds.",
)
_FORMAT = click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="Format of the sessions; left out, it is recognised by content.",
)


@click.command(
    cls=Command,
    examples=(
        "household-ml train --data world --out model",
        "MLFLOW_TRACKING_URI=sqlite:///mlflow.db \\",
        "    household-ml train --data world --out model --register household",
    ),
)
@_DATA
@_FORMAT
@click.option("--out", metavar="MODEL_DIR", required=True, help="Folder to write the model to.")
@click.option("--register", metavar="NAME", help="Also register it in MLflow under this name.")
@click.option("--name", default="household", show_default=True, help="Name of the model.")
@click.option(
    "--model-version", "version", default="1", show_default=True, help="Version of the model."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same digest.")
def train(
    data: tuple[str, ...],
    format_: str | None,
    out: str,
    register: str | None,
    name: str,
    version: str,
    seed: int,
) -> None:
    """Train a model from sessions and labels, calibrate it, and choose certified thresholds.

    A share of the accounts is kept aside; the numbers that are told are about these.
    """
    from household_ml.serving.datasets import read_labelled
    from household_ml.serving.learning import train_model

    check_folder(out)
    worlds = [read_labelled(folder, sessions_format=format_) for folder in data]
    model = train_model(worlds, out, name=name, version=version, seed=seed)
    click.echo(f"{model.label} in {out}")
    tell_thresholds(model.thresholds.outside_at, model.thresholds.household_at)
    if model.metrics:
        from household_ml.modeling.evaluation import Evaluation

        click.echo(Evaluation.from_dict(model.metrics["evaluation"]).to_text())
    if register is not None:
        from household_ml.serving.registry import register as register_model

        registered = register_model(out, register)
        click.echo(f"registered as {registered.uri}, version {registered.version}")


@click.command(
    cls=Command,
    examples=(
        "household-ml evaluate --data holdout --model model --out report.html --json metrics.json",
    ),
)
@_DATA
@_FORMAT
@model_option
@networks_option
@as_of_option
@click.option("--out", metavar="PATH", help="HTML report to write; it opens without a network.")
@click.option("--json", "json_", metavar="PATH", help="Metrics to write as JSON.")
def evaluate(
    data: tuple[str, ...],
    format_: str | None,
    model: str | None,
    networks: str | None,
    as_of: str | None,
    out: str | None,
    json_: str | None,
) -> None:
    """Measure a model beside the rule baselines, with slices and intervals.

    The accounts should be none that the model was trained on.
    """
    from household_ml.networks import NetworkStatistics
    from household_ml.scoring.scorer import HouseholdScorer, read_moment
    from household_ml.serving.datasets import read_labelled
    from household_ml.serving.learning import evaluate_model

    for path, suffix in ((out, ".html"), (json_, ".json")):
        if path is not None:
            check_file(path, suffix)
    scorer = HouseholdScorer.load(model)
    moment = None if as_of is None else read_moment(as_of)
    statistics = None if networks is None else NetworkStatistics.load(networks)
    measured = []
    for folder in data:
        labelled = read_labelled(folder, sessions_format=format_)
        result = evaluate_model(scorer.model, labelled, networks=statistics, as_of=moment)
        measured.append((labelled, result))
        click.echo(f"{labelled.name}\n{result.comparison.to_text()}\n")
        click.echo(result.evaluation.to_text())
    if json_ is not None:
        found = {"model": scorer.model_label, "worlds": [each.to_dict() for _, each in measured]}
        Path(json_).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        click.echo(f"metrics in {json_}")
    if out is not None:
        from household_ml.serving.report import telling_accounts, write_report

        labelled, result = measured[0]
        write_report(
            out,
            [(each.name, result) for each, result in measured],
            model=scorer.model,
            accounts=telling_accounts(scorer, labelled, result),
        )
        click.echo(f"report in {out}")


def tell_thresholds(outside_at: float | None, household_at: float | None) -> None:
    """Tell where the answers begin, or that none qualifies."""
    none = "no threshold qualifies on so few calibration accounts"
    low = none if outside_at is None else f"at or below {outside_at:.4f}"
    high = none if household_at is None else f"at or above {household_at:.4f}"
    click.echo(f"outside: {low}; household: {high}")


def check_file(path: str, suffix: str) -> None:
    """Refuse early a file that could not be written late."""
    target = Path(path)
    if target.suffix.lower() != suffix or not target.absolute().parent.is_dir():
        raise ParameterError(
            Problem(
                f"the output must be a {suffix} file in a folder that exists",
                repr(path),
                "Make the folder, or give another name.",
            )
        )


def check_folder(path: str) -> None:
    """Refuse early a folder that could not be made late."""
    target = Path(path)
    if target.exists() and not target.is_dir():
        raise ParameterError(
            Problem("the output must be a folder", repr(path), "Give another name.")
        )
