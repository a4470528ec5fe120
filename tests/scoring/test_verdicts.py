"""The rule that turns a probability into an answer."""

from __future__ import annotations

import numpy as np
import pytest

from household_ml.schema import VERDICTS
from household_ml.scoring.verdicts import (
    MIN_ACCOUNT_DAYS,
    MIN_ACCOUNT_SESSIONS,
    MIN_DEVICE_SESSIONS,
    Evidence,
    Verdict,
    allot_extra_members,
    decide,
    too_little_history,
    verdict_names,
)


def answers(
    probability: list[float], unseen: bool = False, **thresholds: float | None
) -> list[str]:
    p = np.array(probability)
    given = {"household_at": 0.8, "outside_at": 0.1, **thresholds}
    return verdict_names(decide(p, np.full(p.shape, unseen), **given)).to_pylist()


def test_codes_are_those_of_the_contract() -> None:
    assert [verdict.name.lower() for verdict in Verdict] == list(VERDICTS)


def test_the_thresholds_belong_to_the_answers_they_begin() -> None:
    assert answers([0.8, 0.1]) == ["household", "outside"]


def test_between_the_thresholds_nothing_is_said() -> None:
    assert answers([0.79, 0.11, 0.5]) == ["undetermined"] * 3


def test_where_no_threshold_qualifies_nobody_is_called() -> None:
    assert answers([0.0, 1.0], outside_at=None) == ["undetermined", "household"]
    assert answers([0.0, 1.0], outside_at=None, household_at=None) == ["undetermined"] * 2


def test_too_little_history_is_undetermined_whatever_the_probability() -> None:
    assert answers([0.0, 1.0], unseen=True) == ["undetermined"] * 2


def test_a_probability_that_is_not_known_is_undetermined() -> None:
    assert answers([float("nan")]) == ["undetermined"]


@pytest.mark.parametrize(
    ("device_sessions", "account_sessions", "account_days", "unseen"),
    [
        (MIN_DEVICE_SESSIONS, MIN_ACCOUNT_SESSIONS, MIN_ACCOUNT_DAYS, False),
        (MIN_DEVICE_SESSIONS - 1, 1_000, 90, True),
        (MIN_DEVICE_SESSIONS, MIN_ACCOUNT_SESSIONS - 1, 90, True),
        (MIN_DEVICE_SESSIONS, 1_000, MIN_ACCOUNT_DAYS - 1, True),
    ],
)
def test_little_history_is_of_the_device_or_of_the_account(
    device_sessions: int, account_sessions: int, account_days: int, unseen: bool
) -> None:
    evidence = Evidence(
        np.array([device_sessions]), np.array([account_sessions]), np.array([account_days])
    )
    assert too_little_history(evidence).tolist() == [unseen]


def with_slots(
    slots: int,
    place: list[int],
    activity: list[int],
    verdict: list[Verdict] | None = None,
    account: list[int] | None = None,
    recognised: list[bool] | None = None,
) -> list[str]:
    devices = len(place)
    codes = allot_extra_members(
        np.array(verdict or [Verdict.OUTSIDE] * devices, dtype=np.int8),
        account=np.array(account or [0] * devices, dtype=np.int64),
        place=np.array(place, dtype=np.int32),
        activity=np.array(activity),
        slots=np.full(devices, slots),
        recognised=None if recognised is None else np.array(recognised),
    )
    return ["extra" if code == Verdict.EXTRA_MEMBER else Verdict(code).name for code in codes]


def test_without_slots_outside_stays_outside() -> None:
    assert with_slots(0, [1, 2], [9, 9]) == ["OUTSIDE", "OUTSIDE"]


def test_a_slot_recognises_a_place_with_all_its_devices() -> None:
    assert with_slots(1, [1, 1, 2], [2, 3, 4]) == ["extra", "extra", "OUTSIDE"]


def test_the_most_active_places_come_first() -> None:
    assert with_slots(2, [1, 2, 3], [5, 1, 9]) == ["extra", "OUTSIDE", "extra"]


def test_of_equally_active_places_the_lower_number_comes_first_and_no_place_last() -> None:
    assert with_slots(1, [-1, 2, 1], [5, 5, 5]) == ["OUTSIDE", "OUTSIDE", "extra"]


@pytest.mark.parametrize(("sessions", "kept"), [(4, True), (8, True), (9, False)])
def test_a_place_keeps_its_slot_until_another_has_more_than_twice_its_sessions(
    sessions: int, kept: bool
) -> None:
    told = with_slots(1, [1, 1, 2], [2, 2, sessions], recognised=[False, True, False])
    assert told == (["extra", "extra", "OUTSIDE"] if kept else ["OUTSIDE", "OUTSIDE", "extra"])


def test_a_place_that_is_no_longer_outside_keeps_no_slot() -> None:
    verdict = [Verdict.HOUSEHOLD, Verdict.OUTSIDE]
    told = with_slots(1, [1, 2], [9, 1], verdict, recognised=[True, False])
    assert told == ["HOUSEHOLD", "extra"]


def test_devices_without_a_place_count_together_as_one() -> None:
    assert with_slots(1, [-1, -1, 1], [3, 3, 5]) == ["extra", "extra", "OUTSIDE"]


def test_only_outside_is_turned() -> None:
    verdict = [Verdict.HOUSEHOLD, Verdict.UNDETERMINED, Verdict.OUTSIDE]
    assert with_slots(3, [1, 1, 1], [9, 9, 1], verdict) == ["HOUSEHOLD", "UNDETERMINED", "extra"]


def test_slots_are_counted_for_each_account() -> None:
    found = with_slots(1, [1, 2, 1, 2], [1, 2, 4, 3], account=[0, 0, 1, 1])
    assert found == ["OUTSIDE", "extra", "extra", "OUTSIDE"]


def test_the_order_of_devices_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    account = rng.integers(0, 20, 200)
    place = rng.integers(-1, 5, 200).astype(np.int32)
    activity = rng.integers(1, 4, 200)
    slots = rng.integers(0, 3, 20)[account]
    outside = np.full(200, Verdict.OUTSIDE, dtype=np.int8)
    shuffled = rng.permutation(200)
    straight = allot_extra_members(
        outside, account=account, place=place, activity=activity, slots=slots
    )
    mixed = allot_extra_members(
        outside,
        account=account[shuffled],
        place=place[shuffled],
        activity=activity[shuffled],
        slots=slots[shuffled],
    )
    assert (mixed == straight[shuffled]).all()
