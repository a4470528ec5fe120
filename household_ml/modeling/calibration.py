"""From log-odds to a probability that means what it says, and never turns an order around.

The map is piecewise linear in log-odds with positive slopes, so it is strictly increasing: more
evidence of being at home can never lower the probability. It is fitted by maximum likelihood on
accounts the trees have not seen, and pulled towards the identity, so that few accounts change
little and many speak for themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.errors import ModelFormatError, ParameterError, Problem

__all__ = ["Calibration", "calibrated", "fit_calibration", "probability_of", "sigmoid"]

Floats = npt.NDArray[np.float64]

#: Slopes stay within these bounds: strictly increasing, and no cliff.
SLOPES = (0.05, 4.0)


def sigmoid(log_odds: npt.ArrayLike) -> Floats:
    """Probability of log-odds, without overflow.

    Examples
    --------
    >>> sigmoid([-1000.0, 0.0, 1000.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    x = np.asarray(log_odds, dtype=np.float64)
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, small) / (1.0 + small), dtype=np.float64)


@compiled
def probability_of(x: float) -> float:
    """Probability of one log-odds, without overflow; callable from other compiled functions."""
    small: float = np.exp(-abs(x))
    return (1.0 if x >= 0 else small) / (1.0 + small)


@compiled
def calibrated(x: float, knots: Floats, levels: Floats, below: float, above: float) -> Any:
    """Calibrated log-odds of one raw log-odds; callable from other compiled functions.

    Parameters
    ----------
    x : float
        Raw log-odds.
    knots, levels : float64 array of shape (K,)
        As of :class:`Calibration`.
    below, above : float
        Its slopes below the first and above the last knot.

    Returns
    -------
    float
    """
    last = knots.size - 1
    if not x < knots[last]:
        return levels[last] + (x - knots[last]) * above
    if x <= knots[0]:
        return levels[0] + (x - knots[0]) * below
    place = 0
    while knots[place + 1] <= x:
        place += 1
    slope = (levels[place + 1] - levels[place]) / (knots[place + 1] - knots[place])
    return levels[place] + slope * (x - knots[place])


@compiled
def _calibrate(x: Floats, knots: Floats, levels: Floats, below: float, above: float) -> Floats:
    found = np.empty(x.size)
    for i in range(x.size):
        found[i] = calibrated(x[i], knots, levels, below, above)
    return found


@dataclass(frozen=True)
class Calibration:
    """A strictly increasing, piecewise linear map of log-odds.

    Parameters
    ----------
    knots : tuple of K floats
        Log-odds at which the slope changes, increasing; K at least 1.
    levels : tuple of K floats
        Calibrated log-odds at the knots, increasing.
    slopes : tuple of two floats
        Slope below the first and above the last knot, positive.
    prevalence : float
        Share of ``household`` among the devices it was fitted on, in (0, 1).

    Raises
    ------
    ModelFormatError
        When the map is not strictly increasing or not finite.

    Examples
    --------
    >>> double = Calibration(knots=(0.0,), levels=(0.0,), slopes=(2.0, 2.0), prevalence=0.9)
    >>> double.log_odds(np.array([-1.0, 0.5])).tolist()
    [-2.0, 1.0]
    """

    knots: tuple[float, ...]
    levels: tuple[float, ...]
    slopes: tuple[float, float]
    prevalence: float

    def __post_init__(self) -> None:
        numbers = np.array([*self.knots, *self.levels, *self.slopes, self.prevalence])
        if (
            len(self.knots) == 0
            or len(self.knots) != len(self.levels)
            or not np.isfinite(numbers).all()
            or np.any(np.diff(self.knots) <= 0)
            or np.any(np.diff(self.levels) <= 0)
            or min(self.slopes) <= 0
            or not 0 < self.prevalence < 1
        ):
            raise ModelFormatError(
                Problem(
                    "calibration must be strictly increasing and finite",
                    f"knots {self.knots}, levels {self.levels}, slopes {self.slopes}, "
                    f"prevalence {self.prevalence}",
                    "Fit it again.",
                )
            )

    @classmethod
    def identity(cls, prevalence: float = 0.5) -> Calibration:
        """Make the map that changes nothing."""
        return cls((0.0,), (0.0,), (1.0, 1.0), prevalence)

    def log_odds(self, log_odds: npt.ArrayLike) -> Floats:
        """Calibrated log-odds of raw ones, of the same shape."""
        x = np.asarray(log_odds, dtype=np.float64)
        found: Floats = _calibrate(
            x.ravel(), np.array(self.knots), np.array(self.levels), *self.slopes
        ).reshape(x.shape)
        return found

    def probability(self, log_odds: npt.ArrayLike) -> Floats:
        """Calibrated probability of ``household`` of raw log-odds, of the same shape."""
        return sigmoid(self.log_odds(log_odds))

    def raw(self, log_odds: npt.ArrayLike) -> Floats:
        """Raw log-odds of calibrated ones: the inverse of :meth:`log_odds`, a map of its kind."""
        back = 1.0 / self.slopes[0], 1.0 / self.slopes[1]
        return Calibration(self.levels, self.knots, back, self.prevalence).log_odds(log_odds)

    def shifted(self, delta: float, *, prevalence: float) -> Calibration:
        """Move the map ``delta`` log-odds up, for a population of another prevalence."""
        levels = tuple(level + delta for level in self.levels)
        return Calibration(self.knots, levels, self.slopes, prevalence)

    def then(self, after: Calibration) -> Calibration:
        """Apply this map first and another one to its result, as one map."""
        knots = np.unique(np.concatenate([self.knots, self.raw(np.array(after.knots))]))
        knots = knots[np.append(True, np.diff(knots) > 1e-9)]
        levels = after.log_odds(self.log_odds(knots))
        return Calibration(
            knots=tuple(knots.tolist()),
            levels=tuple(levels.tolist()),
            slopes=(self.slopes[0] * after.slopes[0], self.slopes[1] * after.slopes[1]),
            prevalence=after.prevalence,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers from which :meth:`from_dict` makes an equal map."""
        return {
            "knots": list(self.knots),
            "levels": list(self.levels),
            "slopes": list(self.slopes),
            "prevalence": self.prevalence,
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Calibration:
        """Read what :meth:`to_dict` gave."""
        low, high = (float(slope) for slope in given["slopes"])
        return cls(
            knots=tuple(float(knot) for knot in given["knots"]),
            levels=tuple(float(level) for level in given["levels"]),
            slopes=(low, high),
            prevalence=float(given["prevalence"]),
        )


def fit_calibration(
    log_odds: Floats,
    y: Floats,
    *,
    weight: Floats | None = None,
    segments: int = 8,
    strength: float = 4.0,
) -> Calibration:
    """Fit the map on devices of accounts that the trees have not seen.

    Maximum likelihood of the slopes and the level, with two quadratic penalties of ``strength``:
    of slopes away from 1 and of jumps between neighbouring slopes. One unit of strength weighs
    about as much as four undecided devices one log-odds away from the centre.

    Parameters
    ----------
    log_odds : float64 array of shape (D,)
        Raw log-odds.
    y : float64 array of shape (D,)
        1 = household, 0 = outside.
    weight : float64 array of shape (D,), optional
        Weights, not negative; 1 when left out.
    segments : int, default=8
        Pieces of the map, at quantiles of ``log_odds`` taken evenly from both classes.
    strength : float, default=4
        Pull towards the identity, not negative.

    Returns
    -------
    Calibration

    Raises
    ------
    ParameterError
        When there is no device, or a value is out of range.
    """
    from scipy.optimize import minimize

    x = np.asarray(log_odds, dtype=np.float64)
    target = np.asarray(y, dtype=np.float64)
    w = np.ones(x.size) if weight is None else np.asarray(weight, dtype=np.float64)
    _check_fit(x, target, w, segments, strength)
    knots = _knots(x, target, segments)
    centre = knots[knots.size // 2]
    edges = np.concatenate([[-np.inf], knots, [np.inf]])
    # column j: how far x lies inside segment j, counted from the centre
    basis = np.clip(x[:, None], edges[:-1], edges[1:]) - np.clip(centre, edges[:-1], edges[1:])
    design = np.column_stack([np.ones(x.size), basis])

    def loss(parameters: Floats) -> tuple[float, Floats]:
        g = design @ parameters
        slopes = parameters[1:]
        jumps = np.diff(slopes)
        value = float(w @ (np.logaddexp(0.0, g) - target * g))
        value += strength * float(((slopes - 1.0) ** 2).mean() + (jumps**2).mean())
        gradient = design.T @ (w * (sigmoid(g) - target))
        gradient[1:] += strength * 2.0 * (slopes - 1.0) / slopes.size
        gradient[1:-1] -= strength * 2.0 * jumps / jumps.size
        gradient[2:] += strength * 2.0 * jumps / jumps.size
        gradient[0] += strength * (parameters[0] - centre) / 4.0
        value += strength * float((parameters[0] - centre) ** 2) / 8.0
        return value, gradient

    start = np.concatenate([[centre], np.ones(edges.size - 1)])
    bounds = [(None, None), *[SLOPES] * (edges.size - 1)]
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}
    )
    level, slopes = found.x[0], found.x[1:]
    steps = slopes[1:-1] * np.diff(knots)
    levels = np.concatenate([[0.0], np.cumsum(steps)])
    levels += level - levels[knots.size // 2]
    prevalence = float((w @ target + 0.5) / (w.sum() + 1.0))
    return Calibration(
        knots=tuple(knots.tolist()),
        levels=tuple(levels.tolist()),
        slopes=(float(slopes[0]), float(slopes[-1])),
        prevalence=prevalence,
    )


def _knots(x: Floats, y: Floats, segments: int) -> Floats:
    """Inner edges: quantiles of a mixture in which both classes weigh the same."""
    household = max(float(y.sum()), 1e-12)
    outside = max(float((1.0 - y).sum()), 1e-12)
    mass = y / household + (1.0 - y) / outside
    order = np.argsort(x, kind="stable")
    share = np.cumsum(mass[order]) / mass.sum()
    wanted = np.linspace(0.0, 1.0, segments + 1)[1:-1]
    at = np.minimum(np.searchsorted(share, wanted), x.size - 1)
    quantiles = x[order][at]
    kept = [float(quantiles[0])]
    for quantile in quantiles[1:].tolist():
        if quantile - kept[-1] > 1e-3:
            kept.append(quantile)
    return np.array(kept)


def _check_fit(x: Floats, y: Floats, w: Floats, segments: int, strength: float) -> None:
    problems = []
    if x.size == 0 or w.sum() <= 0:
        problems.append(
            Problem("calibration must see at least one device", "none", "Give more accounts.")
        )
    if x.shape != y.shape or x.shape != w.shape:
        problems.append(
            Problem(
                "log_odds, y and weight must have one shape",
                f"{x.shape}, {y.shape} and {w.shape}",
                "Give one value per device.",
            )
        )
    if not np.isfinite(x).all() or not np.isin(y, (0.0, 1.0)).all() or np.any(~(w >= 0)):
        problems.append(
            Problem(
                "log_odds must be finite, y 0 or 1, weight not negative",
                "other values",
                "Leave devices without a label out.",
            )
        )
    if segments < 2 or not strength >= 0:
        problems.append(
            Problem(
                "segments must be at least 2 and strength not negative",
                f"{segments} and {strength}",
                "Use the defaults.",
            )
        )
    if problems:
        raise ParameterError(problems)
