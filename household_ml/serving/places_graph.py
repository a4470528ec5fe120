"""The places of one account as a graph: devices on the left, places on the right."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from household_ml.features import assign_places, infer_places
from household_ml.modeling.plots import COLOURS, new_axes
from household_ml.networks import enrich, operator_name
from household_ml.schema import DEVICE_TYPES
from household_ml.serving.pages import figure_svg
from household_ml.serving.timeline import place_colour, place_name
from household_ml.serving.wording import Wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from household_ml.networks import NetworkStatistics
    from household_ml.scoring.reasons import Language
    from household_ml.sessions import Sessions

__all__ = ["PlacesGraph", "compute_places_graph", "plot_places_graph"]

#: Places drawn; those beyond are one node.
_MOST_PLACES: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class PlacesGraph:
    """What is drawn of one account.

    Parameters
    ----------
    account_id : str
        The account.
    devices : DataFrame
        ``device_id``, ``kind`` (device type, empty where unknown), ``sessions``.
    places : DataFrame
        ``place`` (0 = home, -1 = no place), ``claim``, ``nights``, ``networks``, ``operator``,
        ``sessions``; home first, no place last.
    edges : DataFrame
        ``device_id``, ``place``, ``sessions``, ``nights`` (days with a session).
    """

    account_id: str
    devices: pd.DataFrame
    places: pd.DataFrame
    edges: pd.DataFrame

    def __repr__(self) -> str:
        places = int((self.places["place"] >= 0).sum())
        size = f"{len(self.devices)} devices, {places} places"
        return f"<PlacesGraph: account {self.account_id}, {size}>"

    def _repr_html_(self) -> str:
        return figure_svg(plot_places_graph(self), f"places of {self.account_id}", wide=True)


def compute_places_graph(
    sessions: Sessions,
    account: int,
    *,
    statistics: NetworkStatistics | None = None,
    as_of: int | None = None,
) -> PlacesGraph:
    """Which devices of an account were used at which of its places.

    Parameters
    ----------
    sessions : Sessions
        Sessions of one or more accounts.
    account : int
        Number of the account in `sessions`.
    statistics : NetworkStatistics, optional
        Network statistics; of all the sessions when left out.
    as_of : int, optional
        Microseconds since 1970, UTC; the last session when left out.

    Returns
    -------
    PlacesGraph
    """
    known = statistics or enrich(sessions).statistics
    alone = sessions.take_accounts(np.array([account]))
    own, place = assign_places(alone, statistics=known, as_of=as_of)
    told = infer_places(alone, statistics=known, as_of=as_of)
    ids = np.asarray(own.device_id.to_pylist(), object)
    rows = pd.DataFrame(
        {
            "device_id": ids[own.device],
            "place": place,
            "day": (own.started_at + own.utc_offset_min.astype(np.int64) * 60_000_000)
            // 86_400_000_000,
        }
    )
    edges = (
        rows.groupby(["device_id", "place"])
        .agg(sessions=("day", "size"), nights=("day", "nunique"))
        .reset_index()
    )
    kind = np.full(len(ids), -1, np.int8)
    kind[own.device] = own.device_type
    devices = pd.DataFrame(
        {
            "device_id": ids,
            "kind": [DEVICE_TYPES[code] if code >= 0 else "" for code in kind],
            "sessions": np.bincount(own.device, minlength=len(ids)),
        }
    )
    places = told.assign(
        operator=["" if pd.isna(asn) else operator_name(int(asn)) for asn in told["asn"].tolist()]
    )[["place", "claim", "nights", "networks", "operator", "sessions"]]
    nowhere = rows[rows["place"] < 0]
    if len(nowhere):
        none = {
            "place": -1, "claim": 0.0, "nights": nowhere["day"].nunique(), "networks": 0,
            "operator": "", "sessions": len(nowhere),
        }  # fmt: skip
        places = pd.concat([places, pd.DataFrame([none])], ignore_index=True)
    return PlacesGraph(str(own.account_id[0].as_py()), devices, places, edges)


def plot_places_graph(
    graph: PlacesGraph, ax: Axes | None = None, language: Language = "en"
) -> Axes:
    """Draw :func:`compute_places_graph`: a line is as wide as many sessions.

    Parameters
    ----------
    graph : PlacesGraph
    ax : Axes, optional
        Made when left out.
    language : {"en", "fr"}, default="en"
        Language of its texts.

    Returns
    -------
    Axes
    """
    say = Wording(language)
    places = _most_used(graph.places, say).to_dict("records")
    rank = {int(part["place"]): position for position, part in enumerate(places)}
    edges = [
        (str(edge["device_id"]), int(edge["place"]), int(edge["sessions"]))
        for edge in graph.edges.to_dict("records")
    ]
    edges = [(device, place if place in rank else _BEYOND, count) for device, place, count in edges]
    main = {device: (place, count) for device, place, count in sorted(edges, key=lambda e: e[2])}
    order = sorted(main, key=lambda device: (rank[main[device][0]], -main[device][1], device))
    rows = max(len(order), len(places), 2)
    axes = new_axes(ax, size=(8.0, 0.7 + 0.5 * rows))
    left = dict(zip(order, _heights(len(order), rows), strict=True))
    right = dict(zip(rank, _heights(len(places), rows), strict=True))
    most = max((count for _, _, count in edges), default=1)
    for device, place, count in edges:
        axes.plot(
            [0.0, 1.0], [left[device], right[place]], color=_colour(place), zorder=1,
            alpha=0.75, linewidth=0.8 + 7.0 * count / most, solid_capstyle="round",
        )  # fmt: skip
    kinds = dict(zip(graph.devices["device_id"], graph.devices["kind"], strict=True))
    for device, height in left.items():
        axes.plot([0.0], [height], "o", color=COLOURS[6], markersize=6, zorder=3)
        told = f"{device}  {say.loose(kinds[device].replace('_', ' '))}"
        axes.annotate(
            told, (0.0, height), (-9, 0), textcoords="offset points", ha="right", va="center",
            fontsize=9,
        )  # fmt: skip
    for part in places:
        height = right[int(part["place"])]
        axes.plot(
            [1.0], [height], "s", color=_colour(int(part["place"])), markersize=11, zorder=3,
            markeredgecolor=COLOURS[6],
        )  # fmt: skip
        axes.annotate(
            _told(part, say), (1.0, height), (11, 0), textcoords="offset points", ha="left",
            va="center", fontsize=9,
        )  # fmt: skip
    axes.set_xlim(-1.1, 2.2)
    axes.set_ylim(-0.6, rows - 0.4)
    axes.set_axis_off()
    axes.set_title(
        say("Where the devices of account {account} are used", account=graph.account_id),
        fontsize=11,
    )
    return axes


#: The node of all places that are not drawn.
_BEYOND: Final = 10_000


def _most_used(places: pd.DataFrame, say: Wording) -> pd.DataFrame:
    if len(places) <= _MOST_PLACES:
        return places
    nowhere = places[places["place"] < 0]
    named = places[places["place"] >= 0]
    kept = named.head(_MOST_PLACES - 1 - len(nowhere))
    rest = named.iloc[len(kept) :]
    beyond = {
        "place": _BEYOND, "claim": rest["claim"].sum(), "nights": rest["nights"].sum(),
        "networks": rest["networks"].sum(),
        "operator": say("{places} more places", places=len(rest)),
        "sessions": rest["sessions"].sum(),
    }  # fmt: skip
    return pd.concat([kept, pd.DataFrame([beyond]), nowhere], ignore_index=True)


def _heights(nodes: int, rows: int) -> list[float]:
    """Heights of nodes, the first on top, evenly over the picture."""
    if nodes == 1:
        return [(rows - 1) / 2]
    return [rows - 1 - (rows - 1) * position / (nodes - 1) for position in range(nodes)]


def _colour(place: int) -> str:
    return place_colour(-1 if place == _BEYOND else place)


def _told(part: dict[Hashable, Any], say: Wording) -> str:
    place = int(part["place"])
    if place in (-1, _BEYOND):
        name = part["operator"] if place == _BEYOND else place_name(place, say)
        return say("{place}: {sessions} sessions", place=name, sessions=part["sessions"])
    name = place_name(place, say) + (f", {part['operator']}" if part["operator"] else "")
    told = say(
        "nights: {nights}; networks: {networks}; claim: {claim}",
        nights=part["nights"],
        networks=part["networks"],
        claim=say.share(part["claim"], 0),
    )
    return f"{name}\n{told}"
