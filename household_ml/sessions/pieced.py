"""An input of any size, opened to be read in pieces: files found, checked and counted, not read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from household_ml.errors import FormatError
from household_ml.schema import SESSIONS
from household_ml.sessions.adapters import File, choose
from household_ml.sessions.adapters.contract import CONTRACT, select
from household_ml.sessions.pieces import Piece, pieces_of
from household_ml.sessions.read import check_types, open_files

__all__ = ["PiecedFile", "PiecedInput", "open_pieces"]


@dataclass(frozen=True)
class PiecedFile:
    """One file of an input.

    Parameters
    ----------
    file : File
        As it was opened.
    names : tuple of str
        Columns of the contract that it has.
    pieces : tuple of Piece
        Its pieces, in order.
    """

    file: File
    names: tuple[str, ...]
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class PiecedInput:
    """Tables of sessions with the columns of the contract.

    Parameters
    ----------
    files : tuple of PiecedFile
        By name.
    damaged : tuple of FormatError
        What is wrong with the files that cannot be opened.
    warnings : tuple of str
        What the reader must know before trusting the result.
    """

    files: tuple[PiecedFile, ...]
    damaged: tuple[FormatError, ...]
    warnings: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the contract that some file has."""
        some = {name for file in self.files for name in file.names}
        return tuple(name for name in SESSIONS.names if name in some)

    @property
    def rows(self) -> int:
        """Rows of all files, counted or guessed."""
        return sum(piece.rows for file in self.files for piece in file.pieces)


def open_pieces(
    source: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002, the word of the command line
) -> PiecedInput | None:
    """Open an input to be read in pieces.

    Parameters
    ----------
    source : path
        As in `read_sessions`.
    format : str, optional
        As in `read_sessions`.

    Returns
    -------
    PiecedInput or None
        None for an export of a streaming service or a research format: those are small, and read
        at once.

    Raises
    ------
    InputError
        Nothing is found at the path; no file is of a known format; or a column is missing or has a
        type that cannot be read.
    """
    files, damaged = open_files(source)
    if not files and damaged:
        raise _all(damaged)
    if choose(files, format) is not CONTRACT:
        return None
    chosen = select(files)
    check_types(
        (name, kind)
        for file in chosen.files
        if file.tabular is not None
        for name, kind in file.tabular.types.items()
        if name in SESSIONS.names
    )
    opened = []
    for file in chosen.files:
        names = tuple(name for name in SESSIONS.names if name in file.columns)
        try:
            opened.append(PiecedFile(file, names, tuple(pieces_of(file))))
        except FormatError as error:
            damaged.append(error)
    if not opened:
        raise _all(damaged)
    return PiecedInput(tuple(opened), tuple(damaged), chosen.warnings)


def _all(errors: Sequence[FormatError]) -> FormatError:
    return FormatError([problem for error in errors for problem in error.problems])
