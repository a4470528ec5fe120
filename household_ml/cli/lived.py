"""Simulated lives whose changes are known: what stability is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from household_ml.cli.curriculum import FIRST_HAND, SECOND_HAND

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from household_ml.serving.stability import Lived

__all__ = ["BOTH_HANDS", "changes_of_truth", "live", "worlds_of"]

#: The simulators of the first two authors, whose changes of life are known.
BOTH_HANDS: Final = "both"
_HANDS: Final = (FIRST_HAND, SECOND_HAND)

#: A line that a home was seen on less often than this is no change of ISP.
_LINE_SESSIONS: Final = 6

#: Last sessions of a device that tell where it ended up.
_LAST_SESSIONS: Final = 15


def worlds_of(kind: str, hand: str) -> list[tuple[str, str]]:
    """The worlds of a kind: the author of each, and its name there.

    Parameters
    ----------
    kind : str
        Name of a world of the first author.
    hand : {"both", "first", "second"}
        Whose worlds.

    Returns
    -------
    list of (str, str)

    Examples
    --------
    >>> worlds_of("moves_and_holidays", BOTH_HANDS)
    [('first', 'moves_and_holidays'), ('second', 'moves_holidays')]
    """
    from household_ml.cli.curriculum import plan_fresh

    return [
        (lesson.hand, lesson.world)
        for lesson in plan_fresh([kind], accounts=1, seed=0)
        if lesson.hand in _HANDS and hand in (lesson.hand, BOTH_HANDS)
    ]


def live(hand: str, world: str, *, accounts: int, days: int, seed: Sequence[int]) -> Lived:
    """Simulate a world whose changes are known.

    Parameters
    ----------
    hand : {"first", "second"}
        Author of the simulator.
    world : str
        Its name there, or ``name~seed``.
    accounts, days : int
        As in `household_ml.simulation.simulate`.
    seed : sequence of int
        What its seed is drawn from.

    Returns
    -------
    Lived
    """
    from household_ml.serving.datasets import LabelledSessions
    from household_ml.serving.stability import Lived
    from household_ml.sessions import read_sessions

    drawn = int(np.random.default_rng(list(seed)).integers(1, 2**31))
    name = world if hand == FIRST_HAND else f"{world}, {hand} hand"
    sessions, labels, changes, table = (_second if hand == SECOND_HAND else _first)(
        world, accounts, days, drawn
    )
    last = int(sessions["started_at"].cast("int64").to_numpy().max())
    data = LabelledSessions(name, read_sessions(sessions, now=last), labels, simulated=True)
    return Lived(data, changes, table)


_Made = tuple["pa.Table", "pd.DataFrame", "pd.DataFrame", "pa.Table"]


def _first(world: str, accounts: int, days: int, seed: int) -> _Made:
    from household_ml.simulation import simulate

    made = simulate(world, accounts=accounts, days=days, seed=seed)
    return made.sessions, made.labels.to_pandas(), made.changes.to_pandas(), made.accounts


def _second(world: str, accounts: int, days: int, seed: int) -> _Made:
    import pyarrow as pa

    from household_ml.simulation.second_hand import make_world

    made = make_world(world, accounts, days, seed)
    sessions = pa.Table.from_pandas(made["sessions"], preserve_index=False)
    moment = sessions["started_at"].cast(pa.timestamp("us", "UTC"))
    place = sessions.column_names.index("started_at")
    return (
        sessions.set_column(place, "started_at", moment),
        made["labels"],
        changes_of_truth(made["sessions"], made["truth"], made["labels"]),
        pa.Table.from_pandas(made["accounts"], preserve_index=False),
    )


def changes_of_truth(
    sessions: pd.DataFrame, truth: pd.DataFrame, labels: pd.DataFrame
) -> pd.DataFrame:
    """What changed in the lives of accounts and devices, read off the true places of sessions.

    Parameters
    ----------
    sessions : DataFrame
        The sessions table.
    truth : DataFrame
        Row by row with it, ``line_id`` (-1 = none), ``place_id`` (-1 = on the move), ``at_home``.
    labels : DataFrame
        The labels table, with ``situation``.

    Returns
    -------
    DataFrame
        Columns ``account_id``, ``device_id`` (null = every device of the account), ``changed_at``
        and ``change``, as of :class:`~household_ml.serving.stability.Lived`: ``moved`` when the
        true home is another place than before, ``changed_isp`` when it is used on a line that comes
        after another has ended, ``member_left`` at the first session of an ``ex_member_left`` where
        the device ended up, and ``left`` if it was elsewhere before, ``joined`` and
        ``member_joined`` at the last session at its first place of a device that ``resident_moved``
        where the household did not.
    """
    import pandas as pd

    names = ["account_id", "device_id", "started_at"]
    rows = pd.concat(
        [sessions[names].reset_index(drop=True), truth.reset_index(drop=True)], axis=1
    ).sort_values("started_at", kind="stable")
    home = rows[rows["at_home"].astype(bool) & (rows["place_id"] >= 0)]
    lived = home.groupby("account_id")["place_id"].shift()
    moved = home[lived.notna() & (lived != home["place_id"])]

    lines = home[home["line_id"] >= 0].groupby(["account_id", "place_id", "line_id"])["started_at"]
    spans = lines.agg(["min", "max", "size"]).reset_index().sort_values("min", kind="stable")
    spans = spans[spans["size"] >= _LINE_SESSIONS]
    ends = spans.groupby(["account_id", "place_id"])["max"]
    ended = ends.cummin().groupby([spans["account_id"], spans["place_id"]]).shift()
    changed = spans[ended < spans["min"]].rename(columns={"min": "started_at"})

    placed = rows[rows["place_id"] >= 0].merge(
        labels[["device_id", "situation"]], on="device_id", how="inner"
    )
    gone = placed[placed["situation"] == "ex_member_left"]
    ended_up = gone.groupby("device_id").tail(_LAST_SESSIONS).groupby("device_id")["place_id"]
    last = gone["device_id"].map(ended_up.agg(lambda places: places.mode().iloc[0]))
    left = gone[gone["place_id"] == last].groupby("device_id").head(1)
    before = gone.groupby("device_id").cumcount().loc[left.index] > 0

    came = placed[placed["situation"] == "resident_moved"]
    came = came[~came["account_id"].isin(moved["account_id"])]
    first = came.groupby("device_id")["place_id"].transform("first")
    joined = came[(came["place_id"] == first) & ~came["at_home"].astype(bool)]
    joined = joined.groupby("device_id").tail(1)

    every = [(moved, "moved"), (changed, "changed_isp")]
    every += [(left, "member_left"), (joined, "member_joined")]
    parts = [part[["account_id", "started_at"]].assign(change=change) for part, change in every]
    parts += [
        part[names].assign(change=change)
        for part, change in ((left[before], "left"), (joined, "joined"))
    ]
    found = pd.concat(parts, ignore_index=True).rename(columns={"started_at": "changed_at"})
    found["device_id"] = found["device_id"].astype(object).where(found["device_id"].notna(), None)
    found["changed_at"] = pd.to_datetime(found["changed_at"], utc=True)
    order = ["account_id", "device_id", "changed_at", "change"]
    return found[order].sort_values("changed_at", ignore_index=True)
