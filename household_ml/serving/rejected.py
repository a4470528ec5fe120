"""Rejected rows of a batch that was read in pieces, written piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from household_ml.serving.outputs import writing
from household_ml.sessions.arrays import ArraysFile
from household_ml.sessions.intake import rejected_path
from household_ml.sessions.raw import REFUSED_SCHEMA, refused_rows
from household_ml.sessions.reading import REJECTED_SCHEMA

__all__ = ["write_rejected"]

_ROW = (1 << 32) - 1


def write_rejected(
    target: Path,
    pieces: Sequence[tuple[int, Path]],
    sources: Sequence[str],
    repeats: Sequence[Path],
) -> None:
    """Write the rejected rows of all pieces, in the order of the input.

    Parameters
    ----------
    target : Path
        ``.parquet`` or ``.csv`` file; it has its name when it is whole.
    pieces : sequence of (int, Path)
        Number of each piece among the spilled ones, and its spill file, see
        :func:`~household_ml.sessions.intake.rejected_path`.
    sources : sequence of str
        Name of the file of each of these pieces.
    repeats : sequence of Path
        Files with the rows of each partition that repeat others: ``repeats``, ascending, and
        ``repeated``, as :class:`~household_ml.sessions.partition.Partition` has them.
    """
    files = [ArraysFile(path) for path in repeats]
    with writing(target, REJECTED_SCHEMA) as writer:
        for number, path in pieces:
            parts = [_repeats(files, number, sources)]
            if rejected_path(path).exists():
                parts.append(pq.read_table(rejected_path(path)).select(REFUSED_SCHEMA.names))
            table = pa.concat_tables(parts)
            if table.num_rows:
                source = pa.repeat(pa.scalar(sources[number], pa.large_string()), table.num_rows)
                writer.write(table.sort_by("row").add_column(0, "source", source))


def _repeats(files: Sequence[ArraysFile], number: int, sources: Sequence[str]) -> pa.Table:
    """Rows of one piece that repeat others, with the place of the first."""
    row: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
    first: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for file in files:
        found = file.map("repeats")
        bounds = np.searchsorted(found, [number << 32, (number + 1) << 32]).tolist()
        part = slice(*bounds)
        row.append(file.read("repeats", part) & _ROW)
        first.append(file.read("repeated", part))
    rows, places = np.concatenate(row), np.concatenate(first)
    names = pa.array(sources, pa.large_string()).take(pa.array(places >> 32))
    told = pa.array(places & _ROW).cast(pa.large_string())
    words = [pa.scalar(text, pa.large_string()) for text in ("row", "of", " ")]
    values = pc.binary_join_element_wise(words[0], told, words[1], names, words[2])
    return refused_rows(rows, "duplicate", values)
