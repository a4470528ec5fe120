"""A model made one's own: from labels, or from unlabelled sessions alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from household_ml.errors import ParameterError, Problem
from household_ml.features import build_features
from household_ml.modeling.adaptation import AdaptationConfig, adapt_model
from household_ml.modeling.card import model_card
from household_ml.modeling.training import stack_worlds
from household_ml.networks import NetworkStatistics, enrich
from household_ml.scoring.scorer import SNAPSHOT
from household_ml.scoring.use import days_of_use
from household_ml.scoring.window import known_at
from household_ml.serving.datasets import LabelledSessions, labelled_devices
from household_ml.serving.learning import snapshot_bytes

if TYPE_CHECKING:
    from household_ml.modeling.model import HouseholdModel
    from household_ml.modeling.prevalence import PrevalenceShift
    from household_ml.modeling.training import TrainingSet
    from household_ml.sessions import Sessions

__all__ = [
    "RECENT_DAYS",
    "USED_DAYS",
    "Adapted",
    "adapt_to_population",
    "devices_to_learn_from",
    "learn_from_labels",
]

#: A device is in use when it was used on so many of the last so many days. On fifteen simulated
#: worlds with a full window the level estimated from such devices missed by 0.65 in log-odds, that
#: from all devices by 1.01, and the level before by 0.7. [A]
USED_DAYS: Final = 3
RECENT_DAYS: Final = 31

_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True)
class Adapted:
    """A model adapted to unlabelled sessions.

    Parameters
    ----------
    model : HouseholdModel
        As it is for the new population; the same devices get the same answers as before.
    shift : PrevalenceShift
        What was estimated.
    devices, accounts : int
        From how many: those in use.
    """

    model: HouseholdModel
    shift: PrevalenceShift
    devices: int
    accounts: int


def devices_to_learn_from(
    model: HouseholdModel, worlds: Sequence[LabelledSessions]
) -> tuple[TrainingSet, NetworkStatistics, tuple[str, ...]]:
    """All devices of some labelled data, with the columns that a model reads.

    Network statistics are built from all the sessions, as batch scoring builds them.

    Parameters
    ----------
    model : HouseholdModel
        What is started from.
    worlds : sequence of LabelledSessions
        At least one.

    Returns
    -------
    TrainingSet
        Labelled devices and all others.
    NetworkStatistics
        Those of the first data.
    tuple of str
        For each, what became of its labels.

    Raises
    ------
    InputError
        The labels cannot be used.
    """
    if not worlds:
        raise ParameterError(Problem("data must be given", "none", "Name a folder."))
    parts, told, statistics = [], [], []
    for world in worlds:
        devices = labelled_devices(world)
        columns = model.columns(devices.features.names)
        parts.append(replace(devices.learnt, values=devices.features.values[:, columns]))
        told.append(devices.labels.to_text())
        statistics.append(devices.statistics)
    together = parts[0] if len(parts) == 1 else stack_worlds(parts)
    return together, statistics[0], tuple(told)


def learn_from_labels(
    model: HouseholdModel,
    dataset: TrainingSet,
    out: str | Path,
    *,
    statistics: NetworkStatistics | None = None,
    name: str = "household",
    version: str = "1",
    seed: int = 0,
    config: AdaptationConfig | None = None,
) -> HouseholdModel:
    """Start from a model, learn from labels, and save what comes of it.

    Parameters
    ----------
    model : HouseholdModel
        What to start from.
    dataset : TrainingSet
        As :func:`devices_to_learn_from` gives it.
    out : str or Path
        Folder to write.
    statistics : NetworkStatistics or None, default=None
        Kept beside the model, for accounts that are scored alone.
    name, version : str
        How the model is called.
    seed : int, default=0
        Of folds and trees; the same input, seed and versions give the same digest.
    config : AdaptationConfig or None, default=None
        How to learn.

    Returns
    -------
    HouseholdModel
        As saved; see :func:`~household_ml.modeling.adaptation.adapt_model`.

    Raises
    ------
    LabelsError
        The labels cannot be learnt from.
    """
    adapted = adapt_model(model, dataset, name=name, version=version, seed=seed, config=config)
    beside = {} if statistics is None else {SNAPSHOT: snapshot_bytes(statistics)}
    adapted.save(out, attachments=beside)
    return adapted


def adapt_to_population(
    model: HouseholdModel,
    sessions: Sessions,
    *,
    networks: NetworkStatistics | None = None,
    as_of: int | None = None,
) -> Adapted:
    """Adapt the probabilities of a model to the share of households among unlabelled sessions.

    Holds under label shift: devices of the household, and devices outside, look as they did where
    the model was calibrated, and only their shares differ. See
    :mod:`~household_ml.modeling.prevalence`. That does not hold of devices which have been idle for
    long: their scores drift to the middle, which looks like a smaller share of households. So the
    share is estimated on devices that were used on :data:`USED_DAYS` of the last
    :data:`RECENT_DAYS` days or more, where there are any.

    Parameters
    ----------
    model : HouseholdModel
        The model.
    sessions : Sessions
        A population, or a fair sample of its accounts.
    networks : NetworkStatistics or None, default=None
        Network statistics; None builds them from the sessions.
    as_of : int or None, default=None
        Microseconds since the epoch; None is the last session.

    Returns
    -------
    Adapted

    Raises
    ------
    InputError
        No session lies in the window.
    """
    moment = sessions.last_started_at() if as_of is None else as_of
    known = known_at(sessions, moment)
    used = enrich(known).statistics if networks is None else networks
    features = build_features(enrich(known, statistics=used), as_of=moment)
    values = features.values[:, model.columns(features.names)]
    recent = np.full(len(values), moment - RECENT_DAYS * _DAY_US)
    in_use = days_of_use(known, recent) >= USED_DAYS
    if not in_use.any():
        in_use[:] = True
    adapted, shift = model.adapted_to(values[in_use], account=features.account[in_use])
    low, high = shift.interval
    devices, accounts = int(in_use.sum()), int(np.unique(features.account[in_use]).size)
    manifest: dict[str, Any] = {
        **adapted.manifest,
        "adapted_from": model.digest,
        "adapted_to_population": {
            "devices": devices,
            "accounts": accounts,
            "prevalence": round(shift.prevalence, 6),
            "interval": [round(low, 6), round(high, 6)],
            "calibrated_for": round(model.calibration.prevalence, 6),
            "added_to_log_odds": round(shift.delta, 6),
        },
    }
    adapted = replace(adapted, manifest=manifest)
    adapted = replace(adapted, card=model_card(adapted))
    return Adapted(adapted, shift, devices, accounts)
