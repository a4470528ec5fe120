"""From features and labels to a model that is calibrated, cautious and measured.

Imports sessions, networks and features; scoring imports it. Names are loaded when they are first
used, so that reading a saved model pulls in neither scikit-learn nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from household_ml.modeling.adaptation import AdaptationConfig, adapt_model
    from household_ml.modeling.baselines import Baselines, fit_baselines
    from household_ml.modeling.calibration import Calibration, fit_calibration
    from household_ml.modeling.card import model_card
    from household_ml.modeling.classifier import ClassifierConfig, fit_classifier
    from household_ml.modeling.evaluation import (
        Comparison,
        Evaluation,
        compare_scores,
        evaluate_scores,
    )
    from household_ml.modeling.labels import AlignedLabels, align_labels
    from household_ml.modeling.model import HouseholdModel
    from household_ml.modeling.prevalence import PrevalenceShift, adapt_to_prevalence
    from household_ml.modeling.splits import link_accounts, split_groups
    from household_ml.modeling.thresholds import ThresholdConfig, Thresholds, choose_thresholds
    from household_ml.modeling.training import (
        TrainingConfig,
        TrainingSet,
        evaluate_model,
        fit_household_model,
        leave_one_world_out,
    )
    from household_ml.modeling.trees import Trees

__all__ = [
    "AdaptationConfig",
    "AlignedLabels",
    "Baselines",
    "Calibration",
    "ClassifierConfig",
    "Comparison",
    "Evaluation",
    "HouseholdModel",
    "PrevalenceShift",
    "ThresholdConfig",
    "Thresholds",
    "TrainingConfig",
    "TrainingSet",
    "Trees",
    "adapt_model",
    "adapt_to_prevalence",
    "align_labels",
    "choose_thresholds",
    "compare_scores",
    "evaluate_model",
    "evaluate_scores",
    "fit_baselines",
    "fit_calibration",
    "fit_classifier",
    "fit_household_model",
    "leave_one_world_out",
    "link_accounts",
    "model_card",
    "split_groups",
]

_HOMES = {
    "AdaptationConfig": "adaptation",
    "AlignedLabels": "labels",
    "Baselines": "baselines",
    "Calibration": "calibration",
    "ClassifierConfig": "classifier",
    "Comparison": "evaluation",
    "Evaluation": "evaluation",
    "HouseholdModel": "model",
    "PrevalenceShift": "prevalence",
    "ThresholdConfig": "thresholds",
    "Thresholds": "thresholds",
    "TrainingConfig": "training",
    "TrainingSet": "training",
    "Trees": "trees",
    "adapt_model": "adaptation",
    "adapt_to_prevalence": "prevalence",
    "align_labels": "labels",
    "choose_thresholds": "thresholds",
    "compare_scores": "evaluation",
    "evaluate_model": "training",
    "evaluate_scores": "evaluation",
    "fit_baselines": "baselines",
    "fit_calibration": "calibration",
    "fit_classifier": "classifier",
    "fit_household_model": "training",
    "leave_one_world_out": "training",
    "link_accounts": "splits",
    "model_card": "card",
    "split_groups": "splits",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
