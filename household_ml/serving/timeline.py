"""The timeline of one account: devices as rows, days as columns, coloured by place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader

from household_ml.features import assign_places
from household_ml.modeling.plots import COLOURS
from household_ml.schema import DEVICE_TYPES
from household_ml.serving.wording import Wording
from household_ml.sessions import Sessions

if TYPE_CHECKING:
    import pyarrow as pa

    from household_ml.networks import NetworkStatistics
    from household_ml.scoring.reasons import Language

__all__ = [
    "NO_SESSION",
    "Timeline",
    "compute_timeline",
    "place_colour",
    "place_name",
    "plot_timeline",
    "telling_account",
]

#: Cell of a day without a session.
NO_SESSION = -2

#: Colours of places, home first; a place beyond the last takes the last.
_COLOURS = (COLOURS[0], COLOURS[4], COLOURS[3], COLOURS[2], COLOURS[5], COLOURS[1])
_NOWHERE = "#b4b4b4"

#: Width of all days together, where they are not too many.
_DAYS_WIDTH = 540.0

#: Between two days that are named, at the least.
_TICK_WIDTH = 44

#: Letters of an id that are shown.
_LONGEST_NAME = 28

#: Between two entries of the legend, and two rows of them.
_LEGEND_STEP = 150
_LEGEND_ROW = 20

_MINUTE_US = 60_000_000
_DAY_US = 1_440 * _MINUTE_US


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is drawn of one account.

    Parameters
    ----------
    account_id : str
        The account.
    first_day : datetime64[D]
        Day of the first column, in local time.
    devices : tuple of str, length D
        Ids, those at home most first.
    kinds : tuple of str, length D
        Device types; empty where unknown.
    place : int32 array of shape (D, days)
        Place of most sessions that day: 0 = home, -1 = no place (mobile, VPN, hotel),
        :data:`NO_SESSION` = none.
    answers : tuple of (str, float), length D
        Verdict and probability of each device.
    truth : tuple of str, length D
        Situation of each device where it is known, else empty.
    """

    account_id: str
    first_day: np.datetime64
    devices: tuple[str, ...]
    kinds: tuple[str, ...]
    place: npt.NDArray[np.int32]
    answers: tuple[tuple[str, float], ...]
    truth: tuple[str, ...]

    def __repr__(self) -> str:
        size = f"{len(self.devices)} devices, {self.place.shape[1]} days"
        return f"<Timeline: account {self.account_id}, {size} from {self.first_day}>"

    def _repr_html_(self) -> str:
        return plot_timeline(self)


def telling_account(sessions: Sessions, scores: pa.Table) -> int:
    """Number of the account whose picture tells most.

    Parameters
    ----------
    sessions : Sessions
        Sessions of the scored accounts.
    scores : pyarrow.Table
        Their scores.

    Returns
    -------
    int
        Of the accounts with devices both in the household and outside and at most ten devices,
        the one with the most days and places; else the one with the most sessions.
    """
    owner = scores["account_id"].combine_chunks().dictionary_encode()
    index = owner.indices.to_numpy(zero_copy_only=False)
    names = owner.dictionary.to_pylist()
    verdict = np.asarray(scores["verdict"].to_pylist())
    place = scores["place"].to_numpy()
    size = len(names)
    inside = np.bincount(index, verdict == "household", minlength=size)
    outside = np.bincount(index, verdict == "outside", minlength=size)
    devices = np.bincount(index, minlength=size)
    places = np.zeros(size, dtype=np.int64)
    np.maximum.at(places, index, place)
    position = {name: number for number, name in enumerate(sessions.account_id.to_pylist())}
    at = np.array([position[name] for name in names])
    amount = np.diff(sessions.account_rows)[at]
    mixed = (inside >= 2) & (outside >= 1) & (devices <= 10)
    interest = np.minimum(inside, 3) + np.minimum(outside, 2) + np.minimum(places, 3)
    rank = np.lexsort((amount, interest * mixed, mixed))
    return int(at[rank[-1]])


def compute_timeline(
    sessions: Sessions,
    account: int,
    scores: pa.Table,
    *,
    statistics: NetworkStatistics | None = None,
    situations: dict[str, str] | None = None,
) -> Timeline:
    """Place of each device on each day of one account.

    Parameters
    ----------
    sessions : Sessions
        Sessions of one or more accounts.
    account : int
        Number of the account in ``sessions``.
    scores : pyarrow.Table
        Scores that hold the account's devices; ``as_of`` is theirs.
    statistics : NetworkStatistics or None, default=None
        Network statistics that the scores were made with.
    situations : dict of str to str or None, default=None
        Situation of each device, where the truth is known.

    Returns
    -------
    Timeline
    """
    as_of = scores["as_of"].cast("int64")[0].as_py()
    alone = sessions.take_accounts(np.array([account]))
    own, place = assign_places(alone, statistics=statistics, as_of=as_of)
    name = own.account_id[0].as_py()
    answers = {
        row["device_id"]: (row["verdict"], row["household_probability"])
        for row in scores.to_pylist()
        if row["account_id"] == name
    }
    local = own.started_at + own.utc_offset_min.astype(np.int64) * _MINUTE_US
    day = local // _DAY_US
    first = int(day.min())
    days = int(day.max()) - first + 1
    devices = own.device_id.to_pylist()
    kinds = max(int(place.max()) + 2, 1)
    tally = np.zeros((len(devices), days, kinds), dtype=np.int32)
    np.add.at(tally, (own.device, day - first, place + 1), 1)
    grid = tally.argmax(axis=2).astype(np.int32) - 1
    grid[tally.sum(axis=2) == 0] = NO_SESSION
    at_home = (grid == 0).sum(axis=1)
    order = np.lexsort((devices, -at_home, [-answers.get(d, ("", 0.0))[1] for d in devices]))
    device_type = np.full(len(devices), -1, dtype=np.int8)
    device_type[own.device] = own.device_type
    known = situations or {}
    return Timeline(
        account_id=name,
        first_day=np.datetime64(first, "D"),
        devices=tuple(devices[i] for i in order),
        kinds=tuple(DEVICE_TYPES[t] if t >= 0 else "" for t in device_type[order]),
        place=grid[order],
        answers=tuple(answers.get(devices[i], ("", float("nan"))) for i in order),
        truth=tuple(known.get(devices[i], "") for i in order),
    )


def plot_timeline(timeline: Timeline, language: Language = "en") -> str:
    """Draw a timeline as SVG.

    Parameters
    ----------
    timeline : Timeline
        What :func:`compute_timeline` gave.
    language : {"en", "fr"}, default="en"
        Language of its texts.

    Returns
    -------
    str
        An ``<svg>`` element that refers to nothing outside itself.
    """
    say = Wording(language)
    devices, days = timeline.place.shape
    step = max(5.0, min(24.0, _DAYS_WIDTH / days))
    row, top = 26, 30
    calendar = timeline.first_day + np.arange(days)
    told = _rows(timeline, say)
    left = 16 + max(_width(line["name"], line["kind"]) for line in told)
    cells = [
        {
            "x": round(left + day * step, 1),
            "y": top + device * row + 3,
            "colour": place_colour(int(timeline.place[device, day])),
            "number": max(int(timeline.place[device, day]), 0) or "",
            "told": say(
                "{device}, {day}: {place}",
                device=timeline.devices[device],
                day=calendar[day],
                place=place_name(int(timeline.place[device, day]), say),
            ),
        }
        for device, day in np.argwhere(timeline.place != NO_SESSION).tolist()
    ]
    every = max(math.ceil(_TICK_WIDTH / step), days // 9)
    ticks = [
        {"x": round(left + day * step, 1), "told": str(calendar[day])[5:]}
        for day in range(0, days, every)
    ]
    seen = [place for place in np.unique(timeline.place).tolist() if place != NO_SESSION]
    bottom, width = top + devices * row, round(left + days * step)
    width += 16 + max(_width(line["verdict"], line["probability"], line["truth"]) for line in told)
    each = max(1, (width - left) // _LEGEND_STEP)
    legend = [
        {
            "x": left + number % each * _LEGEND_STEP,
            "y": bottom + 18 + number // each * _LEGEND_ROW,
            "colour": place_colour(place),
            "told": place_name(place, say),
        }
        for number, place in enumerate(sorted(seen, key=lambda place: (place < 0, place)))
    ]
    environment = Environment(autoescape=True, loader=PackageLoader("household_ml.serving"))
    return environment.get_template("timeline.svg.j2").render(
        title=say("Places of the devices of account {account} by day", account=timeline.account_id),
        cells=cells,
        ticks=ticks,
        rows=[{"y": top + device * row, **line} for device, line in enumerate(told)],
        legend=legend,
        cell=round(step - 1, 1),
        row=row,
        left=left,
        top=top,
        right=round(left + days * step + 8, 1),
        bottom=bottom,
        width=width,
        height=bottom + 26 + _LEGEND_ROW * -(-len(legend) // each),
    )


def _rows(timeline: Timeline, say: Wording) -> list[dict[str, str]]:
    """The texts beside each device."""
    return [
        {
            "name": name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}\u2026",
            "kind": say.loose(kind.replace("_", " ")),
            "verdict": say.loose(verdict.replace("_", " ")),
            "probability": say.number(probability, 2),
            "truth": say("truth: {situation}", situation=say.loose(truth.replace("_", " ")))
            if truth
            else "",
        }
        for name, kind, (verdict, probability), truth in zip(
            timeline.devices, timeline.kinds, timeline.answers, timeline.truth, strict=True
        )
    ]


def _width(bold: str, *light: str) -> int:
    """About how wide a row of texts is; no font is measured."""
    return round(8.2 * len(bold) + sum(8 + 7.0 * len(text) for text in light if text))


def place_colour(place: int) -> str:
    """Colour of a place in every picture; below 0 is no place."""
    return _NOWHERE if place < 0 else _COLOURS[min(place, len(_COLOURS) - 1)]


def place_name(place: int, say: Wording) -> str:
    """What a place is called; below 0 is no place."""
    if place < 0:
        return say("mobile, VPN or shared")
    return say("home") if place == 0 else say("place {number}", number=place)
