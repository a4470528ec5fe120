"""The command that follows accounts from day to day."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from household_ml.cli.curriculum import FIRST_HAND, SECOND_HAND
from household_ml.cli.lived import BOTH_HANDS, live, worlds_of
from household_ml.cli.options import Command, model_option
from household_ml.errors import ParameterError, Problem

if TYPE_CHECKING:
    from household_ml.modeling.model import HouseholdModel
    from household_ml.modeling.stability import DailyVerdicts
    from household_ml.serving.stability import Lived

__all__ = ["stability", "stability_of_kinds"]

#: Seeds of the worlds of `stability_of_kinds`, apart from those that anything learns from.
_SERIES = 60


@click.command(
    cls=Command,
    examples=(
        "household-ml stability --world fr --accounts 300",
        "household-ml stability --world all --accounts 100",
        "household-ml stability --data world --days 30 --json stability.json",
    ),
)
@click.option(
    "--data",
    metavar="DIR",
    multiple=True,
    help="Folder with sessions, labels and, optionally, accounts and changes; may be repeated.",
)
@click.option(
    "--world",
    "worlds",
    metavar="NAME",
    multiple=True,
    help="World to simulate instead, as in simulate, or all; may be repeated.  [default: fr]",
)
@click.option(
    "--hand",
    type=click.Choice([FIRST_HAND, SECOND_HAND, BOTH_HANDS]),
    default=BOTH_HANDS,
    show_default=True,
    help="Author of the simulator; both where both have the world.",
)
@click.option(
    "--accounts",
    type=click.IntRange(1),
    default=300,
    show_default=True,
    help="Accounts of each simulated world.",
)
@click.option(
    "--days", type=click.IntRange(1), default=60, show_default=True, help="Days that are counted."
)
@click.option(
    "--run-in",
    type=click.IntRange(0),
    default=63,
    show_default=True,
    help="Days that are scored before those that are counted.",
)
@click.option(
    "--history",
    type=click.IntRange(7),
    default=120,
    show_default=True,
    help="Days of a simulated world before anything is scored.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same numbers.")
@model_option
@click.option("--json", "json_", metavar="PATH", help="Measurements to write as JSON.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default="one per core",
    help="Processes, one world each at a time.",
)
def stability(
    data: tuple[str, ...],
    worlds: tuple[str, ...],
    hand: str,
    accounts: int,
    days: int,
    run_in: int,
    history: int,
    seed: int,
    model: str | None,
    json_: str | None,
    jobs: int,
) -> None:
    """Score accounts daily, and tell how often verdicts flip and how soon they come.

    Once by the thresholds alone and once carried over from day to day, as score --previous does.
    """
    from household_ml.cli.learning import check_file
    from household_ml.modeling.card_stability import STABILITY, stability_section
    from household_ml.scoring.scorer import HouseholdScorer
    from household_ml.serving.stability import read_lived, summarise

    if data and worlds:
        raise ParameterError(
            Problem(
                "--data and --world must not be given together",
                "both",
                "Give folders, or worlds to simulate.",
            )
        )
    if json_ is not None:
        check_file(json_, ".json")
    chosen = HouseholdScorer.load(model).model
    if data:
        calls = [(chosen, read_lived(folder), days, run_in) for folder in data]
        found = summarise(_in_processes(_follow, calls, jobs), seed=seed)
    else:
        from household_ml.simulation import WORLDS

        named = list(WORLDS) if worlds == ("all",) else list(worlds or ("fr",))
        found = stability_of_kinds(
            chosen,
            named,
            hand=hand,
            accounts=accounts,
            days=days,
            run_in=run_in,
            history=history,
            seed=seed,
            jobs=jobs,
        )
    click.echo(stability_section({STABILITY: found}).partition("\n\n")[2])
    if json_ is not None:
        Path(json_).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        click.echo(f"\nmeasurements in {json_}")


def stability_of_kinds(
    model: HouseholdModel,
    kinds: Sequence[str],
    *,
    hand: str = BOTH_HANDS,
    accounts: int = 300,
    days: int = 60,
    run_in: int = 63,
    history: int = 120,
    seed: int = 0,
    jobs: int = 1,
) -> dict[str, Any]:
    """Follow the accounts of simulated worlds that nobody learnt from.

    Parameters
    ----------
    model : HouseholdModel
        What answers.
    kinds : sequence of str
        Names of worlds.
    hand : {"both", "first", "second"}
        Author of the simulator; a world that an author does not have is left out.
    accounts : int, default=300
        Accounts of each world of each author.
    days : int, default=60
        Daily scorings that are counted.
    run_in : int, default=63
        Daily scorings before them.
    history : int, default=120
        Days before those: with them the window of the features is full, as it is at a service that
        has kept its logs.
    seed : int, default=0
        Of the worlds and of the resampling.
    jobs : int, default=1
        Processes.

    Returns
    -------
    dict
        As :func:`~household_ml.serving.stability.measure_stability` gives it; the value of
        ``stability`` among the metrics of a model.
    """
    from household_ml.serving.stability import summarise

    calls = [
        (model, world, accounts, history + run_in + days, (seed, place, _SERIES), days, run_in)
        for place, kind in enumerate(kinds)
        for world in worlds_of(kind, hand)
    ]
    return summarise(_in_processes(_live_and_follow, calls, jobs), seed=seed)


def _live_and_follow(
    model: HouseholdModel,
    world: tuple[str, str],
    accounts: int,
    whole_days: int,
    seed: tuple[int, ...],
    days: int,
    run_in: int,
) -> DailyVerdicts:
    lived = live(*world, accounts=accounts, days=whole_days, seed=seed)
    return _follow(model, lived, days, run_in)


def _follow(model: HouseholdModel, world: Lived, days: int, run_in: int) -> DailyVerdicts:
    from household_ml.serving.stability import follow_daily

    return follow_daily(model, world, days=days, run_in=run_in)


def _in_processes(function: Any, calls: Sequence[tuple[Any, ...]], jobs: int) -> list[Any]:
    """Call a function with each of some arguments, in so many processes."""
    from joblib import Parallel, delayed

    if jobs == 1 or len(calls) == 1:
        return [function(*call) for call in calls]
    workers = Parallel(n_jobs=jobs, backend="loky")
    return list(workers(delayed(function)(*call) for call in calls))
