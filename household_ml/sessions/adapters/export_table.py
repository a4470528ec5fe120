"""A small CSV table of a personal export, read line by line so that damage is told by its line."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field

from household_ml.errors import FormatError, Problem
from household_ml.sessions.adapters.form import File

__all__ = ["ExportTable", "read_export_table"]


@dataclass
class ExportTable:
    """Rows of a table of an export.

    Attributes
    ----------
    source : str
        Name told to the reader.
    header : dict of str to int
        Position of each column by its name in lower case.
    rows : list of list of str
        Fields of the rows that have as many as the header.
    lines : list of int
        Line on which each of them ends, the header being line 1.
    damaged, damaged_lines : list
        Text and line of the rows that have another number of fields.
    """

    source: str
    header: dict[str, int]
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    damaged_lines: list[int] = field(default_factory=list)

    def column(self, name: str) -> list[str]:
        """Values of a column, trimmed; empty text where there is no such column."""
        position = self.header.get(name)
        if position is None:
            return [""] * len(self.rows)
        return [row[position].strip() for row in self.rows]


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def read_export_table(file: File) -> ExportTable:
    """Read a table of an export.

    Parameters
    ----------
    file : File
        A text file with a header; a spreadsheet may have written it with ``;`` or tabs.

    Returns
    -------
    ExportTable
        Lines with nothing on them are no rows; empty fields beyond the header are ignored.

    Raises
    ------
    FormatError
        When the text is not UTF-8 or its quotes do not close.
    """
    if file.stored is None:
        return ExportTable(file.name, {})
    try:
        text = file.stored.read().decode("utf-8-sig")
        mark = _delimiter(text.split("\n", 1)[0])
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=False)
        names = next(reader, [])
        table = ExportTable(file.name, {name.strip().casefold(): i for i, name in enumerate(names)})
        for fields in reader:
            if not any(each.strip() for each in fields):
                continue
            if len(fields) > len(names) and not any(fields[len(names) :]):
                fields = fields[: len(names)]
            if len(fields) == len(names):
                table.rows.append(fields)
                table.lines.append(reader.line_num)
            else:
                table.damaged.append(mark.join(fields))
                table.damaged_lines.append(reader.line_num)
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(
            Problem(
                f"{file.name} must be UTF-8 CSV", str(error), "Take the file as it was downloaded."
            )
        ) from error
    return table
