"""How the product's hot functions are compiled and where the result is kept.

Numba keeps compiled code beside the source and drops it when the file of the function
changes, but not when a function that it calls changes in another file. Here the stamp covers
every source file with compiled functions, so that an update can never run yesterday's machine code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

__all__ = ["compiled"]

Function = TypeVar("Function", bound=Callable[..., Any])

#: Files without compiled functions whose constants are compiled in.
_FROZEN_INTO_CODE = ("schema.py", "catalogue.py", "columns.py")


@cache
def _stamp() -> str:
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        source = path.read_bytes()
        if b"household_ml.compiling import" in source or path.name in _FROZEN_INTO_CODE:
            digest.update(source)
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
    kept._source_stamp = _stamp()
    result: Function = dispatcher
    return result
