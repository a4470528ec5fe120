"""Which model answers: the one that is there, until another has been loaded and tried."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from household_ml.errors import ModelFormatError, NotReadyError, Problem, RegistryError
from household_ml.scoring import HouseholdScorer
from household_ml.serving.http.model_in_use import Loaded, ModelInUse
from household_ml.serving.http.model_sources import Found

NOTHING = Problem("it must be there", "nothing", "Wait.")


def scorer(name: str) -> HouseholdScorer:
    return cast("HouseholdScorer", SimpleNamespace(model_label=name, snapshot=f"beside {name}"))


class Source:
    """A source that holds what a test puts there: a name, or an error."""

    def __init__(self, holds: str | Exception, kept: str | None = None) -> None:
        self.holds = holds
        self._kept = kept
        self.loads = 0

    def version(self) -> str:
        if isinstance(self.holds, RegistryError):
            raise self.holds
        return str(self.holds)

    def load(self, version: str) -> Found:
        self.loads += 1
        if isinstance(self.holds, Exception):
            raise self.holds
        return Found(scorer(self.holds), version)

    def kept(self) -> Found | None:
        return None if self._kept is None else Found(scorer(self._kept), self._kept)


def label(models: ModelInUse) -> str:
    return models.current().scorer.model_label


def test_there_is_none_before_the_first_look() -> None:
    models = ModelInUse(Source("one"), try_out=lambda loaded: None)
    assert not models.ready
    with pytest.raises(NotReadyError, match="a model must be loaded"):
        models.current()


def test_another_model_takes_over_and_the_same_is_not_loaded_again() -> None:
    source = Source("one")
    models = ModelInUse(source, try_out=lambda loaded: None)
    assert models.refresh()
    before = models.current()
    assert not models.refresh()
    assert models.current() is before
    source.holds = "two"
    assert models.refresh()
    assert (label(models), before.scorer.model_label, source.loads) == ("two", "one", 2)


def test_a_model_is_tried_out_before_it_takes_over() -> None:
    seen: list[tuple[str, bool]] = []

    def try_out(loaded: Loaded) -> None:
        seen.append((loaded.scorer.model_label, models.ready))
        if loaded.scorer.model_label == "bad":
            raise ZeroDivisionError

    source = Source("one")
    models = ModelInUse(source, try_out=try_out)
    models.refresh()
    source.holds = "bad"
    with pytest.raises(ZeroDivisionError):
        models.refresh()
    assert label(models) == "one"
    assert seen == [("one", False), ("bad", True)]


@pytest.mark.parametrize("error", [RegistryError(NOTHING), ModelFormatError(NOTHING)])
def test_what_cannot_be_loaded_changes_nothing(error: Exception) -> None:
    source = Source("one", kept="old")
    models = ModelInUse(source, try_out=lambda loaded: None)
    models.refresh()
    source.holds = error
    with pytest.raises(type(error)):
        models.refresh()
    assert label(models) == "one"
    assert models.stale == isinstance(error, RegistryError)
    source.holds = "two"
    models.refresh()
    assert (label(models), models.stale) == ("two", False)


def test_without_a_registry_the_model_that_was_fetched_last_answers() -> None:
    source = Source(RegistryError(NOTHING), kept="one")
    models = ModelInUse(source, try_out=lambda loaded: None)
    with pytest.raises(RegistryError):
        models.refresh()
    assert (label(models), models.stale) == ("one", True)
    source.holds = "one"
    assert not models.refresh()
    assert not models.stale


def test_what_was_prepared_is_not_loaded_again() -> None:
    source = Source("one")
    models = ModelInUse(source, try_out=lambda loaded: None)
    models.prepare()
    assert not models.ready
    models.refresh()
    assert (label(models), source.loads) == ("one", 1)


def test_networks_are_those_given_else_those_beside_each_model() -> None:
    own = ModelInUse(Source("one"), try_out=lambda loaded: None)
    own.refresh()
    assert cast("Any", own.current().networks) == "beside one"
    given = ModelInUse(Source("one"), cast("Any", "given"), try_out=lambda loaded: None)
    given.refresh()
    assert cast("Any", given.current().networks) == "given"
