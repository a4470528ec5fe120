"""Errors are one tree, each with a code that is stable, and speak one grammar."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from household_ml import errors
from household_ml.errors import HouseholdError, ParameterError, Problem, SchemaError

CLASSES = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, HouseholdError)
]


def drawn() -> dict[str, tuple[str, str]]:
    """The tree in the module's docstring: class -> (its base, its code)."""
    line = re.compile(r"^    (?P<branch>[│ ├└─]*)(?P<name>[A-Z]\w+) +(?P<code>[a-z_]+)\b")
    found: dict[str, tuple[str, str]] = {}
    parents: list[str] = []
    for text in str(errors.__doc__).splitlines():
        if match := line.match(text):
            depth = len(match["branch"]) // 4
            parents[depth:] = [match["name"]]
            found[match["name"]] = (parents[depth - 1] if depth else "Exception", match["code"])
    return found


def test_the_drawn_tree_is_the_tree() -> None:
    assert drawn() == {
        each.__name__: (each.__base__.__name__, each.code)  # type: ignore[union-attr]
        for each in CLASSES
    }


def test_codes_are_unique() -> None:
    assert len({each.code for each in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("each", CLASSES)
def test_codes_are_those_of_the_names(each: type[HouseholdError]) -> None:
    words = re.findall("[A-Z][a-z]+", each.__name__.removesuffix("Error"))
    expected = {"HouseholdError": "error", "MissingDependencyError": "missing_dependency"}
    assert each.code == expected.get(each.__name__, "_".join(words).lower())


@pytest.mark.parametrize("each", CLASSES)
def test_what_the_machine_lacks_is_not_the_callers_fault(each: type[HouseholdError]) -> None:
    lacking = (errors.MissingDependencyError, errors.ResourcesError)
    assert each.exit_code == (1 if each in lacking else 2)


def test_problems_of_one_input_are_told_together() -> None:
    error = SchemaError(
        [
            Problem("sessions must have a column ip", "no such column", "Add it."),
            Problem("started_at must be a time", "integer", "Write ISO 8601."),
        ]
    )
    assert str(error) == (
        "sessions must have a column ip, got no such column. Add it. "
        "started_at must be a time, got integer. Write ISO 8601."
    )


@pytest.mark.parametrize("each", CLASSES)
def test_errors_cross_processes(each: type[HouseholdError]) -> None:
    error = each(Problem("it must be right", "wrong", "Mend it."))
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is each
    assert again.problems == error.problems
    assert str(again) == str(error)


def test_they_are_caught_by_their_base() -> None:
    with pytest.raises(HouseholdError, match=r"^days must be positive, got -1\. Ask for more\.$"):
        raise ParameterError(Problem("days must be positive", "-1", "Ask for more."))
