"""A customer's own labels, few and biased, put to use without losing what the model knew.

Two things are learnt, from two sources.

*The order of devices*, from the labels. The log-odds of the model are blended with those of trees
trained on the labels alone. How much weight these get is decided by cross-validation over accounts.
A heavier weight must earn itself: it is taken only when the loss falls by more than chance among
the accounts explains, and from fewer than a hundred accounts none is tried. So a handful of labels
changes nothing, a few hundred accounts speak softly, and a few thousand let the customer's own
trees lead.

*The level of the probability*, from the labels as far as they look drawn fairly, and from all
devices, labelled or not, as far as they do not; and the level of the model itself holds both back,
so that a few labels do little harm where they mislead: see
:mod:`~household_ml.modeling.recalibration` and :mod:`~household_ml.modeling.prevalence`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.errors import LabelsError, Problem
from household_ml.modeling.calibration import Calibration, sigmoid
from household_ml.modeling.card import model_card
from household_ml.modeling.classifier import ClassifierConfig
from household_ml.modeling.evaluation import evaluate_scores
from household_ml.modeling.hypotheses import Hypotheses
from household_ml.modeling.model import HouseholdModel
from household_ml.modeling.prevalence import DOUBT, adapt_to_prevalence, settled_share
from household_ml.modeling.recalibration import (
    Recalibration,
    fit_recalibration,
    mean_level,
    settle_level,
)
from household_ml.modeling.selection import Selection, compare_labelled
from household_ml.modeling.thresholds import ThresholdConfig, Thresholds, choose_thresholds
from household_ml.modeling.training import TrainingSet, fit_trees

__all__ = ["AdaptationConfig", "adapt_model"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Name of the choice that leaves the order of devices alone.
UNTOUCHED = "untouched"


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
    least_accounts : int, default=100
        Labelled accounts, or groups of linked ones, from which own trees are tried.
    replicates : int, default=200
        Resamples of the accounts for intervals.
    """

    classifier: ClassifierConfig = field(
        default_factory=lambda: ClassifierConfig(
            trees=400, leaves=16, min_rows=20, l2=10.0, column_share=0.25
        )
    )
    thresholds: ThresholdConfig = field(default_factory=ThresholdConfig)
    weights: tuple[float, ...] = (0.25, 0.5, 0.75)
    folds: int = 5
    errors: float = 1.0
    least_accounts: int = 100
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

    Labels of household devices alone teach no order, and no share; what they can do is certify a
    bound on false flags. Labels of devices outside alone are refused.

    Thresholds are chosen on log-odds by own trees that have not seen the account. Where accounts
    are too few to certify any, or where the labelled household devices are the easy ones, none is
    given: the model's own are *not* kept, since they were certified on other people.

    Parameters
    ----------
    model : HouseholdModel
        What to start from.
    dataset : TrainingSet
        Features in the model's order, of all devices of the population, and labels of some.
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
        Its manifest tells what was learnt: the weight of the own trees (``own_weight``), the
        losses that were compared (``losses``) and which was taken (``chosen``), how the labelled
        devices differ from the others (``selection``), how many labels seem wrong
        (``wrong_labels``), where the level comes from (``level``), and the digest of the model it
        came from (``adapted_from``). Its metrics are those of the cross-validation, on the labels
        as they are.

    Raises
    ------
    LabelsError
        When no device is labelled, or none as household.
    """
    chosen = config or AdaptationConfig()
    usable = np.isfinite(dataset.y)
    if dataset.ambiguous is not None:
        usable &= ~dataset.ambiguous
    _check(dataset, usable)
    own = dataset.take(usable)
    known = Hypotheses.of(model.trees, dataset.values)
    before = model.calibration.log_odds(known.log_odds())
    selection = compare_labelled(
        before,
        dataset.y,
        dataset.account,
        labelled=usable,
        prevalence=model.calibration.prevalence,
    )
    order = _learn_order(model, own, _taken(known, usable), chosen, seed)
    trees = model.trees
    if order.weight > 0:
        mine = fit_trees(
            own,
            model.feature_names[: model.trees.features],
            weight=own.weight,
            monotone=model.monotone,
            seed=seed,
            config=chosen.classifier,
        )
        trees = trees.scaled(1.0 - order.weight).plus(mine.scaled(order.weight))
    # of labelled devices what unseen trees say, so that the level is not that of a memory
    told = np.empty(len(dataset))
    told[usable] = order.log_odds
    if not usable.all():
        told[~usable] = Hypotheses.of(trees, dataset.values[~usable]).log_odds()
    labels = order.recalibration
    line = labels.slope * model.calibration.log_odds(told)
    unlabelled = mean_level(line, _share_of_household(model, before, dataset.account))
    level = settle_level(
        labels if own.y.min() < 1.0 else None,
        unlabelled,
        selection=selection.possible,
        own=mean_level(line, float(sigmoid(before).mean())),
    )
    share = settled_share(float(sigmoid(line + level).mean()), model.open_share)
    calibration = model.calibration.then(labels.map(level=level, prevalence=share))
    thresholds = _certify(model.calibration, order, own, selection, chosen).shifted(
        level - labels.shift
    )
    evaluation = evaluate_scores(
        calibration.probability(order.log_odds),
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
                "devices": len(dataset),
                "labelled": len(own),
                "outside": int((own.y == 0.0).sum()),
                "accounts": int(np.unique(own.account).size),
            },
            "own_weight": order.weight,
            "chosen": order.chosen,
            "losses": order.losses,
            "wrong_labels": round(labels.wrong, 4),
            "selection": {
                **selection.to_dict(),
                "noted": selection.noted,
                "too_easy": selection.too_easy,
            },
            "level": {
                "labels": round(labels.shift, 4),
                "labels_error": round(labels.standard_error, 4),
                "unlabelled": round(unlabelled, 4),
                "settled": round(level, 4),
            },
        },
        metrics={"evaluation": evaluation.to_dict()},
        card="",
    )
    return replace(adapted, card=model_card(adapted))


@dataclass(frozen=True)
class _Order:
    """What the labels say about the order of devices.

    Parameters
    ----------
    chosen : str
        Name of the choice: ``untouched``, or the weight of the own trees.
    log_odds : float64 array of shape (D,)
        Of the labelled devices, blended, by own trees that have not seen the account.
    recalibration : Recalibration
        Of these, after the model's own calibration.
    losses : dict of str to float
        Mean loss of each weight that was tried, out of fold.
    """

    chosen: str
    log_odds: Floats
    recalibration: Recalibration
    losses: dict[str, float]

    @property
    def weight(self) -> float:
        """Of the own trees, in [0, 1)."""
        return 0.0 if self.chosen == UNTOUCHED else float(self.chosen)


def _learn_order(
    model: HouseholdModel,
    own: TrainingSet,
    known: Hypotheses,
    config: AdaptationConfig,
    seed: int,
) -> _Order:
    fold = _folds(own, config.folds, seed)
    names = model.feature_names[: model.trees.features]
    group = own.account if own.group is None else own.group
    fresh = None
    if np.unique(group).size >= config.least_accounts:
        fresh = _out_of_fold(own, fold, names, model.monotone, config.classifier, seed)
    told = {UNTOUCHED: known.log_odds()}
    if np.unique(own.y).size == 2:
        told["0"] = told[UNTOUCHED]
    if fresh is not None:
        told.update({f"{each:g}": known.blended(fresh, each).log_odds() for each in config.weights})
    lines = {name: model.calibration.log_odds(found) for name, found in told.items()}
    losses = {
        name: _losses_out_of_fold(line, own, group, fold, slope=name != UNTOUCHED)
        for name, line in lines.items()
    }
    best = _cautious_best(losses, group, config.errors)
    labels = fit_recalibration(
        lines[best], own.y, weight=own.weight, group=group, slope=best != UNTOUCHED
    )
    weights = np.ones(len(own)) if own.weight is None else own.weight
    return _Order(
        chosen=best,
        log_odds=told[best],
        recalibration=labels,
        losses={name: round(float(loss.sum() / weights.sum()), 6) for name, loss in losses.items()},
    )


def _certify(
    calibration: Calibration,
    order: _Order,
    own: TrainingSet,
    selection: Selection,
    config: AdaptationConfig,
) -> Thresholds:
    """Thresholds that the labels can carry, on probabilities at the level of the labels."""
    labels = order.recalibration
    found = choose_thresholds(
        order.log_odds,
        own.y,
        own.account,
        calibration.then(labels.map(level=labels.shift, prevalence=0.5)),
        unseen=own.unseen,
        config=config.thresholds,
    )
    refused = {
        "account_false_flags": selection.too_easy,
        "device_false_flags": selection.too_easy,
        "household_error": bool(own.y.min() == 1.0),
    }
    return Thresholds(
        None if selection.too_easy else found.outside_at,
        None if refused["household_error"] else found.household_at,
        tuple(
            replace(bound, upper=None) if refused[bound.name] else bound for bound in found.bounds
        ),
    )


def _share_of_household(model: HouseholdModel, log_odds: Floats, account: Ints) -> float:
    """Mean probability of the population's devices, after its share of households was estimated."""
    shift = adapt_to_prevalence(
        log_odds,
        prevalence=model.calibration.prevalence,
        account=account,
        open_share=model.open_share,
        doubt=DOUBT,
    )
    return float(sigmoid(log_odds + shift.delta).mean())


def _taken(known: Hypotheses, chosen: Bools) -> Hypotheses:
    return replace(
        known,
        home=known.home[chosen],
        rival=known.rival[chosen],
        home_claim=known.home_claim[chosen],
        rival_claim=known.rival_claim[chosen],
    )


def _check(dataset: TrainingSet, usable: Bools) -> None:
    household = int((dataset.y[usable] == 1.0).sum())
    if not usable.any():
        raise LabelsError(
            Problem("labels to adapt to must hold a device", "none", "Label some devices.")
        )
    if household == 0:
        raise LabelsError(
            Problem(
                "labels to adapt to must hold devices of the household",
                f"{int(usable.sum())} devices outside and no other",
                "Label household devices too: what they are called tells how many are wronged.",
            )
        )


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


def _losses_out_of_fold(
    line: Floats, own: TrainingSet, group: npt.NDArray[Any], fold: Ints, *, slope: bool
) -> Floats:
    """Loss of each label, level and share of wrong labels fitted to the other folds."""
    found = np.empty(len(own))
    for part in np.unique(fold):
        there = fold == part
        rest = ~there
        fitted = fit_recalibration(
            line[rest],
            own.y[rest],
            weight=None if own.weight is None else own.weight[rest],
            group=group[rest],
            slope=slope,
        )
        found[there] = fitted.losses(line[there], own.y[there])
    return found if own.weight is None else found * own.weight


def _cautious_best(losses: dict[str, Floats], group: npt.NDArray[Any], errors: float) -> str:
    """Go from the lightest change to the heaviest, and only where the loss falls surely."""
    code = np.unique(group, return_inverse=True)[1]
    best = UNTOUCHED
    for name, loss in losses.items():
        gain = np.bincount(code, weights=losses[best] - loss)
        if gain.size > 1 and gain.sum() > errors * np.sqrt(gain.size) * gain.std(ddof=1):
            best = name
    return best
