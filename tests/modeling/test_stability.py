"""Flips of verdicts, their rate, and how soon answers come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from household_ml.modeling.card_stability import STABILITY, stability_section
from household_ml.modeling.stability import (
    ABSENT,
    EXTRA_MEMBER,
    HOUSEHOLD,
    MONTH_DAYS,
    OUTSIDE,
    UNDETERMINED,
    DailyVerdicts,
    count_flips,
    measure_verdicts,
    stack_verdicts,
)

H, U, OUT, E, X = HOUSEHOLD, UNDETERMINED, OUTSIDE, EXTRA_MEMBER, ABSENT


def flips(*rows: list[int], run_in: int = 0) -> tuple[int, int, int, int]:
    found = count_flips(np.array(rows, dtype=np.int8), np.arange(len(rows)), run_in=run_in)
    return found.withdrawn, found.given_again, found.turned, found.reversed


def test_a_first_answer_is_no_flip_and_every_later_change_is_one() -> None:
    assert flips([X, U, U, H, H, H]) == (0, 0, 0, 0)
    assert flips([H, U, H, OUT, E, E]) == (1, 1, 2, 1)
    assert flips([X, X, OUT, OUT, X, OUT]) == (0, 0, 0, 0)


def test_what_came_before_the_days_counted_is_remembered_but_not_counted() -> None:
    assert flips([H, OUT, U, H, H], run_in=2) == (0, 1, 0, 0)
    assert flips([U, U, U, H, H], run_in=2) == (0, 0, 0, 0)


def test_months_without_an_answer_dilute_one_rate_and_not_the_other() -> None:
    days = np.full((4, 61), U, dtype=np.int8)
    days[0] = H
    days[0, 40:] = OUT
    found = count_flips(days, np.arange(4))
    assert found.answered_months == pytest.approx(60 / MONTH_DAYS, abs=1e-3)
    assert found.device_months == pytest.approx(4 * found.answered_months, abs=1e-2)
    assert found.rate_answered.value == pytest.approx(4 * found.rate.value, rel=1e-5)


def verdicts(rng: np.random.Generator, accounts: int, chance: float) -> np.ndarray:
    """Devices whose verdict is turned on any day with the same chance, three an account."""
    turned = rng.random((3 * accounts, 60)) < chance
    return np.where(turned.cumsum(axis=1) % 2, OUT, H).astype(np.int8)


def test_the_interval_of_flips_apart_is_the_exact_one_of_a_poisson_rate() -> None:
    days = verdicts(np.random.default_rng(5), 400, 1 / 500)
    found = count_flips(days, np.arange(1_200))
    months = 1_200 * 59 / MONTH_DAYS / 1_000
    low = stats.chi2.ppf(0.025, 2 * found.flips) / 2 / months
    high = stats.chi2.ppf(0.975, 2 * found.flips + 2) / 2 / months
    assert found.rate.value == pytest.approx(found.flips / months, abs=1e-5)
    assert found.rate.low == pytest.approx(low, rel=0.05)
    assert found.rate.high == pytest.approx(high, rel=0.05)


def test_flips_of_one_account_together_say_less() -> None:
    days = np.full((600, 60), H, dtype=np.int8)
    days[:40, 30:] = OUT
    apart = count_flips(days, np.arange(600)).rate
    together = count_flips(days, np.arange(600) // 10).rate
    assert together.value == apart.value
    assert together.high is not None
    assert apart.high is not None
    assert together.high > 1.5 * apart.high


def test_no_flip_seen_is_no_proof_of_none() -> None:
    days = np.full((100, 61), H, dtype=np.int8)
    rate = count_flips(days, np.arange(100)).rate
    months = 100 * 60 / MONTH_DAYS
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(-np.log(0.025) / months * 1_000, rel=1e-6)


def test_the_interval_holds_the_rate_it_should() -> None:
    rng = np.random.default_rng(6)
    truth = 1 / 2_000 * MONTH_DAYS * 1_000
    held = 0
    for _ in range(200):
        rate = count_flips(verdicts(rng, 150, 1 / 2_000), np.arange(450) // 3).rate
        assert rate.low is not None
        assert rate.high is not None
        held += rate.low <= truth <= rate.high
    assert held >= 185


@pytest.fixture
def followed() -> DailyVerdicts:
    """Four devices of two accounts over ten scorings."""
    plain = np.array(
        [
            [H, U, H, U, H, U, H, U, H, H],
            [OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT],
            [X, X, U, U, H, H, H, H, H, H],
            [H, H, H, H, U, OUT, OUT, OUT, OUT, OUT],
        ],
        dtype=np.int8,
    )
    carried = plain.copy()
    carried[0] = H
    carried[3, :8] = H
    return DailyVerdicts(
        plain=plain,
        carried=carried,
        account=np.array([0, 0, 1, 1]),
        world=np.full(4, "fr", dtype=object),
        y=np.array([1.0, 0.0, 1.0, 0.0]),
        situation=np.array(["a", "b", "a", "c"], dtype=object),
        ambiguous=np.zeros(4, dtype=bool),
        unchanged=np.array([True, True, True, False]),
        first_day=np.array([-9.0, -9.0, 1.2, -9.0]),
        left_day=np.array([np.nan, np.nan, np.nan, 3.5]),
        simulated=True,
    )


def test_only_unchanged_households_are_held_to_their_verdicts(followed: DailyVerdicts) -> None:
    found = measure_verdicts(followed, replicates=20)["flips"]["all"]
    assert found["plain"]["flips"] == 8
    assert found["carried"]["flips"] == 0
    changed = replace(followed, unchanged=np.array([False, True, True, True]))
    found = measure_verdicts(changed, replicates=20)["flips"]["all"]
    assert (found["plain"]["flips"], found["carried"]["flips"]) == (2, 1)


def test_the_first_answer_is_counted_from_the_first_session(followed: DailyVerdicts) -> None:
    found = measure_verdicts(followed, replicates=20)["first_answer"]
    assert found["household"]["plain"]["median"]["value"] == 2.0
    assert found["household"]["plain"]["right"] == 1.0
    assert found["outside"]["plain"]["devices"] == 0


def test_who_left_is_found_from_the_first_session_after_it(followed: DailyVerdicts) -> None:
    found = measure_verdicts(followed, replicates=20)["left"]
    assert found["plain"]["median"]["value"] == 1.0
    assert found["carried"]["median"]["value"] == 4.0


def test_answers_are_held_against_the_truth(followed: DailyVerdicts) -> None:
    found = measure_verdicts(followed, replicates=20)["answers"]
    assert found["carried"]["outside_called_outside"]["value"] == 1.0
    assert found["carried"]["household_called_outside"]["value"] == 0.0
    assert found["plain"]["answered"]["value"] == 1.0


def test_worlds_are_put_together_with_accounts_of_their_own(followed: DailyVerdicts) -> None:
    other = replace(followed, world=np.full(4, "us", dtype=object), simulated=False)
    both = stack_verdicts([followed, other])
    assert both.account.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert not both.simulated
    one, two = (measure_verdicts(each, replicates=20) for each in (followed, both))
    assert two["flips"]["all"]["plain"]["flips"] == 2 * one["flips"]["all"]["plain"]["flips"]


def test_the_card_tells_it(followed: DailyVerdicts) -> None:
    settings: dict[str, Any] = {
        "days": 9, "run_in": 0, "accounts": 2, "devices": 4, "worlds": ["fr"], "simulated": True,
        "changes_known": True, "settled_days": 31,
        "weeks": {"household": 1, "outside": 3, "withdrawal": 6, "overturn": 9},
    }  # fmt: skip
    found = {"settings": settings, **measure_verdicts(followed, replicates=20)}
    told = stability_section({STABILITY: found})
    assert "2 simulated accounts with 4 devices" in told
    assert "{" not in told
    assert "| answers withdrawn | 4 | 0 |" in told
    head = next(line for line in told.splitlines() if line.startswith("| devices | verdicts"))
    rows = [line for line in told.splitlines() if line.startswith("| devices of the household |")]
    assert {line.count("|") for line in rows} == {head.count("|")}
    assert stability_section({}) == ""
