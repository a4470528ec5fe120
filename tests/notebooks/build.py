"""Run every notebook and write it, with its outputs, as an .ipynb beside its script.

``make notebooks`` calls this. It also draws the picture of the README from the first notebook's
account. Whoever trains the model that ships anew builds the notebooks anew: their outputs name it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
PICTURE = NOTEBOOKS / "account.svg"

#: The account of the picture, of data/example.
ACCOUNT = "51ab2543ab9ce2d7"


def execute(script: Path, scratch: Path, *, timeout: int = 600) -> Any:
    """Run a notebook in a kernel of its own; gives it with its outputs."""
    import jupytext
    from nbclient import NotebookClient

    os.environ["IPYTHONDIR"] = str(scratch)
    os.environ["JUPYTER_RUNTIME_DIR"] = str(scratch / "runtime")
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    # A copy of a notebook tells of the invented export, never of somebody's own.
    os.environ.pop("NETFLIX_EXPORT", None)
    notebook = jupytext.read(script)
    NotebookClient(
        notebook,
        timeout=timeout,
        startup_timeout=timeout,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(script.parent)}},
    ).execute()
    return notebook


def settle(notebook: Any, digest: str) -> Any:
    """Take out what differs from run to run, and name the model that the outputs are of."""
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        cell.metadata = {}
    notebook.metadata["household_ml"] = {"model": digest}
    notebook.metadata.pop("language_info", None)
    return notebook


def draw_picture(target: Path) -> None:
    """Draw the account of the README, by day and place, with the answers of the model."""
    from household_ml import HouseholdScorer, read_sessions
    from household_ml.serving.timeline import compute_timeline, plot_timeline

    sessions = read_sessions(ROOT / "data" / "example" / "sessions.parquet")
    scorer = HouseholdScorer.load()
    number = sessions.account_id.to_pylist().index(ACCOUNT)
    timeline = compute_timeline(
        sessions,
        number,
        scorer.score_table(sessions),
        statistics=scorer.statistics_for(sessions),
    )
    drawn = plot_timeline(timeline).strip()
    named = drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    white = named.replace("</title>", '</title><rect width="100%" height="100%" fill="#fff"/>', 1)
    target.write_text(white + "\n", encoding="utf-8")


def main() -> int:
    """Build the notebooks that are named, or all of them."""
    import nbformat

    from household_ml import HouseholdScorer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="notebooks to build; all when left out")
    names = parser.parse_args().names
    scripts = [NOTEBOOKS / f"{Path(name).stem}.py" for name in names]
    digest = HouseholdScorer.load().model.digest
    for script in scripts or sorted(NOTEBOOKS.glob("*.py")):
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="notebook-") as scratch:
            notebook = settle(execute(script, Path(scratch)), digest)
        nbformat.validate(notebook)
        target = script.with_suffix(".ipynb")
        target.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        size = target.stat().st_size / 1000
        sys.stdout.write(f"{target.name}: {time.monotonic() - began:.0f} s, {size:.0f} kB\n")
        sys.stdout.flush()
    if not names:
        draw_picture(PICTURE)
        sys.stdout.write(f"{PICTURE.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
