"""A thread that looks at things which change outside the service: the model and the keys."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from household_ml.errors import HouseholdError

__all__ = ["Watch"]

_LOG = logging.getLogger("household_ml.http")


class Watch:
    """A thread that looks at things again and again, and says once what keeps failing.

    Parameters
    ----------
    seconds : float
        Between two looks.
    looks : mapping of str to callable
        What to look at, by name.
    on_failure : callable
        Called with the name of a look that failed.
    """

    def __init__(
        self,
        seconds: float,
        looks: Mapping[str, Callable[[], object]],
        on_failure: Callable[[str], object],
    ) -> None:
        self._seconds = seconds
        self._looks = looks
        self._on_failure = on_failure
        self._told: dict[str, str] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="household-ml-watch", daemon=True)

    def start(self) -> None:
        """Begin, with the first look at once."""
        self._thread.start()

    def stop(self) -> None:
        """End; a look that is under way is not waited for."""
        self._end.set()

    def _run(self) -> None:
        while not self._end.is_set():
            for name, look in self._looks.items():
                self._look(name, look)
            self._end.wait(self._seconds)

    def _look(self, name: str, look: Callable[[], object]) -> None:
        try:
            look()
        except HouseholdError as error:
            told = str(error)
        except Exception as error:  # noqa: BLE001 - a look must not end the watch
            told = f"an internal error ({type(error).__name__})"
        else:
            if self._told.pop(name, None):
                _LOG.info("looking at the %s works again", name)
            return
        self._on_failure(name)
        if self._told.get(name) != told:
            self._told[name] = told
            _LOG.warning("looking at the %s failed; what was there stays: %s", name, told)
