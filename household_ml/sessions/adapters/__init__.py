"""Formats of sessions that people have, chosen by name or recognised by content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from household_ml.errors import FormatError, ParameterError, Problem
from household_ml.sessions.adapters.contract import CONTRACT, looks_like_sessions
from household_ml.sessions.adapters.csfeye import CSFEYE
from household_ml.sessions.adapters.form import Adapted, File, Form
from household_ml.sessions.adapters.netflix_export import NETFLIX_EXPORT
from household_ml.sessions.adapters.rba_dataset import RBA_DATASET
from household_ml.sessions.adapters.spotify_export import SPOTIFY_EXPORT

__all__ = ["FORMATS", "Adapted", "File", "Form", "choose"]

#: Formats by name, in the order they are told.
FORMATS: Mapping[str, Form] = {
    form.name: form for form in (CONTRACT, NETFLIX_EXPORT, SPOTIFY_EXPORT, CSFEYE, RBA_DATASET)
}


def choose(files: Sequence[File], name: str | None = None) -> Form:
    """The format of an input.

    Parameters
    ----------
    files : sequence of File
        All files of the input.
    name : str, optional
        Name of the format; recognised by content when left out.

    Returns
    -------
    Form

    Raises
    ------
    ParameterError
        When there is no format of this name.
    FormatError
        When the content is of no format, or of several.
    """
    if name is not None:
        if name not in FORMATS:
            raise ParameterError(
                Problem(
                    f"format must be one of {', '.join(FORMATS)}",
                    repr(name),
                    "Leave it out to have it recognised.",
                )
            )
        return FORMATS[name]
    found = {form.name: form for form in FORMATS.values() if any(map(form.recognises, files))}
    if len(found) == 1:
        return next(iter(found.values()))
    if len(found) > 1:
        raise FormatError(
            Problem(
                "the files of one input must be of one format",
                " and ".join(found),
                "Name the one to read with format= or --format.",
            )
        )
    if any(looks_like_sessions(file) for file in files):
        return CONTRACT
    told = "; ".join(f"{form.name}: {form.looks_for}" for form in FORMATS.values())
    seen = [_seen(file) for file in files[:5]]
    raise FormatError(
        Problem(
            f"sessions must be in a format that is recognised ({told})",
            ("; ".join(seen) or "no file") + ("; ..." if len(files) > 5 else ""),
            "Rename the columns, or name the format with format= or --format.",
        )
    )


def _seen(file: File) -> str:
    if file.tabular is None:
        return f"{file.name} ({file.kind})"
    names = file.tabular.names
    if not names:
        return f"{file.name} without columns"
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"{file.name} with the columns {shown}"
