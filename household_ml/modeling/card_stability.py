"""What the card of a model says of verdicts from day to day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from household_ml.modeling.resampling import Estimate
from household_ml.modeling.waiting import DAYS

__all__ = ["STABILITY", "stability_section"]

#: Key of the metrics that the section tells.
STABILITY: Final = "stability"

_OPENING: Final = """## Verdicts from day to day

{accounts} {simulated}accounts with {devices} devices, scored daily, and counted on {days} days
after {run_in} others. *By the thresholds alone* every day decides for itself; *carried over*, with
the scores of the day before (`--previous`), a verdict changes only when every scoring of N weeks
called for it and the device was used on N days meanwhile: {weeks[household]} for a first
`household`, {weeks[outside]} for a first `outside` and for `household` after it,
{weeks[withdrawal]} until `outside` is withdrawn from a device found likelier of the household, and
{weeks[overturn]} for `outside` after `household`. A flip is a change of verdict after a device's
first answer; the 95 % intervals allow for devices of one account that turn together. {changed}"""

_UNCHANGED: Final = """\
Unchanged are households in which nobody moved, joined, left or changed ISP on the days counted
or in the {settled_days} before."""

_UNKNOWN: Final = "Nothing is known of changes: every household counts as unchanged."

_KINDS: Final = ("plain", "carried")
_HEAD: Final = "by the thresholds alone | carried over"

_ANSWERS: Final = {
    "household_called_outside": "household devices called outside on the last day",
    "household_ever_called_outside": "household devices called outside on any day",
    "honest_flagged": "honest accounts with a device called outside on the last day",
    "honest_ever_flagged": "honest accounts with a device called outside on any day",
    "outside_called_outside": "outside devices called outside on the last day",
    "called_household_wrong": "outside devices among those called household on the last day",
    "answered": "devices answered on the last day",
}

_CLASSES: Final = {
    "household": "devices of the household",
    "outside": "devices outside",
    "policy_open": "policy open",
}


def stability_section(metrics: Mapping[str, Any]) -> str:
    """The section of a card on stability.

    Parameters
    ----------
    metrics : mapping
        Metrics of a model; ``stability`` is as
        :func:`~household_ml.serving.stability.measure_stability` gives it.

    Returns
    -------
    str
        Markdown; empty when it was not measured.

    Examples
    --------
    >>> stability_section({})
    ''
    """
    if STABILITY not in metrics:
        return ""
    found = metrics[STABILITY]
    parts = [_opening(found["settings"]), _flips(found["flips"]), _worst(found)]
    parts += [_by(found["by_situation"], "situation"), _by(found["by_world"], "world")]
    parts += [_answers(found["answers"])] if found["answers"] else []
    parts += [_first(found["first_answer"]), _left(found["left"])]
    return "\n\n".join(part for part in parts if part)


def _opening(settings: Mapping[str, Any]) -> str:
    changed = _UNCHANGED.format(**settings) if settings["changes_known"] else _UNKNOWN
    simulated = "simulated " if settings["simulated"] else ""
    return _OPENING.format(**{**settings, "simulated": simulated, "changed": changed})


def _flips(flips: Mapping[str, Any]) -> str:
    every = flips["all"]
    rows = {
        f"flips in 1,000 device-months of unchanged households, {words}": [
            _number(flips[name][kind]["rate"], 2) for kind in _KINDS
        ]
        for name, words in {"all": "all devices", **_CLASSES}.items()
        if name in flips
    }
    rows |= {
        "the same, in months with an answer": [
            _number(every[kind]["rate_answered"], 2) for kind in _KINDS
        ],
        "the same, households in which something changed too": [
            _number(flips["with_changes"][kind]["rate"], 2) for kind in _KINDS
        ],
        "device-months, all devices": [f"{every[kind]['device_months']:,.0f}" for kind in _KINDS],
        "answers withdrawn": [str(every[kind]["withdrawn"]) for kind in _KINDS],
        "given again": [str(every[kind]["given_again"]) for kind in _KINDS],
        "turned into another": [str(every[kind]["turned"]) for kind in _KINDS],
    }
    return _table("", rows)


def _worst(found: Mapping[str, Any]) -> str:
    """Where verdicts carried over flip most."""
    told = []
    for key, word in (("by_situation", "situation"), ("by_world", "world")):
        rates = {name: each["carried"]["rate"]["value"] for name, each in found[key].items()}
        if rates:
            name = max(rates, key=lambda each: rates[each])
            told.append(f"in any {word} {rates[name]:.2f} ({name})")
    return f"Carried over, most flips {', '.join(told)}." if told else ""


def _by(slices: Mapping[str, Any], word: str) -> str:
    lines = [
        f"| {word} | device-months | flips in 1,000, {_HEAD} |",
        "|---|---|---|---|",
        *(
            f"| {name} | {each['plain']['device_months']:,.0f} | "
            f"{_number(each['plain']['rate'], 1)} | {_number(each['carried']['rate'], 1)} |"
            for name, each in slices.items()
        ),
    ]
    return "\n".join(lines) if slices else ""


def _answers(answers: Mapping[str, Any]) -> str:
    rows = {
        words: [_number(answers[kind][metric], 3) for kind in _KINDS]
        for metric, words in _ANSWERS.items()
    }
    return _table("", rows)


def _first(found: Mapping[str, Any]) -> str:
    lines = [
        "Days from the first session of a new device to its first answer; some never get one, and",
        "count as long as they were followed.",
        "",
        f"| devices | verdicts | new | answered | {_days()} | half of them after | right |",
        "|---|---|---|---|" + "---|" * (len(DAYS) + 2),
    ]
    for name, words in _CLASSES.items():
        for kind, how in zip(_KINDS, _HEAD.split(" | "), strict=True):
            each = found[name][kind]
            right = "-" if each["right"] is None else f"{each['right']:.3f}"
            lines.append(f"| {words} | {how} | {_waited(each)} | {right} |")
    return "\n".join(lines)


def _left(found: Mapping[str, Any]) -> str:
    lines = [
        "Days from the first session after its user left the household until a device is called",
        "outside.",
        "",
        f"| verdicts | left | called outside | {_days()} | half of them after |",
        "|---|---|---|" + "---|" * (len(DAYS) + 1),
        *(
            f"| {how} | {_waited(found[kind])} |"
            for kind, how in zip(_KINDS, _HEAD.split(" | "), strict=True)
        ),
    ]
    return "\n".join(lines)


def _days() -> str:
    return " | ".join(f"by day {day}" for day in DAYS)


def _waited(found: Mapping[str, Any]) -> str:
    shares = " | ".join(_number(found["shares"][str(day)], 2) for day in DAYS)
    median = _number(found["median"], 0)
    return f"{found['devices']} | {found['happened']} | {shares} | {median}"


def _number(given: Mapping[str, float | None], digits: int) -> str:
    found = Estimate(**given)
    if found.value is None:
        return "-"
    low, high = ("never" if end is None else f"{end:.{digits}f}" for end in (found.low, found.high))
    bounds = "" if found.low is None and found.high is None else f" [{low}, {high}]"
    return f"{found.value:.{digits}f}{bounds}"


def _table(head: str, rows: Mapping[str, list[str]]) -> str:
    lines = [f"| {head} | {_HEAD} |", "|---|---|---|"]
    lines += [f"| {words} | {' | '.join(cells)} |" for words, cells in rows.items()]
    return "\n".join(lines)
