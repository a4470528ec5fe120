"""Erasing and expiring: what goes, what stays, and what is left alone."""

from __future__ import annotations

import csv
import os
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from household_ml.errors import ParameterError
from household_ml.networks import NetworkStatistics, enrich
from household_ml.serving.journal import Journal
from household_ml.serving.retention import ACCOUNT_META, erase, expire
from household_ml.sessions import read_sessions
from household_ml.sessions.reading import REJECTED_SCHEMA
from tests.properties.accounts import make_sessions

DAY = 86_400_000_000
LONG_AGO = 1_000_000_000  # seconds since 1970


def moment(text: str) -> int:
    return pd.Timestamp(text, tz="UTC").value // 1000


def write(path: Path, table: pa.Table) -> Path:
    (pa_csv.write_csv if path.suffix == ".csv" else pq.write_table)(table, path)
    return path


def rows(path: Path) -> list[dict[str, object]]:
    read = pa_csv.read_csv if path.suffix == ".csv" else pq.read_table
    return read(path).to_pylist()


def cells(path: Path) -> list[object]:
    """Header and rows, of a CSV as they are written."""
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return list(csv.reader(file))
    return [pq.read_schema(path), *rows(path)]


SCORES = pa.table(
    {
        "account_id": ["007", "007", "8", "8"],
        "device_id": ["tv", "phone", "tv", None],
        "as_of": pa.array(
            [moment(text) for text in ("2026-01-01", "2026-02-01", "2026-01-01", "2026-03-01")],
            pa.timestamp("us", tz="UTC"),
        ),
        "reasons": ["a, b", 'said "no"', "line\nbreak", ""],
    }
)


@pytest.mark.parametrize("name", ["scores.parquet", "scores.csv"])
def test_the_rows_of_an_account_go_and_the_others_stay_as_they_were(
    tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / name, SCORES)
    before = cells(path)
    (change,) = erase([tmp_path], {"007"})

    assert (change.path, change.removed, change.kept) == (path, 2, 2)
    assert cells(path) == [before[0], *before[3:]]
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_one_device_of_an_account(tmp_path: Path) -> None:
    path = write(tmp_path / "scores.parquet", SCORES)
    (change,) = erase([path], {"8"}, devices={"tv"})

    assert (change.removed, change.kept) == (1, 3)
    assert {(row["account_id"], row["device_id"]) for row in rows(path)} == {
        ("007", "tv"),
        ("007", "phone"),
        ("8", None),
    }


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "scores.parquet", SCORES)
    before = path.read_bytes()

    assert [change.removed for change in erase([path], {"007"}, dry_run=True)] == [2]
    assert [change.removed for change in expire([path], 2**62, dry_run=True)] == [4]
    assert path.read_bytes() == before


def test_a_file_without_the_account_is_not_written_again(tmp_path: Path) -> None:
    path = write(tmp_path / "scores.parquet", SCORES)
    os.utime(path, (LONG_AGO, LONG_AGO))
    (change,) = erase([path], {"nobody"})

    assert (change.removed, change.kept) == (0, 4)
    assert path.stat().st_mtime == LONG_AGO


def test_a_link_leads_to_the_file_that_is_rewritten(tmp_path: Path) -> None:
    path = write(tmp_path / "scores.parquet", SCORES)
    (tmp_path / "latest.parquet").symlink_to(path)
    changes = list(erase([tmp_path], {"007"}))

    assert [change.path for change in changes] == [path]
    assert len(rows(path)) == 2


def test_a_report_about_the_account_goes_and_other_pages_stay(tmp_path: Path) -> None:
    for name, account in (("one", "007"), ("other", "8")):
        page = f'<head><meta name="{ACCOUNT_META}" content="{account}"></head>'
        (tmp_path / f"{name}.html").write_text(page)
    (tmp_path / "model.html").write_text("<head></head>")
    changes = {change.path.name: change for change in erase([tmp_path], {"007"})}

    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.html", "other.html"]
    assert changes["one.html"].removed == 1
    assert changes["model.html"].note == "a page that shows no account"


def test_a_report_that_shows_several_accounts_goes_with_any_of_them(tmp_path: Path) -> None:
    shown = "".join(f'<meta name="{ACCOUNT_META}" content="{each}">' for each in ("7", "A &amp; B"))
    (tmp_path / "model.html").write_text(f"<head>{shown}</head>")

    assert [change.removed for change in erase([tmp_path], {"A &amp; B"})] == [0]
    assert [change.removed for change in erase([tmp_path], {"A & B"}, dry_run=True)] == [1]
    assert [change.removed for change in erase([tmp_path], {"7"})] == [1]
    assert not list(tmp_path.iterdir())


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """What a batch that was killed has left of its output."""
    with Journal(tmp_path / "scores.parquet", {"input": "sessions"}) as journal:
        journal.save(parts=1)
        journal.path("part", 1).write_bytes(b"rows of somebody")
    return journal.folder


def test_what_an_interrupted_batch_has_kept_is_removed_whole(interrupted: Path) -> None:
    beside = interrupted.parent
    (change,) = erase([beside], {"007"}, dry_run=True)
    assert (change.path, change.removed) == (interrupted, 1)
    assert interrupted.is_dir()
    assert [each.removed for each in expire([beside], LONG_AGO * 10**6)] == [0]
    assert [each.removed for each in erase([beside], {"007"})] == [1]
    assert not interrupted.exists()


def test_a_batch_under_way_is_left_alone_and_told(interrupted: Path) -> None:
    with Journal(interrupted.parent / "scores.parquet", {"input": "sessions"}):
        (change,) = erase([interrupted.parent], {"007"})
        assert (change.removed, change.kept) == (0, 1)
        assert "under way" in change.note
    assert [each.removed for each in expire([interrupted.parent], 2**62)] == [1]


def test_what_has_a_way_of_its_own_is_named(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "audit.db").execute("VACUUM").connection.close()
    (tmp_path / ".scores.parquet.7.part").write_bytes(b"PAR1")
    for changes in (erase([tmp_path], {"007"}), expire([tmp_path], 2**62)):
        notes = {change.path.name: change.note for change in changes}
        assert "household-ml audit erase" in notes["audit.db"]
        assert "an unfinished file" in notes[".scores.parquet.7.part"]


def test_what_is_no_table_is_left_alone_and_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("007")
    write(tmp_path / "prices.parquet", pa.table({"price": [1]}))
    changes = [*erase([tmp_path], {"007"}), *expire([tmp_path], 2**62)]

    assert {change.removed for change in changes} == {0}
    assert all(change.note for change in changes)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["scores.parquet", "scores.csv"])
def test_rows_expire_by_their_time(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, SCORES)
    (change,) = expire([path], moment("2026-02-01"))

    assert (change.removed, change.kept) == (2, 2)
    assert [row["reasons"] or "" for row in rows(path)] == ['said "no"', ""]


def test_a_table_that_is_left_empty_is_removed(tmp_path: Path) -> None:
    path = write(tmp_path / "scores.parquet", SCORES)
    (change,) = expire([path], 2**62)

    assert (change.removed, change.note) == (4, "the file is removed")
    assert not path.exists()


def test_networks_expire_by_their_last_session(tmp_path: Path) -> None:
    statistics = enrich(read_sessions(make_sessions(3))).statistics
    path = tmp_path / "networks.parquet"
    statistics.save(path)
    before = statistics.last_seen - 10 * DAY
    named = [change.note for change in erase([path], {"account0"})]
    (change,) = expire([path], before)
    left = NetworkStatistics.load(path)

    assert named == ["counts of networks, which name no account"]
    assert change.removed + change.kept == len(statistics)
    assert 0 < change.kept == len(left) < len(statistics)
    assert left.counts[:, -1].min() >= before
    survivors = statistics.counts[:, -1] >= before
    np.testing.assert_array_equal(left.key, statistics.key[survivors])
    np.testing.assert_array_equal(left.starts[-1], survivors.sum())
    assert [
        np.all(np.diff(left.key[start:end].astype(np.float64)) > 0)
        for start, end in zip(left.starts[:-1], left.starts[1:], strict=True)
    ] == [True] * 4


def test_rejected_rows_and_reports_expire_with_their_file(tmp_path: Path) -> None:
    write(tmp_path / "rejected.csv", REJECTED_SCHEMA.empty_table())
    write(tmp_path / "rejected.parquet", REJECTED_SCHEMA.empty_table())
    (tmp_path / "one.html").write_text(f'<meta name="{ACCOUNT_META}" content="a">')
    assert sum(change.removed for change in expire([tmp_path], LONG_AGO * 10**6)) == 0
    for path in tmp_path.iterdir():
        os.utime(path, (LONG_AGO - 1, LONG_AGO - 1))
    assert sum(change.removed for change in expire([tmp_path], LONG_AGO * 10**6)) == 3
    assert not list(tmp_path.iterdir())


def test_a_missing_path_and_no_account_are_told(tmp_path: Path) -> None:
    with pytest.raises(
        ParameterError, match=r"each path must be a file or folder, got '.*nowhere'"
    ):
        list(erase([tmp_path / "nowhere"], {"a"}))
    with pytest.raises(ParameterError, match="accounts must name one account, got none"):
        list(erase([tmp_path], set()))
