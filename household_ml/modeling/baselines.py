"""The rules a service could write in an afternoon, as scores to be beaten.

Every score is higher for a device that is more likely outside. A feature that is missing counts
as the rule would see it: never seen at home, no share at home.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.errors import ParameterError, Problem

__all__ = ["CHECK_IN_DAYS", "OVERLAP_FEATURES", "Baselines", "fit_baselines"]

Floats = npt.NDArray[np.float64]

#: Days without the main TV's network after which the check-in rule asks (FACTS 2: 31 days).
CHECK_IN_DAYS = 31.0

#: Features of the logistic regression.
OVERLAP_FEATURES = ("overlap_address", "overlap_24", "overlap_48h", "overlap_as")


@dataclass(frozen=True)
class Baselines:
    """Rules, and a logistic regression with its coefficients.

    Parameters
    ----------
    prevalence : float
        Share of ``household`` where they were fitted, in [0, 1].
    intercept : float or None
        Of the logistic regression on household log-odds; None when it was not fitted.
    coefficients : mapping of str to float
        By overlap feature, for features that are not scaled.
    """

    prevalence: float
    intercept: float | None = None
    coefficients: Mapping[str, float] | None = None

    def scores(self, values: Floats, names: Sequence[str]) -> dict[str, Floats]:
        """Score devices by every rule whose features are there.

        Parameters
        ----------
        values : float64 array of shape (D, F)
            Features; NaN = unknown.
        names : sequence of F str
            Their names.

        Returns
        -------
        dict of str to float64 array of shape (D,)
            ``prior``; ``other address than usual`` (the device's last address is not the
            account's most used one); ``31 days off the TV's network``; ``share off the main
            network`` and ``share off the main AS``; ``logistic on overlaps``. Higher = outside.

        Examples
        --------
        >>> rules = Baselines(prevalence=0.9)
        >>> rules.scores(np.array([[1.0], [0.0]]), ["last_address_differs_from_main"])[
        ...     "other address than usual"
        ... ].tolist()
        [1.0, 0.0]
        """
        column = {name: values[:, index] for index, name in enumerate(names)}
        found = {"prior": np.full(values.shape[0], 1.0 - self.prevalence)}
        if "last_address_differs_from_main" in column:
            differs = column["last_address_differs_from_main"]
            found["other address than usual"] = np.nan_to_num(differs, nan=1.0)
        if "days_since_main_tv_network" in column:
            days = column["days_since_main_tv_network"]
            found["31 days off the TV's network"] = (~(days <= CHECK_IN_DAYS)).astype(np.float64)
        if "share_main_address" in column:
            share = column["share_main_address"]
            found["share off the main network"] = 1.0 - np.nan_to_num(share, nan=0.0)
        if "share_main_as" in column:
            share = column["share_main_as"]
            found["share off the main AS"] = 1.0 - np.nan_to_num(share, nan=0.0)
        if self.intercept is not None and self.coefficients is not None:
            lacking = [name for name in self.coefficients if name not in column]
            if not lacking:
                log_odds = np.full(values.shape[0], self.intercept)
                for name, coefficient in self.coefficients.items():
                    log_odds += coefficient * np.nan_to_num(column[name], nan=0.0)
                found["logistic on overlaps"] = -log_odds
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers from which :meth:`from_dict` makes equal baselines."""
        return {
            "prevalence": self.prevalence,
            "intercept": self.intercept,
            "coefficients": None if self.coefficients is None else dict(self.coefficients),
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Baselines:
        """Read what :meth:`to_dict` gave."""
        return cls(given["prevalence"], given["intercept"], given["coefficients"])


def fit_baselines(
    values: Floats,
    names: Sequence[str],
    y: Floats,
    *,
    weight: Floats | None = None,
) -> Baselines:
    """Learn the prior and the logistic regression on training devices.

    Parameters
    ----------
    values : float64 array of shape (D, F)
        Features; NaN = unknown.
    names : sequence of F str
        Their names. Without all of :data:`OVERLAP_FEATURES` there is no logistic regression.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unlabelled (left out).
    weight : float64 array of shape (D,), optional
        Weights, not negative; 1 when left out.

    Returns
    -------
    Baselines

    Raises
    ------
    ParameterError
        When nothing is labelled.
    """
    labelled = np.isfinite(y)
    if not labelled.any():
        raise ParameterError(
            Problem("baselines must see a labelled device", "none", "Give labels.")
        )
    w = np.ones(y.size) if weight is None else weight
    prevalence = float(np.average(y[labelled], weights=w[labelled]))
    position = {name: index for index, name in enumerate(names)}
    if any(name not in position for name in OVERLAP_FEATURES) or prevalence in (0.0, 1.0):
        return Baselines(prevalence)
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    columns = [position[name] for name in OVERLAP_FEATURES]
    overlaps = np.nan_to_num(values[labelled][:, columns], nan=0.0)
    scaler = StandardScaler().fit(overlaps)
    fitted = LogisticRegression().fit(
        scaler.transform(overlaps), y[labelled].astype(np.int8), sample_weight=w[labelled]
    )
    slopes = fitted.coef_[0] / scaler.scale_
    intercept = float(fitted.intercept_[0] - slopes @ scaler.mean_)
    coefficients = dict(zip(OVERLAP_FEATURES, (float(slope) for slope in slopes), strict=True))
    return Baselines(prevalence, intercept, coefficients)
