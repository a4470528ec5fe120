"""Data flows one way, and so do imports, those inside functions too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "household_ml"

#: What the rooms stand on; each may be imported by every room.
GROUND = {"schema", "errors", "config", "compiling", "resources", "display"}
ROOMS = ("sessions", "networks", "features", "modeling", "scoring", "serving", "cli")

#: room -> rooms it may import, besides itself.
ALLOWED = {
    **dict.fromkeys(GROUND, GROUND),
    **{room: GROUND | set(ROOMS[:place]) for place, room in enumerate(ROOMS)},
    "simulation": GROUND | {"sessions", "networks"},
    "__main__": {"cli"},
    "spark": {"serving"},
}
ALLOWED["cli"] |= {"simulation"}


def imported(source: str, package: str) -> Iterator[str]:
    """Modules of household_ml that some source names, by import or as text for importlib."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
            start = ".".join(filter(None, [base if node.level else "", node.module]))
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and str(node.value).startswith("household_ml."):
            yield str(node.value).split(" ", maxsplit=1)[0]


def offences(source: str, *, room: str, package: str) -> list[str]:
    """Imports of a room that ALLOWED does not allow."""
    parts = [name.split(".") for name in imported(source, package)]
    rooms = {name[1] for name in parts if name[0] == "household_ml" and len(name) > 1}
    known = {name for name in rooms if name in ALLOWED}
    return sorted(known - ALLOWED[room] - {room})


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_to_its_left(path: Path) -> None:
    inside = path.relative_to(PACKAGE)
    room = inside.parts[0].removesuffix(".py")
    package = ".".join(["household_ml", *inside.parts[:-1]])

    assert room in ALLOWED, f"{room} is no room of the house"
    assert offences(path.read_text(encoding="utf-8"), room=room, package=package) == []


@pytest.mark.parametrize(
    "source",
    [
        "import household_ml.scoring",
        "from household_ml.scoring.verdicts import decide",
        "from household_ml import scoring",
        "from ..scoring import HouseholdScorer",
        "def late():\n    from household_ml.scoring import HouseholdScorer",
        "importlib.import_module('household_ml.scoring')",
    ],
)
def test_an_import_to_the_right_is_noticed_however_it_is_written(source: str) -> None:
    assert offences(source, room="features", package="household_ml.features") == ["scoring"]
    assert offences(source, room="serving", package="household_ml.serving") == []


def test_only_the_command_line_imports_the_simulation() -> None:
    assert [room for room, allowed in ALLOWED.items() if "simulation" in allowed] == ["cli"]
