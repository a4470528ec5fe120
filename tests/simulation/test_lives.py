"""Labels are read off lives: people live in places, and every situation comes about."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from household_ml.errors import ParameterError
from household_ml.networks import NetworkTable
from household_ml.schema import LABELS, SESSIONS, SITUATIONS
from household_ml.sessions import read_sessions
from household_ml.simulation import Simulated, biased_labels, simulate, write_world
from household_ml.simulation.access import ACCESS_KINDS
from household_ml.simulation.check import compare_large_accounts, compare_levels


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    return simulate("fr", accounts=300, days=45, seed=1, truth=True)


@pytest.fixture(scope="module")
def frame(simulated: Simulated) -> pd.DataFrame:
    assert simulated.truth is not None
    rows = pd.concat([simulated.sessions.to_pandas(), simulated.truth.to_pandas()], axis=1)
    labelled: pd.DataFrame = rows.merge(
        simulated.labels.to_pandas(), on=["account_id", "device_id"]
    )
    return labelled


def test_tables_have_the_columns_of_the_contract(simulated: Simulated) -> None:
    assert tuple(simulated.sessions.column_names) == SESSIONS.names
    assert set(simulated.labels.column_names) <= set(LABELS.names)
    assert simulated.accounts.column_names == ["account_id", "country", "extra_members"]
    assert simulated.accounts.num_rows == 300


def test_every_session_can_be_read(simulated: Simulated) -> None:
    sessions = read_sessions(simulated.sessions)
    assert len(sessions) == simulated.sessions.num_rows
    assert sessions.n_devices == simulated.labels.num_rows


def test_exactly_the_devices_with_sessions_are_labelled(simulated: Simulated) -> None:
    played = simulated.sessions.to_pandas()[["account_id", "device_id"]].drop_duplicates()
    labelled = simulated.labels.to_pandas()[["account_id", "device_id"]]
    assert not labelled.duplicated().any()
    assert len(played.merge(labelled)) == len(played) == len(labelled)


def test_fixed_devices_of_the_household_stay_at_its_home_and_others_never_come(
    frame: pd.DataFrame,
) -> None:
    at_home = frame[frame["device_type"] == "tv"].groupby("situation")["at_main_home"].mean()
    assert at_home["resident_fixed"] > 0.98
    assert at_home["borrower_far"] < 0.02
    by_label = frame.groupby("in_household")["at_main_home"].mean()
    assert by_label[True] > 0.75
    assert by_label[False] < 0.15


def test_who_moved_out_was_at_home_before_and_not_since(frame: pd.DataFrame) -> None:
    left = frame[(frame["situation"] == "ex_member_left") & (frame["device_type"] == "phone")]
    half = left["started_at"] < left["started_at"].median()
    assert left.loc[half, "at_main_home"].mean() > left.loc[~half, "at_main_home"].mean()
    assert not left["in_household"].any()


@pytest.mark.parametrize(
    ("situation", "access"),
    [("borrower_phone_hotspot", "cellular"), ("resident_vpn", "vpn"),
     ("resident_cellular_only", "cellular")],
)  # fmt: skip
def test_a_situation_shows_in_the_access_used(situation: str, access: str) -> None:
    tables = simulate("evaders", accounts=300, days=30, seed=5, truth=True)
    assert tables.truth is not None
    rows = pd.concat([tables.sessions.to_pandas(), tables.truth.to_pandas()], axis=1)
    rows = rows.merge(tables.labels.to_pandas(), on=["account_id", "device_id"])
    own = rows.loc[rows["situation"] == situation, "access"]
    assert len(own) > 0
    assert (own == access).mean() > 0.4
    tunnelled = rows[rows["situation"] == "borrower_vpn_through_home"]
    home_lines = rows[rows["at_main_home"]].groupby("account_id")["line_id"].agg(set)
    seen_at_home = [
        line in home_lines.get(account, set())
        for account, line in zip(tunnelled["account_id"], tunnelled["line_id"], strict=True)
    ]
    assert np.mean(seen_at_home) > 0.6
    assert not tunnelled["in_household"].any()


def test_every_situation_comes_about() -> None:
    seen: set[str] = set()
    ambiguous: dict[str, bool] = {}
    for name, accounts in (("evaders", 600), ("de", 300), ("carrier_nat", 900)):
        labels = simulate(name, accounts=accounts, days=30, seed=8).labels.to_pandas()
        seen |= set(labels["situation"])
        ambiguous |= dict(zip(labels["situation"], labels["policy_ambiguous"], strict=True))
    assert seen == set(SITUATIONS)
    assert ambiguous == SITUATIONS


def test_paid_slots_are_counted_in_the_accounts(simulated: Simulated) -> None:
    labels, accounts = simulated.labels.to_pandas(), simulated.accounts.to_pandas()
    paid = set(labels.loc[labels["situation"] == "extra_member", "account_id"])
    slots = set(accounts.loc[accounts["extra_members"] > 0, "account_id"])
    assert paid
    assert paid <= slots


def test_truth_lies_row_for_row_beside_the_sessions(simulated: Simulated) -> None:
    truth = simulated.truth
    assert truth is not None
    assert truth.num_rows == simulated.sessions.num_rows
    assert set(truth["access"].to_pylist()) <= set(ACCESS_KINDS)
    place, home = truth["place_id"].to_numpy(), truth["at_main_home"].to_numpy()
    assert not (home & (place < 0)).any()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        write_world(folder, "us~3", accounts=60, days=20, seed=9, truth=True)
    for name in ("sessions", "accounts", "labels", "truth"):
        first, second = [(folder / f"{name}.parquet").read_bytes() for folder in folders]
        assert first == second
    tables = simulate("us~3", accounts=60, days=20, seed=9, truth=True)
    assert pq.read_table(folders[0] / "sessions.parquet").equals(tables.sessions)
    other = simulate("us~3", accounts=60, days=20, seed=10)
    assert not set(other.sessions["device_id"].to_pylist()) & set(
        tables.sessions["device_id"].to_pylist()
    )


def test_a_world_is_written_a_chunk_at_a_time(tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    rows = write_world(tmp_path, "fr", 510, 7, progress=lambda *step: done.append(step))
    assert done == [(500, 510), (510, 510)]
    assert rows.keys() == {"sessions", "labels", "accounts", "changes"}
    assert pq.ParquetFile(tmp_path / "sessions.parquet").num_row_groups == 2
    assert rows["accounts"] == 510
    assert not (tmp_path / "truth.parquet").exists()
    assert (tmp_path / "world.json").exists()


@pytest.mark.parametrize(
    ("accounts", "days", "seed", "said"),
    [(0, 7, 0, "accounts must be .* at least 1, got 0"),
     (5, 3, 0, "days must be .* at least 7, got 3"),
     (5, 7, -1, "seed must be .* at least 0, got -1")],
)  # fmt: skip
def test_numbers_too_small_are_an_error(accounts: int, days: int, seed: int, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        simulate("fr", accounts=accounts, days=days, seed=seed)


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    rank = pd.Series(score).rank().to_numpy()
    size = positive.sum()
    return float((rank[positive].sum() - size * (size + 1) / 2) / (size * (~positive).sum()))


def test_ids_order_and_exact_times_do_not_carry_the_label(
    simulated: Simulated, frame: pd.DataFrame
) -> None:
    labels = simulated.labels.to_pandas()
    accounts = labels.groupby("account_id")["in_household"].all().reset_index()
    first = frame.groupby("device_id").first()
    number = partial(int, base=16)
    tells = {
        "first digits of the device id": (labels["device_id"].str[:8].map(number), labels),
        "last digits of the device id": (labels["device_id"].str[8:].map(number), labels),
        "account id": (accounts["account_id"].str[:8].map(number), accounts),
        "row of the label": (labels.index.to_series(), labels),
        "millisecond": (first["started_at"].dt.microsecond, first),
        "second of the minute": (first["started_at"].dt.second, first),
    }
    for what, (score, rows) in tells.items():
        inside = rows["in_household"].to_numpy()
        error = np.sqrt(1 / 12 / min(inside.sum(), (~inside).sum()))
        found = auc(score.to_numpy(dtype=float), inside)
        assert found == pytest.approx(0.5, abs=3.5 * error), what


def test_rows_are_in_the_order_of_time(simulated: Simulated) -> None:
    times = simulated.sessions["started_at"].to_pandas()
    assert times.is_monotonic_increasing


def test_a_messy_log_loses_what_it_says_and_can_still_be_read() -> None:
    tables = simulate("messy", accounts=150, days=30, seed=3, truth=True)
    assert "profile_id" not in tables.sessions.column_names
    frame = tables.sessions.to_pandas()
    nulls = frame.isna().mean()
    assert nulls["asn"] == pytest.approx(0.15, abs=0.03)
    assert nulls["utc_offset_min"] == pytest.approx(0.4, abs=0.03)
    assert nulls["duration_s"] == pytest.approx(0.2, abs=0.03)
    assert nulls["device_type"] > 0.05
    read = read_sessions(tables.sessions)
    assert len(read) < len(frame), "doubled rows and useless addresses are rejected"
    assert len(read) > 0.9 * len(frame)


def test_labels_can_be_few_wrong_and_biased() -> None:
    inside = np.arange(20_000) % 5 > 0
    labels = pa.table({"device_id": np.arange(20_000).astype(str), "in_household": inside})
    few = biased_labels(labels, share=0.1, wrong=0.05, seed=1)
    assert few.num_rows == pytest.approx(2000, rel=0.1)
    truth = inside[few["device_id"].to_numpy().astype(int)]
    said = few["in_household"].to_numpy()
    assert (truth != said).mean() == pytest.approx(0.05, abs=0.015)
    assert truth.mean() < 0.65, "outsiders are looked at more often"
    assert few.equals(biased_labels(labels, share=0.1, wrong=0.05, seed=1))
    with pytest.raises(ParameterError, match=r"wrong must be a share, got 1\.5"):
        biased_labels(labels, wrong=1.5)


def test_simulated_levels_are_near_the_published_ones() -> None:
    tables = simulate("fr", accounts=150, days=90, seed=6, truth=True)
    frame = tables.sessions.to_pandas().merge(tables.labels.to_pandas())
    own = frame[frame["in_household"]]
    on_tv = ~own["device_type"].isin(["phone", "tablet", "computer"])
    assert on_tv.mean() == pytest.approx(0.55, abs=0.09)
    time_on_tv = own["duration_s"][on_tv].sum() / own["duration_s"].sum()
    assert time_on_tv == pytest.approx(0.75, abs=0.08)
    assert len(own) / 150 / 90 == pytest.approx(2.5, rel=0.25)
    levels = compare_levels(tables, 90).set_index("quantity")["simulated"]
    assert float(levels["minutes per play, TV"]) == pytest.approx(28.7, rel=0.05)
    assert float(levels["minutes per play, phone"]) == pytest.approx(8.6, rel=0.1)
    assert levels["plays from 0 to 6 h, %"] in {"13%", "14%", "15%", "16%", "17%"}


def test_large_accounts_reach_the_published_mess() -> None:
    tables = simulate("us", accounts=200, days=120, seed=2)
    table = compare_large_accounts(tables)
    spread = dict(zip(table["quantity"], table["simulated"].str.split(" / "), strict=True))
    low, _, high = (float(part) for part in spread["distinct ASNs in 142 rows"])
    assert low < 10 <= high + 1
    low, _, high = (float(part) for part in spread["distinct addresses in 142 rows"])
    assert low < 69 < high


def test_another_table_of_networks_can_be_given() -> None:
    table = NetworkTable.default()
    given = simulate("fr", accounts=20, days=7, seed=1, table=table)
    assert given.sessions.equals(simulate("fr", accounts=20, days=7, seed=1).sessions)
