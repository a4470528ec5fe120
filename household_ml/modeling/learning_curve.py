"""What more labels of one's own bring: quality on accounts kept aside, by number labelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.errors import LabelsError, ParameterError, Problem
from household_ml.modeling.adaptation import AdaptationConfig, adapt_model
from household_ml.modeling.calibration import sigmoid
from household_ml.modeling.model import HouseholdModel
from household_ml.modeling.reliability import bin_reliability
from household_ml.modeling.resampling import AccountTotals, Devices, Estimate, Ranking, estimate
from household_ml.modeling.training import TrainingSet

__all__ = ["COUNTS", "CurvePoint", "LearningCurve", "measure_curve"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Numbers of labelled accounts that are tried, as far as there are so many.
COUNTS = (25, 50, 100, 250, 500, 1000, 2000)

#: Share of household false flags at which devices outside are found.
RATE = 0.01

#: Bins of the calibration error, at most.
_BINS = 15


@dataclass(frozen=True)
class CurvePoint:
    """Quality after learning from so many accounts; means over repeats.

    Parameters
    ----------
    accounts : int
        Accounts that were labelled; 0 = the model that was started from.
    devices : float
        Labelled devices.
    recall, recall_gain : Estimate
        Share of devices outside that are found at 1 % household false flags; and what was gained
        on the model that was started from, on the same devices.
    log_loss, log_loss_gain : Estimate
        Log loss; a gain is a fall of it.
    calibration_error : float
        Expected calibration error, bins of equally many devices.
    worst_recall_gain, worst_log_loss_gain : float
        Of the repeat that gained least.
    own_weight : float
        Of the own trees.
    false_flags : float or None
        Share of household devices called ``outside`` at the chosen threshold; None when none of
        the repeats had one.
    certified : float
        Share of repeats in which a threshold for ``outside`` qualified.
    """

    accounts: int
    devices: float
    recall: Estimate
    recall_gain: Estimate
    log_loss: Estimate
    log_loss_gain: Estimate
    calibration_error: float
    worst_recall_gain: float
    worst_log_loss_gain: float
    own_weight: float
    false_flags: float | None
    certified: float


@dataclass(frozen=True)
class LearningCurve:
    """Points by number of labelled accounts, on the same accounts kept aside.

    Parameters
    ----------
    name : str
        What was learnt from.
    points : tuple of CurvePoint
        The model that was started from first.
    counts : mapping of str to int
        ``devices``, ``outside`` and ``accounts`` kept aside; ``repeats``.
    """

    name: str
    points: tuple[CurvePoint, ...]
    counts: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "counts": dict(self.counts),
            "points": [asdict(point) for point in self.points],
        }

    def to_markdown(self) -> str:
        """A table, one row per number of labelled accounts."""
        lines = [
            "| labelled accounts | devices | own trees | found at 1 % false flags | gained | "
            "log loss gained | calibration error |",
            "|---|---|---|---|---|---|---|",
        ]
        for point in self.points:
            cells = (
                f"{point.accounts}" if point.accounts else "none",
                f"{point.devices:.0f}",
                f"{point.own_weight:.2f}",
                str(point.recall),
                str(point.recall_gain) if point.accounts else "",
                str(point.log_loss_gain) if point.accounts else "",
                f"{point.calibration_error:.3f}",
            )
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)


def measure_curve(
    model: HouseholdModel,
    dataset: TrainingSet,
    *,
    counts: Sequence[int] = COUNTS,
    repeats: int = 3,
    aside: float = 0.5,
    truth: Floats | None = None,
    seed: int = 0,
    config: AdaptationConfig | None = None,
    replicates: int = 200,
    progress: Callable[[int], None] | None = None,
) -> LearningCurve:
    """Learn from ever more labelled accounts, and measure on accounts that are never learnt from.

    Parameters
    ----------
    model : HouseholdModel
        What to start from.
    dataset : TrainingSet
        Devices of a population, some of them labelled.
    counts : sequence of int
        Numbers of labelled accounts; larger ones than there are become as many as there are.
    repeats : int, default=3
        Draws of the accounts that are labelled.
    aside : float, default=0.5
        Share of the accounts that are kept aside to measure, in (0, 1).
    truth : float64 array of shape (D,), optional
        What to measure against, where it is known better than the labels: 1 = household,
        0 = outside, NaN = not measured. The labels when left out.
    seed : int, default=0
        Of all draws.
    config : AdaptationConfig, optional
        How to learn.
    replicates : int, default=200
        Resamples of the accounts kept aside, for the intervals.
    progress : callable, optional
        Called with a number of accounts when it is measured.

    Returns
    -------
    LearningCurve

    Raises
    ------
    LabelsError
        When the labels do not reach both sides.
    """
    measured = dataset.y if truth is None else truth
    settled = np.ones(len(dataset), bool) if dataset.ambiguous is None else ~dataset.ambiguous
    group = dataset.account if dataset.group is None else dataset.group
    kept_aside = _kept_aside(group, aside, seed)
    test = kept_aside & np.isfinite(measured) & settled
    labelled = ~kept_aside & np.isfinite(dataset.y) & settled
    pool = np.unique(dataset.account[labelled])
    if np.unique(measured[test]).size < 2 or pool.size < 2:
        raise LabelsError(
            Problem(
                "labels must reach accounts to learn from and, of both kinds, accounts kept aside",
                f"{pool.size} accounts to learn from, {int((measured[test] == 1).sum())} household "
                f"and {int((measured[test] == 0).sum())} outside devices aside",
                "Label more accounts.",
            )
        )
    if repeats < 1:
        raise ParameterError(Problem("repeats must be at least 1", str(repeats), "Leave it out."))
    tried = sorted({min(count, pool.size) for count in counts})
    scale = _Scale(measured[test], dataset.account[test], replicates, seed)
    before = scale.of(model, dataset.values[test])
    points = [_point(0, [0], [before], before, [model])]
    for count in tried:
        models, devices = [], []
        for repeat in range(repeats):
            rng = np.random.default_rng([seed, count, repeat])
            chosen = np.isin(dataset.account, rng.choice(pool, count, replace=False))
            given = np.where(labelled & chosen, dataset.y, np.nan)
            told = replace(dataset, y=given)
            models.append(adapt_model(model, told, seed=seed + repeat, config=config))
            devices.append(int(np.isfinite(given).sum()))
        after = [scale.of(each, dataset.values[test]) for each in models]
        points.append(_point(count, devices, after, before, models))
        if progress is not None:
            progress(count)
    return LearningCurve(
        dataset.name,
        tuple(points),
        {
            "devices": int(test.sum()),
            "outside": int((measured[test] == 0.0).sum()),
            "accounts": int(np.unique(dataset.account[test]).size),
            "repeats": repeats,
        },
    )


@dataclass(frozen=True)
class _Measured:
    """One model on the accounts kept aside: under every draw, and as they are."""

    recall: Floats
    loss: Floats
    calibration_error: float
    false_flags: float | None


class _Scale:
    """The accounts kept aside, and how often each draw holds each of them."""

    def __init__(self, y: Floats, account: Ints, replicates: int, seed: int) -> None:
        self.devices, _ = Devices.of(y, account, None)
        self.y = y
        self.drawn = self.devices.draws(replicates, seed)
        self.totals = AccountTotals(self.devices, self.drawn)
        self.rows = self.totals.of(np.ones(y.size))

    def of(self, model: HouseholdModel, values: Floats) -> _Measured:
        log_odds = model.calibration.log_odds(model.log_odds(values))
        p = sigmoid(log_odds)
        ranking = Ranking(-log_odds, self.devices, (RATE,))
        recall = np.array([float(ranking.under(draw)[1][0]) for draw in self.drawn])
        loss = self.totals.of(np.logaddexp(0.0, log_odds) - self.y * log_odds) / self.rows
        flagged = None
        if model.thresholds.outside_at is not None:
            flagged = float((p[self.y == 1.0] <= model.thresholds.outside_at).mean())
        error = bin_reliability(p, self.y, self.devices, self.totals, _BINS)[1].value
        return _Measured(recall, loss, float(error or 0.0), flagged)


def _point(
    accounts: int,
    devices: Sequence[int],
    after: Sequence[_Measured],
    before: _Measured,
    models: Sequence[HouseholdModel],
) -> CurvePoint:
    recall = np.array([each.recall for each in after])
    loss = np.array([each.loss for each in after])
    flagged = [each.false_flags for each in after if each.false_flags is not None]
    weights = [float(each.manifest.get("own_weight", 0.0)) for each in models]
    return CurvePoint(
        accounts=accounts,
        devices=round(float(np.mean(devices)), 1),
        recall=estimate(recall.mean(axis=0)),
        recall_gain=estimate((recall - before.recall).mean(axis=0)),
        log_loss=estimate(loss.mean(axis=0)),
        log_loss_gain=estimate((before.loss - loss).mean(axis=0)),
        calibration_error=round(float(np.mean([each.calibration_error for each in after])), 6),
        worst_recall_gain=round(float((recall - before.recall)[:, 0].min()), 6),
        worst_log_loss_gain=round(float((before.loss - loss)[:, 0].min()), 6),
        own_weight=round(float(np.mean(weights)) if accounts else 0.0, 4),
        false_flags=round(float(np.mean(flagged)), 6) if flagged else None,
        certified=round(len(flagged) / len(after), 4),
    )


def _kept_aside(group: Ints, share: float, seed: int) -> Bools:
    code = np.unique(group, return_inverse=True)[1]
    order = np.random.default_rng([seed, 29]).permutation(int(code.max(initial=-1)) + 1)
    return np.asarray(order[code] < share * order.size)
