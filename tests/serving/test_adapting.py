"""A model made one's own, from labels and from unlabelled sessions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from household_ml.errors import LabelsError, ParameterError
from household_ml.modeling.adaptation import AdaptationConfig
from household_ml.modeling.classifier import ClassifierConfig
from household_ml.modeling.model import HouseholdModel
from household_ml.networks import NetworkStatistics
from household_ml.scoring import HouseholdScorer
from household_ml.serving.adapting import (
    adapt_to_population,
    devices_to_learn_from,
    learn_from_labels,
)
from household_ml.serving.datasets import LabelledDevices, LabelledSessions, labelled_devices
from household_ml.sessions import read_sessions
from household_ml.simulation import WORLDS, Simulated, simulate
from tests.small_world import QUICK

Floats = npt.NDArray[np.float64]

FAST = AdaptationConfig(
    classifier=ClassifierConfig(trees=30, leaves=8, min_rows=20, learning_rate=0.1),
    thresholds=QUICK.thresholds,
    replicates=5,
)


@pytest.fixture(scope="module")
def labelled(simulated: Simulated) -> LabelledSessions:
    """Accounts the model has not seen, a third of them labelled."""
    labels = simulated.labels.to_pandas()
    known = labels["account_id"].isin(sorted(set(labels["account_id"]))[::3])
    return LabelledSessions("theirs", read_sessions(simulated.sessions), labels[known], True)


def test_learning_from_labels_starts_from_the_model_and_is_repeatable(
    labelled: LabelledSessions, scorer: HouseholdScorer, tmp_path: Path
) -> None:
    devices, statistics, told = devices_to_learn_from(scorer.model, [labelled])
    assert told[0].startswith(f"{int(np.isfinite(devices.y).sum() - marked(devices))} of ")
    first, again = (
        learn_from_labels(
            scorer.model, devices, tmp_path / name, statistics=statistics, config=FAST
        )
        for name in ("first", "again")
    )
    assert first.digest == again.digest
    assert first.manifest["adapted_from"] == scorer.model.digest
    assert first.manifest["adapted_to"]["devices"] == len(devices)
    kept = NetworkStatistics.load(tmp_path / "first" / "networks.parquet")
    assert kept.accounts == statistics.accounts
    scored = HouseholdScorer.load(tmp_path / "first").score(labelled.sessions)
    assert scored["household_probability"].between(0, 1).all()


def marked(devices: object) -> int:
    return int((np.isfinite(devices.y) & devices.ambiguous).sum())  # type: ignore[attr-defined]


def test_several_folders_are_one_population(
    labelled: LabelledSessions, scorer: HouseholdScorer
) -> None:
    one, _, _ = devices_to_learn_from(scorer.model, [labelled])
    two, _, told = devices_to_learn_from(scorer.model, [labelled, labelled])
    assert len(two) == 2 * len(one)
    assert np.unique(two.account).size == 2 * np.unique(one.account).size
    assert len(told) == 2
    with pytest.raises(ParameterError, match="data must be given, got none"):
        devices_to_learn_from(scorer.model, [])


def test_labels_of_other_people_are_refused(
    labelled: LabelledSessions, scorer: HouseholdScorer
) -> None:
    others = replace(labelled, labels=labelled.labels.assign(account_id="nobody"))
    with pytest.raises(LabelsError, match="labels must be of devices that have sessions"):
        devices_to_learn_from(scorer.model, [others])


def test_labels_of_devices_outside_alone_are_refused(
    labelled: LabelledSessions, scorer: HouseholdScorer, tmp_path: Path
) -> None:
    outside = replace(labelled, labels=labelled.labels[~labelled.labels["in_household"]])
    devices, statistics, _ = devices_to_learn_from(scorer.model, [outside])
    with pytest.raises(LabelsError, match="must hold devices of the household"):
        learn_from_labels(scorer.model, devices, tmp_path, statistics=statistics, config=FAST)
    assert not list(tmp_path.iterdir())


def test_adapting_to_a_population_keeps_every_answer_and_says_what_it_did(
    sessions: pa.Table, scorer: HouseholdScorer, tmp_path: Path
) -> None:
    found = adapt_to_population(scorer.model, read_sessions(sessions))
    saved = HouseholdModel.load(found.model.save(tmp_path))
    assert saved.digest == found.model.digest
    told = saved.manifest["adapted_to_population"]
    assert told["devices"] == found.devices
    low, high = told["interval"]
    assert low < told["prevalence"] < high
    before = scorer.score(sessions)
    after = HouseholdScorer(saved).score(sessions)
    assert list(after["verdict"]) == list(before["verdict"])
    order = np.argsort(before["household_probability"].to_numpy(), kind="stable")
    assert (np.diff(after["household_probability"].to_numpy()[order]) >= 0).all()


@pytest.fixture(scope="module")
def shared_by_few_and_many() -> dict[float, LabelledDevices]:
    """Simulated populations with other shares of accounts that have borrowers."""
    found = {}
    for share in (0.10, 0.22, 0.45):
        world = replace(WORLDS["fr"], outside_accounts=share)
        made = simulate(world, accounts=350, days=45, seed=21)
        data = LabelledSessions("", read_sessions(made.sessions), made.labels.to_pandas(), True)
        found[share] = labelled_devices(data)
    return found


def test_simulated_populations_are_met_with_their_own_prevalence(
    shared_by_few_and_many: dict[float, LabelledDevices], scorer: HouseholdScorer
) -> None:
    """Nearer to the truth than before, better calibrated together, and no answer changes."""
    model = scorer.model
    errors, before, after = [], [], []
    for devices in shared_by_few_and_many.values():
        values = devices.features.values[:, model.columns(devices.features.names)]
        learnt = devices.learnt
        assert learnt.ambiguous is not None
        settled = np.isfinite(learnt.y) & ~learnt.ambiguous
        adapted, shift = model.adapted_to(values, account=learnt.account)
        assert np.array_equal(
            adapted.thresholds.calls(adapted.probability(values)),
            model.thresholds.calls(model.probability(values)),
        )
        true = learnt.y[settled].mean()
        errors.append((abs(shift.prevalence - true), abs(model.calibration.prevalence - true)))
        before.append(miscalibration(model.probability(values)[settled], learnt.y[settled]))
        after.append(miscalibration(adapted.probability(values)[settled], learnt.y[settled]))
    adapted_error, plain_error = np.mean(errors, axis=0)
    assert adapted_error < 0.6 * plain_error
    assert np.mean(after) < np.mean(before)
    assert max(a - b for a, b in zip(after, before, strict=True)) < 0.015


def miscalibration(p: Floats, y: Floats) -> float:
    parts = np.array_split(np.argsort(p), 10)
    return float(sum(abs(p[part].sum() - y[part].sum()) for part in parts) / p.size)
