"""The MLflow registry, on a real SQLite store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from household_ml.cli import main
from household_ml.errors import (
    MissingDependencyError,
    ModelNotFoundError,
    ParameterError,
)
from household_ml.modeling.model import HouseholdModel
from household_ml.modeling.thresholds import Thresholds
from household_ml.schema import SCORES, SESSIONS
from household_ml.scoring import HouseholdScorer
from household_ml.scoring.sources import import_mlflow
from household_ml.serving.datasets import LabelledSessions
from household_ml.serving.explaining import model_of_digest
from household_ml.serving.promotion import promote
from household_ml.serving.registry import (
    PARAMETERS,
    Registered,
    download,
    example_sessions,
    register,
    signature,
    versions_of_digest,
)
from household_ml.serving.tracking import inputs_of
from household_ml.sessions import read_sessions
from household_ml.simulation import Simulated

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    uri = f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        yield uri


@pytest.fixture(scope="module")
def first(model_folder: Path, world_folder: Path, store: str) -> Registered:
    return register(model_folder, "household", data=[world_folder])


def test_champion_first_challenger_later_and_both_answer(
    first: Registered,
    model_folder: Path,
    scorer: HouseholdScorer,
    sessions: pa.Table,
    tmp_path: Path,
) -> None:
    second = register(model_folder, "household")
    assert (first.version, first.alias) == (1, "champion")
    assert (second.version, second.alias) == (2, "challenger")
    assert first.uri == "models:/household@champion"
    assert (
        HouseholdScorer.load(first.uri).score_table(sessions).equals(scorer.score_table(sessions))
    )
    assert download("models:/household/2", tmp_path / "copy") == tmp_path / "copy"
    assert HouseholdScorer.load(tmp_path / "copy").model_label == scorer.model_label


def test_the_pyfunc_gives_the_scores_table(
    first: Registered, scorer: HouseholdScorer, sessions: pa.Table
) -> None:
    pyfunc = import_mlflow().pyfunc.load_model(first.uri)
    frame = sessions.to_pandas()
    pd.testing.assert_frame_equal(pyfunc.predict(frame), scorer.score(sessions))
    moment = "2023-10-01T00:00:00Z"
    then = pyfunc.predict(frame, params={"as_of": moment})
    pd.testing.assert_frame_equal(then, scorer.score(sessions, as_of=moment))
    account = frame["account_id"].iloc[0]
    slots = pd.DataFrame({"account_id": [account], "extra_members": [3]})
    paid = pyfunc.predict(frame, params={"extra_members": json.dumps({account: 3})})
    pd.testing.assert_frame_equal(paid, scorer.score(sessions, accounts=slots))


@pytest.mark.parametrize("text", ["[]", "{", '{"a": "one"}', '{"a": 0.5}', "7"])
def test_slots_that_are_no_object_of_numbers(first: Registered, text: str) -> None:
    pyfunc = import_mlflow().pyfunc.load_model(first.uri)
    with pytest.raises(ParameterError, match="extra_members must be a JSON object"):
        pyfunc.predict(example_sessions(), params={"extra_members": text})


def test_a_run_holds_all_about_a_model(
    first: Registered, scorer: HouseholdScorer, world_folder: Path
) -> None:
    client = import_mlflow().MlflowClient()
    run = client.get_run(first.run_id)
    params, metrics = run.data.params, run.data.metrics
    model = scorer.model
    assert params["digest"] == model.digest
    assert params["outside_at"] == str(model.thresholds.outside_at)
    assert "upper limit" in params["bound.account_false_flags"]
    assert model.metrics is not None
    evaluation = model.metrics["evaluation"]
    assert metrics["test/pr_auc"] == evaluation["metrics"]["pr_auc"]["value"]
    assert metrics["test/pr_auc_low"] <= metrics["test/pr_auc"] <= metrics["test/pr_auc_high"]
    for part in evaluation["slices"]:
        at = f"slice/{part['kind']}/{part['value']}"
        assert metrics[f"{at}/devices"] == part["devices"]
        if part["false_flags"]["value"] is not None:
            assert metrics[f"{at}/false_flags"] == part["false_flags"]["value"]
    assert any(name.startswith("compared/") for name in metrics)
    assert any(name.startswith("importance/") for name in metrics)
    logged = {artifact.path for artifact in client.list_artifacts(first.run_id)}
    assert {"card.md", "metrics.json", "manifest.json", "plots"} <= logged
    plots = {artifact.path for artifact in client.list_artifacts(first.run_id, "plots")}
    assert plots == {"plots/reliability.png", "plots/false_flags.png"}
    assert run.data.tags["mlflow.note.content"].startswith(f"# {model.name}")
    (given,) = run.inputs.dataset_inputs
    assert given.dataset.name == model.manifest["worlds"][0]["name"]
    assert world_folder.name in given.dataset.source
    tags = {tag.key: tag.value for tag in given.tags}
    assert (tags["mlflow.data.context"], tags["simulated"]) == ("training", "true")
    version = client.get_model_version("household", "1")
    assert version.tags["digest"] == model.digest
    assert model.label in version.description


def test_the_digest_of_the_data_is_that_of_its_content(
    scorer: HouseholdScorer, world_folder: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(world_folder, tmp_path / "copy"))
    (here,), (there,) = (inputs_of(scorer.model, [at]) for at in (world_folder, copy))
    assert here.digest == there.digest
    (copy / "labels.parquet").write_bytes(b"other")
    assert inputs_of(scorer.model, [copy])[0].digest != here.digest
    (told,) = inputs_of(scorer.model)
    assert (told.path, told.name) == (None, here.name)
    assert told.digest != here.digest


def test_the_signature_is_that_of_the_contract_and_the_example_follows_it(
    first: Registered,
) -> None:
    found = signature()
    assert tuple(found.inputs.input_names()) == SESSIONS.names
    assert tuple(found.inputs.required_input_names()) == SESSIONS.needed
    assert tuple(found.outputs.input_names()) == SCORES.names
    assert tuple(param.name for param in found.params) == PARAMETERS
    pyfunc = import_mlflow().pyfunc.load_model(first.uri)
    assert pyfunc.metadata.signature == found
    assert pyfunc.metadata.metadata["digest"]
    scores = pyfunc.predict(pyfunc.input_example)
    assert scores["device_id"].tolist() == ["phone", "tv"]


LOAD = """
import sys, mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
print(model.predict(pandas.read_json(sys.argv[2], orient="records")).to_json(orient="records"))
"""


def test_nothing_is_unpickled(first: Registered, store: str, tmp_path: Path) -> None:
    """MLflow refuses everything pickled in this process, and the model still answers."""
    folder = Path(
        import_mlflow().artifacts.download_artifacts(first.uri, dst_path=str(tmp_path / "model"))
    )
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert suffixes.isdisjoint({".pkl", ".pickle", ".joblib", ".cloudpickle"})
    example_sessions().to_json(tmp_path / "sessions.json", orient="records")
    ended = subprocess.run(
        [sys.executable, "-c", LOAD, first.uri, str(tmp_path / "sessions.json")],
        env={
            **os.environ,
            "MLFLOW_TRACKING_URI": store,
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answered = json.loads(ended.stdout.splitlines()[-1])
    assert [row["device_id"] for row in answered] == ["phone", "tv"]


def test_a_model_is_found_by_its_digest(
    first: Registered,
    scorer: HouseholdScorer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digest = scorer.model.digest
    assert f"models:/household/{first.version}" in versions_of_digest(digest)
    assert versions_of_digest("0" * 64) == []
    monkeypatch.chdir(tmp_path)
    assert model_of_digest(digest).digest == digest


def test_the_store_is_a_file_of_the_working_folder_by_default(tmp_path: Path) -> None:
    told = (
        "from household_ml.scoring.sources import import_mlflow as m; print(m().get_tracking_uri())"
    )
    environment = {name: value for name, value in os.environ.items() if "MLFLOW" not in name}
    ended = subprocess.run(
        [sys.executable, "-c", told],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines()[-1] == "sqlite:///mlflow.db"


@pytest.mark.parametrize("uri", ["models:/nobody@champion", "models:/household/99"])
def test_what_is_not_registered_is_told_with_the_store(
    first: Registered, uri: str, store: str
) -> None:
    with pytest.raises(ModelNotFoundError, match="must be a model in the MLflow store sqlite:"):
        HouseholdScorer.load(uri)


@pytest.mark.parametrize("name", ["", "a/b", "a@b"])
def test_a_name_that_mlflow_cannot_use(model_folder: Path, name: str) -> None:
    with pytest.raises(ParameterError, match="must be text without"):
        register(model_folder, name)


def test_without_mlflow_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'household-ml\[mlflow\]'"):
        HouseholdScorer.load("models:/household@champion")


# Promotion


@pytest.fixture(scope="module")
def holdout(simulated: Simulated) -> LabelledSessions:
    """Accounts that neither model has learnt from."""
    sessions = read_sessions(simulated.sessions)
    return LabelledSessions("holdout", sessions, simulated.labels.to_pandas(), simulated=True)


@pytest.fixture(scope="module")
def uncertified(
    model_folder: Path, tmp_path_factory: pytest.TempPathFactory, store: str
) -> Registered:
    """The same trees, but thresholds that nothing is known about."""
    model = HouseholdModel.load(model_folder)
    bare = replace(model, version="8", metrics=None, thresholds=Thresholds(0.4, 0.5))
    return register(bare.save(tmp_path_factory.mktemp("uncertified") / "model"), "uncertified")


def enter(name: str, *versions: Registered) -> None:
    """Put versions that are logged under another name: a champion, and a challenger."""
    client = import_mlflow().MlflowClient()
    for alias, each in zip(("champion", "challenger"), versions, strict=False):
        copy = client.copy_model_version(f"models:/{each.name}/{each.version}", name)
        client.set_registered_model_alias(name, alias, str(copy.version))


def aliases(name: str) -> dict[str, str]:
    found: dict[str, Any] = import_mlflow().MlflowClient().get_registered_model(name).aliases
    return {alias: str(version) for alias, version in found.items()}


def test_an_equal_challenger_is_promoted_and_why_is_written(
    first: Registered, holdout: LabelledSessions
) -> None:
    name = "equal"
    enter(name, first, first)
    looked = promote(name, [holdout], dry_run=True, replicates=20)
    assert (looked.contest.holds, looked.moved) == (True, False)
    assert "would be promoted: version 2, before version 1" in looked.to_text()
    assert aliases(name) == {"champion": "1", "challenger": "2"}
    found = promote(name, [holdout], replicates=20)
    assert found.moved
    assert f"promoted: models:/{name}@champion is version 2, before version 1" in found.to_text()
    assert aliases(name) == {"champion": "2", "former_champion": "1"}
    client = import_mlflow().MlflowClient()
    version = client.get_model_version(name, "2")
    assert version.tags["promotion.decision"] == "promoted"
    assert version.tags["promotion.against"] == "1"
    assert version.tags["promotion.why"] == found.contest.to_text()
    kept = json.loads(import_mlflow().artifacts.load_text(f"runs:/{version.run_id}/promotion.json"))
    assert (kept["decision"], kept["holds"], kept["data"]) == ("promoted", True, ["holdout"])
    assert kept["requirements"] == list(found.contest.to_dict()["requirements"])


def test_a_challenger_without_a_certificate_stays_one_and_why_is_written(
    first: Registered, uncertified: Registered, holdout: LabelledSessions
) -> None:
    name = "without a certificate"
    enter(name, first, uncertified)
    found = promote(name, [holdout], replicates=20)
    assert not found.moved
    assert "not promoted: version 2 fails in certified account_false_flags" in found.to_text()
    assert aliases(name) == {"champion": "1", "challenger": "2"}
    tags = import_mlflow().MlflowClient().get_model_version(name, "2").tags
    assert tags["promotion.decision"] == "refused"
    assert "no threshold qualifies" in tags["promotion.why"]


def test_without_a_champion_the_certificate_decides(
    first: Registered, holdout: LabelledSessions
) -> None:
    name = "no champion"
    enter(name, first)
    client = import_mlflow().MlflowClient()
    client.delete_registered_model_alias(name, "champion")
    client.set_registered_model_alias(name, "challenger", "1")
    assert promote(name, [holdout], replicates=20).champion is None
    assert aliases(name) == {"champion": "1"}


def test_what_cannot_be_promoted_is_told(first: Registered, holdout: LabelledSessions) -> None:
    with pytest.raises(ModelNotFoundError, match="nobody must be a registered model"):
        promote("nobody", [holdout])
    enter("alone", first)
    with pytest.raises(ModelNotFoundError, match="must have a version with the alias challenger"):
        promote("alone", [holdout])
    with pytest.raises(ParameterError, match="a contest must have data"):
        promote("alone", [])


def test_the_command_prints_why_and_its_exit_code_tells(
    first: Registered,
    uncertified: Registered,
    world_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "by command"
    enter(name, first, uncertified)
    with pytest.raises(SystemExit) as ended:
        main(["promote", "--name", name, "--data", str(world_folder)])
    assert ended.value.code == 1
    assert "FAILS  certified account_false_flags" in capsys.readouterr().out
    enter(name, first, first)
    with pytest.raises(SystemExit) as ended:
        main(["promote", "--name", name, "--data", str(world_folder), "--dry-run"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "holds  pr_auc no worse" in told
    assert told.splitlines()[-1].startswith("would be promoted: version 4, before version 3")
