"""Two thresholds on the probability, chosen under stated bounds, or none at all.

A device is called ``outside`` at or below ``outside_at`` and ``household`` at or above
``household_at``; in between nothing is said. Both are chosen on calibration accounts that the
trees have not seen, along a grid of log-odds fixed beforehand, from the strictest candidate
onwards and only as long as the bound holds. Because the walk stops at the first failure, the
confidence holds for the threshold that is returned, however many candidates were tried
(fixed-sequence testing, as in Learn Then Test: Angelopoulos, Bates, Candes, Jordan and Lei, 2021).
Each bound holds at its confidence by itself, for accounts drawn from the population of the
calibration accounts; on another population a threshold drifts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.errors import ModelFormatError, ParameterError, Problem
from household_ml.modeling.calibration import Calibration, sigmoid

__all__ = [
    "Bound",
    "ThresholdConfig",
    "Thresholds",
    "choose_thresholds",
    "clopper_pearson_upper",
    "clustered_upper",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Candidates, in raw log-odds; fixed before any data is seen.
GRID: Floats = np.round(np.arange(-400, 401) * 0.04, 2)


@dataclass(frozen=True, slots=True)
class ThresholdConfig:
    """What the two thresholds must hold.

    Parameters
    ----------
    account_rate : float, default=0.01
        At most this share of honest accounts (all labelled devices are household) has any device
        called ``outside``.
    device_rate : float, default=0.01
        At most this share of household devices is called ``outside``.
    household_error : float, default=0.05
        At most this share of the devices called ``household`` is outside.
    confidence : float, default=0.95
        Of each bound, in (0, 1).
    """

    account_rate: float = 0.01
    device_rate: float = 0.01
    household_error: float = 0.05
    confidence: float = 0.95

    def __post_init__(self) -> None:
        wrong = [name for name, value in asdict(self).items() if not 0 < value < 1]
        if wrong:
            raise ParameterError(
                [
                    Problem(
                        f"{name} must be between 0 and 1",
                        repr(getattr(self, name)),
                        "Give a share, such as 0.01.",
                    )
                    for name in wrong
                ]
            )


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound and what was seen when it was certified.

    Parameters
    ----------
    name : str
        ``account_false_flags``, ``device_false_flags`` or ``household_error``.
    rate : float
        What must not be exceeded.
    confidence : float
        With which it holds.
    units : int
        Accounts or devices counted.
    errors : int
        Of these, wrongly called.
    upper : float or None
        Upper confidence limit of the error rate at the chosen threshold; None when no threshold
        qualifies, then ``errors`` is the count at the strictest candidate.
    """

    name: str
    rate: float
    confidence: float
    units: int
    errors: int
    upper: float | None


@dataclass(frozen=True)
class Thresholds:
    """Where the answers begin.

    Parameters
    ----------
    outside_at : float or None
        At or below this probability a device is called ``outside``; None = nobody ever is.
    household_at : float or None
        At or above this probability a device is called ``household``; None = nobody ever is.
    bounds : tuple of Bound
        What was certified.

    Raises
    ------
    ModelFormatError
        When the two are out of [0, 1] or ``outside_at`` is not below ``household_at``.

    Examples
    --------
    >>> Thresholds(outside_at=0.02, household_at=0.8).calls(np.array([0.01, 0.5, 0.9])).tolist()
    [-1, 0, 1]
    >>> Thresholds(outside_at=None, household_at=0.8).calls(np.array([0.01, 0.5, 0.9])).tolist()
    [0, 0, 1]
    """

    outside_at: float | None
    household_at: float | None
    bounds: tuple[Bound, ...] = ()

    def __post_init__(self) -> None:
        given = [value for value in (self.outside_at, self.household_at) if value is not None]
        ordered = len(given) < 2 or given[0] < given[1]
        if not ordered or not all(0 <= value <= 1 for value in given):
            raise ModelFormatError(
                Problem(
                    "thresholds must be probabilities, the lower one below the upper one",
                    f"{self.outside_at} and {self.household_at}",
                    "Choose them again.",
                )
            )

    def calls(self, probability: Floats) -> npt.NDArray[np.int8]:
        """-1 = outside, 0 = nothing said, 1 = household; NaN gives 0. Same shape."""
        answer = np.zeros(np.shape(probability), dtype=np.int8)
        if self.outside_at is not None:
            answer[probability <= self.outside_at] = -1
        if self.household_at is not None:
            answer[probability >= self.household_at] = 1
        return answer

    def shifted(self, delta: float) -> Thresholds:
        """Thresholds that call the same devices after all log-odds moved by ``delta``.

        Under label shift devices of either class are called as before. So the bounds on false
        flags, which are shares of household devices and of honest accounts, stay as they were
        certified. The bound on ``household_error`` is a share of the devices called ``household``:
        its odds fall as those of the share of households rise, and it is carried over so.

        Parameters
        ----------
        delta : float
            Log-odds that were added; the change in the log-odds of the share of households.

        Returns
        -------
        Thresholds

        Examples
        --------
        >>> before = Thresholds(0.5, 0.8, (Bound("household_error", 0.05, 0.95, 400, 9, 0.04),))
        >>> after = before.shifted(-1.0)  # fewer households than where it was certified
        >>> round(after.household_at, 3), round(after.bounds[0].rate, 3)
        (0.595, 0.125)
        """

        def moved(value: float | None, by: float) -> float | None:
            if value is None or value in (0.0, 1.0):
                return value
            return float(sigmoid(np.log(value) - np.log1p(-value) + by))

        def carried(bound: Bound) -> Bound:
            if bound.name != "household_error":
                return bound
            rate = moved(bound.rate, -delta)
            return replace(
                bound, rate=bound.rate if rate is None else rate, upper=moved(bound.upper, -delta)
            )

        return Thresholds(
            moved(self.outside_at, delta),
            moved(self.household_at, delta),
            tuple(carried(bound) for bound in self.bounds),
        )

    def why_none(self) -> tuple[str, ...]:
        """Why an answer is never given, a sentence for each bound that could not be certified.

        Examples
        --------
        >>> few = Bound("account_false_flags", 0.01, 0.95, 120, 0, None)
        >>> print(Thresholds(None, 0.8, (few,)).why_none()[0])
        No device is called outside: with 120 honest accounts labelled, of which 0 would be \
flagged at the strictest candidate, no false-flag rate of 1% can be certified at 95% confidence; \
without an error that takes 299.
        """
        missing = {"household": self.household_at is None, "outside": self.outside_at is None}
        told = []
        for bound in self.bounds:
            answer = "household" if bound.name == "household_error" else "outside"
            if bound.upper is None and missing[answer] and not _certifiable(bound):
                told.append(f"No device is called {answer}: {_uncertified(bound)}.")
        return tuple(told)

    def to_dict(self) -> dict[str, Any]:
        """Plain values from which :meth:`from_dict` makes equal thresholds."""
        return {
            "outside_at": self.outside_at,
            "household_at": self.household_at,
            "bounds": [asdict(bound) for bound in self.bounds],
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Thresholds:
        """Read what :meth:`to_dict` gave."""
        bounds = tuple(Bound(**bound) for bound in given["bounds"])
        outside_at, household_at = given["outside_at"], given["household_at"]
        return cls(
            outside_at=None if outside_at is None else float(outside_at),
            household_at=None if household_at is None else float(household_at),
            bounds=bounds,
        )


def _certifiable(bound: Bound) -> bool:
    """Whether this bound was not what stood in the way."""
    limit = clopper_pearson_upper(bound.errors, bound.units, confidence=bound.confidence)
    return bool(limit <= bound.rate)


def _uncertified(bound: Bound) -> str:
    needed = int(np.ceil(np.log(1.0 - bound.confidence) / np.log1p(-bound.rate)))
    rate = f"{100 * bound.rate:.3g}%"
    sure = f"{bound.confidence:.0%} confidence"
    if bound.name == "household_error":
        return (
            f"with {bound.units} labelled devices that would be called so, {bound.errors} of them "
            f"outside, no share of errors of {rate} can be certified at {sure}"
        )
    counted = "honest accounts" if bound.name == "account_false_flags" else "household devices"
    enough = f"; without an error that takes {needed}" if bound.units < needed else ""
    return (
        f"with {bound.units} {counted} labelled, of which {bound.errors} would be flagged at the "
        f"strictest candidate, no false-flag rate of {rate} can be certified at {sure}{enough}"
    )


def clopper_pearson_upper(
    errors: npt.ArrayLike, units: npt.ArrayLike, *, confidence: float = 0.95
) -> Floats:
    """Exact one-sided upper confidence limit of a share (Clopper and Pearson, 1934).

    Parameters
    ----------
    errors : array-like of int
        Errors seen.
    units : array-like of int
        Units counted; with none the limit is 1.
    confidence : float, default=0.95
        In (0, 1).

    Returns
    -------
    float64 array
        In [0, 1].

    Examples
    --------
    With no error seen, 95 % needs 299 accounts for 1 %.

    >>> bool(clopper_pearson_upper(0, 298) > 0.01), bool(clopper_pearson_upper(0, 299) <= 0.01)
    (True, True)
    """
    from scipy.special import betaincinv

    k = np.asarray(errors, dtype=np.float64)
    n = np.asarray(units, dtype=np.float64)
    full = k >= n
    limit = betaincinv(np.where(full, 1.0, k + 1.0), np.where(full, 1.0, n - k), confidence)
    return np.asarray(np.where(full, 1.0, limit), dtype=np.float64)


def clustered_upper(errors: Ints, units: Ints, *, confidence: float = 0.95) -> float:
    """Upper confidence limit of a share of devices when devices come in accounts.

    The exact limit at an effective sample size, the number of devices over the design effect that
    the accounts show, at least 1 (Korn and Graubard, Survey Methodology 1998). An approximation,
    unlike :func:`clopper_pearson_upper` over accounts.

    Parameters
    ----------
    errors : int64 array of shape (A,)
        Errors by account.
    units : int64 array of shape (A,)
        Devices by account.
    confidence : float, default=0.95
        In (0, 1).

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> ones = np.ones(500, dtype=np.int64)
    >>> clustered_upper(0 * ones, ones) == float(clopper_pearson_upper(0, 500))
    True
    """
    total = float(units.sum())
    if total == 0:
        return 1.0
    share = float(errors.sum()) / total
    independent = share * (1.0 - share) * total
    design = float(((errors - share * units) ** 2).sum()) / independent if independent > 0 else 1.0
    effective = total / max(design, 1.0)
    return float(clopper_pearson_upper(share * effective, effective, confidence=confidence))


def choose_thresholds(
    log_odds: Floats,
    y: Floats,
    account: Ints,
    calibration: Calibration,
    *,
    ambiguous: Bools | None = None,
    unseen: Bools | None = None,
    config: ThresholdConfig | None = None,
) -> Thresholds:
    """Choose both thresholds on calibration accounts, or say that none qualifies.

    ``outside_at`` is the highest candidate at which, with all stricter ones, the upper limits of
    both false-flag rates are within their bounds. ``household_at`` is the lowest candidate above
    it at which, with all stricter ones, the upper limit of ``household_error`` is within its
    bound; the walk starts where enough devices (without looking at their labels) lie above to
    certify anything.

    Parameters
    ----------
    log_odds : float64 array of shape (D,)
        Raw log-odds of the calibration accounts' devices.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unknown (not counted).
    account : int64 array of shape (D,)
        Account of each device.
    calibration : Calibration
        Turns the candidates into probabilities.
    ambiguous : bool array of shape (D,), optional
        Devices on which the policy itself is open: not counted.
    unseen : bool array of shape (D,), optional
        Devices with too little history, on which nothing is ever said: they count as not flagged.
    config : ThresholdConfig, optional
        The bounds.

    Returns
    -------
    Thresholds

    Examples
    --------
    Eight accounts can certify nothing.

    >>> few = choose_thresholds(
    ...     np.array([4.0] * 7 + [-4.0]),
    ...     np.array([1.0] * 7 + [0.0]),
    ...     np.arange(8),
    ...     Calibration.identity(),
    ... )
    >>> few.outside_at, few.household_at
    (None, None)
    """
    bounds = config or ThresholdConfig()
    counted = np.isfinite(y)
    if ambiguous is not None:
        counted &= ~ambiguous
    x = np.where(unseen, np.inf, log_odds) if unseen is not None else log_odds
    x, truth = x[counted], y[counted] == 1.0
    owner = np.unique(account[counted], return_inverse=True)[1]
    outside_at, certificates = _outside_from(x, truth, owner, bounds)
    said = np.isfinite(x)
    household_at, certificate = _household_from(
        x[said], truth[said], owner[said], outside_at, bounds
    )

    def probability(candidate: float | None) -> float | None:
        return None if candidate is None else float(calibration.probability(candidate))

    return Thresholds(
        probability(outside_at), probability(household_at), (*certificates, certificate)
    )


def _outside_from(
    x: Floats, household: Bools, owner: Ints, config: ThresholdConfig
) -> tuple[float | None, tuple[Bound, Bound]]:
    accounts = int(owner.max()) + 1 if owner.size else 0
    dishonest = np.zeros(accounts, dtype=bool)
    dishonest[owner[~household]] = True
    weakest = np.full(accounts, np.inf)
    np.minimum.at(weakest, owner[household], x[household])
    honest = np.sort(weakest[~dishonest])
    flagged_accounts = np.searchsorted(honest, GRID, side="right")
    account_upper = clopper_pearson_upper(
        flagged_accounts, honest.size, confidence=config.confidence
    )
    devices = np.bincount(owner[household], minlength=accounts)
    chosen = -1
    device_upper = device_errors = None
    for candidate in range(GRID.size):
        if account_upper[candidate] > config.account_rate:
            break
        errors = np.bincount(owner[household & (x <= GRID[candidate])], minlength=accounts)
        limit = clustered_upper(errors, devices, confidence=config.confidence)
        if limit > config.device_rate:
            break
        chosen, device_upper, device_errors = candidate, limit, int(errors.sum())
    at = max(chosen, 0)
    if device_errors is None:
        device_errors = int((x[household] <= GRID[0]).sum())
    certificates = (
        Bound(
            "account_false_flags",
            config.account_rate,
            config.confidence,
            int(honest.size),
            int(flagged_accounts[at]),
            float(account_upper[chosen]) if chosen >= 0 else None,
        ),
        Bound(
            "device_false_flags",
            config.device_rate,
            config.confidence,
            int(devices.sum()),
            device_errors,
            device_upper,
        ),
    )
    return (float(GRID[chosen]) if chosen >= 0 else None), certificates


def _household_from(
    x: Floats, household: Bools, owner: Ints, outside_at: float | None, config: ThresholdConfig
) -> tuple[float | None, Bound]:
    accounts = int(owner.max()) + 1 if owner.size else 0
    # four times what certifies the bound without an error, so that a single error is no verdict
    needed = 4.0 * np.log(1.0 - config.confidence) / np.log(1.0 - config.household_error)
    chosen: tuple[float, int, int, float] | None = None
    start = (0, 0)
    for candidate in GRID[::-1].tolist():
        if outside_at is not None and candidate <= outside_at:
            break
        above = x >= candidate
        called = int(above.sum())
        if called < needed:
            continue
        units = np.bincount(owner[above], minlength=accounts)
        errors = np.bincount(owner[above & ~household], minlength=accounts)
        limit = clustered_upper(errors, units, confidence=config.confidence)
        start = start if start[0] else (called, int(errors.sum()))
        if limit > config.household_error:
            break
        chosen = (candidate, called, int(errors.sum()), limit)
    _, units_seen, errors_seen, limit_seen = chosen or (0.0, *start, None)
    certificate = Bound(
        "household_error",
        config.household_error,
        config.confidence,
        units_seen,
        errors_seen,
        limit_seen,
    )
    return (chosen[0] if chosen else None), certificate
