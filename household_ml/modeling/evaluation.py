"""How good the answers are, on accounts the model has not seen, with what chance allows for.

The class that is looked for is ``outside``; a household device that is called outside is a *false
flag*. Devices on which the policy itself is open (``ambiguous``) are left out of every headline
number and reported as slices of their own. Intervals are 95 % percentile intervals of a bootstrap
over accounts: accounts are drawn with replacement, and their devices come along. The same seed
draws the same accounts for every score, so two scores can be compared draw by draw.

An *operating point* at a rate of false flags is the score above which the most outside devices
are found while at most that share of household devices is. Devices of equal score stand or fall
together; a score that has no operating point at a rate finds nothing there (recall 0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.display import facts_html
from household_ml.errors import ParameterError, Problem
from household_ml.modeling.comparison import Comparison, compare_scores
from household_ml.modeling.reliability import (
    AbstentionPoint,
    ReliabilityBin,
    bin_reliability,
    trade_abstention,
)
from household_ml.modeling.resampling import (
    RATES,
    AccountTotals,
    Devices,
    Estimate,
    Ranking,
    check_scores,
    estimate,
    share,
)
from household_ml.modeling.slices import Slice, slice_devices
from household_ml.modeling.thresholds import Thresholds

__all__ = [
    "FAIRNESS_LIMIT",
    "RATES",
    "SITUATION_LIMIT",
    "AbstentionPoint",
    "Comparison",
    "Estimate",
    "Evaluation",
    "ReliabilityBin",
    "Slice",
    "compare_scores",
    "evaluate_scores",
    "tell_above",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: A slice is named when its rate is this many times the whole's.
FAIRNESS_LIMIT = 1.5

#: Household devices of any one situation may be flagged this many times as often as all of them.
SITUATION_LIMIT = 2.0


@dataclass(frozen=True)
class Evaluation:
    """What :func:`evaluate_scores` found.

    Parameters
    ----------
    name : str
        Of the score.
    counts : mapping of str to int
        ``devices``, ``accounts``, ``honest_accounts``, ``households``, ``outside`` in the headline,
        and ``ambiguous`` devices beside it.
    metrics : mapping of str to Estimate
        ``prevalence`` (share outside), ``pr_auc``, ``recall_at_R`` and ``honest_flagged_at_R`` for
        each rate R, ``brier``, ``log_loss``, ``ece``; with thresholds also ``called_recall``,
        ``called_false_flags``, ``called_honest_flagged``, ``coverage``, ``risk``.
    reliability : tuple of ReliabilityBin
        Bins of equally many devices.
    abstention : tuple of AbstentionPoint
        Coverage against risk.
    slices : tuple of Slice
        By situation and every other division given.
    settings : mapping
        Rates, replicates, seed, bins.
    """

    name: str
    counts: Mapping[str, int]
    metrics: Mapping[str, Estimate]
    reliability: tuple[ReliabilityBin, ...]
    abstention: tuple[AbstentionPoint, ...]
    slices: tuple[Slice, ...]
    settings: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, always in the same order."""
        return {
            "name": self.name,
            "counts": dict(self.counts),
            "metrics": {name: asdict(estimate) for name, estimate in self.metrics.items()},
            "reliability": [asdict(part) for part in self.reliability],
            "abstention": [asdict(point) for point in self.abstention],
            "slices": [asdict(part) for part in self.slices],
            "above": [part.value for part in self.above()],
            "settings": dict(self.settings),
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Evaluation:
        """Read what :meth:`to_dict` gave."""
        return cls(
            name=given["name"],
            counts=dict(given["counts"]),
            metrics={name: Estimate(**value) for name, value in given["metrics"].items()},
            reliability=tuple(
                ReliabilityBin(**{**part, "true": Estimate(**part["true"])})
                for part in given["reliability"]
            ),
            abstention=tuple(
                AbstentionPoint(point["coverage"], Estimate(**point["risk"]))
                for point in given["abstention"]
            ),
            slices=tuple(
                Slice(
                    **{
                        **part,
                        **{
                            name: Estimate(**part[name])
                            for name in ("false_flags", "recall", "ratio")
                        },
                    }
                )
                for part in given["slices"]
            ),
            settings=dict(given["settings"]),
        )

    def slices_of(self, kind: str) -> tuple[Slice, ...]:
        """Slices of one division, such as ``situation``."""
        return tuple(part for part in self.slices if part.kind == kind)

    def unfair(self, limit: float = FAIRNESS_LIMIT) -> tuple[Slice, ...]:
        """Slices not ambiguous that are flagged or left open more than ``limit`` times as often."""
        return tuple(
            part
            for part in self.slices
            if not part.ambiguous
            and ((part.ratio.value or 0.0) > limit or (part.undetermined_ratio or 0.0) > limit)
        )

    def above(self, limit: float = SITUATION_LIMIT) -> tuple[Slice, ...]:
        """Situations not ambiguous whose household devices are flagged too often, worst first.

        Parameters
        ----------
        limit : float, default=2
            How many times the rate of the whole is allowed.

        Returns
        -------
        tuple of Slice
            Those whose ``ratio`` is larger.
        """
        found = [
            part
            for part in self.slices_of("situation")
            if not part.ambiguous and (part.ratio.value or 0.0) > limit
        ]
        return tuple(sorted(found, key=lambda part: -(part.ratio.value or 0.0)))

    def _repr_html_(self) -> str:
        counts = self.counts
        return facts_html(
            f"Evaluation of {self.name}",
            {
                "devices": f"{counts['devices']:,} of {counts['accounts']:,} accounts, "
                f"{counts['outside']:,} outside; {counts['ambiguous']:,} ambiguous ones apart",
                **{name.replace("_", " "): str(found) for name, found in self.metrics.items()},
            },
            tell_above(self) if self.slices_of("situation") else "",
        )

    def to_text(self) -> str:
        """Metrics and slices as a table for people."""
        counts = self.counts
        lines = [
            (
                f"{self.name}: {counts['devices']} devices of {counts['accounts']} accounts, "
                f"{counts['outside']} outside; {counts['ambiguous']} ambiguous ones apart"
            ),
            *(f"  {name:<28} {estimate}" for name, estimate in self.metrics.items()),
        ]
        if self.slices:
            rate = self.settings["rates"][0]
            lines += [
                "",
                (
                    f"  {'at ' + format(rate, '.1%') + ' household false flags':<38} "
                    f"{'devices':>8}  {'false flags':<22} {'times the whole':<22} recall"
                ),
            ]
        for part in self.slices:
            mark = " (policy open)" if part.ambiguous else ""
            lines.append(
                f"  {part.kind + ' ' + part.value + mark:<38} {part.devices:>8}  "
                f"{part.false_flags!s:<22} {part.ratio!s:<22} {part.recall}"
            )
        if self.slices_of("situation"):
            lines += ["", f"  {tell_above(self)}"]
        return "\n".join(lines)


def tell_above(evaluation: Evaluation, limit: float = SITUATION_LIMIT) -> str:
    """Name the situations of :meth:`Evaluation.above` in a sentence, or say that there is none."""
    found = evaluation.above(limit)
    if not found:
        return f"No situation is flagged wrongly over {limit:g} times as often as the whole."
    told = ", ".join(f"{part.value} {part.ratio} times" for part in found)
    return f"Flagged wrongly over {limit:g} times as often as the whole: {told}."


def evaluate_scores(
    probability: Floats,
    y: Floats,
    account: Ints,
    *,
    situation: npt.NDArray[Any] | None = None,
    ambiguous: Bools | None = None,
    unseen: Bools | None = None,
    thresholds: Thresholds | None = None,
    slices: Mapping[str, npt.NDArray[Any]] | None = None,
    rates: Sequence[float] = RATES,
    bins: int = 15,
    replicates: int = 200,
    seed: int = 0,
    name: str = "model",
) -> Evaluation:
    """Measure a calibrated probability on labelled devices of accounts it has not seen.

    Parameters
    ----------
    probability : float64 array of shape (D,)
        ``household_probability`` in [0, 1].
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unlabelled (left out).
    account : int64 array of shape (D,)
        Account of each device.
    situation : array of str, shape (D,), optional
        Slice of each device; an empty text belongs to none.
    ambiguous : bool array of shape (D,), optional
        Policy open: out of the headline, reported in slices.
    unseen : bool array of shape (D,), optional
        Too little history: nothing is said about these at the thresholds.
    thresholds : Thresholds, optional
        The model's own.
    slices : mapping of str to array of str, optional
        Further divisions of the devices (connection type, world, size of the household).
    rates : sequence of float, default=(0.01, 0.005, 0.001)
        Rates of household false flags.
    bins : int, default=15
        Bins of the calibration error, with equally many devices, at least 50 each; a bin never
        divides devices of equal probability. The error is the mean over devices of the distance
        between what the bin said and what was true in it. Chance adds to it: its interval leans up.
    replicates : int, default=200
        Resamples of the accounts.
    seed : int, default=0
        Of the resampling.
    name : str, default="model"
        Of the score.

    Returns
    -------
    Evaluation

    Raises
    ------
    ParameterError
        When nothing is labelled, or a probability is not in [0, 1].

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = (rng.random(400) < 0.8).astype(float)
    >>> found = evaluate_scores(0.1 + 0.8 * y, y, np.arange(400) // 4, replicates=20)
    >>> found.metrics["pr_auc"].value, found.metrics["recall_at_0.001"].value
    (1.0, 1.0)
    """
    devices, labelled = Devices.of(y, account, ambiguous)
    p = np.asarray(probability, dtype=np.float64)[labelled]
    check_scores({name: probability}, labelled, devices)
    if np.any((p < 0) | (p > 1)):
        raise ParameterError(
            Problem(
                "probability must be between 0 and 1",
                f"{p.min():g} to {p.max():g}",
                "Give calibrated probabilities, not log-odds.",
            )
        )
    drawn = devices.draws(replicates, seed)
    ranking = Ranking(-p, devices, rates)  # 1 - p would round the surest ones together
    ranked = [ranking.under(draw) for draw in drawn]
    cutoffs = np.array([cutoff for _, _, cutoff in ranked])
    metrics: dict[str, Estimate] = {}

    households = devices.headline & ~devices.outside
    outsiders = devices.headline & devices.outside
    totals = AccountTotals(devices, drawn)
    in_headline = totals.of(devices.headline)
    metrics["prevalence"] = estimate(share(totals.of(outsiders), in_headline))
    metrics["pr_auc"] = estimate(np.array([average for average, _, _ in ranked]))
    for column, rate in enumerate(rates):
        recalls = np.array([recall[column] for _, recall, _ in ranked])
        metrics[f"recall_at_{rate:g}"] = estimate(recalls)
    honest = devices.honest()
    first_flag = np.full(devices.accounts, np.iinfo(np.int64).max)
    np.minimum.at(first_flag, devices.account[households], ranking.code[households])
    honest_drawn = np.array([float(draw[honest].sum()) for draw in drawn])
    for column, rate in enumerate(rates):
        flagged = [
            float(draw[honest & (first_flag <= cutoff)].sum())
            for draw, cutoff in zip(drawn, cutoffs[:, column], strict=True)
        ]
        metrics[f"honest_flagged_at_{rate:g}"] = estimate(share(flagged, honest_drawn))

    truth = (~devices.outside).astype(np.float64)
    squared = (p - truth) ** 2
    surprise = -np.log(np.clip(np.where(devices.outside, 1.0 - p, p), 1e-15, 1.0))
    metrics["brier"] = estimate(share(totals.of(devices.headline * squared), in_headline))
    metrics["log_loss"] = estimate(share(totals.of(devices.headline * surprise), in_headline))
    reliability, error = bin_reliability(p, truth, devices, totals, bins)
    metrics["ece"] = error
    calls = None
    if thresholds is not None:
        calls = thresholds.calls(p)
        if unseen is not None:
            calls[unseen[labelled]] = 0
        metrics |= _at_thresholds(calls, devices, totals, honest, drawn)

    divisions: dict[str, npt.NDArray[Any]] = {}
    if situation is not None:
        divisions["situation"] = situation[labelled]
    for kind, values in (slices or {}).items():
        divisions[kind] = values[labelled]
    parts = slice_devices(p, squared, devices, drawn, ranking.code, cutoffs[:, 0], calls, divisions)
    return Evaluation(
        name=name,
        counts={
            "devices": int(devices.headline.sum()),
            "accounts": int(np.unique(devices.account[devices.headline]).size),
            "honest_accounts": int(honest.sum()),
            "households": int(households.sum()),
            "outside": int(outsiders.sum()),
            "ambiguous": int((~devices.headline).sum()),
        },
        metrics=metrics,
        reliability=reliability,
        abstention=trade_abstention(p, truth, devices, totals),
        slices=parts,
        settings={
            "rates": [float(rate) for rate in rates],
            "replicates": replicates,
            "seed": seed,
            "bins": len(reliability),
        },
    )


def _at_thresholds(
    calls: npt.NDArray[np.int8],
    devices: Devices,
    totals: AccountTotals,
    honest: Bools,
    drawn: list[npt.NDArray[np.int32]],
) -> dict[str, Estimate]:
    households = devices.headline & ~devices.outside
    outsiders = devices.headline & devices.outside
    flagged = calls == -1
    said = devices.headline & (calls != 0)
    wrong = (households & flagged) | (outsiders & (calls == 1))
    hit = np.zeros(devices.accounts, dtype=bool)
    hit[devices.account[households & flagged]] = True
    hits = [float(draw[honest & hit].sum()) for draw in drawn]
    honest_drawn = [float(draw[honest].sum()) for draw in drawn]
    return {
        "called_recall": estimate(share(totals.of(outsiders & flagged), totals.of(outsiders))),
        "called_false_flags": estimate(
            share(totals.of(households & flagged), totals.of(households))
        ),
        "called_honest_flagged": estimate(share(hits, honest_drawn)),
        "coverage": estimate(share(totals.of(said), totals.of(devices.headline))),
        "risk": estimate(share(totals.of(wrong), totals.of(said))),
    }
