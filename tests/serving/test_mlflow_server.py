"""The registry and the registered model against real MLflow servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pandas as pd
import pyarrow as pa
import pytest

from household_ml.errors import ModelNotFoundError, RegistryError
from household_ml.scoring import HouseholdScorer
from household_ml.scoring.sources import import_mlflow
from household_ml.serving.datasets import LabelledSessions
from household_ml.serving.promotion import promote
from household_ml.serving.registry import Registered, example_sessions, register, versions_of_digest
from household_ml.sessions import read_sessions
from household_ml.simulation import Simulated
from tests.serving.processes import free_port, mlflow_models_serve, mlflow_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with (
        mlflow_server(tmp_path_factory.mktemp("mlflow")) as address,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("MLFLOW_TRACKING_URI", address)
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        yield address


@pytest.fixture(scope="module")
def registered(server: str, model_folder: Path, world_folder: Path) -> Registered:
    return register(model_folder, "household", data=[world_folder])


def test_a_server_takes_models_and_gives_them_back(
    registered: Registered, scorer: HouseholdScorer, sessions: pa.Table
) -> None:
    assert (registered.version, registered.alias) == (1, "champion")
    loaded = HouseholdScorer.load("models:/household@champion")
    assert loaded.model.digest == scorer.model.digest
    assert versions_of_digest(scorer.model.digest) == ["models:/household/1"]
    pyfunc = import_mlflow().pyfunc.load_model(registered.uri)
    pd.testing.assert_frame_equal(pyfunc.predict(sessions.to_pandas()), scorer.score(sessions))
    run = import_mlflow().get_run(registered.run_id)
    assert "test/pr_auc" in run.data.metrics
    assert run.inputs.dataset_inputs


def test_a_server_is_told_why_a_champion_is_replaced(
    registered: Registered, model_folder: Path, simulated: Simulated
) -> None:
    register(model_folder, "household")
    data = LabelledSessions(
        "holdout", read_sessions(simulated.sessions), simulated.labels.to_pandas(), simulated=True
    )
    found = promote("household", [data], replicates=20)
    assert found.moved
    client = import_mlflow().MlflowClient()
    model = client.get_registered_model("household")
    assert {a: str(v) for a, v in model.aliases.items()} == {
        "champion": "2",
        "former_champion": "1",
    }
    assert client.get_model_version("household", "2").tags["promotion.decision"] == "promoted"


def test_what_a_server_does_not_have_and_a_server_that_is_not_there(
    registered: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelNotFoundError, match="must be a model in the MLflow store http:"):
        HouseholdScorer.load("models:/nobody@champion")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RegistryError, match="must answer"):
        versions_of_digest("0" * 64)


def test_mlflow_models_serve_gives_the_scores(
    registered: Registered,
    server: str,
    scorer: HouseholdScorer,
    sessions: pa.Table,
    tmp_path: Path,
) -> None:
    """What it calls null in a time is the text NaT, which pandas reads as null."""
    with mlflow_models_serve("models:/household/1", server, tmp_path) as address:
        asked = {"dataframe_split": example_sessions().to_dict(orient="split", index=False)}
        answer = httpx.post(f"{address}/invocations", json=asked, timeout=120)
        assert answer.status_code == 200, answer.text
        assert [row["device_id"] for row in answer.json()["predictions"]] == ["phone", "tv"]

        moment = "2023-10-20T00:00:00Z"
        rows = sessions.to_pylist()
        records = [{**row, "started_at": row["started_at"].isoformat()} for row in rows]
        asked = {"dataframe_records": records, "params": {"as_of": moment}}
        answer = httpx.post(f"{address}/invocations", json=asked, timeout=120)
        assert answer.status_code == 200, answer.text
        got = pd.DataFrame(answer.json()["predictions"])
        expected = scorer.score(sessions, as_of=moment)
        for column in ("account_id", "device_id", "verdict", "place", "model"):
            assert got[column].tolist() == expected[column].tolist()
        assert [list(codes) for codes in got["reasons"]] == [
            list(codes) for codes in expected["reasons"]
        ]
        difference = got["household_probability"] - expected["household_probability"]
        assert difference.abs().max() <= 1e-9
        home = pd.to_datetime(got["last_home_at"], format="ISO8601", utc=True)
        assert home.isna().tolist() == expected["last_home_at"].isna().tolist()
        assert (
            home.dropna().astype("int64") == expected["last_home_at"].dropna().astype("int64")
        ).all()

        refused = httpx.post(f"{address}/invocations", json={"dataframe_records": [{"a": 1}]})
        assert refused.status_code == 400
