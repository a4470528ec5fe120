"""Files cut into pieces that are read on their own, a few thousand rows at a time.

What is in memory while a file is read does not depend on how long it is. Rows, numbers of rows and
rows refused are those of `household_ml.sessions.tabular`, which reads a file at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from household_ml.errors import FormatError, ParameterError, Problem
from household_ml.sessions.adapters.form import File
from household_ml.sessions.raw import REFUSED_SCHEMA, RawSessions, refused_rows
from household_ml.sessions.stored import Stored
from household_ml.sessions.tabular import (
    blank_rows,
    csv_header,
    csv_options,
    damaged_file,
    no_rows,
    not_utf8,
    refuse_twins,
)

__all__ = ["BATCH_ROWS", "PIECE_ROWS", "Piece", "pieces_of", "sample_column"]

#: Rows read at a time: what is made of them stays in the processor's cache.
BATCH_ROWS = 1 << 16

#: Rows of a piece, as far as the file can be cut.
PIECE_ROWS = 1 << 20

#: Bytes of a column that are read at a time where a row group is very large.
_BUFFER = 1 << 22
_LARGE_GROUP = 1 << 28

#: Columns of few distinct words, which Arrow may keep as numbers.
_WORDS = ("device_type", "country")

#: Bytes of a row of text, where rows are not counted.
_TEXT_ROW = 80

Batches = Iterator[RawSessions]


@dataclass(frozen=True)
class Piece:
    """A part of a file, or a whole one.

    Parameters
    ----------
    source : str
        Name of the file as it is told to the reader.
    rows : int
        Rows, counted or guessed.
    read : callable
        Reads the columns of these names, batch by batch, in the order of the file. Raises
        FormatError when the file is damaged.
    """

    source: str
    rows: int
    read: Callable[[Sequence[str]], Batches]


def pieces_of(file: File) -> list[Piece]:
    """Cut a file.

    Parameters
    ----------
    file : File
        A table on disk: Parquet, Arrow or CSV.

    Returns
    -------
    list of Piece
        In the order of the file.

    Raises
    ------
    FormatError
        The file is damaged where its structure is told.
    """
    if file.stored is None or file.tabular is None:
        raise ParameterError(
            Problem(
                "a table must lie in a file to be read in pieces",
                file.name,
                "Give a path.",
            )
        )
    stored = file.stored
    if file.kind == "parquet":
        return _parquet_pieces(stored)
    size = stored.size()
    if file.kind == "arrow":
        return [Piece(stored.name, size // _TEXT_ROW, lambda names: _arrow(stored, names))]
    return [Piece(stored.name, size // _TEXT_ROW, lambda names: _csv(stored, names))]


def _parquet_pieces(stored: Stored) -> list[Piece]:
    try:
        metadata = pq.read_metadata(stored.stream())
    except (pa.ArrowInvalid, OSError) as error:
        raise damaged_file(stored.name, "Parquet", error) from error
    pieces: list[Piece] = []
    groups: list[int] = []
    first = rows = 0
    largest = 0
    for group in range(metadata.num_row_groups):
        about = metadata.row_group(group)
        groups.append(group)
        rows += about.num_rows
        largest = max(largest, about.total_byte_size)
        if rows >= PIECE_ROWS or group == metadata.num_row_groups - 1:
            read = _parquet_reader(stored, metadata, tuple(groups), first + 1, largest)
            pieces.append(Piece(stored.name, rows, read))
            first += rows
            groups, rows, largest = [], 0, 0
    return pieces


def _parquet_reader(
    stored: Stored, metadata: pq.FileMetaData, groups: tuple[int, ...], first: int, largest: int
) -> Callable[[Sequence[str]], Batches]:
    def read(names: Sequence[str]) -> Batches:
        schema = metadata.schema.to_arrow_schema()
        refuse_twins(stored.name, schema.names)
        text = (pa.types.is_string, pa.types.is_large_string)
        words = [
            name
            for name in _WORDS
            if name in names and any(holds(schema.field(name).type) for holds in text)
        ]
        row = first
        try:
            file = pq.ParquetFile(
                stored.stream(),
                metadata=metadata,
                read_dictionary=words,
                buffer_size=_BUFFER if largest > _LARGE_GROUP else 0,
                pre_buffer=False,
            )
            for batch in file.iter_batches(
                BATCH_ROWS, row_groups=list(groups), columns=list(names), use_threads=False
            ):
                yield _raw(stored.name, batch, names, row)
                row += batch.num_rows
        except (pa.ArrowInvalid, OSError) as error:
            raise damaged_file(stored.name, "Parquet", error) from error

    return read


def _raw(
    source: str,
    batch: pa.RecordBatch,
    names: Sequence[str],
    rows: int | np.ndarray,
    refused: pa.Table | None = None,
) -> RawSessions:
    columns = {name: pa.chunked_array([batch.column(name)]) for name in names}
    return RawSessions(source, columns, rows, refused or REFUSED_SCHEMA.empty_table())


def _arrow(stored: Stored, names: Sequence[str]) -> Batches:
    row = 1
    try:
        opened = stored.open()
        in_file = opened.read(6) == b"ARROW1"
        opened.seek(0)
        reader = pa.ipc.open_file(opened) if in_file else pa.ipc.open_stream(opened)
        refuse_twins(stored.name, reader.schema.names)
        batches = (
            (reader.get_batch(i) for i in range(reader.num_record_batches)) if in_file else reader
        )
        for batch in batches:
            chosen = batch.select(list(names))
            for start in range(0, chosen.num_rows, BATCH_ROWS):
                part = chosen.slice(start, BATCH_ROWS)
                yield _raw(stored.name, part, names, row)
                row += part.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise damaged_file(stored.name, "Arrow", error) from error


def _csv(stored: Stored, wanted: Sequence[str]) -> Batches:
    """Rows of a CSV file; once a row cannot be parsed, the rest is read with care."""
    names, mark = csv_header(stored)
    refuse_twins(stored.name, names)
    given = 0
    for careful in (False, True):
        try:
            for rows, raw in _csv_batches(stored, names, wanted, mark, careful, given):
                given += rows
                if len(raw) or len(raw.refused):
                    yield raw
        except pa.ArrowInvalid as error:
            if no_rows(error):
                return
            if careful:
                raise _csv_error(stored.name, error) from error
            continue
        except OSError as error:
            raise damaged_file(stored.name, "CSV", error) from error
        return


def _csv_error(source: str, error: pa.ArrowInvalid) -> FormatError:
    return not_utf8(source) if "UTF8" in str(error) else damaged_file(source, "CSV", error)


def _csv_batches(
    stored: Stored, names: Sequence[str], wanted: Sequence[str], mark: str, careful: bool, skip: int
) -> Iterator[tuple[int, RawSessions]]:
    """How many rows were parsed, and what they are; the first `skip` rows are left out.

    The row after the header is number 2. Numbers count damaged rows and empty lines as well.
    """
    damaged: dict[int, str] = {}

    def set_aside(row: pa_csv.InvalidRow) -> str:
        damaged[row.number] = row.text
        return "skip"

    opened = stored.stream()
    if stored.head().startswith(b"\x1f\x8b"):
        opened = pa.CompressedInputStream(opened, "gzip")
    options = csv_options(names, wanted, mark, set_aside if careful else None)
    number = 2
    for batch in pa_csv.open_csv(opened, **options):
        count = batch.num_rows
        rows: np.ndarray = np.arange(number, number + count + len(damaged))
        number += len(rows)
        if damaged:
            rows = np.setdiff1d(rows, np.fromiter(damaged, np.int64), assume_unique=True)
        texts = {row: damaged[row] for row in sorted(damaged) if damaged[row].strip()}
        damaged.clear()
        refused = refused_rows(list(texts), "row_damaged", list(texts.values()))
        kept = np.arange(count) >= skip
        skip -= count
        blank = blank_rows(batch)
        if blank is not None:
            kept &= ~blank
        if not kept.all():
            batch, rows = batch.filter(pa.array(kept)), rows[kept]
        yield count, _raw(stored.name, batch, wanted, rows, refused)


def sample_column(pieces: Sequence[Piece], name: str, places: int, rows: int) -> pa.ChunkedArray:
    """The first rows of pieces that lie evenly over the input, of one column, as text.

    Parameters
    ----------
    pieces : sequence of Piece
        The input.
    name : str
        Column.
    places : int
        Pieces to look into, at most.
    rows : int
        Rows to take from each, at most.

    Returns
    -------
    pyarrow.ChunkedArray of large_string
        Nothing of a piece that is damaged.
    """
    chosen = np.unique(np.linspace(0, len(pieces) - 1, min(places, len(pieces))).astype(np.int64))
    chunks: list[pa.Array] = []
    for index in chosen.tolist():
        try:
            raw = next(iter(pieces[index].read([name])), None)
        except FormatError:
            continue
        if raw is not None:
            chunks += raw.columns[name].slice(0, rows).cast(pa.large_string()).chunks
    return pa.chunked_array(chunks, pa.large_string())
