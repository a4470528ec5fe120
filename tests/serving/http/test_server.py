"""The command that serves: what it needs, and how it says what is wrong."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from household_ml.cli import household_ml
from household_ml.config import ServiceConfig
from household_ml.errors import HouseholdError, ModelNotFoundError, ParameterError
from household_ml.serving.api_keys import add_key
from household_ml.serving.http import serve
from household_ml.serving.http.server import Server


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing listens; what would have is kept."""
    ran: list[str] = []
    monkeypatch.setattr(Server, "run", lambda self, sockets: ran.append(self.config.host))
    return ran


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_keys_may_be_off_on_loopback(host: str, model_folder: Path, no_server: list[str]) -> None:
    serve(str(model_folder), host=host, port=0, api_keys="off")
    assert no_server == [host]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_keys_may_be_off_nowhere_else(host: str, model_folder: Path, no_server: list[str]) -> None:
    with pytest.raises(ParameterError, match="API keys must be given, or be off by choice"):
        serve(str(model_folder), host=host, port=0, api_keys="off")
    assert no_server == []


def test_without_a_choice_nothing_is_served(model_folder: Path) -> None:
    with pytest.raises(ParameterError, match=r"got none\. Make one with household-ml api-keys"):
        serve(str(model_folder), port=0)


def test_keys_are_those_of_the_environment(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_server: list[str]
) -> None:
    add_key(tmp_path / "keys.json", "caller")
    monkeypatch.setenv("HOUSEHOLD_ML_HTTP_KEYS", str(tmp_path / "keys.json"))
    serve(str(model_folder), host="0.0.0.0", port=0)
    assert no_server == ["0.0.0.0"]


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="a model must be a folder"):
        serve(str(tmp_path / "nothing"), port=0, api_keys="off")


def test_a_port_that_is_taken(model_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ParameterError, match=f"a port that is free, got 127.0.0.1 and {port}"):
            serve(str(model_folder), port=port, api_keys="off")


def test_limits_that_are_wrong_are_told_together(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSEHOLD_ML_HTTP_MAX_BODY", "lots")
    monkeypatch.setenv("HOUSEHOLD_ML_HTTP_WORK_S", "-1")
    with pytest.raises(ParameterError, match="MAX_BODY must be a whole number") as caught:
        serve(str(model_folder), port=0, api_keys="off")
    assert len(caught.value.problems) == 2


def test_limits_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ServiceConfig.from_environment() == ServiceConfig()
    monkeypatch.setenv("HOUSEHOLD_ML_HTTP_MAX_BODY", "1000")
    monkeypatch.setenv("HOUSEHOLD_ML_HTTP_DRAIN_S", "0.5")
    found = ServiceConfig.from_environment()
    assert (found.max_body, found.drain_s) == (1000, 0.5)


def test_what_is_logged_is_one_of_two(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUSEHOLD_ML_HTTP_LOG", "everything")
    with pytest.raises(ParameterError, match="must be requests or errors"):
        serve(str(model_folder), port=0, api_keys="off")


def test_the_command_makes_lists_and_revokes_keys(tmp_path: Path) -> None:
    path = str(tmp_path / "keys.json")

    def run(*arguments: str) -> str:
        command = ["api-keys", "--file", path, *arguments]
        done = CliRunner().invoke(household_ml, command, catch_exceptions=False)
        return done.stdout

    key = run("--add", "caller").strip()
    assert key.startswith("hml_")
    assert run().startswith("caller  since 20")
    assert key not in run()
    run("--revoke", "caller")
    assert run() == ""
    with pytest.raises(HouseholdError, match="one of --add and --revoke"):
        run("--add", "a", "--revoke", "b")
