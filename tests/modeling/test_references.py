"""The references: what they may know, and that more of it never finds less."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from household_ml.errors import LabelsError
from household_ml.modeling import references
from household_ml.modeling.classifier import ClassifierConfig
from household_ml.modeling.comparison import compare_scores
from household_ml.modeling.distance import LINE, ORACLE, ORACLE_HOME, PLAIN
from household_ml.modeling.labels import align_labels
from household_ml.modeling.reference_features import plain_features
from household_ml.modeling.reference_lives import oracle_features
from household_ml.modeling.references import score_out_of_fold, score_references
from household_ml.modeling.truth import Truth, align_truth, name_sessions
from household_ml.sessions import read_sessions
from household_ml.simulation import simulate


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    small = ClassifierConfig(trees=20, leaves=8, learning_rate=0.2)
    monkeypatch.setattr(references, "LEARNER", small)


@pytest.fixture(scope="module")
def world() -> SimpleNamespace:
    made = simulate("fr", accounts=160, days=40, seed=5, truth=True)
    sessions = read_sessions(made.sessions)
    account = sessions.device_account()
    named = SimpleNamespace(
        account_id=sessions.account_id.take(pa.array(account)), device_id=sessions.device_id
    )
    labels = align_labels(named, made.labels.to_pandas())
    return SimpleNamespace(
        sessions=sessions,
        as_of=sessions.last_started_at(),
        account=account,
        truth=align_truth(sessions, name_sessions(made.truth, made.sessions)),
        y=labels.y,
        ambiguous=labels.ambiguous,
    )


@pytest.fixture(scope="module")
def scores(world: SimpleNamespace) -> dict[str, np.ndarray]:
    return score_references(
        world.sessions, world.truth, world.y, as_of=world.as_of, ambiguous=world.ambiguous
    )


def test_more_knowledge_finds_more(world: SimpleNamespace, scores: dict[str, np.ndarray]) -> None:
    rows = compare_scores(
        scores, world.y, world.account, ambiguous=world.ambiguous, replicates=2
    ).rows
    area = {name: row["pr_auc"].value for name, row in rows.items()}
    assert list(area) == [PLAIN, LINE, ORACLE, ORACLE_HOME]
    assert area[PLAIN] < area[LINE]
    assert area[PLAIN] + 0.05 < area[ORACLE]
    assert area[ORACLE] < area[ORACLE_HOME] + 0.03


def test_what_the_truth_does_not_tell_has_no_reference(world: SimpleNamespace) -> None:
    told = []
    found = score_references(
        world.sessions,
        Truth(world.truth.place),
        world.y,
        as_of=world.as_of,
        ambiguous=world.ambiguous,
        progress=told.append,
    )
    assert list(found) == told == [PLAIN, ORACLE]


def test_the_oracle_is_not_told_which_place_is_home(world: SimpleNamespace) -> None:
    told = oracle_features(world.sessions, world.as_of, world.truth.place, world.truth.at_home)
    alone = oracle_features(world.sessions, world.as_of, world.truth.place)
    assert set(told) == set(alone)
    assert not np.allclose(told["home_share"], alone["home_share"])
    nowhere = np.full_like(world.truth.place, -1)
    assert (oracle_features(world.sessions, world.as_of, nowhere)["home_share"] == 0).all()


def test_numbers_of_places_are_names_alone(world: SimpleNamespace) -> None:
    """Another numbering in the same order: nothing but equality may count."""
    spread = np.where(world.truth.place >= 0, 7 * world.truth.place + 3, -1)
    plain = oracle_features(world.sessions, world.as_of, world.truth.place)
    other = oracle_features(world.sessions, world.as_of, spread)
    for name, values in plain.items():
        np.testing.assert_array_equal(other[name], values, err_msg=name)


def test_the_plain_model_has_about_forty_features(world: SimpleNamespace) -> None:
    features = plain_features(world.sessions, world.as_of)
    assert 35 <= len(features) <= 50
    assert all(len(values) == world.sessions.n_devices for values in features.values())
    assert not any(np.isinf(values).any() for values in features.values())


@pytest.mark.usefixtures("quick")
def test_an_account_is_scored_by_a_learner_that_has_not_seen_it(world: SimpleNamespace) -> None:
    values = np.column_stack(list(plain_features(world.sessions, world.as_of).values()))
    whole = score_out_of_fold(values, world.y, world.account)
    own = world.account == world.account[0]
    flipped = np.where(own, 1.0 - world.y, world.y)
    again = score_out_of_fold(values, flipped, world.account)
    np.testing.assert_array_equal(again[own], whole[own])
    assert (again[~own] != whole[~own]).any()


@pytest.mark.usefixtures("quick")
def test_the_open_ones_are_not_learnt_from(world: SimpleNamespace) -> None:
    values = np.column_stack(list(plain_features(world.sessions, world.as_of).values()))
    flipped = np.where(world.ambiguous, 1.0 - world.y, world.y)
    assert world.ambiguous.any()
    first, second = (
        score_out_of_fold(values, y, world.account, ambiguous=world.ambiguous, jobs=jobs)
        for y, jobs in ((world.y, 1), (flipped, 2))
    )
    np.testing.assert_array_equal(first, second)


def test_too_few_labels_are_refused(world: SimpleNamespace) -> None:
    values = np.zeros((world.y.size, 1))
    with pytest.raises(LabelsError, match=r"in every fold, got \d+ and 0 devices"):
        score_out_of_fold(values, np.ones(world.y.size), world.account)


def test_plain_features_by_hand() -> None:
    """A television on one address, and a phone that is also on another and at b's."""
    rows = [
        ("a", "tv", "2026-03-01T20:30Z", 3600, "203.0.113.7"),
        ("a", "tv", "2026-03-02T01:00Z", 1800, "203.0.113.7"),
        ("a", "tv", "2026-03-03T12:30Z", 1800, "203.0.113.7"),
        ("a", "phone", "2026-03-02T09:00Z", None, "203.0.113.7"),
        ("a", "phone", "2026-03-04T09:00Z", 60, "203.0.113.200"),
        ("a", "phone", "2026-03-07T09:00Z", 60, "198.51.100.4"),
        ("b", "tv", "2026-03-07T09:00Z", 60, "198.51.100.4"),
    ]
    columns = ["account_id", "device_id", "started_at", "duration_s", "ip"]
    sessions = read_sessions(pd.DataFrame(rows, columns=columns))
    found = plain_features(sessions, sessions.last_started_at())
    # devices in order: phone and tv of a, tv of b
    expected = {
        "sessions": [3, 3, 1],
        "minutes": [2, 120, 1],
        "days": [3, 2, 1],
        "night_share": [0, 2 / 3, 0],
        "weekend_share": [1 / 3, 1 / 3, 1],
        "age_first": [5, 5 + 12.5 / 24, 0],
        "rank": [1, 2, 1],
        "ip_top": [1 / 3, 1, 1],
        "ip_count": [3, 1, 1],
        "net_count": [2, 1, 1],
        "net_top": [2 / 3, 1, 1],
        "ip_shared": [1 / 3, 1, 0],
        "ip_foreign": [(3 / 4) / 3, 1 / 4, 0],
        "ip_crowd": [np.log(2) / 3, 0, np.log(2)],
        "ip_entropy": [np.log(3), 0, 0],
        "ip_top_age": [5, 3 + 20.5 / 24, 0],
        "as_count": [np.nan, np.nan, np.nan],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-9, err_msg=name)


def test_a_life_by_hand() -> None:
    """A tablet moves with its owner from a shared home to a place of its own, and visits once."""
    rows = [
        ("a", "tv", "2026-03-01T20:30Z", 1, "p"),
        ("a", "tv", "2026-03-02T20:30Z", 1, "p"),
        ("a", "tv", "2026-03-08T20:30Z", 1, "p"),
        ("a", "tab", "2026-03-01T21:00Z", 1, "p"),
        ("a", "tab", "2026-03-03T09:00Z", 2, "q"),
        ("a", "tab", "2026-03-04T09:00Z", 2, "q"),
        ("a", "tab", "2026-03-05T09:00Z", -1, "q"),
    ]
    columns = ["account_id", "device_id", "started_at", "place", "profile_id"]
    frame = pd.DataFrame(rows, columns=columns).assign(ip="203.0.113.7")
    sessions = read_sessions(frame.drop(columns="place"))
    ordered = frame.sort_values("started_at")["place"].to_numpy()
    found = oracle_features(sessions, sessions.last_started_at(), ordered)
    # devices in order: tab, tv
    expected = {
        "home_share": [1 / 4, 1],
        "home_days": [1, 3],
        "moving_share": [1 / 4, 0],
        "base_share": [1 / 2, 0],
        "base_span": [1, np.nan],
        "base_mates_home": [1, np.nan],
        "home_place_devices": [2, 2],
        "home_place_residents": [1, 1],
        "rival_place_sessions": [2, 2],
        "rival_share": [1 / 2, 0],
        "first_at_home": [1, 1],
        "last_at_home": [0, 1],
        "profile_home_share": [1, 1],
        "profile_shared_share": [1 / 4, 1],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-9, err_msg=name)
