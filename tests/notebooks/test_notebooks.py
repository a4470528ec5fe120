"""Every notebook runs from its first cell to its last, its claims hold, and its copy agrees."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from household_ml import HouseholdScorer
from tests.notebooks.build import ACCOUNT, NOTEBOOKS, PICTURE, execute

SCRIPTS = sorted(NOTEBOOKS.glob("*.py"))

#: The stories that there must be.
STORIES = {
    "from_sessions_to_scores",
    "from_sessions_to_places",
    "features_and_what_they_say",
    "training_and_thresholds",
    "evaluation_and_fairness",
    "bring_your_own_labels",
    "bring_your_own_netflix_export",
    "registry_and_batch_scoring",
    "anonymised_addresses",
}

#: Changes the working folder and the store of MLflow, so it has a process of its own.
APART = "registry_and_batch_scoring"

#: Bytes that a notebook with its outputs may have.
LARGEST = 300_000


def stem(path: Path) -> str:
    return path.stem


def read_copy(path: Path) -> Any:
    nbformat = pytest.importorskip("nbformat", reason="the extra 'notebooks' is not installed")
    return nbformat.read(path.with_suffix(".ipynb"), as_version=4)


def test_every_story_is_told() -> None:
    assert {path.stem for path in SCRIPTS} == STORIES


@pytest.mark.parametrize("path", SCRIPTS, ids=stem)
def test_it_asks_at_its_top_answers_at_its_end_and_holds_its_claims(path: Path) -> None:
    cells = re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert "question" in cells[0]
    assert any("## The answer" in cell for cell in cells[-4:])
    assert cells[-1].startswith(" [markdown]")
    assert sum("\nassert " in cell or "\n    assert " in cell for cell in cells) >= 4


@pytest.mark.parametrize("path", SCRIPTS, ids=stem)
def test_simulated_people_are_called_so_at_its_top(path: Path) -> None:
    cells = re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert re.search(r"simulated|made up", cells[0])


@pytest.mark.filterwarnings("ignore")  # of Jupyter's own machinery; a kernel has its own filters
@pytest.mark.parametrize("path", SCRIPTS, ids=stem)
def test_it_runs_from_its_first_cell_to_its_last(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``make notebooks`` runs it: in a kernel of its own, where a claim that fails ends it."""
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLBACKEND"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back when the test ends
    monkeypatch.delenv("NETFLIX_EXPORT", raising=False)
    notebook = execute(path, tmp_path)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # pictures are drawn for nobody here
@pytest.mark.parametrize("path", [each for each in SCRIPTS if each.stem != APART], ids=stem)
def test_it_runs_as_plain_python(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("IPython", reason="the extra 'notebooks' is not installed")
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    monkeypatch.chdir(path.parent)
    monkeypatch.delenv("NETFLIX_EXPORT", raising=False)
    with mpl.rc_context():
        try:
            runpy.run_path(str(path), run_name="__notebook__")
        finally:
            plt.close("all")
    assert capsys.readouterr().out


@pytest.mark.slow
def test_the_one_about_the_registry_runs_as_plain_python(tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="the extra 'mlflow' is not installed")
    pytest.importorskip("IPython", reason="the extra 'notebooks' is not installed")
    path = NOTEBOOKS / f"{APART}.py"
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(NOTEBOOKS.parent), "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "not promoted" in ended.stdout


@pytest.mark.parametrize("path", SCRIPTS, ids=stem)
def test_its_copy_with_outputs_agrees_with_the_script(path: Path) -> None:
    jupytext = pytest.importorskip("jupytext", reason="the extra 'notebooks' is not installed")
    copy, script = read_copy(path), jupytext.read(path)
    told = [(cell.cell_type, cell.source) for cell in copy.cells]
    assert told == [(cell.cell_type, cell.source) for cell in script.cells], "make notebooks"


@pytest.mark.parametrize("path", SCRIPTS, ids=stem)
def test_its_copy_is_whole_small_and_without_complaints(path: Path) -> None:
    copy = read_copy(path)
    code = [cell for cell in copy.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    assert all(cell.execution_count for cell in code)
    assert [each for each in outputs if each.output_type == "error"] == []
    assert [each.text for each in outputs if each.get("name") == "stderr"] == []
    assert path.with_suffix(".ipynb").stat().st_size < LARGEST


@pytest.mark.parametrize("path", SCRIPTS, ids=stem)
def test_its_copy_shows_what_the_model_that_ships_says(path: Path) -> None:
    digest = HouseholdScorer.load().model.digest
    assert read_copy(path).metadata["household_ml"]["model"] == digest, "make notebooks"


def test_pictures_are_among_the_outputs() -> None:
    pictures = {
        path.stem
        for path in SCRIPTS
        for cell in read_copy(path).cells
        for output in cell.get("outputs", [])
        if {"image/svg+xml", "image/png"} & set(output.get("data", ()))
    }
    assert len(pictures) >= 7


def test_the_picture_of_the_readme_names_its_account_and_fetches_nothing() -> None:
    drawn = PICTURE.read_text(encoding="utf-8")
    assert ACCOUNT in drawn
    assert drawn.startswith('<svg xmlns="http://www.w3.org/2000/svg" role="img"')
    assert drawn.count("://") == 1
    assert "href" not in drawn
