"""Sessions: their order, parts of them, and the way back to a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from household_ml.schema import SESSIONS
from household_ml.sessions import Sessions, parse_time, read_sessions
from tests.sessions.histories import NOW


@pytest.fixture
def table() -> pd.DataFrame:
    """Three accounts in no order, with ties and nulls."""
    rng = np.random.default_rng(7)
    size = 300
    minutes = pd.to_timedelta(rng.integers(0, 60 * 24 * 40, size) // 30 * 30, unit="min")
    return pd.DataFrame(
        {
            "account_id": rng.choice(["b", "a", "c"], size, p=[0.6, 0.35, 0.05]),
            "device_id": rng.choice(["tv", "phone", "tablet"], size),
            "started_at": pd.Timestamp("2026-01-10T00:00Z") + minutes,
            "duration_s": rng.choice([np.nan, 60.0, 1800.5], size),
            "ip": rng.choice(["90.1.2.3", "2a01:cb00::7", "::ffff:8.8.8.8"], size),
            "country": rng.choice(["FR", "US", None], size),
            "profile_id": rng.choice(["Kim", "Sam", None], size),
        }
    ).drop_duplicates()


@pytest.fixture
def sessions(table: pd.DataFrame) -> Sessions:
    return read_sessions(table, now=NOW)


def same(a: Sessions, b: Sessions) -> bool:
    return a.to_table().equals(b.to_table()) and all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("account_rows", "account_devices", "device", "profile", "ip_hi", "ip_lo")
    )


def test_rows_lie_by_account_then_by_time_then_by_device(sessions: Sessions) -> None:
    frame = sessions.to_frame()
    columns = ["account_id", "started_at", "device_id"]
    pd.testing.assert_frame_equal(frame[columns], frame[columns].sort_values(columns))
    assert list(frame.columns) == list(SESSIONS.names)


def test_offsets_and_numbers_agree_with_the_ids(table: pd.DataFrame, sessions: Sessions) -> None:
    accounts = table.groupby("account_id")
    assert sessions.account_id.to_pylist() == sorted(accounts.groups)
    assert np.diff(sessions.account_rows).tolist() == accounts.size().tolist()
    devices = (
        table[["account_id", "device_id"]]
        .drop_duplicates()
        .sort_values(["account_id", "device_id"])
    )
    assert sessions.device_id.to_pylist() == devices["device_id"].tolist()
    assert sessions.device_account().tolist() == np.repeat(
        range(3), devices.groupby("account_id").size()
    ).tolist()  # fmt: skip
    assert (sessions.n_accounts, sessions.n_devices, len(sessions)) == (3, len(devices), len(table))


def test_reading_the_table_again_gives_the_same_sessions(sessions: Sessions) -> None:
    assert same(read_sessions(sessions.to_table(), now=NOW), sessions)
    assert same(read_sessions(sessions.to_frame(), now=NOW), sessions)


def test_until_is_as_if_nothing_later_had_been_read(
    table: pd.DataFrame, sessions: Sessions
) -> None:
    as_of = pd.Timestamp("2026-01-12T09:30Z")
    part = sessions.until(parse_time(as_of.isoformat()))
    assert same(part, read_sessions(table[table["started_at"] <= as_of], now=NOW))


def test_since_is_as_if_nothing_earlier_had_been_read(
    table: pd.DataFrame, sessions: Sessions
) -> None:
    first = pd.Timestamp("2026-02-15T00:00Z")
    part = sessions.since(parse_time(first.isoformat()))
    assert same(part, read_sessions(table[table["started_at"] >= first], now=NOW))


def test_accounts_taken_are_as_if_alone(table: pd.DataFrame, sessions: Sessions) -> None:
    alone = read_sessions(table[table["account_id"] != "b"], now=NOW)
    assert same(sessions.take_accounts(np.array([2, 0])), alone)
    assert same(sessions.take_accounts(np.array([True, False, True])), alone)
    neighbours = read_sessions(table[table["account_id"] != "a"], now=NOW)
    assert same(sessions.take_accounts(np.array([2, 1])), neighbours)


def test_until_the_end_is_everything_and_before_the_start_nothing(sessions: Sessions) -> None:
    assert sessions.until(sessions.last_started_at()) is sessions
    nothing = sessions.until(0)
    assert (len(nothing), nothing.n_accounts, nothing.n_devices) == (0, 0, 0)
    assert repr(nothing) == "<Sessions: 0 rows, 0 accounts, 0 devices>"
    assert nothing.to_frame().empty


def test_the_offset_is_resolved_from_the_country(sessions: Sessions) -> None:
    frame = sessions.to_frame()
    winter = {"FR": 60, "US": -300}
    expected = frame["country"].map(winter).fillna(0)
    assert frame["utc_offset_min"].tolist() == expected.tolist()


def test_a_name_of_a_device_belongs_to_its_account() -> None:
    rows = {
        "device_id": ["tv", "tv"],
        "started_at": ["2026-03-01T20:00Z"] * 2,
        "ip": ["8.8.8.8"] * 2,
    }
    sessions = read_sessions(pd.DataFrame({"account_id": ["b", "a"]} | rows), now=NOW)
    assert sessions.device_id.to_pylist() == ["tv", "tv"]
    assert sessions.device.tolist() == [0, 0]


def test_large_inputs_are_ordered_in_threads_as_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    size = 60_000
    rows = pd.DataFrame(
        {
            "account_id": rng.integers(0, 900, size).astype(str),
            "device_id": rng.integers(0, 4, size).astype(str),
            "started_at": pd.to_datetime(
                rng.integers(1_760_000_000, 1_760_900_000, size), unit="s"
            ),
            "ip": "8.8.8.8",
        }
    )
    rows["ip"] = "8.8.8." + (rows["account_id"].astype(int) % 200).astype(str)
    threaded = read_sessions(rows, now=NOW)
    monkeypatch.setenv("HOUSEHOLD_ML_THREADS", "1")
    assert same(read_sessions(rows, now=NOW), threaded)
    columns = ["account_id", "started_at", "device_id"]
    frame = threaded.to_frame()[columns]
    pd.testing.assert_frame_equal(frame, frame.sort_values(columns))
