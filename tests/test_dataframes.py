"""Tables go in from pandas, Polars or whatever hands out Arrow data, and come out for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from household_ml import HouseholdScorer, build_features, read_sessions
from household_ml.errors import FormatError
from household_ml.modeling.labels import align_labels
from household_ml.scoring.tables import open_table
from tests.properties.accounts import make_sessions


class HandsOutArrow:
    """A table of a library that nobody here knows: it has the Arrow C stream and nothing else."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def in_polars(table: pa.Table) -> Any:
    import polars as pl

    return pl.from_arrow(table)


LIBRARIES: dict[str, Callable[[pa.Table], Any]] = {
    "pandas": lambda table: table.to_pandas(),
    "arrow": lambda table: table,
    "arrow_batches": lambda table: table.to_reader(),
    "arrow_c_stream": HandsOutArrow,
    "polars": in_polars,
}


@pytest.fixture(scope="module")
def given() -> pa.Table:
    return read_sessions(make_sessions(5, accounts=4)).to_table()


@pytest.mark.parametrize("library", LIBRARIES)
def test_sessions_are_the_same_from_every_library(given: pa.Table, library: str) -> None:
    taken = read_sessions(LIBRARIES[library](given))
    assert taken.to_table().equals(read_sessions(given).to_table())


@pytest.mark.parametrize("library", LIBRARIES)
def test_accounts_and_labels_are_taken_too(given: pa.Table, library: str) -> None:
    make = LIBRARIES[library]
    features = build_features(read_sessions(given))
    labels = pa.table(
        {
            "account_id": features.account_id,
            "device_id": features.device_id,
            "in_household": pa.array(np.arange(len(features)) % 3 > 0),
        }
    )
    assert align_labels(features, make(labels)).y.tolist() == (
        align_labels(features, labels.to_pandas()).y.tolist()
    )
    accounts = pa.table({"account_id": ["a"], "extra_members": [1]})
    assert open_table(make(accounts), "accounts", text=["account_id"]).to_pylist() == (
        accounts.to_pylist()
    )


def test_scores_come_out_for_pandas_and_for_all_that_take_arrow(given: pa.Table) -> None:
    scorer = HouseholdScorer.load()
    table = scorer.score_table(given)
    assert isinstance(scorer.score(given), pd.DataFrame)
    assert pa.table(HandsOutArrow(table)).equals(table)


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(
        FormatError, match="the accounts table must be a DataFrame, an Arrow table o"
    ):
        open_table([1, 2], "accounts", text=[])  # type: ignore[arg-type]
