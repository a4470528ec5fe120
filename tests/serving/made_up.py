"""A model of a few trees and answers about made-up devices, without any session."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from household_ml.features import FEATURES
from household_ml.modeling.calibration import Calibration
from household_ml.modeling.classifier import ClassifierConfig, fit_classifier
from household_ml.modeling.model import HouseholdModel
from household_ml.modeling.thresholds import Thresholds
from household_ml.modeling.trees import Trees
from household_ml.schema import SCORES
from household_ml.scoring import score_schema
from household_ml.scoring.answers import AnswerInputs, Scored, answer
from household_ml.scoring.hysteresis import NO_TIME, Earlier, Standing
from household_ml.scoring.verdicts import Evidence, Verdict, verdict_names

NAMES = tuple(feature.name for feature in FEATURES if feature.model)[:6]
AS_OF = 1_700_000_000_000_000


def make_model(seed: int = 0) -> HouseholdModel:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(400, len(NAMES)))
    values[rng.random(values.shape) < 0.1] = np.nan
    y = (np.nan_to_num(values[:, 0]) > np.nan_to_num(values[:, 1])).astype(float)
    config = ClassifierConfig(trees=12, leaves=8)
    fitted = fit_classifier(values, y, monotone=[0] * len(NAMES), config=config)
    return HouseholdModel(
        name="made-up",
        version=str(seed),
        feature_names=NAMES,
        monotone=(0,) * len(NAMES),
        trees=Trees.from_estimator(fitted),
        calibration=Calibration.identity(),
        thresholds=Thresholds(0.3, 0.7),
    )


def make_scored(
    model: HouseholdModel,
    accounts: list[str],
    *,
    seed: int = 0,
    slots: int = 1,
    carried: bool = False,
) -> Scored:
    """Answers about accounts of one to four devices each."""
    rng = np.random.default_rng(seed)
    devices_of = rng.integers(1, 5, len(accounts))
    owner = np.repeat(np.arange(len(accounts)), devices_of)
    count = owner.size
    values = rng.normal(size=(count, len(NAMES)))
    values[rng.random(values.shape) < 0.1] = np.nan
    inputs = AnswerInputs(
        values=values,
        evidence=Evidence(
            rng.integers(1, 40, count), 40 + owner.astype(np.int64), 20 + owner.astype(np.int64)
        ),
        account=owner.astype(np.int64),
        place=rng.integers(-1, 3, count).astype(np.int32),
        slots=np.full(count, slots, np.int64),
        earlier=_earlier(rng, count) if carried else None,
    )
    said = answer(model, inputs)
    moment = datetime.fromtimestamp(AS_OF / 1e6, UTC)
    columns = [
        [accounts[index] for index in owner],
        [f"device {index}" for index in range(count)],
        [moment] * count,
        said.probability,
        verdict_names(said.verdict),
        [None if index % 3 == 0 else moment for index in range(count)],
        inputs.place,
        said.reasons,
        [model.label] * count,
    ]
    table = pa.table([pa.array(column) for column in columns], names=list(SCORES.names))
    return Scored(table.cast(score_schema()), inputs)


def _earlier(rng: np.random.Generator, count: int) -> Earlier:
    """Verdicts of a scoring before: any, since any time of the last 60 days."""
    since = AS_OF - rng.integers(0, 60 * 86_400_000_000, (3, count))
    since[1:][rng.random((2, count)) < 0.3] = NO_TIME
    codes = np.array([Verdict.HOUSEHOLD, Verdict.UNDETERMINED, Verdict.OUTSIDE], np.int8)
    return Earlier(
        AS_OF,
        rng.random(count) < 0.8,
        codes[rng.integers(0, 3, count)],
        Standing(codes[rng.integers(0, 3, count)], *since),
        *rng.integers(0, 10, (2, count)),
        rng.random(count) < 0.3,
    )
