"""A challenger holds against the champion by requirements that each can fail alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import beta

from household_ml.errors import ParameterError
from household_ml.modeling.contest import (
    Contest,
    Contestant,
    accounts_needed,
    clopper_pearson_lower,
    hold_contest,
)
from household_ml.modeling.thresholds import Bound, Thresholds, clopper_pearson_upper

ACCOUNTS, DEVICES = 600, 4


def bounds(*, rate: float = 0.02, upper: float | None = 0.018) -> tuple[Bound, ...]:
    return tuple(
        Bound(name, rate, 0.95, 1_000, 10, upper)
        for name in ("account_false_flags", "device_false_flags")
    )


CERTIFIED = Thresholds(0.1, 0.9, bounds())

ACCOUNT = np.repeat(np.arange(ACCOUNTS), DEVICES)


@pytest.fixture(scope="module")
def y() -> npt.NDArray[np.float64]:
    """One device of every third account is outside."""
    truth = np.ones(ACCOUNTS * DEVICES)
    truth[:: 3 * DEVICES] = 0.0
    return truth


def probability(y: npt.NDArray[np.float64], *, noise: float, seed: int = 1) -> np.ndarray:
    """Right answers with noise in the log-odds; household devices rarely under the threshold."""
    rng = np.random.default_rng(seed)
    log_odds = np.where(y == 1.0, 4.0, -3.0) + rng.normal(scale=noise, size=y.size)
    return 1.0 / (1.0 + np.exp(-log_odds))


def contestant(
    y: npt.NDArray[np.float64], *, noise: float = 1.0, thresholds: Thresholds = CERTIFIED
) -> Contestant:
    return Contestant(f"noise {noise}", probability(y, noise=noise), thresholds)


def failed(contest: Contest) -> set[str]:
    return {requirement.name for requirement in contest.requirements if not requirement.holds}


def test_the_same_model_holds_against_itself(y: npt.NDArray[np.float64]) -> None:
    contest = hold_contest(contestant(y), contestant(y), y, ACCOUNT, replicates=50)
    assert failed(contest) == set()
    assert contest.holds
    assert contest.counts == {"devices": 2_400, "accounts": 600, "honest_accounts": 400}
    assert "holds  pr_auc no worse: " in contest.to_text()
    assert contest.to_dict()["holds"] is True


def test_a_better_model_holds_and_a_worse_one_does_not(y: npt.NDArray[np.float64]) -> None:
    better, worse = contestant(y, noise=0.5), contestant(y, noise=2.0)
    assert hold_contest(better, worse, y, ACCOUNT, replicates=50).holds
    missed = failed(hold_contest(worse, better, y, ACCOUNT, replicates=50))
    assert {"pr_auc no worse", "recall_at_0.01 no worse", "log_loss no worse"} <= missed


def test_a_loss_within_the_tolerance_is_none(y: npt.NDArray[np.float64]) -> None:
    strict, worse = contestant(y, noise=0.5), contestant(y, noise=0.8)
    assert not hold_contest(worse, strict, y, ACCOUNT, tolerance=0.0, replicates=50).holds
    assert hold_contest(worse, strict, y, ACCOUNT, tolerance=0.5, replicates=50).holds


@pytest.mark.parametrize(
    ("thresholds", "name"),
    [
        (Thresholds(None, 0.9, bounds(upper=None)), "certified account_false_flags"),
        (Thresholds(0.1, 0.9), "certified device_false_flags"),
        (Thresholds(0.1, 0.9, bounds(upper=0.03)), "certified account_false_flags"),
        (
            Thresholds(0.1, 0.9, bounds(rate=0.05, upper=0.04)),
            "bound on account_false_flags not looser",
        ),
        (
            Thresholds(0.1, 0.9, tuple(replace(b, confidence=0.9) for b in bounds())),
            "bound on device_false_flags not looser",
        ),
    ],
)
def test_a_certificate_is_needed_and_is_not_looser(
    y: npt.NDArray[np.float64], thresholds: Thresholds, name: str
) -> None:
    challenger = contestant(y, thresholds=thresholds)
    missed = failed(hold_contest(challenger, contestant(y), y, ACCOUNT, replicates=50))
    assert name in missed
    assert not {each for each in missed if each.endswith("no worse")} - {"called_recall no worse"}


def test_data_that_refute_the_bound_are_heard(y: npt.NDArray[np.float64]) -> None:
    """The certificate says 2 %; here, more than 10 % of the honest accounts are flagged."""
    flags = contestant(y)
    flagged = flags.probability.copy()
    flagged[1 :: 10 * DEVICES] = 0.01
    challenger = replace(flags, probability=flagged)
    missed = failed(hold_contest(challenger, None, y, ACCOUNT, replicates=50))
    assert missed == {"account_false_flags on this data", "device_false_flags on this data"}


def test_devices_with_too_little_history_are_flagged_by_nobody(
    y: npt.NDArray[np.float64],
) -> None:
    flags = contestant(y)
    flagged = flags.probability.copy()
    flagged[1 :: 10 * DEVICES] = 0.01
    unseen = np.zeros(y.size, dtype=bool)
    unseen[1 :: 10 * DEVICES] = True
    challenger = replace(flags, probability=flagged)
    assert hold_contest(challenger, None, y, ACCOUNT, unseen=unseen, replicates=50).holds


def test_a_bound_needs_so_many_accounts(y: npt.NDArray[np.float64]) -> None:
    few = ACCOUNT < 120
    assert accounts_needed(0.02, 0.95) == 149
    contest = hold_contest(
        Contestant("few", contestant(y).probability[few], CERTIFIED),
        None,
        y[few],
        ACCOUNT[few],
        replicates=50,
    )
    assert failed(contest) == {"honest accounts"}
    assert "honest accounts: 80, needed 149 for 2.000%" in contest.to_text()


def test_a_situation_that_is_wronged_more_is_enough(y: npt.NDArray[np.float64]) -> None:
    """Few devices in all, so that the whole looks fine, but nearly all of one situation."""
    situation = np.full(y.size, "resident_fixed", dtype=object)
    travelling = np.flatnonzero(y == 1.0)[:60]
    situation[travelling] = "resident_travelling"
    champion = contestant(y)
    loose = Thresholds(0.1, 0.9, bounds(rate=0.2, upper=0.1))
    wronged = champion.probability.copy()
    wronged[travelling[::2]] = 0.05
    challenger = Contestant("wrongs", wronged, loose)
    contest = hold_contest(
        challenger,
        replace(champion, thresholds=loose),
        y,
        ACCOUNT,
        situation=situation,
        tolerance=0.1,
        replicates=50,
    )
    assert "called outside in resident_travelling" in failed(contest)
    assert "called outside in resident_fixed" not in failed(contest)
    hidden = hold_contest(
        challenger,
        replace(champion, thresholds=loose),
        y,
        ACCOUNT,
        situation=np.full(y.size, ""),
        tolerance=0.1,
        replicates=50,
    )
    assert not {each for each in failed(hidden) if each.startswith("called outside")}


def test_where_there_is_no_champion_the_certificate_decides(y: npt.NDArray[np.float64]) -> None:
    contest = hold_contest(contestant(y), None, y, ACCOUNT, replicates=50)
    assert contest.holds
    assert contest.champion is None
    assert "against no champion" in contest.to_text()


def test_the_same_seed_decides_the_same(y: npt.NDArray[np.float64]) -> None:
    one, two = (
        hold_contest(contestant(y, noise=0.9), contestant(y), y, ACCOUNT, replicates=50, seed=4)
        for _ in range(2)
    )
    assert one.to_dict() == two.to_dict()


def test_nothing_labelled_is_no_contest(y: npt.NDArray[np.float64]) -> None:
    with pytest.raises(ParameterError, match="must have a score and a labelled device"):
        hold_contest(contestant(y), None, np.full(y.size, np.nan), ACCOUNT)


@pytest.mark.parametrize(("errors", "units"), [(0, 10), (1, 50), (7, 100), (100, 100)])
def test_the_lower_limit_is_that_of_the_beta_quantile(errors: int, units: int) -> None:
    expected = beta.ppf(0.05, errors, units - errors + 1) if errors else 0.0
    assert clopper_pearson_lower(errors, units) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("rate", [0.01, 0.005, 0.001])
def test_so_many_accounts_without_an_error_certify(rate: float) -> None:
    needed = accounts_needed(rate, 0.95)
    assert clopper_pearson_upper(0, needed) <= rate < clopper_pearson_upper(0, needed - 1)
