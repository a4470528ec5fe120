"""How verdicts carry over from one scoring to the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from household_ml.scoring.hysteresis import (
    HOUSEHOLD_WEEKS,
    NO_TIME,
    OUTSIDE_WEEKS,
    OVERTURN_WEEKS,
    WITHDRAWAL_WEEKS,
    Earlier,
    Standing,
    carry,
)
from household_ml.scoring.verdicts import Verdict, decide

DAY = 86_400_000_000
HOUSEHOLD_AT, OUTSIDE_AT = 0.8, 0.1

#: Probabilities that call for the household, for nothing, and for outside.
INSIDE, MIDDLE, OUT = 0.95, 0.6, 0.03

#: Days that each change takes.
HOUSEHOLD, OUTSIDE = 7 * HOUSEHOLD_WEEKS, 7 * OUTSIDE_WEEKS
WITHDRAWAL, OVERTURN = 7 * WITHDRAWAL_WEEKS, 7 * OVERTURN_WEEKS

Uses = npt.NDArray[np.bool_]


def series(
    probability: Sequence[Sequence[float]],
    first: Verdict | None = Verdict.HOUSEHOLD,
    unseen: Sequence[Sequence[bool]] | None = None,
    every: int = 1,
    used: Uses | None = None,
) -> list[list[str]]:
    """Verdicts of D devices over T scorings, shape (D, T).

    ``first`` is what a scoring without one before said a day ahead; None = it was not there yet.
    ``used`` tells on which days each device was used, before the scoring of the day; None = daily.
    """
    p = np.array(probability, dtype=np.float64)
    few = np.zeros(p.shape, dtype=bool) if unseen is None else np.array(unseen)
    devices = len(p)
    days = np.ones((devices, every * p.shape[1]), dtype=bool) if used is None else used
    uses = np.cumsum(days, axis=1)
    none = np.full(devices, NO_TIME)
    standing = Standing(
        np.full(devices, first or 0, dtype=np.int8), np.full(devices, -DAY), none, none
    )
    known, call = np.full(devices, first is not None), standing.verdict
    told: list[list[str]] = [[] for _ in range(devices)]
    for turn in range(p.shape[1]):
        now = decide(p[:, turn], few[:, turn], household_at=HOUSEHOLD_AT, outside_at=OUTSIDE_AT)
        today = turn * every

        def use(since: npt.NDArray[np.int64], today: int = today) -> npt.NDArray[np.int64]:
            at = np.clip(since // DAY, 0, today)
            rows = np.arange(devices)
            return np.asarray(uses[rows, today] - uses[rows, at], dtype=np.int64)

        counts = use(standing.called_since), use(standing.doubted_since)
        earlier = Earlier(today * DAY, known, call, standing, *counts, recognised=~known)
        standing = carry(now, p[:, turn], earlier)
        known, call = np.ones(devices, dtype=bool), now
        for device, code in enumerate(standing.verdict):
            told[device].append(Verdict(code).name.lower())
    return told


def one(
    probability: Sequence[float],
    first: Verdict | None = Verdict.HOUSEHOLD,
    used: Sequence[bool] | None = None,
) -> list[str]:
    return series([probability], first, used=None if used is None else np.array([used]))[0]


@pytest.mark.parametrize("first", [Verdict.HOUSEHOLD, Verdict.UNDETERMINED, Verdict.OUTSIDE])
@pytest.mark.parametrize("excursion", [0.0, MIDDLE, 1.0])
def test_one_odd_day_changes_no_verdict(first: Verdict, excursion: float) -> None:
    usual = {Verdict.HOUSEHOLD: INSIDE, Verdict.UNDETERMINED: MIDDLE, Verdict.OUTSIDE: OUT}[first]
    days = [usual] * 90
    for odd in range(0, 90, 8):
        days[odd] = excursion
    assert set(one(days, first)) == {first.name.lower()}


@pytest.mark.parametrize("days", [1, 5, OUTSIDE, OVERTURN])
def test_fewer_days_than_asked_for_change_nothing_however_often(days: int) -> None:
    told = one(([OUT] * days + [INSIDE]) * 8)
    assert set(told) == {"household"}


def test_crossing_the_threshold_to_and_fro_changes_nothing() -> None:
    rng = np.random.default_rng(4)
    days = rng.uniform(OUTSIDE_AT - 0.05, HOUSEHOLD_AT, (500, 60))
    for device in series(days.tolist()):
        assert "outside" not in device


def test_a_device_that_leaves_for_good_is_outside_in_the_stated_time() -> None:
    told = one([INSIDE] * 10 + [OUT] * 80)
    assert told.index("outside") == 10 + OVERTURN
    assert set(told[10 + OVERTURN :]) == {"outside"}
    assert one([MIDDLE] * 10 + [OUT] * 80, None).index("outside") == 10 + OUTSIDE


def test_a_device_that_is_cleared_is_of_the_household_in_the_stated_time() -> None:
    told = one([OUT] * 5 + [INSIDE] * 40, Verdict.OUTSIDE)
    assert told.index("household") == 5 + OUTSIDE
    assert set(told[: 5 + OUTSIDE]) == {"outside"}


@pytest.mark.parametrize(
    ("probability", "answer", "days"),
    [(INSIDE, "household", HOUSEHOLD), (OUT, "outside", OUTSIDE)],
)
def test_a_new_device_is_undetermined_until_its_answer_has_lasted(
    probability: float, answer: str, days: int
) -> None:
    told = one([probability] * 40, None)
    assert told == ["undetermined"] * days + [answer] * (40 - days)
    assert set(one([MIDDLE] * 90, None)) == {"undetermined"}


def test_to_be_accused_takes_longer_than_to_be_acknowledged_and_as_long_as_to_be_cleared() -> None:
    assert HOUSEHOLD_WEEKS < OUTSIDE_WEEKS < WITHDRAWAL_WEEKS < OVERTURN_WEEKS


@pytest.mark.parametrize("first", [None, *(v for v in Verdict if v != Verdict.EXTRA_MEMBER)])
@pytest.mark.parametrize("probability", [0.0, OUT, MIDDLE, INSIDE, 1.0])
def test_nothing_changes_without_new_evidence(first: Verdict | None, probability: float) -> None:
    told = one([probability] * 200, first, used=[False] * 200)
    assert set(told) == {"undetermined" if first is None else first.name.lower()}


@pytest.mark.parametrize(
    ("first", "probability", "weeks"),
    [
        (None, INSIDE, HOUSEHOLD_WEEKS),
        (None, OUT, OUTSIDE_WEEKS),
        (Verdict.OUTSIDE, INSIDE, OUTSIDE_WEEKS),
        (Verdict.OUTSIDE, MIDDLE, WITHDRAWAL_WEEKS),
        (Verdict.HOUSEHOLD, OUT, OVERTURN_WEEKS),
    ],
)
def test_a_change_takes_as_many_days_of_use_as_weeks(
    first: Verdict | None, probability: float, weeks: int
) -> None:
    seldom = [day % 14 == 13 for day in range(300)]
    told = one([probability] * 300, first, used=seldom)
    assert len(set(told)) == 2
    assert told.index(told[-1]) == 14 * weeks - 1
    often = one([probability] * 300, first)
    assert often.index(often[-1]) == 7 * weeks


def test_answers_that_alternate_are_never_given() -> None:
    assert set(one(([OUT] * 6 + [INSIDE] * 6) * 9, None)) == {"undetermined"}


def test_an_answer_stands_while_the_evidence_is_mixed() -> None:
    assert set(one([MIDDLE] * 90, Verdict.HOUSEHOLD)) == {"household"}
    assert set(one([0.4] * 90, Verdict.OUTSIDE)) == {"outside"}


def test_outside_is_withdrawn_where_the_household_is_likelier() -> None:
    told = one([0.5] * 60, Verdict.OUTSIDE)
    assert told.index("undetermined") == WITHDRAWAL
    assert set(told[WITHDRAWAL:]) == {"undetermined"}


def test_the_benefit_of_the_doubt_is_the_households() -> None:
    assert set(one([OUTSIDE_AT + 0.01] * 90, Verdict.HOUSEHOLD)) == {"household"}


def test_doubt_that_is_interrupted_begins_again() -> None:
    told = one([0.6] * (WITHDRAWAL - 1) + [OUT] + [0.6] * (WITHDRAWAL - 1), Verdict.OUTSIDE)
    assert set(told) == {"outside"}


@pytest.mark.parametrize("first", [Verdict.OUTSIDE, Verdict.HOUSEHOLD])
def test_an_answer_outlives_the_history_that_leaves_the_window(first: Verdict) -> None:
    few = [[False] * 5 + [True] * 80]
    assert set(series([[0.3] * 85], first, few)[0]) == {first.name.lower()}


def test_nothing_is_called_of_a_device_with_too_little_history() -> None:
    few = [[True] * 60]
    assert set(series([[OUT] * 60], None, few)[0]) == {"undetermined"}


def test_how_often_is_scored_does_not_matter_but_twice_it_must_be() -> None:
    weekly = series([[OUT] * 6], None, every=7)[0]
    assert weekly.index("outside") * 7 == OUTSIDE
    monthly = series([[OUT] * 3], None, every=31)[0]
    assert monthly == ["undetermined", "outside", "outside"]


def test_what_is_not_known_stays_undetermined() -> None:
    assert set(one([float("nan")] * 60, None)) == {"undetermined"}
    assert set(one([float("nan")] * 60, Verdict.HOUSEHOLD)) == {"household"}


def test_each_device_is_judged_by_itself() -> None:
    rng = np.random.default_rng(8)
    walk = np.clip(0.5 + np.cumsum(rng.normal(0, 0.08, (60, 60)), axis=1), 0.0, 1.0)
    together = series(walk.tolist(), None)
    assert together == [series([row], None)[0] for row in walk.tolist()]
    assert {"household", "outside", "undetermined"} == {word for row in together for word in row}


@settings(deadline=None, max_examples=30)
@given(
    runs=st.lists(
        st.tuples(st.sampled_from([0.0, OUT, 0.3, 0.5, INSIDE]), st.integers(1, 80)), min_size=1
    ),
    better=st.lists(
        st.tuples(st.sampled_from([0.0, OUT, 0.3, 0.5, INSIDE]), st.integers(1, 80)), min_size=1
    ),
    first=st.sampled_from([Verdict.HOUSEHOLD, Verdict.UNDETERMINED, Verdict.OUTSIDE]),
    pause=st.integers(1, 10),
)
def test_a_device_that_was_always_likelier_of_the_household_has_no_worse_verdict(
    runs: list[tuple[float, int]], better: list[tuple[float, int]], first: Verdict, pause: int
) -> None:
    length = 150
    one_, other = (
        np.resize(np.repeat([p for p, _ in row], [days for _, days in row]), length)
        for row in (runs, better)
    )
    days = np.tile(np.arange(length) % pause == 0, (2, 1))
    worse, fair = series([one_.tolist(), np.maximum(one_, other).tolist()], first, used=days)
    rank = {"outside": 0, "undetermined": 1, "household": 2}
    assert all(rank[a] <= rank[b] for a, b in zip(worse, fair, strict=True))


def test_verdicts_flip_less_than_the_thresholds_alone_would_have_them() -> None:
    rng = np.random.default_rng(9)
    level = rng.choice([-4.0, -2.2, 0.0, 1.4, 4.0], 400)[:, None]
    noise = np.zeros((400, 90))
    for day in range(1, 90):
        noise[:, day] = 0.8 * noise[:, day - 1] + rng.normal(0, 0.5, 400)
    p = 1.0 / (1.0 + np.exp(-(level + noise)))
    none = np.zeros(p.shape, dtype=bool)
    plain = decide(p, none, household_at=HOUSEHOLD_AT, outside_at=OUTSIDE_AT)
    told = np.array([[Verdict[word.upper()] for word in row] for row in series(p.tolist(), None)])
    flips = int((np.diff(plain, axis=1) != 0).sum())
    first = (told != Verdict.UNDETERMINED).cumsum(axis=1).astype(bool)[:, :-1]
    kept = int(((np.diff(told, axis=1) != 0) & first).sum())
    assert flips > 1_000
    assert kept <= flips / 1_000
