"""Erasing one account, and letting what is old expire, in the files that the product writes.

Looked through are tables (Parquet and CSV: sessions, scores, features, places, labels, rejected
rows), snapshots of network statistics and reports that show an account (HTML). A file is rewritten
beside itself and takes its own name when it is complete, so that an interruption leaves it whole;
one in which nothing is to be removed is not touched. What an interrupted batch has kept to go on
from is removed as a whole. Any other file is left alone, and told.
"""

from __future__ import annotations

import html
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from household_ml.errors import ParameterError, Problem
from household_ml.networks import NetworkStatistics
from household_ml.networks.counting import COUNTED
from household_ml.schema import NETWORKS
from household_ml.serving.journal import under_way, work_of
from household_ml.sessions.reading import REJECTED_SCHEMA
from household_ml.sessions.times import parse_times

__all__ = ["ACCOUNT_META", "Change", "erase", "expire"]

#: Name of the element in which a report names an account that it shows.
ACCOUNT_META: Final = "household-ml-account"

#: Columns that say when a row was true, in the order in which they are looked for.
_TIMES: Final = ("started_at", "as_of", "last_at")

_LAST_SEEN: Final = COUNTED.index("last_seen")
_SECOND_US: Final = 1_000_000
_SQLITE: Final = b"SQLite format 3\0"
_REPORT = re.compile(rf'<meta name="{ACCOUNT_META}" content="([^"]*)"')

Removes = Callable[[pa.Table], pa.Array]


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to one file, or would be.

    Parameters
    ----------
    path : Path
        The file.
    removed, kept : int
        Rows, or networks of a snapshot; a report counts as one, and so does a batch's work.
    note : str
        Why it was left alone, or what else to know; empty when there is nothing to say.
    """

    path: Path
    removed: int = 0
    kept: int = 0
    note: str = ""


def erase(
    paths: Iterable[str | Path],
    accounts: Collection[str],
    *,
    devices: Collection[str] = (),
    dry_run: bool = False,
) -> Iterator[Change]:
    """Remove every row about an account, or about some of its devices.

    Parameters
    ----------
    paths : iterable of str or Path
        Files and folders; folders are gone through with all that is in them.
    accounts : collection of str
        Names of the account: its id, and its pseudonyms.
    devices : collection of str
        Names of devices; all of the account when empty.
    dry_run : bool, default=False
        Change nothing.

    Yields
    ------
    Change
        One for each file.

    Raises
    ------
    ParameterError
        A path does not exist, or no account is named.
    """
    if not accounts:
        raise ParameterError(
            Problem("accounts must name one account", "none", "Give its id, or a pseudonym of it.")
        )
    names = {
        column: pa.array(sorted(values), pa.large_string())
        for column, values in (("account_id", accounts), ("device_id", devices))
        if values
    }

    def removes(table: pa.Table) -> pa.Array:
        masks = [pc.is_in(_text(table[column]), value_set=ids) for column, ids in names.items()]
        return masks[0] if len(masks) == 1 else pc.and_(*masks)

    for path in _files(paths):
        if path.is_dir():
            yield _remove_work(path, dry_run)
            continue
        if path.suffix == ".html":
            shown = _accounts_shown(path)
            if not shown:
                yield Change(path, note="a page that shows no account")
            elif shown & set(accounts) and not devices:
                yield _remove(path, dry_run)
            else:
                about = "the account, not a device alone" if devices else "another account"
                yield Change(path, kept=1, note=f"a report about {about}")
            continue
        columns = _columns(path)
        if set(names) <= set(columns):
            yield _rewrite(path, removes, dry_run)
        elif _is_snapshot(columns):
            yield Change(path, note="counts of networks, which name no account")
        else:
            yield Change(path, note=_other(path) or "no table with the ids of accounts")


def expire(paths: Iterable[str | Path], before: int, *, dry_run: bool = False) -> Iterator[Change]:
    """Remove every row that was last true before a moment.

    A row of sessions is as old as its start, one of scores or features as their ``as_of``, a place
    or a network as the last session there. Rejected rows and reports say no time, so they go with
    the file, when it was written before the moment. A table that is left empty is removed.

    Parameters
    ----------
    paths : iterable of str or Path
        Files and folders; folders are gone through with all that is in them.
    before : int
        Microseconds since 1970, UTC.
    dry_run : bool, default=False
        Change nothing.

    Yields
    ------
    Change
        One for each file.

    Raises
    ------
    ParameterError
        A path does not exist.
    """
    for path in _files(paths):
        columns = _columns(path)
        written = int(path.stat().st_mtime * _SECOND_US)
        if path.is_dir():
            yield _remove_work(path, dry_run) if written < before else Change(path, kept=1)
            continue
        named = next((name for name in _TIMES if name in columns), None)
        if named is not None and "account_id" in columns:

            def removes(table: pa.Table, name: str = named) -> pa.Array:
                times = parse_times(table[name])
                return pa.array(~times.missing & ~times.invalid & (times.at < before))

            yield _rewrite(path, removes, dry_run)
        elif _is_snapshot(columns):
            yield _expire_networks(path, before, dry_run)
        elif columns == tuple(REJECTED_SCHEMA.names) or _accounts_shown(path):
            yield _remove(path, dry_run) if written < before else Change(path, kept=1)
        else:
            yield Change(path, note=_other(path) or "no table that says when")


def _files(paths: Iterable[str | Path]) -> list[Path]:
    """Every file of the paths, once, in the order of their names; of a batch's work its folder."""
    found: set[Path] = set()
    for given in paths:
        path = Path(given)
        if not path.exists():
            raise ParameterError(
                Problem("each path must be a file or folder", repr(str(given)), "Check its name.")
            )
        found |= {path} if path.is_file() else {each for each in path.rglob("*") if each.is_file()}
    # Rewriting a link would leave what it leads to as it was.
    files = {path.resolve() if path.is_symlink() else path for path in found}
    return sorted({work_of(path) or path for path in files})


def _columns(path: Path) -> tuple[str, ...]:
    """Columns of a table; none when the file is no table."""
    with suppress(OSError, pa.ArrowException, UnicodeDecodeError):
        if path.suffix == ".parquet":
            return tuple(pq.read_schema(path).names)
        if path.suffix == ".csv":
            with pa_csv.open_csv(path) as reader:
                return tuple(reader.schema.names)
    return ()


def _is_snapshot(columns: Collection[str]) -> bool:
    return bool(columns) and set(columns) == set(NETWORKS.names)


def _accounts_shown(path: Path) -> set[str]:
    """Accounts that a report shows; none when the file is no report."""
    if path.suffix != ".html":
        return set()
    page = path.read_text(encoding="utf-8", errors="replace")
    return {html.unescape(name) for name in _REPORT.findall(page)}


def _other(path: Path) -> str:
    """What to know of a file that is not looked through; empty when there is nothing to say."""
    if path.suffix == ".part":
        return "an unfinished file: delete it when nothing writes it any more"
    with path.open("rb") as file:
        database = file.read(len(_SQLITE)) == _SQLITE
    return "a database; for a record of answers there is household-ml audit erase" * database


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.large_string())


def _remove(path: Path, dry_run: bool) -> Change:
    if not dry_run:
        path.unlink()
    return Change(path, removed=1, note="the file is removed")


def _remove_work(folder: Path, dry_run: bool) -> Change:
    """Remove what a batch has kept to go on from, unless it is going on now."""
    if under_way(folder):
        return Change(folder, kept=1, note="a batch under way: come again when it has ended")
    if not dry_run:
        shutil.rmtree(folder)
    return Change(folder, removed=1, note="an interrupted batch, which begins anew")


def _tables(path: Path) -> tuple[pa.Schema, Iterator[pa.Table]]:
    """A table piece by piece; a CSV as text alone, so that nothing is written in another form."""
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path)
        batches = file.iter_batches()
        return file.schema_arrow, (pa.Table.from_batches([batch]) for batch in batches)
    options = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(_columns(path), pa.string()), strings_can_be_null=False
    )
    lines = pa_csv.ParseOptions(newlines_in_values=True)
    reader = pa_csv.open_csv(path, parse_options=lines, convert_options=options)
    return reader.schema, (pa.Table.from_batches([batch]) for batch in reader)


def _rewrite(path: Path, removes: Removes, dry_run: bool) -> Change:
    removed = kept = 0
    for table in _tables(path)[1]:
        gone = int(pc.sum(pc.fill_null(removes(table), False)).as_py() or 0)
        removed, kept = removed + gone, kept + table.num_rows - gone
    if removed == 0 or dry_run:
        return Change(path, removed, kept)
    if kept == 0:
        path.unlink()
        return Change(path, removed, kept, "the file is removed")
    schema, tables = _tables(path)
    working = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with _writer(working, path, schema) as writer:
            for table in tables:
                left = table.filter(pc.invert(pc.fill_null(removes(table), False)))
                if left.num_rows:
                    writer.write_table(left)
        working.replace(path)
    finally:
        working.unlink(missing_ok=True)
    return Change(path, removed, kept)


def _writer(working: Path, path: Path, schema: pa.Schema) -> Any:
    if path.suffix == ".parquet":
        return pq.ParquetWriter(working, schema, compression="zstd")
    return pa_csv.CSVWriter(working, schema, write_options=pa_csv.WriteOptions(quoting_style="needed"))  # fmt: skip  # noqa: E501


def _expire_networks(path: Path, before: int, dry_run: bool) -> Change:
    statistics = NetworkStatistics.load(path)
    last: np.ndarray = statistics.counts[:, _LAST_SEEN]
    stays = last >= before
    removed, kept = int((~stays).sum()), int(stays.sum())
    if removed and not dry_run:
        if kept == 0:
            return replace(_remove(path, dry_run), removed=removed)
        left = replace(
            statistics,
            starts=np.concatenate([[0], np.cumsum(stays)])[statistics.starts],
            key=statistics.key[stays],
            networks=statistics.networks[stays],
            counts=statistics.counts[stays],
        )
        left.save(path)
    return Change(path, removed, kept)
