"""What the card of a model says of worlds: those trained on, kinds left out, authors left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from household_ml.modeling.distance import MODEL, ORACLE, PLAIN, share_of_way
from household_ml.modeling.evaluation import Estimate

__all__ = ["AUTHORS", "BY_KIND", "LEFT_OUT", "authors_section", "worlds_section"]

#: Keys of a model's metrics that hold a table by kind of world, or by author.
BY_KIND: Final = "by_kind"
LEFT_OUT: Final = "left_out"
AUTHORS: Final = "authors"

_COLUMNS: Final = {
    "prevalence": "share outside",
    "pr_auc": "PR-AUC",
    "recall_at_0.01": "found at 1 % false flags",
    "recall_at_0.005": "at 0.5 %",
    "recall_at_0.001": "at 0.1 %",
    "ece": "calibration error",
    "called_recall": "called outside, of outside",
    "called_false_flags": "of household",
    "called_honest_flagged": "honest accounts flagged",
}

_HEADS: Final = {
    LEFT_OUT: (
        "## On kinds of worlds it has not seen",
        "Each kind is scored by a model that was trained, calibrated and given its thresholds on\n"
        "the other kinds alone. This is the headline: what a population unlike those trained on\n"
        "may expect.",
    ),
    AUTHORS: (
        "## On worlds of an author it has not seen",
        "The simulators are of different authors, who did not read each other's. Each author's\n"
        "worlds are scored by a model that was made from the others' alone. It is the hardest\n"
        "test here, and nearest to what a real population means for a model of simulated ones.",
    ),
    BY_KIND: (
        "## By kind of world",
        "On test accounts of the worlds that it was trained on.",
    ),
}


def worlds_section(metrics: Mapping[str, Any], key: str) -> str:
    """Write one table by kind of world.

    Parameters
    ----------
    metrics : mapping
        Of a model, with `key`.
    key : {'by_kind', 'left_out', 'authors'}
        Which table.

    Returns
    -------
    str
        Markdown; ends with the worst kinds and the best rule.

    Examples
    --------
    >>> half = {"value": 0.5, "low": 0.4, "high": 0.6}
    >>> found = {"metrics": dict.fromkeys(_COLUMNS, half), "comparison": {}}
    >>> print(worlds_section({"by_kind": {"fr": found}}, "by_kind").splitlines()[-2])
    Largest calibration error: 0.500 [0.400, 0.600], of fr.
    """
    kinds = metrics[key]
    title, told = _HEADS[key]
    head = " | ".join(("author" if key == AUTHORS else "kind", *_COLUMNS.values()))
    lines = [title, "", told, "", f"| {head} |", "|" + "---|" * (len(_COLUMNS) + 1)]
    for kind, found in kinds.items():
        cells = " | ".join(str(_estimate(found, metric)) for metric in _COLUMNS)
        lines.append(f"| {kind} | {cells} |")
    error, flags = _worst(kinds, "ece"), _worst(kinds, "called_honest_flagged")
    lines += [
        "",
        f"Largest calibration error: {_estimate(kinds[error], 'ece')}, of {error}.",
        (
            "Most honest accounts with a device called outside: "
            f"{_estimate(kinds[flags], 'called_honest_flagged')}, of {flags}."
        ),
    ]
    lines += [*_worst_world(kinds), *_best_rule(kinds)]
    return "\n".join(lines)


def authors_section(metrics: Mapping[str, Any], references: Mapping[str, Any]) -> str:
    """Write the table by author left out, and how far each came on the way to the oracle.

    Parameters
    ----------
    metrics : mapping
        Of a model, with :data:`AUTHORS`. Beside what other tables have, each author has ``fresh``:
        recalls on fresh worlds, by their names among `references`.
    references : mapping
        What the references of these worlds reach, as the metrics of a model keep it.

    Returns
    -------
    str
        Markdown.
    """
    lines = [
        worlds_section(metrics, AUTHORS),
        "",
        "Between the mean recalls of plain model and oracle on fresh worlds of the author:",
        "",
        "| author | rate | plain model | this model | oracle | of the way |",
        "|" + "---|" * 6,
    ]
    for author, found in metrics[AUTHORS].items():
        fresh = found["fresh"]
        for metric in ("recall_at_0.01", "recall_at_0.001"):
            ends = [
                _mean(
                    [references["kinds"][name]["recall"][score][metric]["value"] for name in fresh]
                )
                for score in (PLAIN, ORACLE)
            ]
            own = _mean([row[metric] for row in fresh.values()])
            way = float(share_of_way(own, *ends))
            cells = [
                author,
                metric.rpartition("_")[2],
                *(f"{x:.3f}" for x in (ends[0], own, ends[1])),
            ]
            lines.append(f"| {' | '.join(cells)} | {way:.0%} |")
    return "\n".join(lines)


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else float("nan")


def _estimate(found: Mapping[str, Any], metric: str) -> Estimate:
    given = found["metrics"].get(metric)
    return Estimate(None, None, None) if given is None else Estimate(**given)


def _worst(kinds: Mapping[str, Any], metric: str) -> str:
    return max(kinds, key=lambda kind: _estimate(kinds[kind], metric).value or 0.0)


def _worst_world(kinds: Mapping[str, Any]) -> list[str]:
    worlds = {
        name: metrics
        for found in kinds.values()
        for name, metrics in found.get("worlds", {}).items()
    }
    if not worlds:
        return []
    told = [f"Of the {len(worlds)} worlds one by one:"]
    for metric, words in (
        ("ece", "the largest calibration error is"),
        ("called_honest_flagged", "most honest accounts with a device called outside are"),
    ):
        name = max(worlds, key=lambda world: worlds[world].get(metric) or 0.0)
        told.append(f"{words} {worlds[name].get(metric) or 0.0:.3f} ({name})")
    return [f"{told[0]} {told[1]}, {told[2]}."]


def _best_rule(kinds: Mapping[str, Any]) -> list[str]:
    rules = [
        (found["comparison"][rule]["recall_at_0.01"]["value"] or 0.0, rule, kind)
        for kind, found in kinds.items()
        for rule in found["comparison"]
        if rule != MODEL
    ]
    if not rules:
        return []
    most, rule, kind = max(rules)
    if most == 0.0:
        return ["No rule has an operating point at 1 % false flags in any kind."]
    return [f"The most that any rule finds at 1 % false flags: {most:.3f}, '{rule}' in {kind}."]
