"""Parquet, Arrow and CSV files as columns by name."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from household_ml.errors import FormatError, Problem, SchemaError
from household_ml.sessions.raw import REFUSED_SCHEMA, refused_rows
from household_ml.sessions.stored import Stored

__all__ = [
    "Kind",
    "Tabular",
    "blank_rows",
    "csv_header",
    "csv_options",
    "damaged_file",
    "in_memory",
    "kind_of",
    "no_rows",
    "not_utf8",
    "open_tabular",
    "refuse_twins",
]

Kind = Literal["parquet", "arrow", "csv", "json", "empty", "other"]

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_NO_ROWS = ("Empty CSV", "Could not skip initial")
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Tabular:
    """Something with named columns, read when asked.

    Parameters
    ----------
    source : str
        Name told to the reader.
    names : tuple of str
        Names of all columns.
    read : callable
        Takes names of columns and gives (columns, row numbers or first row number, refused rows).
    types : mapping of str to pyarrow.DataType, optional
        Types of the columns where the file tells them; else they are text.
    """

    source: str
    names: tuple[str, ...]
    read: Callable[[Sequence[str]], tuple[dict[str, pa.ChunkedArray], int | np.ndarray, pa.Table]]
    types: Mapping[str, pa.DataType] = field(default_factory=dict)


def kind_of(head: bytes) -> Kind:
    """What a file is, by its first bytes.

    Examples
    --------
    >>> kind_of(b"PAR1..."), kind_of(b"account_id,ip"), kind_of(b' [{"ts": 1}]'), kind_of(b"%PDF")
    ('parquet', 'csv', 'json', 'other')
    """
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    if head.startswith(b"\x1f\x8b"):
        return "csv"
    if head.startswith(_UTF16):
        return "csv"
    if head.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8")) or b"\x00" in head:
        return "other"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        return "empty"
    return "json" if text[:1] in b"[{" else "csv"


def in_memory(source: str, table: pa.Table) -> Tabular:
    """An Arrow table in memory."""

    def read(
        names: Sequence[str],
    ) -> tuple[dict[str, pa.ChunkedArray], int, pa.Table]:
        refuse_twins(source, table.column_names)
        return {name: table.column(name) for name in names}, 1, REFUSED_SCHEMA.empty_table()

    types = dict(zip(table.column_names, table.schema.types, strict=True))
    return Tabular(source, tuple(table.column_names), read, types)


def refuse_twins(source: str, names: Sequence[str]) -> None:
    """Raise SchemaError when two columns have one name."""
    twins = sorted({name for name in names if name and names.count(name) > 1})
    if twins:
        raise SchemaError(
            Problem(
                f"names of columns must differ in {source}",
                f"{', '.join(map(repr, twins))} more than once",
                "Rename or drop one of them.",
            )
        )


def damaged_file(source: str, kind: str, error: Exception) -> FormatError:
    """The error of a file that cannot be read to its end."""
    told = str(error).strip().splitlines()
    return FormatError(
        Problem(
            f"{source} must be a whole {kind} file",
            told[0] if told else type(error).__name__,
            "Copy or write it again.",
        )
    )


def _open_parquet(stored: Stored) -> Tabular:
    try:
        schema = pq.read_schema(stored.open())
        columns = tuple(schema.names)
    except (pa.ArrowInvalid, OSError) as error:
        raise damaged_file(stored.name, "Parquet", error) from error

    def read(names: Sequence[str]) -> tuple[dict[str, pa.ChunkedArray], int, pa.Table]:
        refuse_twins(stored.name, columns)
        try:
            table = pq.ParquetFile(stored.open(), pre_buffer=True).read(columns=list(names))
        except (pa.ArrowInvalid, OSError) as error:
            raise damaged_file(stored.name, "Parquet", error) from error
        return {name: table.column(name) for name in names}, 1, REFUSED_SCHEMA.empty_table()

    return Tabular(stored.name, columns, read, dict(zip(columns, schema.types, strict=True)))


def _open_arrow(stored: Stored) -> Tabular:
    try:
        opened = stored.open()
        in_file = opened.read(6) == b"ARROW1"
        opened.seek(0)
        reader = pa.ipc.open_file(opened) if in_file else pa.ipc.open_stream(opened)
        return in_memory(stored.name, reader.read_all())
    except (pa.ArrowInvalid, OSError) as error:
        raise damaged_file(stored.name, "Arrow", error) from error


def csv_header(stored: Stored) -> tuple[list[str], str]:
    """Names in the first line, and the delimiter that finds most of them.

    Raises
    ------
    FormatError
        The text is not UTF-8.
    """
    head = stored.head()
    if head.startswith(b"\x1f\x8b"):
        with stored.open() as opened, gzip.open(opened) as unpacked:
            head = unpacked.read(1 << 16)
    if head.startswith(_UTF16):
        raise not_utf8(stored.name)
    try:
        line = io.StringIO(head.decode("utf-8-sig", errors="ignore")).readline()
        found = {mark: next(csv.reader([line], delimiter=mark), []) for mark in _DELIMITERS}
    except csv.Error as error:
        raise not_utf8(stored.name) from error
    mark = max(_DELIMITERS, key=lambda each: len(found[each]))
    return [name.strip() for name in found[mark]], mark


def not_utf8(source: str) -> FormatError:
    """The error of text in another encoding."""
    return FormatError(
        Problem(f"{source} must be UTF-8 text", "another encoding", "Save it again as UTF-8 CSV.")
    )


def no_rows(error: Exception) -> bool:
    """Whether a CSV file was refused for having no row after its header."""
    return any(told in str(error) for told in _NO_ROWS)


def csv_options(
    names: Sequence[str],
    wanted: Sequence[str],
    mark: str,
    set_aside: Callable[[Any], str] | None,
) -> dict[str, Any]:
    """How CSV is parsed: in parallel, or with care: row by row, damaged rows given to `set_aside`.

    Parameters
    ----------
    names, wanted : sequence of str
        All columns, and those to read; each as text.
    mark : str
        What stands between two values.
    set_aside : callable or None
        Takes a damaged row and answers ``"skip"``.

    Returns
    -------
    dict
        Arguments of `pyarrow.csv.read_csv` and `pyarrow.csv.open_csv`.
    """
    careful = set_aside is not None
    return {
        "read_options": pa_csv.ReadOptions(
            use_threads=not careful, column_names=list(names), skip_rows=1, block_size=8 << 20
        ),
        "parse_options": pa_csv.ParseOptions(
            delimiter=mark,
            ignore_empty_lines=False,
            newlines_in_values=careful,
            invalid_row_handler=set_aside,
        ),
        "convert_options": pa_csv.ConvertOptions(
            include_columns=list(wanted),
            column_types=dict.fromkeys(names, pa.large_string()),
        ),
    }


def _parse_csv(
    stored: Stored, names: Sequence[str], wanted: Sequence[str], mark: str, careful: bool
) -> tuple[pa.Table, dict[int, str]]:
    """Parse in parallel, or with care: row by row, setting damaged rows aside by number."""
    damaged: dict[int, str] = {}

    def set_aside(row: Any) -> str:
        damaged[row.number] = row.text
        return "skip"

    opened = stored.open()
    if stored.head().startswith(b"\x1f\x8b"):
        opened = pa.CompressedInputStream(opened, "gzip")
    options = csv_options(names, wanted, mark, set_aside if careful else None)
    table = pa_csv.read_csv(opened, **options)
    return table, damaged


def _open_csv(stored: Stored) -> Tabular:
    names, mark = csv_header(stored)

    def read(
        wanted: Sequence[str],
    ) -> tuple[dict[str, pa.ChunkedArray], int | np.ndarray, pa.Table]:
        refuse_twins(stored.name, names)
        try:
            table, damaged = _parse_csv(stored, names, wanted, mark, careful=False)
        except pa.ArrowInvalid:
            try:
                table, damaged = _parse_csv(stored, names, wanted, mark, careful=True)
            except pa.ArrowInvalid as error:
                if "UTF8" in str(error):
                    raise not_utf8(stored.name) from error
                if not no_rows(error):
                    raise damaged_file(stored.name, "CSV", error) from error
                empty = pa.array([], pa.large_string())
                table, damaged = pa.table([empty] * len(wanted), names=list(wanted)), {}
        rows: int | np.ndarray = 2
        blank = blank_rows(table)
        if damaged or blank is not None:
            every = np.arange(2, 2 + table.num_rows + len(damaged))
            rows = np.setdiff1d(every, np.fromiter(damaged, np.int64), assume_unique=True)
        if blank is not None:
            table, rows = table.filter(pa.array(~blank)), rows[~blank]  # type: ignore[index]
        texts = {row: text for row, text in damaged.items() if text.strip()}
        refused = refused_rows(list(texts), "row_damaged", list(texts.values()))
        return {name: table.column(name) for name in wanted}, rows, refused

    return Tabular(stored.name, tuple(names), read)


def blank_rows(table: pa.Table | pa.RecordBatch) -> np.ndarray | None:
    """Rows in which every column is empty: lines with nothing on them are no rows."""
    blank: np.ndarray | None = None
    for column in table.columns:
        empty = np.asarray(pc.equal(pc.binary_length(column), 0))
        blank = empty if blank is None else blank & empty
        if not blank.any():
            return None
    return blank


def open_tabular(stored: Stored, kind: Kind) -> Tabular:
    """Open a file of a tabular kind and learn the names of its columns.

    Raises
    ------
    FormatError
        When the file is damaged. Reading it raises SchemaError when two columns have one name.
    """
    if kind == "parquet":
        return _open_parquet(stored)
    return _open_arrow(stored) if kind == "arrow" else _open_csv(stored)
