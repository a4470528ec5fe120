"""How long until something happens, where some wait to the end without it.

The share to which it has happened by a day is estimated as Kaplan and Meier do (1958): devices that
were not followed so long count for as long as they were. Intervals are 95 % percentile intervals of
a bootstrap over accounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.modeling.resampling import Estimate

__all__ = ["DAYS", "Waiting", "wait"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Days by which shares are told.
DAYS: Final = (7, 14, 31, 60)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long it took.

    Parameters
    ----------
    devices : int
        Followed.
    happened : int
        To how many it happened while they were.
    median : Estimate
        Days until it has happened to half of them; None where it does not come to half, and an
        end of the interval None where half of the resampled do not.
    shares : dict of int to Estimate
        Share to which it has happened by the end of a day; None beyond the days that were followed.
    """

    devices: int
    happened: int
    median: Estimate
    shares: dict[int, Estimate]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "devices": self.devices,
            "happened": self.happened,
            "median": _plain(self.median),
            "shares": {str(day): _plain(share) for day, share in self.shares.items()},
        }


def wait(
    days: Ints, happened: Bools, account: Ints, *, replicates: int = 200, seed: int = 0
) -> Waiting:
    """Estimate how long it takes.

    Parameters
    ----------
    days : int64 array of shape (D,)
        Full days until it happened, or until the device was followed no longer; at least 0.
    happened : bool array of shape (D,)
        Whether it happened then.
    account : int64 array of shape (D,)
        Account of each device.
    replicates : int, default=200
        Resamples of the accounts.
    seed : int, default=0
        Of the resampling.

    Returns
    -------
    Waiting

    Examples
    --------
    Of four devices two are answered on the third day, and one is lost on the first.

    >>> found = wait(
    ...     np.array([3, 3, 1, 9]), np.array([True, True, False, False]), np.arange(4)
    ... )
    >>> round(found.shares[7].value, 3), found.median.value
    (0.667, 3.0)
    """
    if days.size == 0:
        none = Estimate(None, None, None)
        return Waiting(0, 0, none, dict.fromkeys(DAYS, none))
    owner = np.unique(account, return_inverse=True)[1]
    accounts, horizon = int(owner.max()) + 1, int(days.max()) + 1
    cell = owner * horizon + days
    size = accounts * horizon
    events = np.bincount(cell, weights=happened, minlength=size).reshape(accounts, horizon)
    leaving = np.bincount(cell, minlength=size).reshape(accounts, horizon).astype(np.float64)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(accounts, np.full(accounts, 1.0 / accounts), replicates)
    weight = np.vstack([np.ones(accounts), drawn])
    by_day = _share(weight @ events, weight @ leaving)
    reached = by_day >= 0.5
    half = np.where(reached.any(axis=1), reached.argmax(axis=1), np.inf)
    none = Estimate(None, None, None)
    shares = {
        day: Estimate.of(float(by_day[0, day]), by_day[1:, day]) if day < horizon else none
        for day in DAYS
    }
    return Waiting(len(days), int(happened.sum()), _half(half), shares)


def _share(events: Floats, leaving: Floats) -> Floats:
    """Share to which it has happened by each day, shape (draws, days)."""
    at_risk = np.asarray(np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1], dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        stays = np.where(at_risk > 0.0, 1.0 - events / at_risk, 1.0)
    return np.asarray(1.0 - np.cumprod(stays, axis=1), dtype=np.float64)


def _half(days: Floats) -> Estimate:
    def told(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    low, high = np.quantile(days[1:], (0.025, 0.975), method="inverted_cdf")
    return Estimate(told(days[0]), told(low), told(high))


def _plain(found: Estimate) -> dict[str, float | None]:
    return {"value": found.value, "low": found.low, "high": found.high}
