"""The command that learns from labels."""

from __future__ import annotations

from pathlib import Path

import click

from household_ml.cli.options import Command, data_option, labelled_format_option
from household_ml.errors import ParameterError, Problem

__all__ = ["check_file", "check_folder", "tell_thresholds", "train"]


@click.command(
    cls=Command,
    examples=(
        "household-ml train --data world --out model",
        "MLFLOW_TRACKING_URI=sqlite:///mlflow.db \\",
        "    household-ml train --data world --out model --register household",
    ),
)
@data_option
@labelled_format_option
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

        registered = register_model(out, register, data=data)
        click.echo(f"registered as {registered.uri}, version {registered.version}")


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
