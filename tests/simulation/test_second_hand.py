"""The independent worlds hold together: tables, truth, addresses, the same seed twice."""

from __future__ import annotations

import ipaddress

import pandas as pd
import pytest

from household_ml.schema import DEVICE_TYPES, SESSIONS, SITUATIONS
from household_ml.simulation.second_hand import AMBIGUOUS, KINDS, PREFIXES, make_world


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_world_holds_together(kind: str) -> None:
    world = make_world(kind, accounts=60, days=30, seed=5)
    sessions, labels, truth = world["sessions"], world["labels"], world["truth"]
    assert set(SESSIONS.needed) <= set(sessions.columns) <= set(SESSIONS.names)
    assert len(sessions) == len(truth)
    assert set(labels["situation"]) <= set(SITUATIONS)
    assert {name for name, open_ in SITUATIONS.items() if open_} == set(AMBIGUOUS)
    assert set(sessions["device_type"].dropna()) <= set(DEVICE_TYPES)
    key = ["account_id", "device_id"]
    assert not labels.duplicated(key).any()
    assert set(map(tuple, labels[key].to_numpy())) == set(map(tuple, sessions[key].to_numpy()))
    assert (truth.loc[truth["at_home"], "place_id"] >= 0).all()
    outside = 1 - labels["in_household"].mean()
    assert 0.05 < outside < 0.40


def test_addresses_lie_in_prefixes_of_their_as() -> None:
    sessions = make_world("us", accounts=60, days=30, seed=5)["sessions"].dropna(subset=["asn"])
    nets = {
        asn: [ipaddress.ip_network(text) for text in " ".join(both).split()]
        for asn, both in PREFIXES.items()
    }
    for text, asn in sessions[["ip", "asn"]].drop_duplicates().itertuples(index=False):
        address = ipaddress.ip_address(text)
        assert any(address in net for net in nets[int(asn)]), (text, asn)


def test_the_same_seed_gives_the_same_world() -> None:
    first = make_world("messy", accounts=30, days=20, seed=9)
    again = make_world("messy", accounts=30, days=20, seed=9)
    for name, table in first.items():
        pd.testing.assert_frame_equal(table, again[name])


def test_a_drawn_world_has_rates_of_its_own() -> None:
    named = make_world("fr", accounts=30, days=20, seed=9)["sessions"]
    drawn = make_world("fr~7", accounts=30, days=20, seed=9)["sessions"]
    assert len(named) != len(drawn)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind must be one of fr, us"):
        make_world("atlantis", accounts=1, days=1, seed=1)
