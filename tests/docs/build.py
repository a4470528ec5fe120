"""Write the page of commands, and build the reference from the docstrings into ``build/docs``."""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path

from tests.docs.commands import PAGE, write_page

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build" / "docs"

#: Run by Python, or read by MLflow alone.
_APART = {"household_ml.__main__", "household_ml.serving.pyfunc"}


def module_names() -> list[str]:
    """Every module whose docstrings are read, packages before what is in them."""
    found = [path.relative_to(ROOT).with_suffix("") for path in ROOT.glob("household_ml/**/*.py")]
    names = {".".join(path.parts).removesuffix(".__init__") for path in found} - _APART
    return sorted(name for name in names if "._" not in name)


def build(out: Path, *, search: bool = True) -> list[Path]:
    """Build the reference, with an index to search in or, sooner, without; gives the pages."""
    import pdoc

    pdoc.render.configure(
        docformat="numpy",
        footer_text="household-ml",
        search=search,
        show_source=False,
        template_directory=Path(__file__).parent / "templates",
    )
    names = module_names()
    for name in names:
        _import_public(name)
    with warnings.catch_warnings():
        # A package without __all__ brings its modules along, which are named here, too.
        warnings.filterwarnings("ignore", message="The module specification")
        # Annotations of tuples with names are resolved where a tuple is written, or are text.
        warnings.filterwarnings("ignore", message="Error parsing type annotation")
        pdoc.pdoc(*names, *(f"!{name}" for name in sorted(_APART)), output_directory=out)
    return sorted(out.rglob("*.html"))


def _import_public(name: str) -> None:
    """Import what a module imports when it is first used: pdoc looks at what is there."""
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", ()):
        setattr(module, public, getattr(module, public))


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
