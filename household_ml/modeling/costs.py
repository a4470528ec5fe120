"""What a score saves, for any price of wronging a household.

A false flag costs `ratio` times as much as a device outside that is missed. A score is used at the
threshold that costs least for that price; flagging nobody is always open, and its cost is one. So
the curve tells which part of the harm is left, and where it touches one, the score is worth
nothing at that price. (Cost curves as Drummond and Holte, Machine Learning 2006, draw them, with
the price itself on the axis.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from household_ml.modeling.plots import add_legend, curve_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RATIOS", "compute_cost_curves", "plot_cost_curves"]

Floats = npt.NDArray[np.float64]

#: Prices of a false flag, in devices outside that are missed.
RATIOS: Final = tuple(float(ratio) for ratio in np.round(np.geomspace(0.1, 1000.0, 61), 6))


def compute_cost_curves(
    scores: Mapping[str, Floats],
    y: Floats,
    *,
    ambiguous: npt.NDArray[np.bool_] | None = None,
    ratios: Sequence[float] = RATIOS,
) -> pd.DataFrame:
    """Tabulate the least cost of each score at each price of a false flag.

    The least cost is that of the best threshold in hindsight, for every score alike.

    Parameters
    ----------
    scores : mapping of str to float64 array of shape (D,)
        Higher = more likely outside; finite.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unlabelled (left out).
    ambiguous : bool array of shape (D,), optional
        Left out.
    ratios : sequence of float
        Prices, positive.

    Returns
    -------
    DataFrame
        ``score``, ``ratio``, ``cost`` (1 = flagging nobody), ``recall`` and ``false_flag_rate`` at
        the threshold that costs least.

    Examples
    --------
    >>> y = np.array([1.0, 1.0, 1.0, 0.0, 0.0])
    >>> rule = np.array([0.0, 0.0, 1.0, 1.0, 0.0])
    >>> compute_cost_curves({"rule": rule}, y, ratios=[0.5, 2.0])["cost"].tolist()
    [0.75, 1.0]
    """
    counted = np.isfinite(y) if ambiguous is None else np.isfinite(y) & ~ambiguous
    outside = y[counted] == 0.0
    total, households = max(int(outside.sum()), 1), max(int((~outside).sum()), 1)
    prices = np.asarray(ratios, np.float64)
    frames = []
    for name, score in scores.items():
        order = np.argsort(-score[counted], kind="stable")
        ranked = score[counted][order]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if ranked.size else order
        found = np.concatenate([[0], np.cumsum(outside[order])[ends]])
        false = np.concatenate([[0], ends + 1]) - found
        # Of the lines cost(price) = missed + price * false only the lowest at each price counts.
        best = np.array([int(np.argmin(total - found + price * false)) for price in prices])
        frames.append(
            pd.DataFrame(
                {
                    "score": name,
                    "ratio": prices,
                    "cost": (total - found[best] + prices * false[best]) / total,
                    "recall": found[best] / total,
                    "false_flag_rate": false[best] / households,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def plot_cost_curves(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw :func:`compute_cost_curves`, the first score in front.

    Parameters
    ----------
    frame : DataFrame
    ax : Axes, optional
        Made when left out.

    Returns
    -------
    Axes
    """
    axes = new_axes(ax)
    curves = list(frame.groupby("score", sort=False))
    for index, (name, curve) in enumerate(curves):
        axes.plot(
            curve["ratio"], curve["cost"], zorder=10 - index, **curve_style(index), label=str(name)
        )
    axes.axhline(1.0, color="#999999", linewidth=1, label="flag nobody")
    axes.set_xscale("log")
    low, high = frame["ratio"].min(), frame["ratio"].max()
    ticks = [tick for tick in (0.1, 1, 10, 100, 1000) if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlim(low, high)
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("price of a false flag, in devices outside that are missed")
    axes.set_ylabel("harm left (1 = flag nobody)")
    axes.set_title("What it saves, by what a wrong costs")
    add_legend(axes)
    return axes
