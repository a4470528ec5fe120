"""The command that trains the model that ships, from seeds alone.

No snapshot of networks lies beside that model. What a simulation counts on real networks is true of
none of them; and on accounts scored alone, of simulators of two makers, one built from ten worlds
(ASs alone, or shared prefixes too) changed neither the ranking nor the log loss beyond chance. So
an account alone is scored with statistics of itself, and the model has learnt from such accounts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from household_ml import __version__
from household_ml.cli.curriculum import (
    Lesson,
    Roughness,
    divided_lesson,
    labelled_lesson,
    plan_fresh,
    plan_lessons,
)
from household_ml.cli.learning import check_folder, tell_thresholds
from household_ml.cli.options import Command

if TYPE_CHECKING:
    from household_ml.modeling.home_accuracy import HomeAccuracy
    from household_ml.modeling.model import HouseholdModel
    from household_ml.modeling.training import TrainingConfig
    from household_ml.serving.references import Referenced
    from household_ml.serving.sides import DividedDevices

__all__ = ["SAMPLE", "default_config", "measure_sample", "train_default", "train_from_seeds"]

#: A world never trained on, small enough to be measured again by a test.
SAMPLE: Final = Lesson("fr", "fr~20231123", 400, 75, 2023_11_23, Roughness())

#: Key of its metrics.
SAMPLE_KEY: Final = "sample"

_NAME: Final = "household-default"

#: Accounts of each kind that are followed from day to day.
_FOLLOWED_ACCOUNTS: Final = 100


@click.command(
    "train-default",
    cls=Command,
    examples=(
        "household-ml train-default --out models/default --leave-one-out",
        "household-ml train-default --out small --accounts 150 --worlds-per-kind 2",
    ),
)
@click.option("--out", metavar="DIR", required=True, help="Folder to write the model to.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same digest.")
@click.option(
    "--accounts",
    type=click.IntRange(50),
    default=700,
    show_default=True,
    help="Accounts of each world.",
)
@click.option(
    "--worlds-per-kind",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Worlds of each kind: up to three times the named one, and the others drawn.",
)
@click.option(
    "--leave-one-out",
    is_flag=True,
    help="Also measure each kind of world with a model trained on the other kinds, and put that "
    "model between a plain model and an oracle.",
)
@click.option(
    "--fresh-accounts",
    type=click.IntRange(50),
    default=2500,
    show_default=True,
    help="Accounts of each world that is simulated anew to measure on; four fifths of them are what "
    "the references learn from.",
)
@click.option(
    "--ablation",
    is_flag=True,
    help="Also measure, on kinds left out, what each family of features is worth (long).",
)
@click.option(
    "--ablation-folds",
    type=click.IntRange(2),
    default=2,
    show_default=True,
    help="Folds of kinds that the ablation leaves out in turn: as many models a family.",
)
@click.option(
    "--stability",
    is_flag=True,
    help="Also follow accounts of a fresh world of each kind from day to day (long).",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default="one per core",
    help="Processes; they change nothing but the time it takes.",
)
def train_default(
    out: str,
    seed: int,
    accounts: int,
    worlds_per_kind: int,
    leave_one_out: bool,
    fresh_accounts: int,
    ablation: bool,
    ablation_folds: int,
    stability: bool,
    jobs: int,
) -> None:
    """Train the model that ships with the package, from seeds alone.

    Simulates worlds of every kind with parameters drawn anew, makes their logs rougher, trains,
    calibrates on accounts kept aside, measures, and writes the model with its metrics and card.
    """
    check_folder(out)
    lessons = plan_lessons(accounts=accounts, worlds_per_kind=worlds_per_kind, seed=seed)
    model = train_from_seeds(
        lessons,
        seed=seed,
        leave_one_out=leave_one_out,
        fresh_accounts=fresh_accounts,
        ablation_folds=ablation_folds if ablation else 0,
        followed_accounts=_FOLLOWED_ACCOUNTS if stability else 0,
        jobs=jobs,
    )
    model.save(out)
    from household_ml.modeling.evaluation import Evaluation

    metrics = model.metrics or {}
    click.echo(Evaluation.from_dict(metrics["evaluation"]).to_text())
    tell_thresholds(model.thresholds.outside_at, model.thresholds.household_at)
    size = sum(path.stat().st_size for path in Path(out).iterdir())
    click.echo(f"{model.label} in {out}, {size / 1e6:.2f} MB")


def default_config() -> TrainingConfig:
    """How the default model is trained."""
    from household_ml.modeling.classifier import ClassifierConfig
    from household_ml.modeling.training import TrainingConfig

    trees = ClassifierConfig(trees=300, leaves=31, learning_rate=0.06, column_share=0.25)
    return TrainingConfig(classifier=trees)


def train_from_seeds(
    lessons: Sequence[Lesson],
    *,
    seed: int,
    config: TrainingConfig | None = None,
    leave_one_out: bool = False,
    fresh_accounts: int = 2500,
    ablation_folds: int = 0,
    followed_accounts: int = 0,
    jobs: int = 1,
) -> HouseholdModel:
    """Simulate, train and measure.

    Parameters
    ----------
    lessons : sequence of Lesson
        The worlds.
    seed : int
        Of the trees and of the resampling.
    config : TrainingConfig or None, default=None
        How to train; None is :func:`default_config`.
    leave_one_out : bool, default=False
        Whether to measure every kind with a model trained on the others, also on a fresh world
        of the kind, between the references of that world; and every author of worlds with a model
        trained on the worlds of the others.
    fresh_accounts : int, default=2500
        Accounts of each fresh world.
    ablation_folds : int, default=0
        Folds of kinds left out in turn to measure what each family of features is worth; 0 = not.
    followed_accounts : int, default=0
        Accounts of a fresh world of each kind that are scored daily to measure how verdicts stand;
        0 = not.
    jobs : int, default=1
        Processes.

    Returns
    -------
    HouseholdModel
        The same digest for the same lessons, seed, config and versions.
    """
    from joblib import Parallel, delayed, parallel_config

    from household_ml.cli.stability import stability_of_kinds
    from household_ml.modeling.card_references import (
        ABLATION,
        HOMES,
        REFERENCES,
        SITUATIONS,
    )
    from household_ml.modeling.card_stability import STABILITY
    from household_ml.modeling.card_worlds import AUTHORS, LEFT_OUT
    from household_ml.networks import NetworkTable
    from household_ml.serving.many_worlds import fit_on_worlds, measure_by_kind

    chosen = config or default_config()
    kinds = [lesson.kind for lesson in lessons]
    distinct = list(dict.fromkeys(kinds))
    hands = [lesson.hand for lesson in lessons]
    authors = list(dict.fromkeys(hands)) if leave_one_out and len(set(hands)) > 1 else []
    fresh = plan_fresh(distinct, accounts=fresh_accounts, seed=seed)
    about = {
        "package": __version__,
        "recipe": {
            "seed": seed,
            "lessons": [lesson.to_dict() for lesson in lessons],
            "networks_dated": NetworkTable.default().dated.isoformat(),
        },
    }
    metrics: dict[str, Any] = {}
    with parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1), _one_thread():
        with _step(f"simulating {len(lessons)} worlds"):
            worlds: list[DividedDevices] = Parallel()(
                delayed(divided_lesson)(lesson, shares=chosen.shares) for lesson in lessons
            )
        devices = sum(len(world.side) for world in worlds)
        models = 1 + len(distinct) * leave_one_out + len(authors)
        with _step(f"training on {devices:,} devices, {models} models"):
            fits = delayed(fit_on_worlds)(
                worlds, seed=seed, name=_NAME, version=__version__, config=chosen, about=about
            )
            model, *found = Parallel()(
                [
                    fits,
                    *(
                        delayed(_leave_author_out)(
                            hand, fresh, worlds, hands, config=chosen, seed=seed
                        )
                        for hand in authors
                    ),
                    *(
                        delayed(_leave_out)(kind, fresh, worlds, kinds, config=chosen, seed=seed)
                        if leave_one_out
                        else delayed(_find_homes)(kind, fresh, seed)
                        for kind in distinct
                    ),
                ]
            )
        by_author, found = found[: len(authors)], found[len(authors) :]
        settings = [lesson.setting for lesson in fresh]
        if leave_one_out:
            placed = [each for *_, given in found for each in given]
            odd = [each for _, given, _ in found for each in given]
            homes = [each.homes for each in placed]
            metrics[LEFT_OUT] = {
                kind: measured for kind, (measured, *_) in zip(distinct, found, strict=True)
            }
            metrics[REFERENCES] = _references(settings, placed)
            metrics[SITUATIONS] = dict(zip(settings, odd, strict=True))
            if authors:
                metrics[AUTHORS] = dict(zip(authors, by_author, strict=True))
        else:
            homes = [each for given in found for each in given]
        metrics[HOMES] = {
            setting: accuracy.to_dict()
            for setting, accuracy in zip(settings, homes, strict=True)
            if accuracy is not None
        }
        if ablation_folds:
            metrics[ABLATION] = _ablate(worlds, kinds, ablation_folds, chosen, seed)
        if followed_accounts:
            with _step(f"following {followed_accounts} accounts of each kind from day to day"):
                metrics[STABILITY] = stability_of_kinds(
                    model, distinct, accounts=followed_accounts, seed=seed, jobs=jobs
                )
    with _step("measuring"):
        metrics[SAMPLE_KEY] = measure_sample(model)
        model = replace(model, metrics=metrics)
        return measure_by_kind(model, worlds, kinds, config=chosen, seed=seed)


def _leave_out(
    kind: str,
    fresh: Sequence[Lesson],
    worlds: Sequence[DividedDevices],
    kinds: Sequence[str],
    *,
    config: TrainingConfig,
    seed: int,
) -> tuple[dict[str, Any], list[dict[str, Any]], list[Referenced]]:
    """Measure a kind by a model without it: on its worlds, and on fresh ones beside references."""
    from household_ml.serving.learning import evaluate_model
    from household_ml.serving.many_worlds import fit_without, measure_left_out
    from household_ml.serving.references import compare_with_references

    model = fit_without(kind, worlds, kinds, config=config, seed=seed)
    found = measure_left_out(model, kind, worlds, kinds, config=config, seed=seed)
    ratios, placed = [], []
    for lesson in fresh:
        if lesson.kind != kind:
            continue
        data = labelled_lesson(lesson)
        measured = evaluate_model(model, data, replicates=config.replicates, seed=seed)
        ratios.append(
            {
                part.value: asdict(part.ratio)
                for part in measured.evaluation.slices_of("situation")
                if part.households and not part.ambiguous
            }
        )
        placed.append(
            compare_with_references(measured, data, replicates=config.replicates, seed=seed)
        )
    return found, ratios, placed


def _leave_author_out(
    hand: str,
    fresh: Sequence[Lesson],
    worlds: Sequence[DividedDevices],
    hands: Sequence[str],
    *,
    config: TrainingConfig,
    seed: int,
) -> dict[str, Any]:
    """Measure the worlds of an author by a model of the other authors' worlds alone."""
    from household_ml.modeling.distance import WAY_RATES
    from household_ml.serving.learning import evaluate_model
    from household_ml.serving.many_worlds import fit_without, measure_left_out

    model = fit_without(hand, worlds, hands, config=config, seed=seed)
    found = measure_left_out(model, hand, worlds, hands, config=config, seed=seed)
    found["fresh"] = {}
    for lesson in fresh:
        if lesson.hand == hand:
            measured = evaluate_model(model, labelled_lesson(lesson), replicates=0, seed=seed)
            metrics = measured.evaluation.metrics
            found["fresh"][lesson.setting] = {
                f"recall_at_{rate:g}": metrics[f"recall_at_{rate:g}"].value for rate in WAY_RATES
            }
    return found


def _find_homes(kind: str, fresh: Sequence[Lesson], seed: int) -> list[HomeAccuracy]:
    from household_ml.serving.references import homes_of

    of_kind = [lesson for lesson in fresh if lesson.kind == kind]
    return [homes_of(labelled_lesson(lesson), seed=seed) for lesson in of_kind]


def _references(kinds: Sequence[str], placed: Sequence[Referenced]) -> dict[str, Any]:
    from household_ml.modeling.distance import mean_distance

    distances = [found.distance for found in placed]
    return {
        "kinds": {kind: found.to_dict() for kind, found in zip(kinds, distances, strict=True)},
        "mean": mean_distance(distances).to_dict(),
    }


def _ablate(
    worlds: Sequence[DividedDevices],
    kinds: Sequence[str],
    folds: int,
    config: TrainingConfig,
    seed: int,
) -> dict[str, Any]:
    """Train without each family of features in turn, every kind left out once."""
    from joblib import Parallel, delayed

    from household_ml.serving.ablation import FAMILIES, deal_kinds, measure_ablation, score_without

    dealt = deal_kinds(kinds, folds)
    families = [None, *FAMILIES]
    tasks = [(family, left_out) for family in families for left_out in dealt]
    with _step(f"ablation of {len(FAMILIES)} families, {len(tasks)} models"):
        scored = Parallel()(
            delayed(score_without)(family, left_out, worlds, kinds, config=config, seed=seed)
            for family, left_out in tasks
        )
        by_family = {
            family: scored[at * len(dealt) : (at + 1) * len(dealt)]
            for at, family in enumerate(families)
        }
        return measure_ablation(by_family, worlds, kinds, replicates=config.replicates, seed=seed)


def measure_sample(model: HouseholdModel) -> dict[str, Any]:
    """Measure a model on the world of :data:`SAMPLE`, as batch scoring meets it.

    Parameters
    ----------
    model : HouseholdModel
        The model.

    Returns
    -------
    dict
        Plain JSON values: ``lesson`` and ``metrics``, with intervals.
    """
    from household_ml.serving.learning import evaluate_model

    data = labelled_lesson(SAMPLE)
    metrics = evaluate_model(model, data).evaluation.to_dict()["metrics"]
    return {"lesson": SAMPLE.to_dict(), "metrics": metrics}


@contextmanager
def _one_thread() -> Iterator[None]:
    """The kernel on one thread in every process: the processes are the threads."""
    before = os.environ.get("HOUSEHOLD_ML_THREADS")
    os.environ["HOUSEHOLD_ML_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HOUSEHOLD_ML_THREADS"]
        else:
            os.environ["HOUSEHOLD_ML_THREADS"] = before


@contextmanager
def _step(told: str) -> Iterator[None]:
    began = time.monotonic()
    click.echo(f"{told} ...", err=True)
    yield
    click.echo(f"{told}: {time.monotonic() - began:.0f} s", err=True)
