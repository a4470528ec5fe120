"""A world holds every parameter with its mark and range, and can be drawn anew over them."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from household_ml.errors import ParameterError
from household_ml.networks import NetworkTable
from household_ml.simulation import WORLDS, World, named_world, parameter_table
from household_ml.simulation.countries import COUNTRIES, HOSTING, RELAYS

NUMBERS = [
    item for item in dataclasses.fields(World) if item.metadata["scale"] in ("linear", "log")
]
SHARES = [item for item in dataclasses.fields(World) if item.metadata["scale"] == "shares"]


@pytest.mark.parametrize("item", NUMBERS + SHARES, ids=lambda item: item.name)
def test_every_parameter_tells_its_mark_and_meaning(item: dataclasses.Field[float]) -> None:
    assert item.metadata["mark"] in {"S", "S2", "D", "G", "A"}
    assert item.metadata["meaning"]


@pytest.mark.parametrize("item", NUMBERS, ids=lambda item: item.name)
def test_every_default_lies_in_its_range_to_test(item: dataclasses.Field[float]) -> None:
    assert item.metadata["low"] <= item.default <= item.metadata["high"]


def test_the_table_shows_every_parameter() -> None:
    table = parameter_table()
    assert all(f"| `{item.name}` |" in table for item in NUMBERS + SHARES)


def test_there_are_three_countries_and_six_hard_worlds_at_least() -> None:
    assert {"fr", "us", "de"} <= WORLDS.keys()
    assert {
        "daily_renumbering",
        "carrier_nat",
        "mobile_first",
        "evaders",
        "messy",
        "moves_and_holidays",
    } <= WORLDS.keys()


@pytest.mark.parametrize("name", WORLDS)
def test_a_drawn_world_stays_in_the_ranges_and_keeps_what_it_is(name: str) -> None:
    world = WORLDS[name]
    for seed in range(5):
        drawn = world.drawn(seed)
        assert drawn.country == world.country
        for item in NUMBERS:
            value = getattr(drawn, item.name)
            if item.name in world.pinned:
                assert value == pytest.approx(getattr(world, item.name), rel=0.26)
            elif value != getattr(world, item.name) and item.name not in ("far", "leaves_prefix"):
                assert item.metadata["low"] <= value <= item.metadata["high"]
        assert drawn.leaves_prefix <= drawn.leaves_24
        assert drawn.same_city + drawn.far <= 1.0 + 1e-9


def test_drawing_varies_nearly_every_parameter() -> None:
    drawn = [WORLDS["us"].drawn(seed) for seed in range(40)]
    for item in NUMBERS:
        values = {getattr(world, item.name) for world in drawn}
        assert len(values) > 20, item.name


def test_the_same_seed_draws_the_same_world() -> None:
    assert WORLDS["fr"].drawn(4) == WORLDS["fr"].drawn(4)
    assert WORLDS["fr"].drawn(4) != WORLDS["fr"].drawn(5)
    assert WORLDS["fr"].drawn(4).v6_share != WORLDS["us"].drawn(4).v6_share


@pytest.mark.parametrize("name", ["mars", "fr~", "fr~x", ""])
def test_an_unknown_world_is_an_error_that_lists_the_known_ones(name: str) -> None:
    with pytest.raises(ParameterError, match="world must be one of fr, us, de"):
        named_world(name)


def test_a_world_refuses_shares_that_do_not_add_up_and_negative_numbers() -> None:
    with pytest.raises(ParameterError, match=r"relations .* must be shares.*plays_a_day .* finite"):
        dataclasses.replace(WORLDS["fr"], relations=(0.5, 0.1, 0.1, 0.1), plays_a_day=-1.0)


def test_a_world_is_written_as_json() -> None:
    written = json.loads(WORLDS["de"].to_json())
    assert written["name"] == "de"
    assert written["v4_holding"] == list(WORLDS["de"].v4_holding)


def test_households_of_a_country_have_the_published_mean() -> None:
    persons = np.array([1.0, 2.0, 3.0, 4.0, 5.4])
    assert (persons * COUNTRIES["FR"].sizes).sum() == pytest.approx(2.15, abs=0.03)
    assert COUNTRIES["FR"].sizes[0] == pytest.approx(0.386)
    assert (persons * COUNTRIES["US"].sizes).sum() == pytest.approx(2.5, abs=0.05)


@pytest.mark.parametrize("code", COUNTRIES)
def test_every_operator_announces_address_space(code: str) -> None:
    table, country = NetworkTable.default(), COUNTRIES[code]
    known = set(table.v4.asn.tolist())
    used = {asn for isp in country.isps for asn in isp.asns}
    used |= {asn for mobile in country.mobiles for asn in mobile.asns}
    assert used | set(country.campuses) | set(country.business) <= known
    assert set(HOSTING) | set(RELAYS) <= known
    assert sum(country.sizes) == pytest.approx(1.0)
    assert len(country.zones) == len(country.zone_shares)
