"""How many devices of a population are ``household``, when nobody has labelled any.

Assumes *label shift*: devices of each class look as they did where the model was calibrated, and
only the shares of the classes differ. Then the likelihood of the new share has one maximum, the one
that expectation-maximisation reaches (Saerens, Latinne and Decaestecker, Neural Computation 2002);
it is found here by bisection.

Two things keep the estimate from being read too literally. Among unlabelled devices are those on
which the policy itself is open (students, shared custody, second homes), which the calibration
left out: their share in training is taken off, half of it from either class. And label shift never
holds quite: a difference in log-odds smaller than a stated doubt is not acted upon, and a larger
one by a stated share of what it is larger.

When the two classes look different in the new population, because its networks or habits are, the
estimate is wrong: check the reliability on a labelled sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from household_ml.errors import ParameterError, Problem
from household_ml.modeling.calibration import sigmoid

__all__ = ["DOUBT", "TRUST", "PrevalenceShift", "adapt_to_prevalence", "settled_share"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Log-odds by which the share seems to differ between simulated populations that have the same. [A]
DOUBT = 0.15

#: Share of a difference beyond the doubt that is acted upon. An estimate that misses by as much as
#: populations differ is best taken by half (James and Stein, 1961). [A]
TRUST = 0.5

#: Shares are kept this far from 0 and 1.
_LEAST = 1e-3


@dataclass(frozen=True)
class PrevalenceShift:
    """How the probabilities of one population carry over to another.

    Parameters
    ----------
    delta : float
        What is added to every calibrated log-odds.
    prevalence : float
        Share of ``household`` in the new population that is acted upon, in (0, 1).
    estimated : float
        The share of highest likelihood, before open cases and doubt are taken off, in (0, 1).
    standard_error : float
        Of the estimated share; over accounts where these were told, else as if devices were
        independent, which they are not.
    """

    delta: float
    prevalence: float
    estimated: float
    standard_error: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share acted upon, in (0, 1); from the number of devices alone."""
        spread = self.standard_error / (self.estimated * (1.0 - self.estimated))
        low, high = sigmoid(_logit(self.prevalence) + 1.96 * spread * np.array([-1.0, 1.0]))
        return float(low), float(high)


def adapt_to_prevalence(
    log_odds: npt.ArrayLike,
    *,
    prevalence: float,
    weight: Floats | None = None,
    account: Ints | None = None,
    open_share: float = 0.0,
    doubt: float = 0.0,
    trust: float = 1.0,
    pseudo_devices: float = 50.0,
) -> PrevalenceShift:
    """Estimate how many devices of an unlabelled population are ``household``.

    A prior of ``pseudo_devices`` devices at the old share keeps small populations near it.

    Parameters
    ----------
    log_odds : array-like of shape (D,)
        Calibrated log-odds of the new population's devices.
    prevalence : float
        Share of ``household`` for which they are calibrated, in (0, 1).
    weight : float64 array of shape (D,), optional
        Weights, not negative; 1 when left out.
    account : int64 array of shape (D,), optional
        Account of each device, for the standard error.
    open_share : float, default=0
        Share of devices on which the policy is open, which the calibration left out, in [0, 1).
    doubt : float, default=0
        Log-odds that are not acted upon, not negative; :data:`DOUBT` is a measured one.
    trust : float, default=1
        Share of the difference beyond the doubt that is acted upon, in [0, 1]; :data:`TRUST` is a
        cautious one.
    pseudo_devices : float, default=50
        Weight of the prior, positive.

    Returns
    -------
    PrevalenceShift

    Raises
    ------
    ParameterError
        When a parameter is out of range or a log-odds not finite.

    Examples
    --------
    >>> adapt_to_prevalence([], prevalence=0.9).delta
    0.0
    >>> sure = [-6.0] * 300 + [6.0] * 700
    >>> round(adapt_to_prevalence(sure, prevalence=0.9, pseudo_devices=1e-9).prevalence, 1)
    0.7
    """
    x = np.asarray(log_odds, dtype=np.float64)
    _check(x, prevalence, open_share, doubt, trust, pseudo_devices)
    w = np.ones(x.size) if weight is None else np.asarray(weight, dtype=np.float64)
    p = sigmoid(x)
    density_household = p / prevalence
    density_outside = (1.0 - p) / (1.0 - prevalence)
    difference = density_household - density_outside

    def slope(share: float) -> float:
        mixture = share * density_household + (1.0 - share) * density_outside
        prior = prevalence / share - (1.0 - prevalence) / (1.0 - share)
        return float(w @ (difference / mixture)) + pseudo_devices * prior

    low, high = 1e-9, 1.0 - 1e-9
    for _ in range(100):
        middle = 0.5 * (low + high)
        if slope(middle) > 0:
            low = middle
        else:
            high = middle
    share = 0.5 * (low + high) if x.size else prevalence
    pull = difference / (share * density_household + (1.0 - share) * density_outside)
    prior = prevalence / share**2 + (1.0 - prevalence) / (1.0 - share) ** 2
    information = float(w @ pull**2) + pseudo_devices * prior
    if account is None or x.size == 0:
        error = information**-0.5
    else:
        # sandwich: devices of one account pull the same way
        code = np.unique(account, return_inverse=True)[1]
        together = np.bincount(code, weights=w * pull) ** 2
        error = float((together.sum() + pseudo_devices * prior) ** 0.5 / information)
    delta = trust * _acted_upon(share, prevalence, open_share, doubt) if x.size else 0.0
    moved = float(sigmoid(_logit(prevalence) + delta)) if delta else prevalence
    return PrevalenceShift(delta, moved, share, error)


def settled_share(share: float, open_share: float) -> float:
    """Share of ``household`` where the policy is settled, of a share among all devices.

    Parameters
    ----------
    share : float
        Among all devices, in [0, 1].
    open_share : float
        Share of devices on which the policy is open, in [0, 1); half of them count for each class.

    Returns
    -------
    float
        In (0, 1).

    Examples
    --------
    >>> round(settled_share(0.86, 0.1), 3)
    0.9
    """
    settled = (share - 0.5 * open_share) / (1.0 - open_share)
    return float(np.clip(settled, _LEAST, 1.0 - _LEAST)) if open_share else float(share)


def _acted_upon(share: float, prevalence: float, open_share: float, doubt: float) -> float:
    seen = _logit(settled_share(share, open_share)) - _logit(prevalence)
    return float(np.sign(seen) * max(abs(seen) - doubt, 0.0))


def _logit(probability: float) -> float:
    return float(np.log(probability) - np.log1p(-probability))


def _check(
    x: Floats,
    prevalence: float,
    open_share: float,
    doubt: float,
    trust: float,
    pseudo_devices: float,
) -> None:
    problems = []
    if not 0 < prevalence < 1 or not pseudo_devices > 0 or not np.isfinite(x).all():
        problems.append(
            Problem(
                "prevalence must be in (0, 1), pseudo_devices positive and log_odds finite",
                f"{prevalence}, {pseudo_devices} and {int((~np.isfinite(x)).sum())} not finite",
                "Give the prevalence of the calibration.",
            )
        )
    if not 0 <= open_share < 1 or not doubt >= 0 or not 0 <= trust <= 1:
        problems.append(
            Problem(
                "open_share must be in [0, 1), doubt not negative and trust in [0, 1]",
                f"{open_share}, {doubt} and {trust}",
                "Leave them out for none, and for full trust.",
            )
        )
    if problems:
        raise ParameterError(problems)
