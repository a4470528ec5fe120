"""What a format of sessions is: how it is recognised and how its files become rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from household_ml.errors import FormatError, Problem, SchemaError
from household_ml.sessions.raw import RawSessions
from household_ml.sessions.stored import Stored
from household_ml.sessions.tabular import Kind, Tabular

__all__ = ["Adapted", "File", "Form", "tables_with"]


@dataclass(frozen=True)
class File:
    """One file of the input, opened as far as its kind allows.

    Parameters
    ----------
    name : str
        Name told to the reader.
    kind : str
        What its first bytes say it is.
    stored : Stored or None
        None for a table in memory.
    tabular : Tabular or None
        None when it has no columns.
    """

    name: str
    kind: Kind
    stored: Stored | None = None
    tabular: Tabular | None = None

    @property
    def columns(self) -> frozenset[str]:
        """Names of its columns, none when it has no columns."""
        return frozenset(self.tabular.names) if self.tabular else frozenset()


@dataclass(frozen=True)
class Adapted:
    """What a format made of its files.

    Parameters
    ----------
    raws : tuple of RawSessions
        One for each file with sessions.
    warnings : tuple of str
        What the reader must know before trusting the result.
    """

    raws: tuple[RawSessions, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """A format of sessions.

    Parameters
    ----------
    name : str
        Name, as in ``--format``.
    looks_for : str
        By what it is recognised, told when nothing is.
    recognises : callable
        Whether a file is of this format.
    adapt : callable
        Makes rows of all files of the input, recognised or not.
    """

    name: str
    looks_for: str
    recognises: Callable[[File], bool]
    adapt: Callable[[Sequence[File]], Adapted]


def tables_with(files: Sequence[File], needed: Sequence[str], form: str) -> list[Tabular]:
    """The tables that have all needed columns.

    Raises
    ------
    SchemaError
        When no table has them: a problem for each column that the tables lack.
    FormatError
        When there is no table at all.
    """
    tables = [file.tabular for file in files if file.tabular is not None]
    whole = [table for table in tables if set(needed) <= set(table.names)]
    if whole:
        return whole
    if not tables:
        raise FormatError(
            Problem(
                f"{form} must be a table",
                ", ".join(f"{file.name} ({file.kind})" for file in files[:5]),
                "Give a CSV, Parquet or Arrow file.",
            )
        )
    raise SchemaError(
        [
            Problem(
                f"{table.source} must have the column '{name}' of {form}",
                ", ".join(table.names[:20]),
                "Add it, or name another format.",
            )
            for table in tables
            for name in needed
            if name not in table.names
        ]
    )
