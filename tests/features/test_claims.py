"""How sure it is which place is home, and the features of a device at the other possible home."""

from __future__ import annotations

import numpy as np
import pytest

from household_ml.features import (
    COLUMN_NAMES,
    FEATURE_NAMES,
    Features,
    build_features,
    infer_places,
)
from household_ml.features.homes import DOUBT
from household_ml.schema import RIVAL
from household_ml.sessions import Sessions
from tests.features.histories import history, plays


def two_homes(first_days: int, second_days: int) -> Sessions:
    return history(
        plays("tv", "tv", "90.1.1.1", range(first_days)),
        plays("phone", "phone", "90.1.1.1", range(0, first_days, 2), hour=20),
        plays("kintv", "tv", "82.64.9.9", range(second_days), asn=12322, hour=21),
        plays("kin", "phone", "82.64.9.9", range(0, second_days, 2), asn=12322, hour=20),
    )


def value(features: Features, device: str, name: str) -> float:
    return float(features.column(name)[features.device_id.to_pylist().index(device)])


def test_claims_are_probabilities_of_places_that_exclude_each_other() -> None:
    claim = infer_places(two_homes(30, 20)).claim
    assert ((claim > 0) & (claim < 1)).all()
    assert claim.is_monotonic_decreasing
    assert claim.sum() < 1.0


def test_a_place_used_as_much_as_home_puts_home_in_doubt() -> None:
    alike = build_features(two_homes(30, 30))
    apart = build_features(two_homes(60, 2))
    assert value(alike, "tv", "rival_claim") > 0.3
    assert value(apart, "tv", "rival_claim") < 0.1
    assert value(apart, "tv", "home_claim") > value(alike, "tv", "home_claim")


def test_more_use_of_a_place_never_lowers_its_own_claim() -> None:
    claims = [build_features(two_homes(days, 20)).column("home_claim")[0] for days in (24, 30, 40)]
    assert claims == sorted(claims)


def test_features_at_the_rival_home_are_those_with_the_places_exchanged() -> None:
    features = build_features(two_homes(31, 30))
    at_home = {name: value(features, "kin", name) for name in ("home_share", "second_share")}
    at_rival = {name: value(features, "kin", RIVAL + name) for name in at_home}
    assert at_home == {"home_share": 0.0, "second_share": 1.0}
    assert at_rival == {"home_share": 1.0, "second_share": 0.0}


def test_features_of_the_device_itself_are_the_same_at_both_homes() -> None:
    features = build_features(two_homes(31, 30))
    for name in ("sessions", "is_phone", "night_share", "cellular_share"):
        np.testing.assert_array_equal(features.column(name), features.column(RIVAL + name))


def test_where_home_is_beyond_doubt_no_other_is_looked_at() -> None:
    features = build_features(history(plays("tv", "tv", "90.1.1.1", range(60))))
    assert value(features, "tv", "rival_claim") < DOUBT
    rival = features.values[:, len(FEATURE_NAMES) :]
    assert rival.shape[1] == sum(name.startswith(RIVAL) for name in COLUMN_NAMES)
    assert np.isnan(rival).all()


def test_without_a_place_there_is_no_claim() -> None:
    behind_a_vpn = plays("phone", "phone", "185.159.157.1", range(3), asn=9009)
    features = build_features(history(behind_a_vpn))
    assert features.place.tolist() == [-1]
    assert np.isnan(features.column("home_claim")).all()


def on_mobile(device: str, days: range, **more: object) -> list[dict[str, object]]:
    """Plays of a phone on French mobile egress, another address each day."""
    return [
        row
        for day in days
        for row in plays(device, "phone", f"37.170.{day}.7", [day], asn=51207, **more)  # type: ignore[arg-type]
    ]


def test_a_household_without_a_line_lives_on_mobile_egress() -> None:
    sessions = history(on_mobile("her", range(40)), on_mobile("his", range(1, 41), hour=21))
    places = infer_places(sessions)
    assert places.mobile.tolist() == [True]
    features = build_features(sessions)
    assert features.place.tolist() == [0, 0]
    assert features.column("home_share").tolist() == [1.0, 1.0]


def test_mobile_egress_beside_a_home_is_no_place_and_joins_none() -> None:
    sessions = history(
        plays("tv", "tv", "90.1.1.1", range(60)),
        plays("phone", "phone", "90.1.1.1", range(0, 60, 2), hour=20),
        on_mobile("phone", range(60), hour=12),
    )
    places = infer_places(sessions)
    assert places.mobile.tolist() == [False]
    assert places.networks.tolist() == [1]
    assert value(build_features(sessions), "phone", "home_share") == pytest.approx(1 / 3)


def test_what_is_outside_a_mobile_household_is_at_a_second_place() -> None:
    sessions = history(
        on_mobile("her", range(60)),
        on_mobile("her", range(60), hour=12),
        on_mobile("his", range(60), hour=21),
        on_mobile("hers too", range(60), hour=22),
        plays("kin", "phone", "82.64.9.9", range(3), asn=12322, hour=20),
    )
    features = build_features(sessions)
    assert infer_places(sessions).mobile.tolist() == [True, False]
    assert value(features, "kin", "home_share") == 0.0
    assert value(features, "kin", "second_share") == 1.0
    assert value(features, "kin", RIVAL + "home_share") == 1.0
    assert value(features, "her", RIVAL + "second_share") == 0.0


@pytest.mark.parametrize("profile", [None, "p1"])
def test_a_history_without_profiles_has_claims_too(profile: str | None) -> None:
    more = {} if profile is None else {"profile_id": profile}
    sessions = history(plays("tv", "tv", "90.1.1.1", range(20), **more))  # type: ignore[arg-type]
    assert 0.0 < infer_places(sessions).claim.iloc[0] < 1.0
