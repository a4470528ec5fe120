"""Drift of columns between two populations, and its picture.

The distance is the population stability index, PSI = sum over bins of (q - p) ln(q / p), the
symmetrised Kullback-Leibler divergence of two histograms; by custom it is called small below 0.1
and large from 0.25. It is blind to how far values have moved, so the Wasserstein distance stands
beside it, in standard deviations of the reference. The test is Kolmogorov and Smirnov's, with as
many observations as there are accounts, since devices of one account are alike; over all columns
the share of false alarms is held by the rule of Benjamini and Hochberg (1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from household_ml.errors import ParameterError, Problem
from household_ml.modeling.plots import COLOURS, add_legend, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "LARGE",
    "SMALL",
    "compute_drift",
    "compute_operator_drift",
    "plot_drift",
    "plot_operator_drift",
    "population_stability",
]

#: Below the first a PSI is called small, from the second on large.
SMALL: Final = 0.1
LARGE: Final = 0.25

#: Share of false alarms among the alarms that is held.
_FALSE_ALARMS: Final = 0.01

#: A smaller shift (in standard deviations, or as a share of nulls) is no drift that matters [A].
_LEAST_SHIFT: Final = 0.25

Floats = npt.NDArray[np.float64]


def population_stability(reference: Floats, current: Floats, bins: int = 10) -> tuple[float, int]:
    """PSI of one column over quantiles of the reference, nulls in a bin of their own.

    Parameters
    ----------
    reference, current : float64 arrays
        Values; NaN = null.
    bins : int, default=10
        Most bins.

    Returns
    -------
    psi : float
        0 = the same histogram. Half a row is added to each bin, so that an empty one is no wall.
    used : int
        Bins that there are.

    Examples
    --------
    >>> even = np.arange(1000.0)
    >>> population_stability(even, even)
    (0.0, 10)
    >>> population_stability(even, even + 500)[0] > 1
    True
    """
    known = reference[np.isfinite(reference)]
    edges = (
        np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])) if known.size else known
    )
    shares = []
    for values in (reference, current):
        code = np.where(np.isfinite(values), np.searchsorted(edges, values, side="right"), -1)
        shares.append(np.bincount(code + 1, minlength=edges.size + 2) + 0.5)
    seen = (shares[0] > 0.5) | (shares[1] > 0.5)
    p, q = (share[seen] / share[seen].sum() for share in shares)
    return float(((q - p) * np.log(q / p)).sum()), int(seen.sum())


def compute_drift(
    reference: Floats,
    current: Floats,
    names: Sequence[str],
    *,
    accounts: tuple[int, int],
) -> pd.DataFrame:
    """Tabulate how far each column has moved, farthest first.

    Parameters
    ----------
    reference, current : float64 arrays of shape (D, F) and (E, F)
        Devices as rows; NaN = null.
    names : sequence of str, length F
        Columns.
    accounts : tuple of two ints
        Accounts of either side: how many observations there really are.

    Returns
    -------
    DataFrame
        ``column``, ``psi``, ``chance`` (the PSI that chance alone is expected to give), ``ks``
        (largest distance of the distributions, of the values that are not null), ``p_value``,
        ``shift`` (Wasserstein distance in standard deviations of the reference),
        ``null_reference``, ``null_current`` (shares), ``drifted``: the PSI exceeds 0.1 and twice
        what chance gives, the test holds, and the shift or the change of nulls exceeds 0.25.

    Raises
    ------
    ParameterError
        A side has no devices, or the columns do not match the names.
    """
    from scipy.stats import false_discovery_control, kstwobign

    if not (reference.ndim == current.ndim == 2 and len(reference) and len(current)) or not (
        reference.shape[1] == current.shape[1] == len(names)
    ):
        raise ParameterError(
            Problem(
                f"both sides must have devices and {len(names)} columns",
                f"{reference.shape} and {current.shape}",
                "Give the features of two sets of sessions.",
            )
        )
    size = accounts[0] * accounts[1] / max(accounts[0] + accounts[1], 1)
    rows = []
    for column, name in enumerate(names):
        before, after = reference[:, column], current[:, column]
        psi, used = population_stability(before, after)
        nulls = [float(np.isnan(values).mean()) for values in (before, after)]
        distance, shift = _distances(before, after)
        distance = max(distance, abs(nulls[1] - nulls[0]))
        rows.append(
            {
                "column": name,
                "psi": psi,
                "chance": (used - 1) / max(size, 1),
                "ks": distance,
                "p_value": float(kstwobign.sf(distance * np.sqrt(size))),
                "shift": shift,
                "null_reference": nulls[0],
                "null_current": nulls[1],
            }
        )
    frame = pd.DataFrame(rows)
    kept = false_discovery_control(frame["p_value"]) <= _FALSE_ALARMS
    nulls_moved = (frame["null_current"] - frame["null_reference"]).abs()
    far = np.maximum(frame["shift"], nulls_moved) > _LEAST_SHIFT
    frame["drifted"] = kept & far & (frame["psi"] > np.maximum(SMALL, 2 * frame["chance"]))
    return frame.sort_values(["psi", "column"], ascending=[False, True], ignore_index=True)


def plot_drift(frame: pd.DataFrame, *, most: int = 15, ax: Axes | None = None) -> Axes:
    """Draw :func:`compute_drift`: the columns that moved farthest, as bars.

    Parameters
    ----------
    frame : DataFrame
    most : int, default=15
        Columns drawn.
    ax : Axes, optional
        Made when left out.

    Returns
    -------
    Axes
    """
    shown = frame.head(most)
    axes = new_axes(ax, size=(7.0, 1.6 + 0.3 * max(len(shown), 3)))
    place = np.arange(len(shown))[::-1]
    colours = [COLOURS[1] if drifted else COLOURS[7] for drifted in shown["drifted"]]
    axes.barh(place, shown["psi"], color=colours, height=0.65)
    axes.vlines(
        shown["chance"], place - 0.42, place + 0.42, color="black", linewidth=1.5, label="by chance"
    )
    for limit, dashes, told in ((SMALL, ":", "small below"), (LARGE, "--", "large from")):
        axes.axvline(
            limit, color=COLOURS[0], linewidth=1.2, linestyle=dashes, label=f"{told} {limit:g}"
        )
    axes.set_yticks(place, shown["column"])
    _embolden(axes, shown["drifted"])
    axes.set_xlim(0, 1.08 * max(LARGE, float(shown["psi"].max()) if len(shown) else 0.0))
    axes.set_xlabel("population stability index (orange, bold: drifted)")
    axes.set_title("What has moved")
    axes.grid(visible=False, axis="y")
    add_legend(axes, "lower right")
    return axes


def compute_operator_drift(operators: pd.DataFrame, signal: str, *, most: int = 12) -> pd.DataFrame:
    """Tabulate one signal of the ASs that moved farthest.

    Parameters
    ----------
    operators : DataFrame
        `household_ml.serving.monitoring.Monitored.operators`.
    signal : str
        Which signal.
    most : int, default=12
        ASs kept: those with an alarm first, then by how many accounts tell.

    Returns
    -------
    DataFrame
        ``name``, ``reference``, ``current``, each with ``_low`` and ``_high`` (95 %; equal to the
        value where there is no error), and ``alarm``.
    """
    chosen = operators[operators["signal"] == signal]
    chosen = chosen.sort_values(
        ["alarm", "accounts_current", "asn"], ascending=[False, False, True]
    ).head(most)
    columns: dict[str, object] = {
        "name": [f"{row.operator} (AS{row.asn})" for row in chosen.itertuples()]
    }
    for side in ("reference", "current"):
        reach = 1.96 * chosen[f"error_{side}"].fillna(0.0)
        columns[side] = chosen[side]
        columns[f"{side}_low"] = np.maximum(chosen[side] - reach, 0.0)
        columns[f"{side}_high"] = chosen[side] + reach
    return pd.DataFrame({**columns, "alarm": chosen["alarm"]}).reset_index(drop=True)


def plot_operator_drift(frame: pd.DataFrame, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw :func:`compute_operator_drift`: before as a ring, now as a dot, with 95 % intervals.

    Parameters
    ----------
    frame : DataFrame
    title : str
        What the signal is.
    ax : Axes, optional
        Made when left out.

    Returns
    -------
    Axes
    """
    axes = new_axes(ax, size=(7.0, 1.6 + 0.34 * max(len(frame), 2)))
    place = np.arange(len(frame))[::-1]
    colours = [COLOURS[1] if alarm else COLOURS[0] for alarm in frame["alarm"]]
    for side, lift in (("reference", 0.16), ("current", -0.16)):
        axes.hlines(
            place + lift, frame[f"{side}_low"], frame[f"{side}_high"], color=colours, linewidth=1.3
        )
    for side, lift, faces in (("reference", 0.16, "white"), ("current", -0.16, colours)):
        axes.scatter(
            frame[side], place + lift, s=34, facecolors=faces, edgecolors=colours, zorder=3
        )
        face = "white" if side == "reference" else COLOURS[6]
        told = "before" if side == "reference" else "now"
        axes.scatter([], [], s=34, facecolors=face, edgecolors=COLOURS[6], label=told)
    axes.set_yticks(place, frame["name"])
    _embolden(axes, frame["alarm"])
    axes.set_ylim(-0.7, len(frame) - 0.3)
    axes.set_xlim(left=0)
    axes.set_xlabel(title)
    axes.set_title("Operators, before and now (orange, bold: alarm)")
    axes.grid(visible=False, axis="y")
    add_legend(axes)
    return axes


def _embolden(axes: Axes, rows: pd.Series) -> None:
    """Tell the rows that matter by more than their colour."""
    for label, matters in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if matters else "normal")


def _distances(before: Floats, after: Floats) -> tuple[float, float]:
    """Kolmogorov's and Wasserstein's distance of the values that are not null."""
    from scipy.stats import ks_2samp, wasserstein_distance

    one, other = before[np.isfinite(before)], after[np.isfinite(after)]
    if not one.size or not other.size:
        return 0.0, 0.0
    spread = float(one.std()) or 1.0
    return (
        float(ks_2samp(one, other, method="asymp").statistic),
        float(wasserstein_distance(one, other)) / spread,
    )
