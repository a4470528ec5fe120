"""The report: one HTML file that opens without a network and prints on white paper."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

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
from household_ml.scoring.reasons import sentence
from household_ml.serving.learning import Measured
from household_ml.serving.timeline import (
    Timeline,
    compute_timeline,
    plot_timeline,
    telling_account,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from household_ml.modeling.evaluation import Comparison
    from household_ml.modeling.model import HouseholdModel
    from household_ml.scoring import HouseholdScorer
    from household_ml.serving.datasets import LabelledSessions
    from household_ml.serving.references import Referenced

__all__ = ["Account", "figure_svg", "telling_accounts", "write_report"]

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
    title: str = "Who lives at home: evaluation",
    made_at: datetime | None = None,
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
    title : str
        Heading.
    made_at : datetime or None, default=None
        Written in the foot; None is now.

    Returns
    -------
    Path
        The file.
    """
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True,
        loader=PackageLoader("household_ml.serving"),
    )  # fmt: skip
    placed = [*references, *([None] * (len(measured) - len(references)))]
    page = environment.get_template("report.html.j2").render(
        title=title,
        model=model,
        simulated=all(result.devices.learnt.simulated for _, result in measured),
        worlds=[
            {**_world(number, heading, result), "references": _between(found)}
            for number, ((heading, result), found) in enumerate(zip(measured, placed, strict=True))
        ],
        accounts=[_account(account) for account in accounts],
        distances=_distances([found for found in placed if found is not None]),
        columns=list(_COLUMNS.values()),
        made_at=(made_at or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC"),
    )
    target = Path(out)
    working = target.with_name(f".{target.name}.part")
    working.write_text(page, encoding="utf-8")
    working.replace(target)
    return target


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


def figure_svg(axes: Axes, name: str) -> str:
    """A figure as an ``<svg>`` element that stands alone: no identifier meets another's.

    Parameters
    ----------
    axes : Axes
        Of the figure.
    name : str
        Says what is shown, and keeps the identifiers of the figure apart from those of others.

    Returns
    -------
    str
    """
    import matplotlib as mpl

    text = io.StringIO()
    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.family": "sans-serif",
        "font.sans-serif": ["system-ui", "DejaVu Sans"],
    }
    figure = axes.get_figure(root=True)
    if figure is None:
        return ""
    legend = axes.get_legend()
    if legend is not None:
        legend.remove()
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    with mpl.rc_context(style):
        figure.savefig(text, format="svg", metadata={"Date": None})
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    safe = re.sub(r"\W+", "-", name)
    drawing = re.sub(r'id="', f'id="{safe}-', drawing)
    drawing = re.sub(r'(url\(#|href="#)', rf"\g<1>{safe}-", drawing)
    drawing = drawing.replace("xlink:href", "href")
    return re.sub(
        r"^<svg[^>]*?viewBox=\"([^\"]*)\"[^>]*>",
        rf'<svg role="img" aria-label="{name}" viewBox="\g<1>">',
        drawing,
        count=1,
        flags=re.DOTALL,
    )


def _world(number: int, heading: str, result: Measured) -> dict[str, object]:
    learnt = result.devices.learnt
    evaluation = result.evaluation
    curves = compute_ranking_curves(result.scores, learnt.y, ambiguous=learnt.ambiguous)
    prefix = f"w{number}"
    figures = [
        (plot_precision_recall(curves, result.comparison.prevalence), "precision and recall"),
        (plot_recall_at_false_flags(curves), "recall at false flags"),
        (plot_reliability(compute_reliability(evaluation)), "reliability"),
        (plot_false_flags(compute_false_flags(evaluation)), "false flags by situation"),
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
        "figures": [Markup(figure_svg(axes, f"{prefix} {name}")) for axes, name in figures],  # noqa: S704 - drawn here
    }


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


def _account(account: Account) -> dict[str, object]:
    rows = sorted(account.scores.to_pylist(), key=lambda row: -row["household_probability"])
    return {
        "id": account.timeline.account_id,
        "picture": Markup(plot_timeline(account.timeline)),  # noqa: S704 - escaped by its template
        "devices": [
            {**row, "sentences": [sentence(code) for code in row["reasons"]]} for row in rows
        ],
    }
