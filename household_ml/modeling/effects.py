"""What a feature does to the answers of a model, by its value.

The log-odds of every device are an exact sum of what each feature adds. Here these additions are
put beside the values of the feature, over the devices of a population: their middle says what the
model learnt, and their spread how much it depends on the other features. They tell what the model
does, not what causes what.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from household_ml.errors import ParameterError, Problem
from household_ml.modeling.plots import COLOURS, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from household_ml.modeling.model import HouseholdModel

__all__ = ["compute_feature_effects", "plot_feature_effect", "rank_features"]

Floats = npt.NDArray[np.float64]


def rank_features(model: HouseholdModel, values: Floats) -> pd.Series:
    """How much each feature moves answers: the mean size of what it adds to the log-odds.

    Parameters
    ----------
    model : HouseholdModel
    values : float64 array of shape (D, F)
        Features in the model's order.

    Returns
    -------
    Series
        By feature, largest first.
    """
    size = np.abs(model.contributions(values)).mean(axis=0)
    ranked = pd.Series(size, index=pd.Index(model.explained_names, name="feature"), name="effect")
    return ranked.sort_values(ascending=False, kind="stable")


def compute_feature_effects(
    model: HouseholdModel,
    values: Floats,
    features: Sequence[str] | None = None,
    *,
    bins: int = 12,
    most: int = 6,
) -> pd.DataFrame:
    """Tabulate what features add to the log-odds, by bin of their values.

    Parameters
    ----------
    model : HouseholdModel
    values : float64 array of shape (D, F)
        Features of a population, in the model's order.
    features : sequence of str, optional
        Which; the `most` that move answers most when left out.
    bins : int, default=12
        Most bins, of about equally many devices; null has one of its own.
    most : int, default=6
        How many when `features` is left out.

    Returns
    -------
    DataFrame
        ``feature``, ``value`` (median of the bin; NaN = null), ``devices``, ``effect`` (median of
        what is added), ``low`` and ``high`` (5 and 95 % of the devices), by rising value.

    Raises
    ------
    ParameterError
        The model has no such feature, or there are no devices.
    """
    unknown = [name for name in features or () if name not in model.explained_names]
    if unknown or not len(values):
        raise ParameterError(
            Problem(
                "features must be of the model, and there must be devices",
                f"{', '.join(unknown) or 'no unknown feature'} and {len(values)} devices",
                "See explained_names of the model.",
            )
        )
    chosen = list(rank_features(model, values).index[:most] if features is None else features)
    adds = model.contributions(values)
    frames = []
    for name in chosen:
        column = model.explained_names.index(name)
        value = values[:, column]
        known = np.isfinite(value)
        edges = np.unique(np.quantile(value[known], np.linspace(0, 1, bins + 1)[1:-1])) if (
            known.any()
        ) else np.zeros(0)  # fmt: skip
        code = np.where(known, np.searchsorted(edges, value, side="right"), edges.size + 1)
        grouped = pd.DataFrame({"bin": code, "value": value, "effect": adds[:, column]}).groupby(
            "bin"
        )
        effect = grouped["effect"]
        frames.append(
            pd.DataFrame(
                {
                    "feature": name,
                    "value": grouped["value"].median(),
                    "devices": grouped.size(),
                    "effect": effect.median(),
                    "low": effect.quantile(0.05),
                    "high": effect.quantile(0.95),
                }
            ).reset_index(drop=True)
        )
    return pd.concat(frames, ignore_index=True)


def plot_feature_effect(frame: pd.DataFrame, feature: str, ax: Axes | None = None) -> Axes:
    """Draw one feature of :func:`compute_feature_effects`.

    Parameters
    ----------
    frame : DataFrame
    feature : str
        One of its features.
    ax : Axes, optional
        Made when left out.

    Returns
    -------
    Axes
    """
    axes = new_axes(ax, size=(3.6, 2.7))
    rows = frame[frame["feature"] == feature]
    known, null = rows[rows["value"].notna()], rows[rows["value"].isna()]
    axes.axhline(0.0, color="#999999", linewidth=1)
    axes.fill_between(known["value"], known["low"], known["high"], color=COLOURS[5], alpha=0.35)
    axes.plot(known["value"], known["effect"], "o-", color=COLOURS[0], markersize=3)
    if len(null):
        beside, low, high = 1.06, float(null["low"].iloc[0]), float(null["high"].iloc[0])
        beside_axis: Any = {"transform": axes.get_yaxis_transform(), "clip_on": False}
        axes.plot(
            [beside, beside], [low, high], color=COLOURS[1], linewidth=3, alpha=0.5, **beside_axis
        )
        middle = [float(null["effect"].iloc[0])]
        axes.plot([beside], middle, "D", color=COLOURS[1], markersize=5, **beside_axis)
        axes.annotate(
            "null", (beside, -0.03), xycoords="axes fraction", ha="center", va="top",
            fontsize="x-small", color=COLOURS[1],
        )  # fmt: skip
    axes.set_title(feature.replace("_", " "), fontsize="small")
    axes.set_ylabel("adds to log-odds", fontsize="small")
    axes.tick_params(labelsize="small")
    return axes
