"""The report opens without a network and shows what was measured."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from household_ml.scoring import HouseholdScorer
from household_ml.serving.datasets import read_labelled
from household_ml.serving.learning import Measured, evaluate_model
from household_ml.serving.report import telling_accounts, write_report
from household_ml.serving.timeline import NO_SESSION, compute_timeline, plot_timeline


@pytest.fixture(scope="module")
def measured(scorer: HouseholdScorer, world_folder: Path) -> Measured:
    return evaluate_model(scorer.model, read_labelled(world_folder), replicates=10)


@pytest.fixture(scope="module")
def report(
    scorer: HouseholdScorer,
    world_folder: Path,
    measured: Measured,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    out = tmp_path_factory.mktemp("report") / "report.html"
    accounts = telling_accounts(scorer, read_labelled(world_folder), measured)
    write_report(out, [("A world", measured)], model=scorer.model, accounts=accounts)
    return out.read_text(encoding="utf-8")


def test_nothing_is_fetched_from_anywhere(report: str) -> None:
    assert "://" not in report
    assert not re.search(r"<(script|link|iframe|object|embed)\b|@import|srcset=", report)
    assert set(re.findall(r'(?:src|href)="([^"#]*)', report)) <= {""}
    assert set(re.findall(r"url\(([^#)]*)", report)) <= {""}


def test_references_inside_pictures_meet_exactly_one_element(report: str) -> None:
    names = re.findall(r'\bid="([^"]+)"', report)
    assert len(names) == len(set(names))
    asked = set(re.findall(r'(?:url\(|href=")#([^)"]+)', report))
    assert asked <= set(names)


def test_the_model_stands_beside_the_baselines(report: str, measured: Measured) -> None:
    for name in measured.comparison.rows:
        assert name.replace("'", "&#39;") in report
    ours = measured.comparison.rows["this model"]["pr_auc"].value
    assert f"{ours:.3f}" in report
    assert "simulated people" in report


def test_pictures_and_the_timeline_are_there(report: str) -> None:
    assert report.count("<svg") == 5
    assert "Places of the devices of account" in report


def test_the_timeline_tells_where_each_device_was(
    scorer: HouseholdScorer, world_folder: Path
) -> None:
    sessions = read_labelled(world_folder).sessions
    scores = scorer.score_table(sessions)
    timeline = compute_timeline(sessions, 0, scores)
    alone = sessions.take_accounts(np.array([0]))
    assert sorted(timeline.devices) == alone.device_id.to_pylist()
    assert timeline.place.shape[0] == len(timeline.devices)
    assert (timeline.place != NO_SESSION).any(axis=1).all()
    assert timeline.place.max() >= 0
    drawn = plot_timeline(timeline)
    assert drawn.count("<rect") >= (timeline.place != NO_SESSION).sum()


def test_hostile_ids_are_escaped(scorer: HouseholdScorer, world_folder: Path) -> None:
    from dataclasses import replace

    sessions = read_labelled(world_folder).sessions
    timeline = compute_timeline(sessions, 0, scorer.score_table(sessions))
    drawn = plot_timeline(replace(timeline, account_id="<script>alert(1)</script>"))
    assert "<script>" not in drawn
