"""What people print in a notebook tells them what it is, in text and as HTML."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from household_ml import HouseholdScorer, NetworkTable, build_features, read_sessions
from household_ml.display import facts_html, rows_html
from household_ml.modeling.comparison import compare_scores
from household_ml.modeling.evaluation import evaluate_scores
from household_ml.networks import enrich
from household_ml.serving.datasets import LabelledSessions
from household_ml.serving.places_graph import compute_places_graph
from household_ml.serving.timeline import compute_timeline
from household_ml.sessions import Sessions
from tests.properties.accounts import make_sessions


@pytest.fixture(scope="module")
def sessions() -> Sessions:
    return read_sessions(make_sessions(5, accounts=4))


@pytest.fixture(scope="module")
def shown(sessions: Sessions) -> dict[str, object]:
    """Main objects, each with the words that it begins with in a notebook."""
    scorer = HouseholdScorer.load()
    y = np.array([1.0, 0.0, 1.0, 0.0] * 10)
    account = np.arange(40) // 4
    labels = pd.DataFrame({"account_id": ["a", "a"], "in_household": [True, False]})
    return {
        "Sessions": sessions,
        "Sessions with their networks": enrich(sessions),
        "Network statistics": enrich(sessions).statistics,
        "Features": build_features(sessions),
        "Table of networks": NetworkTable.default(),
        "Scorer": scorer,
        "Sessions and labels: &lt;w&gt;": LabelledSessions("<w>", sessions, labels, simulated=True),
        "Evaluation of a &lt;model&gt;": evaluate_scores(
            0.2 + 0.6 * y, y, account, replicates=5, name="a <model>"
        ),
        "Scores on the same devices": compare_scores({"ours": -y}, y, account, replicates=5),
    }


def test_objects_show_themselves_as_a_heading_and_one_table(shown: dict[str, object]) -> None:
    for heading, thing in shown.items():
        told = thing._repr_html_()  # type: ignore[attr-defined]
        assert told.startswith(f"<div><b>{heading}")
        assert told.count("<table") == told.count("</table>") == 1
        assert told.count("<tr>") == told.count("</tr>") > 1


def test_they_tell_their_size_and_what_else_to_know(
    shown: dict[str, object], sessions: Sessions
) -> None:
    text = {
        heading: re.sub(r"<[^>]+>", " ", thing._repr_html_())  # type: ignore[attr-defined]
        for heading, thing in shown.items()
    }
    for heading in ("Sessions", "Sessions with their networks"):
        assert f"{len(sessions):,}" in text[heading]
    assert "AS known" in text["Sessions with their networks"]
    labelled = text["Sessions and labels: &lt;w&gt;"]
    assert "50.0%" in labelled
    assert "The people are simulated." in labelled
    assert "simulated people" in text["Scorer"]


def test_in_text_they_are_one_line_without_their_arrays(
    shown: dict[str, object], sessions: Sessions
) -> None:
    scores = HouseholdScorer.load().score_table(sessions)
    named = {
        "Sessions": sessions,
        "EnrichedSessions": shown["Sessions with their networks"],
        "NetworkTable": shown["Table of networks"],
        "HouseholdScorer": shown["Scorer"],
        "LabelledSessions": shown["Sessions and labels: &lt;w&gt;"],
        "Features": shown["Features"],
        "HouseholdModel": HouseholdScorer.load().model,
        "PlacesGraph": compute_places_graph(sessions, 0),
        "Timeline": compute_timeline(sessions, 0, scores),
    }
    for name, thing in named.items():
        told = repr(thing)
        assert name in told
        assert "array" not in told
        assert len(told) < 200
        assert "\n" not in told


def test_what_is_a_picture_shows_itself_as_one(sessions: Sessions) -> None:
    scores = HouseholdScorer.load().score_table(sessions)
    for picture in (compute_places_graph(sessions, 0), compute_timeline(sessions, 0, scores)):
        drawn = picture._repr_html_()
        assert drawn.lstrip().startswith('<svg role="img" ')
        assert 'aria-label="' in drawn
        assert str(sessions.account_id[0]) in drawn


def test_what_is_shown_is_escaped() -> None:
    for told in (
        facts_html("<i>", {"<b>": "<u>"}, "<p>"),
        rows_html("<i>", ["<b>"], [["<u>"]]),
    ):
        assert not {"<i>", "<u>"} & {told[at : at + 3] for at in range(len(told))}
