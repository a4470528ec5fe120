"""Frozen value objects, one per stage, and every environment variable in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ENVIRONMENT", "FeatureConfig", "environment"]

#: Every environment variable the product reads: name -> (default, meaning).
ENVIRONMENT: Mapping[str, tuple[str, str]] = {
    "HOUSEHOLD_ML_MODEL": ("", "model used when none is named: a folder or an MLflow URI"),
    "HOUSEHOLD_ML_THREADS": ("", "threads of the kernel; empty = one per core"),
    "HOUSEHOLD_ML_NETWORK_TABLE": ("", "table of networks used instead of the shipped one"),
    "MLFLOW_TRACKING_URI": ("sqlite:///mlflow.db", "MLflow store for --register and models:/ URIs"),
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
