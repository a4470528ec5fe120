"""What was read, what was not, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import pandas as pd
import pyarrow as pa

__all__ = [
    "REJECTED_SCHEMA",
    "Reading",
    "RowCounts",
    "SessionsWarning",
    "most_frequent_first",
    "no_rejected_rows",
    "tell_rows",
]

#: Columns of the table of rejected rows.
REJECTED_SCHEMA = pa.schema(
    [
        ("source", pa.large_string()),
        ("row", pa.int64()),
        ("reason", pa.large_string()),
        ("value", pa.large_string()),
    ]
)


def most_frequent_first(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts by reason, the greatest first."""
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def tell_rows(rows_in: int, rejected: Mapping[str, int]) -> str:
    """What came of rows, as one line.

    Examples
    --------
    >>> tell_rows(5, {"ip_missing": 2})
    '5 rows in, 3 used, 2 rejected (2 ip_missing)'
    """
    refused = sum(rejected.values())
    told = f"{rows_in} rows in, {rows_in - refused} used, {refused} rejected"
    reasons = ", ".join(f"{count} {code}" for code, count in rejected.items())
    return f"{told} ({reasons})" if reasons else told


@dataclass(frozen=True)
class RowCounts:
    """What came of the rows of an input.

    Parameters
    ----------
    rows_in : int
        Rows found.
    rejected : mapping of str to int
        Reason code -> rejected rows.

    Examples
    --------
    >>> print(RowCounts(5, {"ip_missing": 2}))
    5 rows in, 3 used, 2 rejected (2 ip_missing)
    """

    rows_in: int
    rejected: Mapping[str, int]

    def __str__(self) -> str:
        return tell_rows(self.rows_in, most_frequent_first(self.rejected))


class SessionsWarning(UserWarning):
    """Something about the sessions that the reader should know and that stops nothing."""


def no_rejected_rows() -> pa.Table:
    """The table of rejected rows, empty."""
    return REJECTED_SCHEMA.empty_table()


@dataclass(frozen=True)
class Reading:
    """Provenance of sessions: rows in = rows used + rows rejected.

    Parameters
    ----------
    rows_in : int
        Rows found in the input.
    rejected : pyarrow.Table
        One row for each rejected row: ``source`` (file), ``row`` (1-based; in a CSV file the
        line, the header being line 1), ``reason`` (a code of `validation.REASONS`), ``value``
        (what was found; null when nothing was).
    format : str
        Format that was read.
    sources : tuple of str
        Files read, in order.
    notes : tuple of str
        What else the reader should know, such as values set to null.
    labels : DataFrame or None
        Labels that came with the sessions.
    accounts : DataFrame or None
        Table of accounts that came with the sessions.
    """

    rows_in: int
    rejected: pa.Table = field(default_factory=no_rejected_rows)
    format: str = "sessions"
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    labels: pd.DataFrame | None = None
    accounts: pd.DataFrame | None = None

    @property
    def rows_used(self) -> int:
        """Rows that became sessions."""
        return self.rows_in - len(self.rejected)

    @property
    def rejected_by_reason(self) -> Mapping[str, int]:
        """Reason code -> rejected rows, most frequent first."""
        counts = self.rejected["reason"].value_counts().to_pylist()
        return MappingProxyType(
            most_frequent_first({each["values"]: each["counts"] for each in counts})
        )

    def __str__(self) -> str:
        return tell_rows(self.rows_in, self.rejected_by_reason)
