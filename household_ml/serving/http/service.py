"""What all requests of one service share: the model, the keys, the limits, the counters."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from household_ml.config import ServiceConfig
from household_ml.errors import (
    BusyError,
    NotReadyError,
    Problem,
    TimedOutError,
    TooLargeError,
    UnauthorizedError,
)
from household_ml.serving.api_keys import KeyRing
from household_ml.serving.http.metrics import Metrics
from household_ml.serving.http.model_in_use import Loaded, ModelInUse
from household_ml.serving.http.watch import Watch

__all__ = ["Service"]

_LOG = logging.getLogger("household_ml.http")

Result = TypeVar("Result")


class Service:
    """One service.

    Parameters
    ----------
    models : ModelInUse
        The model that answers.
    keys : KeyRing or None
        Keys that open the service; None: it is open to all.
    config : ServiceConfig
        Its limits.
    log : callable or None
        Takes the line of each request.
    """

    def __init__(
        self,
        models: ModelInUse,
        keys: KeyRing | None,
        config: ServiceConfig,
        log: Callable[[str], object] | None,
    ) -> None:
        self.models = models
        self.keys = keys
        self.config = config
        self.metrics = Metrics()
        self.log = log
        self.stopping = False
        self._held = 0
        self._most_held = max(4 * config.max_body, 64 * 1024 * 1024)
        self._threads = ThreadPoolExecutor(config.max_batches, "household-ml-work")
        models.on_swap = self._swapped
        if models.ready:
            self._swapped(models.current(), False)
        looks: dict[str, Callable[[], object]] = {"model": self._look_at_model}
        if keys is not None:
            looks["API keys"] = keys.refresh
        self._watch = Watch(config.refresh_s, looks, self.metrics.failed)

    @property
    def ready(self) -> bool:
        """Whether requests can be answered, and will be for a while."""
        return self.models.ready and not self.stopping

    def start(self) -> None:
        """Begin to look at the model and the keys, from a thread."""
        self._watch.start()

    def stop(self) -> None:
        """End that, and what was not begun."""
        self.stopping = True
        self._watch.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def let_in(self, authorization: bytes) -> None:
        """Let a caller in.

        Raises
        ------
        UnauthorizedError
            The header holds no key of this service.
        """
        if self.keys is None:
            return
        name = self.keys.caller(authorization)
        if name is None:
            self.metrics.refused("unauthorized")
            raise UnauthorizedError(
                Problem(
                    "the header Authorization must be Bearer and an API key of this service",
                    "another key" if authorization else "no such header",
                    "Ask whoever runs the service for a key.",
                )
            )
        self.metrics.called(name)

    def enter(self) -> None:
        """Take one of the places for requests in progress.

        Raises
        ------
        BusyError
            All are taken.
        """
        if self.metrics.in_progress >= self.config.max_requests:
            self.metrics.refused("busy")
            most = self.config.max_requests
            raise BusyError(
                Problem(
                    f"at most {most} requests must be in progress at once",
                    "one more",
                    "Ask again in a second.",
                )
            )
        self.metrics.in_progress += 1

    def leave(self) -> None:
        """Give the place back."""
        self.metrics.in_progress -= 1

    def hold(self, size: int) -> None:
        """Take memory for the parts of large bodies, all requests together.

        Raises
        ------
        BusyError
            Too much is held.
        """
        if self._held + size > self._most_held:
            self.metrics.refused("memory")
            raise BusyError(
                Problem(
                    f"bodies in progress must be at most {self._most_held} bytes together",
                    "more",
                    "Ask again in a second, or send smaller ones.",
                )
            )
        self._held += size

    def release(self, size: int) -> None:
        """Give the memory back."""
        self._held -= size

    def current(self) -> Loaded:
        """The model that answers.

        Raises
        ------
        NotReadyError
            There is none yet.
        """
        return self.models.current()

    async def work(self, function: Callable[..., Result], *given: object) -> Result:
        """Work on something large in a thread, where at most ``max_batches`` are at work.

        Raises
        ------
        TimedOutError
            It did not end in time, waiting included.
        NotReadyError
            The service stops.
        """
        loop = asyncio.get_running_loop()
        try:
            task = loop.run_in_executor(self._threads, function, *given)
        except RuntimeError as error:
            raise NotReadyError(
                Problem("the service must be running", "it stops", "Ask another one.")
            ) from error
        try:
            async with asyncio.timeout(self.config.work_s):
                return await task
        except TimeoutError as error:
            self.metrics.refused("timed_out")
            raise TimedOutError(
                Problem(
                    f"an answer must take at most {self.config.work_s:g} s, waiting included",
                    "more",
                    "Ask for fewer accounts at once, or later.",
                )
            ) from error

    def check_size(self, sessions: int) -> None:
        """Check how many sessions a request has, those of all accounts together.

        Raises
        ------
        TooLargeError
            There are more than may be.
        """
        most = self.config.max_sessions
        if sessions > most:
            self.metrics.refused("sessions")
            raise TooLargeError(
                Problem(
                    f"a request must have at most {most} sessions, of all accounts together",
                    str(sessions),
                    "Split it, or stream it as application/x-ndjson.",
                )
            )

    def _look_at_model(self) -> None:
        try:
            self.models.refresh()
        finally:
            self.metrics.stale(self.models.stale)

    def _swapped(self, loaded: Loaded, swapped: bool) -> None:
        self.metrics.model(loaded.scorer.model_label, swapped=swapped)
