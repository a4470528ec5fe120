"""How long until something happens, where some wait to the end without it."""

from __future__ import annotations

import numpy as np
import pytest

from household_ml.modeling.waiting import DAYS, wait


def test_where_nobody_is_lost_it_is_the_share_so_far() -> None:
    rng = np.random.default_rng(1)
    days = rng.integers(0, 61, 4_000)
    found = wait(days, np.ones(4_000, dtype=bool), np.arange(4_000), replicates=50)
    for day in DAYS:
        assert found.shares[day].value == pytest.approx((days <= day).mean(), abs=1e-6)
    assert found.median.value == np.quantile(days, 0.5, method="inverted_cdf")


def test_who_is_lost_early_counts_for_as_long_as_they_were_followed() -> None:
    rng = np.random.default_rng(2)
    truth = np.floor(rng.exponential(20.0, 20_000)).astype(np.int64)
    lost = rng.integers(0, 61, 20_000)
    happened = truth <= lost
    found = wait(np.minimum(truth, lost), happened, np.arange(20_000), replicates=20)
    naive = (happened & (truth <= 31)).mean()
    share = found.shares[31].value
    assert share is not None
    assert share == pytest.approx((truth <= 31).mean(), abs=0.02)
    assert naive < share - 0.1


def test_by_hand() -> None:
    days = np.array([2, 3, 3, 5, 8, 8])
    happened = np.array([True, False, True, True, False, False])
    found = wait(days, happened, np.arange(6))
    # 5/6 wait on after day 2, 4/5 of these after day 3, 2/3 after day 5
    assert found.shares[7].value == pytest.approx(1 - 5 / 6 * 4 / 5 * 2 / 3, abs=1e-6)
    assert found.median.value == 5
    assert found.shares[14].value is None
    assert (found.devices, found.happened) == (6, 3)


def test_where_half_of_them_never_come_there_is_no_median() -> None:
    happened = np.arange(40) < 8
    found = wait(np.where(happened, 3, 60), happened, np.arange(40))
    assert found.median.value is None
    assert found.shares[60].value == pytest.approx(0.2)


def test_devices_of_one_account_are_not_independent() -> None:
    rng = np.random.default_rng(3)
    days = np.repeat(rng.integers(0, 61, 60), 10)
    every = np.ones(600, dtype=bool)
    together = wait(days, every, np.repeat(np.arange(60), 10)).shares[31]
    apart = wait(days, every, np.arange(600)).shares[31]
    assert together.value == apart.value
    assert None not in (together.low, together.high, apart.low, apart.high)
    assert together.high - together.low > 2 * (apart.high - apart.low)  # type: ignore[operator]


def test_nobody_to_wait_for() -> None:
    nobody = np.zeros(0, dtype=np.int64)
    found = wait(nobody, nobody.astype(bool), nobody)
    assert found.to_dict()["shares"]["7"] == {"value": None, "low": None, "high": None}
