"""Models from a registry, in a real process: an alias that moves, and a registry that is away."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from household_ml.errors import ModelNotFoundError, RegistryError
from household_ml.modeling.model import HouseholdModel
from household_ml.modeling.thresholds import Thresholds
from household_ml.scoring.sources import import_mlflow_quietly
from household_ml.serving.http.model_sources import FolderSource, RegistrySource
from tests.serving.http.asking import ask
from tests.serving.http.conftest import wait_until
from tests.serving.http.load import Load
from tests.serving.http.process import Process

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::ResourceWarning")

URI = "models:/household@champion"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def models(model_folder: Path, folder: Path) -> list[HouseholdModel]:
    """Two models that answer differently."""
    first = HouseholdModel.load(model_folder)
    second = replace(first, name="second", thresholds=Thresholds(0.2, 0.7))
    first.save(folder / "first")
    second.save(folder / "second")
    return [first, second]


class Store:
    """A registry in a SQLite file, with both models as versions 1 and 2, 1 the champion."""

    def __init__(self, folder: Path) -> None:
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.client: Any = import_mlflow_quietly().MlflowClient(self.uri)
        self.client.create_registered_model("household")
        for name in ("first", "second"):
            self.client.create_model_version("household", (folder / name).as_uri())
        self.champion(1)

    def champion(self, version: int) -> None:
        self.client.set_registered_model_alias("household", "champion", str(version))


@pytest.fixture(scope="module")
def store(folder: Path, models: list[HouseholdModel]) -> Store:
    return Store(folder)


def test_a_moved_alias_is_noticed_and_no_request_is_lost(
    folder: Path, store: Store, models: list[HouseholdModel]
) -> None:
    store.champion(1)
    options = ("--model", URI, "--api-keys", "off")
    quick = {"MLFLOW_TRACKING_URI": store.uri, "HOUSEHOLD_ML_HTTP_REFRESH_S": "0.2"}
    with Process(folder, *options, **quick) as service:
        address = service.ready()
        with Load(address) as load:
            load.wait_for(20)
            store.champion(2)
            wait_until(lambda: models[1].label in load.counts())
            moved = time.monotonic()
            load.wait_for(20)
        assert set(load.counts()) == {models[0].label, models[1].label}
        assert set(load.counts(since=moved)) == {models[1].label}
        found = ask.get(f"{address}/v1/model").json()
        assert (found["digest"], found["source_version"]) == (models[1].digest, "2")
        assert "household_ml_model_swaps_total 1.0" in ask.get(f"{address}/metrics").text
        assert service.terminate() == 0


def test_a_version_is_fetched_kept_and_found_again(
    folder: Path, store: Store, models: list[HouseholdModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    source = RegistrySource(URI, folder / "kept")
    assert source.kept() is None
    for version in (1, 2):
        store.champion(version)
        assert source.version() == str(version)
        assert source.load(str(version)).scorer.model.digest == models[version - 1].digest
        kept = RegistrySource(URI, folder / "kept").kept()
        assert kept is not None
        assert (kept.version, kept.scorer.model.digest) == (
            str(version),
            models[version - 1].digest,
        )
    assert len([path for path in (folder / "kept").iterdir() if not path.is_symlink()]) == 1

    (manifest,) = (folder / "kept").glob("*-*/model/manifest.json")
    manifest.write_text("{}")
    assert RegistrySource(URI, folder / "kept").kept() is None

    with pytest.raises(ModelNotFoundError, match="nobody@champion must be a model of the registry"):
        RegistrySource("models:/nobody@champion").version()


def test_a_folder_is_another_model_when_its_manifest_is(
    tmp_path: Path, models: list[HouseholdModel]
) -> None:
    models[0].save(tmp_path / "model")
    source = FolderSource(tmp_path / "model")
    before = source.version()
    assert source.version() == before
    models[1].save(tmp_path / "model")
    after = source.version()
    assert after != before
    assert source.load(after).scorer.model.digest == models[1].digest


@pytest.fixture
def server_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Registry:
    """A real ``mlflow server`` over a store, which can go away and come back."""

    def __init__(self, store: Store, port: int, folder: Path) -> None:
        self.uri = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", "mlflow", "server", "--port", str(port)]
        self._command += ["--backend-store-uri", store.uri, "--workers", "1"]
        self._command += ["--default-artifact-root", (folder / "artifacts").as_uri()]
        self._log = folder / "mlflow.log"
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        own = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                env={**os.environ, **own},
                start_new_session=True,
            )
        wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            return ask.get(f"{self.uri}/health").status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        if self._popen is not None:
            os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()
            self._popen = None


@pytest.fixture
def registry(store: Store, server_port: int, folder: Path) -> Iterator[Registry]:
    found = Registry(store, server_port, folder)
    yield found
    found.stop()


@pytest.mark.slow  # it starts a server of MLflow, twice
def test_a_registry_that_is_away_at_the_start_and_later(
    registry: Registry, store: Store, folder: Path, models: list[HouseholdModel]
) -> None:
    store.champion(1)
    options = ("--model", URI, "--api-keys", "off")
    quick = {
        "MLFLOW_TRACKING_URI": registry.uri,
        "HOUSEHOLD_ML_HTTP_REFRESH_S": "0.2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "2",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }

    def label() -> str:
        return str(ask.get(f"{address}/v1/model").json().get("model"))

    def stale() -> bool:
        told = ask.get(f"{address}/metrics").text
        return re.search(r"^household_ml_model_stale 1\.0$", told, re.MULTILINE) is not None

    with Process(folder, *options, **quick) as service:  # away, and never fetched before
        address = service.listening()
        assert ask.get(f"{address}/healthz").status_code == 200
        assert ask.get(f"{address}/readyz").status_code == 503
        registry.start()
        service.ready()
        assert label() == models[0].label

        with Load(address) as load:  # away while requests are answered
            load.wait_for(5)
            registry.stop()
            wait_until(stale)
            load.wait_for(20)
        assert set(load.counts()) == {models[0].label}
        service.kill()

    with Process(folder, *options, **quick) as service:  # away at the start, but fetched before
        address = service.ready()
        assert label() == models[0].label
        assert stale()
        store.champion(2)
        registry.start()
        wait_until(lambda: label() == models[1].label)
        assert not stale()


def test_a_registry_that_is_away_is_told_from_a_model_that_is_not_there(
    server_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = f"http://127.0.0.1:{server_port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", away)
    with pytest.raises(RegistryError, match=f"must be within reach, in the registry {away}"):
        RegistrySource(URI).version()
