"""The command line: every command is a thin way into the package.

Commands live in modules of their own, imported when they are called, so that ``--help`` is quick.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from household_ml import __version__
from household_ml.cli.failures import run
from household_ml.cli.options import write_examples

__all__ = ["COMMANDS", "household_ml", "main"]

#: Commands in the order of the work: name -> (module, short help).
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demonstration", "The whole way on simulated accounts, with a report to open."),
    "simulate": ("worlds", "Write simulated sessions, accounts and labels."),
    "networks": ("tables", "Count accounts and devices per network into a snapshot."),
    "features": ("tables", "Write the feature table."),
    "places": ("tables", "Write the inferred places of each account."),
    "train": ("learning", "Train a model from sessions and labels."),
    "evaluate": ("evaluation", "Measure a model against the baselines."),
    "stability": ("stability", "Score accounts daily, and tell how often verdicts flip."),
    "score": ("answers", "Score every device of a set of sessions."),
    "report": ("reporting", "Write a report about one account, with reasons, to open."),
    "serve": ("answers", "Answer over HTTP."),
    "api-keys": ("api_keys", "Make or revoke the keys that open the HTTP service."),
    "adapt": ("learning", "Adapt the probability to unlabelled sessions."),
    "promote": ("promotion", "Make the challenger champion, if it holds against the present one."),
    "explain": ("audit", "Give a recorded answer again, and say whether it is equal."),
    "audit": ("audit", "List or erase what was recorded of an account's answers."),
    "monitor": ("monitoring", "Compare what the model meets now with what it met before."),
    "keys": ("privacy", "Make or rotate the keys of pseudonyms."),
    "anonymise": ("privacy", "Replace ids and addresses by pseudonyms; scores stay the same."),
    "erase": ("privacy", "Erase an account from files that the product wrote."),
    "retain": ("privacy", "Remove what is older than so many days from such files."),
    "train-default": ("default_model", "Train the model that ships, from seeds alone."),
}


class _Commands(click.Group):
    """A group that imports a command when it is called."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(self.examples, formatter)
        super().format_epilog(ctx, formatter)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"household_ml.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


@click.group(
    examples=(
        "household-ml demo",
        "household-ml score --sessions sessions.parquet --out scores.parquet",
    ),
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 2 wrong input or call, 130 interrupted, 1 anything else.",
)
@click.version_option(__version__, prog_name="household-ml")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def household_ml(debug: bool) -> None:
    """Tell which devices of a streaming account belong to its household."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : sequence of str or None, default=None
        What follows ``household-ml``; None for those of the process.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    debug = "--debug" in given[:1]
    sys.exit(
        run(
            lambda: household_ml.main(args=given, prog_name="household-ml", standalone_mode=False),
            debug=debug,
        )
    )
