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

from household_ml.compiling import compiled
from household_ml.errors import ParameterError, Problem
from household_ml.modeling.thresholds import Thresholds

__all__ = [
    "RATES",
    "AbstentionPoint",
    "Comparison",
    "Estimate",
    "Evaluation",
    "ReliabilityBin",
    "Slice",
    "compare_scores",
    "evaluate_scores",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Rates of household false flags at which recall is reported.
RATES = (0.01, 0.005, 0.001)

#: Shares of devices answered at which the risk of a wrong answer is reported.
COVERAGES = (1.0, 0.98, 0.95, 0.9, 0.8, 0.6)

#: A slice is named when its rate is this many times the whole's.
FAIRNESS_LIMIT = 1.5


@compiled
def _rank(
    code: Ints, outside: Bools, weight: Floats, rates: Floats, recall: Floats, cutoff: Ints
) -> float:
    """Average precision; fills recall and cutoff (last flagged code, -1 = none) per rate.

    ``code`` ascends, 0 = most outside. Without both classes all is NaN.
    """
    positives = 0.0
    negatives = 0.0
    for row in range(code.size):
        if outside[row]:
            positives += weight[row]
        else:
            negatives += weight[row]
    for rate in range(rates.size):
        cutoff[rate] = -1
        recall[rate] = 0.0
    if positives == 0.0 or negatives == 0.0:
        for rate in range(rates.size):
            recall[rate] = np.nan
        return np.nan
    found = 0.0
    false = 0.0
    precise = 0.0
    row = 0
    while row < code.size:
        tie = code[row]
        gained = 0.0
        while row < code.size and code[row] == tie:
            if outside[row]:
                gained += weight[row]
            else:
                false += weight[row]
            row += 1
        found += gained
        if gained > 0.0:
            precise += gained / positives * (found / (found + false))
        for rate in range(rates.size):
            if false <= rates[rate] * negatives:
                cutoff[rate] = tie
                recall[rate] = found / positives
    return precise


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval; None where it is not defined.

    Parameters
    ----------
    value : float or None
        On the accounts as they are.
    low, high : float or None
        Percentiles 2.5 and 97.5 over the resampled accounts.
    """

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, value: float, replicates: Floats) -> Estimate:
        """Take the percentiles of the replicates that are defined."""
        defined = replicates[np.isfinite(replicates)]
        if not np.isfinite(value) or defined.size == 0:
            return cls(None if not np.isfinite(value) else round(float(value), 6), None, None)
        low, high = np.percentile(defined, (2.5, 97.5))
        return cls(round(float(value), 6), round(float(low), 6), round(float(high), 6))

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


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


@dataclass(frozen=True, slots=True)
class Slice:
    """The same numbers for a part of the devices.

    Parameters
    ----------
    kind, value : str
        What divides the devices (``situation``, ``world``...), and the part.
    devices, accounts, households, outside : int
        Counts.
    ambiguous : bool
        Whether the policy is open on these devices; then they are in no headline number.
    probability : float
        Mean ``household_probability``.
    brier : float
        Mean squared error of the probability.
    false_flags : Estimate
        Share of its household devices flagged at the operating point of the whole (first rate).
    recall : Estimate
        Share of its outside devices flagged there.
    ratio : Estimate
        ``false_flags`` over that of the whole; above 1.5 it is named in the model card.
    called_outside, undetermined : float or None
        Shares at the model's own thresholds; None without them.
    undetermined_ratio : float or None
        ``undetermined`` over that of the whole.
    """

    kind: str
    value: str
    devices: int
    accounts: int
    households: int
    outside: int
    ambiguous: bool
    probability: float
    brier: float
    false_flags: Estimate
    recall: Estimate
    ratio: Estimate
    called_outside: float | None
    undetermined: float | None
    undetermined_ratio: float | None


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
                    f"{'devices':>8}  {'false flags':<22} recall"
                ),
            ]
        for part in self.slices:
            mark = " (policy open)" if part.ambiguous else ""
            lines.append(
                f"  {part.kind + ' ' + part.value + mark:<38} {part.devices:>8}  "
                f"{part.false_flags!s:<22} {part.recall}"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class Comparison:
    """Several scores on the same devices, ranked alone.

    Parameters
    ----------
    rows : mapping of str to mapping of str to Estimate
        By score: ``pr_auc``, ``recall_at_R``, ``flagged_rule`` (share of household devices that
        the strictest answer of the score flags).
    ahead : mapping of str to Estimate
        By score: PR-AUC of the first score minus this one's, draw by draw.
    prevalence : float
        Share outside: the PR-AUC of a score that knows nothing.
    """

    rows: Mapping[str, Mapping[str, Estimate]]
    ahead: Mapping[str, Estimate]
    prevalence: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, always in the same order."""
        return {
            "rows": {
                name: {metric: asdict(estimate) for metric, estimate in row.items()}
                for name, row in self.rows.items()
            },
            "ahead": {name: asdict(estimate) for name, estimate in self.ahead.items()},
            "prevalence": self.prevalence,
        }

    def to_text(self) -> str:
        """Scores as rows, metrics as columns."""
        first = next(iter(self.rows.values()))
        headers = ["PR-AUC" if name == "pr_auc" else _heading(name) for name in first]
        width = max(len(name) for name in self.rows) + 2
        lines = ["".join([" " * width, *(f"{header:<24}" for header in headers)]).rstrip()]
        for name, row in self.rows.items():
            cells = "".join(f"{estimate!s:<24}" for estimate in row.values())
            lines.append(f"{name:<{width}}{cells}".rstrip())
        lines.append(f"share outside: {self.prevalence:.3f}")
        return "\n".join(lines)


def _heading(metric: str) -> str:
    if metric.startswith("recall_at_"):
        return f"recall at {float(metric.removeprefix('recall_at_')):.1%} FF"
    return "strictest answer flags"


@dataclass(frozen=True)
class _Devices:
    """Labelled devices, the headline among them, and their accounts as 0..A-1."""

    outside: Bools
    account: Ints
    headline: Bools
    accounts: int

    @classmethod
    def of(cls, y: Floats, account: Ints, ambiguous: Bools | None) -> tuple[_Devices, Bools]:
        labelled = np.isfinite(y)
        owner = np.unique(account[labelled], return_inverse=True)[1].astype(np.int64)
        headline = np.ones(owner.size, bool) if ambiguous is None else ~ambiguous[labelled]
        accounts = int(owner.max()) + 1 if owner.size else 0
        return cls(y[labelled] == 0.0, owner, headline, accounts), labelled

    def draws(self, replicates: int, seed: int) -> list[npt.NDArray[np.int32]]:
        """How often each account is drawn: first as they are, then resampled."""
        rng = np.random.default_rng(seed)
        drawn = [np.ones(self.accounts, dtype=np.int32)]
        for _ in range(replicates):
            chosen = rng.integers(0, self.accounts, self.accounts)
            drawn.append(np.bincount(chosen, minlength=self.accounts).astype(np.int32))
        return drawn

    def honest(self) -> Bools:
        """Accounts with a household device and none outside in the headline, shape (A,)."""
        devices = np.bincount(self.account[self.headline & ~self.outside], minlength=self.accounts)
        strangers = np.bincount(self.account[self.headline & self.outside], minlength=self.accounts)
        return np.asarray((devices > 0) & (strangers == 0))


class _Ranking:
    """Devices in the order of a score, ready to be ranked under any weights."""

    def __init__(self, score: Floats, devices: _Devices, rates: Sequence[float]) -> None:
        self.code = np.unique(-score, return_inverse=True)[1].astype(np.int64)
        rows = np.flatnonzero(devices.headline)
        self.rows = rows[np.argsort(self.code[rows], kind="stable")]
        self.sorted_code = self.code[self.rows]
        self.sorted_outside = devices.outside[self.rows]
        self.sorted_account = devices.account[self.rows]
        self.rates = np.array(rates, dtype=np.float64)

    def under(self, drawn: npt.NDArray[np.int32]) -> tuple[float, Floats, Ints]:
        weight = drawn[self.sorted_account].astype(np.float64)
        recall = np.empty(self.rates.size)
        cutoff = np.empty(self.rates.size, dtype=np.int64)
        average = _rank(self.sorted_code, self.sorted_outside, weight, self.rates, recall, cutoff)
        return average, recall, cutoff


def _share(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        answer = np.asarray(part, dtype=np.float64) / np.asarray(whole, dtype=np.float64)
    return np.where(np.isfinite(answer), answer, np.nan)


def compare_scores(
    scores: Mapping[str, Floats],
    y: Floats,
    account: Ints,
    *,
    ambiguous: Bools | None = None,
    rates: Sequence[float] = RATES,
    replicates: int = 200,
    seed: int = 0,
) -> Comparison:
    """Rank the same devices by several scores.

    Parameters
    ----------
    scores : mapping of str to float64 array of shape (D,)
        Higher = more likely outside; finite. The first one is what the others are compared with.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unlabelled (left out).
    account : int64 array of shape (D,)
        Account of each device.
    ambiguous : bool array of shape (D,), optional
        Left out.
    rates : sequence of float, default=(0.01, 0.005, 0.001)
        Rates of household false flags.
    replicates : int, default=200
        Resamples of the accounts.
    seed : int, default=0
        Of the resampling.

    Returns
    -------
    Comparison

    Raises
    ------
    ParameterError
        When there is no score, or one has a value that is not finite.
    """
    devices, labelled = _Devices.of(y, account, ambiguous)
    _check_scores(scores, labelled, devices)
    drawn = devices.draws(replicates, seed)
    households = devices.headline & ~devices.outside
    found: dict[str, Floats] = {}
    rows: dict[str, dict[str, Estimate]] = {}
    for name, score in scores.items():
        ranking = _Ranking(score[labelled], devices, rates)
        top = ranking.code[households] == 0
        owner = devices.account[households]
        table = np.empty((len(drawn), len(rates) + 2))
        for index, draw in enumerate(drawn):
            average, recall, _ = ranking.under(draw)
            weight = draw[owner]
            table[index] = [average, *recall, _share(weight[top].sum(), weight.sum())]
        names = ["pr_auc", *(f"recall_at_{rate:g}" for rate in rates), "flagged_rule"]
        rows[name] = {
            metric: Estimate.of(table[0, column], table[1:, column])
            for column, metric in enumerate(names)
        }
        found[name] = table[:, 0]
    first = next(iter(found.values()))
    ahead = {
        name: Estimate.of(float((first - other)[0]), (first - other)[1:])
        for name, other in list(found.items())[1:]
    }
    outside = int((devices.headline & devices.outside).sum())
    prevalence = float(_share(outside, int(devices.headline.sum())))
    return Comparison(rows, ahead, round(prevalence, 6))


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
    devices, labelled = _Devices.of(y, account, ambiguous)
    p = np.asarray(probability, dtype=np.float64)[labelled]
    _check_scores({name: probability}, labelled, devices)
    if np.any((p < 0) | (p > 1)):
        raise ParameterError(
            Problem(
                "probability must be between 0 and 1",
                f"{p.min():g} to {p.max():g}",
                "Give calibrated probabilities, not log-odds.",
            )
        )
    drawn = devices.draws(replicates, seed)
    ranking = _Ranking(-p, devices, rates)  # 1 - p would round the surest ones together
    ranked = [ranking.under(draw) for draw in drawn]
    cutoffs = np.array([cutoff for _, _, cutoff in ranked])
    metrics: dict[str, Estimate] = {}

    households = devices.headline & ~devices.outside
    outsiders = devices.headline & devices.outside
    totals = _AccountTotals(devices, drawn)
    in_headline = totals.of(devices.headline)
    metrics["prevalence"] = _estimate(_share(totals.of(outsiders), in_headline))
    metrics["pr_auc"] = _estimate(np.array([average for average, _, _ in ranked]))
    for column, rate in enumerate(rates):
        recalls = np.array([recall[column] for _, recall, _ in ranked])
        metrics[f"recall_at_{rate:g}"] = _estimate(recalls)
    honest = devices.honest()
    first_flag = np.full(devices.accounts, np.iinfo(np.int64).max)
    np.minimum.at(first_flag, devices.account[households], ranking.code[households])
    honest_drawn = np.array([float(draw[honest].sum()) for draw in drawn])
    for column, rate in enumerate(rates):
        flagged = [
            float(draw[honest & (first_flag <= cutoff)].sum())
            for draw, cutoff in zip(drawn, cutoffs[:, column], strict=True)
        ]
        metrics[f"honest_flagged_at_{rate:g}"] = _estimate(_share(flagged, honest_drawn))

    truth = (~devices.outside).astype(np.float64)
    squared = (p - truth) ** 2
    surprise = -np.log(np.clip(np.where(devices.outside, 1.0 - p, p), 1e-15, 1.0))
    metrics["brier"] = _estimate(_share(totals.of(devices.headline * squared), in_headline))
    metrics["log_loss"] = _estimate(_share(totals.of(devices.headline * surprise), in_headline))
    reliability, error = _reliability(p, truth, devices, totals, bins)
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
    parts = _slices(p, squared, devices, drawn, ranking.code, cutoffs[:, 0], calls, divisions)
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
        abstention=_abstention(p, truth, devices, totals),
        slices=parts,
        settings={
            "rates": [float(rate) for rate in rates],
            "replicates": replicates,
            "seed": seed,
            "bins": len(reliability),
        },
    )


class _AccountTotals:
    """Sums over devices under every draw, from sums by account."""

    def __init__(self, devices: _Devices, drawn: list[npt.NDArray[np.int32]]) -> None:
        self._account = devices.account
        self._accounts = devices.accounts
        self._drawn = drawn

    def of(self, values: npt.NDArray[Any]) -> Floats:
        """Sum of one value per device, shape (1 + replicates,)."""
        by_account = np.bincount(
            self._account, weights=values.astype(np.float64), minlength=self._accounts
        )
        return np.array([float(draw @ by_account) for draw in self._drawn])


def _estimate(over_draws: Floats) -> Estimate:
    return Estimate.of(float(over_draws[0]), over_draws[1:])


def _check_scores(scores: Mapping[str, Floats], labelled: Bools, devices: _Devices) -> None:
    problems = [
        Problem(
            f"score {name} must be finite",
            f"{int((~np.isfinite(score[labelled])).sum())} that are not",
            "State what a missing value means before ranking.",
        )
        for name, score in scores.items()
        if not np.isfinite(score[labelled]).all()
    ]
    if not scores or not devices.headline.any():
        problems.append(
            Problem(
                "evaluation must have a score and a labelled device that is not ambiguous",
                f"{len(scores)} scores and {int(devices.headline.sum())} devices",
                "Give labels for devices of these accounts.",
            )
        )
    if problems:
        raise ParameterError(problems)


def _reliability(
    p: Floats, truth: Floats, devices: _Devices, totals: _AccountTotals, bins: int
) -> tuple[tuple[ReliabilityBin, ...], Estimate]:
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
                true=_estimate(_share(true, count)),
            )
        )
    return tuple(parts), _estimate(_share(distance, totals.of(devices.headline)))


def _abstention(
    p: Floats, truth: Floats, devices: _Devices, totals: _AccountTotals
) -> tuple[AbstentionPoint, ...]:
    sureness = np.abs(p - 0.5)
    chosen = np.sort(sureness[devices.headline])[::-1]
    wrong = (p >= 0.5) != (truth == 1.0)
    points = []
    for coverage in COVERAGES:
        least = chosen[max(int(np.ceil(coverage * chosen.size)) - 1, 0)]
        answered = devices.headline & (sureness >= least)
        risk = _share(totals.of(answered & wrong), totals.of(answered))
        points.append(AbstentionPoint(coverage, _estimate(risk)))
    return tuple(points)


def _at_thresholds(
    calls: npt.NDArray[np.int8],
    devices: _Devices,
    totals: _AccountTotals,
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
        "called_recall": _estimate(_share(totals.of(outsiders & flagged), totals.of(outsiders))),
        "called_false_flags": _estimate(
            _share(totals.of(households & flagged), totals.of(households))
        ),
        "called_honest_flagged": _estimate(_share(hits, honest_drawn)),
        "coverage": _estimate(_share(totals.of(said), totals.of(devices.headline))),
        "risk": _estimate(_share(totals.of(wrong), totals.of(said))),
    }


def _slices(
    p: Floats,
    squared: Floats,
    devices: _Devices,
    drawn: list[npt.NDArray[np.int32]],
    code: Ints,
    cutoff: Ints,
    calls: npt.NDArray[np.int8] | None,
    divisions: Mapping[str, npt.NDArray[Any]],
) -> tuple[Slice, ...]:
    found: list[Slice] = []
    open_share = (
        float(_share((calls[devices.headline] == 0).sum(), devices.headline.sum()))
        if (calls is not None)
        else None
    )
    whole = np.array(
        [
            _flag_rate(draw, code <= cut, devices.headline & ~devices.outside, devices.account)
            for draw, cut in zip(drawn, cutoff, strict=True)
        ]
    )
    for kind, values in divisions.items():
        # ambiguous devices have cells of their own, shown for situations alone
        texts = np.array([str(value) for value in values.tolist()], dtype=object)
        names, part = np.unique(texts.astype(str), return_inverse=True)
        part = 2 * part + ~devices.headline
        cells = 2 * names.size
        rates = {True: np.empty((len(drawn), cells)), False: np.empty((len(drawn), cells))}
        for index, (draw, cut) in enumerate(zip(drawn, cutoff, strict=True)):
            weight = draw[devices.account].astype(np.float64)
            hit = weight * (code <= cut)
            for outside, table in rates.items():
                chosen = devices.outside == outside
                table[index] = _share(
                    np.bincount(part[chosen], weights=hit[chosen], minlength=cells),
                    np.bincount(part[chosen], weights=weight[chosen], minlength=cells),
                )
        for cell in range(cells):
            inside = part == cell
            if not inside.any() or not names[cell // 2] or (cell % 2 and kind != "situation"):
                continue
            undetermined = None if calls is None else float((calls[inside] == 0).mean())
            found.append(
                Slice(
                    kind=kind,
                    value=str(names[cell // 2]),
                    devices=int(inside.sum()),
                    accounts=int(np.unique(devices.account[inside]).size),
                    households=int((inside & ~devices.outside).sum()),
                    outside=int((inside & devices.outside).sum()),
                    ambiguous=bool(cell % 2),
                    probability=round(float(p[inside].mean()), 6),
                    brier=round(float(squared[inside].mean()), 6),
                    false_flags=_estimate(rates[False][:, cell]),
                    recall=_estimate(rates[True][:, cell]),
                    ratio=_estimate(_share(rates[False][:, cell], whole)),
                    called_outside=(
                        None if calls is None else round(float((calls[inside] == -1).mean()), 6)
                    ),
                    undetermined=None if undetermined is None else round(undetermined, 6),
                    undetermined_ratio=(
                        round(undetermined / open_share, 6)
                        if undetermined is not None and open_share
                        else None
                    ),
                )
            )
    return tuple(found)


def _flag_rate(draw: npt.NDArray[np.int32], flagged: Bools, among: Bools, account: Ints) -> float:
    weight = draw[account[among]]
    return float(_share(weight[flagged[among]].sum(), weight.sum()))
