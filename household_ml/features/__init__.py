"""What a history says of each device: places, home, colocation, time of use, travel."""

from household_ml.features.build import (
    NEVER,
    Features,
    assign_places,
    build_features,
    infer_places,
)
from household_ml.features.catalogue import (
    CAP_DAYS,
    COLUMN_NAMES,
    FEATURE_NAMES,
    FEATURES,
    GROUPS,
    MONOTONE,
    Feature,
)

__all__ = [
    "CAP_DAYS",
    "COLUMN_NAMES",
    "FEATURES",
    "FEATURE_NAMES",
    "GROUPS",
    "MONOTONE",
    "NEVER",
    "Feature",
    "Features",
    "assign_places",
    "build_features",
    "infer_places",
]
