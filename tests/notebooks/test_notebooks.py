"""Every notebook runs from its first cell to its last, and its claims hold."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from household_ml import HouseholdScorer, infer_places, read_sessions

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))

#: Seconds that a notebook may take, compiled code cached.
LIMIT = 60


@pytest.fixture(scope="module")
def compiled_code() -> None:
    """The kernel compiled and on disk, so that what is timed is the notebook."""
    sessions = read_sessions(ROOT / "data" / "example" / "sessions.parquet")
    infer_places(sessions)
    HouseholdScorer.load().score(sessions)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_asks_at_its_top_answers_at_its_end_and_holds_its_claims(path: Path) -> None:
    cells = re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert "question" in cells[0]
    assert any("## The answer" in cell for cell in cells[-4:])
    assert cells[-1].startswith(" [markdown]")
    assert sum("\nassert " in cell for cell in cells) >= 5


@pytest.mark.filterwarnings("ignore")  # of Jupyter's own machinery; a kernel has its own filters
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("compiled_code")
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jupytext = pytest.importorskip("jupytext", reason="the extra 'notebooks' is not installed")
    nbclient = pytest.importorskip("nbclient", reason="the extra 'notebooks' is not installed")
    pytest.importorskip("ipykernel", reason="the extra 'notebooks' is not installed")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    notebook = jupytext.read(path)
    client = nbclient.NotebookClient(
        notebook,
        timeout=2 * LIMIT,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )

    began = time.monotonic()
    client.execute()

    assert time.monotonic() - began < LIMIT
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [o for o in outputs if {"image/svg+xml", "image/png"} & set(o.get("data", ()))]
    assert pictures
