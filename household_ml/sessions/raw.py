"""Rows of one source as they were found, under the names of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

__all__ = ["REFUSED_SCHEMA", "RawSessions", "refused_rows"]

#: Rows that could not even be laid under columns.
REFUSED_SCHEMA = pa.schema(
    [("row", pa.int64()), ("reason", pa.large_string()), ("value", pa.large_string())]
)


def refused_rows(
    rows: Sequence[int] | np.ndarray, reason: str, values: Sequence[str | None] | pa.Array
) -> pa.Table:
    """A table of rows refused for one reason; `rows` are 1-based."""
    kept = pa.array(rows, pa.int64())
    reasons = pa.repeat(pa.scalar(reason, pa.large_string()), len(kept))
    found = values if isinstance(values, pa.Array) else pa.array(values, pa.large_string())
    return pa.table([kept, reasons, found.cast(pa.large_string())], schema=REFUSED_SCHEMA)


@dataclass(frozen=True)
class RawSessions:
    """Rows of one source.

    Parameters
    ----------
    source : str
        Name of the file, as it is told to the reader.
    columns : mapping of str to pyarrow.ChunkedArray
        Columns of the contract that were found, n values each, of any Arrow type.
    rows : int or ndarray of int64, shape (n,), default=1
        Number of each row in the source, or of the first when they follow one another.
    refused : pyarrow.Table
        Further rows of the source that could not be laid under columns, with the reason.
    shift_us : ndarray of int64, shape (n,), optional
        What to add to the times found, for a source that tells when playback stopped.
    notes : tuple of str
        What the reader should know about the source.
    labels, accounts : DataFrame, optional
        Tables that came with the sessions.
    """

    source: str
    columns: Mapping[str, pa.ChunkedArray]
    rows: int | np.ndarray = 1
    refused: pa.Table = field(default_factory=REFUSED_SCHEMA.empty_table)
    shift_us: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    labels: pd.DataFrame | None = None
    accounts: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def row_numbers(self, rows: np.ndarray) -> np.ndarray:
        """Numbers in the source of some rows, counted here from 0."""
        if isinstance(self.rows, int):
            return rows + self.rows
        numbers: np.ndarray = self.rows[rows]
        return numbers
