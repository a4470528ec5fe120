"""What makes one place of several addresses, and which place is home."""

from __future__ import annotations

import pandas as pd
import pytest

from household_ml.features import assign_places, build_features, infer_places
from household_ml.schema import PLACES
from household_ml.sessions import Sessions
from tests.features.histories import START, history, plays


def place_of(sessions: Sessions, device: str) -> set[int]:
    cut, place = assign_places(sessions)
    frame = cut.to_frame().assign(place=place)
    return set(frame.loc[frame.device_id == device, "place"])


def test_devices_that_share_an_address_share_the_home() -> None:
    sessions = history(
        plays("tv", "tv", "90.1.1.1", range(20)),
        plays("phone", "phone", "90.1.1.1", range(0, 20, 2), hour=20),
    )
    assert place_of(sessions, "tv") == {0}
    assert place_of(sessions, "phone") == {0}


def test_a_line_that_is_renumbered_daily_stays_one_place() -> None:
    parts = [plays("tv", "tv", f"90.{d}.7.9", [d]) for d in range(20)]
    parts += [plays("phone", "phone", f"90.{d}.7.9", [d], hour=20) for d in range(0, 20, 3)]
    parts += [plays("friend", "phone", f"90.{d}.200.5", [d], hour=20) for d in range(20)]
    sessions = history(*parts)
    assert place_of(sessions, "tv") == {0}
    assert place_of(sessions, "phone") == {0}
    assert 0 not in place_of(sessions, "friend")


def test_both_families_of_one_line_are_one_place() -> None:
    sessions = history(
        plays("tv", "tv", "90.1.1.1", range(20)),
        plays("phone", "phone", "2a01:cb00:1:2::5", range(0, 20, 2), hour=20),
        plays("phone", "phone", "90.1.1.1", range(1, 20, 2), hour=20),
    )
    assert place_of(sessions, "phone") == {0}


def test_temporary_interface_identifiers_are_one_network() -> None:
    parts = [plays("tv", "tv", f"2a01:cb00:1:2::{d:x}", [d]) for d in range(1, 20)]
    places = infer_places(history(*parts))
    assert places.networks.tolist() == [1]


def test_two_lines_of_one_operator_used_at_the_same_time_stay_two_places() -> None:
    sessions = history(
        plays("tv", "tv", "90.1.1.1", range(30)),
        plays("phone", "phone", "90.1.1.1", range(0, 30, 2), hour=20),
        plays("phone", "phone", "90.9.9.9", [5.2, 15.2]),
        plays("kin", "phone", "90.9.9.9", range(0, 30, 2), hour=21),
    )
    assert place_of(sessions, "kin") == {1}
    assert place_of(sessions, "phone") == {0, 1}


def test_home_moves_with_the_fixed_devices() -> None:
    sessions = history(
        plays("tv", "tv", "90.1.1.1", range(30)),
        plays("tv", "tv", "82.64.1.1", range(32, 60), asn=12322),
        plays("phone", "phone", "90.1.1.1", range(0, 30, 3), hour=20),
        plays("phone", "phone", "82.64.1.1", range(32, 60, 3), asn=12322, hour=20),
    )
    assert place_of(sessions, "tv") == {0}
    assert place_of(sessions, "phone") == {0}


@pytest.mark.parametrize(("asn", "access"), [(51207, "mobile egress"), (16276, "hosting")])
def test_mobile_egress_and_hosting_are_no_place(asn: int, access: str) -> None:
    sessions = history(
        plays("tv", "tv", "90.1.1.1", range(20)),
        plays("phone", "phone", "37.160.1.1", range(20), asn=asn, hour=12),
    )
    assert place_of(sessions, "phone") == {-1}, access


def test_the_place_used_most_lately_by_most_is_home() -> None:
    sessions = history(
        plays("tv", "tv", "90.1.1.1", range(40)),
        plays("box", "set_top_box", "90.1.1.1", range(0, 40, 2)),
        plays("kin", "tv", "82.64.1.1", range(0, 40, 3), asn=12322),
    )
    places = infer_places(sessions)
    assert places.place.tolist() == [0, 1]
    assert places.fixed_devices.tolist() == [2, 1]
    assert 0.0 < places.claim.sum() < 1.0
    assert places.claim.is_monotonic_decreasing


def test_the_table_of_places_has_the_columns_of_the_schema() -> None:
    places = infer_places(history(plays("tv", "tv", "90.1.1.1", range(3))))
    assert tuple(places.columns) == PLACES.names
    assert places.asn.tolist() == [3215]
    assert places.first_at.tolist() == [START + pd.Timedelta(hours=19)]


def test_last_home_at_is_the_last_session_at_home() -> None:
    sessions = history(
        plays("tv", "tv", "90.1.1.1", range(20)),
        plays("phone", "phone", "90.1.1.1", range(5), hour=20),
        plays("phone", "phone", "37.160.1.1", range(6, 20), asn=51207),
        plays("kin", "phone", "82.64.1.1", range(20), asn=12322),
    )
    features = build_features(sessions)
    at = dict(zip(features.device_id.to_pylist(), features.last_home_at, strict=True))
    assert pd.Timestamp(at["phone"], unit="us", tz="UTC") == START + pd.Timedelta(days=4, hours=20)
    assert at["kin"] == pd.Timestamp.min.value or at["kin"] < 0
