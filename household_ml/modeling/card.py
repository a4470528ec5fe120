"""The model card: what a model is for, what it must not be used for, and how wrong it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from household_ml.modeling.card_references import REFERENCES, references_sections
from household_ml.modeling.card_stability import STABILITY, stability_section
from household_ml.modeling.card_worlds import (
    AUTHORS,
    BY_KIND,
    LEFT_OUT,
    authors_section,
    worlds_section,
)
from household_ml.modeling.evaluation import (
    FAIRNESS_LIMIT,
    Comparison,
    Estimate,
    Evaluation,
    tell_above,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from household_ml.modeling.model import HouseholdModel

__all__ = ["UNDETECTABLE", "model_card"]

#: Cases that no session log can tell apart, with the reason.
UNDETECTABLE: tuple[tuple[str, str], ...] = (
    (
        "borrower_vpn_through_home",
        "every session comes from the home's own address, as a resident's does",
    ),
    (
        "borrower_same_carrier_nat",
        "a neighbour behind the same shared address looks like a device of the home",
    ),
)


def model_card(model: HouseholdModel) -> str:
    """Write the card of a model from its manifest and metrics.

    Parameters
    ----------
    model : HouseholdModel
        With the metrics of its test accounts, or none.

    Returns
    -------
    str
        Markdown.
    """
    parts = [
        f"# {model.name} {model.version}",
        f"Digest `{model.digest}`, {len(model.feature_names)} features, {len(model.trees)} trees.",
        _intended(),
        _training(model.manifest),
        _thresholds(model),
    ]
    metrics = model.metrics or {}
    parts += [worlds_section(metrics, LEFT_OUT)] if LEFT_OUT in metrics else []
    if AUTHORS in metrics:
        parts.append(authors_section(metrics, metrics[REFERENCES]))
    parts += references_sections(metrics)
    parts += [worlds_section(metrics, BY_KIND)] if BY_KIND in metrics else []
    if "evaluation" in metrics:
        evaluation = Evaluation.from_dict(metrics["evaluation"])
        parts += [
            _quality(evaluation, bool(model.manifest.get("simulated"))),
            *([_against(metrics["comparison"])] if "comparison" in metrics else []),
            _situations(evaluation),
            _fairness(evaluation),
        ]
    else:
        parts.append("## Quality\n\nNot measured: no labelled account was left for a test.")
    parts += [stability_section(metrics)] if STABILITY in metrics else []
    parts.append(_limits())
    return "\n\n".join(parts) + "\n"


def _intended() -> str:
    return """## Intended use

For every device of a streaming account, the probability that its main user lives at the account's
main home. It serves to rank accounts for review, to choose whom to ask for a check-in, to measure
sharing in a population, and to find devices about which nothing can be said.

## Not to be used alone

- Not to block, charge or close an account. A probability on which others draw strongly is itself an
  automated decision about a person (CJEU C-634/21, SCHUFA): give the reasons, keep the evidence,
  and let people contest.
- `undetermined` is an answer. Nothing may be blocked on it.
- Not to find out where a person is, whom they live with, or why they are away."""


def _training(manifest: Mapping[str, Any]) -> str:
    worlds = manifest.get("worlds", [])
    lines = ["## Training data", ""]
    if manifest.get("simulated"):
        lines += [
            "**Simulated.** No real person is in the training data, and every number below is",
            "about simulated people. Real accounts will differ; measure on labelled accounts of",
            "your own before you rely on any of it.",
            "",
        ]
    lines += [
        "| world | devices | labelled | outside | ambiguous | accounts: train, calibration, test |",
        "|---|---|---|---|---|---|",
    ]
    for world in worlds:
        accounts = ", ".join(str(count) for count in world["accounts"].values())
        lines.append(
            f"| {world['name']} | {world['devices']} | {world['labelled']} | {world['outside']} "
            f"| {world['ambiguous']} | {accounts} |"
        )
    lines += ["", f"Seed {manifest.get('seed')}. Versions: " + _versions(manifest) + "."]
    if "adapted_to" in manifest:
        labels = manifest["adapted_to"]
        lines += [
            "",
            f"Adapted to {labels['name']}: {labels['labelled']} labelled devices of "
            f"{labels['accounts']} accounts, {labels['outside']} outside. Trees trained on",
            f"these alone have a weight of {manifest['own_weight']:g}, by cross-validation over",
            "accounts.",
        ]
    return "\n".join(lines)


def _versions(manifest: Mapping[str, Any]) -> str:
    libraries = manifest.get("libraries", {})
    return ", ".join(f"{name} {version}" for name, version in libraries.items()) or "unknown"


def _thresholds(model: HouseholdModel) -> str:
    chosen = model.thresholds
    lines = ["## Thresholds", ""]
    if chosen.outside_at is None:
        lines.append(
            "No threshold for `outside` qualifies: the calibration accounts are too few or too "
            "mixed to hold the bounds. No device is ever called outside."
        )
    else:
        lines.append(f"`outside` at or below {chosen.outside_at:.4f}.")
    if chosen.household_at is None:
        lines.append("No threshold for `household` qualifies: no device is ever called household.")
    else:
        lines.append(f"`household` at or above {chosen.household_at:.4f}.")
    lines += [
        "",
        "| bound | at most | confidence | seen | upper limit |",
        "|---|---|---|---|---|",
    ]
    for bound in chosen.bounds:
        limit = "none qualifies" if bound.upper is None else f"{bound.upper:.2%}"
        lines.append(
            f"| {bound.name.replace('_', ' ')} | {bound.rate:.1%} | {bound.confidence:.0%} "
            f"| {bound.errors} of {bound.units} | {limit} |"
        )
    lines += [
        "",
        "The bounds hold for accounts like the calibration accounts. Carried to another population",
        "a threshold drifts: choose it again on labelled accounts of your own.",
    ]
    return "\n".join(lines)


def _quality(evaluation: Evaluation, simulated: bool) -> str:
    counts = evaluation.counts
    kind = "simulated " if simulated else ""
    lines = [
        "## Quality",
        "",
        f"On {counts['devices']} devices of {counts['accounts']} {kind}accounts kept aside,",
        f"{counts['outside']} of the devices outside. The class looked for is `outside`; a false",
        "flag is a household device flagged as outside. 95 % intervals by bootstrap over accounts.",
        "",
        "| metric | value |",
        "|---|---|",
        *(f"| {_words(name)} | {value} |" for name, value in evaluation.metrics.items()),
    ]
    return "\n".join(lines)


def _against(comparison: Mapping[str, Any]) -> str:
    rows = {
        name: {metric: Estimate(**estimate) for metric, estimate in row.items()}
        for name, row in comparison["rows"].items()
    }
    text = Comparison(rows, {}, comparison["prevalence"]).to_text()
    return "## Against the rules a service could write\n\n```\n" + text + "\n```"


def _situations(evaluation: Evaluation) -> str:
    rate = evaluation.settings["rates"][0]
    lines = [
        "## Error by situation",
        "",
        f"At the operating point of {rate:.1%} household false flags over the whole.",
        "",
        "| situation | devices | false flags | times the whole | found | undetermined |",
        "|---|---|---|---|---|---|",
    ]
    for part in evaluation.slices:
        mark = ", policy open" if part.ambiguous else ""
        left_open = "-" if part.undetermined is None else f"{part.undetermined:.3f}"
        lines.append(
            f"| {part.kind}: {part.value}{mark} | {part.devices} | {part.false_flags} "
            f"| {part.ratio} | {part.recall} | {left_open} |"
        )
    if evaluation.slices_of("situation"):
        lines += ["", tell_above(evaluation)]
    return "\n".join(lines)


def _fairness(evaluation: Evaluation) -> str:
    lines = ["## Fairness", ""]
    unfair = evaluation.unfair()
    if not unfair:
        lines.append(
            f"No slice is flagged wrongly or left undetermined more than {FAIRNESS_LIMIT} times "
            "as often as the whole."
        )
    for part in unfair:
        words = []
        if (part.ratio.value or 0.0) > FAIRNESS_LIMIT:
            words.append(f"flagged wrongly {part.ratio} times as often as the whole")
        if (part.undetermined_ratio or 0.0) > FAIRNESS_LIMIT:
            words.append(f"undetermined {part.undetermined_ratio:.2f} times as often")
        lines.append(
            f"- **{part.kind} {part.value}** ({part.devices} devices): " + "; ".join(words) + "."
        )
    return "\n".join(lines)


def _limits() -> str:
    cases = "\n".join(f"- `{name}`: {reason}." for name, reason in UNDETECTABLE)
    return f"""## What it cannot know

Some cases cannot be told apart by construction. They are reported as slices and never tuned to:

{cases}

Students, children in shared custody and second homes are what the policy itself leaves open; they
are in no headline number."""


def _words(metric: str) -> str:
    name, _, rate = metric.partition("_at_")
    words = {
        "prevalence": "share outside",
        "pr_auc": "PR-AUC of outside",
        "recall": "outside devices found",
        "honest_flagged": "honest accounts with a flagged device",
        "brier": "Brier score",
        "log_loss": "log loss",
        "ece": "expected calibration error, bins of equally many devices",
        "called_recall": "outside devices called outside at the model's thresholds",
        "called_false_flags": "household devices called outside there",
        "called_honest_flagged": "honest accounts with a device called outside there",
        "coverage": "share of devices answered there",
        "risk": "wrong among these",
    }[name]
    return f"{words} at {float(rate):.1%} false flags" if rate else words
