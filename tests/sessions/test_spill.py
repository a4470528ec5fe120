"""Rows on disk: whatever the input, its partitions together are what reading at once gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from household_ml.errors import FormatError
from household_ml.sessions import intake, pieces, read_sessions
from household_ml.sessions.spill import SpillFile, columns_of
from tests.sessions.histories import NOW, frame
from tests.sessions.spilled import columns, read_back, take_in

IPS = ["90.1.2.3", "2a01:e0a:1:2::3", "::ffff:90.1.2.3", "10.0.0.1", "nowhere", None, ""]


def messy(seed: int, rows: int) -> pd.DataFrame:
    """Rows of few accounts, in no order, with everything that can be wrong with them."""
    rng = np.random.default_rng(seed)

    def some(values: list[Any]) -> list[Any]:
        return [values[i] for i in rng.integers(0, len(values), rows)]

    minute = rng.integers(0, 60 * 24 * 20, rows)
    start = pd.Timestamp("2026-02-01T00:00Z")
    return pd.DataFrame(
        {
            "account_id": some(
                ["a", "ab", "account-1", "account-10", "é", "z", None, " ", "\u00a0"]
            ),
            "device_id": some(["tv", "phone", "a rather long name of a device", "", None, "7"]),
            "started_at": [
                (start + pd.Timedelta(minutes=int(m))).isoformat() if m % 17 else "soon"
                for m in minute
            ],
            "ip": some([*IPS[:3] * 4, *IPS[3:]]),
            "duration_s": some(["60", "3600.5", "", "-1"]),
            "device_type": some(["tv", "phone", "TV", "fridge", ""]),
            "country": some(["FR", "de", "", "Frankreich"]),
            "utc_offset_min": some(["60", "", "soon"]),
            "asn": some(["AS3215", "", "", ""]),
            "profile_id": some(["p", "q", "", "kids", None]),
        }
    )


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut so finely that a few hundred rows are many batches, chunks and pieces."""
    monkeypatch.setattr(pieces, "BATCH_ROWS", 16)
    monkeypatch.setattr(intake, "BATCH_ROWS", 16)
    monkeypatch.setattr(pieces, "PIECE_ROWS", 60)
    monkeypatch.setattr(intake, "CHUNK_ROWS", 40)


def rejected_rows(table: pa.Table) -> list[tuple[Any, ...]]:
    named = table.select(["source", "row", "reason", "value"]).to_pylist() if len(table) else []
    return sorted(tuple(map(str, row.values())) for row in named)


def check(source: Path, folder: Path, partitions: int) -> None:
    """Hold what was spilled against what is read at once: rows, ids, order and rejected rows."""
    folder.mkdir()
    files, rejected = take_in(source, folder, partitions)
    found = read_back(files)
    whole = read_sessions(source, now=NOW)
    assert columns(*(each.sessions for each in found)) == columns(whole)
    repeats = sum(len(each.repeats) for each in found)
    used = sum(len(each.sessions) for each in found)
    rows_in = sum(file.about["rows_in"] for file in files)
    assert used + repeats + len(rejected) == rows_in == whole.reading.rows_in
    reasons = whole.reading.rejected_by_reason
    assert repeats == reasons.get("duplicate", 0)
    known = whole.reading.rejected.filter(
        pa.array(np.asarray(whole.reading.rejected["reason"]) != "duplicate")
    )
    assert rejected_rows(rejected) == rejected_rows(known)


@given(seed=st.integers(0, 2**32 - 1), partitions=st.integers(1, 9))
def test_partitions_together_are_the_sessions_that_reading_at_once_gives(
    tmp_path_factory: pytest.TempPathFactory, seed: int, partitions: int
) -> None:
    folder = tmp_path_factory.mktemp("spill")
    with pytest.MonkeyPatch.context() as patch:
        small(patch)
        messy(seed, 300).to_parquet(folder / "rows.parquet", row_group_size=23)
        check(folder / "rows.parquet", folder / "spilled", partitions)


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "arrow", "folder"])
def test_so_they_are_whatever_the_kind_of_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    small(monkeypatch)
    table = messy(3, 400)
    source = tmp_path / f"rows.{suffix}"
    if suffix == "arrow":
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        with pa.ipc.new_file(source, arrow.schema) as writer:
            writer.write_table(arrow, max_chunksize=70)
    elif suffix == "folder":
        source.mkdir()
        table[:150].to_csv(source / "a.csv", index=False)
        table[100:300].to_parquet(source / "b.parquet", row_group_size=30)
        table[300:].drop(columns=["profile_id", "asn"]).to_csv(source / "c.csv", index=False)
    else:
        table.to_csv(source, index=False)
    check(source, tmp_path / "spilled", 4)


def test_damaged_lines_and_empty_ones_keep_the_numbers_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch)
    lines = messy(5, 200).to_csv(index=False).splitlines()
    lines[7] = "one,two"
    lines[90] = ""
    lines[120] += ",,,more"
    lines[150] = lines[150].replace("account-1", '"account\n-1"')
    (tmp_path / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    check(tmp_path / "rows.csv", tmp_path / "spilled", 3)


def test_ids_that_are_numbers_and_words_as_dictionaries_are_read_as_elsewhere(
    tmp_path: Path,
) -> None:
    table = pa.table(
        {
            "account_id": pa.array([7, 12, 7, None], pa.int64()),
            "device_id": pa.array(["x", "x", "y", "x"]).dictionary_encode(),
            "started_at": pa.array([10**9 * 1_700_000_000] * 4, pa.timestamp("ns")),
            "ip": pa.array(["90.1.2.3"] * 4, pa.string_view()),
            "device_type": pa.array(["tv", None, "phone", "tv"]).dictionary_encode(),
        }
    )
    with pa.ipc.new_stream(tmp_path / "rows.arrow", table.schema) as writer:
        writer.write_table(table)
    check(tmp_path / "rows.arrow", tmp_path / "spilled", 2)


def test_a_row_that_repeats_another_is_told_with_the_place_of_the_first(tmp_path: Path) -> None:
    rows = frame({}, {}, {})
    twice = pd.concat([rows, rows[1:2]])
    twice.to_parquet(tmp_path / "rows.parquet")
    files, _ = take_in(tmp_path / "rows.parquet", tmp_path, 1)
    found = read_back(files)[0]
    assert (found.repeats.tolist(), found.repeated.tolist()) == ([4], [2])


def test_input_in_order_is_not_sorted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch)
    ordered = messy(8, 300).dropna().sort_values(["account_id", "started_at"])
    ordered.drop_duplicates(["account_id", "started_at"]).to_parquet(tmp_path / "rows.parquet")
    files, _ = take_in(tmp_path / "rows.parquet", tmp_path, 3)

    def moved(*given: object) -> None:
        raise AssertionError("rows were moved")

    monkeypatch.setattr("household_ml.sessions.partition._gather", moved)
    assert sum(len(each.sessions) for each in read_back(files)) > 50


def test_a_damaged_page_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pandas(messy(1, 5_000)), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[len(content) // 4 : len(content) // 2] = bytes(len(content) // 4)
    path.write_bytes(content)
    folder = tmp_path / "spilled"
    folder.mkdir()
    with pytest.raises(FormatError, match="must be a whole Parquet file"):
        take_in(path, folder, 2)
    assert list(folder.iterdir()) == []


def test_a_spill_file_that_was_cut_off_is_noticed(tmp_path: Path) -> None:
    frame({}, {}).to_parquet(tmp_path / "rows.parquet")
    take_in(tmp_path / "rows.parquet", tmp_path, 1)
    whole = (tmp_path / "0.rows").read_bytes()
    (tmp_path / "0.rows").write_bytes(whole[:-9])
    with pytest.raises(OSError, match="is no whole spill file"):
        SpillFile(tmp_path / "0.rows")


def test_columns_lie_on_multiples_of_their_width() -> None:
    names = ("account_id", "device_id", "started_at", "ip", "profile_id", "asn", "country")
    widths = [np.dtype(intake_type).itemsize for intake_type in map(kind_of, columns_of(names))]
    assert widths == sorted(widths, reverse=True)


def kind_of(column: str) -> Any:
    from household_ml.sessions.spill import COLUMNS

    return COLUMNS[column]
