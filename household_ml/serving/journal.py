"""What a batch has finished, kept beside its output so that it goes on where it was killed.

Beside ``scores.parquet`` stands the folder ``.scores.parquet.work`` while the batch is under way.
A part that is finished has its name there, since every file gets its name when it is whole: so a
batch that is started again looks what is there and does the rest. The folder belongs to one call:
a digest of the inputs, the options and the model is kept in it, and with another digest it is
emptied first. It goes when the output is there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa

from household_ml.errors import ParameterError, Problem, ResourcesError

__all__ = [
    "Journal",
    "clear_errors",
    "digest_of_table",
    "fingerprint",
    "under_way",
    "work_folder",
    "work_of",
]

_PLAN: Final = "plan.json"
_LOCK: Final = "lock"
_ENDS: Final = 1 << 16
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def work_folder(target: Path) -> Path:
    """Where a batch keeps what is finished until its output is there.

    Examples
    --------
    >>> work_folder(Path("scores.parquet")).name
    '.scores.parquet.work'
    """
    return target.with_name(f".{target.name}.work")


def work_of(path: Path) -> Path | None:
    """The work folder that a file lies in; None where it lies in none.

    Examples
    --------
    >>> work_of(Path("out/.scores.parquet.work/part-000001")).name
    '.scores.parquet.work'
    >>> work_of(Path("out/scores.parquet")) is None
    True
    """
    return next((each for each in path.parents if re.fullmatch(r"\..+\.work", each.name)), None)


def under_way(folder: Path) -> bool:
    """Whether a run holds a work folder now."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _try_lock(lock)
    finally:
        os.close(lock)


def fingerprint(path: Path) -> dict[str, Any]:
    """What tells a file from others without reading all of it.

    Its place, size, time of change, and a digest of its first and last 64 KiB.
    """
    about = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_ENDS))
        file.seek(max(0, about.st_size - _ENDS))
        digest.update(file.read(_ENDS))
    return {
        "path": str(path.resolve()),
        "bytes": about.st_size,
        "changed": about.st_mtime_ns,
        "ends": digest.hexdigest(),
    }


def digest_of_table(table: pa.Table | None) -> str | None:
    """SHA-256 of all that a table says, in hexadecimal; None of none."""
    if table is None:
        return None
    sink = _Digest()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sink.digest.hexdigest()


class _Digest:
    """A file that keeps a digest of what is written to it, and nothing else."""

    closed = False

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def write(self, content: Any) -> int:
        self.digest.update(content)
        return len(content)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        self.closed = True


class Journal:
    """The work folder of one batch, held by one run at a time; a context.

    Parameters
    ----------
    target : Path
        The output.
    key : mapping
        All that decides the bytes of the output, as JSON has it.

    Attributes
    ----------
    folder : Path
        Where finished parts lie.
    plan : dict
        What was decided at the start, and how far the batch has come; see :meth:`save`.

    Raises
    ------
    ParameterError
        Another run is writing the same output.
    """

    def __init__(self, target: Path, key: Mapping[str, Any]) -> None:
        self.folder = work_folder(target)
        told = json.dumps(key, sort_keys=True, default=str)
        self.key = hashlib.sha256(told.encode()).hexdigest()
        self.plan: dict[str, Any] = {}
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        if not _try_lock(self._lock):
            self._release()
            raise ParameterError(
                Problem(
                    "an output must be written by one run at a time",
                    f"another that holds {self.folder}",
                    "Wait for it, or give another name.",
                )
            )
        try:
            self.plan = json.loads((self.folder / _PLAN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.plan = {}
        if self.plan.get("key") != self.key:
            self.drop("*", keep=_LOCK)
            self.plan = {"key": self.key}
        return self

    def __exit__(self, *about: object) -> None:
        self._release()

    def save(self, **told: Any) -> None:
        """Add to the plan and keep it; it is there as a whole or not at all."""
        self.plan |= told
        working = self.folder / f"{_PLAN}.part"
        working.write_text(json.dumps(self.plan), encoding="utf-8")
        working.replace(self.folder / _PLAN)

    def path(self, part: str, number: int) -> Path:
        """File of a part."""
        return self.folder / f"{part}-{number:06d}"

    def drop(self, pattern: str, *, keep: str = "") -> None:
        """Remove files that are needed no more."""
        for path in self.folder.glob(pattern):
            if path.name != keep:
                path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _try_lock(file: int) -> bool:
    """Lock a file for as long as this process lives; without locks, take it for locked."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def clear_errors(folder: Path) -> Iterator[None]:
    """Tell a full disk and memory that has run out as what they are.

    Parameters
    ----------
    folder : Path
        Where finished parts are kept.

    Raises
    ------
    ResourcesError
        Instead of what the operating system says.
    """
    again = f"What is finished is kept in {folder}; start again to go on."
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ResourcesError(
                Problem(
                    "the disk must have room for the output and for the rows under way",
                    str(error),
                    f"Make room, or give --out on another disk. {again}",
                )
            ) from error
        if error.errno == errno.ENOMEM:
            raise _no_memory(error, again) from error
        raise
    except MemoryError as error:
        raise _no_memory(error, again) from error
    except RuntimeError as error:
        if "new thread" not in str(error):
            raise
        raise _no_memory(error, again) from error


def _no_memory(error: BaseException, again: str) -> ResourcesError:
    told = str(error).strip() or "none left"
    return ResourcesError(
        Problem(
            "memory must suffice for the parts under way",
            told,
            f"Set HOUSEHOLD_ML_THREADS or HOUSEHOLD_ML_BATCH_SESSIONS lower. {again}",
        )
    )
