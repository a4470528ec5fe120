"""One line for each request, written together a few times a second.

A line through the logging library costs as much as parsing the body that it tells of. What was not
written yet is lost when the process is killed, not when it is told to stop.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final, TextIO

__all__ = ["TIME_FORMAT", "RequestLog"]

#: How times are written, in UTC.
TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"

_EVERY_S: Final = 0.2


class RequestLog:
    """Lines of requests, written to a stream from the event loop.

    Parameters
    ----------
    stream : text stream
        Where they go.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._second = 0
        self._shown = ""

    def write(self, line: str) -> None:
        """Add a line; the time is put before it."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._shown = time.strftime(TIME_FORMAT, time.gmtime(now))
        if not self._lines:
            asyncio.get_running_loop().call_later(_EVERY_S, self.flush)
        self._lines.append(f"{self._shown} {line}\n")

    def flush(self) -> None:
        """Write what is there."""
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write("".join(lines))
            self._stream.flush()
