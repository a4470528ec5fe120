"""What the default model learns from: worlds of every kind, drawn anew, and their logs roughened.

A seed draws all of it: which parameters each world has, how many days of it are seen, and what its
log lacks. Every kind gives the named world as it is and worlds drawn from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.simulation.world import COLUMNS_THAT_MAY_BE_MISSING

if TYPE_CHECKING:
    import pyarrow as pa

    from household_ml.serving.datasets import LabelledSessions
    from household_ml.serving.sides import DividedDevices

__all__ = [
    "Lesson",
    "Roughness",
    "divided_lesson",
    "labelled_lesson",
    "plan_fresh",
    "plan_lessons",
    "roughen",
]

Bools = npt.NDArray[np.bool_]

_DAY_US: Final = 86_400_000_000

#: Days of history that are seen of a drawn world.
_DAYS: Final = (30, 180)

#: Days of history that are seen of a named world.
_NAMED_DAYS: Final = 90

#: Lessons of each kind that are the named world itself; the others are drawn from it. Worlds with
#: all parameters drawn at once lie far from any real one: they teach caution, and in equal numbers
#: too much of it.
_NAMED: Final = 3

#: The simulators, each by another author.
FIRST_HAND, SECOND_HAND, THIRD_HAND = "first", "second", "third"

#: Lessons of a kind by the other simulators, for each by the first.
_SHARES: Final = {SECOND_HAND: 0.8, THIRD_HAND: 0.6}

#: Marks the draws of worlds that nobody learns from; no lesson of a kind has so high a number.
_FRESH: Final = 1_000_000

#: Shares of the accounts of every lesson that are met with a foreign snapshot, and alone.
_FOREIGN, _ALONE = 0.08, 0.08


@dataclass(frozen=True, slots=True)
class Roughness:
    """What is done to the log of a world, beyond what its own parameters lose.

    Parameters
    ----------
    lost_columns : tuple of str
        Columns that are dropped.
    kept_accounts : float, default=1
        Share of the accounts that are kept, so that networks are seen through fewer of them.
    cut_accounts : float, default=0
        Share of the accounts whose history begins late.
    cut_days : float, default=0
        Days that are left of these, at most.
    doubled : float, default=0
        Share of the rows that come a second time, some seconds later.
    idle_days : float, default=0
        Days from the last session to the moment of scoring.
    """

    lost_columns: tuple[str, ...] = ()
    kept_accounts: float = 1.0
    cut_accounts: float = 0.0
    cut_days: float = 0.0
    doubled: float = 0.0
    idle_days: float = 0.0

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Roughness:
        """Draw how rough a log is; about a third of them lose nothing here."""
        if rng.random() < 0.3:
            return cls()
        bare = rng.random() < 0.1
        lost = rng.random(len(COLUMNS_THAT_MAY_BE_MISSING)) < (1.0 if bare else 0.15)
        columns = zip(COLUMNS_THAT_MAY_BE_MISSING, lost, strict=True)
        return cls(
            lost_columns=tuple(column for column, is_lost in columns if is_lost),
            kept_accounts=float(rng.uniform(0.5, 1.0)) if rng.random() < 0.4 else 1.0,
            cut_accounts=float(rng.uniform(0.1, 0.5)) if rng.random() < 0.4 else 0.0,
            cut_days=float(rng.uniform(7.0, 40.0)),
            doubled=float(rng.uniform(0.0, 0.1)) if rng.random() < 0.25 else 0.0,
            idle_days=float(rng.uniform(0.0, 10.0)) if rng.random() < 0.25 else 0.0,
        )


@dataclass(frozen=True, slots=True)
class Lesson:
    """One world to learn from.

    Parameters
    ----------
    kind : str
        Kind of world; several simulators have worlds of it.
    world : str
        The world in its simulator: its name there, or ``name~seed`` where it is drawn from it.
    accounts, days, seed : int
        As in `household_ml.simulation.simulate`.
    roughness : Roughness
        What is done to its log.
    hand : {"first", "second", "third"}
        The simulator that makes it; they are of different authors.
    """

    kind: str
    world: str
    accounts: int
    days: int
    seed: int
    roughness: Roughness = field(default_factory=Roughness)
    hand: str = FIRST_HAND

    @property
    def name(self) -> str:
        """What the card and the metrics call it."""
        world = self.world if self.hand == FIRST_HAND else f"{self.world}, {self.hand} hand"
        return world if "~" in self.world else f"{world}, seed {self.seed}"

    @property
    def setting(self) -> str:
        """The kind of world and, where that is not the first, the author."""
        return self.kind if self.hand == FIRST_HAND else f"{self.kind}, {self.hand} hand"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        found = asdict(self)
        found["roughness"]["lost_columns"] = list(self.roughness.lost_columns)
        return found


def plan_lessons(*, accounts: int, worlds_per_kind: int, seed: int) -> tuple[Lesson, ...]:
    """Draw what is learnt from.

    Parameters
    ----------
    accounts : int
        Accounts of each world.
    worlds_per_kind : int
        Worlds of each kind, at least 1: up to three times the named one, and the others drawn.
    seed : int
        Of all draws.

    Returns
    -------
    tuple of Lesson
        By kind.

    Examples
    --------
    >>> lessons = plan_lessons(accounts=100, worlds_per_kind=2, seed=1)
    >>> [lesson.world.partition("~")[0] for lesson in lessons[:4]]
    ['fr', 'fr', 'us', 'us']
    """
    from household_ml.simulation import WORLDS

    lessons = []
    for place, kind in enumerate(WORLDS):
        for number in range(worlds_per_kind):
            rng = np.random.default_rng([seed, place, number])
            drawn, own = (int(each) for each in rng.integers(1, 2**31, 2))
            days = int(rng.integers(_DAYS[0], _DAYS[1], endpoint=True))
            roughness = Roughness.drawn(rng)
            if number == 0:
                lessons.append(Lesson(kind, kind, accounts, _NAMED_DAYS, own))
            elif number < _NAMED:
                lessons.append(Lesson(kind, kind, accounts, days, own))
            else:
                lessons.append(Lesson(kind, f"{kind}~{drawn}", accounts, days, own, roughness))
    for hand in _SHARES:
        lessons += _by_hand(hand, accounts, worlds_per_kind, seed)
    return tuple(lessons)


def _by_hand(hand: str, accounts: int, worlds_per_kind: int, seed: int) -> list[Lesson]:
    """Lessons by another simulator: the named world first, then worlds drawn from it."""
    from household_ml.simulation.authors import AUTHORS, kind_of

    author = 1000 * (1 + list(_SHARES).index(hand))
    lessons = []
    for place, world in enumerate(AUTHORS[hand]):
        for number in range(max(1, round(_SHARES[hand] * worlds_per_kind))):
            rng = np.random.default_rng([seed, author + place, number])
            drawn, own = (int(each) for each in rng.integers(1, 2**31, 2))
            days = int(rng.integers(_DAYS[0], _DAYS[1], endpoint=True))
            roughness = Roughness.drawn(rng)
            kind = kind_of(world)
            if number == 0:
                days, roughness = _NAMED_DAYS, Roughness()
            name = world if number < 2 else f"{world}~{drawn}"
            lessons.append(Lesson(kind, name, accounts, days, own, roughness, hand))
    return lessons


def plan_fresh(kinds: Sequence[str], *, accounts: int, seed: int) -> tuple[Lesson, ...]:
    """Worlds of each kind that nobody learns from, to put a model between their references.

    Parameters
    ----------
    kinds : sequence of str
        Names of worlds.
    accounts : int
        Accounts of each world.
    seed : int
        Of all draws.

    Returns
    -------
    tuple of Lesson
        The named worlds of all authors as they are, over 90 days, of seeds of their own; those
        of one kind beside each other.
    """
    from household_ml.simulation.authors import AUTHORS, kind_of

    lessons = []
    for place, kind in enumerate(kinds):
        drawn = np.random.default_rng([seed, place, _FRESH]).integers(1, 2**31, 1 + len(_SHARES))
        lessons.append(Lesson(kind, kind, accounts, _NAMED_DAYS, int(drawn[0])))
        lessons += [
            Lesson(kind, world, accounts, _NAMED_DAYS, int(own), hand=hand)
            for hand, own in zip(_SHARES, drawn[1:], strict=True)
            for world in AUTHORS[hand]
            if kind_of(world) == kind
        ]
    return tuple(lessons)


def divided_lesson(lesson: Lesson, *, shares: tuple[float, float, float]) -> DividedDevices:
    """Simulate the world of a lesson, roughen its log and build the features of its devices.

    Parameters
    ----------
    lesson : Lesson
        What to simulate.
    shares : three floats
        Of accounts for training, calibration and test, with sum 1.

    Returns
    -------
    DividedDevices
        The same for the same lesson.
    """
    from household_ml.serving.sides import Meetings, divide

    world = labelled_lesson(lesson)
    as_of = world.sessions.last_started_at() + int(lesson.roughness.idle_days * _DAY_US)
    return divide(
        world,
        shares=shares,
        seed=lesson.seed,
        as_of=as_of,
        meetings=Meetings(foreign=_FOREIGN, alone=_ALONE),
    )


def labelled_lesson(lesson: Lesson) -> LabelledSessions:
    """Simulate the world of a lesson and roughen its log; its truth comes along.

    Parameters
    ----------
    lesson : Lesson
        What to simulate.

    Returns
    -------
    LabelledSessions
        The same for the same lesson.
    """
    from household_ml.modeling.truth import SESSION_KEY
    from household_ml.serving.datasets import LabelledSessions
    from household_ml.sessions import read_sessions
    from household_ml.simulation.authors import make_world

    table, truth, _, labels = make_world(
        lesson.hand, lesson.world, lesson.accounts, lesson.days, lesson.seed
    )
    told = truth.column_names
    for name in told:
        table = table.append_column(name, truth[name])
    table = roughen(table, lesson.roughness, seed=lesson.seed)
    last = table["started_at"].cast("int64").to_numpy().max()
    return LabelledSessions(
        lesson.name,
        read_sessions(table.drop_columns(told), now=int(last)),
        labels.to_pandas(),
        simulated=True,
        truth=table.select([*SESSION_KEY, *told]),
    )


def roughen(sessions: pa.Table, roughness: Roughness, *, seed: int) -> pa.Table:
    """Sessions as a rougher log has them.

    Parameters
    ----------
    sessions : pyarrow.Table
        The sessions table.
    roughness : Roughness
        What to do to it.
    seed : int
        Of the accounts and rows it is done to.

    Returns
    -------
    pyarrow.Table
        At least one row is left of one account.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = pa.table({"account_id": ["a"], "asn": [1], "started_at": pa.array([0], "int64")})
    >>> roughen(table, Roughness(lost_columns=("asn",)), seed=0).column_names
    ['account_id', 'started_at']
    """
    import pyarrow as pa

    rng = np.random.default_rng([seed, 23])
    lost = [column for column in roughness.lost_columns if column in sessions.column_names]
    table = sessions.drop_columns(lost) if lost else sessions
    codes = table["account_id"].combine_chunks().dictionary_encode()
    account = codes.indices.to_numpy()
    accounts = len(codes.dictionary)
    started = table["started_at"].cast("int64").to_numpy()
    kept_accounts = rng.random(accounts) < roughness.kept_accounts
    kept_accounts[0] = True
    begins = np.full(accounts, np.iinfo(np.int64).min)
    cut = rng.random(accounts) < roughness.cut_accounts
    last = np.full(accounts, np.iinfo(np.int64).min)
    np.maximum.at(last, account, started)
    # a history that begins late: the days that are left reach back from its own end
    days = roughness.cut_days * rng.uniform(0.2, 1.0, accounts)
    begins[cut] = last[cut] - (days[cut] * _DAY_US).astype(np.int64)
    kept: Bools = kept_accounts[account] & (started >= begins[account])
    table = table.filter(pa.array(kept))
    if not roughness.doubled:
        return table
    again = table.filter(pa.array(rng.random(len(table)) < roughness.doubled))
    seconds = rng.integers(1, 30, len(again)) * 1_000_000
    late = again["started_at"].cast("int64").to_numpy() + seconds
    place = again.column_names.index("started_at")
    kind = table.schema.field("started_at").type
    again = again.set_column(place, "started_at", pa.array(late).cast(kind))
    return pa.concat_tables([table, again])
