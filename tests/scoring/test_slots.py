"""Paid slots, read from the accounts table in all the forms that people have."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from household_ml.errors import FormatError, SchemaError
from household_ml.scoring.slots import read_accounts, read_slots

DEVICES = pa.array(["a", "a", "b", "c"])


def test_a_missing_table_row_or_value_is_no_slot() -> None:
    accounts = pd.DataFrame({"account_id": ["a", "c"], "extra_members": [2, None]})
    assert read_slots(None, DEVICES).tolist() == [0, 0, 0, 0]
    assert read_slots(accounts, DEVICES).tolist() == [2, 2, 0, 0]
    assert read_slots(accounts[["account_id"]], DEVICES).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".arrow"])
def test_files(tmp_path: Path, suffix: str) -> None:
    accounts = pd.DataFrame({"account_id": ["01", "1"], "extra_members": [1, 2]})
    path = tmp_path / f"accounts{suffix}"
    if suffix == ".csv":
        accounts.to_csv(path, index=False)
    elif suffix == ".parquet":
        accounts.to_parquet(path)
    else:
        accounts.to_feather(path)
    assert read_slots(path, pa.array(["1", "01"])).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("accounts", "match"),
    [
        ({"id": ["a"]}, "must have the column account_id, got the columns id"),
        ({"account_id": ["a", "a"]}, "once per account .* got 2 rows, 1 distinct"),
        ({"account_id": ["a"], "extra_members": [-1]}, "at least 0, got -1"),
        ({"account_id": ["a"], "extra_members": [0.5]}, "must be an integer of at least 0"),
        ({"account_id": ["a"], "extra_members": ["two"]}, "must be an integer of at least 0"),
    ],
)
def test_a_wrong_table_is_refused(accounts: dict[str, list[object]], match: str) -> None:
    with pytest.raises(SchemaError, match=match):
        read_accounts(pa.table(accounts))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="must be a Parquet, CSV or Arrow IPC file"):
        read_accounts(tmp_path / "none.parquet")
