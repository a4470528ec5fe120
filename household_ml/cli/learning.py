"""Commands that make a model one's own: train and adapt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from household_ml.cli.options import (
    Command,
    as_of_option,
    data_option,
    labelled_format_option,
    model_option,
    networks_option,
    read_input,
    session_options,
)
from household_ml.errors import ParameterError, Problem

if TYPE_CHECKING:
    from household_ml.modeling.model import HouseholdModel
    from household_ml.modeling.training import TrainingSet
    from household_ml.serving.datasets import LabelledSessions

__all__ = ["adapt", "check_file", "check_folder", "tell_learnt", "tell_thresholds", "train"]


@click.command(
    cls=Command,
    examples=(
        "household-ml train --data world --out model",
        "household-ml train --data world --out model --curve",
        "MLFLOW_TRACKING_URI=sqlite:///mlflow.db \\",
        "    household-ml train --data world --out model --register household",
    ),
)
@data_option
@labelled_format_option
@click.option("--out", metavar="MODEL_DIR", required=True, help="Folder to write the model to.")
@click.option(
    "--start",
    metavar="MODEL",
    help="Model to start from, a folder or an MLflow URI; left out, HOUSEHOLD_ML_MODEL, else the "
    "model that ships with the package.",
)
@click.option(
    "--from-scratch", is_flag=True, help="Start from nothing: for tens of thousands of accounts."
)
@click.option(
    "--curve",
    is_flag=True,
    help="Also tell what more labels bring: learn from ever more of half of the labelled "
    "accounts, and measure on the other half.",
)
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
    start: str | None,
    from_scratch: bool,
    curve: bool,
    register: str | None,
    name: str,
    version: str,
    seed: int,
) -> None:
    """Train a model from sessions and labels, starting from one that is there.

    The devices' order is learnt from the labels, as far as they improve it surely, by
    cross-validation over accounts; the level of the probability comes from the labels where they
    look drawn fairly, else from all devices. Few labels, wrong ones and labels of some kinds of
    devices alone are fine. Thresholds are certified on the labelled accounts, or there are none.

    With --from-scratch a share of the accounts is kept aside; the numbers told are about these.
    """
    from household_ml.serving.datasets import read_labelled

    check_folder(out)
    if from_scratch and (curve or start is not None):
        raise ParameterError(
            Problem(
                "--from-scratch must stand without --start and --curve",
                f"--start {start}" if start is not None else "--curve",
                "Leave it out to start from a model.",
            )
        )
    worlds = [read_labelled(folder, sessions_format=format_) for folder in data]
    if from_scratch:
        from household_ml.serving.learning import train_model

        model = train_model(worlds, out, name=name, version=version, seed=seed)
    else:
        model = _adapt(worlds, out, start, name=name, version=version, seed=seed, curve=curve)
    click.echo(f"{model.label} in {out}")
    tell_thresholds(model.thresholds.outside_at, model.thresholds.household_at)
    for why in model.thresholds.why_none():
        click.echo(why)
    if model.metrics:
        from household_ml.modeling.evaluation import Evaluation

        click.echo(Evaluation.from_dict(model.metrics["evaluation"]).to_text())
    if register is not None:
        from household_ml.serving.registry import register as register_model

        registered = register_model(out, register, data=data)
        click.echo(f"registered as {registered.uri}, version {registered.version}")


def _adapt(
    worlds: list[LabelledSessions],
    out: str,
    start: str | None,
    *,
    name: str,
    version: str,
    seed: int,
    curve: bool,
) -> HouseholdModel:
    from household_ml.scoring.scorer import HouseholdScorer
    from household_ml.serving.adapting import devices_to_learn_from, learn_from_labels

    before = HouseholdScorer.load(start).model
    devices, statistics, told = devices_to_learn_from(before, worlds)
    for lines in told:
        click.echo(lines, err=True)
    click.echo(f"starting from {before.label}")
    if curve:
        _tell_curve(before, devices, seed)
    model = learn_from_labels(
        before, devices, out, statistics=statistics, name=name, version=version, seed=seed
    )
    click.echo(tell_learnt(model.manifest))
    return model


def _tell_curve(model: HouseholdModel, devices: TrainingSet, seed: int) -> None:
    from household_ml.modeling.learning_curve import measure_curve

    def tell(count: int) -> None:
        click.echo(f"learnt from {count} labelled accounts", err=True)

    found = measure_curve(model, devices, seed=seed, progress=tell)
    click.echo(
        f"measured on {found.counts['devices']:,} labelled devices of "
        f"{found.counts['accounts']:,} accounts kept aside:"
    )
    click.echo(found.to_markdown())


def tell_learnt(manifest: Mapping[str, Any]) -> str:
    """What a model learnt from labels, a line for each thing there is to know.

    Parameters
    ----------
    manifest : mapping
        Of an adapted model.

    Returns
    -------
    str
    """
    labels, losses = manifest["adapted_to"], manifest["losses"]
    weight, level, selection = manifest["own_weight"], manifest["level"], manifest["selection"]
    lines = []
    if labels["outside"] == 0:
        lines.append(
            "Household devices alone are labelled: the order of devices stays as it was, and the "
            "level comes from all devices. No share of errors among those called household can "
            "be certified."
        )
    elif weight:
        lines.append(
            f"Trees of these labels alone weigh {weight:g}: out of fold the loss falls from "
            f"{losses['untouched']:.4f} to {losses[manifest['chosen']]:.4f}."
        )
    else:
        lines.append("The order of devices stays as it was: the labels do not improve it surely.")
    lines.append(f"About {manifest['wrong_labels']:.1%} of the labels seem to be wrong.")
    if selection["noted"]:
        word = "more" if selection["shift"] > 0 else "less"
        lines.append(
            f"Labelled devices look {word} like home than the others (log-odds "
            f"{selection['shift']:+.2f}): the level of the probability comes from all devices."
        )
    if selection["too_easy"]:
        lines.append(
            "Labelled household devices are the easy ones: no bound on false flags can be "
            "certified on them, so no device is called outside."
        )
    lines.append(
        f"The log-odds are moved by {level['settled']:+.2f} (labels say {level['labels']:+.2f}, "
        f"all devices {level['unlabelled']:+.2f})."
    )
    return "\n".join(lines)


@click.command(
    cls=Command,
    examples=(
        "household-ml adapt --sessions sessions.parquet --out adapted",
        "household-ml score --sessions sessions.parquet --model adapted --out scores.parquet",
    ),
)
@session_options
@model_option
@networks_option
@as_of_option
@click.option("--out", metavar="MODEL_DIR", required=True, help="Folder to write the model to.")
def adapt(
    sessions: str,
    format_: str | None,
    rejected: str | None,
    model: str | None,
    networks: str | None,
    as_of: str | None,
    out: str,
) -> None:
    """Adapt the probability to the share of households in unlabelled sessions.

    Assumes that devices of the household, and devices outside, look as they did where the model
    was calibrated, and that only their shares differ. The order of devices and every answer stay
    the same: thresholds move along, so the bounds on false flags stay as they were certified.
    """
    from household_ml.networks import NetworkStatistics
    from household_ml.scoring.scorer import SNAPSHOT, HouseholdScorer, read_moment
    from household_ml.serving.adapting import adapt_to_population
    from household_ml.serving.learning import snapshot_bytes

    check_folder(out)
    scorer = HouseholdScorer.load(model)
    statistics = None if networks is None else NetworkStatistics.load(networks)
    taken = read_input(sessions, format_, rejected)
    moment = None if as_of is None else read_moment(as_of)
    found = adapt_to_population(scorer.model, taken, networks=statistics, as_of=moment)
    beside = {} if scorer.snapshot is None else {SNAPSHOT: snapshot_bytes(scorer.snapshot)}
    found.model.save(out, attachments=beside)
    low, high = found.shift.interval
    click.echo(
        f"{found.devices:,} devices in use, of {found.accounts:,} accounts: "
        f"{found.shift.prevalence:.1%} household ({low:.1%} to {high:.1%}), "
        f"{scorer.model.calibration.prevalence:.1%} where the model was calibrated"
    )
    click.echo(
        f"{found.model.label} in {out}: log-odds moved by {found.shift.delta:+.2f}, every answer "
        "as before"
    )
    for bound in found.model.thresholds.bounds:
        if bound.name == "household_error" and bound.upper is not None:
            click.echo(
                f"of the devices called household at most {bound.rate:.1%} are outside, at "
                f"{bound.confidence:.0%} confidence, if the assumption holds"
            )


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
