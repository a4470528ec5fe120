"""The simulators of three authors, asked in one way.

What one author takes for granted, every world of that author has. So worlds of three are learnt
from and measured on; this gives and writes a world of any of them as the contract has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from household_ml.errors import ParameterError, Problem
from household_ml.simulation import second_hand, third_hand
from household_ml.simulation.simulate import simulate, write_world
from household_ml.simulation.world import WORLDS

__all__ = ["AUTHORS", "FIRST", "MadeWorld", "kind_of", "make_world", "write_made_world"]

FIRST: Final = "first"

_OTHERS: Final = {"second": second_hand, "third": third_hand}

#: Authors of simulators, and the worlds of each.
AUTHORS: Final[dict[str, tuple[str, ...]]] = {
    FIRST: tuple(WORLDS),
    **{author: tuple(simulator.KINDS) for author, simulator in _OTHERS.items()},
}

#: Kinds of worlds that the other authors call otherwise than the first.
_ELSEWHERE_CALLED: Final = {"moves_holidays": "moves_and_holidays"}


class MadeWorld(NamedTuple):
    """A simulated world.

    Attributes
    ----------
    sessions : pyarrow.Table
        The sessions table, N rows.
    truth : pyarrow.Table
        N rows, row by row with the sessions: ``line_id``, ``place_id``, ``at_home``,
        ``place_kind``.
    accounts, labels : pyarrow.Table
        As the contract has them; labels with ``situation`` and ``policy_ambiguous``.
    """

    sessions: pa.Table
    truth: pa.Table
    accounts: pa.Table
    labels: pa.Table


def kind_of(world: str) -> str:
    """What the first author calls a kind of world.

    Examples
    --------
    >>> kind_of("moves_holidays"), kind_of("fr")
    ('moves_and_holidays', 'fr')
    """
    return _ELSEWHERE_CALLED.get(world, world)


def make_world(author: str, world: str, accounts: int, days: int, seed: int) -> MadeWorld:
    """Simulate a world of an author.

    Parameters
    ----------
    author : {"first", "second", "third"}
        Whose simulator.
    world : str
        One of its worlds, see :data:`AUTHORS`; ``NAME~SEED`` draws its parameters anew.
    accounts, days, seed : int
        As in :func:`~household_ml.simulation.simulate`.

    Returns
    -------
    MadeWorld
        The same for the same arguments.

    Raises
    ------
    ParameterError
        There is no such author or world.

    Examples
    --------
    >>> world = make_world("third", "fr", accounts=20, days=14, seed=1)
    >>> len(world.sessions) == len(world.truth)
    True
    """
    _check(author, world)
    if author == FIRST:
        found = simulate(world, accounts=accounts, days=days, seed=seed, truth=True)
        assert found.truth is not None
        return MadeWorld(found.sessions, found.truth, found.accounts, found.labels)
    made = _OTHERS[author].make_world(world, accounts, days, seed)
    sessions = _table(made["sessions"])
    place = sessions.column_names.index("started_at")
    moment = sessions["started_at"].cast(pa.timestamp("us", "UTC"))
    return MadeWorld(
        sessions.set_column(place, "started_at", moment),
        *(_table(made[name]) for name in ("truth", "accounts", "labels")),
    )


def write_made_world(
    out_dir: str | Path,
    author: str,
    world: str,
    accounts: int,
    days: int,
    seed: int,
    *,
    truth: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Simulate a world of an author into a folder.

    Parameters
    ----------
    out_dir : str or Path
        Made where missing. Receives what
        :func:`~household_ml.simulation.simulate.write_world` writes; ``changes.parquet`` only of
        the first author.
    author, world, accounts, days, seed
        As in :func:`make_world`.
    truth : bool, default=False
        Whether to write the true line and place of every session.
    progress : callable, optional
        Called with the number of accounts done and of all; the other authors' are all done at once.

    Returns
    -------
    dict of str to int
        Rows of each table.
    """
    if author == FIRST:
        return write_world(out_dir, world, accounts, days, seed, truth=truth, progress=progress)
    made = make_world(author, world, accounts, days, seed)
    if progress is not None:
        progress(accounts, accounts)
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    tables = {name: table for name, table in made._asdict().items() if truth or name != "truth"}
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    told = {"author": author, "name": world, "accounts": accounts, "days": days, "seed": seed}
    (folder / "world.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return {name: len(table) for name, table in tables.items()}


def _check(author: str, world: str) -> None:
    if author not in AUTHORS:
        raise ParameterError(
            Problem(
                f"author must be one of {', '.join(AUTHORS)}", repr(author), "Name one of them."
            )
        )
    name, drawn, number = world.partition("~")
    if author != FIRST and (name not in AUTHORS[author] or (drawn and not number.isdecimal())):
        raise ParameterError(
            Problem(
                f"a world of the {author} author must be one of {', '.join(AUTHORS[author])}, "
                "alone or with ~ and a number",
                repr(world),
                "Name one of them, such as fr or fr~7.",
            )
        )


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)
