"""Progress of long work: a bar on a terminal, plain lines elsewhere, on standard error."""

from __future__ import annotations

import sys
import threading
import time
from typing import Self

__all__ = ["Progress", "bars_shown"]

#: Seconds between two plain lines.
_EVERY_S = 5.0

#: What is counted now, on a terminal or in lines.
_SHOWN: list[object] = []


def bars_shown() -> bool:
    """Whether work is being counted, so that its progress is told already."""
    return bool(_SHOWN)


class Progress:
    """Tells how far a loop has come.

    Parameters
    ----------
    task : str
        What is being done, as ``scoring``.
    total : int
        Units to do.
    unit : str, default="accounts"
        What is counted; an empty word tells a share instead.
    quiet : bool, default=False
        Tell nothing.

    Examples
    --------
    >>> with Progress("scoring", 2, quiet=True) as progress:
    ...     progress.advance(2)
    """

    def __init__(
        self, task: str, total: int, *, unit: str = "accounts", quiet: bool = False
    ) -> None:
        self.task = task
        self.total = total
        self.unit = unit
        self.done = self._skipped = 0
        self._quiet = quiet
        self._began = self._told = time.monotonic()
        self._lock = threading.Lock()
        self._bar = None
        if not quiet and sys.stderr.isatty():
            from tqdm import tqdm

            share = {} if unit else {"bar_format": "{l_bar}{bar}| {elapsed}, {remaining} left"}
            self._bar = tqdm(total=total, desc=task, unit=f" {unit}", file=sys.stderr, **share)

    def advance(self, units: int) -> None:
        """Count units as done; threads may count side by side."""
        with self._lock:
            # Totals may be guesses: a bar that is full stays full.
            units = min(units, self.total - self.done)
            self.done += units
            if self._bar is not None:
                self._bar.update(units)
                return
            now = time.monotonic()
            if not self._quiet and now - self._told >= _EVERY_S:
                self._told = now
                sys.stderr.write(f"{self.task}: {self._so_far()}, {self._left(now)}\n")
                sys.stderr.flush()

    def skip(self, units: int) -> None:
        """Count units that were done before; they tell nothing of how long the others take."""
        with self._lock:
            units = min(units, self.total - self.done)
            self.done += units
            self._skipped += units
            if self._bar is not None:
                self._bar.initial += units
                self._bar.update(units)

    def _so_far(self) -> str:
        if not self.unit:
            return f"{100 * self.done / max(self.total, 1):.0f} %"
        return f"{self.done:,} of {self.total:,} {self.unit}"

    def _left(self, now: float) -> str:
        own = max(self.done - self._skipped, 1)
        return f"about {(now - self._began) * (self.total - self.done) / own:.0f} s left"

    def __enter__(self) -> Self:
        if not self._quiet:
            _SHOWN.append(self)
        return self

    def __exit__(self, *raised: object) -> None:
        if not self._quiet:
            _SHOWN.remove(self)
        if self._bar is not None:
            self._bar.close()
