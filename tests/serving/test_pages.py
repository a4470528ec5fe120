"""Pictures on a page: in either language nothing of them is cut off."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from household_ml.modeling.costs import compute_cost_curves, plot_cost_curves
from household_ml.modeling.plots import (
    compute_ranking_curves,
    plot_precision_recall,
    plot_recall_at_false_flags,
)
from household_ml.serving.pages import figure_svg
from household_ml.serving.wording import wording

#: What stands in the legends of a report, in the order of its comparison.
NAMES = (
    "this model", "prior", "other address than usual", "31 days off the TV's network",
    "share off the main network", "share off the main AS", "logistic on overlaps",
)  # fmt: skip

SCORES = dict(zip(NAMES, np.random.default_rng(0).normal(size=(len(NAMES), 200)), strict=True))
Y = np.resize([1.0, 1.0, 1.0, 0.0], 200)


def curves() -> pd.DataFrame:
    return compute_ranking_curves(SCORES, Y)


DRAWN: dict[str, Callable[[], Axes]] = {
    "precision and recall": lambda: plot_precision_recall(curves(), 0.25),
    "recall at false flags": lambda: plot_recall_at_false_flags(curves()),
    "cost": lambda: plot_cost_curves(compute_cost_curves(SCORES, Y)),
}


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", DRAWN)
def test_legend_title_and_labels_are_within_the_picture(name: str, language: str) -> None:
    axes = DRAWN[name]()
    drawn = figure_svg(axes, name, wording(language))
    figure = axes.get_figure(root=True)
    assert figure is not None
    assert drawn.startswith('<svg role="img"')
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    parts = [axes.title, axes.xaxis.label, axes.yaxis.label, *figure.legends[0].get_texts()]
    assert len(parts) > len(NAMES)
    for part in parts:
        box = part.get_window_extent()
        assert -1 <= box.x0 < box.x1 <= width + 1, part.get_text()
        assert -1 <= box.y0 < box.y1 <= height + 1, part.get_text()


def test_a_picture_beside_another_is_drawn_smaller_so_that_its_texts_are_larger() -> None:
    sizes = []
    for wide in (True, False):
        axes = DRAWN["cost"]()
        figure_svg(axes, "cost", wide=wide)
        figure = axes.get_figure(root=True)
        assert figure is not None
        sizes.append(float(figure.get_size_inches()[0]))
    assert sizes[1] == pytest.approx(0.8 * sizes[0])
