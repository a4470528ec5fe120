"""Spotify's extended history, csfeye playback logs, and the login table for risk-based access."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from household_ml.errors import FormatError
from household_ml.sessions import SessionsWarning, read_sessions

RBA_HEADER = (
    "index,Login Timestamp,User ID,Round-Trip Time [ms],IP Address,Country,Region,City,ASN,"
    "User Agent String,Browser Name and Version,OS Name and Version,Device Type,"
    "Login Successful,Is Attack IP,Is Account Takeover"
)
RBA_ROW = (
    "0,2020-02-03 12:43:30.772,-4324475583306591935,,10.0.65.171,NO,-,-,29695,"
    "UA,Firefox 20.0.0.1618,iOS 13.4,mobile,True,False,False"
)
CSFEYE: dict[str, Any] = {
    "account_id": ["a", "a", "a"],
    "device_id": ["1", "2", "3"],
    "ip_address": ["8.8.8.8", "2a01::1", "9.9.9.9"],
    "device_type": ["Smart TV", None, "mobile"],
    "start_time": ["2026-03-01T20:00:00Z", "2026-03-01T21:00:00Z", "2026-03-01T22:00:00Z"],
    "end_time": ["2026-03-01T20:30:00Z", None, "2026-03-01T21:00:00Z"],
    "user_agent": [None, "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X)", "x"],
}


def test_spotify_times_are_stops_and_the_platform_is_the_device(exports: Path) -> None:
    with pytest.warns(
        SessionsWarning, match="spotify-export has no device id: the platform stands"
    ):
        sessions = read_sessions(exports / "spotify_export")
    frame = sessions.to_frame()
    assert frame["account_id"].unique().tolist() == ["synthetic_user"]
    assert frame["device_id"].tolist() == ["Android OS 13 API 33 (Synthetic, Phone)", "ios"]
    assert frame["device_type"].tolist() == ["phone", "phone"]
    assert frame["ip"].tolist() == ["203.0.113.17", "198.51.100.23"]
    assert frame["country"].tolist() == ["FR", "FR"]
    stops = frame["started_at"] + pd.to_timedelta(frame["duration_s"].round(3), unit="s")
    assert stops.dt.round("ms").astype(str).tolist() == [
        "2024-03-01 19:22:41+00:00",
        "2024-03-02 08:05:10+00:00",
    ]


def write_streams(path: Path, *streams: Any) -> Path:
    path.write_text(json.dumps(list(streams)))
    return path


@pytest.mark.filterwarnings("ignore::household_ml.sessions.SessionsWarning")
def test_spotify_objects_that_cannot_be_used_are_told_by_number(tmp_path: Path) -> None:
    good = {
        "ts": "2024-03-01T19:22:41Z",
        "ms_played": 1000,
        "ip_addr": "8.8.8.8",
        "platform": "ios",
    }
    path = write_streams(
        tmp_path / "s.json", good, 7, good | {"ts": "1/3/2024"}, good | {"ip_addr": None},
        good | {"platform": None}, good | {"ms_played": "?", "ts": "2024-03-01T20:00:00Z"},
    )  # fmt: skip
    sessions = read_sessions(path)
    rejected = sessions.reading.rejected
    assert list(zip(rejected["row"].to_pylist(), rejected["reason"].to_pylist(), strict=True)) == [
        (2, "row_damaged"),
        (3, "started_at_invalid"),
        (4, "ip_missing"),
        (5, "device_id_missing"),
    ]
    assert sessions.to_frame()["duration_s"].fillna(-1).tolist() == [1, -1]
    assert sessions.account_id.to_pylist() == ["spotify-export"]


@pytest.mark.filterwarnings("ignore::household_ml.sessions.SessionsWarning")
def test_spotify_streams_without_a_user_among_several_have_no_account(tmp_path: Path) -> None:
    good = {"ts": "2024-03-01T19:22:41Z", "ms_played": 0, "ip_addr": "8.8.8.8", "platform": "ios"}
    users = [good | {"username": "x"}, good | {"username": "y"}, good]
    reading = read_sessions(write_streams(tmp_path / "s.json", *users)).reading
    assert reading.rejected_by_reason == {"account_id_missing": 1}


def test_a_cut_spotify_file_is_damaged(tmp_path: Path) -> None:
    path = write_streams(tmp_path / "s.json", {"ts": "2024-03-01T19:22:41Z", "ms_played": 1})
    path.write_text(path.read_text()[:-2])
    with pytest.raises(FormatError, match=r"s\.json must be whole JSON"):
        read_sessions(path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_csfeye_durations_and_device_types(tmp_path: Path, suffix: str) -> None:
    table = pd.DataFrame(CSFEYE)
    path = tmp_path / f"log{suffix}"
    if suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        times = {name: pd.to_datetime(table[name]) for name in ("start_time", "end_time")}
        table.assign(**times).to_parquet(path)
    sessions = read_sessions(path)
    frame = sessions.to_frame()
    assert frame["device_type"].tolist() == ["tv", "tablet", "phone"]
    assert frame["duration_s"].fillna(-1).tolist() == [1800, -1, -1]
    assert sessions.reading.format == "csfeye"
    assert (
        "duration_s must be seconds, 0 or more: 1 values set to null" in sessions.reading.notes[0]
    )


def write_logins(path: Path, *changes: dict[str, str]) -> Path:
    row = dict(zip(RBA_HEADER.split(","), RBA_ROW.split(","), strict=True))
    rows = [row | {"index": str(number)} | change for number, change in enumerate(changes)]
    path.write_text("\n".join([RBA_HEADER, *(",".join(each.values()) for each in rows)]) + "\n")
    return path


def test_logins_stand_for_sessions_and_failed_ones_are_rejected(tmp_path: Path) -> None:
    path = write_logins(
        tmp_path / "rba.csv",
        {},
        {"Login Successful": "False"},
        {"Login Timestamp": "2020-02-04 12:00:00.000", "Browser Name and Version": "Firefox 21.0"},
        {
            "Is Account Takeover": "True",
            "Device Type": "desktop",
            "OS Name and Version": "Mac OS X 10.14.6",
        },
        {"ASN": "", "Login Timestamp": "2020-02-05 12:00:00.000"},
    )
    with pytest.warns(
        SessionsWarning, match="rba-dataset has no device id: browser, operating system"
    ):
        sessions = read_sessions(path)
    assert sessions.account_id.to_pylist() == ["-4324475583306591935"]
    assert sessions.device_id.to_pylist() == ["Firefox/Mac OS X/desktop", "Firefox/iOS/mobile"]
    assert sorted(sessions.to_frame()["device_type"]) == ["computer", "phone", "phone"]
    assert set(sessions.asn.tolist()) == {29695}
    rejected = sessions.reading.rejected.drop_columns("source").to_pylist()
    assert rejected == [
        {"row": 3, "reason": "login_failed", "value": "False"},
        {"row": 6, "reason": "ip_private", "value": "10.0.65.171"},
    ]
    assert sessions.reading.rows_in == 5
