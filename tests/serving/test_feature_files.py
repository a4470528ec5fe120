"""The feature table as a file is the feature table, however it was read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from household_ml.features import FEATURE_NAMES, build_features
from household_ml.networks import enrich
from household_ml.serving.feature_files import feature_schema, write_features
from household_ml.sessions import read_sessions


@pytest.mark.parametrize("chunk", [700, 10**9])
@pytest.mark.parametrize("given", [False, True])
def test_parts_give_the_features_that_are_built_at_once(
    sessions: pa.Table, tmp_path: Path, chunk: int, given: bool
) -> None:
    order = np.random.default_rng(1).permutation(sessions.num_rows)
    pq.write_table(sessions.take(pa.array(order)), tmp_path / "sessions.parquet")
    whole = read_sessions(sessions)
    moment = int(np.quantile(whole.started_at, 0.7)) if given else None
    networks = enrich(whole).statistics if given else None
    out = tmp_path / "features.parquet"
    summary = write_features(
        tmp_path / "sessions.parquet",
        out,
        networks=networks,
        as_of=moment,
        chunk_sessions=chunk,
        quiet=True,
    )
    expected = build_features(whole, statistics=networks, as_of=moment)
    found = pq.read_table(out)
    assert found.schema.equals(feature_schema())
    assert summary.devices == len(expected)
    assert found["device_id"].to_pylist() == expected.device_id.to_pylist()
    values = np.column_stack([found[name].to_numpy() for name in FEATURE_NAMES])
    assert np.array_equal(values, expected.values[:, : len(FEATURE_NAMES)], equal_nan=True)
    assert found["place"].to_pylist() == expected.place.tolist()
