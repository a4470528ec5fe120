"""One connection: uvicorn's, with limits on what comes before and after a request.

The limits of a request itself (its body, its place among the others) are kept by the endpoint;
here are those of the connection: headers that never end, bytes that follow an early refusal, a
peer that does not read its answer, and too many connections.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from household_ml.config import ServiceConfig
from household_ml.errors import (
    BusyError,
    FormatError,
    HouseholdError,
    Problem,
    SlowRequestError,
    TooLargeError,
)
from household_ml.serving.http.metrics import Metrics
from household_ml.serving.http.problems import MEDIA_TYPE, problem_body

__all__ = ["connection_class"]

#: Bytes of a request line and headers together.
_MAX_HEADERS: Final = 64 * 1024

_PHRASES: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


def connection_class(config: ServiceConfig, metrics: Metrics) -> type[HttpToolsProtocol]:
    """The class of a service's connections, for uvicorn.

    Parameters
    ----------
    config : ServiceConfig
        Limits of the service.
    metrics : Metrics
        Where refusals are counted.

    Returns
    -------
    type
    """

    class Connection(_Connection):
        limits = config
        counters = metrics

    return Connection


class _Connection(HttpToolsProtocol):
    limits: ServiceConfig
    counters: Metrics

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._in_headers = True  # from the first byte of a request, or the opening, to their end
        self._in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, if there is room for it."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            self.counters.refused("connections")
            most = self.limits.max_connections
            problem = Problem(f"at most {most} connections must be open", "one more", "Wait.")
            self._refuse(503, BusyError(problem))
            return
        self._timer = self.loop.call_later(self.limits.arrival_s, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._forget()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, and see that headers end and nothing follows a refusal for long."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > _MAX_HEADERS and not self.transport.is_closing():
                self.counters.refused("headers")
                problem = Problem(
                    f"the headers must be at most {_MAX_HEADERS} bytes", "more", "Send fewer."
                )
                self._refuse(431, TooLargeError(problem))
            elif self._timer is None:
                self._timer = self.loop.call_later(self.limits.arrival_s, self._too_slow)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_headers = True
        self._header_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its headers are there; from here on the endpoint keeps the limits."""
        self._in_headers = False
        self._in_body = True
        self._forget()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Its body is there."""
        self._in_body = False
        self._forget()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Let what is left of a refused body come and go, for as long as a body may take."""
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing() and self._timer is None:
            self._unset_keepalive_if_required()
            self._timer = self.loop.call_later(self.limits.arrival_s, self.transport.abort)

    def pause_writing(self) -> None:
        """The peer does not read: wait a while."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.work_s, self._not_read)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP gets a problem as well."""
        self.counters.refused("malformed")
        problem = Problem("the request must be HTTP/1.1", msg, "See RFC 9112.")
        self._refuse(400, FormatError(problem))

    def _too_slow(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if not self._header_bytes:
            self.transport.close()  # nobody asked anything
            return
        self.counters.refused("slow")
        must = f"the headers must arrive within {self.limits.arrival_s:g} s"
        self._refuse(408, SlowRequestError(Problem(must, "less of them", "Send them faster.")))

    def _not_read(self) -> None:
        self._write_timer = None
        self.counters.refused("unread")
        self.transport.abort()

    def _refuse(self, status: int, error: HouseholdError) -> None:
        """Answer without the application, and close."""
        body = problem_body(error, status)
        lines = (
            f"HTTP/1.1 {status} {_PHRASES[status]}",
            f"content-type: {MEDIA_TYPE}",
            f"content-length: {len(body)}",
            "connection: close",
        )
        self.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        self.transport.close()

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
