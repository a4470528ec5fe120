"""Scores that carry on from the scores before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from household_ml.errors import FormatError, ParameterError, SchemaError
from household_ml.modeling.thresholds import Thresholds
from household_ml.schema import SCORES
from household_ml.scoring import HouseholdScorer, score_schema
from household_ml.scoring.hysteresis import HOUSEHOLD_WEEKS, NO_TIME, OUTSIDE_WEEKS, STANDING
from household_ml.scoring.previous import read_previous
from household_ml.scoring.use import days_of_use
from household_ml.scoring.verdicts import Verdict
from household_ml.serving.batch import read_scores, score_files
from household_ml.sessions import read_sessions

DAY = 86_400_000_000
THRESHOLDS = Thresholds(outside_at=0.1, household_at=0.8)


def used(since: np.ndarray) -> np.ndarray:
    """Days of use of devices that are used daily, on day 4."""
    return np.maximum(4 - since // DAY, 0)


def scores_of(verdict: list[str], probability: list[float], day: int = 3) -> pa.Table:
    """Scores of devices of one account, d0, d1 and so on."""
    return pa.table(
        {
            "account_id": ["a"] * len(verdict),
            "device_id": [f"d{number}" for number in range(len(verdict))],
            "as_of": pa.array([day * DAY] * len(verdict), pa.timestamp("us", tz="UTC")),
            "household_probability": probability,
            "verdict": verdict,
        }
    )


def test_each_device_is_found_whatever_the_order() -> None:
    table = scores_of(["household", "undetermined", "household"], [0.9, 0.5, 0.85])
    mixed = table.take([2, 0, 1])
    asked = (pa.array(["b", "a", "a", "a"]), pa.array(["d0", "d2", "d9", "d1"]))
    for given in (table, mixed, mixed.to_pandas()):
        earlier = read_previous(given).earlier(
            *asked, moment=4 * DAY, thresholds=THRESHOLDS, use=used
        )
        assert earlier.known.tolist() == [False, True, False, True]
        assert earlier.standing.verdict[1] == Verdict.HOUSEHOLD
        assert earlier.standing.verdict_since[1] == 3 * DAY
        assert earlier.call[earlier.known].tolist() == [Verdict.HOUSEHOLD, Verdict.UNDETERMINED]


def test_a_series_begins_without_an_accusation() -> None:
    table = scores_of(["outside", "extra_member", "household"], [0.02, 0.03, 0.9])
    asked = (pa.array(["a"] * 3), pa.array(["d0", "d1", "d2"]))
    before = read_previous(table)
    earlier = before.earlier(*asked, moment=4 * DAY, thresholds=THRESHOLDS, use=used)
    standing = earlier.standing
    first = [Verdict.UNDETERMINED, Verdict.UNDETERMINED, Verdict.HOUSEHOLD]
    assert standing.verdict.tolist() == first
    assert standing.called_since.tolist() == [3 * DAY, 3 * DAY, NO_TIME]
    assert earlier.called_use.tolist() == [1, 1, 0]


def test_an_extra_member_is_carried_as_outside() -> None:
    times = pa.array([DAY], pa.timestamp("us", tz="UTC"))
    none = pa.array([None], times.type)
    table = scores_of(["extra_member"], [0.03])
    for column, value in zip(STANDING, (times, none, none), strict=True):
        table = table.append_column(column.name, value)
    asked = (pa.array(["a"]), pa.array(["d0"]))
    before = read_previous(table)
    earlier = before.earlier(*asked, moment=4 * DAY, thresholds=THRESHOLDS, use=used)
    standing = earlier.standing
    assert earlier.recognised.tolist() == [True]
    assert standing.verdict.tolist() == [Verdict.OUTSIDE]
    assert standing.verdict_since.tolist() == [DAY]
    assert standing.doubted_since.tolist() == [NO_TIME]


def test_scores_of_nobody_and_of_others_know_nothing() -> None:
    asked = (pa.array(["a"]), pa.array(["d0"]))
    nobody = scores_of(["household"], [0.9]).slice(0, 0)
    others = scores_of(["household"], [0.9]).set_column(0, "account_id", pa.array(["z"]))
    for table in (nobody, others):
        earlier = read_previous(table).earlier(
            *asked, moment=4 * DAY, thresholds=THRESHOLDS, use=used
        )
        assert not earlier.known.any()


def test_scores_from_after_as_of_are_refused() -> None:
    before = read_previous(scores_of(["household"], [0.9], day=5))
    asked = (pa.array(["a"]), pa.array(["d0"]))
    with pytest.raises(ParameterError, match="previous must have been scored no later than as_of"):
        before.earlier(*asked, moment=4 * DAY, thresholds=THRESHOLDS, use=used)
    assert before.earlier(*asked, moment=5 * DAY, thresholds=THRESHOLDS, use=used).known.all()


def test_a_table_that_is_no_scores_table_is_refused(tmp_path: Path) -> None:
    good = scores_of(["household", "outside"], [0.9, 0.1])
    with pytest.raises(SchemaError, match=r"must have the columns .*, got no verdict"):
        read_previous(good.drop(["verdict"]))
    with pytest.raises(SchemaError, match=r"verdict .* must be one of household, .*, got 'guest'"):
        read_previous(scores_of(["household", "guest"], [0.9, 0.1]))
    with pytest.raises(SchemaError, match="must have each device once"):
        read_previous(pa.concat_tables([good, good]))
    with pytest.raises(SchemaError, match="as_of of previous scores must be of type timestamp"):
        read_previous(good.set_column(2, "as_of", pa.array(["soon", "later"])))
    with pytest.raises(SchemaError, match="account_id of previous scores must be given"):
        read_previous(good.set_column(0, "account_id", pa.array(["a", None])))
    with pytest.raises(FormatError, match="the previous scores table must be a Parquet"):
        read_previous(tmp_path / "none.parquet")


@pytest.fixture(scope="module")
def moments(sessions: pa.Table) -> list[int]:
    last = int(sessions["started_at"].cast(pa.int64()).to_numpy().max())
    return [last - days * DAY for days in (7 * OUTSIDE_WEEKS, 10, 3, 0)]


@pytest.fixture(scope="module")
def series(scorer: HouseholdScorer, sessions: pa.Table, moments: list[int]) -> list[pa.Table]:
    """Scores that carry on from each other."""
    found: list[pa.Table] = []
    for moment in moments:
        before = found[-1] if found else None
        found.append(scorer.score_table(sessions, as_of=moment, previous=before))
    return found


def test_without_the_scores_before_nothing_changes(series: list[pa.Table]) -> None:
    assert series[0].schema == score_schema()
    assert tuple(series[0].column_names) == SCORES.names


def test_with_them_three_columns_come_after_those_of_the_contract(series: list[pa.Table]) -> None:
    for table in series[1:]:
        assert table.schema == score_schema(standing=True)
        assert tuple(table.column_names[: len(SCORES.names)]) == SCORES.names
        assert tuple(table.column_names[len(SCORES.names) :]) == tuple(c.name for c in STANDING)
        assert table["verdict_since"].null_count == 0
        assert pc.all(pc.less_equal(table["verdict_since"], table["as_of"])).as_py()


def test_probabilities_are_untouched(
    scorer: HouseholdScorer, sessions: pa.Table, moments: list[int], series: list[pa.Table]
) -> None:
    plain = scorer.score_table(sessions, as_of=moments[-1])
    for name in ("account_id", "device_id", "household_probability", "place", "last_home_at"):
        assert series[-1][name].equals(plain[name])


def days_used(sessions: pa.Table, since: int) -> pd.Series:
    """Days on which each device has a session after a moment."""
    frame = sessions.select(["device_id", "started_at"]).to_pandas()
    after = frame[frame["started_at"].dt.as_unit("us").astype("int64") > since]
    return after["started_at"].dt.date.groupby(after["device_id"]).nunique()


def test_use_is_counted_in_days_after_a_moment(sessions: pa.Table, moments: list[int]) -> None:
    read = read_sessions(sessions)
    found = days_of_use(read, np.full(read.n_devices, moments[0]))
    expected = days_used(sessions, moments[0])
    told = dict(zip(read.device_id.to_pylist(), found.tolist(), strict=True))
    assert {name: days for name, days in told.items() if days} == expected.to_dict()
    assert not days_of_use(read, np.full(read.n_devices, NO_TIME)).any()
    each = np.where(np.arange(read.n_devices) % 2, moments[0], moments[2])
    apart = days_of_use(read, each)
    assert (apart[1::2] == found[1::2]).all()
    assert (apart[::2] == days_of_use(read, np.full(read.n_devices, moments[2]))[::2]).all()


def test_verdicts_are_those_of_the_rule(
    scorer: HouseholdScorer, sessions: pa.Table, moments: list[int], series: list[pa.Table]
) -> None:
    calls = [
        scorer.score_table(sessions, as_of=moment).select(["device_id", "verdict"]).to_pandas()
        for moment in moments
    ]
    called = calls[0].merge(calls[1], on="device_id").merge(calls[2], on="device_id")
    called = called.merge(calls[3], on="device_id", suffixes=("_2", "_3")).set_index("device_id")
    told = series[-1].select(["device_id", "verdict"]).to_pandas().set_index("device_id")["verdict"]
    always = called[called.nunique(axis=1) == 1].iloc[:, 0]
    days = days_used(sessions, moments[0]).reindex(always.index, fill_value=0)
    in_use = always[days >= OUTSIDE_WEEKS]
    assert {"household", "outside"} <= set(in_use)
    assert (told[in_use.index] == in_use).all()
    idle = always[(days < OUTSIDE_WEEKS) & (always == "outside")]
    assert idle.size
    assert set(told[idle.index]) == {"undetermined"}
    alone = set(calls[3]["device_id"]) - set(calls[2]["device_id"])
    assert alone
    assert set(told[sorted(alone)]) == {"undetermined"}
    assert HOUSEHOLD_WEEKS * 7 > 3


def test_a_verdict_that_is_held_says_so(
    scorer: HouseholdScorer, sessions: pa.Table, moments: list[int], series: list[pa.Table]
) -> None:
    plain = scorer.score_table(sessions, as_of=moments[-1])
    held = pc.not_equal(plain["verdict"], series[-1]["verdict"]).to_numpy()
    assert 0 < held.sum() < held.size
    reasons = series[-1]["reasons"].to_pylist()
    for row in np.flatnonzero(held):
        assert reasons[row][0] == "not_lasting"
    assert not any("not_lasting" in reasons[row] for row in np.flatnonzero(~held))


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("chunk", [500, 10**9])
def test_files_carry_on_as_tables_do(
    scorer: HouseholdScorer,
    sessions: pa.Table,
    moments: list[int],
    series: list[pa.Table],
    tmp_path: Path,
    suffix: str,
    chunk: int,
) -> None:
    path = tmp_path / f"scores{suffix}"
    for turn, moment in enumerate(moments):
        score_files(
            sessions,
            path,
            scorer=scorer,
            as_of=moment,
            previous=path if turn else None,
            chunk_sessions=chunk,
            quiet=True,
        )
    assert read_scores(path).equals(series[-1])


def test_names_of_accounts_and_devices_change_nothing(
    scorer: HouseholdScorer, sessions: pa.Table, moments: list[int], series: list[pa.Table]
) -> None:
    def renamed(table: pa.Table) -> pa.Table:
        for name in ("account_id", "device_id"):
            other = pc.utf8_reverse(table[name].cast(pa.string()))
            table = table.set_column(table.column_names.index(name), name, other)
        return table

    again = scorer.score_table(renamed(sessions), as_of=moments[-1], previous=renamed(series[-2]))
    found = renamed(again).sort_by([("account_id", "ascending"), ("device_id", "ascending")])
    for name in ("device_id", "verdict", "verdict_since", "called_since", "doubted_since"):
        assert found[name].to_pylist() == series[-1][name].to_pylist()


def test_a_folder_of_scores_is_read_as_one(series: list[pa.Table], tmp_path: Path) -> None:
    half = series[1].num_rows // 2
    pq.write_table(series[1].slice(half), tmp_path / "part-0.parquet")
    pq.write_table(series[1].slice(0, half), tmp_path / "part-1.parquet")
    assert read_previous(tmp_path).table.equals(read_previous(series[1]).table)
