"""The personal-data export of Netflix."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from household_ml.errors import NoSessionsError
from household_ml.schema import DEVICE_TYPES
from household_ml.sessions import read_sessions

STREAMING = "IP_ADDRESSES/IpAddressesStreaming.csv"
OLDER = "IP_ADDRESSES/IpAddressesStreaming.older_variant.csv"
HEADER = (
    "Esn,Localized Device Description,Device Description,Ip,Country,"
    "Region Code Display Name,Near Location,Ts"
)


@pytest.fixture
def export(tmp_path: Path, exports: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(exports / "netflix_export", tmp_path / "my_export")


def write_streaming(export: Path, *rows: str) -> None:
    (export / OLDER).unlink()
    (export / STREAMING).write_text("\n".join([HEADER, *rows]) + "\n")


def test_five_devices_with_labels_durations_and_profiles(exports: Path) -> None:
    sessions = read_sessions(exports / "netflix_export")
    assert sessions.account_id.to_pylist() == ["netflix_export"]
    assert sessions.device_id.to_pylist() == [
        *("NFAN-SYN-0002", "NFCR-SYN-0003", "NFIP-SYN-0005", "NFTV-SYN-0001", "NFTV-SYN-0004")
    ]
    kinds = sessions.to_frame().groupby("device_id")["device_type"].agg(["nunique", "first"])
    assert kinds["nunique"].eq(1).all()
    assert kinds["first"].tolist() == ["phone", "computer", "phone", "tv", "streaming_stick"]
    assert np.isfinite(sessions.duration_s).all()
    assert sessions.profile.max() == 2
    assert sessions.reading.format == "netflix-export"


def test_both_header_orders_are_the_same_rows_and_are_counted_once(exports: Path) -> None:
    reading = read_sessions(exports / "netflix_export").reading
    assert (reading.rows_in, reading.rows_used) == (182, 91)
    assert reading.rejected_by_reason == {"duplicate": 91}


@pytest.mark.parametrize("only", [STREAMING, OLDER])
def test_one_table_alone_gives_the_same_sessions(export: Path, exports: Path, only: str) -> None:
    both = read_sessions(exports / "netflix_export")
    (export / (OLDER if only == STREAMING else STREAMING)).unlink()
    export = export.rename(export.with_name("netflix_export"))
    assert read_sessions(export).to_table().equals(both.to_table())


def test_a_zip_is_read_like_the_folder(tmp_path: Path, exports: Path) -> None:
    folder = exports / "netflix_export"
    with zipfile.ZipFile(tmp_path / "netflix_export.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    zipped, plain = read_sessions(tmp_path / "netflix_export.zip"), read_sessions(folder)
    assert zipped.to_table().equals(plain.to_table())
    assert zipped.reading.labels.equals(plain.reading.labels)  # type: ignore[union-attr]


def test_labels_are_the_answers_of_netflix(exports: Path) -> None:
    labels = read_sessions(exports / "netflix_export").reading.labels
    assert labels is not None
    assert dict(zip(labels["device_id"], labels["in_household"], strict=True)) == {
        "NFTV-SYN-0001": True,
        "NFAN-SYN-0002": True,
        "NFCR-SYN-0003": True,
        "NFTV-SYN-0004": False,
        "NFIP-SYN-0005": False,
    }
    assert set(labels["source"]) == {"netflix-export"}
    assert set(labels["account_id"]) == {"netflix_export"}


def test_all_no_is_unlabelled(export: Path) -> None:
    devices = export / "ACCOUNT/AccessAndDevices.csv"
    devices.write_text(devices.read_text().replace(",Yes", ",No"))
    reading = read_sessions(export).reading
    assert reading.labels is None
    assert any("none was set and the export is unlabelled" in note for note in reading.notes)


def test_the_latest_answer_of_a_device_counts(export: Path) -> None:
    with (export / "ACCOUNT/AccessAndDevices.csv").open("a") as devices:
        devices.write("\nSynthetic iPhone,2024-09-30 10:00:00,NFIP-SYN-0005,Yes\n")
        devices.write("Synthetic iPhone,2024-01-30 10:00:00,NFIP-SYN-0005,No\n")
    labels = read_sessions(export).reading.labels
    assert labels is not None
    assert labels.set_index("device_id")["in_household"]["NFIP-SYN-0005"]


def test_extra_members_are_counted_and_an_empty_table_is_none(export: Path) -> None:
    accounts = read_sessions(export).reading.accounts
    assert accounts is not None
    assert accounts.to_dict("list") == {"account_id": ["my_export"], "extra_members": [0]}
    (export / "ACCOUNT/ExtraMembers.txt").unlink()
    (export / "ACCOUNT/ExtraMembers.csv").write_text("Email,Status\nx@example.org,ACTIVE\n")
    accounts = read_sessions(export).reading.accounts
    assert accounts is not None
    assert accounts["extra_members"].tolist() == [1]


def test_logins_are_not_playback(exports: Path) -> None:
    notes = read_sessions(exports / "netflix_export").reading.notes
    assert "netflix_export: 5 logins are not playback, not read" in notes


def test_damage_of_a_spreadsheet_is_told_by_line(export: Path) -> None:
    write_streaming(
        export,
        "NFTV-1,Smart TV,Smart TV,203.0.113.1,FR,ILE-DE-FRANCE,PARIS,2024-09-18 21:18:45",
        "NFTV-1,Smart TV,Smart TV,203.0.113.1,FR,ILE-DE-FRANCE,PARIS,2024-09-18T22:18:45.000Z,,",
        "NFTV-1,Smart TV,Smart TV,203.0.113.1,FR,ILE-DE-FRANCE,PARIS,18/09/2024 21:18",
        "1.23E+15,Smart TV,Smart TV,203.0.113.1,FR,ILE-DE-FRANCE,PARIS,2024-09-18 21:20:45",
        "NFTV-1,Smart TV,203.0.113.1,FR,ILE-DE-FRANCE,PARIS,2024-09-18 21:18:45",
        "NFTV-1,Smart, TV,Smart TV,203.0.113.1,FR,ILE-DE-FRANCE,2024-09-18 21:19:45",
        '"NFTV-1","Smart\nTV",Smart TV,?,FR,ILE-DE-FRANCE,PARIS,2024-09-18 21:21:45',
        "",
        "NFTV-1,Smart TV,Smart TV,45553,FR,ILE-DE-FRANCE,PARIS,2024-09-18 21:22:45",
    )
    sessions = read_sessions(export)
    rejected = sessions.reading.rejected.to_pylist()
    assert [(each["row"], each["reason"], each["value"]) for each in rejected] == [
        (4, "started_at_invalid", "18/09/2024 21:18"),
        (5, "device_id_damaged", "1.23E+15"),
        (
            6,
            "row_damaged",
            "NFTV-1,Smart TV,203.0.113.1,FR,ILE-DE-FRANCE,PARIS,2024-09-18 21:18:45",
        ),
        (7, "ip_invalid", "Smart TV"),
        (9, "ip_invalid", "?"),
        (11, "ip_invalid", "45553"),
    ]
    assert {Path(each["source"]).name for each in rejected} == {"IpAddressesStreaming.csv"}
    assert (len(sessions), sessions.reading.rows_in) == (2, 8)


def test_a_view_that_two_devices_could_have_made_gives_no_duration(export: Path) -> None:
    write_streaming(
        export,
        "A,x,Synthetic iPhone,203.0.113.1,FR,,,2024-09-15 20:44:13",
        "B,x,Synthetic iPhone,203.0.113.1,FR,,,2024-09-15 20:45:00",
        "A,x,Synthetic iPhone,203.0.113.1,FR,,,2024-09-15 12:06:00",
        "A,x,Synthetic iPhone,203.0.113.1,FR,,,2024-09-15 13:06:00",
    )
    frame = read_sessions(export).to_frame().sort_values("started_at")
    assert frame["duration_s"].fillna(-1).tolist() == [6120, -1, -1, -1]


def test_only_empty_tables_of_addresses(export: Path) -> None:
    shutil.rmtree(export / "IP_ADDRESSES")
    (export / "IP_ADDRESSES").mkdir()
    (export / "IP_ADDRESSES/IpAddressesStreaming.txt").write_text("We found no information.")
    with pytest.raises(NoSessionsError, match="must hold a table of streaming addresses"):
        read_sessions(export)


def test_exports_side_by_side_are_accounts_named_by_what_tells_them_apart(
    tmp_path: Path, exports: Path
) -> None:
    for name in ("ann/netflix-report", "bob/netflix-report"):
        shutil.copytree(exports / "netflix_export", tmp_path / name)
    sessions = read_sessions(tmp_path)
    assert sessions.account_id.to_pylist() == ["ann/netflix-report", "bob/netflix-report"]
    labels = sessions.reading.labels
    assert labels is not None
    assert labels["account_id"].value_counts().tolist() == [5, 5]


def test_a_table_saved_again_with_semicolons(export: Path) -> None:
    plain = read_sessions(export).to_table()
    for name in (STREAMING, OLDER):
        path = export / name
        path.write_text("\ufeff" + path.read_text().replace(",", ";"), encoding="utf-8")
    assert read_sessions(export).to_table().equals(plain)


def test_device_types_are_of_the_contract(exports: Path) -> None:
    found = read_sessions(exports / "netflix_export").to_frame()["device_type"]
    assert set(found) <= set(DEVICE_TYPES)
