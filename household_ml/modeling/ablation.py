"""What a family of features is worth on kinds of worlds that were not trained on.

A model without the family is held against the model with all, both trained without the kind they
are measured on. The same draws of accounts are taken for both, so the change has an interval of its
own; kinds weigh the same. A family earns its place when the log loss without it is higher, or the
recall lower, by more than chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.modeling.resampling import (
    AccountTotals,
    Devices,
    Estimate,
    Ranking,
    check_scores,
    share,
)

if TYPE_CHECKING:
    from household_ml.modeling.training import TrainingSet

__all__ = ["ABLATION_RATE", "Ablated", "compare_ablated"]

Floats = npt.NDArray[np.float64]

#: Rate of household false flags at which recall is compared.
ABLATION_RATE: Final = 0.01


@dataclass(frozen=True)
class Ablated:
    """What changes when a family of features is left out.

    Parameters
    ----------
    features : int
        How many features the family has.
    recall : Estimate
        Recall of outside at 1 % household false flags without it, minus with it.
    log_loss : Estimate
        Log loss without it, minus with it.
    kinds : mapping of str to mapping of str to float or None
        Both changes on each kind left out, ``recall`` and ``log_loss``.
    """

    features: int
    recall: Estimate
    log_loss: Estimate
    kinds: Mapping[str, Mapping[str, float | None]]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "features": self.features,
            "recall": asdict(self.recall),
            "log_loss": asdict(self.log_loss),
            "kinds": {kind: dict(row) for kind, row in self.kinds.items()},
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Ablated:
        """Read what :meth:`to_dict` gave."""
        return cls(
            features=given["features"],
            recall=Estimate(**given["recall"]),
            log_loss=Estimate(**given["log_loss"]),
            kinds={kind: dict(row) for kind, row in given["kinds"].items()},
        )


def compare_ablated(
    devices: Mapping[str, TrainingSet],
    full: Mapping[str, Floats],
    without: Mapping[str, Mapping[str, Floats]],
    *,
    features: Mapping[str, int],
    replicates: int = 200,
    seed: int = 0,
) -> dict[str, Ablated]:
    """Compare models without a family of features with the model that has all.

    Parameters
    ----------
    devices : mapping of str to TrainingSet
        Devices of each kind left out.
    full : mapping of str to float64 array of shape (D,)
        By kind, ``household_probability`` by the model with all features.
    without : mapping of str to mapping of str to float64 array of shape (D,)
        By family and kind, that of the model without it.
    features : mapping of str to int
        Features of each family.
    replicates : int, default=200
        Resamples of the accounts of each kind.
    seed : int, default=0
        Of the resampling.

    Returns
    -------
    dict of str to Ablated
        By family, the one whose loss costs most first.
    """
    measures = {kind: _Measure(devices[kind], replicates, seed) for kind in full}
    base = {kind: measures[kind].of(full[kind]) for kind in full}
    found = {}
    for family, scores in without.items():
        changes = {kind: measures[kind].of(scores[kind]) - base[kind] for kind in full}
        mean = np.mean(list(changes.values()), axis=0)
        found[family] = Ablated(
            features=features[family],
            recall=Estimate.of(float(mean[0, 0]), mean[1:, 0]),
            log_loss=Estimate.of(float(mean[0, 1]), mean[1:, 1]),
            kinds={
                kind: {"recall": _number(change[0, 0]), "log_loss": _number(change[0, 1])}
                for kind, change in changes.items()
            },
        )
    return dict(sorted(found.items(), key=lambda item: -(item[1].log_loss.value or 0.0)))


class _Measure:
    """Recall and log loss of one kind under every draw of its accounts."""

    def __init__(self, devices: TrainingSet, replicates: int, seed: int) -> None:
        self._devices, self._labelled = Devices.of(devices.y, devices.account, devices.ambiguous)
        self._drawn = self._devices.draws(replicates, seed)
        self._totals = AccountTotals(self._devices, self._drawn)

    def of(self, probability: Floats) -> Floats:
        """Recall and log loss, shape (1 + replicates, 2)."""
        check_scores({"probability": probability}, self._labelled, self._devices)
        p = probability[self._labelled]
        ranking = Ranking(-p, self._devices, (ABLATION_RATE,))
        recall = [ranking.under(draw)[1][0] for draw in self._drawn]
        headline = self._devices.headline
        said = np.clip(np.where(self._devices.outside, 1.0 - p, p), 1e-15, 1.0)
        loss = share(self._totals.of(-np.log(said) * headline), self._totals.of(headline))
        return np.column_stack([recall, loss])


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
