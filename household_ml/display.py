"""How objects show themselves in a notebook: a heading and a small table of facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["facts_html", "rows_html"]

_TABLE = '<table style="text-align:left;border-collapse:collapse">'
_CELL = "text-align:left;padding:.15em .8em .15em 0;vertical-align:top"


def facts_html(title: str, facts: Mapping[str, object], note: str = "") -> str:
    """A heading, and a row for each fact; facts that are None or empty are left out.

    Parameters
    ----------
    title : str
        What it is.
    facts : mapping of str to object
        Told as text.
    note : str
        What else to know, below.

    Returns
    -------
    str
        HTML in which everything given is escaped.

    Examples
    --------
    >>> print(facts_html("Sessions", {"rows": "1,200", "devices": None}, "a < b"))
    <div><b>Sessions</b><table ...>rows</th><td ...>1,200</td>...<p>a &lt; b</p></div>
    """
    told = [(name, value) for name, value in facts.items() if value not in (None, "", ())]
    rows = "".join(f"<tr>{_head(name, 'row')}{_cells([value])}</tr>" for name, value in told)
    return _shown(title, f"<tbody>{rows}</tbody>", note)


def rows_html(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A heading, and a table with columns.

    Parameters
    ----------
    title : str
        What it is.
    columns : sequence of str
        Their names.
    rows : sequence of sequences of object
        Told as text.

    Returns
    -------
    str
        HTML in which everything given is escaped.

    Examples
    --------
    >>> "<td" in rows_html("Scores", ["name"], [["this model"]])
    True
    """
    head = "".join(_head(name, "col") for name in columns)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    return _shown(title, f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>")


def _head(name: str, scope: str) -> str:
    return f'<th style="{_CELL}" scope="{scope}">{escape(name)}</th>'


def _cells(row: Sequence[object]) -> str:
    return "".join(f'<td style="{_CELL}">{escape(str(cell))}</td>' for cell in row)


def _shown(title: str, table: str, note: str = "") -> str:
    below = f"<p>{escape(note)}</p>" if note else ""
    return f"<div><b>{escape(title)}</b>{_TABLE}{table}</table>{below}</div>"
