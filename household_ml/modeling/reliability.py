"""What was said against what was true, and what abstaining buys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from household_ml.modeling.resampling import AccountTotals, Devices, Estimate, estimate, share

__all__ = ["AbstentionPoint", "ReliabilityBin", "bin_reliability", "trade_abstention"]

Floats = npt.NDArray[np.float64]

#: Shares of devices answered at which the risk of a wrong answer is reported.
COVERAGES = (1.0, 0.98, 0.95, 0.9, 0.8, 0.6)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Devices of similar probability: what was said and what was true.

    Parameters
    ----------
    low, high : float
        Smallest and largest probability in the bin.
    devices : int
        How many.
    said : float
        Mean ``household_probability``.
    true : Estimate
        Share that is household.
    """

    low: float
    high: float
    devices: int
    said: float
    true: Estimate


@dataclass(frozen=True, slots=True)
class AbstentionPoint:
    """What is wrong when only the surest devices are answered.

    Parameters
    ----------
    coverage : float
        Share of devices answered, the surest first (farthest from one half).
    risk : Estimate
        Share of these that are wrong when one half divides the answers.
    """

    coverage: float
    risk: Estimate


def bin_reliability(
    p: Floats, truth: Floats, devices: Devices, totals: AccountTotals, bins: int
) -> tuple[tuple[ReliabilityBin, ...], Estimate]:
    """Bins of equally many devices, and the calibration error over them.

    Parameters
    ----------
    p : float64 array of shape (D,)
        ``household_probability``.
    truth : float64 array of shape (D,)
        1 = household, 0 = outside.
    devices : Devices
        The same D devices; those of the headline count.
    totals : AccountTotals
        The draws.
    bins : int
        How many at most; each has at least 50 devices and divides none of equal probability.

    Returns
    -------
    tuple of ReliabilityBin
        From low to high.
    Estimate
        Mean over devices of the distance between what a bin said and what was true in it.
    """
    chosen = p[devices.headline]
    wanted = max(1, min(bins, chosen.size // 50))
    edges = np.unique(np.quantile(chosen, np.linspace(0.0, 1.0, wanted + 1)[1:-1], method="higher"))
    code = np.searchsorted(edges, p, side="right")
    parts = []
    distance: Floats = np.zeros(1)
    for bin_ in range(edges.size + 1):
        inside = devices.headline & (code == bin_)
        if not inside.any():
            continue
        count = totals.of(inside)
        said, true = totals.of(inside * p), totals.of(inside * truth)
        distance = distance + np.abs(said - true)
        parts.append(
            ReliabilityBin(
                low=float(p[inside].min()),
                high=float(p[inside].max()),
                devices=int(inside.sum()),
                said=round(float(p[inside].mean()), 6),
                true=estimate(share(true, count)),
            )
        )
    return tuple(parts), estimate(share(distance, totals.of(devices.headline)))


def trade_abstention(
    p: Floats, truth: Floats, devices: Devices, totals: AccountTotals
) -> tuple[AbstentionPoint, ...]:
    """Risk of a wrong answer when only the surest devices are answered; see AbstentionPoint."""
    sureness = np.abs(p - 0.5)
    chosen = np.sort(sureness[devices.headline])[::-1]
    wrong = (p >= 0.5) != (truth == 1.0)
    points = []
    for coverage in COVERAGES:
        least = chosen[max(int(np.ceil(coverage * chosen.size)) - 1, 0)]
        answered = devices.headline & (sureness >= least)
        risk = share(totals.of(answered & wrong), totals.of(answered))
        points.append(AbstentionPoint(coverage, estimate(risk)))
    return tuple(points)
