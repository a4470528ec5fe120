"""Compiled code kept on disk is dropped when anything that went into it changes."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from numba.core.registry import CPUDispatcher

from household_ml import compiling

ROOT = Path(compiling.__file__).parent
COMPILED = sorted(
    path for path in ROOT.rglob("*.py") if b"household_ml.compiling import" in path.read_bytes()
)


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_stamp_covers_every_compiled_function_that_a_module_can_call(path: Path) -> None:
    name = ".".join(("household_ml", *path.relative_to(ROOT).with_suffix("").parts))
    module = importlib.import_module(name)
    covered = compiling._sources(path)
    for value in vars(module).values():
        if isinstance(value, CPUDispatcher):
            assert Path(value.py_func.__code__.co_filename).resolve() in covered


def test_the_stamp_reaches_through_modules_that_are_called_indirectly() -> None:
    reached = compiling._sources(ROOT / "features" / "kernel.py")
    assert ROOT / "features" / "nodes.py" in reached
    assert ROOT / "schema.py" in reached


def test_the_stamp_is_of_what_is_reached_and_of_nothing_else() -> None:
    assert ROOT / "modeling" / "trees.py" not in compiling._sources(ROOT / "features" / "kernel.py")
