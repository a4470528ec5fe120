"""A picture to choose thresholds by: what is found, and who pays, at each of them.

It shows what was measured, not what is certified: thresholds under a bound are chosen by
:func:`household_ml.modeling.thresholds.choose_thresholds`, on accounts of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from household_ml.modeling.plots import COLOURS, add_legend, curve_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from household_ml.modeling.thresholds import Thresholds

__all__ = ["compute_threshold_choice", "plot_threshold_choice"]

Floats = npt.NDArray[np.float64]

#: Columns that are drawn: name -> label.
_DRAWN: Final = {
    "recall": "devices outside that are found",
    "false_flags": "household devices flagged",
    "honest_flagged": "honest accounts with a device flagged",
}

#: Lowest share drawn; the axis is logarithmic, since the harm lies in the thousandths.
_LEAST: Final = 1e-4

#: Thresholds nearer to each other than this have their names one above the other.
_CLOSE: Final = 0.35


def compute_threshold_choice(
    probability: Floats,
    y: Floats,
    account: npt.NDArray[np.int64],
    *,
    ambiguous: npt.NDArray[np.bool_] | None = None,
    at: Floats | None = None,
) -> pd.DataFrame:
    """Tabulate what calling ``outside`` at or below each probability would do.

    Parameters
    ----------
    probability : float64 array of shape (D,)
        ``household_probability``.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unlabelled (left out).
    account : int64 array of shape (D,)
        Account of each device.
    ambiguous : bool array of shape (D,), optional
        Left out.
    at : float64 array, optional
        Probabilities to try; 0.005 to 0.995 in steps of 0.005 when left out.

    Returns
    -------
    DataFrame
        ``at``, ``flagged`` (devices), ``recall``, ``precision`` (null where nobody is flagged),
        ``false_flags`` and ``honest_flagged``: shares of the devices outside, of the flagged, of
        the household devices and of the accounts without a device outside.

    Examples
    --------
    >>> p, y = np.array([0.05, 0.2, 0.9, 0.9]), np.array([0.0, 1.0, 1.0, 1.0])
    >>> found = compute_threshold_choice(p, y, np.array([0, 1, 1, 2]), at=np.array([0.1, 0.3]))
    >>> found[["recall", "false_flags", "honest_flagged"]].round(2).values.tolist()
    [[1.0, 0.0, 0.0], [1.0, 0.33, 0.5]]
    """
    counted = np.isfinite(y) if ambiguous is None else np.isfinite(y) & ~ambiguous
    p, outside = probability[counted], y[counted] == 0.0
    owner = np.unique(account[counted], return_inverse=True)[1]
    accounts = int(owner.max(initial=-1)) + 1
    honest = np.bincount(owner, outside, minlength=accounts) == 0
    lowest = np.ones(accounts)
    np.minimum.at(lowest, owner, p)
    tried = np.arange(0.005, 0.9951, 0.005) if at is None else np.asarray(at, np.float64)
    found = np.searchsorted(np.sort(p[outside]), tried, side="right")
    false = np.searchsorted(np.sort(p[~outside]), tried, side="right")
    hit = np.searchsorted(np.sort(lowest[honest]), tried, side="right")
    flagged = found + false
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(flagged > 0, found / flagged, np.nan)
    return pd.DataFrame(
        {
            "at": tried,
            "flagged": flagged,
            "recall": found / max(int(outside.sum()), 1),
            "precision": precision,
            "false_flags": false / max(int((~outside).sum()), 1),
            "honest_flagged": hit / max(int(honest.sum()), 1),
        }
    )


def plot_threshold_choice(
    frame: pd.DataFrame, thresholds: Thresholds | None = None, ax: Axes | None = None
) -> Axes:
    """Draw :func:`compute_threshold_choice`, with the thresholds of a model.

    Parameters
    ----------
    frame : DataFrame
    thresholds : Thresholds, optional
        Drawn as lines, where there are any.
    ax : Axes, optional
        Made when left out.

    Returns
    -------
    Axes
    """
    axes = new_axes(ax)
    for index, (name, label) in enumerate(_DRAWN.items()):
        axes.plot(frame["at"], np.maximum(frame[name], _LEAST), **curve_style(index), label=label)
    for rate in (0.001, 0.01):
        axes.axhline(rate, color="#cccccc", linewidth=1, zorder=0)
    low = thresholds.outside_at if thresholds else None
    high = thresholds.household_at if thresholds else None
    close = low is not None and high is not None and high - low < _CLOSE
    for at, word, lift in ((low, "outside", 11 if close else 0), (high, "household", 0)):
        if at is not None:
            axes.axvline(at, color=COLOURS[6], linewidth=1.2, linestyle=":")
            axes.annotate(
                f"{word} at {at:.3f} ", (at, 1.25), (0, lift), textcoords="offset points",
                ha="center", va="bottom", fontsize="small", annotation_clip=False,
            )  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(_LEAST, 1.15)
    axes.set_yticks([1e-4, 1e-3, 1e-2, 1e-1, 1], ["0.01%", "0.1%", "1%", "10%", "100%"])
    axes.set_xlim(0, 1)
    axes.set_xlabel("called outside at or below this household probability")
    axes.set_ylabel("share")
    axes.set_title("Where to draw the line", pad=33 if close else 22)
    add_legend(axes)
    return axes
