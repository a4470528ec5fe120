"""Pages of reports: one HTML file each, which opens without a network and prints on white paper."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from household_ml.serving.wording import Wording

__all__ = ["environment", "figure_svg", "write_page"]

#: Size of a figure beside another, as shares of its own: smaller, so its texts are larger.
_NARROWER, _LOWER = 0.8, 0.92


def environment() -> Environment:
    """Templates of pages and pictures; whatever is put into them is escaped."""
    return Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined,
        loader=PackageLoader("household_ml.serving"),
    )  # fmt: skip


def write_page(
    out: str | Path, template: str, say: Wording, *, made_at: datetime | None, **values: object
) -> Path:
    """Write a page of a report, whole or not at all.

    Parameters
    ----------
    out : str or Path
        HTML file to write.
    template : str
        Name of its template.
    say : Wording
        Its language.
    made_at : datetime or None
        Written in the foot; None is now.
    **values
        What the template shows.

    Returns
    -------
    Path
        The file.
    """
    moment = (made_at or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
    page = environment().get_template(template).render(_=say, made_at=moment, **values)
    target = Path(out)
    working = target.with_name(f".{target.name}.part")
    working.write_text(page, encoding="utf-8")
    working.replace(target)
    return target


def figure_svg(
    axes: Axes, name: str, say: Wording | None = None, told: str = "", *, wide: bool = False
) -> str:
    """A figure as an ``<svg>`` element that stands alone: no identifier meets another's.

    Parameters
    ----------
    axes : Axes
        Of the figure.
    name : str
        Keeps the identifiers of the figure apart from those of others.
    say : Wording, optional
        Language of the texts in it; English when left out.
    told : str
        What is shown, for people who do not see it; the name when left out.
    wide : bool, default=False
        It has the width of the page; others stand two beside each other, and their texts are drawn
        larger, to be read on paper too.

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
        figure.legend(
            handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=7.8,
            handlelength=1.6, columnspacing=1.0,
        )  # fmt: skip
    if not wide:
        width, height = figure.get_size_inches()
        figure.set_size_inches(_NARROWER * width, _LOWER * height)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_fontsize(9)
    if say is not None:
        say.retell(figure)
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
        rf'<svg role="img" aria-label="{escape(told or name)}" viewBox="\g<1>">',
        drawing,
        count=1,
        flags=re.DOTALL,
    )
