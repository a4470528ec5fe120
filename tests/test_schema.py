"""The tables of the contract; a change here is a change of major version."""

from __future__ import annotations

import pytest

from household_ml import schema
from household_ml.schema import TABLES, Table

CONTRACT = {
    "sessions": (
        "account_id device_id started_at duration_s ip asn device_type country utc_offset_min "
        "profile_id",
        "account_id device_id started_at ip",
    ),
    "accounts": ("account_id country extra_members", "account_id"),
    "labels": (
        "account_id device_id in_household situation source weight policy_ambiguous",
        "account_id device_id in_household",
    ),
    "scores": (
        "account_id device_id as_of household_probability verdict last_home_at place reasons model",
        "account_id device_id as_of household_probability verdict place reasons model",
    ),
}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_names_are_unique_and_meanings_are_given(table: Table) -> None:
    assert len(set(table.names)) == len(table.names)
    assert all(column.meaning for column in table.columns)


@pytest.mark.parametrize("name", CONTRACT)
def test_columns_are_those_of_the_contract(name: str) -> None:
    (table,) = (table for table in TABLES if table.name == name)
    columns, needed = CONTRACT[name]

    assert table.names == tuple(columns.split())
    assert table.needed == tuple(needed.split())


def test_words_of_the_contract() -> None:
    assert schema.VERDICTS == ("household", "extra_member", "undetermined", "outside")
    assert schema.DEVICE_TYPES == tuple(
        "tv set_top_box streaming_stick game_console phone tablet computer other".split()
    )
    assert set(schema.FIXED_DEVICE_TYPES) < set(schema.DEVICE_TYPES)
    assert schema.CONNECTION_TYPES[0] == "unknown"


def test_what_the_policy_leaves_open_is_reported_apart() -> None:
    open_ones = {name for name, ambiguous in schema.SITUATIONS.items() if ambiguous}
    assert open_ones == {"second_home", "student_away", "alternating_custody"}
