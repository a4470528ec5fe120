"""Law 1: the same history gets the same scores, whichever way it is asked."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from household_ml.cli import main
from household_ml.networks import NetworkStatistics, enrich
from household_ml.scoring import HouseholdScorer
from household_ml.scoring.sources import import_mlflow
from household_ml.serving import spark
from household_ml.serving.batch import read_scores
from household_ml.serving.registry import register
from household_ml.sessions import read_sessions
from tests.serving.processes import household_ml_serve

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::ResourceWarning", "ignore::FutureWarning"
)

AS_OF = "2023-10-25T12:00:00Z"


@dataclass(frozen=True)
class Question:
    """What every way is asked."""

    folder: Path
    model: Path
    sessions: pa.Table
    slots: dict[str, int]

    @property
    def sessions_path(self) -> Path:
        return self.folder / "sessions.parquet"

    @property
    def networks_path(self) -> Path:
        return self.folder / "networks.parquet"

    @property
    def accounts_path(self) -> Path:
        return self.folder / "accounts.parquet"


@pytest.fixture(scope="module")
def question(
    sessions: pa.Table, model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Question:
    """Twenty accounts, some with paid slots, and network statistics of more accounts."""
    ids = pc.unique(sessions["account_id"]).slice(0, 20)
    some = sessions.filter(pc.is_in(sessions["account_id"], ids))
    slots = {account: index % 3 for index, account in enumerate(ids.to_pylist())}
    asked = Question(tmp_path_factory.mktemp("law"), model_folder, some, slots)
    pq.write_table(some, asked.sessions_path)
    statistics: NetworkStatistics = enrich(read_sessions(sessions)).statistics
    statistics.save(asked.networks_path)
    accounts = {"account_id": list(slots), "extra_members": list(slots.values())}
    pq.write_table(pa.table(accounts), asked.accounts_path)
    return asked


Row = dict[str, Any]


def by_python(question: Question) -> list[Row]:
    table = HouseholdScorer.load(question.model).score_table(
        question.sessions,
        accounts=question.accounts_path,
        networks=question.networks_path,
        as_of=AS_OF,
    )
    rows: list[Row] = table.to_pylist()
    return rows


def by_pandas(question: Question) -> list[Row]:
    scores = HouseholdScorer.load(question.model).score(
        question.sessions.to_pandas().sample(frac=1, random_state=1),
        accounts=question.accounts_path,
        networks=question.networks_path,
        as_of=AS_OF,
    )
    rows: list[Row] = pa.Table.from_pandas(scores).to_pylist()
    return rows


def by_command(question: Question, suffix: str = ".parquet") -> list[Row]:
    out = question.folder / f"scores{suffix}"
    options = {
        "--sessions": question.sessions_path,
        "--accounts": question.accounts_path,
        "--networks": question.networks_path,
        "--model": question.model,
        "--as-of": AS_OF,
        "--out": out,
    }
    with pytest.raises(SystemExit) as ended:
        main(["score", *(str(word) for pair in options.items() for word in pair)])
    assert ended.value.code == 0
    rows: list[Row] = read_scores(out).to_pylist()
    return rows


def by_command_into_csv(question: Question) -> list[Row]:
    return by_command(question, ".csv")


def by_http(question: Question) -> list[Row]:
    accounts: dict[str, list[Row]] = {account: [] for account in question.slots}
    for row in question.sessions.to_pylist():
        session = {name: value for name, value in row.items() if name != "account_id"}
        session["started_at"] = row["started_at"].isoformat()
        accounts[row["account_id"]].append(session)
    batch = [
        {"account_id": account, "extra_members": question.slots[account], "sessions": sessions}
        for account, sessions in accounts.items()
    ]
    options = ("--model", question.model, "--networks", question.networks_path)
    with household_ml_serve(question.folder, *options) as address:
        body = {"accounts": batch, "as_of": AS_OF}
        answer = httpx.post(f"{address}/v1/score/batch", json=body, timeout=120)
        assert answer.status_code == 200, answer.text
        together = answer.json()
        alone = []
        for account in batch:
            body = {**account, "as_of": AS_OF}
            one = httpx.post(f"{address}/v1/score", json=body, timeout=120)
            if one.status_code != 200:
                assert one.json()["code"] == "no_sessions"
                continue
            alone.append({"account_id": account["account_id"], "devices": one.json()["devices"]})
    given = [
        {"account_id": account["account_id"], "devices": account["devices"]}
        for account in together["accounts"]
        if account["devices"]
    ]
    assert sorted(given, key=lambda each: each["account_id"]) == sorted(
        alone, key=lambda each: each["account_id"]
    )
    as_of = datetime.fromisoformat(together["as_of"])
    return [
        {
            **device,
            "account_id": account["account_id"],
            "as_of": as_of,
            "model": together["model"],
            "last_home_at": device["last_home_at"]
            and datetime.fromisoformat(device["last_home_at"]),
        }
        for account in given
        for device in account["devices"]
    ]


@contextmanager
def registered(question: Question) -> Iterator[str]:
    """URI of the model in a store of its own."""
    folder = Path(tempfile.mkdtemp(dir=question.folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        yield register(question.model, "household").uri


def by_pyfunc(question: Question) -> list[Row]:
    given = {
        "as_of": AS_OF,
        "networks": str(question.networks_path),
        "extra_members": json.dumps(question.slots),
    }
    with registered(question) as uri:
        model = import_mlflow().pyfunc.load_model(uri)
    scores = model.predict(question.sessions.to_pandas(), params=given)
    rows: list[Row] = pa.Table.from_pandas(scores).to_pylist()
    return rows


def by_spark(question: Question) -> list[Row]:
    """With the model from the registry, as a cluster would take it."""
    pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        pytest.skip("no Java here")
    out = question.folder / "spark"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with registered(question) as uri, spark.local_session() as session:
            spark.score_into(
                spark.read_source(session, str(question.sessions_path)),
                out,
                model=uri,
                accounts=question.accounts_path,
                networks=question.networks_path,
                as_of=AS_OF,
            )
    rows: list[Row] = pq.read_table(out).to_pylist()
    return rows


@pytest.mark.parametrize(
    "way",
    [
        by_pandas,
        by_command,
        by_command_into_csv,
        by_http,
        by_pyfunc,
        pytest.param(by_spark, marks=pytest.mark.slow),
    ],
)
def test_the_same_history_gets_the_same_scores(
    way: Callable[[Question], list[Row]], question: Question
) -> None:
    expected = {(row["account_id"], row["device_id"]): row for row in by_python(question)}
    assert len({row["verdict"] for row in expected.values()}) > 1
    got = way(question)
    assert len(got) == len(expected)
    assert {(row["account_id"], row["device_id"]) for row in got} == set(expected)
    for row in got:
        wanted = expected[row["account_id"], row["device_id"]]
        for name in ("verdict", "place", "model"):
            assert row[name] == wanted[name]
        assert list(row["reasons"]) == list(wanted["reasons"])
        assert abs(row["household_probability"] - wanted["household_probability"]) <= 1e-9
        for name in ("as_of", "last_home_at"):
            assert _second(row[name]) == _second(wanted[name])


def _second(moment: datetime | None) -> int | None:
    """CSV and HTTP tell whole seconds; Spark tells times without a zone, in UTC."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp())
