"""The report opens without a network and shows what was measured."""

from __future__ import annotations

import html
import re
from pathlib import Path

import numpy as np
import pytest

from household_ml.errors import ParameterError
from household_ml.scoring import HouseholdScorer
from household_ml.serving.datasets import read_labelled
from household_ml.serving.learning import Measured, evaluate_model
from household_ml.serving.report import telling_accounts, write_report
from household_ml.serving.retention import erase
from household_ml.serving.timeline import NO_SESSION, compute_timeline, plot_timeline
from tests.serving.accessibility import assert_accessible
from tests.serving.pages import fetched, headings


@pytest.fixture(scope="module")
def measured(scorer: HouseholdScorer, world_folder: Path) -> Measured:
    return evaluate_model(scorer.model, read_labelled(world_folder), replicates=10)


@pytest.fixture(scope="module")
def paths(
    scorer: HouseholdScorer,
    world_folder: Path,
    measured: Measured,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("report")
    accounts = telling_accounts(scorer, read_labelled(world_folder), measured)
    return {
        language: write_report(
            folder / f"{language}.html",
            [("A world", measured)],
            model=scorer.model,
            accounts=accounts,
            language=language,
        )
        for language in ("en", "fr")
    }


@pytest.fixture(scope="module")
def report(paths: dict[str, Path]) -> str:
    return paths["en"].read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_nothing_is_fetched_from_anywhere(paths: dict[str, Path], language: str) -> None:
    page = paths[language].read_text(encoding="utf-8")
    assert fetched(page) == []
    assert "://" not in page
    assert "<script" not in page


def test_the_test_of_fetching_notices() -> None:
    assert fetched('<img src="//a.example/b.png"><a href="#x"></a>') == ["//a.example/b.png"]
    assert fetched("<style>@import 'a.css';p{background:url(b.png)}</style>") == ["a.css", "b.png"]
    assert fetched('<link rel="stylesheet" href="a.css">') == ["a.css"]
    assert fetched('<svg><use href="c.svg#x"/><path fill="url(#y)"/></svg>') == ["c.svg#x"]


def test_both_languages_tell_the_same(paths: dict[str, Path]) -> None:
    english, french = (paths[name].read_text(encoding="utf-8") for name in ("en", "fr"))
    assert '<html lang="en">' in english
    assert '<html lang="fr">' in french
    assert len(headings(english)) == len(headings(french))
    assert set(headings(english)) & set(headings(french)) <= {"A world"}
    assert french.count("<svg") == english.count("<svg")
    assert french.count("<tr") == english.count("<tr")
    assert "Faux signalements par situation" in french
    assert "False flags by situation" not in french


def test_erase_finds_the_account_that_it_shows(paths: dict[str, Path], report: str) -> None:
    account = html.unescape(re.search(r"<h3>Account (.*?)</h3>", report)[1])  # type: ignore[index]
    assert [change.removed for change in erase([paths["en"]], [account], dry_run=True)] == [1]
    assert [change.removed for change in erase([paths["en"]], ["nobody"], dry_run=True)] == [0]


def test_another_language_is_refused(measured: Measured, scorer: HouseholdScorer) -> None:
    with pytest.raises(ParameterError, match="language must be one of en, fr, got 'de'"):
        write_report("never.html", [], model=scorer.model, language="de")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_axe_finds_nothing_in_chromium(
    paths: dict[str, Path], language: str, tmp_path: Path
) -> None:
    assert_accessible(paths[language], tmp_path)


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
    assert report.count("<svg") == 7
    assert "Places of the devices of account" in report
    assert "How the model was made" in report
    assert "Bound on account false flags: at most 20.0 %" in report


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
