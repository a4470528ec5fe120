"""Commands that keep people's names out of the data: keys, anonymise, erase and retain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from household_ml.cli.options import (
    Command,
    keys_option,
    named_keys,
    out_option,
    read_input,
    read_keys,
    session_options,
)
from household_ml.config import environment
from household_ml.errors import FormatError, ParameterError, Problem

if TYPE_CHECKING:
    import pyarrow as pa

    from household_ml.serving.retention import Change

__all__ = ["anonymise", "erase", "keys", "retain"]

Function = TypeVar("Function", bound=Callable[..., Any])

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Change nothing; tell what would be done.")
_PATHS = click.argument("paths", metavar="PATH...", nargs=-1, required=True)


@click.command(
    cls=Command,
    examples=(
        "household-ml keys --keys household.keys",
        "household-ml keys --keys household.keys --rotate --keep 2",
    ),
)
@keys_option
@click.option("--rotate", is_flag=True, help="Add a key, which makes pseudonyms from now on.")
@click.option(
    "--keep",
    type=click.IntRange(0),
    metavar="N",
    help="With --rotate: keep the newest N of the older keys only. What was made under the others "
    "can never be found again.",
)
def keys(key_file: str | None, rotate: bool, keep: int | None) -> None:
    """Make a file of keys for pseudonyms, or rotate the keys in it.

    Without --rotate the file must not exist yet. Keep it apart from the data: who has it can go
    back from pseudonyms to addresses, and can test ids.
    """
    from household_ml.sessions.keys import Keys

    path = Path(named_keys(key_file))
    if keep is not None and not rotate:
        raise ParameterError(
            Problem("--keep must be given with --rotate", "--keep alone", "Add --rotate.")
        )
    if not rotate and path.exists():
        raise ParameterError(
            Problem(
                "--keys must be a file that does not exist yet",
                repr(str(path)),
                "Give --rotate to add a key to it.",
            )
        )
    if not path.absolute().parent.is_dir():
        raise ParameterError(
            Problem("--keys must be in a folder that exists", repr(str(path)), "Make the folder.")
        )
    made = Keys.load(path).rotated(keep=keep) if rotate else Keys.generate()
    made.save(path)
    click.echo(f"{len(made)} key{'s' if len(made) > 1 else ''} in {path}, the newest in use")


@click.command(
    cls=Command,
    examples=(
        "household-ml anonymise --sessions sessions.parquet --keys household.keys \\",
        "    --out hidden.parquet --table labels.parquet hidden_labels.parquet",
        "household-ml score --sessions hidden.parquet --out hidden_scores.parquet",
    ),
)
@session_options
@keys_option
@click.option(
    "--table",
    "tables",
    nargs=2,
    multiple=True,
    metavar="IN OUT",
    help="Another table with account_id or device_id (labels, accounts, scores), whose ids become "
    "the same pseudonyms; may be given again.",
)
@out_option(".parquet or .csv file to write.")
def anonymise(
    sessions: str,
    format_: str | None,
    rejected: str | None,
    key_file: str | None,
    tables: tuple[tuple[str, str], ...],
    out: str,
) -> None:
    """Replace ids and addresses by pseudonyms; the scores stay the same.

    Ids are digested under the newest key (BLAKE2b); addresses are encrypted so that prefixes stay
    prefixes (ipcrypt-pfx), with the AS of the true address beside. What is left is pseudonymised,
    not anonymous: it still is personal data.
    """
    from household_ml.networks.anonymisation import anonymise_sessions, pseudonymise_ids
    from household_ml.serving.batch import check_output, write_table

    targets = [check_output(out), *(check_output(target) for _, target in tables)]
    secrets = read_keys(key_file)
    taken = read_input(sessions, format_, rejected)
    others = [_read_table(source) for source, _ in tables]
    hidden = [
        anonymise_sessions(taken, secrets),
        *(pseudonymise_ids(other, secrets) for other in others),
    ]
    for table, target in zip(hidden, targets, strict=True):
        write_table(table, target)
        click.echo(f"{table.num_rows:,} rows in {target}")


@click.command(
    cls=Command,
    examples=(
        "household-ml erase --account 51ab2543ab9ce2d7 --dry-run scores reports",
        "household-ml erase --account 51ab2543ab9ce2d7 --keys household.keys scores reports",
    ),
)
@_PATHS
@click.option("--account", metavar="ID", required=True, help="Account to erase: its true id.")
@click.option(
    "--device", metavar="ID", help="Erase this device of it alone; left out, the whole account."
)
@keys_option
@_DRY_RUN
def erase(
    paths: tuple[str, ...],
    account: str,
    device: str | None,
    key_file: str | None,
    dry_run: bool,
) -> None:
    """Erase an account from files that the product wrote, under its id and its pseudonyms.

    PATH is a file or folder with tables of sessions, scores, features, places or labels (Parquet
    or CSV) or reports (HTML) that show the account. With keys, the pseudonyms of the account under
    each of them are erased too. What an interrupted batch has kept is removed whole. Models name no
    account; the record of answers has a command of its own, audit erase.
    """
    from household_ml.serving import retention

    names, device_names = {account}, {device} if device is not None else set()
    given = key_file or environment("HOUSEHOLD_ML_KEYS")
    if given:
        pseudonyms = read_keys(given).pseudonyms
        names |= set(pseudonyms.all_of("account_id", account))
        if device is not None:
            device_names |= set(pseudonyms.all_of("device_id", device))
    _tell(retention.erase(paths, names, devices=device_names, dry_run=dry_run), dry_run)


@click.command(
    cls=Command,
    examples=("household-ml retain --days 180 scores reports networks.parquet",),
)
@_PATHS
@click.option(
    "--days", type=click.IntRange(1), required=True, help="Keep what is at most so many days old."
)
@click.option("--as-of", metavar="TIME", help="Count the days from here; left out, from now.")
@_DRY_RUN
def retain(paths: tuple[str, ...], days: int, as_of: str | None, dry_run: bool) -> None:
    """Remove what is older than so many days from files that the product wrote.

    Sessions are as old as their start, scores and features as their as_of, places and networks as
    the last session there; reports, rejected rows and what an interrupted batch has kept go with
    their file. The record of answers has a command of its own, audit erase.
    """
    from datetime import UTC, datetime

    from household_ml.scoring.scorer import read_moment
    from household_ml.serving import retention

    moment = read_moment(datetime.now(UTC) if as_of is None else as_of)
    before = moment - days * 86_400_000_000
    _tell(retention.expire(paths, before, dry_run=dry_run), dry_run)


def _read_table(source: str) -> pa.Table:
    """A Parquet, CSV or Arrow table with all its columns; every row of it, or an error."""
    import pyarrow as pa

    from household_ml.sessions.stored import find_files
    from household_ml.sessions.tabular import kind_of, open_tabular

    parts = []
    for stored in find_files(source):
        kind = kind_of(stored.head())
        if kind not in ("parquet", "arrow", "csv"):
            raise FormatError(
                Problem(
                    "--table must be a Parquet, CSV or Arrow file",
                    f"{stored.name}, which is none",
                    "Convert it.",
                )
            )
        tabular = open_tabular(stored, kind)
        columns, _, refused = tabular.read(tabular.names)
        if refused.num_rows:
            raise FormatError(
                Problem(
                    f"every row of {stored.name} must have the fields of its header",
                    f"{refused.num_rows} rows with another number",
                    "Mend or remove these rows.",
                )
            )
        parts.append(pa.table(columns))
    return pa.concat_tables(parts, promote_options="default")


def _tell(changes: Iterable[Change], dry_run: bool) -> None:
    """A line for each file with something to remove or to say, and the sum."""
    removed = files = 0
    for change in changes:
        removed, files = removed + change.removed, files + 1
        if change.removed:
            note = f" ({change.note})" if change.note else ""
            click.echo(f"{change.path}: {change.removed:,} removed, {change.kept:,} kept{note}")
        elif change.note:
            click.echo(f"{change.path}: left alone, {change.note}", err=True)
    told = "would be removed from" if dry_run else "removed from"
    click.echo(f"{removed:,} rows {told} {files:,} files")
