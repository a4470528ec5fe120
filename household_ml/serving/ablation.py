"""Models trained without a family of features, scored on kinds of worlds left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.errors import ParameterError, Problem
from household_ml.features import GROUPS
from household_ml.modeling.ablation import compare_ablated
from household_ml.modeling.training import TrainingConfig, stack_worlds
from household_ml.serving.datasets import LEARNT, LEARNT_COLUMNS
from household_ml.serving.many_worlds import fit_on_worlds
from household_ml.serving.sides import DividedDevices

__all__ = ["FAMILIES", "deal_kinds", "measure_ablation", "score_without"]

Floats = npt.NDArray[np.float64]

#: Families of features that the classifier sees: group of the catalogue -> number of features.
FAMILIES: Mapping[str, int] = {
    group: count for group in GROUPS if (count := sum(feature.group == group for feature in LEARNT))
}


def deal_kinds(kinds: Sequence[str], folds: int) -> list[tuple[str, ...]]:
    """Deal kinds of worlds into folds that are left out together.

    Parameters
    ----------
    kinds : sequence of str
        Kind of each world, at least two different ones.
    folds : int
        How many folds at most, at least 2.

    Returns
    -------
    list of tuple of str

    Examples
    --------
    >>> deal_kinds(["fr", "us", "us", "de"], 2)
    [('fr', 'de'), ('us',)]
    """
    distinct = list(dict.fromkeys(kinds))
    if folds < 2 or len(distinct) < 2:
        raise ParameterError(
            Problem(
                "an ablation must have two folds and two kinds of worlds",
                f"{folds} folds of {len(distinct)} kinds",
                "Ask for more.",
            )
        )
    return [tuple(distinct[start::folds]) for start in range(min(folds, len(distinct)))]


def score_without(
    family: str | None,
    left_out: Sequence[str],
    worlds: Sequence[DividedDevices],
    kinds: Sequence[str],
    *,
    config: TrainingConfig,
    seed: int,
) -> dict[str, Floats]:
    """Score kinds of worlds by a model that has seen neither them nor a family of features.

    Parameters
    ----------
    family : str or None
        Group of the catalogue that is left out; None leaves out none.
    left_out : sequence of str
        Kinds left out.
    worlds : sequence of DividedDevices
        Of all kinds.
    kinds : sequence of str
        Kind of each world.
    config : TrainingConfig
        How to train.
    seed : int
        Of the trees.

    Returns
    -------
    dict of str to float64 array of shape (D,)
        By kind left out: ``household_probability`` of the devices of its worlds, in their order.
    """
    features = [feature for feature in LEARNT if feature.group != family]
    others = [world for world, of in zip(worlds, kinds, strict=True) if of not in left_out]
    model = fit_on_worlds(others, seed=seed, config=config, features=features)
    columns = model.columns(LEARNT_COLUMNS)
    return {
        kind: np.concatenate(
            [
                model.probability(world.devices.learnt.values[:, columns])
                for world, of in zip(worlds, kinds, strict=True)
                if of == kind
            ]
        )
        for kind in left_out
    }


def measure_ablation(
    scored: Mapping[str | None, Sequence[Mapping[str, Floats]]],
    worlds: Sequence[DividedDevices],
    kinds: Sequence[str],
    *,
    replicates: int,
    seed: int,
) -> dict[str, Any]:
    """Measure what each family is worth.

    Parameters
    ----------
    scored : mapping of str or None to sequence of mapping
        By family what :func:`score_without` gave for each fold; None = with all features.
    worlds : sequence of DividedDevices
        Of all kinds.
    kinds : sequence of str
        Kind of each world.
    replicates, seed : int
        Of the resampling.

    Returns
    -------
    dict
        Plain JSON values: ``folds`` and, by family, ``families``.
    """
    devices = {
        kind: stack_worlds(
            [world.devices.learnt for world, of in zip(worlds, kinds, strict=True) if of == kind]
        )
        for kind in dict.fromkeys(kinds)
    }
    together = {
        family: {kind: found[kind] for found in folds for kind in found}
        for family, folds in scored.items()
    }
    families = compare_ablated(
        devices,
        together[None],
        {family: scores for family, scores in together.items() if family is not None},
        features=FAMILIES,
        replicates=replicates,
        seed=seed,
    )
    return {
        "folds": [list(found) for found in scored[None]],
        "families": {family: found.to_dict() for family, found in families.items()},
    }
