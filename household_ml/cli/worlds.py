"""The command that simulates."""

from __future__ import annotations

import click

from household_ml.cli.options import Command

__all__ = ["simulate"]


@click.command(
    cls=Command,
    examples=(
        "household-ml simulate --out world --accounts 500",
        "household-ml simulate --out world --world us --check",
        "household-ml simulate --out world --hand third --world mobile_first --truth",
        "household-ml train --data world --out model",
    ),
)
@click.option("--out", metavar="DIR", required=True, help="Folder to write.")
@click.option(
    "--world",
    metavar="NAME",
    default="fr",
    show_default=True,
    help="fr, us, de, daily_renumbering, carrier_nat, mobile_first, evaders, messy, "
    "moves_and_holidays or br; NAME~SEED draws its parameters anew.",
)
@click.option(
    "--hand",
    type=click.Choice(["first", "second", "third"]),
    default="first",
    show_default=True,
    help="Whose simulator: there are three, each by another author. The second and third have no "
    "de and br, and call moves_and_holidays moves_holidays.",
)
@click.option("--accounts", type=int, default=2000, show_default=True, help="Accounts to simulate.")
@click.option(
    "--days", type=int, default=90, show_default=True, help="Days of history, at least 7."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same bytes.")
@click.option("--truth", is_flag=True, help="Also write the true line and place of every session.")
@click.option(
    "--check",
    is_flag=True,
    help="Also compare the world with published counts of real accounts (296 days of it); of the "
    "first author alone.",
)
def simulate(
    out: str,
    world: str,
    hand: str,
    accounts: int,
    days: int,
    seed: int,
    truth: bool,
    check: bool,
) -> None:
    """Write simulated sessions, accounts and labels, with the situation of every device."""
    from household_ml.serving.progress import Progress
    from household_ml.simulation.authors import FIRST, write_made_world

    if check and hand != FIRST:
        raise click.UsageError("--check compares worlds of the first hand: leave one of them out")
    with Progress("simulating", accounts) as progress:
        rows = write_made_world(
            out,
            hand,
            world,
            accounts,
            days,
            seed,
            truth=truth,
            progress=lambda done, _: progress.advance(done - progress.done),
        )
    told = ", ".join(f"{count:,} {name}" for name, count in rows.items())
    click.echo(f"{told} in {out}")
    if check:
        from household_ml.simulation.check import check_world

        check_world(world, seed=seed, report=click.echo)
