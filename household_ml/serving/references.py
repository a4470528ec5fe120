"""A measured model put between the references of its world, where the truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml.errors import ParameterError, Problem
from household_ml.features import assign_places
from household_ml.modeling.classifier import ClassifierConfig
from household_ml.modeling.distance import (
    INSIDE,
    MODEL,
    ORACLE,
    PLAIN,
    STARTED,
    Distance,
    mean_distance,
    measure_distance,
    share_of_mean_way,
)
from household_ml.modeling.home_accuracy import HomeAccuracy, measure_homes
from household_ml.modeling.hypotheses import Hypotheses
from household_ml.modeling.labels import align_labels
from household_ml.modeling.references import score_out_of_fold, score_references
from household_ml.modeling.training import TrainingSet, fit_trees
from household_ml.modeling.truth import Truth, align_truth
from household_ml.networks import NetworkStatistics
from household_ml.scoring.window import known_at
from household_ml.serving.datasets import LEARNT, LabelledSessions
from household_ml.serving.learning import Measured
from household_ml.sessions import Sessions

__all__ = ["REFERENCES", "Referenced", "compare_with_references", "homes_of", "table_of_worlds"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Scores that are made inside a world, at most.
REFERENCES: Final = 5


@dataclass(frozen=True)
class Referenced:
    """A model between the references of one world.

    Parameters
    ----------
    distance : Distance
        How far it comes from the plain model to the oracle.
    homes : HomeAccuracy or None
        How often the inferred home is right; None where the truth does not tell what was home.
    """

    distance: Distance
    homes: HomeAccuracy | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        homes = None if self.homes is None else self.homes.to_dict()
        return {"distance": self.distance.to_dict(), "homes": homes}

    def to_text(self) -> str:
        """Lines for people."""
        lines = [
            f"{self.distance.name}: from the plain model to the oracle, on the same devices",
            self.distance.to_text(),
        ]
        return "\n".join([*lines, *([] if self.homes is None else [self.homes.to_text()])])


def compare_with_references(
    measured: Measured,
    data: LabelledSessions,
    *,
    replicates: int = 200,
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Referenced:
    """Put a measured model between the references of its world.

    Parameters
    ----------
    measured : Measured
        The model, measured on `data`.
    data : LabelledSessions
        With its truth.
    replicates : int, default=200
        Resamples of the accounts, for the intervals.
    seed : int, default=0
        Of the resampling.
    jobs : int, default=1
        Threads; they change nothing but the time it takes.
    progress : callable, optional
        Called with the name of each reference when it is done.

    Returns
    -------
    Referenced

    Raises
    ------
    LabelsError
        The truth does not match the sessions, or the labels are too few.
    ParameterError
        There is no truth.
    """
    learnt = measured.devices.learnt
    as_of = measured.devices.features.as_of
    known = known_at(data.sessions, as_of)
    truth = align_truth(known, _told(data))
    references = score_references(
        known,
        truth,
        learnt.y,
        as_of=as_of,
        ambiguous=learnt.ambiguous,
        jobs=jobs,
        progress=progress,
    )
    own = {MODEL: measured.scores[MODEL], **_trained_here(measured, jobs)}
    if progress is not None:
        progress(INSIDE)
    distance = measure_distance(
        {PLAIN: references[PLAIN], **own, **references},
        learnt.y,
        learnt.account,
        name=data.name,
        ambiguous=learnt.ambiguous,
        replicates=replicates,
        seed=seed,
    )
    statistics = measured.devices.statistics
    homes = _homes(data.name, known, truth, learnt.y, statistics, as_of, seed)
    return Referenced(distance, homes)


def _trained_here(measured: Measured, jobs: int) -> dict[str, Floats]:
    """Scores of trees trained in the world, alone and beside the model's own, half and half."""
    learnt, features = measured.devices.learnt, measured.devices.features
    model = measured.model
    known = Hypotheses.of(model.trees, features.values[:, model.columns(features.names)])
    told = -score_out_of_fold(
        learnt.values,
        learnt.y,
        learnt.account,
        ambiguous=learnt.ambiguous,
        learn=lambda train: _learn_inside(learnt, train),
        jobs=jobs,
    )
    inside = replace(known, home=told[:, 0], rival=told[:, 1], prior=told[:, 2])
    return {INSIDE: -inside.log_odds(), STARTED: -inside.blended(known, 0.5).log_odds()}


def _learn_inside(learnt: TrainingSet, train: Ints) -> Callable[[Floats], Floats]:
    """Trees of the world; of rows, the log-odds at home, at the rival, and knowing nothing."""
    chosen = np.zeros(len(learnt), dtype=bool)
    chosen[train] = True
    trees = fit_trees(
        learnt.take(chosen),
        [feature.name for feature in LEARNT],
        monotone=[feature.monotone for feature in LEARNT],
        config=ClassifierConfig(),
    )

    def told(rows: Floats) -> Floats:
        found = Hypotheses.of(trees, rows)
        prior = np.broadcast_to(found.prior, found.home.shape)
        return np.column_stack([found.home, found.rival, prior])

    return told


class _Named(NamedTuple):
    """Names of D devices."""

    account_id: pa.Array
    device_id: pa.Array


def homes_of(data: LabelledSessions, *, seed: int = 0) -> HomeAccuracy:
    """How often the inferred home is right, with network statistics of the sessions themselves.

    Parameters
    ----------
    data : LabelledSessions
        With its truth, which tells what was home.
    seed : int, default=0
        Of the resampling.

    Returns
    -------
    HomeAccuracy
    """
    as_of = data.sessions.last_started_at()
    known = known_at(data.sessions, as_of)
    truth = align_truth(known, _told(data))
    owner = pa.array(known.device_account())
    y = align_labels(_Named(known.account_id.take(owner), known.device_id), data.labels).y
    found = _homes(data.name, known, truth, y, None, as_of, seed)
    if found is None:
        raise ParameterError(
            Problem("the truth must tell what was home", "no column at_home", "Add it.")
        )
    return found


def table_of_worlds(rows: Sequence[Referenced]) -> str:
    """One row per world and the mean: recall of plain model, model and oracle, and the way.

    Parameters
    ----------
    rows : sequence of Referenced
        At least one world.

    Returns
    -------
    str
        Lines for people.
    """
    distances = [row.distance for row in rows]
    every = [*distances, *([mean_distance(distances)] if len(rows) > 1 else [])]
    rates = list(distances[0].recall[PLAIN])
    heads = []
    for metric in rates:
        rate = f"{float(metric.removeprefix('recall_at_')):.1%}"
        heads += [f"plain {rate}", "model", "oracle", f"{'of the way':<22}"]
    width = max(len(distance.name) for distance in every) + 2
    lines = [f"{'world':<{width}}" + "  ".join(f"{head:<10}" for head in heads) + "  home right"]
    homes = [None if row.homes is None else row.homes.right.value for row in rows]
    told = [right for right in homes if right is not None]
    mean = float(np.mean(told)) if told else None
    for distance, right in zip(every, [*homes, mean], strict=False):
        cells = []
        for metric in rates:
            for score in (PLAIN, MODEL, ORACLE):
                value = distance.recall[score][metric].value
                cells.append(f"{'-' if value is None else format(value, '.3f'):<10}")
            way = distance.covered[MODEL][metric.replace("recall", "covered")]
            cells.append(f"{way!s:<22}")
        lines.append(
            f"{distance.name:<{width}}"
            + "  ".join(cells)
            + f"  {'-' if right is None else format(right, '.3f')}"
        )
    if len(rows) > 1:
        rates = [metric.removeprefix("recall_at_") for metric in rates]
        whole = [(rate, share_of_mean_way(every[-1], MODEL, rate)) for rate in rates]
        told_ways = ", ".join(f"{way:.3f} at {float(rate):.1%}" for rate, way in whole)
        lines.append(f"of the way between the mean recalls: {told_ways}")
    return "\n".join(lines)


def _told(data: LabelledSessions) -> pa.Table:
    if data.truth is None:
        raise ParameterError(
            Problem(
                f"world {data.name} must have its truth",
                "none beside its sessions",
                "Write it too: household-ml simulate --truth.",
            )
        )
    return data.truth


def _homes(
    name: str,
    known: Sessions,
    truth: Truth,
    y: Floats,
    statistics: NetworkStatistics | None,
    as_of: int,
    seed: int,
) -> HomeAccuracy | None:
    if truth.at_home is None:
        return None
    _, place = assign_places(known, statistics=statistics, as_of=as_of)
    return measure_homes(known, place, truth, y, name=name, seed=seed)
