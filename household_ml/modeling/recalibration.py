"""What a few labels say about probabilities, when some labels are wrong and few are drawn fairly.

Labels bend a calibration in three ways that are told apart here.

*Wrong labels.* With a share ``wrong`` of labels that say the opposite, even a perfect model finds
that share of contradictions among its surest answers. So labels are taken as the output of a noisy
channel: they say ``household`` with probability ``wrong + (1 - 2 wrong) p`` (as Bootkrajang and
Kaban, ECML 2012, do for logistic regression; the forward correction of Patrini et al., CVPR 2017).
The share is estimated along with the map; sure answers that are contradicted count as wrong labels
and not as over-confidence, since only the former is known to happen.

*Uneven selection.* Devices that somebody complained about, or that were verified, are labelled more
often than others. If the selection goes by class, the labels have another share of households than
the population; shape and order survive, the level does not. So the level of the labels is one
number, and the level of the population another, see :func:`settle_level`.

*Chance.* All numbers are pulled towards what changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from household_ml.modeling.calibration import Calibration, sigmoid

__all__ = ["Recalibration", "fit_recalibration", "mean_level", "settle_level"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Bounds of the slope, and of the share of wrong labels.
_SLOPES = (0.2, 3.0)
_WRONG = (1e-4, 0.25)

#: Spread of the prior around shift 0 and slope 1.
_SHIFT_SPREAD, _SLOPE_SPREAD = 1.5, 0.3

#: Prior of the share of wrong labels: as if one wrong label had been seen among fifty, Beta(2, 50).
_WRONG_SEEN, _RIGHT_SEEN = 1.0, 49.0

#: Log-odds by which a level from unlabelled devices misses: between 0.2 and 1 on simulated worlds,
#: most where histories are long and devices idle. [A]
LEVEL_SPREAD = 0.7

#: Log-odds by which the level of the model that is started from is taken to miss: less than it does
#: on simulated worlds (0.7), since nobody should be worse off for a few labels. [A]
OWN_SPREAD = 0.35


@dataclass(frozen=True)
class Recalibration:
    """A straight line in log-odds, and how often the labels that it was fitted on are wrong.

    Parameters
    ----------
    shift : float
        Log-odds that are added.
    slope : float
        Factor of the log-odds, positive.
    wrong : float
        Share of labels that say the opposite, in (0, 0.25].
    standard_error : float
        Of the shift, over accounts.
    """

    shift: float = 0.0
    slope: float = 1.0
    wrong: float = _WRONG_SEEN / (_WRONG_SEEN + _RIGHT_SEEN)
    standard_error: float = _SHIFT_SPREAD

    def log_odds(self, log_odds: Floats) -> Floats:
        """Log-odds on the line, of the same shape."""
        return self.slope * log_odds + self.shift

    def losses(self, log_odds: Floats, y: Floats) -> Floats:
        """Negative log-likelihood of each label, shape (D,)."""
        said = _said(self.log_odds(log_odds), self.wrong)
        return np.asarray(-np.where(y == 1.0, np.log(said), np.log1p(-said)))

    def map(self, *, level: float, prevalence: float) -> Calibration:
        """Calibration with this slope and another level."""
        return Calibration((0.0,), (level,), (self.slope, self.slope), prevalence)


def fit_recalibration(
    log_odds: Floats,
    y: Floats,
    *,
    weight: Floats | None = None,
    group: Ints | None = None,
    slope: bool = True,
) -> Recalibration:
    """Fit shift, slope and share of wrong labels.

    Parameters
    ----------
    log_odds : float64 array of shape (D,)
        Calibrated log-odds of labelled devices, by a model that has not seen their labels.
    y : float64 array of shape (D,)
        Labels: 1 = household, 0 = outside.
    weight : float64 array of shape (D,), optional
        Weights, not negative; 1 when left out.
    group : int64 array of shape (D,), optional
        Devices of one group are not independent: account, or linked accounts.
    slope : bool, default=True
        Whether the slope may change.

    Returns
    -------
    Recalibration

    Examples
    --------
    Nothing labelled changes nothing.

    >>> empty = np.zeros(0)
    >>> fit_recalibration(empty, empty).log_odds(np.array([-1.0, 2.0])).tolist()
    [-1.0, 2.0]
    """
    from scipy.optimize import minimize

    if y.size == 0:
        return Recalibration()
    w = np.ones(y.size) if weight is None else weight
    spread = np.array([_SHIFT_SPREAD, _SLOPE_SPREAD])
    middle = np.array([0.0, 1.0])

    def loss(parameters: Floats) -> tuple[float, Floats]:
        wrong = parameters[2]
        pulls = _pulls(log_odds, y, parameters)
        said = _said(parameters[0] + parameters[1] * log_odds, wrong)
        value = -float(w @ np.where(y == 1.0, np.log(said), np.log1p(-said)))
        value += 0.5 * float((((parameters[:2] - middle) / spread) ** 2).sum())
        value -= _WRONG_SEEN * np.log(wrong) + _RIGHT_SEEN * np.log1p(-wrong)
        gradient = -(w @ pulls)
        gradient[:2] += (parameters[:2] - middle) / spread**2
        gradient[2] -= _WRONG_SEEN / wrong - _RIGHT_SEEN / (1.0 - wrong)
        return value, gradient

    bounds = [(None, None), _SLOPES if slope else (1.0, 1.0), _WRONG]
    start = np.array([0.0, 1.0, Recalibration.wrong])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    error = _standard_error(log_odds, y, w, group, found)
    return Recalibration(float(found[0]), float(found[1]), float(found[2]), error)


def settle_level(
    labels: Recalibration | None,
    unlabelled: float,
    *,
    selection: float,
    own: float = 0.0,
) -> float:
    """Level of a population, from what labels, unlabelled devices and the model before say.

    The mean of the three, weighted by how far each may be off: the labels by their standard error
    and by how unlike the population they look; the unlabelled devices by :data:`LEVEL_SPREAD`; the
    model that was started from by :data:`OWN_SPREAD`.

    Parameters
    ----------
    labels : Recalibration or None
        Its ``shift`` is the level of the labels; None when they say nothing of it.
    unlabelled : float
        Level at which the population has the share of households that its devices speak for.
    selection : float
        Log-odds by which the labelled devices look unlike the population.
    own : float, default=0
        Level at which the mean probability is that of the model that was started from.

    Returns
    -------
    float

    Examples
    --------
    Labels that are many and drawn fairly decide; those drawn unevenly do not.

    >>> many = Recalibration(shift=0.6, standard_error=0.02)
    >>> round(settle_level(many, 0.1, selection=0.0), 2)
    0.6
    >>> round(settle_level(many, 0.1, selection=-1.1), 2)
    0.06
    """
    said = [(unlabelled, LEVEL_SPREAD**2), (own, OWN_SPREAD**2)]
    if labels is not None:
        said.append((labels.shift, labels.standard_error**2 + selection**2 + 1e-12))
    trust = sum(1.0 / variance for _, variance in said)
    return sum(level / variance for level, variance in said) / trust


def mean_level(log_odds: Floats, share: float) -> float:
    """Log-odds to add so that the mean probability is ``share``.

    Parameters
    ----------
    log_odds : float64 array of shape (D,)
        Of a population.
    share : float
        In (0, 1).

    Returns
    -------
    float

    Examples
    --------
    >>> round(mean_level(np.array([0.0, 0.0]), 0.75), 3)
    1.099
    """
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if float(sigmoid(log_odds + middle).mean()) < share:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _said(log_odds: Floats, wrong: float) -> Floats:
    """Probability that the label says ``household``."""
    return np.asarray(wrong + (1.0 - 2.0 * wrong) * sigmoid(log_odds))


def _pulls(x: Floats, y: Floats, parameters: Floats) -> Floats:
    """Derivative of each label's log-likelihood by shift, slope and share wrong, shape (D, 3)."""
    p = sigmoid(parameters[0] + parameters[1] * x)
    said = parameters[2] + (1.0 - 2.0 * parameters[2]) * p
    outer = (y - said) / (said * (1.0 - said))
    by_level = outer * (1.0 - 2.0 * parameters[2]) * p * (1.0 - p)
    return np.column_stack([by_level, by_level * x, outer * (1.0 - 2.0 * p)])


def _standard_error(
    x: Floats, y: Floats, w: Floats, group: Ints | None, parameters: Floats
) -> float:
    """Of the shift, the slope and the share of wrong labels taken as known; sandwich over groups.

    With few groups the sandwich is too small; it is never less than if devices were independent.
    """
    pull = _pulls(x, y, parameters)[:, 0] * w
    p = sigmoid(parameters[0] + parameters[1] * x)
    said = parameters[2] + (1.0 - 2.0 * parameters[2]) * p
    slope = (1.0 - 2.0 * parameters[2]) * p * (1.0 - p)
    information = float(w @ (slope**2 / (said * (1.0 - said)))) + 1.0 / _SHIFT_SPREAD**2
    code = np.arange(y.size) if group is None else np.unique(group, return_inverse=True)[1]
    meat = float((np.bincount(code, weights=pull) ** 2).sum()) + 1.0 / _SHIFT_SPREAD**2
    return float(np.sqrt(max(meat / information**2, 1.0 / information)))
