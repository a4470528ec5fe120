"""The report: one HTML file that opens without a network and prints on white paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from household_ml.modeling.costs import compute_cost_curves, plot_cost_curves
from household_ml.modeling.distance import MODEL, ORACLE, PLAIN, mean_distance
from household_ml.modeling.home_accuracy import WRONG_HOMES
from household_ml.modeling.plots import (
    compute_false_flags,
    compute_ranking_curves,
    compute_reliability,
    plot_false_flags,
    plot_precision_recall,
    plot_recall_at_false_flags,
    plot_reliability,
)
from household_ml.modeling.threshold_choice import compute_threshold_choice, plot_threshold_choice
from household_ml.scoring.reasons import sentence
from household_ml.serving.learning import Measured
from household_ml.serving.pages import figure_svg, write_page
from household_ml.serving.retention import ACCOUNT_META
from household_ml.serving.timeline import (
    Timeline,
    compute_timeline,
    plot_timeline,
    telling_account,
)
from household_ml.serving.wording import Wording, wording

if TYPE_CHECKING:
    from household_ml.modeling.evaluation import Comparison
    from household_ml.modeling.model import HouseholdModel
    from household_ml.scoring import HouseholdScorer
    from household_ml.serving.datasets import LabelledSessions
    from household_ml.serving.references import Referenced

__all__ = ["Account", "telling_accounts", "write_report"]

#: Metrics of the table: column of the comparison -> heading.
_COLUMNS = {
    "pr_auc": "PR-AUC",
    "recall_at_0.01": "found at 1 % false flags",
    "recall_at_0.001": "found at 0.1 %",
    "flagged_rule": "household devices its strictest answer flags",
}


@dataclass(frozen=True)
class Account:
    """One account shown in the report.

    Parameters
    ----------
    timeline : Timeline
        Its picture.
    scores : pyarrow.Table
        Scores of its devices.
    """

    timeline: Timeline
    scores: pa.Table


def write_report(
    out: str | Path,
    measured: Sequence[tuple[str, Measured]],
    *,
    model: HouseholdModel,
    accounts: Sequence[Account] = (),
    references: Sequence[Referenced | None] = (),
    title: str | None = None,
    made_at: datetime | None = None,
    language: str = "en",
) -> Path:
    """Write the report.

    Parameters
    ----------
    out : str or Path
        HTML file to write.
    measured : sequence of (str, Measured)
        What was measured, each with a heading.
    model : HouseholdModel
        The model that was measured.
    accounts : sequence of Account, optional
        Accounts to show as a timeline.
    references : sequence of Referenced or None, optional
        For each of `measured`, the model between the references of its world.
    title : str, optional
        Heading.
    made_at : datetime or None, default=None
        Written in the foot; None is now.
    language : {"en", "fr"}, default="en"
        Language of the report.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ParameterError
        There is no such language.
    """
    say = wording(language)
    placed = [*references, *([None] * (len(measured) - len(references)))]
    return write_page(
        out,
        "report.html.j2",
        say,
        title=title or say("Who lives at home: evaluation"),
        made_at=made_at,
        model=model,
        simulated=all(result.devices.learnt.simulated for _, result in measured),
        worlds=[
            {
                **_world(number, heading, result, model, say),
                "references": _between(found),
            }
            for number, ((heading, result), found) in enumerate(zip(measured, placed, strict=True))
        ],
        account_meta=ACCOUNT_META,
        accounts=[_account(account, say) for account in accounts],
        distances=_distances([found for found in placed if found is not None]),
        columns=list(_COLUMNS.values()),
        card=_card(model, say),
    )


def telling_accounts(
    scorer: HouseholdScorer, data: LabelledSessions, result: Measured
) -> list[Account]:
    """The account whose timeline tells most, with its scores.

    Parameters
    ----------
    scorer : HouseholdScorer
        The model that was measured.
    data : LabelledSessions
        What it was measured on.
    result : Measured
        What came of it.

    Returns
    -------
    list of Account
        One account.
    """
    statistics = result.devices.statistics
    scores = scorer.score_table(
        data.sessions, networks=statistics, as_of=result.devices.features.as_of
    )
    number = telling_account(data.sessions, scores)
    situations = {}
    if "situation" in data.labels:
        named = data.labels.dropna(subset=["situation"])
        own = named[named["account_id"] == data.sessions.account_id[number].as_py()]
        situations = dict(zip(own["device_id"], own["situation"], strict=True))
    timeline = compute_timeline(
        data.sessions, number, scores, statistics=statistics, situations=situations
    )
    own_scores = scores.filter(pc.equal(scores["account_id"], timeline.account_id))
    return [Account(timeline, own_scores)]


def _world(
    number: int, heading: str, result: Measured, model: HouseholdModel, say: Wording
) -> dict[str, object]:
    learnt = result.devices.learnt
    evaluation = result.evaluation
    curves = compute_ranking_curves(result.scores, learnt.y, ambiguous=learnt.ambiguous)
    costs = compute_cost_curves(result.scores, learnt.y, ambiguous=learnt.ambiguous)
    choice = compute_threshold_choice(
        -result.scores["this model"], learnt.y, learnt.account, ambiguous=learnt.ambiguous
    )
    flags = compute_false_flags(evaluation)
    flags["slice"] = [say.loose(name.replace("_", " ")) for name in flags["slice"]]
    prefix = f"w{number}"
    figures = [
        (plot_precision_recall(curves, result.comparison.prevalence), "precision and recall"),
        (plot_recall_at_false_flags(curves), "recall at false flags"),
        (plot_reliability(compute_reliability(evaluation)), "reliability"),
        (plot_cost_curves(costs), "cost"),
        (plot_threshold_choice(choice, model.thresholds), "where to draw the line"),
        (plot_false_flags(flags, policy_open=say("policy open")), "false flags by situation"),
    ]
    return {
        "heading": heading,
        "name": result.name,
        "counts": evaluation.counts,
        "rows": _rows(result.comparison),
        "metrics": evaluation.metrics,
        "above": evaluation.above(),
        "recalls": [
            part
            for part in sorted(
                evaluation.slices_of("situation"), key=lambda part: (part.ambiguous, part.value)
            )
            if part.outside
        ],
        "figures": [
            Markup(  # noqa: S704 - drawn here
                figure_svg(axes, f"{prefix} {name}", say, say(name), wide=name == figures[-1][1])
            )
            for axes, name in figures
        ],
    }


def _card(model: HouseholdModel, say: Wording) -> list[str]:
    """What the card of a model says of how it was made, in a few lines."""
    worlds = model.manifest.get("worlds", [])
    lines = [
        say("Meant to help people decide whom to ask; not to block, charge or close an account "
            "alone.")
    ]  # fmt: skip
    if model.manifest.get("simulated"):
        lines.append(say("Simulated: no real person is in the training data."))
    if worlds:
        lines.append(
            say(
                "Learnt from {accounts} accounts with {devices} labelled devices, {outside} of "
                "them outside.",
                accounts=say.count(sum(sum(world["accounts"].values()) for world in worlds)),
                devices=say.count(sum(world["labelled"] for world in worlds)),
                outside=say.count(sum(world["outside"] for world in worlds)),
            )
        )
    lines.append(
        say(
            "{features} columns of features, {trees} trees; probabilities are calibrated on "
            "accounts of their own.",
            features=len(model.feature_names),
            trees=say.count(len(model.trees)),
        )
    )
    thresholds = model.thresholds
    if thresholds.outside_at is not None:
        lines.append(say("outside at or below {value}.", value=say.number(thresholds.outside_at)))
    if thresholds.household_at is not None:
        lines.append(
            say("household at or above {value}.", value=say.number(thresholds.household_at))
        )
    return lines + [
        say(
            "Bound on {name}: at most {rate} with {confidence} confidence; seen {errors} of "
            "{units}.",
            name=say.loose(bound.name.replace("_", " ")),
            rate=say.share(bound.rate),
            confidence=say.share(bound.confidence, 0),
            errors=say.count(bound.errors),
            units=say.count(bound.units),
        )
        for bound in thresholds.bounds
    ]


def _between(found: Referenced | None) -> dict[str, object] | None:
    """The model between the references of a world, as the page shows it."""
    if found is None:
        return None
    distance = found.distance
    return {
        "rates": [float(metric.removeprefix("recall_at_")) for metric in distance.recall[PLAIN]],
        "rows": [
            {
                "name": name,
                "ours": name == MODEL,
                "cells": [
                    cell
                    for metric, recall in row.items()
                    for cell in (
                        recall,
                        distance.covered.get(name, {}).get(metric.replace("recall", "covered")),
                    )
                ],
                "open": distance.open_flagged.get(name),
            }
            for name, row in distance.recall.items()
        ],
        "homes": found.homes,
        "wrong": []
        if found.homes is None
        else [(WRONG_HOMES[kind], rate) for kind, rate in found.homes.wrong.items() if rate],
    }


def _distances(found: Sequence[Referenced]) -> list[dict[str, object]]:
    """A row per world and the mean, where there are several."""
    if len(found) < 2:
        return []
    worlds = [each.distance for each in found]
    homes = [None if each.homes is None else each.homes.right for each in found]
    return [
        {
            "name": distance.name,
            "cells": [
                cell
                for metric in distance.recall[PLAIN]
                for cell in (
                    *(distance.recall[name][metric] for name in (PLAIN, MODEL, ORACLE)),
                    distance.covered[MODEL][metric.replace("recall", "covered")],
                )
            ],
            "home": home,
        }
        for distance, home in zip([*worlds, mean_distance(worlds)], [*homes, None], strict=True)
    ]


def _rows(comparison: Comparison) -> list[dict[str, object]]:
    return [
        {"name": name, "cells": [row.get(metric) for metric in _COLUMNS]}
        for name, row in comparison.rows.items()
    ]


def _account(account: Account, say: Wording) -> dict[str, object]:
    rows = sorted(account.scores.to_pylist(), key=lambda row: -row["household_probability"])
    return {
        "id": account.timeline.account_id,
        "picture": Markup(plot_timeline(account.timeline, say.language)),  # noqa: S704 - escaped by its template
        "devices": [
            {**row, "sentences": [sentence(code, say.language) for code in row["reasons"]]}
            for row in rows
        ],
    }
