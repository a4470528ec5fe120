"""Times: which texts are times, which units, which zones."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from household_ml.errors import ParameterError
from household_ml.sessions.times import parse_time, parse_times

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
ZONES = st.integers(-18 * 60 + 1, 18 * 60 - 1).map(
    lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
)


def micros(moment: datetime.datetime) -> int:
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


@given(
    st.datetimes(timezones=ZONES),
    st.sampled_from(["auto", "seconds", "milliseconds", "microseconds"]),
)
def test_iso_text_means_what_the_standard_library_says(
    moment: datetime.datetime, digits: str
) -> None:
    text = moment.isoformat(timespec=digits)
    expected = micros(datetime.datetime.fromisoformat(text))
    assert parse_times(pa.array([text])).at.tolist() == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "2024-09-18T21:18:45.000Z",
        "2024-09-18 21:18:45",
        "2024-09-18 21:18:45.0",
        "2024-09-18 21:18:45 UTC",
        "2024-09-18 21:18:45,000000000Z",
        "2024-09-18t23:18:45+02:00",
        "2024-09-18T23:18:45+0200",
        "2024-09-18T16:18:45-05",
    ],
)
def test_forms_of_one_time(text: str) -> None:
    assert parse_time(text) == micros(
        datetime.datetime(2024, 9, 18, 21, 18, 45, tzinfo=datetime.UTC)
    )


def test_a_leap_second_is_the_next_minute() -> None:
    assert parse_time("2016-12-31T23:59:60Z") == parse_time("2017-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "18/09/2024 21:18",
        "2024-09-18",
        "2024-02-30T10:00Z",
        "2023-02-29T10:00Z",
        "2024-13-01T10:00Z",
        "2024-09-18T24:00Z",
        "2024-09-18T10:60Z",
        "2024-09-18T10:00:61Z",
        "2024-09-18T10:00:00.Z",
        "2024-09-18T10:00:00 CET",
        "2024-09-18T10:00:00+19:00",
        "45553.888",
        "1726694325",
        "2024-09-18T10:00:00Z!",
    ],
)
def test_other_text_is_invalid_as_a_start(text: str) -> None:
    found = parse_times(pa.array([text]))
    assert (found.invalid.tolist(), found.missing.tolist()) == ([True], [False])


def test_null_and_empty_text_are_missing() -> None:
    assert parse_times(pa.array([None, "", "2024-09-18T10:00Z"])).missing.tolist() == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris"])
def test_timestamps_of_any_unit_are_utc(unit: str, zone: str | None) -> None:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    found = parse_times(pa.array([1_700_000_000 * per_second, None], pa.timestamp(unit, zone)))
    assert found.at[0] == 1_700_000_000_000_000
    assert found.missing.tolist() == [False, True]


def test_a_timestamp_beyond_microseconds_is_invalid() -> None:
    huge = pa.array([2**62, 0], pa.timestamp("s"))
    assert parse_times(huge).invalid.tolist() == [True, False]


def test_as_of_may_be_a_date_and_must_be_a_time() -> None:
    assert parse_time("2024-09-18") == parse_time("2024-09-18T00:00:00Z")
    with pytest.raises(ParameterError, match=r"a time must be ISO 8601.*got 'soon'"):
        parse_time("soon")
