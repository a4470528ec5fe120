"""Files that ship with the package: the table of networks and the default model."""

from __future__ import annotations

from pathlib import Path

from household_ml.errors import ModelNotFoundError, NetworksError, Problem

__all__ = ["resource"]

_PACKAGE = Path(__file__).parent


def resource(name: str) -> Path:
    """Where a shipped file or folder lies, in an installed package as in a working copy.

    Parameters
    ----------
    name : str
        Its path in the repository, with forward slashes: ``data/networks`` or ``models/default``,
        or something in them.

    Returns
    -------
    Path
        An existing file or folder.

    Raises
    ------
    ModelNotFoundError
        ``name`` is in ``models`` and is not there.
    NetworksError
        Anything else that is not there.

    Examples
    --------
    >>> from household_ml.resources import resource
    >>> resource("data/networks").name
    'networks'
    """
    for root in (_PACKAGE / "_shipped", _PACKAGE.parent):
        path = root / name
        if path.exists():
            return path
    error = ModelNotFoundError if name.startswith("models/") else NetworksError
    raise error(
        Problem(
            f"{name} must lie with the installed package",
            "no such file",
            "Install household-ml again, or name a file of your own.",
        )
    )
