"""The model that answers, where it came from, and how another takes over while requests go on.

A request takes the model once, at its start, and keeps it to its end; another model is loaded and
tried on a made-up account beside it, and takes over by one assignment. So no request is lost or
answered by two models. What cannot be loaded changes nothing: the model that is there stays.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from household_ml.errors import NotReadyError, Problem, RegistryError
from household_ml.serving.http.model_sources import Found, ModelSource

if TYPE_CHECKING:
    from household_ml.networks import NetworkStatistics
    from household_ml.scoring import HouseholdScorer

__all__ = ["Loaded", "ModelInUse"]

_LOG = logging.getLogger("household_ml.http")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that answers.

    Parameters
    ----------
    scorer : HouseholdScorer
        What answers.
    networks : NetworkStatistics or None
        Network statistics for every request; None: those of the request itself.
    version : str
        What its source called it when it was loaded.
    recorded : bool, default=False
        Whether answers go into an audit record, which waits for the disk.
    """

    scorer: HouseholdScorer
    networks: NetworkStatistics | None
    version: str
    recorded: bool = False


class ModelInUse:
    """The model that answers.

    Parameters
    ----------
    source : ModelSource
        Where models come from.
    networks : NetworkStatistics or None, default=None
        Network statistics for every request, whatever the model; None for those beside each model.
    try_out : callable
        Called with a model before it takes over, so that no request waits for code to be loaded.
    recording : callable or None, default=None
        What makes a scorer write its answers into an audit record; None where none is kept.
    """

    def __init__(
        self,
        source: ModelSource,
        networks: NetworkStatistics | None = None,
        *,
        try_out: Callable[[Loaded], object],
        recording: Callable[[HouseholdScorer], HouseholdScorer] | None = None,
    ) -> None:
        self._source = source
        self._networks = networks
        self._try_out = try_out
        self._recording = recording
        self._prepared: Found | None = None
        self._loaded: Loaded | None = None
        self._lock = threading.Lock()
        self.stale = False
        self.on_swap: Callable[[Loaded, bool], object] | None = None

    def current(self) -> Loaded:
        """The model that answers now.

        Raises
        ------
        NotReadyError
            None is loaded yet.
        """
        if self._loaded is None:
            raise NotReadyError(
                Problem("a model must be loaded", "none yet", "Ask again when /readyz answers 200.")
            )
        return self._loaded

    @property
    def ready(self) -> bool:
        """Whether there is a model that answers."""
        return self._loaded is not None

    def prepare(self) -> None:
        """Load the first model without trying it out, so that errors show before listening.

        Raises
        ------
        RegistryError
            The source does not answer.
        ModelError
            What the source holds cannot be used.
        """
        with self._lock:
            self._prepared = self._source.load(self._source.version())

    def refresh(self) -> bool:
        """Load the source's model if it is another than the one that answers.

        Returns
        -------
        bool
            Whether another model took over.

        Raises
        ------
        RegistryError
            The source does not answer; the model that was there stays, or the one that was
            fetched last takes its place when there was none.
        ModelError
            What the source holds cannot be used; the model that was there stays.
        """
        with self._lock:
            before = self._loaded
            try:
                found = self._prepared or self._newer(before)
            except RegistryError:
                self.stale = True
                if before is None and (kept := self._source.kept()) is not None:
                    self._take(kept, swapped=False)
                raise
            self.stale = False
            self._prepared = None
            if found is not None:
                self._take(found, swapped=before is not None)
            return found is not None

    def _newer(self, before: Loaded | None) -> Found | None:
        version = self._source.version()
        if before is not None and version == before.version:
            return None
        return self._source.load(version)

    def _take(self, found: Found, *, swapped: bool) -> None:
        beside = found.scorer.snapshot
        networks = self._networks if self._networks is not None else beside
        loaded = Loaded(found.scorer, networks, found.version)
        self._try_out(loaded)
        if self._recording is not None:
            loaded = replace(loaded, scorer=self._recording(found.scorer), recorded=True)
        self._loaded = loaded
        if self.on_swap is not None:
            self.on_swap(loaded, swapped)
        _LOG.info("%s answers", self._label())

    def _label(self) -> str:
        return "no model" if self._loaded is None else self._loaded.scorer.model_label

    def __repr__(self) -> str:
        return f"<ModelInUse: {self._label()}>"
