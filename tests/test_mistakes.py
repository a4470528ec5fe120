"""The mistakes that people are most likely to make, and what each of them is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from household_ml import HouseholdScorer, build_features, read_sessions
from household_ml.cli import household_ml
from household_ml.errors import (
    FormatError,
    LabelsError,
    ModelNotFoundError,
    NoSessionsError,
    ParameterError,
    SchemaError,
)
from household_ml.modeling.labels import align_labels
from household_ml.sessions import SessionsWarning
from household_ml.sessions.advice import REMEDIES
from household_ml.sessions.validation import REASONS


@pytest.fixture
def frame() -> pd.DataFrame:
    """Sixty sessions of one account, as they should be."""
    return pd.DataFrame(
        {
            "account_id": "a",
            "device_id": ["tv", "phone", "laptop"] * 20,
            "started_at": pd.date_range("2026-03-01T20:00Z", periods=60, freq="11h").astype(str),
            "duration_s": 1800.0,
            "ip": ["82.64.0.1", "82.64.0.2"] * 30,
            "country": "US",
        }
    )


def accounts(frame: pd.DataFrame, count: int) -> pd.DataFrame:
    """The same history for many accounts, each on addresses of its own."""
    return pd.concat(
        [frame.assign(account_id=f"a{number}", ip=f"82.64.{number}.1") for number in range(count)],
        ignore_index=True,
    )


def test_as_it_should_be_nothing_is_told(frame: pd.DataFrame) -> None:
    assert read_sessions(frame).reading.notes == ()
    assert read_sessions(accounts(frame, 60)).reading.notes == ()


def test_1_columns_with_other_names(frame: pd.DataFrame) -> None:
    given = frame.rename(columns={"account_id": "User ID", "started_at": "ts", "ip": "IP_Address"})
    with pytest.raises(
        SchemaError, match=r"Did you mean 'User ID'.* Rename it to 'account_id'"
    ) as e:
        read_sessions(given)
    assert "Did you mean 'ts'? Rename it to 'started_at'." in str(e.value)
    assert len(e.value.problems) == 3


def test_2_local_times_without_their_zone(frame: pd.DataFrame) -> None:
    local = frame.assign(started_at=frame.started_at.str.slice(0, 19))
    with pytest.warns(SessionsWarning, match=r"names no zone and is read as UTC.*-06:00"):
        assert len(read_sessions(local).reading.notes) == 1
    assert read_sessions(local.drop(columns="country")).reading.notes == ()


def test_3_one_account_per_file(frame: pd.DataFrame, tmp_path: Path) -> None:
    for name in ("anna", "ben"):
        frame.drop(columns="account_id").to_csv(tmp_path / f"{name}.csv", index=False)
    with pytest.raises(SchemaError, match="the name of the file may be its value"):
        read_sessions(tmp_path)


def test_4_labels_that_match_no_device(frame: pd.DataFrame) -> None:
    labels = pd.DataFrame({"account_id": ["crm-1"], "device_id": ["tv"], "in_household": [True]})
    with pytest.raises(
        LabelsError, match="labels must be of devices that have sessions, got 1 lab"
    ):
        align_labels(build_features(read_sessions(frame)), labels)


def test_5_seconds_since_1970_as_plain_numbers(frame: pd.DataFrame) -> None:
    with pytest.raises(SchemaError, match="seconds and milliseconds cannot be told apart"):
        read_sessions(frame.assign(started_at=np.arange(60) + 1_770_000_000))


def test_6_dates_in_local_order(frame: pd.DataFrame) -> None:
    with pytest.raises(NoSessionsError, match="Write times as ISO 8601, such as 2026-03-01T20:00"):
        read_sessions(frame.assign(started_at="28/03/2026 20:00"))


def test_7_the_address_of_ones_own_proxy(frame: pd.DataFrame) -> None:
    with pytest.raises(NoSessionsError, match=r"not of your own proxy.*X-Forwarded-For"):
        read_sessions(frame.assign(ip="10.0.0.7"))
    with pytest.warns(
        SessionsWarning, match="one address is used by 60 of 60 accounts: ip may hol"
    ):
        read_sessions(accounts(frame, 60).assign(ip="82.64.0.7"))


def test_8_addresses_that_were_digested(frame: pd.DataFrame) -> None:
    with pytest.raises(
        NoSessionsError, match="prefix-preserving pseudonyms, as household-ml anony"
    ):
        read_sessions(frame.assign(ip="9f86d081884c7d65"))


def test_9_ids_of_sessions_for_ids_of_accounts(frame: pd.DataFrame) -> None:
    with pytest.warns(SessionsWarning, match="account_id may hold the id of a session"):
        read_sessions(frame.assign(account_id=[f"s{number}" for number in range(60)]))


def test_10_milliseconds_of_duration(frame: pd.DataFrame) -> None:
    with pytest.warns(SessionsWarning, match="half of the sessions last over 500 hours: duration"):
        read_sessions(frame.assign(duration_s=1_800_000.0))


def test_11_a_moment_before_all_sessions(frame: pd.DataFrame) -> None:
    scorer = HouseholdScorer.load()
    with pytest.raises(NoSessionsError, match="Give a later as_of"):
        scorer.score(frame, as_of="2020-01-01")
    with pytest.raises(ParameterError, match="a time must be ISO 8601"):
        scorer.score(frame, as_of="yesterday")


def test_12_an_accounts_table_of_another_system(frame: pd.DataFrame) -> None:
    table = pd.DataFrame({"customer": ["a"], "extra_members": [1]})
    with pytest.raises(SchemaError, match="the accounts table must have the column account_id"):
        HouseholdScorer.load().score(frame, accounts=table)


def test_13_paths_with_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="Name the folder that household-ml train wrote"):
        HouseholdScorer.load(tmp_path / "model")
    with pytest.raises(FormatError, match="the data must be a folder with sessions and labels"):
        household_ml.main(["evaluate", "--data", str(tmp_path / "no")], standalone_mode=False)


def test_14_tables_with_semicolons_are_simply_read(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "semicolons.csv", sep=";", index=False)
    assert len(read_sessions(tmp_path / "semicolons.csv")) == len(frame)


def test_every_reason_that_may_empty_a_table_has_its_remedy() -> None:
    assert set(REMEDIES) == set(REASONS) - {"login_failed", "duplicate"}
    assert all(text.endswith(".") for text in REMEDIES.values())
