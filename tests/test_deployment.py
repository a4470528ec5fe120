"""How the service is run: the unit, the image, and what the page about them says."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from household_ml.cli import household_ml
from household_ml.config import ENVIRONMENT

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
UNIT = (DEPLOY / "household-ml@.service").read_text(encoding="utf-8")
PAGE = (DEPLOY / "README.md").read_text(encoding="utf-8")


def entries(lock: Path) -> dict[str, str]:
    """Packages of a lock file, each with its version and hashes."""
    text = re.sub(r"^\s*#.*\n", "", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    return {
        entry.partition("==")[0]: re.sub(r" ; [^\\]*", " ", entry).strip()
        for entry in found
        if entry.strip()
    }


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.exists():
        pytest.skip("hadolint is not installed beside this Python")
    done = subprocess.run([str(linter), str(DEPLOY / "Dockerfile")], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_the_image_copies_what_there_is() -> None:
    copied = re.findall(r"^COPY (?:--chown=\S+ )?([^-].*) \S+$", DOCKERFILE, flags=re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert len(sources) >= 9
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_image_runs_for_a_user_without_rights() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    users = re.findall(r"^USER (\S+)$", last, flags=re.MULTILINE)
    assert [user for user in users if user in ("root", "0")] == []
    assert users
    assert last.rindex("\nUSER ") < last.index("\nENTRYPOINT ")


def test_the_image_installs_from_hashes_alone() -> None:
    installs = re.findall(r"pip install (.*)$", DOCKERFILE, flags=re.MULTILINE)
    assert installs == [
        "--require-hashes --requirement deploy/requirements.lock",
        "--no-deps --no-build-isolation .",
    ]


def test_its_lock_is_a_part_of_the_lock_of_the_project() -> None:
    whole, part = entries(ROOT / "requirements.lock"), entries(DEPLOY / "requirements.lock")
    assert {"fastapi", "uvicorn", "httptools", "mlflow", "numba", "setuptools"} <= set(part)
    assert {"pytest", "pyspark", "mypy"} & set(part) == set()
    assert {name: entry for name, entry in part.items() if whole.get(name) != entry} == {}


@pytest.mark.parametrize("text", [DOCKERFILE, UNIT, PAGE], ids=["Dockerfile", "unit", "page"])
def test_variables_are_those_of_the_code(text: str) -> None:
    assert set(re.findall(r"HOUSEHOLD_ML_[A-Z_]+", text)) <= set(ENVIRONMENT)


def test_commands_are_those_of_the_command_line() -> None:
    entrypoint = re.search(r'^ENTRYPOINT \["household-ml", (.*)\]$', DOCKERFILE, re.MULTILINE)
    start = re.search(r"^ExecStart=\S+/household-ml (.*)$", UNIT, re.MULTILINE)
    assert entrypoint is not None
    assert start is not None
    for words in (
        re.findall(r'"([^"]+)"', entrypoint[1]),
        start[1].replace("%i", "8080").split(),
    ):
        command = household_ml.get_command(click.Context(household_ml), words[0])
        assert command is not None
        assert command.make_context(words[0], words[1:]).params["host"]


def test_the_unit_says_what_the_service_needs() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT)
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["User"] != "root"
    stop = float(ENVIRONMENT["HOUSEHOLD_ML_HTTP_STOP_S"][0])
    assert float(service["TimeoutStopSec"].removesuffix("s")) > stop + 5


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine")
    here = UNIT.replace("/opt/household-ml/bin/household-ml", sys.executable)
    path = tmp_path / "household-ml@8080.service"
    path.write_text(here, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True)
    told = [line for line in done.stderr.splitlines() if "household-ml" in line]
    assert told == []
