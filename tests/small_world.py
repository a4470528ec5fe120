"""A small simulated world and a small model trained on it, made once for all tests of a run.

The thresholds have loose bounds, since so few accounts certify no strict ones.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from household_ml.modeling.classifier import ClassifierConfig
from household_ml.modeling.thresholds import ThresholdConfig
from household_ml.modeling.training import TrainingConfig
from household_ml.scoring import HouseholdScorer
from household_ml.serving.datasets import read_labelled
from household_ml.serving.learning import train_model
from household_ml.simulation import Simulated, simulate, write_world

QUICK = TrainingConfig(
    classifier=ClassifierConfig(trees=40, leaves=8, learning_rate=0.2),
    thresholds=ThresholdConfig(account_rate=0.2, device_rate=0.1, household_error=0.2),
    replicates=20,
)


@pytest.fixture(scope="session")
def world_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, "fr", accounts=250, days=45, seed=11)
    return folder


@pytest.fixture(scope="session")
def model_folder(world_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    train_model([read_labelled(world_folder)], folder, version="7", seed=3, config=QUICK)
    return folder


@pytest.fixture(scope="session")
def scorer(model_folder: Path) -> HouseholdScorer:
    return HouseholdScorer.load(model_folder)


@pytest.fixture(scope="session")
def simulated() -> Simulated:
    """Accounts that the model has not seen."""
    return simulate("fr", accounts=60, days=45, seed=12)


@pytest.fixture(scope="session")
def sessions(simulated: Simulated) -> pa.Table:
    return simulated.sessions
