"""A service in a thread of the tests, and clients of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx
import pyarrow as pa
import pytest
from fastapi import FastAPI

from household_ml.networks import NetworkStatistics, enrich
from household_ml.scoring import HouseholdScorer
from household_ml.serving.http import create_app
from household_ml.serving.http.server import Server
from household_ml.sessions import read_sessions

Running = Callable[[FastAPI], AbstractContextManager[httpx.Client]]


@contextmanager
def running(app: FastAPI) -> Iterator[httpx.Client]:
    """A client of a server that runs until the block ends."""
    server = Server(app)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server ended before it listened"
            time.sleep(0.01)
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def wait_until(holds: Callable[[], bool], seconds: float = 600) -> None:
    """Wait for something that a thread or a process does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def is_ready(client: httpx.Client) -> bool:
    return client.get("/readyz").status_code == 200


@pytest.fixture(scope="session")
def statistics(sessions: pa.Table) -> NetworkStatistics:
    return enrich(read_sessions(sessions)).statistics


@pytest.fixture(scope="module")
def client(scorer: HouseholdScorer, statistics: NetworkStatistics) -> Iterator[httpx.Client]:
    with running(create_app(scorer, statistics)) as found:
        wait_until(lambda: is_ready(found))
        yield found
