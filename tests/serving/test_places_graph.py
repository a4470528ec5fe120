"""The graph of an account's places tells what the table of places tells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from household_ml import infer_places, read_sessions
from household_ml.networks import enrich
from household_ml.serving.places_graph import compute_places_graph, plot_places_graph
from household_ml.sessions import Sessions
from tests.properties.accounts import make_sessions


@pytest.fixture(scope="module")
def histories() -> Sessions:
    return read_sessions(make_sessions(8, accounts=6))


@pytest.mark.parametrize("account", range(6))
def test_places_and_sessions_are_those_of_the_account(histories: Sessions, account: int) -> None:
    statistics = enrich(histories).statistics
    graph = compute_places_graph(histories, account)
    places = infer_places(histories, statistics=statistics)
    own = places[places["account_id"] == graph.account_id]
    named = graph.places[graph.places["place"] >= 0]
    rows = int(np.diff(histories.account_rows)[account])

    assert graph.account_id == histories.account_id[account].as_py()
    pd.testing.assert_series_equal(
        named["claim"], own["claim"].reset_index(drop=True), check_index=False
    )
    assert graph.edges["sessions"].sum() == graph.places["sessions"].sum() == rows
    assert graph.devices["sessions"].sum() == rows
    assert set(graph.edges["device_id"]) == set(graph.devices["device_id"])
    assert (graph.edges["nights"] <= graph.edges["sessions"]).all()


def test_the_picture_names_every_device_and_place_once(histories: Sessions) -> None:
    graph = compute_places_graph(histories, 0)
    told = [text.get_text() for text in plot_places_graph(graph).texts]

    assert len(told) == len(graph.devices) + len(graph.places)
    assert sum("home" in text for text in told) == 1


def test_places_beyond_the_first_become_one(histories: Sessions) -> None:
    graph = compute_places_graph(histories, 0)
    many = pd.concat([graph.places.head(1)] * 12, ignore_index=True).assign(place=range(12))
    device = graph.devices["device_id"].iloc[0]
    edges = pd.DataFrame({"device_id": device, "place": range(12), "sessions": 3, "nights": 1})
    crowded = type(graph)(graph.account_id, graph.devices.head(1), many, edges)
    told = " ".join(text.get_text() for text in plot_places_graph(crowded).texts)

    assert "5 more places: " in told
    assert "place 6" in told
    assert "place 7" not in told
