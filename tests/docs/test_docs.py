"""The documentation agrees with the code."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, ShellComplete

from household_ml import __version__
from household_ml.cli import COMMANDS, household_ml
from tests.docs.build import build, module_names
from tests.docs.commands import PAGE, write_page
from tests.test_layers import GROUND, ROOMS

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_page_of_commands_is_what_the_commands_print() -> None:
    assert PAGE.read_text(encoding="utf-8") == write_page(), "make docs"


def test_every_command_is_on_the_page() -> None:
    told = re.findall(r"^## household-ml ?(.*)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    assert told == ["", *COMMANDS]


def completions(*words: str) -> set[str]:
    complete = ShellComplete(household_ml, {}, "household-ml", "_HOUSEHOLD_ML_COMPLETE")
    return {item.value for item in complete.get_completions(list(words[:-1]), words[-1])}


def test_the_shell_completes_commands_options_and_choices() -> None:
    assert completions("") == set(COMMANDS)
    assert completions("train") == {"train", "train-default"}
    assert {"--sessions", "--as-of"} <= completions("score", "--")
    assert completions("report", "--language", "") == {"en", "fr"}
    assert completions("score", "--format", "net") == {"netflix-export"}


def test_the_line_for_the_shell_works(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "household_ml"],
        env={"_HOUSEHOLD_ML_COMPLETE": "zsh_source", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert "_HOUSEHOLD_ML_COMPLETE=zsh_complete" in ended.stdout
    page = PAGE.read_text(encoding="utf-8")
    assert f"_HOUSEHOLD_ML_COMPLETE={BashComplete.name}_source household-ml" in page


def test_the_architecture_names_every_room() -> None:
    told = set(re.findall(r"^\| `([\w`, ]+)` \|", CONTRIBUTING, flags=re.MULTILINE))
    named = {name for cell in told for name in re.findall(r"\w+", cell)}
    assert set(ROOMS) | {"simulation"} | (GROUND - {"compiling", "resources", "display"}) <= named


def test_what_is_told_to_contributors_exists() -> None:
    named = re.findall(r"`((?:tests|household_ml|notebooks|\.ci)/[\w./]*)`", CONTRIBUTING)
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", CONTRIBUTING)
    assert [link for link in links if not (ROOT / link).exists()] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"make ([a-z-]+)", CONTRIBUTING))
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    assert citation.startswith("cff-version: 1.2.0\n")
    assert "\nlicense: Apache-2.0\n" in citation


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of packages that are only looked at
        build(folder, search=False)
    return folder


def page_of(reference: Path, module: str) -> str:
    return (reference / f"{module.replace('.', '/')}.html").read_text(encoding="utf-8")


def test_the_reference_has_a_page_for_every_module_and_a_way_to_it(reference: Path) -> None:
    assert len(module_names()) > 100
    found = {path.relative_to(reference) for path in reference.rglob("*.html")}
    asked = {Path(f"{name.replace('.', '/')}.html") for name in module_names()}
    assert found == asked | {Path("index.html")}
    assert "url=./household_ml.html" in (reference / "index.html").read_text("utf-8")
    led = {
        (page.parent / link).resolve().relative_to(reference.resolve())
        for page in reference.rglob("*.html")
        for link in re.findall(r'<li><a href="([\w/]+\.html)">', page.read_text("utf-8"))
    }
    assert led >= asked - {Path("household_ml.html")}


def test_the_reference_tells_every_public_name_from_its_docstring(reference: Path) -> None:
    missing = [
        f"{module}.{name}"
        for module in module_names()
        for name in getattr(importlib.import_module(module), "__all__", ())
        if not name.startswith("_") and f'id="{name}"' not in page_of(reference, module)
    ]
    assert missing == []
    scorer = page_of(reference, "household_ml.scoring.scorer")
    assert 'id="HouseholdScorer.score_table"' in scorer
    assert "<h6" in scorer
    assert "Parameters" in scorer
