"""Callers that ask again and again, and keep what became of each request."""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

import httpx

from tests.serving.http.asking import SCORE


class Load:
    """Threads that post one account each as fast as they are answered.

    Parameters
    ----------
    address : str
        Of the service.
    callers : int
        Threads.
    headers : dict or None
        Headers of each request, besides its type.
    """

    def __init__(
        self, address: str, callers: int = 3, headers: dict[str, str] | None = None
    ) -> None:
        self._address = address
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(callers)]
        self.outcomes: list[tuple[float, str]] = []

    def _ask(self) -> None:
        with httpx.Client(base_url=self._address, timeout=120, headers=self._headers) as client:
            while not self._over.is_set():
                began = time.monotonic()
                try:
                    answer = client.post("/v1/score", content=SCORE)
                    told = answer.json().get("model") or answer.text
                    outcome = told if answer.status_code == 200 else f"{answer.status_code} {told}"
                except httpx.HTTPError as error:
                    outcome = f"error {type(error).__name__}"
                self.outcomes.append((began, outcome))

    def counts(self, since: float = 0.0) -> Counter[str]:
        """Outcomes of requests that began since then: labels of models, statuses, errors."""
        return Counter(outcome for began, outcome in self.outcomes if began >= since)

    def wait_for(self, more: int, seconds: float = 600) -> None:
        """Wait until so many more requests are answered."""
        wanted = len(self.outcomes) + more
        end = time.monotonic() + seconds
        while len(self.outcomes) < wanted:
            assert time.monotonic() < end, self.counts()
            time.sleep(0.01)

    def stop(self) -> None:
        """End the callers, each after its answer."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()
