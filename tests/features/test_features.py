"""What the features say of small histories that anyone can count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from household_ml.config import FeatureConfig
from household_ml.errors import NoSessionsError
from household_ml.features import FEATURE_NAMES, FEATURES, GROUPS, build_features, columns
from household_ml.sessions import Sessions
from tests.features.histories import history, plays


def feature(sessions: Sessions, device: str, name: str) -> float:
    features = build_features(sessions)
    return float(features.column(name)[features.device_id.to_pylist().index(device)])


@pytest.fixture(scope="module")
def family() -> Sessions:
    """A television at home; a phone at home, away with it and on mobile; kin elsewhere."""
    return history(
        plays("tv", "tv", "90.1.1.1", range(40), profile_id="p1"),
        plays("phone", "phone", "90.1.1.1", range(0, 40, 4), hour=20, profile_id="p1"),
        plays("phone", "phone", "37.160.1.1", range(1, 40, 4), asn=51207, profile_id="p1"),
        plays("kin", "phone", "82.64.1.1", range(0, 40, 2), asn=12322, hour=19.1, profile_id="p2"),
        plays("kintv", "tv", "82.64.1.1", range(0, 40, 4), asn=12322, hour=21),
    )


@pytest.mark.parametrize(
    ("device", "name", "value"),
    [
        ("tv", "home_share", 1.0),
        ("phone", "home_share", 0.5),
        ("phone", "home_line_share", 1.0),
        ("phone", "cellular_share", 0.5),
        ("phone", "together_24h", 0.5),
        ("phone", "agreement_24h", 1.0),
        ("kin", "home_share", 0.0),
        ("kin", "days_since_home", 400.0),
        ("kin", "agreement_24h", 0.0),
        ("kin", "elsewhere_share", 1.0),
        ("kin", "second_share", 1.0),
        ("kin", "second_fixed", 1.0),
        ("kin", "simultaneous_share", 1.0),
        ("kin", "profile_shared_share", 0.0),
        ("phone", "profile_home_share", 1.0),
        ("tv", "active_days", 40.0),
        ("kin", "sessions", np.log1p(20)),
        ("kin", "last_address_differs_from_main", 1.0),
        ("phone", "share_main_as", 0.5),
        ("phone", "overlap_48h", 0.5),
        ("phone", "days_since_main_tv_network", 2.0 + 22 / 24 + 1 / 24),
    ],
)
def test_feature_values(family: Sessions, device: str, name: str, value: float) -> None:
    assert feature(family, device, name) == pytest.approx(value)


def test_every_feature_stays_in_its_range(family: Sessions) -> None:
    values = build_features(family).values
    learnt = [item for item in FEATURES if item.model]
    low = np.array([item.low for item in (*FEATURES, *learnt)])
    high = np.array([item.high for item in (*FEATURES, *learnt)])
    told = ~np.isnan(values)
    assert np.all((values >= low) | ~told)
    assert np.all((values <= high) | ~told)


def test_nothing_after_as_of_is_used(family: Sessions) -> None:
    moment = int(family.started_at[len(family) // 2])
    now = build_features(family, as_of=moment)
    then = build_features(family.until(moment), as_of=moment)
    np.testing.assert_array_equal(now.values, then.values)
    assert now.as_of == moment


def test_the_window_ends_before_as_of_by_its_length(family: Sessions) -> None:
    features = build_features(family, config=FeatureConfig(window_days=10))
    assert features.column("active_days").max() <= 11


def test_no_session_in_the_window_is_an_error(family: Sessions) -> None:
    with pytest.raises(NoSessionsError, match=r"must have a row in the 180 days before as_of"):
        build_features(family, as_of=int(family.started_at.min()) - 1)


def test_threads_change_nothing(family: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUSEHOLD_ML_THREADS", "1")
    one = build_features(family).values
    monkeypatch.setenv("HOUSEHOLD_ML_THREADS", "2")
    np.testing.assert_array_equal(one, build_features(family).values)


def test_the_feature_table_has_one_named_column_a_feature(family: Sessions) -> None:
    frame = build_features(family).to_frame()
    assert tuple(frame.columns) == ("account_id", "device_id", "as_of", "place", *FEATURE_NAMES)
    assert frame.device_id.tolist() == ["kin", "kintv", "phone", "tv"]


def test_the_catalogue_names_each_feature_once_with_a_known_group() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
    assert {item.group for item in FEATURES} == set(GROUPS)
    assert all(item.low < item.high for item in FEATURES)


def test_every_feature_has_a_column_constant_for_compiled_code() -> None:
    constants = {name.lower(): value for name, value in vars(columns).items() if name.isupper()}
    del constants["feature_names"]
    assert constants == {name: i for i, name in enumerate(FEATURE_NAMES)}
