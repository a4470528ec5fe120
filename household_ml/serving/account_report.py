"""The report about one account: what was seen, its places, the answers, and what speaks for them.

It is written for the person who is asked about the account, and may be handed to whom it concerns:
no address stands in it. ``household-ml erase`` finds it by the account that its head names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from household_ml.errors import ParameterError, Problem
from household_ml.networks import enrich
from household_ml.schema import VERDICTS
from household_ml.scoring.reasons import sentence
from household_ml.scoring.slots import read_slots
from household_ml.scoring.verdicts import MIN_DEVICE_SESSIONS
from household_ml.scoring.window import known_at
from household_ml.serving.pages import figure_svg, write_page
from household_ml.serving.places_graph import PlacesGraph, compute_places_graph, plot_places_graph
from household_ml.serving.retention import ACCOUNT_META
from household_ml.serving.timeline import (
    compute_timeline,
    place_colour,
    place_name,
    plot_timeline,
)
from household_ml.serving.wording import Wording, wording
from household_ml.sessions.one_account import AccountSessions

if TYPE_CHECKING:
    import pandas as pd

    from household_ml.networks import NetworkStatistics
    from household_ml.scoring import HouseholdScorer
    from household_ml.sessions import Sessions

__all__ = ["write_account_report"]

#: A place whose claim is at least this much leaves the home in doubt.
_DOUBT = 0.1


def write_account_report(
    out: str | Path,
    scorer: HouseholdScorer,
    sessions: Sessions,
    account: str,
    *,
    accounts: pd.DataFrame | pa.Table | str | Path | None = None,
    networks: NetworkStatistics | None = None,
    as_of: int | None = None,
    language: str = "en",
    simulated: bool = False,
    made_at: datetime | None = None,
) -> Path:
    """Write the report about one account.

    Parameters
    ----------
    out : str or Path
        HTML file to write.
    scorer : HouseholdScorer
        What answers.
    sessions : Sessions
        Sessions of the account, and of others beside it.
    account : str
        Its id.
    accounts : DataFrame, pyarrow.Table, str, Path or None, default=None
        The accounts table, for the extra-member slots, as in :meth:`HouseholdScorer.score_table`.
    networks : NetworkStatistics, optional
        What it is scored with; as batch scoring of all these sessions does when left out.
    as_of : int, optional
        Microseconds since 1970, UTC; no session after it is used. The last session when left out.
    language : {"en", "fr"}, default="en"
        Language of the report.
    simulated : bool, default=False
        Say that the people are simulated.
    made_at : datetime or None, default=None
        Written in the foot; None is now.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ParameterError
        There is no such language, or the account has no session up to ``as_of``.
    """
    say = wording(language)
    moment = sessions.last_started_at() if as_of is None else as_of
    known = known_at(sessions, moment)
    number = pc.index(known.account_id, pa.scalar(account, known.account_id.type)).as_py()
    if number < 0:
        raise ParameterError(
            Problem(
                "account must be one that has a session in the window",
                repr(account),
                "Look at the ids of the sessions, and at --as-of.",
            )
        )
    statistics = scorer.statistics_for(known, networks)
    own = known.take_accounts(np.array([number]))
    table = scorer.score_table(own, accounts=accounts, networks=statistics, as_of=moment)
    given = sessions.reading.accounts if accounts is None else accounts
    slots = int(read_slots(given, own.account_id)[0])
    rows = sorted(table.to_pylist(), key=lambda row: -row["household_probability"])
    timeline = compute_timeline(own, 0, table, statistics=statistics)
    graph = compute_places_graph(own, 0, statistics=statistics, as_of=moment)
    shown = str(np.datetime64(moment, "us").astype("M8[m]")).replace("T", " ") + " UTC"
    picture = figure_svg(
        plot_places_graph(graph, language=say.language),
        "places",
        told=say("Where the devices of account {account} are used", account=account),
        wide=True,
    )
    return write_page(
        out,
        "account.html.j2",
        say,
        made_at=made_at,
        title=say("Account {account}: which devices are of its household", account=account),
        account=account,
        account_meta=ACCOUNT_META,
        model=scorer.model,
        moment=shown,
        simulated=simulated,
        answers=_counted(rows, say),
        home=_home(graph, say),
        seen=_seen(own, say),
        timeline=Markup(plot_timeline(timeline, say.language)),  # noqa: S704 - escaped by its template
        graph=Markup(picture),  # noqa: S704 - drawn here
        places=_places(graph, say),
        devices=[_device(row, graph, say) for row in rows],
        rules=_rules(scorer, say),
        changes=_changes(scorer, own, statistics, moment, slots, rows, say),
    )


def _counted(rows: Sequence[dict[str, Any]], say: Wording) -> list[tuple[str, str]]:
    """How many devices got which answer."""
    count = Counter(row["verdict"] for row in rows)
    return [
        (say(verdict.replace("_", " ")), say.count(count[verdict]))
        for verdict in VERDICTS
        if count[verdict]
    ]


def _home(graph: PlacesGraph, say: Wording) -> str:
    """Which place is taken for home, and how sure that is."""
    told = graph.places[graph.places["place"] >= 0].to_dict("records")
    if not told:
        return say("No place could be taken for home.")
    home = say(
        "Home is taken to be place 0 ({operator}), with a claim of {claim}.",
        operator=told[0]["operator"] or say("unknown operator"),
        claim=say.share(told[0]["claim"], 0),
    )
    if len(told) == 1 or told[1]["claim"] < _DOUBT:
        return home
    doubt = say(
        "Which place is home is in doubt: another place has a claim of {rival}.",
        rival=say.share(told[1]["claim"], 0),
    )
    return f"{home} {doubt}"


def _seen(own: Sessions, say: Wording) -> str:
    """How much was seen of the account; counts alone."""
    operator = enrich(own).operator
    addresses = len(np.unique(np.stack([own.ip_hi, own.ip_lo], axis=1), axis=0))
    days = np.array([own.started_at.min(), own.started_at.max()], "M8[us]").astype("M8[D]")
    return say(
        "{sessions} sessions from {first} to {last}, on {devices} devices, from {addresses} "
        "addresses of {operators} operators. No address stands in this report.",
        sessions=say.count(len(own)),
        first=days[0],
        last=days[1],
        devices=say.count(own.n_devices),
        addresses=say.count(addresses),
        operators=say.count(len(np.unique(operator[operator > 0]))),
    )


def _places(graph: PlacesGraph, say: Wording) -> list[dict[str, object]]:
    used = graph.edges.groupby("place")["device_id"].nunique()
    return [
        {
            "name": place_name(int(part["place"]), say),
            "colour": place_colour(int(part["place"])),
            "operator": part["operator"],
            "claim": say.share(part["claim"], 0) if part["place"] >= 0 else "-",
            "devices": say.count(int(used.get(part["place"], 0))),
            "sessions": say.count(int(part["sessions"])),
            "nights": say.count(int(part["nights"])),
        }
        for part in graph.places.to_dict("records")
    ]


def _device(row: dict[str, Any], graph: PlacesGraph, say: Wording) -> dict[str, object]:
    kinds = dict(zip(graph.devices["device_id"], graph.devices["kind"], strict=True))
    last = row["last_home_at"]
    return {
        "id": row["device_id"],
        "kind": say.loose(kinds.get(row["device_id"], "").replace("_", " ")),
        "verdict": say(row["verdict"].replace("_", " ")),
        "probability": say.number(row["household_probability"]),
        "place": place_name(int(row["place"]), say),
        "last": say("never") if last is None else last.strftime("%Y-%m-%d"),
        "why": [sentence(code, say.language) for code in row["reasons"]],
    }


def _rules(scorer: HouseholdScorer, say: Wording) -> list[str]:
    """What decides, and which way things act: the same for every device."""
    chosen = scorer.model.thresholds
    if chosen.household_at is None:
        decides = say("This model decides nothing: no threshold could be certified.")
    elif chosen.outside_at is None:
        decides = say(
            "A device is called household from a probability of {household} on; no device is "
            "called outside by this model.",
            household=say.number(chosen.household_at),
        )
    else:
        decides = say(
            "A device is called household from a probability of {household} on, and outside up to "
            "{outside}; in between nothing is decided.",
            household=say.number(chosen.household_at),
            outside=say.number(chosen.outside_at),
        )
    return [
        decides,
        say(
            "At least {count} sessions within 180 days are needed for any answer.",
            count=MIN_DEVICE_SESSIONS,
        ),
        say(
            "Regular use at the account's home, beside the other devices of the household, speaks "
            "for it; more of it never lowers the probability."
        ),
        say("Regular use at another place, while the home is used by others, speaks against it."),
    ]


def _changes(
    scorer: HouseholdScorer,
    own: Sessions,
    statistics: NetworkStatistics,
    moment: int,
    slots: int,
    rows: Sequence[dict[str, Any]],
    say: Wording,
) -> list[dict[str, object]]:
    """What would change each answer, where the scorer can tell."""
    tell = getattr(scorer, "counterfactuals", None)
    if tell is None:
        return []
    told: dict[str, list[str]] = {}
    for change in tell(
        AccountSessions.of(own), extra_members=slots, networks=statistics, as_of=moment
    ):
        told.setdefault(change.device_id, []).append(change.sentence(say.language))
    return [
        {"device": row["device_id"], "sentences": told[row["device_id"]]}
        for row in rows
        if row["device_id"] in told
    ]
