"""Write the page of commands, and build the reference from the docstrings into ``build/docs``."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.docs.commands import PAGE, write_page

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build" / "docs"

#: What is read; what begins with ! is left out: it runs, or is read by MLflow alone.
MODULES = ("household_ml", "!household_ml.__main__", "!household_ml.serving.pyfunc")


def build(out: Path) -> list[Path]:
    """Build the reference; gives the pages."""
    import pdoc

    pdoc.render.configure(docformat="numpy", footer_text="household-ml", search=True)
    pdoc.pdoc(*MODULES, output_directory=out)
    return sorted(out.rglob("*.html"))


def main() -> int:
    """Write what ``make docs`` promises."""
    PAGE.write_text(write_page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}\n")
    try:
        pages = build(OUT)
    except ModuleNotFoundError as error:
        sys.stderr.write(f"The reference needs pdoc ({error}); the page of commands is written.\n")
        return 1
    sys.stdout.write(f"{len(pages)} pages in {OUT.relative_to(ROOT)}/index.html\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
