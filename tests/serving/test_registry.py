"""The MLflow registry, on a real SQLite store."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from household_ml.errors import MissingDependencyError, ModelNotFoundError, ParameterError
from household_ml.scoring import HouseholdScorer
from household_ml.scoring.sources import import_mlflow
from household_ml.serving.registry import download, register, signature

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"


@pytest.fixture(autouse=True)
def in_store(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)


def test_champion_first_challenger_later_and_both_answer(
    model_folder: Path, scorer: HouseholdScorer, sessions: pa.Table, tmp_path: Path
) -> None:
    first = register(model_folder, "household")
    second = register(model_folder, "household")
    assert (first.version, first.alias) == (1, "champion")
    assert (second.version, second.alias) == (2, "challenger")
    assert first.uri == "models:/household@champion"

    loaded = HouseholdScorer.load(first.uri)
    expected = scorer.score_table(sessions)
    assert loaded.score_table(sessions).equals(expected)
    assert download("models:/household/2", tmp_path / "copy") == tmp_path / "copy"
    assert HouseholdScorer.load(tmp_path / "copy").model_label == scorer.model_label

    mlflow = import_mlflow()
    pyfunc = mlflow.pyfunc.load_model(first.uri)
    frame = pyfunc.predict(sessions.to_pandas())
    assert frame["household_probability"].tolist() == expected["household_probability"].to_pylist()
    assert frame["verdict"].tolist() == expected["verdict"].to_pylist()
    moment = "2023-10-01T00:00:00Z"
    then = pyfunc.predict(sessions.to_pandas(), params={"as_of": moment})
    assert len(then) == scorer.score_table(sessions, as_of=moment).num_rows

    run = mlflow.get_run(first.run_id)
    assert run.data.params["digest"] == scorer.model.digest
    assert "evaluation.metrics.pr_auc.value" in run.data.metrics


@pytest.mark.parametrize("uri", ["models:/nobody@champion", "models:/household/99"])
def test_what_is_not_registered_is_told_with_the_store(uri: str, store: str) -> None:
    with pytest.raises(ModelNotFoundError, match="must be a model in the MLflow store sqlite:"):
        HouseholdScorer.load(uri)


@pytest.mark.parametrize("name", ["", "a/b", "a@b"])
def test_a_name_that_mlflow_cannot_use(model_folder: Path, name: str) -> None:
    with pytest.raises(ParameterError, match="must be text without"):
        register(model_folder, name)


def test_the_signature_is_that_of_the_contract() -> None:
    from household_ml.schema import SCORES, SESSIONS

    found = signature()
    assert tuple(found.inputs.input_names()) == SESSIONS.names
    assert tuple(found.inputs.required_input_names()) == SESSIONS.needed
    assert tuple(found.outputs.input_names()) == SCORES.names


def test_without_mlflow_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'household-ml\[mlflow\]'"):
        HouseholdScorer.load("models:/household@champion")
