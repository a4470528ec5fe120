"""How networks behave: what is counted, with what error, and since when."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from household_ml.networks import EnrichedSessions, enrich
from household_ml.networks.behaviour import BEHAVIOURS, compare_operators, ratio_by_group
from household_ml.sessions import read_sessions

START = pd.Timestamp("2026-03-01T20:00", tz="UTC")


def plays(
    address: object, days: range, accounts: int = 1, asn: int = 3215, first: int = 0
) -> pd.DataFrame:
    """One session an account and day, at `address(account, day)`."""
    rows = [
        {
            "account_id": f"a{account}",
            "device_id": "tv",
            "started_at": START + pd.Timedelta(days=day, minutes=account),
            "ip": address(account, day),  # type: ignore[operator]
            "asn": asn,
        }
        for account in range(first, first + accounts)
        for day in days
    ]
    return pd.DataFrame(rows)


def enriched(*frames: pd.DataFrame) -> EnrichedSessions:
    return enrich(read_sessions(pd.concat(frames)))


def own(account: int, day: int) -> str:
    return f"90.1.{account}.1"


def test_a_ratio_of_sums_and_its_error_are_those_of_the_book() -> None:
    rng = np.random.default_rng(3)
    account = np.repeat(np.arange(50), 4)
    part, whole = rng.random(200), 1 + rng.random(200)
    accounts, value, error = ratio_by_group(np.zeros(200, np.int64), account, part, whole, 1)
    above, below = (np.bincount(account, each) for each in (part, whole))
    ratio = above.sum() / below.sum()
    residual = above - ratio * below

    assert accounts.tolist() == [50]
    assert value == pytest.approx([ratio])
    assert error == pytest.approx([np.sqrt(50 / 49 * (residual**2).sum()) / below.sum()])


def test_the_error_is_what_drawing_accounts_again_gives() -> None:
    rng = np.random.default_rng(5)
    account = np.repeat(np.arange(300), 3)
    part = np.repeat(rng.random(300) < 0.3, 3).astype(float)
    _, _, error = ratio_by_group(np.zeros(900, np.int64), account, part, np.ones(900), 1)
    again = [part.reshape(300, 3)[rng.integers(0, 300, 300)].mean() for _ in range(800)]

    assert error[0] == pytest.approx(np.std(again), rel=0.1)


def test_groups_are_apart_and_empty_ones_say_nothing() -> None:
    accounts, value, error = ratio_by_group(
        np.array([0, 0, 2]), np.array([1, 2, 1]), np.array([1.0, 0.0, 1.0]), np.ones(3), 3
    )
    assert accounts.tolist() == [2, 0, 1]
    np.testing.assert_array_equal(value, [0.5, np.nan, 1.0])
    assert np.isfinite(error).tolist() == [True, False, False]


def test_a_line_that_changes_every_second_day_changes_half_a_time_a_day() -> None:
    before = enriched(plays(own, range(20), accounts=3))
    after = enriched(plays(lambda account, day: f"90.1.{account}.{day // 2}", range(20, 40), 3))
    found = compare_operators(before, after)["changes_per_day"]

    assert found.asn.tolist() == [3215]
    assert found.accounts.tolist() == [[3, 3]]
    # The step from the last day before to the first day after is one of the twenty.
    assert found.value.tolist() == [[0.0, pytest.approx(10 / 20)]]


def test_a_change_between_the_two_stretches_counts_in_the_later_one() -> None:
    before = enriched(plays(own, range(5)))
    after = enriched(plays(lambda account, day: "90.2.0.1", range(5, 10)))
    found = compare_operators(before, after)["changes_per_day"]

    assert found.value.tolist() == [[0.0, pytest.approx(1 / 5)]]


def test_days_without_a_session_and_other_systems_tell_nothing() -> None:
    before = enriched(plays(own, range(0, 40, 4)), plays(own, range(0, 40, 4), asn=12322))
    found = compare_operators(before, enriched(plays(own, range(41, 50))))["changes_per_day"]

    assert found.accounts[:, 0].tolist() == [0, 0]
    assert np.isnan(found.value[:, 0]).all()


def test_sharing_within_a_day_is_seen_and_later_reuse_is_not() -> None:
    before = enriched(plays(own, range(10), accounts=4))
    after = enriched(
        plays(lambda account, day: f"90.9.0.{account // 2}", range(10, 20), accounts=4),
        plays(own, range(10, 12), accounts=1, first=9),
        plays(lambda account, day: own(9, day), range(15, 17), accounts=1, first=10),
    )
    found = compare_operators(before, after)["shared"]

    assert found.value.tolist() == [[0.0, pytest.approx(40 / 44)]]
    assert str(found.since[0]) == "2026-03-11"


def test_ipv6_is_a_share_of_sessions() -> None:
    v6 = plays(lambda account, day: f"2a01:cb00:{account}::1", range(10, 20), accounts=1)
    before, after = (
        enriched(plays(own, range(10), 2)),
        enriched(v6, plays(own, range(10, 20), 1, first=1)),
    )
    found = compare_operators(before, after)["ipv6"]

    assert found.value.tolist() == [[0.0, 0.5]]


def test_renumbering_is_told_with_its_day_and_is_no_chance() -> None:
    def renumbered(account: int, day: int) -> str:
        return own(account, day) if day < 37 else f"90.77.{account}.1"

    before = enriched(plays(own, range(30), accounts=30))
    found = compare_operators(before, enriched(plays(renumbered, range(30, 60), accounts=30)))
    at_once = found["changed_at_once"]

    assert at_once.value.tolist() == [[0.0, 1.0]]
    assert at_once.accounts.tolist() == [[30, 30]]
    assert at_once.chance[0] < 1e-12
    assert str(at_once.since[0]) == str((START + pd.Timedelta(days=37)).date())


def test_lines_that_change_on_days_of_their_own_are_not_renumbered() -> None:
    def now_and_then(account: int, day: int) -> str:
        return f"90.1.{account}.{(day + 7 * account) // 10}"

    before, after = (
        enriched(plays(now_and_then, days, accounts=40)) for days in (range(40), range(40, 80))
    )
    found = compare_operators(before, after)["changed_at_once"]

    assert found.chance[0] > 0.01


def test_nothing_changed_is_nothing_found() -> None:
    before, after = (enriched(plays(own, days, accounts=5)) for days in (range(9), range(9, 18)))
    found = compare_operators(before, after)

    assert list(found) == list(BEHAVIOURS)
    assert all((behaviour.chance == 1.0).all() for behaviour in found.values())
