"""From labelled devices of one or several worlds to a model that is measured out of sample.

The accounts of each world are divided into three sides. The trees and the baselines learn on the
first; the calibration map and both thresholds come from the second; the third is used for nothing
but the published numbers. Every world weighs the same, however many accounts it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version as version_of
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.errors import LabelsError, ParameterError, Problem
from household_ml.modeling.baselines import Baselines, fit_baselines
from household_ml.modeling.calibration import fit_calibration
from household_ml.modeling.card import model_card
from household_ml.modeling.classifier import ClassifierConfig, fit_classifier
from household_ml.modeling.evaluation import (
    Comparison,
    Evaluation,
    compare_scores,
    evaluate_scores,
)
from household_ml.modeling.hypotheses import (
    CLAIMS,
    Hypotheses,
    believed_homes,
    columns_for,
    taken_as_home,
)
from household_ml.modeling.model import HouseholdModel
from household_ml.modeling.splits import CALIBRATION, TEST, TRAIN, split_groups
from household_ml.modeling.thresholds import ThresholdConfig, choose_thresholds
from household_ml.modeling.trees import Trees

__all__ = [
    "TrainingConfig",
    "TrainingSet",
    "evaluate_model",
    "fit_household_model",
    "fit_trees",
    "leave_one_world_out",
    "split_training_set",
    "stack_worlds",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Features by which a device may speak for a home, the first that there is.
_SPOKEN_BY = ("home_share", "together_7d")

_LIBRARIES = ("numpy", "scikit-learn", "scipy", "numba")


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Devices of one world with their features and labels.

    Parameters
    ----------
    name : str
        Of the world, or of the customer's data.
    values : float64 array of shape (D, F)
        Features; NaN = unknown. Where home may be in doubt, the 2 F + 2 columns of
        :mod:`~household_ml.modeling.hypotheses`.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unlabelled.
    account : int64 array of shape (D,)
        Account of each device.
    weight : float64 array of shape (D,), optional
        Weight of each label; 1 when left out.
    situation : array of str, shape (D,), optional
        Evaluation slice; empty = none.
    ambiguous : bool array of shape (D,), optional
        Policy open: not learnt from, and reported apart.
    unseen : bool array of shape (D,), optional
        Too little history, so that nothing is ever said about the device.
    group : int64 array of shape (D,), optional
        Group of linked accounts of each device; each account for itself when left out. See
        :func:`~household_ml.modeling.splits.link_accounts`.
    slices : mapping of str to array of str, shape (D,)
        Further divisions of the devices for the evaluation.
    simulated : bool, default=False
        Whether people and devices are simulated; the model card says so.
    """

    name: str
    values: Floats
    y: Floats
    account: Ints
    weight: Floats | None = None
    situation: npt.NDArray[Any] | None = None
    ambiguous: Bools | None = None
    unseen: Bools | None = None
    group: Ints | None = None
    slices: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    simulated: bool = False

    def __len__(self) -> int:
        return int(self.y.size)

    def take(self, chosen: Bools) -> TrainingSet:
        """Keep the chosen devices, a bool array of shape (D,)."""

        def part(column: npt.NDArray[Any] | None) -> npt.NDArray[Any] | None:
            return None if column is None else column[chosen]

        return replace(
            self,
            values=self.values[chosen],
            y=self.y[chosen],
            account=self.account[chosen],
            weight=part(self.weight),
            situation=part(self.situation),
            ambiguous=part(self.ambiguous),
            unseen=part(self.unseen),
            group=part(self.group),
            slices={kind: column[chosen] for kind, column in self.slices.items()},
        )

    def problems(self, features: int) -> list[Problem]:
        """What keeps these devices from being used with this number of features."""
        found = []
        widths = (features, 2 * features + len(CLAIMS))
        if self.values.ndim != 2 or self.values.shape[1] not in widths:
            found.append(
                Problem(
                    f"values of {self.name} must have {features} columns, or {widths[1]}",
                    str(self.values.shape),
                    "Give one column per feature name.",
                )
            )
        columns = {
            "values": self.values,
            "account": self.account,
            "weight": self.weight,
            "situation": self.situation,
            "ambiguous": self.ambiguous,
            "unseen": self.unseen,
            "group": self.group,
            **self.slices,
        }
        for name, column in columns.items():
            if column is not None and column.shape[0] != self.y.size:
                found.append(
                    Problem(
                        f"{name} of {self.name} must have one row per device",
                        f"{column.shape[0]} rows for {self.y.size} devices",
                        "Align it with the feature table.",
                    )
                )
        return found


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How a model is trained.

    Parameters
    ----------
    classifier : ClassifierConfig
        Size of the trees.
    thresholds : ThresholdConfig
        Bounds that the thresholds must hold.
    shares : three floats, default=(0.6, 0.2, 0.2)
        Shares of accounts for the trees, for calibration and thresholds, and for the test.
    balance_worlds : bool, default=True
        Whether every world weighs the same in total.
    replicates : int, default=200
        Resamples of the accounts for intervals.
    """

    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    thresholds: ThresholdConfig = field(default_factory=ThresholdConfig)
    shares: tuple[float, float, float] = (0.6, 0.2, 0.2)
    balance_worlds: bool = True
    replicates: int = 200


def split_training_set(
    dataset: TrainingSet, *, shares: Sequence[float], seed: int
) -> npt.NDArray[np.int8]:
    """Side of each device: its account's, and that of the accounts linked with it.

    Parameters
    ----------
    dataset : TrainingSet
        With D devices.
    shares : three floats
        Of accounts on each side, with sum 1.
    seed : int
        Of the order in which groups are dealt out.

    Returns
    -------
    int8 array of shape (D,)
        ``TRAIN``, ``CALIBRATION`` or ``TEST`` of :mod:`~household_ml.modeling.splits`.
    """
    _, first, owner = np.unique(dataset.account, return_index=True, return_inverse=True)
    group = dataset.account if dataset.group is None else dataset.group
    return split_groups(group[first], shares=shares, seed=seed)[owner]


def fit_household_model(
    datasets: Sequence[TrainingSet],
    *,
    feature_names: Sequence[str],
    monotone: Sequence[int],
    seed: int = 0,
    name: str = "household",
    version: str = "0",
    config: TrainingConfig | None = None,
    about: Mapping[str, Any] | None = None,
    sides: Sequence[npt.NDArray[np.int8]] | None = None,
) -> HouseholdModel:
    """Train, calibrate, choose thresholds, and measure on accounts kept aside.

    Parameters
    ----------
    datasets : sequence of TrainingSet
        One per world.
    feature_names : sequence of F str
        Columns of the feature tables.
    monotone : sequence of F int
        Direction of each feature on the probability: -1, 0 or 1.
    seed : int, default=0
        Of splits, trees and intervals. The same input, seed and versions give the same digest.
    name, version : str
        How the model is called.
    config : TrainingConfig, optional
        How to train.
    about : mapping, optional
        Further plain values for the manifest, such as how the worlds were made.
    sides : sequence of int8 array, optional
        Side of each device of each world, where the accounts are divided already; else they are
        divided here, see :func:`split_training_set`.

    Returns
    -------
    HouseholdModel
        With ``metrics`` (``evaluation``, ``comparison``, ``importance``) on the test accounts, and
        a card.

    Raises
    ------
    LabelsError
        When there are no labels, or only one of the two answers among the training accounts.
    ParameterError
        When columns do not fit together.
    """
    chosen = config or TrainingConfig()
    names = tuple(feature_names)
    _check(datasets, names, monotone)
    if sides is None:
        sides = [
            split_training_set(dataset, shares=chosen.shares, seed=seed + index)
            for index, dataset in enumerate(datasets)
        ]
    together = stack_worlds(datasets)
    side = np.concatenate(sides)
    usable = np.isfinite(together.y) & ~_column(together.ambiguous, len(together), fill=False)
    weight = _weights(datasets, sides, balance=chosen.balance_worlds)
    train = usable & (side == TRAIN) & (weight > 0)
    _check_classes(together.y[train])
    trees = fit_trees(
        together.take(train),
        names,
        weight=weight[train],
        monotone=monotone,
        seed=seed,
        config=chosen.classifier,
    )
    baselines = fit_baselines(
        together.values[train, : len(names)], names, together.y[train], weight=weight[train]
    )
    aside = usable & (side == CALIBRATION) & (weight > 0)
    if not aside.any():
        raise LabelsError(
            Problem(
                "labels must reach accounts kept aside for calibration",
                f"none among {int((side == CALIBRATION).sum())} devices",
                "Label more accounts.",
            )
        )
    log_odds = Hypotheses.of(trees, together.values[aside]).log_odds()
    calibration = fit_calibration(log_odds, together.y[aside], weight=weight[aside])
    unseen = _column(together.unseen, len(together), fill=False)
    thresholds = choose_thresholds(
        log_odds,
        together.y[aside],
        together.account[aside],
        calibration,
        unseen=unseen[aside],
        config=chosen.thresholds,
    )
    model = HouseholdModel(
        name=name,
        version=version,
        feature_names=names if _is_plain(together, names) else columns_for(names),
        monotone=tuple(int(sign) for sign in monotone),
        trees=trees,
        calibration=calibration,
        thresholds=thresholds,
        manifest={
            "worlds": [
                _counts(dataset, part) for dataset, part in zip(datasets, sides, strict=True)
            ],
            "simulated": all(dataset.simulated for dataset in datasets),
            "seed": seed,
            "config": asdict(chosen),
            "baselines": baselines.to_dict(),
            "libraries": {library: version_of(library) for library in _LIBRARIES},
            **(about or {}),
        },
    )
    test = together.take(side == TEST)
    metrics: dict[str, Any] = {}
    if (np.isfinite(test.y) & ~_column(test.ambiguous, len(test), fill=False)).any():
        evaluation, comparison = evaluate_model(
            model, test, replicates=chosen.replicates, seed=seed
        )
        weights = np.abs(model.contributions(test.values)).mean(axis=0)
        metrics = {
            "evaluation": evaluation.to_dict(),
            "comparison": comparison.to_dict(),
            "importance": {
                model.explained_names[index]: round(float(weights[index]), 6)
                for index in np.argsort(-weights, kind="stable")
            },
        }
    measured = replace(model, metrics=metrics)
    return replace(measured, card=model_card(measured))


def fit_trees(
    dataset: TrainingSet,
    names: Sequence[str],
    *,
    monotone: Sequence[int],
    weight: Floats | None = None,
    seed: int = 0,
    config: ClassifierConfig | None = None,
) -> Trees:
    """Fit trees to labelled devices; where home is in doubt, as their accounts' labels place it.

    Parameters
    ----------
    dataset : TrainingSet
        Labelled devices, of values with F or 2 F + 2 columns. Devices of accounts whose labels
        speak for neither possible home are not learnt from.
    names : sequence of F str
        Features of the trees.
    monotone : sequence of F int
        Direction of each on the probability.
    weight : float64 array of shape (D,), optional
        Weight of each device; 1 when left out.
    seed : int, default=0
        Of the trees.
    config : ClassifierConfig, optional
        Size of the trees.

    Returns
    -------
    Trees
    """
    values, y = dataset.values, dataset.y
    if not _is_plain(dataset, names):
        home_share = next(list(names).index(name) for name in _SPOKEN_BY if name in names)
        believed = believed_homes(values, y, dataset.account, home_share=home_share)
        kept = believed >= 0
        if np.unique(y[kept]).size == np.unique(y).size:
            values, y = taken_as_home(values, believed)[kept], y[kept]
            weight = None if weight is None else weight[kept]
        else:
            values = values[:, : len(names)]
    fitted = fit_classifier(values, y, weight=weight, monotone=monotone, seed=seed, config=config)
    return Trees.from_estimator(fitted)


def _is_plain(dataset: TrainingSet, names: Sequence[str]) -> bool:
    return int(dataset.values.shape[1]) == len(names)


def evaluate_model(
    model: HouseholdModel,
    dataset: TrainingSet,
    *,
    replicates: int = 200,
    seed: int = 0,
) -> tuple[Evaluation, Comparison]:
    """Measure a model, and the baselines it carries, on devices it has not seen.

    Parameters
    ----------
    model : HouseholdModel
        Its manifest holds the fitted baselines.
    dataset : TrainingSet
        Features in the model's order, and labels.
    replicates : int, default=200
        Resamples of the accounts.
    seed : int, default=0
        Of the resampling.

    Returns
    -------
    Evaluation, Comparison
    """
    probability = model.probability(dataset.values)
    evaluation = evaluate_scores(
        probability,
        dataset.y,
        dataset.account,
        situation=dataset.situation,
        ambiguous=dataset.ambiguous,
        unseen=dataset.unseen,
        thresholds=model.thresholds,
        slices=dataset.slices,
        replicates=replicates,
        seed=seed,
        name=model.label,
    )
    rules = model.manifest.get("baselines")
    baselines = Baselines.from_dict(rules) if rules else Baselines(model.calibration.prevalence)
    comparison = compare_scores(
        {"this model": -probability, **baselines.scores(dataset.values, model.feature_names)},
        dataset.y,
        dataset.account,
        ambiguous=dataset.ambiguous,
        replicates=replicates,
        seed=seed,
    )
    return evaluation, comparison


def leave_one_world_out(
    datasets: Sequence[TrainingSet],
    *,
    feature_names: Sequence[str],
    monotone: Sequence[int],
    seed: int = 0,
    config: TrainingConfig | None = None,
) -> dict[str, tuple[Evaluation, Comparison]]:
    """Measure each world with a model trained on all the others.

    Parameters
    ----------
    datasets : sequence of TrainingSet
        At least two worlds, with names of their own.
    feature_names, monotone, seed, config
        As in :func:`fit_household_model`.

    Returns
    -------
    dict of str to (Evaluation, Comparison)
        By name of the world left out.

    Raises
    ------
    ParameterError
        When there are fewer than two worlds.
    """
    if len(datasets) < 2:
        raise ParameterError(
            Problem(
                "worlds to leave out one by one must be at least 2",
                str(len(datasets)),
                "Give more worlds.",
            )
        )
    chosen = config or TrainingConfig()
    found = {}
    for left_out in datasets:
        model = fit_household_model(
            [dataset for dataset in datasets if dataset is not left_out],
            feature_names=feature_names,
            monotone=monotone,
            seed=seed,
            name=f"without {left_out.name}",
            config=chosen,
        )
        found[left_out.name] = evaluate_model(
            model, left_out, replicates=chosen.replicates, seed=seed
        )
    return found


def stack_worlds(datasets: Sequence[TrainingSet]) -> TrainingSet:
    """Put the devices of several worlds below each other, accounts and groups kept apart.

    Parameters
    ----------
    datasets : sequence of TrainingSet
        At least one world; columns that some of them lack are filled with what leaving them out
        means.

    Returns
    -------
    TrainingSet
        With a division ``world`` among its slices.
    """
    accounts, groups, worlds = [], [], []
    next_account = next_group = 0
    for dataset in datasets:
        account = np.unique(dataset.account, return_inverse=True)[1]
        own = dataset.account if dataset.group is None else dataset.group
        group = np.unique(own, return_inverse=True)[1]
        accounts.append(account + next_account)
        groups.append(group + next_group)
        worlds.append(np.full(len(dataset), dataset.name, dtype=object))
        next_account += int(account.max(initial=-1)) + 1
        next_group += int(group.max(initial=-1)) + 1
    kinds = list(dict.fromkeys(kind for dataset in datasets for kind in dataset.slices))

    def joined(name: str, fill: Any, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        return np.concatenate(
            [
                _column(getattr(dataset, name), len(dataset), fill=fill).astype(dtype)
                for dataset in datasets
            ]
        )

    return TrainingSet(
        name=", ".join(dataset.name for dataset in datasets),
        values=np.concatenate([dataset.values for dataset in datasets]).astype(np.float64),
        y=np.concatenate([dataset.y for dataset in datasets]),
        account=np.concatenate(accounts).astype(np.int64),
        weight=joined("weight", 1.0, np.float64),
        situation=joined("situation", "", object),
        ambiguous=joined("ambiguous", False, np.bool_),
        unseen=joined("unseen", False, np.bool_),
        group=np.concatenate(groups).astype(np.int64),
        slices={
            "world": np.concatenate(worlds),
            **{
                kind: np.concatenate(
                    [
                        _column(dataset.slices.get(kind), len(dataset), fill="").astype(object)
                        for dataset in datasets
                    ]
                )
                for kind in kinds
            },
        },
        simulated=all(dataset.simulated for dataset in datasets),
    )


def _column(given: npt.NDArray[Any] | None, rows: int, *, fill: Any) -> npt.NDArray[Any]:
    return np.full(rows, fill) if given is None else given


def _weights(
    datasets: Sequence[TrainingSet], sides: Sequence[npt.NDArray[np.int8]], *, balance: bool
) -> Floats:
    """Weight of each device; on each side every world adds up to the same, the mean is 1."""
    found = []
    for dataset, side in zip(datasets, sides, strict=True):
        usable = np.isfinite(dataset.y) & ~_column(dataset.ambiguous, len(dataset), fill=False)
        weight = _column(dataset.weight, len(dataset), fill=1.0) * usable
        if balance and len(datasets) > 1:
            for part in (TRAIN, CALIBRATION):
                total = weight[side == part].sum()
                if total > 0:
                    weight[side == part] *= 1.0 / total
        found.append(weight)
    together = np.concatenate(found)
    if balance and len(datasets) > 1:
        side = np.concatenate(sides)
        for part in (TRAIN, CALIBRATION):
            used = (side == part) & (together > 0)
            if used.any():
                together[used] /= together[used].mean()
    return together


def _counts(dataset: TrainingSet, side: npt.NDArray[np.int8]) -> dict[str, Any]:
    labelled = np.isfinite(dataset.y)
    accounts = {
        word: int(np.unique(dataset.account[side == part]).size)
        for word, part in (("train", TRAIN), ("calibration", CALIBRATION), ("test", TEST))
    }
    return {
        "name": dataset.name,
        "devices": len(dataset),
        "labelled": int(labelled.sum()),
        "outside": int((dataset.y == 0.0).sum()),
        "ambiguous": int(_column(dataset.ambiguous, len(dataset), fill=False).sum()),
        "accounts": accounts,
    }


def _check(datasets: Sequence[TrainingSet], names: Sequence[str], monotone: Sequence[int]) -> None:
    problems = [problem for dataset in datasets for problem in dataset.problems(len(names))]
    if not datasets:
        problems.append(Problem("datasets must hold a world", "none", "Give labelled devices."))
    if len(monotone) != len(names):
        problems.append(
            Problem(
                f"monotone must have {len(names)} directions",
                str(len(monotone)),
                "Give -1, 0 or 1 per feature.",
            )
        )
    if problems:
        raise ParameterError(problems)


def _check_classes(y: Floats) -> None:
    household, outside = int((y == 1.0).sum()), int((y == 0.0).sum())
    if household == 0 or outside == 0:
        raise LabelsError(
            Problem(
                "labels to train on must hold household and outside devices",
                f"{household} household and {outside} outside",
                "Label devices of both kinds, in more accounts; a Netflix export without a "
                "household set is unlabelled.",
            )
        )
