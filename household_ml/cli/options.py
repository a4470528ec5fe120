"""Options that several commands share, and what they make of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from household_ml.config import environment
from household_ml.errors import ParameterError, Problem

if TYPE_CHECKING:
    from household_ml.sessions import Reading, Sessions
    from household_ml.sessions.keys import Keys
    from household_ml.sessions.reading import RowCounts

__all__ = [
    "FORMATS",
    "Command",
    "as_of_option",
    "check_rejected_folder",
    "data_option",
    "keys_option",
    "labelled_format_option",
    "language_option",
    "model_option",
    "named_keys",
    "networks_option",
    "out_option",
    "read_input",
    "read_keys",
    "session_options",
    "tell_reading",
    "write_examples",
]

Function = TypeVar("Function", bound=Callable[..., Any])

#: Formats that sessions are read from.
FORMATS: Final = ("sessions", "netflix-export", "spotify-export", "csfeye", "rba-dataset")


#: Commands that run until somebody ends them.
_WAITING: Final = frozenset({"serve"})


class Command(click.Command):
    """A command whose help ends in examples, and which tells that it goes on.

    Parameters
    ----------
    examples : sequence of str
        Lines that work when they are typed as they are.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.examples = tuple(examples)

    def invoke(self, ctx: click.Context) -> Any:
        """Run, and tell from two seconds on that it goes on."""
        if self.name in _WAITING:
            return super().invoke(ctx)
        from household_ml.serving.working import Working

        with Working(ctx.command_path):
            return super().invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples as they are, then what else stands at the end."""
        write_examples(self.examples, formatter)
        super().format_epilog(ctx, formatter)


def write_examples(examples: Sequence[str], formatter: click.HelpFormatter) -> None:
    """Write examples without wrapping them."""
    if examples:
        formatter.write("\nExamples:\n")
        for line in examples:
            formatter.write(f"  {line}\n")


as_of_option = click.option(
    "--as-of",
    metavar="TIME",
    help="No session after it is used, ISO 8601; left out, the last session of the input.",
)
data_option = click.option(
    "--data",
    metavar="DIR",
    required=True,
    multiple=True,
    help="Folder with sessions and labels, and optionally accounts; give it again for more worlds.",
)
labelled_format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="Format of the sessions; left out, it is recognised by content.",
)
model_option = click.option(
    "--model",
    metavar="MODEL",
    help="A folder, or an MLflow URI such as models:/household@champion; left out, "
    "HOUSEHOLD_ML_MODEL, else the model that ships with the package.",
)
language_option = click.option(
    "--language",
    type=click.Choice(["en", "fr"]),
    default="en",
    show_default=True,
    help="Language of the report.",
)
networks_option = click.option(
    "--networks",
    metavar="PATH",
    help="Snapshot of network statistics, as household-ml networks writes it; left out, they are "
    "built from the input, and one account alone uses those beside the model.",
)


keys_option = click.option(
    "--keys",
    "key_file",
    metavar="FILE",
    help="File of keys, as household-ml keys makes it; left out, HOUSEHOLD_ML_KEYS.",
)


def named_keys(key_file: str | None) -> str:
    """The file of keys that is meant: the one named, else the environment's.

    Raises
    ------
    ParameterError
        Neither names one.
    """
    named = key_file or environment("HOUSEHOLD_ML_KEYS")
    if not named:
        raise ParameterError(
            Problem(
                "--keys must name a file of keys",
                "neither --keys nor HOUSEHOLD_ML_KEYS",
                "Make one with household-ml keys --keys FILE.",
            )
        )
    return named


def read_keys(key_file: str | None) -> Keys:
    """The keys in the file that is meant, see :func:`named_keys`."""
    from household_ml.sessions.keys import Keys

    return Keys.load(named_keys(key_file))


def out_option(what: str) -> Callable[[Function], Function]:
    """``--out``, needed."""
    return click.option("--out", metavar="PATH", required=True, help=what)


def session_options(command: Function) -> Function:
    """``--sessions``, ``--format`` and ``--rejected``."""
    for option in (
        click.option(
            "--rejected",
            metavar="PATH",
            help="Write the rows that could not be used, with their reasons (Parquet or CSV).",
        ),
        click.option(
            "--format",
            "format_",
            type=click.Choice(FORMATS),
            help="Format of the sessions; left out, it is recognised by content.",
        ),
        click.option(
            "--sessions",
            metavar="PATH",
            required=True,
            help="Parquet, CSV or Arrow file, folder, glob or zip.",
        ),
    ):
        command = option(command)
    return command


def read_input(sessions: str, format_: str | None, rejected: str | None) -> Sessions:
    """Read the sessions of a command, and tell on standard error what came of the rows."""
    from household_ml.sessions import read_sessions

    check_rejected_folder(rejected)
    taken = read_sessions(sessions, format=format_, rejected=rejected)
    tell_reading(taken.reading, rejected)
    return taken


def check_rejected_folder(rejected: str | None) -> None:
    """Refuse early a file of rejected rows that could not be written late."""
    if rejected is not None and not Path(rejected).absolute().parent.is_dir():
        raise ParameterError(
            Problem(
                "--rejected must be a file in a folder that exists",
                repr(rejected),
                "Make the folder, or give another name.",
            )
        )


def tell_reading(reading: Reading | RowCounts, rejected: str | None) -> None:
    """Tell, on standard error, how many rows were used and how many were not."""
    told = f"{reading}."
    if len(reading.rejected) and rejected is None:
        told += " Give --rejected PATH to see them."
    click.echo(told, err=True)
