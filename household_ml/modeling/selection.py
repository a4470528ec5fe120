"""Whether labelled devices look like the others, before anything is concluded from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.modeling.calibration import sigmoid
from household_ml.modeling.prevalence import adapt_to_prevalence

__all__ = ["Selection", "compare_labelled"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Household devices that are labelled may be this much surer than all of them, and still certify.
_EASIEST = 0.5

#: Log-odds by which labels differ from the population before anything is seen of it. [A]
_USUAL = 0.7


@dataclass(frozen=True)
class Selection:
    """How labelled devices differ from the population, as a model sees both.

    Parameters
    ----------
    shift : float
        Log-odds of the share of ``household`` that the scores of the labelled devices speak for,
        minus the same of all devices; positive = labelled devices look more like home.
    standard_error : float
        Of the shift, over accounts.
    doubt : float
        Mean probability of ``outside`` among labelled household devices, by the model.
    doubt_error : float
        Its standard error, over accounts.
    expected_doubt : float
        What the model expects of it among the household devices of the population.
    """

    shift: float
    standard_error: float
    doubt: float
    doubt_error: float
    expected_doubt: float

    @property
    def possible(self) -> float:
        """Log-odds by which labels may be unlike the population, as is seen or chance may hide.

        Root mean square of the shift, given what was seen of it and that labels differ by
        :data:`_USUAL` where nothing is known; so a handful of labels, of which nothing can be
        said, is not taken for fairly drawn.
        """
        seen, prior = self.standard_error**2, _USUAL**2
        mean = self.shift * prior / (prior + seen)
        return float(np.sqrt(mean**2 + prior * seen / (prior + seen)))

    @property
    def noted(self) -> bool:
        """Whether the difference is one to tell: surely there, and not small."""
        return abs(self.shift) > max(3.0 * self.standard_error, 0.3)

    @property
    def too_easy(self) -> bool:
        """Whether labelled household devices are surely the easy ones.

        A bound on false flags that was certified on such devices holds for such devices alone.
        """
        return self.doubt + 2.0 * self.doubt_error < _EASIEST * self.expected_doubt

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def compare_labelled(
    log_odds: Floats, y: Floats, account: Ints, *, labelled: Bools, prevalence: float
) -> Selection:
    """Compare labelled devices with all devices of a population, by the scores of a model.

    Parameters
    ----------
    log_odds : float64 array of shape (D,)
        Calibrated log-odds of all devices, by a model that has seen none of their labels.
    y : float64 array of shape (D,)
        Labels: 1 = household, 0 = outside; not looked at where not labelled.
    account : int64 array of shape (D,)
        Account of each device.
    labelled : bool array of shape (D,)
        Which devices count as labelled; at least one.
    prevalence : float
        Share of ``household`` that the log-odds are calibrated for, in (0, 1).

    Returns
    -------
    Selection
    """

    def share(chosen: Bools) -> tuple[float, float]:
        """Log-odds of the share of household that scores speak for, and its standard error."""
        found = adapt_to_prevalence(
            log_odds[chosen], prevalence=prevalence, account=account[chosen], pseudo_devices=1.0
        )
        spread = found.estimated * (1.0 - found.estimated)
        logit = np.log(found.estimated) - np.log1p(-found.estimated)
        return float(logit), found.standard_error / spread

    here, error_here = share(labelled)
    everywhere, _ = share(np.ones(labelled.size, dtype=bool))
    p = sigmoid(log_odds - _logit(prevalence) + everywhere)
    household = labelled & (y == 1.0)
    expected = float((p @ (1.0 - p)) / p.sum())
    doubt, doubt_error = _mean_over_accounts(1.0 - p[household], account[household])
    # the labelled devices are part of the population, so the difference is less uncertain
    outer = float(np.sqrt(max(1.0 - labelled.mean(), 0.0)))
    return Selection(here - everywhere, error_here * outer, doubt, doubt_error, expected)


def _logit(share: float) -> float:
    return float(np.log(share) - np.log1p(-share))


def _mean_over_accounts(values: Floats, account: Ints) -> tuple[float, float]:
    """Mean over devices, and its standard error when accounts are drawn."""
    if values.size == 0:
        return 0.0, np.inf
    code = np.unique(account, return_inverse=True)[1]
    mean = float(values.mean())
    residual = np.bincount(code, weights=values - mean)
    accounts = residual.size
    if accounts < 2:
        return mean, np.inf
    error = np.sqrt((residual**2).sum() * accounts / (accounts - 1)) / values.size
    return mean, float(error)
