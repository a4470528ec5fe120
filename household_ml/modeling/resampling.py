"""Measuring on accounts drawn again: estimates with intervals, and ranking under any draw.

The class that is looked for is ``outside``. Intervals are 95 % percentile intervals of a bootstrap
over accounts: accounts are drawn with replacement, and their devices come along. The same seed
draws the same accounts for every score, so two scores can be compared draw by draw.

An *operating point* at a rate of false flags is the score above which the most outside devices
are found while at most that share of household devices is. Devices of equal score stand or fall
together; a score that has no operating point at a rate finds nothing there (recall 0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.errors import ParameterError, Problem

__all__ = [
    "RATES",
    "AccountTotals",
    "Devices",
    "Estimate",
    "Ranking",
    "check_scores",
    "estimate",
    "share",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Rates of household false flags at which recall is reported.
RATES = (0.01, 0.005, 0.001)


@compiled
def _rank(
    code: Ints, outside: Bools, weight: Floats, rates: Floats, recall: Floats, cutoff: Ints
) -> float:
    """Average precision; fills recall and cutoff (last flagged code, -1 = none) per rate.

    ``code`` ascends, 0 = most outside. Without both classes all is NaN.
    """
    positives = 0.0
    negatives = 0.0
    for row in range(code.size):
        if outside[row]:
            positives += weight[row]
        else:
            negatives += weight[row]
    for rate in range(rates.size):
        cutoff[rate] = -1
        recall[rate] = 0.0
    if positives == 0.0 or negatives == 0.0:
        for rate in range(rates.size):
            recall[rate] = np.nan
        return np.nan
    found = 0.0
    false = 0.0
    precise = 0.0
    row = 0
    while row < code.size:
        tie = code[row]
        gained = 0.0
        while row < code.size and code[row] == tie:
            if outside[row]:
                gained += weight[row]
            else:
                false += weight[row]
            row += 1
        found += gained
        if gained > 0.0:
            precise += gained / positives * (found / (found + false))
        for rate in range(rates.size):
            if false <= rates[rate] * negatives:
                cutoff[rate] = tie
                recall[rate] = found / positives
    return precise


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval; None where it is not defined.

    Parameters
    ----------
    value : float or None
        On the accounts as they are.
    low, high : float or None
        Percentiles 2.5 and 97.5 over the resampled accounts.
    """

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, value: float, replicates: Floats) -> Estimate:
        """Take the percentiles of the replicates that are defined."""
        defined = replicates[np.isfinite(replicates)]
        if not np.isfinite(value) or defined.size == 0:
            return cls(None if not np.isfinite(value) else round(float(value), 6), None, None)
        low, high = np.percentile(defined, (2.5, 97.5))
        return cls(round(float(value), 6), round(float(low), 6), round(float(high), 6))

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Devices:
    """Labelled devices, those of the headline among them, and their accounts.

    Parameters
    ----------
    outside : bool array of shape (D,)
        The answer.
    account : int64 array of shape (D,)
        Account of each device, as 0..A-1.
    headline : bool array of shape (D,)
        Whether the policy is settled on the device.
    accounts : int
        A.
    """

    outside: Bools
    account: Ints
    headline: Bools
    accounts: int

    @classmethod
    def of(cls, y: Floats, account: Ints, ambiguous: Bools | None) -> tuple[Devices, Bools]:
        """Take what is labelled of D devices; also which these are, a bool array of shape (D,)."""
        labelled = np.isfinite(y)
        owner = np.unique(account[labelled], return_inverse=True)[1].astype(np.int64)
        headline = np.ones(owner.size, bool) if ambiguous is None else ~ambiguous[labelled]
        accounts = int(owner.max()) + 1 if owner.size else 0
        return cls(y[labelled] == 0.0, owner, headline, accounts), labelled

    def draws(self, replicates: int, seed: int) -> list[npt.NDArray[np.int32]]:
        """How often each account is drawn: first as they are, then resampled."""
        rng = np.random.default_rng(seed)
        drawn = [np.ones(self.accounts, dtype=np.int32)]
        for _ in range(replicates):
            chosen = rng.integers(0, self.accounts, self.accounts)
            drawn.append(np.bincount(chosen, minlength=self.accounts).astype(np.int32))
        return drawn

    def honest(self) -> Bools:
        """Accounts with a household device and none outside in the headline, shape (A,)."""
        devices = np.bincount(self.account[self.headline & ~self.outside], minlength=self.accounts)
        strangers = np.bincount(self.account[self.headline & self.outside], minlength=self.accounts)
        return np.asarray((devices > 0) & (strangers == 0))


class Ranking:
    """Devices in the order of a score, ready to be ranked under any draw of accounts.

    Parameters
    ----------
    score : float64 array of shape (D,)
        Higher = more likely outside.
    devices : Devices
        The same D devices.
    rates : sequence of float
        Rates of household false flags.

    Attributes
    ----------
    code : int64 array of shape (D,)
        Rank of each device, 0 = most outside; equal scores share one.
    """

    def __init__(self, score: Floats, devices: Devices, rates: Sequence[float]) -> None:
        self.code = np.unique(-score, return_inverse=True)[1].astype(np.int64)
        rows = np.flatnonzero(devices.headline)
        self.rows = rows[np.argsort(self.code[rows], kind="stable")]
        self.sorted_code = self.code[self.rows]
        self.sorted_outside = devices.outside[self.rows]
        self.sorted_account = devices.account[self.rows]
        self.rates = np.array(rates, dtype=np.float64)

    def under(self, drawn: npt.NDArray[np.int32]) -> tuple[float, Floats, Ints]:
        """Average precision; per rate the recall, and the last code flagged there (-1 = none)."""
        weight = drawn[self.sorted_account].astype(np.float64)
        recall = np.empty(self.rates.size)
        cutoff = np.empty(self.rates.size, dtype=np.int64)
        average = _rank(self.sorted_code, self.sorted_outside, weight, self.rates, recall, cutoff)
        return average, recall, cutoff


class AccountTotals:
    """Sums over devices under every draw, from sums by account."""

    def __init__(self, devices: Devices, drawn: list[npt.NDArray[np.int32]]) -> None:
        self._account = devices.account
        self._accounts = devices.accounts
        self._drawn = drawn

    def of(self, values: npt.NDArray[Any]) -> Floats:
        """Sum of one value per device, shape (1 + replicates,)."""
        by_account = np.bincount(
            self._account, weights=values.astype(np.float64), minlength=self._accounts
        )
        return np.array([float(draw @ by_account) for draw in self._drawn])


def share(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    """Quotient, NaN where the whole is zero or not defined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        answer = np.asarray(part, dtype=np.float64) / np.asarray(whole, dtype=np.float64)
    return np.where(np.isfinite(answer), answer, np.nan)


def estimate(over_draws: Floats) -> Estimate:
    """Estimate from values over draws, of which the first is the accounts as they are."""
    return Estimate.of(float(over_draws[0]), over_draws[1:])


def check_scores(scores: Mapping[str, Floats], labelled: Bools, devices: Devices) -> None:
    """Refuse scores that cannot be ranked, and devices without an answer in the headline.

    Raises
    ------
    ParameterError
        All that is wrong is told together.
    """
    problems = [
        Problem(
            f"score {name} must be finite",
            f"{int((~np.isfinite(score[labelled])).sum())} that are not",
            "State what a missing value means before ranking.",
        )
        for name, score in scores.items()
        if not np.isfinite(score[labelled]).all()
    ]
    if not scores or not devices.headline.any():
        problems.append(
            Problem(
                "evaluation must have a score and a labelled device that is not ambiguous",
                f"{len(scores)} scores and {int(devices.headline.sum())} devices",
                "Give labels for devices of these accounts.",
            )
        )
    if problems:
        raise ParameterError(problems)
