"""Training and evaluation from labelled sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from household_ml.features import COLUMN_NAMES
from household_ml.modeling.baselines import Baselines
from household_ml.modeling.card import model_card
from household_ml.modeling.evaluation import (
    Comparison,
    Evaluation,
    compare_scores,
    evaluate_scores,
)
from household_ml.modeling.splits import TEST
from household_ml.modeling.training import (
    TrainingConfig,
    TrainingSet,
    fit_household_model,
)
from household_ml.networks import NetworkStatistics
from household_ml.scoring.scorer import SNAPSHOT
from household_ml.serving.datasets import (
    LEARNT,
    LabelledDevices,
    LabelledSessions,
    labelled_devices,
)
from household_ml.serving.sides import DividedDevices, divide, fit_rules

if TYPE_CHECKING:
    from household_ml.modeling.model import HouseholdModel

__all__ = ["Measured", "evaluate_model", "snapshot_bytes", "train_model"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """A model measured on one world.

    Parameters
    ----------
    name : str
        The world.
    model : HouseholdModel
        The model.
    evaluation : Evaluation
        Quality of the probability and of the answers.
    comparison : Comparison
        The model beside the baselines, on the same devices.
    scores : mapping of str to float64 array of shape (D,)
        What was compared; higher = outside. The model first.
    devices : LabelledDevices
        The devices it was measured on.
    """

    name: str
    model: HouseholdModel
    evaluation: Evaluation
    comparison: Comparison
    scores: Mapping[str, Floats]
    devices: LabelledDevices

    def __repr__(self) -> str:
        found = self.evaluation
        told = f"{found.counts['devices']:,} devices, PR-AUC of outside {found.metrics['pr_auc']}"
        return f"<Measured {self.name!r}: {self.model.label}, {told}>"

    def _repr_html_(self) -> str:
        return f"{self.comparison._repr_html_()}{self.evaluation._repr_html_()}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "evaluation": self.evaluation.to_dict(),
            "comparison": self.comparison.to_dict(),
        }


def train_model(
    worlds: Sequence[LabelledSessions],
    out: str | Path,
    *,
    name: str = "household",
    version: str = "1",
    seed: int = 0,
    config: TrainingConfig | None = None,
) -> HouseholdModel:
    """Train a model and save it, with the network statistics of its training accounts beside it.

    Parameters
    ----------
    worlds : sequence of LabelledSessions
        What to learn from; every world weighs the same.
    out : str or Path
        Folder to write.
    name, version : str
        How the model is called.
    seed : int, default=0
        Of splits and trees; the same input, seed and versions give the same digest.
    config : TrainingConfig or None, default=None
        How to train.

    Returns
    -------
    HouseholdModel
        As saved.

    Raises
    ------
    LabelsError
        The labels cannot be trained on.
    """
    chosen = config or TrainingConfig()
    parts = [
        divide(world, shares=chosen.shares, seed=seed + index) for index, world in enumerate(worlds)
    ]
    rules = fit_rules(parts)
    model = fit_household_model(
        [part.devices.learnt for part in parts],
        feature_names=[feature.name for feature in LEARNT],
        monotone=[feature.monotone for feature in LEARNT],
        seed=seed,
        name=name,
        version=version,
        config=chosen,
        about={"baselines": rules.to_dict()},
    )
    model = _compared(model, parts, chosen, seed)
    snapshot = parts[0].devices.statistics
    model.save(out, attachments={SNAPSHOT: snapshot_bytes(snapshot)})
    return model


def evaluate_model(
    model: HouseholdModel,
    data: LabelledSessions,
    *,
    networks: NetworkStatistics | None = None,
    as_of: int | None = None,
    replicates: int = 200,
    seed: int = 0,
) -> Measured:
    """Measure a model and the baselines that it carries on one world, as batch scoring meets it.

    Parameters
    ----------
    model : HouseholdModel
        The model; its training accounts should not be among those of ``data``.
    data : LabelledSessions
        Histories and labels.
    networks : NetworkStatistics or None, default=None
        Network statistics; None builds them from the sessions.
    as_of : int or None, default=None
        Microseconds since the epoch; None is the last session.
    replicates : int, default=200
        Resamples of the accounts, for the intervals.
    seed : int, default=0
        Of the resampling.

    Returns
    -------
    Measured
    """
    devices = labelled_devices(data, statistics=networks, as_of=as_of)
    learnt = devices.learnt
    columns = model.columns(devices.features.names)
    probability = model.probability(devices.features.values[:, columns])
    evaluation = evaluate_scores(
        probability,
        learnt.y,
        learnt.account,
        situation=learnt.situation,
        ambiguous=learnt.ambiguous,
        unseen=learnt.unseen,
        thresholds=model.thresholds,
        replicates=replicates,
        seed=seed,
        name=model.label,
    )
    scores = {
        "this model": -probability,
        **_rules_of(model).scores(devices.features.values, devices.features.names),
    }
    comparison = _compare(scores, learnt, replicates, seed)
    return Measured(data.name, model, evaluation, comparison, scores, devices)


def _compare(
    scores: Mapping[str, Floats], learnt: TrainingSet, replicates: int, seed: int
) -> Comparison:
    return compare_scores(
        scores,
        learnt.y,
        learnt.account,
        ambiguous=learnt.ambiguous,
        replicates=replicates,
        seed=seed,
    )


def _rules_of(model: HouseholdModel) -> Baselines:
    kept = model.manifest.get("baselines")
    return Baselines.from_dict(kept) if kept else Baselines(model.calibration.prevalence)


def _compared(
    model: HouseholdModel,
    parts: Sequence[DividedDevices],
    config: TrainingConfig,
    seed: int,
) -> HouseholdModel:
    """The model with the comparison of its card made over all features, those of the rules too."""
    if not model.metrics:
        return model
    values, learnt = [], []
    for part in parts:
        test = part.side == TEST
        values.append(part.devices.features.values[test])
        learnt.append(part.devices.learnt.take(test))
    offsets = np.cumsum([0, *(int(part.account.max(initial=0)) + 1 for part in learnt)])
    together = TrainingSet(
        name="test",
        values=np.concatenate(values),
        y=np.concatenate([part.y for part in learnt]),
        account=np.concatenate(
            [part.account + offset for part, offset in zip(learnt, offsets, strict=False)]
        ),
        ambiguous=np.concatenate([_marks(part) for part in learnt]),
    )
    columns = model.columns(COLUMN_NAMES)
    scores = {
        "this model": -model.probability(together.values[:, columns]),
        **_rules_of(model).scores(together.values, COLUMN_NAMES),
    }
    comparison = _compare(scores, together, config.replicates, seed)
    metrics = {**model.metrics, "comparison": comparison.to_dict()}
    measured = replace(model, metrics=metrics)
    return replace(measured, card=model_card(measured))


def _marks(part: TrainingSet) -> npt.NDArray[np.bool_]:
    return np.zeros(len(part), dtype=bool) if part.ambiguous is None else part.ambiguous


def snapshot_bytes(statistics: NetworkStatistics) -> bytes:
    """Network statistics as the bytes of the file that lies beside a model."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="household-ml-") as scratch:
        path = Path(scratch) / SNAPSHOT
        statistics.save(path)
        return path.read_bytes()
