"""Accounts followed from day to day answer as a service that scores daily would have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from household_ml.errors import ParameterError, SchemaError
from household_ml.modeling.stability import (
    ABSENT,
    HOUSEHOLD,
    OUTSIDE,
    UNDETERMINED,
    DailyVerdicts,
    count_flips,
)
from household_ml.scoring import HouseholdScorer
from household_ml.scoring.hysteresis import HOUSEHOLD_WEEKS, OUTSIDE_WEEKS, OVERTURN_WEEKS
from household_ml.scoring.use import days_of_use
from household_ml.serving.datasets import LabelledSessions
from household_ml.serving.stability import (
    RUN_IN_DAYS,
    Lived,
    follow_daily,
    measure_stability,
    read_lived,
)
from household_ml.sessions import read_sessions
from household_ml.simulation import Simulated

DAYS, RUN_IN = 26, 4
DAY = 86_400_000_000
CODES = {"household": HOUSEHOLD, "undetermined": UNDETERMINED, "outside": OUTSIDE}


@pytest.fixture(scope="module")
def lived(simulated: Simulated) -> Lived:
    data = LabelledSessions(
        "fr", read_sessions(simulated.sessions), simulated.labels.to_pandas(), simulated=True
    )
    return Lived(data, simulated.changes.to_pandas())


@pytest.fixture(scope="module")
def followed(scorer: HouseholdScorer, lived: Lived) -> DailyVerdicts:
    return follow_daily(scorer.model, lived, days=DAYS, run_in=RUN_IN)


def column(lived: Lived, table: pa.Table) -> np.ndarray:
    """Verdicts of a scores table, a row for each device of the sessions."""
    sessions = lived.data.sessions
    told = dict(zip(table["device_id"].to_pylist(), table["verdict"].to_pylist(), strict=True))
    return np.array(
        [CODES.get(told.get(name, ""), ABSENT) for name in sessions.device_id.to_pylist()]
    )


def test_every_day_is_what_scoring_as_of_it_says(
    scorer: HouseholdScorer, lived: Lived, followed: DailyVerdicts
) -> None:
    sessions = lived.data.sessions
    moments = sessions.last_started_at() - np.arange(DAYS + RUN_IN, -1, -1) * DAY
    before = scorer.score_table(sessions, as_of=int(moments[0]))
    for turn in (1, 2, 3):
        plain = scorer.score_table(sessions, as_of=int(moments[turn]))
        before = scorer.score_table(sessions, as_of=int(moments[turn]), previous=before)
        assert (followed.plain[:, turn] == column(lived, plain)).all()
        assert (followed.carried[:, turn] == column(lived, before)).all()


def test_the_series_begins_with_the_household_and_without_an_accusation(
    followed: DailyVerdicts,
) -> None:
    first, begins = followed.plain[:, 0], followed.carried[:, 0]
    assert (begins[first == HOUSEHOLD] == HOUSEHOLD).all()
    assert (first == OUTSIDE).any()
    assert not (begins == OUTSIDE).any()


def test_what_is_called_for_all_the_time_is_answered_in_the_stated_time(
    lived: Lived, followed: DailyVerdicts
) -> None:
    sessions = lived.data.sessions
    for answer, weeks in ((HOUSEHOLD, HOUSEHOLD_WEEKS), (OUTSIDE, OUTSIDE_WEEKS)):
        days = 7 * weeks
        called = (followed.plain[:, -days - 1 :] == answer).all(axis=1)
        asked = called & (followed.carried[:, -days - 1] == UNDETERMINED)
        since = np.full(sessions.n_devices, sessions.last_started_at() - days * DAY)
        in_use = days_of_use(sessions, since) >= weeks
        assert (asked & in_use).any()
        assert (followed.carried[asked & in_use, -1] == answer).all()


def test_a_device_that_is_not_used_keeps_its_verdict(lived: Lived, followed: DailyVerdicts) -> None:
    sessions = lived.data.sessions
    begins = np.full(sessions.n_devices, sessions.last_started_at() - (DAYS + RUN_IN) * DAY)
    idle = (days_of_use(sessions, begins) == 0) & (followed.carried != ABSENT).all(axis=1)
    assert idle.any()
    still = followed.carried[idle] == followed.carried[idle, :1]
    assert (followed.plain[idle] != followed.plain[idle, :1]).any()
    assert still.all()


def test_what_is_run_in_is_as_long_as_the_memory_of_the_rule() -> None:
    assert RUN_IN_DAYS >= 7 * OVERTURN_WEEKS


def test_verdicts_that_carry_over_flip_a_twentieth_as_often_at_most(
    followed: DailyVerdicts,
) -> None:
    still = followed.unchanged
    plain = count_flips(followed.plain[still], followed.account[still]).flips
    carried = count_flips(followed.carried[still], followed.account[still]).flips
    assert plain > 20
    assert carried * 20 <= plain


def test_a_change_makes_the_devices_of_its_account_changed(
    scorer: HouseholdScorer, lived: Lived
) -> None:
    assert lived.changes is not None
    sessions = lived.data.sessions
    accounts = sessions.account_id.to_pylist()
    last = pd.Timestamp(sessions.last_started_at(), unit="us", tz="UTC")
    device = int(np.flatnonzero(sessions.device_account() == 1)[0])
    day = pd.Timedelta("1D")
    changes = pd.DataFrame(
        {
            "account_id": [accounts[0], accounts[1], accounts[2]],
            "device_id": [None, sessions.device_id[device].as_py(), None],
            "changed_at": [last - day, last - 2 * day, last - 90 * day],
            "change": ["moved", "left", "moved"],
        }
    )
    one = replace(lived, changes=changes)
    found = follow_daily(scorer.model, one, days=2, run_in=0)
    expected = sessions.device_account() != 0
    expected[device] = False
    assert (found.unchanged == expected).all()
    left = np.flatnonzero(np.isfinite(found.left_day))
    started = sessions.started_at[sessions.row_account() == 1]
    after = started[sessions.device[sessions.row_account() == 1] == 0]
    after = after[after >= (last - 2 * day).value // 1_000]
    assert left.tolist() == ([device] if after.size else [])


def test_without_the_changes_every_household_counts_as_unchanged(
    scorer: HouseholdScorer, lived: Lived
) -> None:
    unknown = replace(lived, changes=None)
    found = measure_stability(scorer.model, [unknown, unknown], days=3, run_in=1, replicates=5)
    assert found["settings"]["changes_known"] is False
    assert found["settings"]["accounts"] == 2 * lived.data.sessions.n_accounts
    assert found["flips"]["all"]["plain"]["devices"] > 100
    assert found["flips"]["with_changes"] == found["flips"]["all"]


def test_a_folder_is_read_with_its_changes(world_folder: Path, tmp_path: Path) -> None:
    found = read_lived(world_folder)
    assert found.changes is not None
    assert found.accounts is not None
    copytree(world_folder, tmp_path / "world")
    (tmp_path / "world" / "changes.parquet").unlink()
    assert read_lived(tmp_path / "world").changes is None
    (tmp_path / "world" / "changes.csv").write_text("account_id,device_id\na,b\n")
    with pytest.raises(SchemaError, match="changed_at and change, got no changed_at, change"):
        read_lived(tmp_path / "world")


def test_a_history_that_is_too_short_is_refused(scorer: HouseholdScorer, lived: Lived) -> None:
    with pytest.raises(ParameterError, match="must reach back more than the 60 days to score"):
        follow_daily(scorer.model, lived, days=50, run_in=10)
