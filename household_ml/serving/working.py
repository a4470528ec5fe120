"""Work whose length nobody knows: from two seconds on it is told that it goes on.

On a terminal that is one line, which is wiped at the end; elsewhere it is a plain line now and
then. While a :class:`~household_ml.serving.progress.Progress` is shown, nothing is told beside it.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Self

from household_ml.serving.progress import bars_shown

__all__ = ["Working"]

#: Seconds until the first word, and between two: on a terminal, and in plain lines.
_AFTER_S = 2.0
_EVERY_S = 0.5
_PLAIN_AFTER_S = 15.0
_PLAIN_EVERY_S = 30.0


class Working:
    """Tells that work goes on.

    Parameters
    ----------
    task : str
        What is being done, as ``household-ml train``.

    Examples
    --------
    >>> with Working("thinking"):
    ...     pass
    """

    def __init__(self, task: str) -> None:
        self.task = task
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="working", daemon=True)

    def _tell(self) -> None:
        began = time.monotonic()
        out = sys.stderr
        blinks = out.isatty()
        shown = False
        wait = _AFTER_S if blinks else _PLAIN_AFTER_S
        while not self._ended.wait(wait):
            wait = _EVERY_S if blinks else _PLAIN_EVERY_S
            if bars_shown():
                continue
            told = f"{self.task}: {time.monotonic() - began:.0f} s"
            out.write(f"\r{told}\r" if blinks else f"{told}\n")
            out.flush()
            shown = blinks
        if shown:
            out.write("\r\033[K")
            out.flush()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        self._thread.join()
