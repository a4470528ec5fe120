"""The command that makes, lists and revokes API keys."""

from __future__ import annotations

import click

from household_ml.cli.options import Command
from household_ml.errors import ParameterError, Problem

__all__ = ["api_keys"]


@click.command(
    "api-keys",
    cls=Command,
    examples=(
        "household-ml api-keys --file keys.json --add enforcement",
        "household-ml api-keys --file keys.json",
        "household-ml api-keys --file keys.json --revoke enforcement",
    ),
)
@click.option("--file", "path", metavar="PATH", required=True, help="File of API keys.")
@click.option("--add", metavar="NAME", help="Make a key, and print it: it is shown only once.")
@click.option("--revoke", metavar="NAME", help="Take a key out.")
def api_keys(path: str, add: str | None, revoke: str | None) -> None:
    """Make, list or revoke the keys that open the HTTP service.

    Several are good at once: add the next one, move the callers, revoke the old one. A service
    that runs looks at the file again within seconds.
    """
    from household_ml.serving.api_keys import add_key, read_keys, revoke_key

    if add is not None and revoke is not None:
        raise ParameterError(
            Problem("one of --add and --revoke must be given", "both", "Give them one by one.")
        )
    if add is not None:
        click.echo(add_key(path, add))
        click.echo(
            f"Only its digest is in {path}: keep the key where its caller reads it.", err=True
        )
    elif revoke is not None:
        revoke_key(path, revoke)
    else:
        for key in read_keys(path):
            click.echo(f"{key.name}  since {key.created}  sha256 {key.sha256[:12]}...")
