"""A customer's own labels, few and biased, put to use without losing what the model knew.

The model learns from them in one way only: its log-odds are blended with those of trees trained on
the labels alone. How much weight these get is decided by cross-validation over accounts, and a
heavier weight must earn itself: it is taken only when the loss falls by more than chance among the
accounts explains. So a handful of labels changes nothing, a few hundred accounts correct the
probabilities, and a few thousand let the customer's own trees speak.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.errors import LabelsError, Problem
from household_ml.modeling.calibration import Calibration, fit_calibration, sigmoid
from household_ml.modeling.card import model_card
from household_ml.modeling.classifier import ClassifierConfig
from household_ml.modeling.evaluation import evaluate_scores
from household_ml.modeling.hypotheses import Hypotheses
from household_ml.modeling.model import HouseholdModel
from household_ml.modeling.thresholds import ThresholdConfig, choose_thresholds
from household_ml.modeling.training import TrainingSet, fit_trees

__all__ = ["AdaptationConfig", "adapt_model"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AdaptationConfig:
    """How a model learns from a customer's labels.

    Parameters
    ----------
    classifier : ClassifierConfig
        The customer's own trees.
    thresholds : ThresholdConfig
        Bounds that the thresholds must hold.
    weights : tuple of float, default=(0.25, 0.5, 0.75)
        Weights of the own trees that are tried, in (0, 1).
    folds : int, default=5
        Parts of the accounts in the cross-validation.
    errors : float, default=1
        Standard errors by which a heavier weight must lower the loss.
    strength : float, default=20
        Pull of the new calibration towards the model's own.
    replicates : int, default=200
        Resamples of the accounts for intervals.
    """

    classifier: ClassifierConfig = field(
        default_factory=lambda: ClassifierConfig(trees=200, leaves=16, min_rows=20, l2=10.0)
    )
    thresholds: ThresholdConfig = field(default_factory=ThresholdConfig)
    weights: tuple[float, ...] = (0.25, 0.5, 0.75)
    folds: int = 5
    errors: float = 1.0
    strength: float = 20.0
    replicates: int = 200


def adapt_model(
    model: HouseholdModel,
    dataset: TrainingSet,
    *,
    name: str | None = None,
    version: str = "0",
    seed: int = 0,
    config: AdaptationConfig | None = None,
) -> HouseholdModel:
    """Start from a model and learn from labels of one's own.

    Thresholds are chosen on log-odds of accounts that the fold's own trees have not seen; where the
    accounts are too few to certify any, the model's own thresholds are *not* kept, since they were
    certified on other people.

    Parameters
    ----------
    model : HouseholdModel
        What to start from.
    dataset : TrainingSet
        Features in the model's order, and labels.
    name : str, optional
        Of the new model; the old name when left out.
    version : str, default="0"
        Of the new model.
    seed : int, default=0
        Of folds, trees and intervals.
    config : AdaptationConfig, optional
        How to learn.

    Returns
    -------
    HouseholdModel
        Its manifest tells the weight of the own trees (``own_weight``), the digest of the model it
        came from (``adapted_from``), and the losses that were compared; its metrics are those of
        the cross-validation.

    Raises
    ------
    LabelsError
        When no device is labelled.
    """
    chosen = config or AdaptationConfig()
    usable = np.isfinite(dataset.y)
    if dataset.ambiguous is not None:
        usable &= ~dataset.ambiguous
    if not usable.any():
        raise LabelsError(
            Problem("labels to adapt to must hold a device", "none", "Label some devices.")
        )
    own = dataset.take(usable)
    known = Hypotheses.of(model.trees, own.values)
    fold = _folds(own, chosen.folds, seed)
    names = model.feature_names[: model.trees.features]
    fresh = _out_of_fold(own, fold, names, model.monotone, chosen.classifier, seed)
    group = own.account if own.group is None else own.group
    candidates: dict[float, tuple[Floats, Floats]] = {}
    untouched = model.calibration.log_odds(known.log_odds())
    losses = {"untouched": _losses(untouched, own)}
    for weight in (0.0, *chosen.weights) if fresh is not None else (0.0,):
        blended = (known if fresh is None else known.blended(fresh, weight)).log_odds()
        adjusted = _recalibrated_out_of_fold(model.calibration, blended, own, fold, chosen.strength)
        candidates[weight] = (blended, adjusted)
        losses[f"{weight:g}"] = _losses(adjusted, own)
    best = _cautious_best(losses, group, chosen.errors)
    own_weight = 0.0 if best == "untouched" else float(best)
    blended, adjusted = candidates[own_weight]
    trees = model.trees
    calibration = model.calibration
    if best == "untouched":
        adjusted = untouched
    else:
        calibration = model.calibration.then(
            _adjustment(model.calibration, blended, own, chosen.strength)
        )
    if own_weight > 0:
        mine = fit_trees(
            own,
            names,
            weight=own.weight,
            monotone=model.monotone,
            seed=seed,
            config=chosen.classifier,
        )
        trees = model.trees.scaled(1.0 - own_weight).plus(mine.scaled(own_weight))
    thresholds = choose_thresholds(
        blended,
        own.y,
        own.account,
        calibration,
        unseen=own.unseen,
        config=chosen.thresholds,
    )
    evaluation = evaluate_scores(
        sigmoid(adjusted),
        own.y,
        own.account,
        situation=own.situation,
        unseen=own.unseen,
        thresholds=thresholds,
        slices=own.slices,
        replicates=chosen.replicates,
        seed=seed,
        name="cross-validation",
    )
    weights = np.ones(len(own)) if own.weight is None else own.weight
    adapted = replace(
        model,
        name=name or model.name,
        version=version,
        trees=trees,
        calibration=calibration,
        thresholds=thresholds,
        manifest={
            **model.manifest,
            "simulated": bool(model.manifest.get("simulated")) and dataset.simulated,
            "adapted_from": model.digest,
            "adapted_to": {
                "name": dataset.name,
                "labelled": len(own),
                "outside": int((own.y == 0.0).sum()),
                "accounts": int(np.unique(own.account).size),
            },
            "own_weight": own_weight,
            "losses": {
                key: round(float(np.average(loss, weights=weights)), 6)
                for key, loss in losses.items()
            },
        },
        metrics={"evaluation": evaluation.to_dict()},
        card="",
    )
    return replace(adapted, card=model_card(adapted))


def _folds(own: TrainingSet, folds: int, seed: int) -> Ints:
    """Fold of each device: its account's, and that of the accounts linked with it."""
    code = np.unique(own.account if own.group is None else own.group, return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(int(code.max()) + 1)
    dealt: Ints = (order % folds)[code].astype(np.int64)
    return dealt


def _out_of_fold(
    own: TrainingSet,
    fold: Ints,
    names: tuple[str, ...],
    monotone: tuple[int, ...],
    config: ClassifierConfig,
    seed: int,
) -> Hypotheses | None:
    """What own trees say that have not seen the device's account; None when too few."""
    home, rival, prior = np.empty(len(own)), np.empty(len(own)), np.empty(len(own))
    asked: Hypotheses | None = None
    for part in np.unique(fold):
        there = fold == part
        if np.unique(own.y[~there]).size < 2:
            return None
        trees = fit_trees(
            own.take(~there),
            names,
            weight=None if own.weight is None else own.weight[~there],
            monotone=monotone,
            seed=seed,
            config=config,
        )
        asked = Hypotheses.of(trees, own.values)
        home[there], rival[there] = asked.home[there], asked.rival[there]
        prior[there] = asked.prior
    return None if asked is None else replace(asked, home=home, rival=rival, prior=prior)


def _adjustment(
    calibration: Calibration, log_odds: Floats, own: TrainingSet, strength: float
) -> Calibration:
    return fit_calibration(
        calibration.log_odds(log_odds), own.y, weight=own.weight, segments=4, strength=strength
    )


def _recalibrated_out_of_fold(
    calibration: Calibration, log_odds: Floats, own: TrainingSet, fold: Ints, strength: float
) -> Floats:
    found = np.empty(len(own))
    for part in np.unique(fold):
        there = fold == part
        if there.all():
            return calibration.log_odds(log_odds)
        rest = own.take(~there)
        map_ = calibration.then(_adjustment(calibration, log_odds[~there], rest, strength))
        found[there] = map_.log_odds(log_odds[there])
    return found


def _losses(log_odds: Floats, own: TrainingSet) -> Floats:
    loss: Floats = np.logaddexp(0.0, log_odds) - own.y * log_odds
    return loss


def _cautious_best(losses: dict[str, Floats], group: npt.NDArray[Any], errors: float) -> str:
    """Go from the lightest change to the heaviest, and only where the loss falls surely."""
    code = np.unique(group, return_inverse=True)[1]
    best = "untouched"
    for name, loss in losses.items():
        gain = np.bincount(code, weights=losses[best] - loss)
        if gain.size > 1 and gain.sum() > errors * np.sqrt(gain.size) * gain.std(ddof=1):
            best = name
    return best
