"""Reading: every container and kind of file, names of columns, messages."""

from __future__ import annotations

import gzip
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from household_ml.errors import (
    FormatError,
    InputError,
    NoSessionsError,
    ParameterError,
    SchemaError,
)
from household_ml.sessions import Sessions, SessionsWarning, read_sessions
from tests.sessions.histories import NOW, frame

TABLE = frame({"duration_s": 60.0}, {"duration_s": None, "device_id": "phone"}, {"ip": "?"})


def read(source: Any, **options: Any) -> Sessions:
    return read_sessions(source, now=NOW, **options)


def table() -> pa.Table:
    return pa.Table.from_pandas(TABLE, preserve_index=False)


def parquet(path: Path) -> Path:
    pq.write_table(table(), path)
    return path


def csv(path: Path, **options: Any) -> Path:
    TABLE.to_csv(path, index=False, **options)
    return path


def arrow_file(path: Path) -> Path:
    with pa.ipc.new_file(path, table().schema) as writer:
        writer.write_table(table())
    return path


def arrow_stream(path: Path) -> Path:
    with pa.ipc.new_stream(path, table().schema) as writer:
        writer.write_table(table())
    return path


def zipped(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inside/sessions.csv", TABLE.to_csv(index=False))
    return path


def gzipped(path: Path) -> Path:
    path.write_bytes(gzip.compress(TABLE.to_csv(index=False).encode()))
    return path


def excel_csv(path: Path) -> Path:
    return csv(path, sep=";", encoding="utf-8-sig")


WRITERS: list[Callable[[Path], Path]] = [
    *(parquet, csv, arrow_file, arrow_stream, zipped, gzipped, excel_csv)
]


@pytest.mark.parametrize("write", WRITERS)
def test_every_kind_of_file_is_known_by_content(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    sessions = read(write(tmp_path / "no_suffix"))
    assert sessions.to_table().equals(read(TABLE).to_table())
    [rejected] = sessions.reading.rejected.to_pylist()
    first = 2 if "csv" in write.__name__ or "zip" in write.__name__ else 1
    assert (rejected["row"], rejected["reason"]) == (first + 2, "ip_invalid")
    assert rejected["source"].startswith(str(tmp_path))


@pytest.mark.parametrize(
    "source", [TABLE, table(), table().to_batches()[0], TABLE.astype({"account_id": "category"})]
)
def test_tables_in_memory(source: Any) -> None:
    assert read(source).to_table().equals(read(TABLE).to_table())


def test_a_folder_a_glob_and_a_zip_are_read_whole(tmp_path: Path) -> None:
    inside = tmp_path / "day=1"
    inside.mkdir()
    pq.write_table(table().slice(0, 1).drop_columns("duration_s"), inside / "a.parquet")
    TABLE.iloc[1:].to_csv(tmp_path / "b.csv", index=False)
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".b.csv.crc").write_bytes(b"\0")
    with zipfile.ZipFile(tmp_path.with_suffix(".zip"), "w") as archive:
        for path in (inside / "a.parquet", tmp_path / "b.csv"):
            archive.write(path, path.relative_to(tmp_path))
    for source in (tmp_path, f"{tmp_path}/**/*.*", tmp_path.with_suffix(".zip")):
        sessions = read(source)
        assert (len(sessions), sessions.reading.rows_in) == (2, 3)
        assert {Path(name).name for name in sessions.reading.sources} == {"a.parquet", "b.csv"}
        assert sessions.reading.rejected["row"].to_pylist() == [3]


def test_other_tables_beside_sessions_are_left_alone(tmp_path: Path) -> None:
    parquet(tmp_path / "sessions.parquet")
    labels = pd.DataFrame({"account_id": ["a"], "device_id": ["tv"], "in_household": [True]})
    labels.to_parquet(tmp_path / "labels.parquet")
    (tmp_path / "README.md").write_text("about, these\n")
    sessions = read(tmp_path)
    assert len(sessions) == 2
    [note] = sessions.reading.notes
    assert note.startswith("not sessions, not read: ")
    assert "labels.parquet" in note
    assert "README.md" in note


def test_a_file_that_was_meant_as_sessions_is_never_left_out(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet")
    TABLE.rename(columns={"account_id": "accountId"}).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(SchemaError, match=r"b\.csv must have the column 'account_id'"):
        read(tmp_path)


def test_all_missing_columns_are_told_with_what_was_probably_meant() -> None:
    wrong = TABLE.rename(columns={"account_id": "accountId", "started_at": "start_time"})
    with pytest.raises(SchemaError) as caught:
        read(wrong.drop(columns="device_id"))
    assert [str(problem) for problem in caught.value.problems] == [
        "DataFrame must have the column 'account_id', got accountId, duration_s, ip, start_time. "
        "Did you mean 'accountId'? Rename it to 'account_id'.",
        "DataFrame must have the column 'device_id', got accountId, duration_s, ip, start_time. "
        "Add it: a stable id of each device within its account.",
        "DataFrame must have the column 'started_at', got accountId, duration_s, ip, start_time. "
        "Did you mean 'start_time'? Rename it to 'started_at'.",
    ]


def test_all_wrong_types_are_told_together() -> None:
    wrong = TABLE.assign(started_at=1_772_395_200, account_id=1.5)
    with pytest.raises(SchemaError) as caught:
        read(wrong)
    assert [str(problem) for problem in caught.value.problems] == [
        "column 'account_id' must be text or whole numbers, got double. "
        "Cast the ids to text: other types lose digits.",
        "column 'started_at' must be a timestamp or ISO 8601 text, got int64. "
        "Cast it to a timestamp: seconds and milliseconds cannot be told apart in a plain number.",
    ]


def test_a_column_of_mixed_types_is_told() -> None:
    with pytest.raises(SchemaError, match="column 'ip' must hold values of one type"):
        read(TABLE.assign(ip=["8.8.8.8", 7, {}]))


def test_unknown_columns_are_ignored_with_one_warning() -> None:
    extra = TABLE.assign(title="x", duration=1.0).drop(columns="duration_s")
    with pytest.warns(SessionsWarning) as caught:
        sessions = read(extra)
    told = (
        "columns that the sessions table does not know are ignored: "
        "'duration' (did you mean 'duration_s'?), 'title'"
    )
    assert [str(warning.message) for warning in caught] == [told]
    assert sessions.reading.notes == (told,)
    assert caught[0].filename == __file__


def test_columns_are_found_by_name_in_any_order() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backwards = read(TABLE[TABLE.columns[::-1]])
    assert backwards.to_table().equals(read(TABLE).to_table())


def test_a_csv_row_of_another_length_is_rejected_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    lines = [
        "account_id,device_id,started_at,ip",
        "a,tv,2026-03-01T20:00Z,8.8.8.8",
        "a,tv,2026-03-01T20:00Z",
        "",
        "a,tv,2026-03-01T20:01Z,8.8.8.8",
        "a,tv,2026-03-01T20:02Z,8.8.8.8,9",
        "a,tv,soon,8.8.8.8",
        "",
    ]
    path.write_text("\n".join(lines) + "\n")
    sessions = read(path)
    rejected = sessions.reading.rejected.drop_columns("source").to_pylist()
    assert rejected == [
        {"row": 3, "reason": "row_damaged", "value": "a,tv,2026-03-01T20:00Z"},
        {"row": 6, "reason": "row_damaged", "value": "a,tv,2026-03-01T20:02Z,8.8.8.8,9"},
        {"row": 7, "reason": "started_at_invalid", "value": "soon"},
    ]
    assert (sessions.reading.rows_in, len(sessions)) == (5, 2)


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    path = csv(tmp_path / "s.csv")
    path.write_text(path.read_text().replace("\n", "\n\n"))
    reading = read(path).reading
    assert (reading.rows_in, reading.rejected["row"].to_pylist()) == (3, [7])


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_rejected_rows_are_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"rejected{suffix}"
    sessions = read(TABLE, rejected=path)
    written = pd.read_parquet(path) if suffix == ".parquet" else pd.read_csv(path)
    assert written.to_dict("list") == sessions.reading.rejected.to_pydict()


def test_rejected_rows_go_to_parquet_or_csv() -> None:
    with pytest.raises(ParameterError, match=r"must end in \.parquet or \.csv, got 'r\.xlsx'"):
        read(TABLE, rejected="r.xlsx")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PAR1 and no more", "must be a whole Parquet file"),
        (b"ARROW1\0\0 and no more", "must be a whole Arrow file"),
        (b"PK\x03\x04 and no more", "must be a whole zip archive"),
        (b"", r"must be in a format that is recognised.*\(empty\)"),
        (b"%PDF-1.7", r"must be in a format that is recognised.*\(other\)"),
        (b"title,year\nx,1\n", "got .* with the columns title, year"),
        ("account_id,ip".encode("utf-16"), "must be UTF-8 text"),
        (b"account_id,device_id,started_at,ip\na,\xe9t\xe9,x,y\n", "must be UTF-8 text"),
        (b'[{"endTime": "2024-01-01 10:00", "msPlayed": 1}]', r"\(json\)"),
    ],
)
def test_damaged_and_foreign_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "s"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read(path)


def test_a_cut_parquet_file_is_damaged(tmp_path: Path) -> None:
    path = parquet(tmp_path / "s.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FormatError, match=r"s\.parquet must be a whole Parquet file"):
        read(path)


@pytest.mark.parametrize("rows", ["", "\n"])
def test_a_header_alone_has_no_rows(tmp_path: Path, rows: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text("account_id,device_id,started_at,ip" + rows)
    with pytest.raises(NoSessionsError, match="got 0 rows in, 0 used, 0 rejected"):
        read(path)


def test_line_breaks_within_quotes_are_part_of_the_value(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    rows = [f'a,"tv\n{number % 3}",2026-03-01T20:{number:02d}Z,8.8.8.8' for number in range(60)]
    path.write_text("\n".join(["account_id,device_id,started_at,ip", *rows, "a,b"]))
    sessions = read(path)
    assert sessions.device_id.to_pylist() == ["tv\n0", "tv\n1", "tv\n2"]
    assert sessions.reading.rejected_by_reason == {"row_damaged": 1}


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(
        "account_id,device_id,started_at,ip,ip\na,tv,2026-03-01T20:00Z,8.8.8.8,9.9.9.9\n"
    )
    with pytest.raises(SchemaError, match=r"names of columns must differ.*got 'ip' more than once"):
        read(path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be an existing file, folder, zip or glob"):
        read(tmp_path / "no" / "*.csv")
    with pytest.raises(InputError, match=r"must hold files, got none"):
        read(tmp_path)


def test_the_format_may_be_named() -> None:
    assert len(read(TABLE, format="sessions")) == 2
    with pytest.raises(
        ParameterError, match=r"format must be one of sessions, netflix-export.*'x'"
    ):
        read(TABLE, format="x")
    with pytest.raises(SchemaError, match="must have the column 'ip_address' of csfeye"):
        read(TABLE, format="csfeye")


def test_files_of_two_formats_are_ambiguous(tmp_path: Path, exports: Path) -> None:
    csv(tmp_path / "s.csv")
    stream = exports / "spotify_export" / "Streaming_History_Audio_2024_0.json"
    (tmp_path / "t.json").write_bytes(stream.read_bytes())
    with pytest.raises(
        FormatError, match=r"must be of one format, got sessions and spotify-export"
    ):
        read(tmp_path)


def test_a_list_is_no_source() -> None:
    with pytest.raises(
        ParameterError, match="must be a path, a DataFrame or an Arrow table, got list"
    ):
        read([1])
