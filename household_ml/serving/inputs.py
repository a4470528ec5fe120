"""What batches start from: an input small or large, and what the environment says of parts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from household_ml import __version__
from household_ml.config import environment
from household_ml.errors import FormatError, ParameterError, Problem
from household_ml.networks import NetworkStatistics
from household_ml.resources import resource
from household_ml.serving.journal import fingerprint
from household_ml.sessions import Sessions, read_sessions
from household_ml.sessions.pieced import PiecedInput, open_pieces

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["batch_sessions", "batch_threads", "open_input", "surroundings"]


def open_input(
    source: Sessions | pa.Table | pd.DataFrame | str | Path,
    form: str | None,
    rejected: str | Path | None,
    size: int,
) -> Sessions | PiecedInput:
    """A small input as its sessions; a large one, or one with a damaged file, in pieces.

    Parameters
    ----------
    source : Sessions, pyarrow.Table, DataFrame, str or Path
        Sessions, or what they are read from.
    form, rejected
        ``format`` and ``rejected`` of :func:`household_ml.read_sessions`.
    size : int
        Sessions that a small input has at most.
    """
    if isinstance(source, Sessions):
        return source
    pieced = open_pieces(source, format=form) if isinstance(source, str | Path) else None
    if pieced is not None and (pieced.rows > size or pieced.damaged):
        return pieced
    try:
        return read_sessions(source, format=form, rejected=rejected)
    except FormatError:
        if pieced is None or len(pieced.files) == 1:
            raise
        return pieced


def batch_sessions() -> int:
    """Sessions of a part of a batch, as the environment says.

    Raises
    ------
    ParameterError
        It says no whole number of at least 1.
    """
    return _whole("HOUSEHOLD_ML_BATCH_SESSIONS")


def batch_threads() -> int:
    """Parts of a batch that are done side by side, as the environment says.

    Raises
    ------
    ParameterError
        It says no whole number of at least 1.
    """
    usable = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return _whole("HOUSEHOLD_ML_THREADS", usable)


def _whole(name: str, otherwise: int = 1) -> int:
    given = environment(name) or str(otherwise)
    if not given.isdecimal() or int(given) < 1:
        raise ParameterError(
            Problem(f"{name} must be a whole number of at least 1", repr(given), "Set it so.")
        )
    return int(given)


def surroundings(networks: NetworkStatistics | None) -> dict[str, Any]:
    """What decides an answer besides the input and the model, as JSON has it."""
    table = environment("HOUSEHOLD_ML_NETWORK_TABLE")
    return {
        "version": __version__,
        "networks": None if networks is None else networks.digest,
        "table": fingerprint(Path(table) if table else resource("data/networks/iptoasn.npz")),
    }
