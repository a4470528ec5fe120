"""From features and labels to a model that is calibrated, cautious and measured.

Imports sessions, networks and features; scoring imports it. Names are loaded when they are first
used, so that reading a saved model pulls in neither scikit-learn nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from household_ml.modeling.calibration import Calibration
    from household_ml.modeling.model import HouseholdModel
    from household_ml.modeling.thresholds import Thresholds
    from household_ml.modeling.trees import Trees

__all__ = [
    "Calibration",
    "HouseholdModel",
    "Thresholds",
    "Trees",
]

_HOMES = {
    "Calibration": "calibration",
    "HouseholdModel": "model",
    "Thresholds": "thresholds",
    "Trees": "trees",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
