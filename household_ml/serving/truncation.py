"""What cutting addresses costs: the same model, asked about ever shorter prefixes.

Privacy policies often ask for addresses to be cut, to /24 and /48 say. Cut addresses make
neighbours look like one home. A prefix-preserving renaming, which
:mod:`household_ml.networks.anonymisation` makes, hides as much from whoever has no key, and costs
nothing. The AS is looked up before the cut, as it would be where the addresses are collected.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from household_ml.modeling.plots import COLOURS, new_axes
from household_ml.networks import enrich
from household_ml.networks.anonymisation import truncate_addresses
from household_ml.schema import NO_AS
from household_ml.serving.learning import evaluate_model
from household_ml.sessions import SessionsWarning, read_sessions
from household_ml.sessions.addresses import format_addresses

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from household_ml.modeling.model import HouseholdModel
    from household_ml.serving.datasets import LabelledSessions
    from household_ml.sessions import Sessions

__all__ = [
    "CUTS",
    "compute_truncation_cost",
    "cut_sessions",
    "plot_truncation_cost",
    "told_cut",
]

#: Leading bits of IPv4 and IPv6 that are kept: the whole address, then ever less of it.
CUTS: Final = ((32, 128), (24, 48), (20, 40), (16, 32), (0, 0))

#: Metrics of the table: column -> metric of the evaluation.
_METRICS: Final = {
    "pr_auc": "pr_auc",
    "found_at_1_percent": "recall_at_0.01",
    "false_flags": "called_false_flags",
    "answered": "coverage",
}


def cut_sessions(sessions: Sessions, v4_bits: int, v6_bits: int) -> Sessions:
    """Sessions whose addresses are cut to a prefix, with the AS of the whole address beside.

    Parameters
    ----------
    sessions : Sessions
        N accepted sessions.
    v4_bits, v6_bits : int
        Leading bits that are kept, 0 to 32 and 0 to 128.

    Returns
    -------
    Sessions
        The same rows, but for those that the cut makes equal in all columns: one of them is left.

    Raises
    ------
    ParameterError
        The bits are out of their range.
    """
    hi, lo = truncate_addresses(sessions.ip_hi, sessions.ip_lo, v4_bits=v4_bits, v6_bits=v6_bits)
    asn = enrich(sessions).asn.astype(np.uint32)
    asn[asn == 0] = NO_AS
    table = sessions.to_table()
    for name, column in (("ip", format_addresses(hi, lo)), ("asn", pa.array(asn, pa.uint32()))):
        table = table.set_column(table.column_names.index(name), name, column)
    with warnings.catch_warnings():
        # That one address serves everybody is what a cut to nothing means.
        warnings.simplefilter("ignore", SessionsWarning)
        return read_sessions(table)


def compute_truncation_cost(
    model: HouseholdModel,
    data: LabelledSessions,
    cuts: Sequence[tuple[int, int]] = CUTS,
    *,
    replicates: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Tabulate what a model is worth when addresses are cut before it sees them.

    Parameters
    ----------
    model : HouseholdModel
        The model, as it is: it learnt from whole addresses.
    data : LabelledSessions
        Accounts that it has not learnt from.
    cuts : sequence of (int, int)
        Leading bits of IPv4 and IPv6 that are kept, one row each.
    replicates, seed : int
        Of the bootstrap over accounts.

    Returns
    -------
    DataFrame
        ``world``, ``kept`` (as people write it), ``v4_bits``, ``v6_bits``, and for each of
        ``pr_auc``, ``found_at_1_percent`` (recall of outside at 1 % false flags), ``false_flags``
        (household devices called outside at the model's own thresholds) and ``answered`` (share of
        devices that get an answer) the value, ``_low`` and ``_high`` (95 %).
    """
    rows = []
    for v4_bits, v6_bits in cuts:
        cut = replace(data, sessions=cut_sessions(data.sessions, v4_bits, v6_bits))
        found = evaluate_model(model, cut, replicates=replicates, seed=seed).evaluation.metrics
        row: dict[str, object] = {
            "world": data.name,
            "kept": told_cut(v4_bits, v6_bits),
            "v4_bits": v4_bits,
            "v6_bits": v6_bits,
        }
        for column, metric in _METRICS.items():
            each = found[metric]
            row |= {column: each.value, f"{column}_low": each.low, f"{column}_high": each.high}
        rows.append(row)
    return pd.DataFrame(rows)


def plot_truncation_cost(
    frame: pd.DataFrame, metric: str = "found_at_1_percent", ax: Axes | None = None
) -> Axes:
    """Draw one metric of :func:`compute_truncation_cost`, a mark for each world, with 95 %.

    Parameters
    ----------
    frame : DataFrame
        Of one world, or of several put together.
    metric : str
        One of its metrics.
    ax : Axes, optional
        Made when left out.

    Returns
    -------
    Axes
    """
    axes = new_axes(ax, size=(7.0, 3.2))
    kept = list(dict.fromkeys(frame["kept"]))
    worlds = list(dict.fromkeys(frame["world"]))
    for index, world in enumerate(worlds):
        rows = frame[frame["world"] == world]
        place = np.array([kept.index(name) for name in rows["kept"]])
        place = place + 0.12 * (index - (len(worlds) - 1) / 2)
        colour = COLOURS[index % len(COLOURS)]
        axes.vlines(place, rows[f"{metric}_low"], rows[f"{metric}_high"], color=colour)
        axes.plot(place, rows[metric], marker="osD^v"[index % 5], color=colour, label=world)
    axes.set_xticks(range(len(kept)), kept)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("what is kept of an address")
    axes.set_ylabel(metric.replace("_", " ").replace("percent", "%") + ", 95 %")
    axes.set_title("What cutting addresses costs")
    axes.legend(fontsize="small", frameon=False)
    return axes


def told_cut(v4_bits: int, v6_bits: int) -> str:
    """A cut as people write it.

    Examples
    --------
    >>> told_cut(24, 48), told_cut(32, 128), told_cut(0, 0)
    ('/24 and /48', 'whole', 'AS alone')
    """
    if (v4_bits, v6_bits) == (32, 128):
        return "whole"
    return "AS alone" if (v4_bits, v6_bits) == (0, 0) else f"/{v4_bits} and /{v6_bits}"
