"""The command that makes a challenger the champion."""

from __future__ import annotations

import click

from household_ml.cli.options import (
    Command,
    as_of_option,
    data_option,
    labelled_format_option,
    networks_option,
)

__all__ = ["promote"]


@click.command(
    cls=Command,
    examples=(
        "MLFLOW_TRACKING_URI=sqlite:///mlflow.db \\",
        "    household-ml promote --name household --data holdout",
        "household-ml promote --name household --data fr --data de --dry-run",
    ),
)
@click.option("--name", metavar="NAME", required=True, help="Name in the registry.")
@data_option
@labelled_format_option
@networks_option
@as_of_option
@click.option(
    "--tolerance",
    type=click.FloatRange(0.0, 1.0),
    default=0.01,
    show_default=True,
    help="A metric may be worse than the champion's by so much.",
)
@click.option("--dry-run", is_flag=True, help="Decide, but change and write nothing.")
def promote(
    name: str,
    data: tuple[str, ...],
    format_: str | None,
    networks: str | None,
    as_of: str | None,
    tolerance: float,
    dry_run: bool,
) -> int:
    """Make the challenger champion, if it holds against the present one on the same data.

    The alias moves only if the challenger's thresholds are certified under bounds on false flags no
    looser than the champion's, the data do not refute them, no metric is worse than the champion's
    by more than the tolerance, with 95 % confidence, and no situation of honest people is clearly
    more often called outside. What was required and found is printed, and written to the registry.
    The accounts must be none that either model has learnt from. Exit code 1 when it is refused.
    """
    from household_ml.networks import NetworkStatistics
    from household_ml.scoring.scorer import read_moment
    from household_ml.serving.datasets import read_labelled
    from household_ml.serving.promotion import promote as promote_model

    moment = None if as_of is None else read_moment(as_of)
    statistics = None if networks is None else NetworkStatistics.load(networks)
    labelled = [read_labelled(folder, sessions_format=format_) for folder in data]
    found = promote_model(
        name,
        labelled,
        tolerance=tolerance,
        networks=statistics,
        as_of=moment,
        dry_run=dry_run,
    )
    click.echo(found.to_text())
    return 0 if found.contest.holds else 1
