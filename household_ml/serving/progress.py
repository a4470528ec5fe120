"""Progress of long work: a bar on a terminal, plain lines elsewhere, on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

__all__ = ["Progress"]

#: Seconds between two plain lines.
_EVERY_S = 5.0


class Progress:
    """Tells how far a loop has come.

    Parameters
    ----------
    task : str
        What is being done, as ``scoring``.
    total : int
        Units to do.
    unit : str, default="accounts"
        What is counted.
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
        self.done = 0
        self._quiet = quiet
        self._began = self._told = time.monotonic()
        self._bar = None
        if not quiet and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=task, unit=f" {unit}", file=sys.stderr)

    def advance(self, units: int) -> None:
        """Count units as done."""
        self.done += units
        if self._bar is not None:
            self._bar.update(units)
            return
        now = time.monotonic()
        if not self._quiet and now - self._told >= _EVERY_S:
            self._told = now
            share = self.done / max(self.total, 1)
            left = (now - self._began) * (1 - share) / max(share, 1e-9)
            sys.stderr.write(
                f"{self.task}: {self.done:,} of {self.total:,} {self.unit}, "
                f"about {left:.0f} s left\n"
            )
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
