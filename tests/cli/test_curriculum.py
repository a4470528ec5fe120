"""Lessons of the default model: drawn from a seed, every kind alike, some of them rough."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from household_ml.cli.curriculum import Roughness, plan_lessons, roughen
from household_ml.simulation import WORLDS, simulate

DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def log():
    return simulate("fr", accounts=60, days=60, seed=9).sessions


def last_days(table):
    """Days between the first and the last session of each account."""
    grouped = table.group_by("account_id").aggregate([("started_at", "min"), ("started_at", "max")])
    span = pc.subtract(
        grouped["started_at_max"].cast("int64"), grouped["started_at_min"].cast("int64")
    )
    return dict(
        zip(grouped["account_id"].to_pylist(), (np.array(span) / DAY_US).tolist(), strict=True)
    )


def test_every_kind_is_learnt_from_alike_as_it_is_and_drawn_anew():
    lessons = plan_lessons(accounts=50, worlds_per_kind=5, seed=4)
    kinds = [lesson.kind for lesson in lessons]
    alone = {"de", "br"}  # kinds that one author alone has
    assert {kind: kinds.count(kind) for kind in WORLDS} == {
        kind: 5 if kind in alone else 12 for kind in WORLDS
    }
    first = [lesson for lesson in lessons if lesson.hand == "first"]
    named = [lesson for lesson in first if lesson.world == lesson.kind]
    assert {lesson.kind for lesson in named} == set(WORLDS)
    assert all(lesson.roughness == Roughness() for lesson in named)
    assert {lesson.hand for lesson in lessons} == {"first", "second", "third"}
    assert {lesson.kind for lesson in lessons if lesson not in named} == set(WORLDS)


def test_worlds_have_names_of_their_own_by_which_they_are_reported():
    lessons = plan_lessons(accounts=600, worlds_per_kind=5, seed=1)
    assert len({lesson.name for lesson in lessons}) == len(lessons)


def test_a_seed_draws_the_same_lessons_and_another_one_others():
    first = plan_lessons(accounts=50, worlds_per_kind=3, seed=4)
    assert plan_lessons(accounts=50, worlds_per_kind=3, seed=4) == first
    others = plan_lessons(accounts=50, worlds_per_kind=3, seed=5)
    assert not {lesson.seed for lesson in first} & {lesson.seed for lesson in others}


def test_more_worlds_leave_the_first_ones_as_they_are():
    few = plan_lessons(accounts=50, worlds_per_kind=2, seed=4)
    many = plan_lessons(accounts=50, worlds_per_kind=4, seed=4)
    assert set(few) <= set(many)


def test_days_and_roughness_vary():
    drawn = [
        each for each in plan_lessons(accounts=50, worlds_per_kind=9, seed=4) if "~" in each.world
    ]
    assert min(each.days for each in drawn) < 45
    assert max(each.days for each in drawn) > 165
    rough = [each.roughness for each in drawn]
    assert 0 < sum(each == Roughness() for each in rough) < len(rough)
    assert any(len(each.lost_columns) == 6 for each in rough)
    assert any(each.cut_accounts and each.kept_accounts < 1 for each in rough)


def test_a_log_that_is_not_rough_stays_as_it_is(log):
    assert roughen(log, Roughness(), seed=1).equals(log)


def test_columns_are_lost(log):
    rough = roughen(log, Roughness(lost_columns=("asn", "profile_id")), seed=1)
    assert set(log.column_names) - set(rough.column_names) == {"asn", "profile_id"}
    assert len(rough) == len(log)


def test_accounts_are_lost_whole(log):
    rough = roughen(log, Roughness(kept_accounts=0.5), seed=1)
    kept = rough["account_id"].unique()
    assert 15 < len(kept) < 45
    assert rough.equals(log.filter(pc.is_in(log["account_id"], kept)))


def test_histories_of_some_accounts_begin_late(log):
    rough = roughen(log, Roughness(cut_accounts=0.5, cut_days=10.0), seed=1)
    before, after = last_days(log), last_days(rough)
    assert set(before) == set(after)
    cut = [account for account in before if after[account] < before[account]]
    assert 15 < len(cut) < 45
    assert all(after[account] <= 10.0 for account in cut)


def test_rows_come_twice_some_seconds_apart(log):
    rough = roughen(log, Roughness(doubled=0.2), seed=1)
    again = rough.slice(len(log))
    assert rough.slice(0, len(log)).equals(log)
    assert 0.15 < len(again) / len(log) < 0.25
    assert rough.schema == log.schema


def test_the_same_seed_roughens_the_same_way(log):
    rough = Roughness(kept_accounts=0.7, cut_accounts=0.3, cut_days=20.0, doubled=0.1)
    assert roughen(log, rough, seed=1).equals(roughen(log, rough, seed=1))
    assert not roughen(log, rough, seed=1).equals(roughen(log, rough, seed=2))
    assert roughen(log, replace(rough, kept_accounts=0.0), seed=1)[
        "account_id"
    ].unique() == pa.array([log["account_id"][0].as_py()])
