"""How the product's hot functions are compiled and where the result is kept.

Numba keeps compiled code beside the source and drops it when the file of the function
changes, but not when a function that it calls changes in another file. Here the stamp of a module
covers every such module that it reaches, so that an update can never run yesterday's machine code.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

__all__ = ["compiled"]

Function = TypeVar("Function", bound=Callable[..., Any])

#: Files without compiled functions whose constants are compiled in.
_FROZEN_INTO_CODE = ("schema.py", "catalogue.py", "columns.py")

#: Statements that bring in what a compiled function may call or have frozen into its code. They
#: name the module itself, not the package that shows it to users.
_IMPORT = re.compile(
    rb"^(?:from|import) household_ml\.([.\w]+)(?: import ([\w, ]+))?", re.MULTILINE
)

_ROOT = Path(__file__).resolve().parent


@cache
def _sources(path: Path) -> frozenset[Path]:
    """A module, and the modules with compiled functions or frozen constants that it reaches."""
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        found = waiting.pop()
        if found in seen or not found.exists():
            continue
        source = found.read_bytes()
        if b"household_ml.compiling import" not in source and found.name not in _FROZEN_INTO_CODE:
            continue
        seen.add(found)
        for module, names in _IMPORT.findall(source):
            inner = _ROOT.joinpath(*module.decode().split("."))
            waiting.append(inner.with_suffix(".py"))
            waiting += [
                inner / f"{name.split()[0]}.py" for name in names.decode().split(",") if name
            ]
    return frozenset(seen)


@cache
def _stamp(path: Path) -> str:
    digest = hashlib.sha256()
    for source in sorted(_sources(path)):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def compiled(function: Function) -> Function:
    """Compile a function of plain arrays and scalars: no interpreter, no lock, kept on disk.

    Parameters
    ----------
    function : callable
        A function in numba's subset of Python.

    Returns
    -------
    callable
        The same function, compiled when it is first called with new argument types.

    Examples
    --------
    >>> from household_ml.compiling import compiled
    >>> callable(compiled)
    True
    """
    dispatcher: Any = njit(cache=True, nogil=True, error_model="numpy")(function)
    kept = dispatcher._cache._cache_file
    kept._source_stamp = _stamp(Path(function.__code__.co_filename).resolve())
    result: Function = dispatcher
    return result
