"""Frozen value objects, one per stage, and every environment variable in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from household_ml.errors import ParameterError, Problem

__all__ = ["ENVIRONMENT", "FeatureConfig", "ServiceConfig", "environment", "environment_markdown"]

#: Every environment variable the product reads: name -> (default, meaning).
ENVIRONMENT: Mapping[str, tuple[str, str]] = {
    "HOUSEHOLD_ML_MODEL": ("", "model used when none is named: a folder or an MLflow URI"),
    "HOUSEHOLD_ML_THREADS": ("", "threads of the kernel; empty = one per core"),
    "HOUSEHOLD_ML_BATCH_SESSIONS": ("250000", "sessions of a part of a batch: decides memory"),
    "HOUSEHOLD_ML_NETWORK_TABLE": ("", "table of networks used instead of the shipped one"),
    "HOUSEHOLD_ML_KEYS": ("", "file of keys for pseudonyms, used when --keys is left out"),
    "HOUSEHOLD_ML_AUDIT": ("", "audit record, used when --audit is left out; empty = none"),
    "MLFLOW_TRACKING_URI": ("sqlite:///mlflow.db", "MLflow store for --register and models:/ URIs"),
    "HOUSEHOLD_ML_HTTP_KEYS": ("", "file of API keys, or `off`, which loopback alone allows"),
    "HOUSEHOLD_ML_HTTP_MAX_BODY": ("33554432", "bytes of a body, or of one line of a stream"),
    "HOUSEHOLD_ML_HTTP_MAX_SESSIONS": ("200000", "sessions of one request, of all its accounts"),
    "HOUSEHOLD_ML_HTTP_MAX_REQUESTS": ("64", "requests in progress at once"),
    "HOUSEHOLD_ML_HTTP_MAX_BATCHES": ("2", "large requests that are worked on at once"),
    "HOUSEHOLD_ML_HTTP_MAX_CONNECTIONS": ("1024", "connections open at once"),
    "HOUSEHOLD_ML_HTTP_ARRIVAL_S": ("10", "seconds that a request may take to arrive"),
    "HOUSEHOLD_ML_HTTP_WORK_S": ("30", "seconds that a request may wait and be worked on"),
    "HOUSEHOLD_ML_HTTP_DRAIN_S": ("0", "seconds between not ready and the end of listening"),
    "HOUSEHOLD_ML_HTTP_STOP_S": ("30", "seconds that requests in flight have to finish at a stop"),
    "HOUSEHOLD_ML_HTTP_REFRESH_S": ("10", "seconds between looks at alias, folder and API keys"),
    "HOUSEHOLD_ML_HTTP_CACHE": ("", "folder of models already fetched; empty = the user's cache"),
    "HOUSEHOLD_ML_HTTP_LOG": ("requests", "`requests`: a line for each; `errors`: of errors alone"),
}


def environment(name: str) -> str:
    """Value of one of the product's environment variables, its default when unset.

    Examples
    --------
    >>> environment("MLFLOW_TRACKING_URI") != ""
    True
    """
    return os.environ.get(name) or ENVIRONMENT[name][0]


@dataclass(frozen=True, slots=True)
class FeatureConfig:
    """What the feature stage may look at.

    Parameters
    ----------
    window_days : int, default=180
        Sessions older than this before ``as_of`` are not used.
    """

    window_days: int = 180


def _service(name: str) -> Any:
    """A field of :class:`ServiceConfig`: the default of the variable that sets it."""
    variable = f"HOUSEHOLD_ML_HTTP_{name}"
    default = ENVIRONMENT[variable][0]
    number = float(default) if variable.endswith("_S") else int(default)
    return field(default=number, metadata={"variable": variable})


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """Limits of the HTTP service; each has an environment variable, see `ENVIRONMENT`.

    Parameters
    ----------
    max_body : int
        Bytes of a body, or of one line of a stream.
    max_sessions : int
        Sessions of one request, of all its accounts together.
    max_requests : int
        Requests in progress at once.
    max_batches : int
        Large requests that are worked on at once, each in a thread.
    max_connections : int
        Connections open at once.
    arrival_s : float
        Seconds that a request may take to arrive, or that a stream may be silent.
    work_s : float
        Seconds that a request may wait and be worked on.
    drain_s : float
        Seconds between saying "not ready" and the end of listening, when told to stop.
    stop_s : float
        Seconds that requests in flight have to finish after that.
    refresh_s : float
        Seconds between looks at the alias or folder of the model and at the file of API keys.

    Examples
    --------
    >>> ServiceConfig().max_requests
    64
    """

    max_body: int = _service("MAX_BODY")
    max_sessions: int = _service("MAX_SESSIONS")
    max_requests: int = _service("MAX_REQUESTS")
    max_batches: int = _service("MAX_BATCHES")
    max_connections: int = _service("MAX_CONNECTIONS")
    arrival_s: float = _service("ARRIVAL_S")
    work_s: float = _service("WORK_S")
    drain_s: float = _service("DRAIN_S")
    stop_s: float = _service("STOP_S")
    refresh_s: float = _service("REFRESH_S")

    @classmethod
    def from_environment(cls) -> ServiceConfig:
        """The limits that the environment sets, the defaults elsewhere.

        Raises
        ------
        ParameterError
            Values that are no numbers, or too small; all of them together.
        """
        problems: list[Problem] = []
        found: dict[str, float | int] = {}
        for each in fields(cls):
            variable = each.metadata["variable"]
            given = environment(variable)
            whole = each.name.startswith("max_")
            least = 0 if each.name == "drain_s" else 0.05 if not whole else 1
            try:
                value = int(given) if whole else float(given)
                right = least <= value < float("inf")
            except ValueError:
                right = False
            if right:
                found[each.name] = value
            else:
                kind = "a whole number" if whole else "a number"
                problems.append(
                    Problem(
                        f"{variable} must be {kind} of at least {least}", repr(given), "Mend it."
                    )
                )
        if problems:
            raise ParameterError(problems)
        return cls(**found)  # type: ignore[arg-type]


def environment_markdown() -> str:
    """The table of environment variables, as it stands in the README.

    Examples
    --------
    >>> print(environment_markdown().splitlines()[0])
    | environment variable | default | means |
    """
    rows = [
        f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |"
        for name, (default, meaning) in ENVIRONMENT.items()
    ]
    return "\n".join(["| environment variable | default | means |", "|---|---|---|", *rows])
