"""Which devices of a streaming account belong to its household.

The public names are here and are imported when they are first used, so that
``import household_ml`` is quick. The order of the work::

    sessions = read_sessions("sessions.parquet")     # accepted and rejected rows
    places = infer_places(sessions)                  # where the account is used, 0 = home
    features = build_features(sessions)              # one row per device
    scores = HouseholdScorer.load().score(sessions)  # probability, verdict, reasons
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from household_ml import spark as spark
    from household_ml.errors import HouseholdError as HouseholdError
    from household_ml.features import build_features as build_features
    from household_ml.features import infer_places as infer_places
    from household_ml.networks import NetworkStatistics as NetworkStatistics
    from household_ml.networks import NetworkTable as NetworkTable
    from household_ml.scoring import HouseholdScorer as HouseholdScorer
    from household_ml.sessions import Sessions as Sessions
    from household_ml.sessions import read_sessions as read_sessions

__version__: Final = "0.1.0"

_HOME: Final = {
    "HouseholdError": "household_ml.errors",
    "HouseholdScorer": "household_ml.scoring",
    "NetworkStatistics": "household_ml.networks",
    "NetworkTable": "household_ml.networks",
    "Sessions": "household_ml.sessions",
    "build_features": "household_ml.features",
    "infer_places": "household_ml.features",
    "read_sessions": "household_ml.sessions",
}

__all__ = [
    "HouseholdError",
    "HouseholdScorer",
    "NetworkStatistics",
    "NetworkTable",
    "Sessions",
    "__version__",
    "build_features",
    "infer_places",
    "read_sessions",
]


def __getattr__(name: str) -> Any:
    if name == "spark":
        return importlib.import_module("household_ml.spark")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
