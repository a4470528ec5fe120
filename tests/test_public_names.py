"""Each module says in `__all__` what it offers, and offers it."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import household_ml

PACKAGE = Path(household_ml.__file__).parent


def module_name(path: Path) -> str:
    inside = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(inside[:-1] if inside[-1] == "__init__" else inside)


MODULES = sorted(
    module_name(path) for path in PACKAGE.rglob("*.py") if path.name not in ("__main__.py",)
)


def defined(name: str) -> set[str]:
    """Public functions and classes that a module defines itself."""
    path = Path(str(importlib.import_module(name).__file__))
    body = ast.parse(path.read_text(encoding="utf-8")).body
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in body if isinstance(node, kinds) and node.name[0] != "_"}


@pytest.mark.parametrize("name", MODULES)
def test_all_names_what_the_module_offers(name: str) -> None:
    module = importlib.import_module(name)
    offered = list(getattr(module, "__all__", []))

    assert len(offered) == len(set(offered))
    assert [each for each in offered if not hasattr(module, each)] == []
    assert defined(name) - set(offered) == set()


def test_lazy_names_are_the_public_ones() -> None:
    assert set(household_ml._HOME) | {"__version__"} == set(household_ml.__all__)
    assert set(household_ml.__all__) <= set(dir(household_ml))


def test_type_checkers_see_the_lazy_names() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("household_ml.")
        for alias in node.names
    }
    assert seen == household_ml._HOME


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"household_ml.*has no attribute 'scorer'"):
        _ = household_ml.scorer  # type: ignore[attr-defined]
