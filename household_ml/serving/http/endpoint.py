"""The way of every request: let in, read, answered, counted; an error becomes a problem.

An endpoint is an ASGI application of its own behind a route of FastAPI, since the requests,
responses and dependencies of the framework would cost more than the answer.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from household_ml.errors import (
    BusyError,
    HouseholdError,
    MediaTypeError,
    NotReadyError,
    Problem,
    SlowRequestError,
    TimedOutError,
    TooLargeError,
    UnauthorizedError,
)
from household_ml.serving.http import problems
from household_ml.serving.http.service import Service

__all__ = ["JSON", "Call", "Endpoint", "Gone", "Reply"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON: Final = "application/json"

_LOG = logging.getLogger("household_ml.http")
_NONE: Mapping[str, str] = MappingProxyType({})

#: A body up to this size is not counted as memory held.
_SMALL = 64 * 1024

#: Status of a request whose caller left, in the counters alone; nobody gets it.
_GONE = 499

_ORIGIN = os.urandom(4).hex()
_COUNT = itertools.count(1)


class Gone(Exception):  # noqa: N818 - nothing went wrong here
    """The caller left before the answer."""


class Reply(NamedTuple):
    """An answer.

    Parameters
    ----------
    body : bytes
        What is sent.
    media_type : str
        Its type.
    status : int
        Its status.
    headers : mapping of str to str
        Headers besides.
    """

    body: bytes
    media_type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = _NONE


class Call:
    """One request on its way.

    Parameters
    ----------
    service : Service
        What all requests share.
    scope, receive, send
        The request, as ASGI gives it.
    """

    __slots__ = ("_headers", "_held", "_receive", "_send", "identity", "service", "started", "told")

    def __init__(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        self.service = service
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send
        self.identity = f"{_ORIGIN}{next(_COUNT):08x}"
        self.started = False
        self.told = ""
        self._held = 0

    def header(self, name: bytes) -> bytes:
        """A header, empty when there is none."""
        return self._headers.get(name, b"")

    def media_type(self, *taken: str) -> str:
        """Type of the body, one of those that are taken; the first when it is not said.

        Raises
        ------
        MediaTypeError
            It is another one, or the body is compressed.
        """
        said = self.header(b"content-type").partition(b";")[0].strip().lower()
        encoding = self.header(b"content-encoding").strip().lower()
        if encoding not in (b"", b"identity"):
            raise MediaTypeError(
                Problem(
                    "a body must be sent as it is", encoding[:40].decode("latin-1"), "Unpack it."
                )
            )
        found = said.decode("latin-1") or taken[0]
        if found not in taken:
            must = f"Content-Type must be {' or '.join(taken)}"
            raise MediaTypeError(Problem(must, found[:80], "Set the header."))
        return found

    async def body(self) -> bytes:
        """The whole body.

        Raises
        ------
        TooLargeError
            It is larger than may be.
        SlowRequestError
            It took too long to arrive.
        BusyError
            Too much is held for other requests.
        Gone
            The caller left.
        """
        most = self.service.config.max_body
        announced = self.header(b"content-length")
        if announced.isdigit() and int(announced) > most:
            raise self.too_large(f"{int(announced)} bytes")
        try:
            async with asyncio.timeout(self.service.config.arrival_s):
                body, more = await self._part()
                if not more and len(body) <= most:
                    return body
                parts = bytearray(body)
                self._hold(len(body))
                while more:
                    part, more = await self._part()
                    parts += part
                    if len(parts) > most:
                        raise self.too_large("more")
                    self._hold(len(part))
        except TimeoutError as error:
            raise self.too_slow() from error
        if len(parts) > most:
            raise self.too_large("more")
        return bytes(parts)

    async def parts(self) -> AsyncIterator[bytes]:
        """The body as it arrives.

        Raises
        ------
        SlowRequestError
            Nothing came for too long.
        Gone
            The caller left.
        """
        more = True
        while more:
            try:
                async with asyncio.timeout(self.service.config.arrival_s):
                    part, more = await self._part()
            except TimeoutError as error:
                raise self.too_slow() from error
            yield part

    async def _part(self) -> tuple[bytes, bool]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone
        return message.get("body", b""), message.get("more_body", False)

    def _hold(self, size: int) -> None:
        if size > _SMALL or self._held:
            self.service.hold(size)
            self._held += size

    def release(self) -> None:
        """Give back the memory that the body took."""
        if self._held:
            self.service.release(self._held)
            self._held = 0

    def too_large(self, got: str) -> TooLargeError:
        """The error of a body beyond the limit."""
        self.service.metrics.refused("body")
        most = self.service.config.max_body
        return TooLargeError(
            Problem(
                f"the body must be at most {most} bytes",
                got,
                "Split it, stream it as application/x-ndjson, or use batch scoring on files.",
            )
        )

    def too_slow(self) -> SlowRequestError:
        """The error of a body that does not arrive."""
        self.service.metrics.refused("slow")
        must = f"the body must arrive within {self.service.config.arrival_s:g} s"
        return SlowRequestError(Problem(must, "less of it", "Send it faster, or in smaller parts."))

    async def start(self, reply: Reply, *, length: bool = True) -> None:
        """Send the status and the headers of an answer."""
        headers = [
            (b"content-type", reply.media_type.encode()),
            (b"x-request-id", self.identity.encode()),
            (b"cache-control", b"no-store"),
        ]
        if length:
            headers.append((b"content-length", str(len(reply.body)).encode()))
        if self.service.stopping:
            headers.append((b"connection", b"close"))
        headers += [(key.encode(), value.encode()) for key, value in reply.headers.items()]
        self.started = True
        await self._send(
            {"type": "http.response.start", "status": reply.status, "headers": headers}
        )

    async def part(self, body: bytes, *, more: bool) -> None:
        """Send a part of the body of an answer that was started."""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def answer(self, reply: Reply) -> None:
        """Send an answer."""
        await self.start(reply)
        await self.part(reply.body, more=False)


Handler = Callable[[Call], Awaitable[Reply | None]]


class Endpoint:
    """One route.

    Parameters
    ----------
    service : Service
        What all requests share.
    route : str
        Its path, for the counters.
    handler : callable
        What answers; None when it has sent its answer itself.
    open_to_all : bool, default=False
        Whether it answers without a key.
    work : bool, default=False
        Whether a request takes one of the places of requests in progress.
    """

    def __init__(
        self,
        service: Service,
        route: str,
        handler: Handler,
        *,
        open_to_all: bool = False,
        work: bool = False,
    ) -> None:
        self._service = service
        self._route = route
        self._handler = handler
        self._open = open_to_all
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = time.perf_counter()
        call = Call(self._service, scope, receive, send)
        try:
            reply = await self._reply(call)
        except Gone:
            status = _GONE
        except HouseholdError as error:
            status = await self._refuse(call, error)
        except Exception as error:  # noqa: BLE001 - an answer must be given whatever happens
            status = await self._fail(call, error)
        else:
            status = 200 if reply is None else reply.status
            if reply is not None:
                await call.answer(reply)
        self._count(call, status, time.perf_counter() - began)

    async def _reply(self, call: Call) -> Reply | None:
        if not self._open:
            self._service.let_in(call.header(b"authorization"))
        if not self._work:
            return await self._handler(call)
        self._service.enter()
        try:
            return await self._handler(call)
        finally:
            call.release()
            self._service.leave()

    async def _refuse(self, call: Call, error: HouseholdError) -> int:
        status = problems.status_of(error)
        headers: dict[str, str] = {}
        if isinstance(error, UnauthorizedError):
            headers["WWW-Authenticate"] = "Bearer"
        elif isinstance(error, BusyError | NotReadyError | TimedOutError):
            headers["Retry-After"] = "1"
        elif isinstance(error, SlowRequestError):
            headers["Connection"] = "close"
        await call.answer(Reply(problems.problem_body(error), problems.MEDIA_TYPE, status, headers))
        return status

    async def _fail(self, call: Call, error: Exception) -> int:
        """Tell neither the caller nor the log what the error says: it may quote the body."""
        frames = "; ".join(
            f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)[-6:]
        )
        _LOG.error("request=%s failed: %s at %s", call.identity, type(error).__name__, frames)
        if call.started:
            raise ConnectionAbortedError("the answer cannot be completed") from None
        told = HouseholdError(
            Problem(
                "the request must be answerable",
                f"an internal error in request {call.identity}",
                "Report it with this request id.",
            )
        )
        return await self._refuse(call, told)

    def _count(self, call: Call, status: int, seconds: float) -> None:
        self._service.metrics.answered(self._route, status, seconds)
        if self._service.log is not None:
            self._service.log(
                f"request={call.identity} route={self._route} status={status} "
                f"ms={seconds * 1e3:.2f}{call.told}"
            )
