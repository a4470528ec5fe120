"""Ways to ask that a polite client has not."""

from __future__ import annotations

import json
import socket
from types import TracebackType
from typing import Any, Self

import httpx

from household_ml.serving.http.openapi import EXAMPLE

SCORE = json.dumps(EXAMPLE).encode()

#: A caller with patience, who closes the connection of each request.
ask = httpx.Client(timeout=120, limits=httpx.Limits(max_keepalive_connections=0))


def problems(answer: httpx.Response, status: int, code: str) -> list[dict[str, Any]]:
    """The problems of an answer that must be one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert (found["status"], found["code"]) == (status, code)
    assert found["type"] == f"urn:household-ml:problem:{code}"
    listed: list[dict[str, Any]] = found["problems"]
    return listed


def post(path: str, length: int, *headers: str) -> bytes:
    """Head of a request whose body comes later, or never."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: service",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        *headers,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def chunked(part: bytes) -> bytes:
    """A part of a body that comes in parts; an empty one ends it."""
    return b"%x\r\n" % len(part) + part + b"\r\n"


class Raw:
    """A connection that sends what it is told to, and no more.

    Parameters
    ----------
    address : str or httpx.URL
        Of the service.
    timeout : float, default=30
        Seconds to wait for anything.
    room : int, default=0
        Bytes that it takes in before they are read; 0 for as many as usual.
    """

    def __init__(self, address: str | httpx.URL, timeout: float = 30, room: int = 0) -> None:
        url = httpx.URL(address)
        self.socket = socket.socket()
        self.socket.settimeout(timeout)
        if room:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        try:
            self.socket.connect((url.host, url.port or 80))
        except OSError:
            self.socket.close()
            raise
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one answer."""
        status, headers = self.head()
        return status, headers, self._file.read(int(headers.get("content-length", 0)))

    def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of an answer."""
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def chunk(self) -> bytes:
        """The next part of an answer that comes in parts; empty at its end."""
        size = int(self._file.readline(), 16)
        part = self._file.read(size)
        self._file.readline()
        return part

    def is_closed(self) -> bool:
        """Whether the service has closed it."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()
