"""The process: load a model, listen, and stop without losing a request."""

from __future__ import annotations

import gc
import ipaddress
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from household_ml.config import ServiceConfig, environment
from household_ml.errors import ParameterError, Problem, RegistryError
from household_ml.serving.api_keys import KeyRing
from household_ml.serving.http.answers import try_out
from household_ml.serving.http.app import create_app
from household_ml.serving.http.connection import connection_class
from household_ml.serving.http.model_in_use import ModelInUse
from household_ml.serving.http.model_sources import source_of
from household_ml.serving.http.request_log import TIME_FORMAT, RequestLog
from household_ml.serving.http.service import Service

if TYPE_CHECKING:
    from household_ml.scoring import HouseholdScorer

__all__ = ["OFF", "Server", "serve"]

#: What stands in the place of a file of keys when there are none, by choice.
OFF = "off"

_LOG = logging.getLogger("household_ml.http")


def serve(
    model: str | None = None,
    *,
    networks: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    api_keys: str | None = None,
    recording: Callable[[HouseholdScorer], HouseholdScorer] | None = None,
) -> None:
    """Load a model and answer until told to stop.

    Parameters
    ----------
    model : str or None, default=None
        Folder or MLflow URI; None as in :meth:`HouseholdScorer.load`.
    networks : str or None, default=None
        Snapshot of network statistics for every request.
    host : str, default="127.0.0.1"
        Address to listen on.
    port : int, default=8080
        Port to listen on; 0 for a free one.
    api_keys : str or None, default=None
        File of API keys, or ``off``, which is taken on a loopback address alone; None for
        ``HOUSEHOLD_ML_HTTP_KEYS``.
    recording : callable or None, default=None
        What makes a scorer write its answers into an audit record; None where none is kept.

    Raises
    ------
    ParameterError
        There are no keys, or a limit of the environment is no number.
    ModelError
        There is no such model, or it cannot be used. A registry that does not answer is no error:
        the model that was fetched last answers, or none until it does.
    """
    from household_ml.networks import NetworkStatistics

    config = ServiceConfig.from_environment()
    keys = _keys(api_keys or environment("HOUSEHOLD_ML_HTTP_KEYS"), host)
    log = _log_to_standard_error(environment("HOUSEHOLD_ML_HTTP_LOG"))
    statistics = NetworkStatistics.load(networks) if networks is not None else None
    source = source_of(model)
    models = ModelInUse(source, statistics, try_out=try_out, recording=recording)
    try:
        models.prepare()
    except RegistryError as error:
        _LOG.warning("%s", error)
    app = create_app(models, keys=keys, config=config, log=None if log is None else log.write)
    server = Server(app, host, port)
    with _listening(host, port) as listener:
        server.run(sockets=[listener])
    if log is not None:
        log.flush()
    if server.interrupted:
        raise KeyboardInterrupt


class Server(uvicorn.Server):
    """A server of one application, which stops in three steps.

    Told to stop, it says that it is not ready and lets every answer close its connection, for
    ``drain_s`` seconds; then it stops listening; then requests in flight have ``stop_s`` seconds
    to finish. A second signal skips the first step.

    Parameters
    ----------
    app : FastAPI
        What :func:`~household_ml.serving.http.app.create_app` gave.
    host : str
        Address to listen on.
    port : int
        Port to listen on; 0 for a free one.
    """

    def __init__(self, app: FastAPI, host: str = "127.0.0.1", port: int = 0) -> None:
        service: Service = app.state.service
        limits = service.config
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=connection_class(limits, service.metrics),
            loop="auto",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(limits.stop_s)),
        )
        super().__init__(config)
        self._service = service
        self._drained: float | None = None
        self.interrupted = False
        self._told_ready = False

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.servers[0].sockets[0].getsockname()[1])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        await super().startup(sockets)
        host = self.config.host
        shown = f"[{host}]" if ":" in host else host
        _LOG.info("listening on http://%s:%d", shown, self.port)

    async def on_tick(self, counter: int) -> bool:
        """See, ten times a second, whether the model is there, and whether it is time to stop."""
        if not self._told_ready and self._service.ready:
            self._told_ready = True
            gc.collect()
            gc.freeze()  # what lives as long as the process needs no more looking through
            _notify("READY=1")
        if self._drained is not None and time.monotonic() >= self._drained:
            self.should_exit = True
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; at the second signal, stop now."""
        del frame
        self.interrupted = sig == signal.SIGINT
        if self._drained is None:
            self._service.stopping = True
            self._drained = time.monotonic() + self._service.config.drain_s
            _notify("STOPPING=1")
            _LOG.info("told to stop; %d connections are open", len(self.server_state.connections))
        elif self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        else:
            self.should_exit = True


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ParameterError(
            Problem(
                "--host and --port must be an address of this machine and a port that is free",
                f"{host} and {port} ({error.strerror or error})",
                "Choose another port, or 0 for any that is free.",
            )
        ) from error


def _keys(named: str, host: str) -> KeyRing | None:
    if named and named != OFF:
        return KeyRing(named)
    if named == OFF and _is_loopback(host):
        return None
    told = f"{OFF} on {host}" if named else "none"
    raise ParameterError(
        Problem(
            "API keys must be given, or be off by choice on a loopback address",
            told,
            "Make one with household-ml api-keys --file keys.json --add NAME and give --api-keys "
            "keys.json; on this machine alone, --api-keys off.",
        )
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _log_to_standard_error(what: str) -> RequestLog | None:
    """One line an event; a line for each request unless errors alone are wanted."""
    if what not in ("requests", "errors"):
        raise ParameterError(
            Problem(
                "HOUSEHOLD_ML_HTTP_LOG must be requests or errors",
                repr(what),
                "Choose one of them.",
            )
        )
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", TIME_FORMAT)
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    for name in ("household_ml.http", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.WARNING if name == "uvicorn.error" else logging.INFO)
    return RequestLog(sys.stderr) if what == "requests" else None


def _notify(state: str) -> None:
    """Tell systemd, if it is there, what became of the service (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    name = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.sendto(state.encode(), name)
        except OSError as error:
            _LOG.warning("systemd could not be told: %s", type(error).__name__)
