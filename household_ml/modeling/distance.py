"""How far a model comes on the way from a plain model to an oracle.

Absolute recall says how hard a world is as much as how good a model is. So a model is put between
two references on the same devices, see :mod:`~household_ml.modeling.references`. The share of the
way is (model - plain) / (oracle - plain), of recall at a rate of household false flags; it is not
defined where there is no way to go. Intervals come from a bootstrap over accounts, the same draws
for every score.

Devices on which the policy itself is open are not counted; how many of them are flagged at the
first rate is told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.errors import ParameterError, Problem
from household_ml.modeling.resampling import Devices, Estimate, Ranking, check_scores, share

__all__ = [
    "INSIDE",
    "LINE",
    "MODEL",
    "ORACLE",
    "ORACLE_HOME",
    "PLAIN",
    "STARTED",
    "WAY_RATES",
    "Distance",
    "mean_distance",
    "measure_distance",
    "share_of_mean_way",
    "share_of_way",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Names of the scores that are compared.
PLAIN: Final = "plain model, trained here"
MODEL: Final = "this model"
INSIDE: Final = "this model's features, trained here"
STARTED: Final = "this model, trained on here"
LINE: Final = "told the true access lines"
ORACLE: Final = "oracle, told the true places"
ORACLE_HOME: Final = "oracle, told which is home too"

#: Scores in the order in which they are told.
_ORDER: Final = (PLAIN, MODEL, INSIDE, STARTED, LINE, ORACLE, ORACLE_HOME)

#: Rates of household false flags at which the way is measured.
WAY_RATES: Final = (0.01, 0.001)


def share_of_way(model: npt.ArrayLike, plain: npt.ArrayLike, oracle: npt.ArrayLike) -> Floats:
    """Share of the way from the plain model to the oracle that a model covers.

    Parameters
    ----------
    model, plain, oracle : array-like
        Recalls, of one shape.

    Returns
    -------
    float64 array
        1 = as good as the oracle, negative = worse than the plain model; NaN where the oracle
        finds no more than the plain model, so that there is no way to go.

    Examples
    --------
    >>> share_of_way([0.65, 0.65], [0.3, 0.8], 0.8).round(2).tolist()
    [0.7, nan]
    """
    low = np.asarray(plain, dtype=np.float64)
    way = np.asarray(oracle, dtype=np.float64) - low
    return share(np.asarray(model, dtype=np.float64) - low, np.where(way > 0, way, np.nan))


@dataclass(frozen=True)
class Distance:
    """How far scores come from the plain model to the oracle of a world.

    Parameters
    ----------
    name : str
        The world.
    counts : mapping of str to int
        ``accounts``, ``devices`` and ``outside`` in the headline, ``ambiguous`` beside it.
    recall : mapping of str to mapping of str to Estimate
        By score: ``recall_at_R`` for each rate R of household false flags.
    covered : mapping of str to mapping of str to Estimate
        By score that is neither end of the way: ``covered_at_R``, its share of the way.
    open_flagged : mapping of str to Estimate
        By score: share of the ambiguous devices that are flagged at the first rate.
    draws : mapping of str to float64 array of shape (1 + replicates, rates)
        Recalls on the accounts as they are and on each draw; not saved.
    """

    name: str
    counts: Mapping[str, int]
    recall: Mapping[str, Mapping[str, Estimate]]
    covered: Mapping[str, Mapping[str, Estimate]]
    open_flagged: Mapping[str, Estimate]
    draws: Mapping[str, Floats] = field(default_factory=dict, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, always in the same order."""

        def plain(rows: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Any]:
            return {
                name: {metric: asdict(value) for metric, value in row.items()}
                for name, row in rows.items()
            }

        return {
            "name": self.name,
            "counts": dict(self.counts),
            "recall": plain(self.recall),
            "covered": plain(self.covered),
            "open_flagged": {name: asdict(value) for name, value in self.open_flagged.items()},
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Distance:
        """Read what :meth:`to_dict` gave, in whatever order it was kept; without the draws."""

        def place(name: str) -> int:
            return _ORDER.index(name) if name in _ORDER else len(_ORDER)

        def rate(metric: str) -> float:
            return -float(metric.rpartition("_")[2])

        def rows(found: Mapping[str, Any]) -> dict[str, dict[str, Estimate]]:
            return {
                name: {metric: Estimate(**found[name][metric]) for metric in sorted(row, key=rate)}
                for name, row in sorted(found.items(), key=lambda item: place(item[0]))
            }

        return cls(
            name=given["name"],
            counts=dict(given["counts"]),
            recall=rows(given["recall"]),
            covered=rows(given["covered"]),
            open_flagged={name: Estimate(**value) for name, value in given["open_flagged"].items()},
        )

    def to_text(self) -> str:
        """Scores as rows; at each rate recall and share of the way."""
        rates = [
            metric.removeprefix("recall_at_") for metric in next(iter(self.recall.values()), {})
        ]
        heads = [
            head
            for rate in rates
            for head in (f"recall at {float(rate):.1%} FF", "share of the way")
        ]
        width = max(len(name) for name in self.recall) + 2
        lines = ["".join([" " * width, *(f"{head:<24}" for head in heads), "policy open, flagged"])]
        for name, row in self.recall.items():
            cells = [
                str(value)
                for rate in rates
                for value in (
                    row[f"recall_at_{rate}"],
                    self.covered.get(name, {}).get(f"covered_at_{rate}", ""),
                )
            ]
            told = "".join(f"{cell:<24}" for cell in cells)
            lines.append(f"{name:<{width}}{told}{self.open_flagged.get(name, '')}".rstrip())
        return "\n".join(lines)


def measure_distance(
    scores: Mapping[str, Floats],
    y: Floats,
    account: Ints,
    *,
    name: str,
    ambiguous: Bools | None = None,
    rates: Sequence[float] = WAY_RATES,
    replicates: int = 200,
    seed: int = 0,
) -> Distance:
    """Measure how far scores come between two of them, draw by draw of the accounts.

    Parameters
    ----------
    scores : mapping of str to float64 array of shape (D,)
        Higher = more likely outside; :data:`PLAIN` and :data:`ORACLE` among them.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unlabelled (left out).
    account : int64 array of shape (D,)
        Account of each device.
    name : str
        The world.
    ambiguous : bool array of shape (D,), optional
        Left out of the recalls.
    rates : sequence of float, default=(0.01, 0.001)
        Rates of household false flags.
    replicates : int, default=200
        Resamples of the accounts.
    seed : int, default=0
        Of the resampling.

    Returns
    -------
    Distance

    Raises
    ------
    ParameterError
        When an end of the way is missing, or a score is not finite.
    """
    lacking = [end for end in (PLAIN, ORACLE) if end not in scores]
    if lacking:
        raise ParameterError(
            Problem(
                "scores must hold both ends of the way",
                f"none called {', '.join(lacking)}",
                "Give those of score_references.",
            )
        )
    devices, labelled = Devices.of(y, account, ambiguous)
    check_scores(scores, labelled, devices)
    drawn = devices.draws(replicates, seed)
    open_weight = np.array([draw[devices.account[~devices.headline]] for draw in drawn])
    draws, open_flagged = {}, {}
    for score_name, score in scores.items():
        ranking = Ranking(score[labelled], devices, rates)
        ranked = [ranking.under(draw) for draw in drawn]
        draws[score_name] = np.array([recall for _, recall, _ in ranked])
        cutoff = np.array([last[0] for _, _, last in ranked])
        flagged = ranking.code[~devices.headline][None, :] <= cutoff[:, None]
        rate = share((open_weight * flagged).sum(axis=1), open_weight.sum(axis=1))
        open_flagged[score_name] = Estimate.of(float(rate[0]), rate[1:])
    headline = devices.headline
    counts = {
        "accounts": int(np.unique(devices.account[headline]).size),
        "devices": int(headline.sum()),
        "outside": int((headline & devices.outside).sum()),
        "ambiguous": int((~headline).sum()),
    }
    ways = {
        score_name: share_of_way(found, draws[PLAIN], draws[ORACLE])
        for score_name, found in draws.items()
    }
    return _distance(name, counts, draws, ways, open_flagged, rates)


def mean_distance(distances: Sequence[Distance]) -> Distance:
    """Average over worlds, every world alike.

    Parameters
    ----------
    distances : sequence of Distance
        At least one, with their draws, of the same rates and number of draws. A score that one of
        them lacks is left out; a world without a way to go counts for the recalls alone.

    Returns
    -------
    Distance
        Its intervals come from the worlds' draws, one of each at a time.
    """
    if not distances or any(not distance.draws for distance in distances):
        raise ParameterError(
            Problem(
                "distances to average must be there with their draws",
                f"{len(distances)}, {sum(not each.draws for each in distances)} of them without",
                "Measure the worlds again.",
            )
        )
    first = distances[0]
    names = [name for name in first.draws if all(name in each.draws for each in distances)]
    draws = {
        name: np.mean([distance.draws[name] for distance in distances], axis=0) for name in names
    }
    ways = {}
    for name in names:
        each = [
            share_of_way(found.draws[name], found.draws[PLAIN], found.draws[ORACLE])
            for found in distances
        ]
        told = np.isfinite(each)
        ways[name] = share(np.where(told, each, 0.0).sum(axis=0), told.sum(axis=0))
    counts = {
        count: sum(distance.counts[count] for distance in distances) for count in first.counts
    }
    rates = [float(metric.removeprefix("recall_at_")) for metric in first.recall[PLAIN]]
    name = f"mean of {len(distances)} worlds" if len(distances) > 1 else first.name
    return _distance(name, counts, draws, ways, {}, rates)


def share_of_mean_way(distance: Distance, score: str, rate: str) -> float:
    """Share of the way between the recalls themselves.

    Of a mean over worlds it is steadier than the mean of the shares, in which a world with hardly
    any way counts without bounds.

    Parameters
    ----------
    distance : Distance
        Such as :func:`mean_distance` gives.
    score : str
        Whose share.
    rate : str
        Rate of household false flags, as in the names of its metrics.

    Returns
    -------
    float
        NaN where there is no way.
    """
    ends = (score, PLAIN, ORACLE)
    recalls = [distance.recall[name][f"recall_at_{rate}"].value for name in ends]
    return float(share_of_way(*(np.nan if value is None else value for value in recalls)))


def _distance(
    name: str,
    counts: Mapping[str, int],
    draws: Mapping[str, Floats],
    ways: Mapping[str, Floats],
    open_flagged: Mapping[str, Estimate],
    rates: Sequence[float],
) -> Distance:
    def estimates(tables: Mapping[str, Floats], metric: str) -> dict[str, dict[str, Estimate]]:
        return {
            score: {
                f"{metric}_at_{rate:g}": Estimate.of(float(table[0, column]), table[1:, column])
                for column, rate in enumerate(rates)
            }
            for score, table in tables.items()
        }

    between = {score: way for score, way in ways.items() if score not in (PLAIN, ORACLE)}
    return Distance(
        name=name,
        counts=counts,
        recall=estimates(draws, "recall"),
        covered=estimates(between, "covered"),
        open_flagged=open_flagged,
        draws=draws,
    )
