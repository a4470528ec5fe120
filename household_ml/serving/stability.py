"""Accounts followed from day to day: what a service that scores daily would have answered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml.errors import ParameterError, Problem, SchemaError
from household_ml.features import build_features
from household_ml.modeling.stability import (
    ABSENT,
    EXTRA_MEMBER,
    HOUSEHOLD,
    OUTSIDE,
    UNDETERMINED,
    DailyVerdicts,
    measure_verdicts,
    stack_verdicts,
)
from household_ml.networks import enrich
from household_ml.scoring.evidence import measure_evidence
from household_ml.scoring.hysteresis import (
    HOUSEHOLD_WEEKS,
    NO_TIME,
    OUTSIDE_WEEKS,
    OVERTURN_WEEKS,
    WITHDRAWAL_WEEKS,
    Earlier,
    Standing,
    carry,
)
from household_ml.scoring.slots import read_slots
from household_ml.scoring.tables import open_table
from household_ml.scoring.use import days_of_use
from household_ml.scoring.verdicts import (
    Verdict,
    allot_extra_members,
    decide,
    too_little_history,
)
from household_ml.scoring.window import known_at
from household_ml.serving.datasets import LabelledSessions, find_table, read_labelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from household_ml.modeling.model import HouseholdModel
    from household_ml.sessions import Sessions

__all__ = [
    "RUN_IN_DAYS",
    "SETTLED_DAYS",
    "Lived",
    "follow_daily",
    "measure_stability",
    "read_lived",
    "summarise",
]

Codes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Daily scorings before those that are counted: as long as the longest memory of the rule that
#: carries verdicts over, else fewer flips would be counted than a service sees that scores on.
RUN_IN_DAYS: Final = 7 * OVERTURN_WEEKS

#: A household is unchanged when nothing changed in it on the days that are counted, nor in so many
#: days before: what changed just before is still being found out. [A]
SETTLED_DAYS: Final = 31

_DAY_US: Final = 86_400_000_000
_CODE: Final = {
    Verdict.HOUSEHOLD: HOUSEHOLD,
    Verdict.EXTRA_MEMBER: EXTRA_MEMBER,
    Verdict.UNDETERMINED: UNDETERMINED,
    Verdict.OUTSIDE: OUTSIDE,
}
_CODES: Final = np.array([_CODE[verdict] for verdict in Verdict], dtype=np.int8)
_LEFT: Final = "left"


@dataclass(frozen=True)
class Lived:
    """Labelled sessions of one world or customer, and what changed in the meantime.

    Parameters
    ----------
    data : LabelledSessions
        Histories, and labels as of the last session.
    changes : DataFrame or None
        Columns ``account_id``, ``device_id`` (null = every device of the account), ``changed_at``
        and ``change``, of which ``left`` tells that the device's user left the household. None when
        nothing is known of changes: every household then counts as unchanged.
    accounts : pyarrow.Table or None
        The accounts table, for paid slots.
    """

    data: LabelledSessions
    changes: pd.DataFrame | None
    accounts: pa.Table | None = None


def read_lived(folder: str | Path) -> Lived:
    """Read a folder that holds sessions and labels, and possibly accounts and changes.

    Parameters
    ----------
    folder : str or Path
        As ``household-ml simulate`` writes it.

    Returns
    -------
    Lived

    Raises
    ------
    InputError
        Something is missing or cannot be read.
    """
    data = read_labelled(folder)
    changes, accounts = (find_table(Path(folder), name) for name in ("changes", "accounts"))
    return Lived(
        data,
        None if changes is None else _changes(changes),
        None if accounts is None else open_table(accounts, "accounts", text=["account_id"]),
    )


def _changes(path: Path) -> pd.DataFrame:
    import pandas as pd

    ids = ["account_id", "device_id"]
    frame: pd.DataFrame = open_table(path, "changes", text=ids).to_pandas()
    missing = [name for name in (*ids, "changed_at", "change") if name not in frame.columns]
    if missing:
        raise SchemaError(
            Problem(
                "the changes table must have account_id, device_id, changed_at and change",
                f"no {', '.join(missing)}",
                "Add them, or take the table away: then every household counts as unchanged.",
            )
        )
    frame["changed_at"] = pd.to_datetime(frame["changed_at"], utc=True)
    return frame


def measure_stability(
    model: HouseholdModel,
    worlds: Sequence[Lived],
    *,
    days: int = 60,
    run_in: int = RUN_IN_DAYS,
    replicates: int = 200,
    seed: int = 0,
) -> dict[str, Any]:
    """Follow the accounts of worlds and measure their verdicts.

    Parameters
    ----------
    model : HouseholdModel
        What answers; it should have seen none of the accounts.
    worlds : sequence of Lived
        At least one, each with a history before the days that are scored.
    days : int, default=60
        Daily scorings that are counted.
    run_in : int, default=28
        Daily scorings before them.
    replicates : int, default=200
        Resamples of the accounts, for the intervals.
    seed : int, default=0
        Of the resampling.

    Returns
    -------
    dict
        Plain JSON values, as :func:`~household_ml.modeling.stability.measure_verdicts` gives them,
        and ``settings``.

    Raises
    ------
    ParameterError
        A history does not reach back before the days.
    """
    followed = [follow_daily(model, world, days=days, run_in=run_in) for world in worlds]
    return summarise(followed, replicates=replicates, seed=seed)


def follow_daily(
    model: HouseholdModel, world: Lived, *, days: int = 60, run_in: int = RUN_IN_DAYS
) -> DailyVerdicts:
    """Score the accounts of a world daily, by the thresholds alone and carried over.

    The last scoring is as of the last session. Network statistics are built from the sessions known
    on the day, as batch scoring does.

    Parameters
    ----------
    model : HouseholdModel
        What answers.
    world : Lived
        Histories and changes.
    days : int, default=60
        Daily scorings that are counted.
    run_in : int, default=28
        Daily scorings before them, after the first, which begins the series.

    Returns
    -------
    DailyVerdicts
        Over ``1 + run_in + days`` scorings. In the first, what was carried is what the series
        begins with.

    Raises
    ------
    ParameterError
        The history does not reach back before the days.
    """
    sessions = world.data.sessions
    last = sessions.last_started_at()
    moments = last - np.arange(run_in + days, -1, -1) * _DAY_US
    first = int(sessions.started_at.min())
    if days < 1 or run_in < 0 or first > moments[0]:
        raise ParameterError(
            Problem(
                f"the sessions must reach back more than the {run_in + days} days to score",
                f"{(last - first) / _DAY_US:.1f} days",
                "Give a longer history, or score fewer days, at least 1.",
            )
        )
    rows = _Rows(sessions)
    plain = np.full((sessions.n_devices, len(moments)), ABSENT, dtype=np.int8)
    carried = plain.copy()
    series = _Series(sessions.n_devices)
    for turn, moment in enumerate(moments.tolist()):
        day = _score(model, rows, moment, world.accounts)
        held = series.carry(day, moment)
        plain[day.device, turn] = _CODES[day.with_slots(day.call)]
        carried[day.device, turn] = _CODES[series.with_slots(day, held)]
    return _with_truth(world, rows, moments, plain, carried, run_in)


def summarise(
    followed: Sequence[DailyVerdicts], *, replicates: int = 200, seed: int = 0
) -> dict[str, Any]:
    """Measure what was followed; see :func:`measure_stability`.

    Parameters
    ----------
    followed : sequence of DailyVerdicts
        As :func:`follow_daily` gives it, of each world.
    replicates, seed
        As in :func:`measure_stability`.

    Returns
    -------
    dict
        Plain JSON values.
    """
    together = stack_verdicts(followed)
    settings = {
        "days": together.carried.shape[1] - 1 - together.run_in,
        "run_in": together.run_in,
        "accounts": int(together.account.max()) + 1,
        "devices": len(together.account),
        "worlds": list(dict.fromkeys(together.world.tolist())),
        "simulated": together.simulated,
        "changes_known": together.changes_known,
        "settled_days": SETTLED_DAYS,
        "weeks": {
            "household": HOUSEHOLD_WEEKS,
            "outside": OUTSIDE_WEEKS,
            "withdrawal": WITHDRAWAL_WEEKS,
            "overturn": OVERTURN_WEEKS,
        },
    }
    return {"settings": settings, **measure_verdicts(together, replicates=replicates, seed=seed)}


class _Rows:
    """Row of each device among all devices of the sessions."""

    def __init__(self, sessions: Sessions) -> None:
        import pandas as pd

        self.owner = sessions.device_account()
        account = sessions.account_id.take(pa.array(self.owner))
        self.index = pd.MultiIndex.from_arrays(
            [account.to_pylist(), sessions.device_id.to_pylist()]
        )
        self.sessions = sessions

    def find(self, account: Sequence[Any], device: Sequence[Any]) -> Ints:
        """Rows of devices, -1 where there is none."""
        import pandas as pd

        wanted = pd.MultiIndex.from_arrays([list(account), list(device)])
        rows: Ints = self.index.get_indexer(wanted).astype(np.int64)
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class _Day:
    """One scoring of d devices: what is decided from, without the reasons that nobody reads here.

    ``device`` is the row of each among all devices of the sessions.
    """

    sessions: Sessions
    device: Ints
    probability: Floats
    call: Codes
    account: Ints
    place: npt.NDArray[np.int32]
    activity: Ints
    slots: Ints

    def with_slots(self, verdict: Codes, recognised: Bools | None = None) -> Codes:
        """Verdicts after paid slots."""
        return allot_extra_members(
            verdict,
            account=self.account,
            place=self.place,
            activity=self.activity,
            slots=self.slots,
            recognised=recognised,
        )


def _score(model: HouseholdModel, rows: _Rows, moment: int, accounts: pa.Table | None) -> _Day:
    known = known_at(rows.sessions, moment)
    features = build_features(enrich(known), as_of=moment)
    evidence = measure_evidence(known)
    probability = model.probability(features.values[:, model.columns(features.names)])
    return _Day(
        sessions=known,
        device=rows.find(features.account_id.to_pylist(), features.device_id.to_pylist()),
        probability=probability,
        call=decide(
            probability,
            too_little_history(evidence),
            household_at=model.thresholds.household_at,
            outside_at=model.thresholds.outside_at,
        ),
        account=features.account,
        place=features.place,
        activity=evidence.device_sessions,
        slots=read_slots(
            known.reading.accounts if accounts is None else accounts, features.account_id
        ),
    )


class _Series:
    """Verdicts that carry over from day to day, of D devices: `previous` without tables."""

    def __init__(self, devices: int) -> None:
        self.known = np.zeros(devices, dtype=bool)
        self.call = np.full(devices, Verdict.UNDETERMINED, dtype=np.int8)
        self.times = np.full((3, devices), NO_TIME)
        self.verdict = self.call.copy()
        self.recognised = np.zeros(devices, dtype=bool)
        self.begun = False

    def carry(self, day: _Day, moment: int) -> Codes:
        """Verdicts that stand after a scoring, of the devices scored."""
        at = day.device
        if self.begun:
            since = self.times[:, at]
            use = [days_of_use(day.sessions, each) for each in since[1:]]
            before = Standing(self.verdict[at], since[0], since[1], since[2])
            known, recognised = self.known[at], self.recognised[at]
            earlier = Earlier(moment, known, self.call[at], before, use[0], use[1], recognised)
            standing = carry(day.call, day.probability, earlier)
        else:  # a series does not begin with an accusation
            accused = day.call == Verdict.OUTSIDE
            none = np.full(at.size, NO_TIME)
            held = np.where(accused, np.int8(Verdict.UNDETERMINED), day.call)
            began = np.full(at.size, moment)
            standing = Standing(held, began, np.where(accused, moment, NO_TIME), none)
        self.begun = True
        self.known[:] = False
        self.times[:] = NO_TIME
        self.known[at], self.call[at], self.verdict[at] = True, day.call, standing.verdict
        self.times[:, at] = standing.verdict_since, standing.called_since, standing.doubted_since
        return standing.verdict

    def with_slots(self, day: _Day, held: Codes) -> Codes:
        """Verdicts after paid slots, which stay where they were."""
        verdict = day.with_slots(held, self.recognised[day.device])
        self.recognised[:] = False
        self.recognised[day.device] = verdict == Verdict.EXTRA_MEMBER
        return verdict


def _with_truth(
    world: Lived, rows: _Rows, moments: Ints, plain: Codes, carried: Codes, run_in: int
) -> DailyVerdicts:
    sessions = rows.sessions
    count = sessions.n_devices
    device = sessions.account_devices[sessions.row_account()] + sessions.device
    latest = np.iinfo(np.int64).max
    first = np.full(count, latest)
    np.minimum.at(first, device, sessions.started_at)
    labels = world.data.labels
    at = rows.find(labels["account_id"].tolist(), labels["device_id"].tolist())
    known = at >= 0
    y = np.full(count, np.nan)
    y[at[known]] = labels["in_household"].to_numpy(dtype=float)[known]
    situation = np.full(count, "", dtype=object)
    if "situation" in labels:
        situation[at[known]] = labels["situation"].fillna("").to_numpy(dtype=object)[known]
    ambiguous = np.zeros(count, dtype=bool)
    if "policy_ambiguous" in labels:
        open_policy = labels["policy_ambiguous"].fillna(False).to_numpy(dtype=bool)
        ambiguous[at[known]] = open_policy[known]
    unchanged, left_at = _changed(world.changes, rows, moments, run_in)
    after = sessions.started_at >= left_at[device]
    seen = np.full(count, latest)
    np.minimum.at(seen, device[after], sessions.started_at[after])
    return DailyVerdicts(
        plain=plain,
        carried=carried,
        account=rows.owner.astype(np.int64),
        world=np.full(count, world.data.name, dtype=object),
        y=y,
        situation=situation,
        ambiguous=ambiguous,
        unchanged=unchanged,
        first_day=(first - moments[0]) / _DAY_US,
        left_day=np.where(seen == latest, np.nan, (seen - moments[0]) / _DAY_US),
        run_in=run_in,
        simulated=world.data.simulated,
        changes_known=world.changes is not None,
    )


def _changed(
    changes: pd.DataFrame | None, rows: _Rows, moments: Ints, run_in: int
) -> tuple[Bools, Ints]:
    """Devices in whose household nothing changed, and when a device's user left on the days."""
    count = len(rows.owner)
    left_at = np.full(count, np.iinfo(np.int64).max)
    if changes is None or len(changes) == 0:
        return np.ones(count, dtype=bool), left_at
    at = changes["changed_at"].dt.as_unit("us").astype(np.int64).to_numpy()
    of_all = changes["device_id"].isna().to_numpy()
    recent = (at >= moments[run_in] - SETTLED_DAYS * _DAY_US) & (at <= moments[-1])
    accounts = set(changes.loc[recent & of_all, "account_id"])
    account = rows.sessions.account_id.to_pylist()
    touched = np.array([name in accounts for name in account], dtype=bool)[rows.owner]
    own = changes[~of_all]
    device = rows.find(own["account_id"].tolist(), own["device_id"].tolist())
    there = device >= 0
    touched[device[there & recent[~of_all]]] = True
    left = there & (own["change"] == _LEFT).to_numpy() & (at[~of_all] > moments[0])
    np.minimum.at(left_at, device[left], at[~of_all][left])
    return ~touched, left_at
