"""Tables as files of a batch: each appears under its name only when it is complete.

Interrupted, what was finished is kept beside it as ``NAME.partial.SUFFIX``, readable as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from household_ml.errors import ParameterError, Problem
from household_ml.scoring.hysteresis import STANDING
from household_ml.scoring.scorer import score_schema

__all__ = ["Writer", "check_output", "partial_path", "read_scores", "write_table", "writing"]

_SUFFIXES = (".parquet", ".csv")

#: Rows of a row group, as far as whole parts make one.
_GROUP_ROWS = 1 << 16


def check_output(out: str | Path) -> Path:
    """Refuse early what could not be written late.

    Raises
    ------
    ParameterError
        The name has another suffix than ``.parquet`` or ``.csv``, or its folder is not there.
    """
    target = Path(out)
    if target.suffix.lower() not in _SUFFIXES:
        raise ParameterError(
            Problem(
                "the output must be a .parquet or .csv file", repr(str(out)), "Give such a name."
            )
        )
    if not target.parent.is_dir() or target.is_dir():
        raise ParameterError(
            Problem(
                "the output must be a file in a folder that exists",
                repr(str(out)),
                "Make the folder, or give another name.",
            )
        )
    return target


def partial_path(target: Path) -> Path:
    """Where an interrupted batch keeps what was finished.

    Examples
    --------
    >>> partial_path(Path("scores.parquet")).name
    'scores.partial.parquet'
    """
    return target.with_name(f"{target.stem}.partial{target.suffix}")


def write_table(table: pa.Table, out: str | Path) -> Path:
    """Write one table so that it appears whole or not at all.

    Parameters
    ----------
    table : pyarrow.Table
        What to write.
    out : str or Path
        ``.parquet`` or ``.csv`` file.

    Returns
    -------
    Path
    """
    target = check_output(out)
    with writing(target, table.schema) as writer:
        writer.write(table)
    return target


class Writer(Protocol):
    """What rows are given to."""

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        ...

    def close(self) -> None:
        """Write what is left."""
        ...


class _CsvWriter:
    """CSV: lists joined by a space, times in ISO 8601."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        from pyarrow import csv

        flat = [field.with_type(_flat_type(field.type)) for field in schema]
        self._writer = csv.CSVWriter(path, pa.schema(flat))

    def write(self, table: pa.Table) -> None:
        columns = [_flat(table[name]) for name in table.column_names]
        self._writer.write_table(pa.table(columns, names=table.column_names))

    def close(self) -> None:
        self._writer.close()


class _ParquetWriter:
    """Parquet, in row groups of whole parts."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        from pyarrow import parquet

        self._writer = parquet.ParquetWriter(path, schema, compression="zstd")
        self._waiting: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        self._waiting.append(table)
        if sum(each.num_rows for each in self._waiting) >= _GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            whole = pa.concat_tables(self._waiting)
            self._waiting.clear()
            self._writer.write_table(whole, row_group_size=max(1, whole.num_rows))


@contextmanager
def writing(target: Path, schema: pa.Schema, working: Path | None = None) -> Iterator[Writer]:
    """A writer whose file gets its name when all went well.

    Parameters
    ----------
    target : Path
        Name of the file, see :func:`check_output`.
    schema : pyarrow.Schema
        Of what is written.
    working : Path or None, default=None
        What the file is called until then, on the same disk; None for a name beside it.

    Yields
    ------
    Writer
    """
    working = working or target.with_name(f".{target.name}.{os.getpid()}.part")
    kind = _CsvWriter if target.suffix.lower() == ".csv" else _ParquetWriter
    writer = kind(working, schema)
    try:
        yield writer
        writer.close()
        working.replace(target)
    except KeyboardInterrupt:
        writer.close()
        working.replace(partial_path(target))
        raise
    finally:
        working.unlink(missing_ok=True)


def _flat_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_list(kind) or pa.types.is_timestamp(kind) else kind


def _flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_list(column.type):
        return pc.binary_join(column, " ")
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
    return column


def read_scores(path: str | Path) -> pa.Table:
    """Read scores that a batch wrote.

    Parameters
    ----------
    path : str or Path
        ``.parquet`` or ``.csv`` file.

    Returns
    -------
    pyarrow.Table
        The scores table, in its schema.
    """
    source = Path(path)
    if source.suffix.lower() == ".csv":
        from pyarrow import csv

        schema = score_schema(standing=True)
        kinds = {field.name: _flat_type(field.type) for field in schema}
        table = csv.read_csv(
            source,
            convert_options=csv.ConvertOptions(column_types=kinds, strings_can_be_null=False),
        )
        schema = score_schema(standing=STANDING[0].name in table.column_names)
        reasons = [codes.split() for codes in table["reasons"].to_pylist()]
        columns = {
            field.name: pa.chunked_array([pa.array(reasons, type=field.type)])
            if field.name == "reasons"
            else _timed(table[field.name], field.type)
            for field in schema
        }
        return pa.table(columns).cast(schema)
    from pyarrow import parquet

    return parquet.read_table(source)


def _timed(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if not pa.types.is_timestamp(kind):
        return column
    empty = pc.equal(column, "")
    return pc.if_else(empty, None, column).cast(kind)
