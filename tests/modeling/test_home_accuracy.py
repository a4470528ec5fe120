"""How often the inferred home is right, and by what."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from household_ml.errors import ParameterError
from household_ml.modeling.home_accuracy import HomeAccuracy, measure_homes
from household_ml.modeling.truth import Truth
from household_ml.sessions import read_sessions

#: account -> (device, true place, at home, inferred place) of each session, in time.
STORIES = {
    "a right": [("tv", 1, True, 0), ("tv", 1, True, 0), ("tv", 2, False, 0)],
    "b none": [("tv", 3, True, 1), ("tv", 3, True, -1)],
    "c former": [("tv", 4, True, 0), ("tv", 4, True, 0), ("tv", 5, True, 1)],
    "d moving": [("tv", -1, False, 0), ("tv", 6, True, 1)],
    "e borrower": [("tv", 7, True, 1), ("x", 8, False, 0), ("x", 8, False, 0)],
    "f other": [("tv", 9, True, 1), ("tv", 10, False, 0), ("tv", 10, False, 0)],
    "g moved": [("tv", 11, True, 1), ("tv", 12, True, 0), ("tv", 12, True, 0)],
    "h unseen": [("tv", 13, False, 0)],
}


@pytest.fixture(scope="module")
def told() -> SimpleNamespace:
    rows = [
        (account, device, f"2026-03-{day + 1:02d}T20:00:00Z", "203.0.113.7", place, home, inferred)
        for account, story in STORIES.items()
        for day, (device, place, home, inferred) in enumerate(story)
    ]
    columns = ["account_id", "device_id", "started_at", "ip", "place", "home", "inferred"]
    frame = pd.DataFrame(rows, columns=columns)
    sessions = read_sessions(frame[columns[:4]])
    names = np.array(sessions.device_id.to_pylist())
    return SimpleNamespace(
        sessions=sessions,
        inferred=frame["inferred"].to_numpy(np.int32),
        truth=Truth(frame["place"].to_numpy(np.int64), None, frame["home"].to_numpy(bool)),
        y=np.where(names == "x", 0.0, 1.0),
    )


def test_each_story_has_its_end(told: SimpleNamespace) -> None:
    found = measure_homes(told.sessions, told.inferred, told.truth, told.y, name="w")
    assert found.accounts == 7
    assert found.right.value == pytest.approx(2 / 7, abs=1e-6)
    assert found.wrong == dict.fromkeys(
        ("none", "on_the_move", "former_home", "outside", "other"), round(1 / 7, 6)
    )
    assert {kind: count for kind, (count, _) in found.parts.items()} == {
        "all devices in the household": 6,
        "with devices outside": 1,
        "home moved": 2,
    }
    assert found.parts["home moved"][1].value == 0.5


def test_right_and_wrong_are_all(told: SimpleNamespace) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        guess = rng.integers(-1, 2, told.inferred.size).astype(np.int32)
        found = measure_homes(told.sessions, guess, told.truth, told.y, name="w")
        assert found.right.value + sum(found.wrong.values()) == pytest.approx(1.0, abs=1e-5)


def test_told_by_the_truth_home_is_always_right(told: SimpleNamespace) -> None:
    last = {account: [s[1] for s in story if s[2]][-1:] for account, story in STORIES.items()}
    account = told.sessions.row_account()
    names = told.sessions.account_id.to_pylist()
    home = np.array([(last[names[owner]] or [-9])[0] for owner in account])
    guess = np.where(told.truth.place == home, 0, 1).astype(np.int32)
    assert measure_homes(told.sessions, guess, told.truth, told.y, name="w").right.value == 1.0


def test_it_survives_json(told: SimpleNamespace) -> None:
    found = measure_homes(told.sessions, told.inferred, told.truth, told.y, name="w")
    assert HomeAccuracy.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert "right in 0.286" in found.to_text()
    assert "a home that was left 0.143" in found.to_text()


def test_without_what_was_home_it_is_refused(told: SimpleNamespace) -> None:
    with pytest.raises(ParameterError, match="must tell which sessions were at home"):
        measure_homes(told.sessions, told.inferred, Truth(told.truth.place), told.y, name="w")
