"""Local time: the offset of a country's clocks, with daylight saving, at the time of a session."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from household_ml.sessions.localtime import POPULOUS, _zones, country_code, offsets_from_country

NULL = -32768


def offsets(country: str, moments: list[datetime]) -> list[int]:
    at = np.array([int(moment.timestamp()) * 1_000_000 for moment in moments])
    code = np.full(len(at), country_code(country), np.int16)
    return offsets_from_country(at, code, np.full(len(at), NULL, np.int16), NULL).tolist()


@pytest.mark.parametrize(
    ("country", "zone"),
    [
        ("FR", "Europe/Paris"),
        ("US", "America/New_York"),
        ("DE", "Europe/Berlin"),
        ("BR", "America/Sao_Paulo"),
        ("IN", "Asia/Kolkata"),
        ("AU", "Australia/Sydney"),
        ("MA", "Africa/Casablanca"),
    ],
)
def test_offsets_are_those_of_the_zone_hour_by_hour(country: str, zone: str) -> None:
    first = int(datetime(2025, 2, 1, tzinfo=UTC).timestamp())
    moments = [datetime.fromtimestamp(first + 3600 * hour, UTC) for hour in range(0, 24 * 400, 5)]
    expected = [
        moment.astimezone(ZoneInfo(zone)).utcoffset().total_seconds() / 60 for moment in moments
    ]  # type: ignore[union-attr]
    assert offsets(country, moments) == expected


def test_the_very_second_of_a_change_of_clocks() -> None:
    before, after = (
        datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC),
        datetime(2026, 3, 29, 1, tzinfo=UTC),
    )
    assert offsets("FR", [before, after]) == [60, 120]


def test_a_given_offset_stands_and_no_country_is_utc() -> None:
    at = np.full(4, 1_751_364_000_000_000)
    country = np.array([country_code(name) for name in ("FR", "FR", "QX", "")], np.int16)
    given = np.array([-300, NULL, NULL, NULL], np.int16)
    assert offsets_from_country(at, country, given, NULL).tolist() == [-300, 120, 0, 0]


def test_every_country_has_a_zone_that_loads() -> None:
    moment = [datetime(2026, 1, 15, tzinfo=UTC)]
    for country in _zones():
        assert -12 * 60 <= offsets(country, moment)[0] <= 14 * 60, country
    assert set(POPULOUS) <= set(_zones())
