"""Pictures of an evaluation: what is drawn is computed first, and can be read as a table.

Colours are those of Okabe and Ito, which people with any kind of colour vision tell apart; lines
also differ in their dashes. Matplotlib is loaded when something is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from household_ml.modeling.evaluation import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "COLOURS",
    "add_legend",
    "compute_false_flags",
    "compute_ranking_curves",
    "compute_reliability",
    "curve_style",
    "new_axes",
    "plot_false_flags",
    "plot_precision_recall",
    "plot_recall_at_false_flags",
    "plot_reliability",
]

Floats = npt.NDArray[np.float64]

#: Okabe and Ito's palette, in the order of use.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#999999",
)

_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (8, 3)), (0, (3, 3)))

#: Lowest false-flag rate drawn; curves start there on the logarithmic axis.
_LEAST_RATE = 1e-4


def compute_reliability(evaluation: Evaluation) -> pd.DataFrame:
    """Tabulate what was said and what was true, by bin of equally many devices.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    DataFrame
        ``low``, ``high`` (range of the bin), ``devices``, ``said``, ``true``, ``true_low``,
        ``true_high`` (95 %).
    """
    return pd.DataFrame(
        [
            {
                "low": part.low,
                "high": part.high,
                "devices": part.devices,
                "said": part.said,
                "true": part.true.value,
                "true_low": part.true.low,
                "true_high": part.true.high,
            }
            for part in evaluation.reliability
        ],
        columns=["low", "high", "devices", "said", "true", "true_low", "true_high"],
    )


def plot_reliability(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw :func:`compute_reliability`: the closer to the diagonal, the truer.

    Most devices are surely household, so both axes are stretched towards 0 and 1.

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
    ticks = [0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999]
    said, true = _stretch(frame["said"]), _stretch(frame["true"])
    low, high = _stretch(frame["true_low"]), _stretch(frame["true_high"])
    axes.plot([-7.5, 7.5], [-7.5, 7.5], color="#999999", linewidth=1, zorder=1)
    axes.vlines(said, low, high, color=COLOURS[0], linewidth=1.5, zorder=2)
    axes.plot(said, true, "o", color=COLOURS[0], markersize=5, zorder=3)
    places = _stretch(pd.Series(ticks))
    labels = [f"{tick:.1%}" if tick > 0.99 else f"{tick:.0%}" for tick in ticks]
    axes.set_xticks(places, labels)
    axes.set_yticks(places, labels)
    shown = np.concatenate([said, low, high])
    shown = shown[np.isfinite(shown)]
    if shown.size:
        edges = (max(float(shown.min()), -7.2) - 0.4, min(float(shown.max()), 7.2) + 0.4)
        axes.set_xlim(edges)
        axes.set_ylim(edges)
    axes.set_xlabel("household probability said")
    axes.set_ylabel("share that is household, 95 %")
    axes.set_title("What is said and what is true")
    return axes


def compute_ranking_curves(
    scores: Mapping[str, Floats],
    y: Floats,
    *,
    ambiguous: npt.NDArray[np.bool_] | None = None,
    points: int = 400,
) -> pd.DataFrame:
    """Tabulate recall of outside, precision and false flags along each score.

    Parameters
    ----------
    scores : mapping of str to float64 array of shape (D,)
        Higher = more likely outside; finite.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unlabelled (left out).
    ambiguous : bool array of shape (D,), optional
        Left out.
    points : int, default=400
        Most points kept per score, evenly over the curve and densely where few are flagged.

    Returns
    -------
    DataFrame
        ``score``, ``flagged`` (devices), ``recall``, ``precision``, ``false_flag_rate``; within a
        score by falling strictness. Devices of equal score are flagged together.
    """
    counted = np.isfinite(y) if ambiguous is None else np.isfinite(y) & ~ambiguous
    outside = y[counted] == 0.0
    frames = []
    for name, score in scores.items():
        order = np.argsort(-score[counted], kind="stable")
        ranked = score[counted][order]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if ranked.size else order
        found = np.cumsum(outside[order])[ends]
        flagged = ends + 1
        kept = _thinned(ends.size, points)
        frames.append(
            pd.DataFrame(
                {
                    "score": name,
                    "flagged": flagged[kept],
                    "recall": found[kept] / max(int(outside.sum()), 1),
                    "precision": found[kept] / flagged[kept],
                    "false_flag_rate": (flagged - found)[kept] / max(int((~outside).sum()), 1),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def plot_precision_recall(frame: pd.DataFrame, prevalence: float, ax: Axes | None = None) -> Axes:
    """Draw precision against recall of outside, the first score in front.

    Parameters
    ----------
    frame : DataFrame
        Of :func:`compute_ranking_curves`.
    prevalence : float
        Share outside: what a score that knows nothing reaches.
    ax : Axes, optional
        Made when left out.

    Returns
    -------
    Axes
    """
    axes = new_axes(ax)
    axes.axhline(prevalence, color="#999999", linewidth=1, label="prevalence")
    for index, (name, curve) in enumerate(_curves(frame)):
        recall = curve["recall"].to_numpy()
        precision = curve["precision"].to_numpy()
        if len(curve) > 1:
            axes.plot(recall, precision, zorder=10 - index, **curve_style(index), label=name)
        if len(curve) <= 3:
            axes.plot(
                recall[:-1] if len(curve) > 1 else recall,
                precision[:-1] if len(curve) > 1 else precision,
                "o",
                color=curve_style(index)["color"],
                label=None if len(curve) > 1 else name,
            )
    axes.set_xlim(0, 1.01)
    axes.set_ylim(0, 1.01)
    axes.set_xlabel("outside devices found (recall)")
    axes.set_ylabel("right among flagged (precision)")
    axes.set_title("Finding devices outside the household")
    add_legend(axes)
    return axes


def plot_recall_at_false_flags(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw recall of outside against the rate of household false flags, logarithmic.

    A step rises only where an operating point exists: a rule that flags many at once finds nothing
    left of its first step.

    Parameters
    ----------
    frame : DataFrame
        Of :func:`compute_ranking_curves`.
    ax : Axes, optional
        Made when left out.

    Returns
    -------
    Axes
    """
    axes = new_axes(ax)
    for rate in (0.001, 0.01):
        axes.axvline(rate, color="#cccccc", linewidth=1, zorder=0)
    for index, (name, curve) in enumerate(_curves(frame)):
        flags = np.maximum(curve["false_flag_rate"].to_numpy(), _LEAST_RATE)
        axes.plot(
            np.concatenate([[_LEAST_RATE], flags, [1.0]]),
            np.concatenate([[0.0], curve["recall"].to_numpy(), [1.0]]),
            drawstyle="steps-post",
            zorder=10 - index,
            **curve_style(index),
            label=name,
        )
    axes.set_xscale("log")
    axes.set_xlim(_LEAST_RATE, 1)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xticks([1e-4, 1e-3, 1e-2, 1e-1, 1], ["0.01%", "0.1%", "1%", "10%", "100%"])
    axes.set_xlabel("household devices flagged (false flags)")
    axes.set_ylabel("outside devices found (recall)")
    axes.set_title("What is found at the price of false flags")
    add_legend(axes)
    return axes


def compute_false_flags(evaluation: Evaluation, kind: str = "situation") -> pd.DataFrame:
    """Tabulate the false flags of each slice at the operating point of the whole.

    Parameters
    ----------
    evaluation : Evaluation
    kind : str, default="situation"
        Which division.

    Returns
    -------
    DataFrame
        ``slice``, ``ambiguous``, ``households`` (devices), ``rate``, ``low``, ``high`` (95 %), most
        flagged first; slices without household devices are left out.
    """
    frame = pd.DataFrame(
        [
            {
                "slice": part.value,
                "ambiguous": part.ambiguous,
                "households": part.households,
                "rate": part.false_flags.value,
                "low": part.false_flags.low,
                "high": part.false_flags.high,
            }
            for part in evaluation.slices_of(kind)
            if part.households and part.false_flags.value is not None
        ],
        columns=["slice", "ambiguous", "households", "rate", "low", "high"],
    )
    return frame.sort_values(["rate", "slice"], ascending=[False, True], ignore_index=True)


def plot_false_flags(
    frame: pd.DataFrame,
    rate: float = 0.01,
    ax: Axes | None = None,
    *,
    policy_open: str = "policy open",
) -> Axes:
    """Draw :func:`compute_false_flags` as bars with intervals.

    Parameters
    ----------
    frame : DataFrame
    rate : float, default=0.01
        False-flag rate of the whole, drawn as a line, with twice as much dotted.
    ax : Axes, optional
        Made when left out.
    policy_open : str, default="policy open"
        Stands beside slices on which the policy itself is open, which are grey.

    Returns
    -------
    Axes
    """
    axes = new_axes(ax, size=(7.0, 1.6 + 0.3 * max(len(frame), 3)))
    place = np.arange(len(frame))[::-1]
    colours = [COLOURS[7] if ambiguous else COLOURS[1] for ambiguous in frame["ambiguous"]]
    axes.barh(place, frame["rate"], color=colours, height=0.65)
    axes.hlines(place, frame["low"], frame["high"], color="black", linewidth=1.2)
    axes.axvline(rate, color=COLOURS[0], linewidth=1.5, label=f"the whole, {rate:.1%}")
    axes.axvline(2 * rate, color=COLOURS[0], linewidth=1.2, linestyle=":", label="twice that")
    names = [
        f"{str(row['slice']).replace('_', ' ')}"
        f"{f' ({policy_open})' if row['ambiguous'] else ''}, {row['households']}"
        for _, row in frame.iterrows()
    ]
    axes.set_yticks(place, names)
    highest = max([2.2 * rate, *frame["high"].dropna().tolist(), *frame["rate"].tolist()])
    axes.set_xlim(0, min(1.0, 1.05 * highest))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("household devices flagged, 95 %")
    axes.set_title("False flags by situation")
    axes.grid(visible=False, axis="y")
    add_legend(axes, "lower right")
    return axes


def new_axes(ax: Axes | None = None, size: tuple[float, float] = (6.0, 4.5)) -> Axes:
    """Axes in the style of all pictures: those given, or new ones of a size in inches."""
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=size, layout="constrained").subplots()
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(visible=True, color="#eeeeee", linewidth=0.8)
    ax.set_axisbelow(True)
    return ax


def add_legend(axes: Axes, where: Literal["best", "lower right"] = "best") -> None:
    """Add a legend in the style of all pictures."""
    axes.legend(fontsize="small", loc=where, facecolor="white", edgecolor="none", framealpha=0.85)


def curve_style(index: int) -> dict[str, Any]:
    """Colour, dashes and width of a curve by its place; the first stands out."""
    width = 2.4 if index == 0 else 1.4
    return {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": _DASHES[index % len(_DASHES)],
        "linewidth": width,
    }


def _curves(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(name), curve) for name, curve in frame.groupby("score", sort=False)]


def _stretch(share: pd.Series) -> Floats:
    """Log-odds of a share, kept within a thousandth."""
    inside = np.clip(share.astype(np.float64).to_numpy(), 6e-4, 1.0 - 6e-4)
    stretched: Floats = np.log(inside) - np.log1p(-inside)
    return stretched


def _thinned(size: int, points: int) -> npt.NDArray[np.int64]:
    if size <= points:
        return np.arange(size)
    even = np.linspace(0, size - 1, points // 2)
    dense = np.geomspace(1, size, points // 2) - 1
    return np.unique(np.concatenate([even, dense]).astype(np.int64))
