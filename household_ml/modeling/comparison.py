"""Several scores on the same devices, each ranked alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.display import rows_html
from household_ml.modeling.resampling import (
    RATES,
    Devices,
    Estimate,
    Ranking,
    check_scores,
    share,
)

__all__ = ["Comparison", "compare_scores"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


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

    def _repr_html_(self) -> str:
        first = next(iter(self.rows.values()), {})
        names = ["PR-AUC" if name == "pr_auc" else _heading(name) for name in first]
        rows = [[score, *row.values()] for score, row in self.rows.items()]
        return rows_html(
            f"Scores on the same devices; share outside {self.prevalence:.3f}",
            ["score", *names],
            rows,
        )

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
    devices, labelled = Devices.of(y, account, ambiguous)
    check_scores(scores, labelled, devices)
    drawn = devices.draws(replicates, seed)
    households = devices.headline & ~devices.outside
    found: dict[str, Floats] = {}
    rows: dict[str, dict[str, Estimate]] = {}
    for name, score in scores.items():
        ranking = Ranking(score[labelled], devices, rates)
        top = ranking.code[households] == 0
        owner = devices.account[households]
        table = np.empty((len(drawn), len(rates) + 2))
        for index, draw in enumerate(drawn):
            average, recall, _ = ranking.under(draw)
            weight = draw[owner]
            table[index] = [average, *recall, share(weight[top].sum(), weight.sum())]
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
    prevalence = float(share(outside, int(devices.headline.sum())))
    return Comparison(rows, ahead, round(prevalence, 6))
