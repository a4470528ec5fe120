"""The changes of a simulated world are those of the lives in it."""

from __future__ import annotations

import pandas as pd
import pytest

from household_ml.simulation import Simulated, simulate
from household_ml.simulation.changes import CHANGES


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    return simulate("moves_and_holidays", accounts=150, days=60, seed=4, truth=True)


@pytest.fixture(scope="module")
def changes(simulated: Simulated) -> pd.DataFrame:
    frame: pd.DataFrame = simulated.changes.to_pandas()
    return frame


@pytest.fixture(scope="module")
def at_home(simulated: Simulated) -> pd.DataFrame:
    """Sessions at the account's main home."""
    assert simulated.truth is not None
    rows = pd.concat([simulated.sessions.to_pandas(), simulated.truth.to_pandas()], axis=1)
    found: pd.DataFrame = rows[rows["at_main_home"]]
    return found


def test_the_table_is_ordered_and_every_kind_comes_about(
    simulated: Simulated, changes: pd.DataFrame
) -> None:
    assert simulated.changes.schema == CHANGES
    assert set(changes["account_id"]) <= set(simulated.accounts["account_id"].to_pylist())
    assert changes.sort_values(
        ["account_id", "changed_at"], kind="stable"
    ).index.is_monotonic_increasing
    of_all = set(changes.loc[changes["device_id"].isna(), "change"])
    of_one = set(changes.loc[changes["device_id"].notna(), "change"])
    assert of_all == {"moved", "changed_isp", "member_joined", "member_left"}
    assert {"left", "joined"} <= of_one <= {"left", "joined", "moved", "changed_isp"}


def test_a_move_takes_the_home_to_another_place(
    changes: pd.DataFrame, at_home: pd.DataFrame
) -> None:
    moves = changes[(changes["change"] == "moved") & changes["device_id"].isna()]
    assert len(moves)
    places = at_home.merge(moves[["account_id", "changed_at"]], on="account_id")
    places["after"] = places["started_at"] > places["changed_at"] + pd.Timedelta("36h")
    places["before"] = places["started_at"] < places["changed_at"] - pd.Timedelta("36h")
    told = places[places["after"] | places["before"]]
    assert (told.groupby(["account_id", "after"])["place_id"].nunique() == 1).all()
    both = told.groupby("account_id").filter(lambda rows: rows["after"].nunique() == 2)
    assert len(both)
    assert (both.groupby("account_id")["place_id"].nunique() == 2).all()


def test_who_does_not_move_has_one_home(changes: pd.DataFrame, at_home: pd.DataFrame) -> None:
    moved = set(changes.loc[changes["change"] == "moved", "account_id"])
    rest = at_home[~at_home["account_id"].isin(moved)]
    assert rest["account_id"].nunique() > 50
    assert (rest.groupby("account_id")["place_id"].nunique() == 1).all()


def test_a_home_without_a_change_keeps_its_line(
    simulated: Simulated, changes: pd.DataFrame, at_home: pd.DataFrame
) -> None:
    labels = simulated.labels.to_pandas().set_index("device_id")["situation"]
    fixed = at_home[at_home["device_type"].isin(["tv", "set_top_box"])]
    fixed = fixed[fixed["access"].isin(["fixed", "carrier_nat"])]
    two = fixed["device_id"].map(labels) == "resident_two_isps"
    changed = set(changes.loc[changes["device_id"].isna(), "account_id"])
    settled = fixed[~two & ~fixed["account_id"].isin(changed)]
    assert settled["account_id"].nunique() > 20
    lines = settled.groupby("account_id")["line_id"].nunique()
    assert (lines <= 2).all()
    assert (lines == 1).mean() > 0.8


def test_a_device_that_left_is_outside_in_the_end(
    simulated: Simulated, changes: pd.DataFrame
) -> None:
    labels = simulated.labels.to_pandas()
    left = changes[changes["change"] == "left"].merge(labels, on=["account_id", "device_id"])
    assert len(left) > 3
    assert not left["in_household"].any()
    joined = changes[changes["change"] == "joined"].merge(labels, on=["account_id", "device_id"])
    assert joined["in_household"].all()
