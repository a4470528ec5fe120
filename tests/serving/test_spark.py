"""Spark gives what the local engine gives."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import household_ml
from household_ml.errors import MissingDependencyError, NoSessionsError, ParameterError
from household_ml.networks import enrich
from household_ml.networks.counting import COUNTED
from household_ml.scoring import HouseholdScorer
from household_ml.serving import spark
from household_ml.serving.registry import register
from household_ml.sessions import SessionsWarning, read_sessions

_DAY_US = 86_400_000_000

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")


def test_counts_of_a_part_are_those_of_its_sessions(sessions: pa.Table) -> None:
    whole = read_sessions(sessions)
    statistics = enrich(whole).statistics
    counts = spark._counts(whole, 3)
    assert set(counts["part"].to_pylist()) == {3}
    level = counts["level"].to_numpy()
    assert np.array_equal(counts["key"].to_numpy()[level < 4].view(np.uint64), statistics.key)
    for column, name in enumerate(COUNTED):
        assert np.array_equal(counts[name].to_numpy()[level < 4], statistics.counts[:, column])
    assert counts["accounts"].to_pylist()[-1] == whole.n_accounts
    assert spark._counts(None, 0).num_rows == 0


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        pytest.skip("no Java here")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with spark.local_session() as found:
            yield found


@pytest.fixture(scope="module")
def path(sessions: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> str:
    target = tmp_path_factory.mktemp("spark") / "sessions.parquet"
    pq.write_table(sessions, target)
    return str(target)


@pytest.fixture
def nothing_collected(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver may be told a row of totals, and nothing else."""
    frame = type(session.range(1))
    collect = frame.collect

    def one_row(self: Any) -> Any:
        rows = collect(self)
        assert len(rows) <= 1
        return rows

    def refused(*given: Any) -> Any:
        raise AssertionError("rows were brought to the driver")

    monkeypatch.setattr(frame, "collect", one_row)
    for name in ("toArrow", "toPandas", "toLocalIterator", "take", "tail"):
        monkeypatch.setattr(frame, name, refused)


@pytest.mark.usefixtures("nothing_collected")
@pytest.mark.parametrize("part_sessions", [900, 250_000])
def test_scores_equal_those_of_the_local_engine(
    session: Any,
    path: str,
    scorer: HouseholdScorer,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    part_sessions: int,
) -> None:
    monkeypatch.setattr(spark, "PART_SESSIONS", part_sessions)
    accounts = pa.table(
        {"account_id": scorer.score_table(path)["account_id"].unique().slice(0, 20)}
    )
    accounts = accounts.append_column("extra_members", pa.array([1] * 20))
    out = tmp_path / "scores"
    devices = spark.score_into(
        spark.read_source(session, path), out, model=model_folder, accounts=accounts
    )
    expected = scorer.score_table(path, accounts=accounts)
    assert devices == expected.num_rows
    same(pq.read_table(out), expected)


def same(got: pa.Table, expected: pa.Table) -> None:
    """Scores in any order are those expected, which are in theirs."""
    got = got.sort_by([("account_id", "ascending"), ("device_id", "ascending")])
    for name in ("account_id", "device_id", "verdict", "place", "reasons", "model"):
        assert got[name].to_pylist() == expected[name].to_pylist()
    for name in ("as_of", "last_home_at"):
        as_numbers = [t[name].cast(pa.timestamp("us")).cast(pa.int64()) for t in (got, expected)]
        assert as_numbers[0].equals(as_numbers[1])
    difference = pc.subtract(got["household_probability"], expected["household_probability"])
    assert np.abs(difference.to_numpy()).max() <= 1e-9


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_registered_model_scores_a_table_of_spark(
    session: Any,
    path: str,
    scorer: HouseholdScorer,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    model = register(model_folder, "household").uri
    assert model == "models:/household@champion"
    scores = household_ml.spark.score(session.read.parquet(path), model=model)
    same(scores.toArrow(), scorer.score_table(path))


@pytest.mark.usefixtures("nothing_collected")
def test_an_account_larger_than_a_part_and_one_operators_accounts_change_nothing(
    session: Any,
    sessions: pa.Table,
    scorer: HouseholdScorer,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spark, "PART_SESSIONS", 300)
    half = sessions.num_rows // 2
    huge = pa.array(["huge"] * half, sessions.schema.field("account_id").type)
    place = sessions.column_names.index("account_id")
    skewed = pa.concat_tables(
        [sessions.slice(0, half).set_column(place, "account_id", huge), sessions.slice(half)]
    )
    place = sessions.column_names.index("asn")
    one = pa.array([3215] * len(skewed), skewed.schema.field("asn").type)
    skewed = skewed.set_column(place, "asn", one)
    pq.write_table(skewed, tmp_path / "in.parquet")
    spark.score_into(
        spark.read_source(session, str(tmp_path / "in.parquet")),
        tmp_path / "scores",
        model=model_folder,
    )
    same(pq.read_table(tmp_path / "scores"), scorer.score_table(skewed))


def test_verdicts_carry_on_as_in_the_local_engine(
    session: Any, path: str, scorer: HouseholdScorer, model_folder: Path, tmp_path: Path
) -> None:
    before = scorer.score_table(path, as_of=read_sessions(path).last_started_at() - 30 * _DAY_US)
    out = tmp_path / "scores"
    spark.score_into(spark.read_source(session, path), out, model=model_folder, previous=before)
    got = pq.read_table(out).sort_by([("account_id", "ascending"), ("device_id", "ascending")])
    expected = scorer.score_table(path, previous=before)
    assert got.column_names == expected.column_names
    assert got["verdict"].to_pylist() == expected["verdict"].to_pylist()
    for name in ("verdict_since", "called_since", "doubted_since"):
        as_numbers = [t[name].cast(pa.timestamp("us")).cast(pa.int64()) for t in (got, expected)]
        assert as_numbers[0].to_pylist() == as_numbers[1].to_pylist()


def test_rows_that_cannot_be_used_are_counted_and_nothing_is_an_error(
    session: Any, sessions: pa.Table, model_folder: Path, tmp_path: Path
) -> None:
    ip = pa.array(["127.0.0.1"] * len(sessions))
    bad = sessions.drop(["asn"]).set_column(sessions.column_names.index("ip"), "ip", ip)
    pq.write_table(bad, tmp_path / "bad.parquet")
    with pytest.raises(NoSessionsError, match="must have a row that can be used"):
        spark.score(spark.read_source(session, str(tmp_path / "bad.parquet")), model=model_folder)
    some = pa.concat_tables([sessions.drop(["asn"]), bad.slice(0, 3)])
    pq.write_table(some, tmp_path / "some.parquet")
    with pytest.warns(SessionsWarning, match=r"3 of .* rows were rejected"):
        spark.score(spark.read_source(session, str(tmp_path / "some.parquet")), model=model_folder)


def test_a_source_that_is_not_there(session: Any, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="must be Parquet or CSV with --engine spark"):
        spark.read_source(session, str(tmp_path / "none.parquet"))


def test_it_stands_under_a_short_name_too() -> None:
    assert household_ml.spark.score is spark.score
    assert household_ml.spark.score_into is spark.score_into


def test_without_spark_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyspark.sql", None)
    with (
        pytest.raises(MissingDependencyError, match=r"pip install 'household-ml\[spark\]'"),
        spark.local_session(),
    ):
        pass
