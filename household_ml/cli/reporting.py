"""The command that writes a report about one account."""

from __future__ import annotations

from pathlib import Path

import click

from household_ml.cli.learning import check_file
from household_ml.cli.options import (
    Command,
    as_of_option,
    language_option,
    model_option,
    networks_option,
    out_option,
    read_input,
    session_options,
)

__all__ = ["report"]


@click.command(
    cls=Command,
    examples=(
        "household-ml report --sessions data/example --account 51ab2543ab9ce2d7 \\",
        "    --out account.html",
        "household-ml report --sessions netflix-report.zip --language fr --out compte.html",
    ),
)
@session_options
@click.option(
    "--account", metavar="ID", help="Account to report on; left out, the only one of the input."
)
@click.option("--accounts", metavar="PATH", help="Accounts table, for extra-member slots.")
@model_option
@networks_option
@as_of_option
@language_option
@out_option("HTML file to write; it opens without a network and holds no address.")
def report(
    sessions: str,
    format_: str | None,
    rejected: str | None,
    account: str | None,
    accounts: str | None,
    model: str | None,
    networks: str | None,
    as_of: str | None,
    language: str,
    out: str,
) -> None:
    """Write a report about one account: what was seen, its places, the answers and why.

    It also says what would change an answer, and how to contest it. Give the sessions of other
    accounts too, or --networks, so that shared addresses are known as shared. household-ml erase
    finds the report by its account.
    """
    from household_ml.errors import ParameterError, Problem
    from household_ml.networks import NetworkStatistics
    from household_ml.scoring.scorer import HouseholdScorer, read_moment
    from household_ml.serving.account_report import write_account_report

    check_file(out, ".html")
    scorer = HouseholdScorer.load(model)
    statistics = None if networks is None else NetworkStatistics.load(networks)
    moment = None if as_of is None else read_moment(as_of)
    taken = read_input(sessions, format_, rejected)
    if account is None and taken.n_accounts != 1:
        raise ParameterError(
            Problem(
                "--account must name one account",
                f"none, and sessions of {taken.n_accounts:,} accounts",
                f"Give the id of one, such as {taken.account_id[0].as_py()}.",
            )
        )
    write_account_report(
        out,
        scorer,
        taken,
        taken.account_id[0].as_py() if account is None else account,
        accounts=accounts,
        networks=statistics,
        as_of=moment,
        language=language,
        simulated=(Path(sessions) / "world.json").is_file(),
    )
    click.echo(f"report in {out}")
