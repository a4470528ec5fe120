"""Arrays in a file of their own kind: names, types and sizes first, then the bytes as they are.

Read where it was written, by the same version, during one run; not a format to keep.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml.sessions.table import ROW_COLUMNS, Sessions

__all__ = ["ArraysFile", "load_sessions", "save_arrays", "save_sessions"]

_MAGIC: Final = b"HMLARR01"
_ALIGNED: Final = 64


def save_arrays(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], about: Mapping[str, Any] | None = None
) -> None:
    """Write arrays; the file has its name when it is whole.

    Parameters
    ----------
    path : Path
        File to write.
    arrays : mapping of str to ndarray
        What to write.
    about : mapping, optional
        What else to keep, as JSON has it.
    """
    laid = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    shapes = {name: (array.dtype.str, array.shape) for name, array in laid.items()}
    told = json.dumps({"arrays": shapes, "about": dict(about or {})}).encode()
    told += b" " * (-(len(told) + 16) % _ALIGNED)
    working = path.with_name(path.name + ".part")
    with working.open("wb", buffering=0) as file:
        _write(file, _MAGIC + len(told).to_bytes(8, "little") + told)
        for array in laid.values():
            _write(file, array.reshape(-1).view(np.uint8).data if array.size else b"")
            _write(file, bytes(-array.nbytes % _ALIGNED))
    working.replace(path)


def _write(file: Any, content: bytes | memoryview) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


class ArraysFile:
    """A file of `save_arrays`, read array by array.

    Parameters
    ----------
    path : Path
        The file.

    Attributes
    ----------
    about : dict
        What was kept beside.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_arrays(Path(folder, "a"), {"x": np.arange(6).reshape(3, 2)})
    ...     ArraysFile(Path(folder, "a")).read("x", slice(1, 3)).tolist()
    [[2, 3], [4, 5]]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb", buffering=0) as file:
            head = file.read(16)
            if head[:8] != _MAGIC:
                raise OSError(f"{path} is no whole file of arrays")
            size = int.from_bytes(head[8:], "little")
            told = json.loads(file.read(size))
        self.about: dict[str, Any] = told["about"]
        self._places: dict[str, tuple[int, np.dtype[Any], tuple[int, ...]]] = {}
        at = 16 + size
        for name, (kind, shape) in told["arrays"].items():
            dtype = np.dtype(kind)
            self._places[name] = (at, dtype, tuple(shape))
            nbytes = dtype.itemsize * int(np.prod(shape))
            at += nbytes + (-nbytes % _ALIGNED)

    def length(self, name: str) -> int:
        """First dimension of an array."""
        return self._places[name][2][0]

    def read(self, name: str, part: slice | None = None) -> npt.NDArray[Any]:
        """An array, or some of its rows."""
        at, dtype, shape = self._places[name]
        start, stop, _ = (part or slice(None)).indices(shape[0])
        out = np.empty((max(0, stop - start), *shape[1:]), dtype)
        if out.size:
            row = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
            with self.path.open("rb", buffering=0) as file:
                file.seek(at + start * row)
                wanted = out.reshape(-1).view(np.uint8).data
                while wanted:
                    got = file.readinto(wanted)
                    if not got:
                        raise OSError(f"{self.path} ends too early")
                    wanted = wanted[got:]
        return out

    def map(self, name: str) -> npt.NDArray[Any]:
        """An array of which only what is looked at is read."""
        at, dtype, shape = self._places[name]
        if 0 in shape:
            return np.empty(shape, dtype)
        return np.memmap(self.path, dtype, "r", at, shape)

    def unlink(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


def save_sessions(path: Path, sessions: Sessions, about: Mapping[str, Any] | None = None) -> None:
    """Write sessions, without what is known of their reading.

    Parameters
    ----------
    path : Path
        File to write, which has its name when it is whole.
    sessions : Sessions
        What to write.
    about : mapping, optional
        What else to keep, beside the numbers of sessions and of accounts.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name in ("account_id", "device_id"):
        arrays[name + "_offsets"], arrays[name] = _text_arrays(getattr(sessions, name))
    for name in ("account_rows", "account_devices", *ROW_COLUMNS):
        arrays[name] = getattr(sessions, name)
    counts = {"sessions": len(sessions), "accounts": sessions.n_accounts}
    save_arrays(path, arrays, {**counts, **(about or {})})


def load_sessions(path: Path) -> Sessions:
    """Read what `save_sessions` wrote."""
    from household_ml.sessions.reading import Reading

    file = ArraysFile(path)
    ids = {}
    for name in ("account_id", "device_id"):
        offsets = file.read(name + "_offsets")
        buffers = (pa.py_buffer(offsets), pa.py_buffer(file.read(name)))
        ids[name] = pa.LargeStringArray.from_buffers(len(offsets) - 1, *buffers)
    rows = {name: file.read(name) for name in ("account_rows", "account_devices", *ROW_COLUMNS)}
    return Sessions(**ids, **rows, reading=Reading(rows_in=len(rows["started_at"])))


def _text_arrays(texts: pa.LargeStringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    _, offsets, characters = texts.buffers()
    if offsets is None or len(texts) == 0:
        return np.zeros(1, np.int64), np.zeros(0, np.uint8)
    starts = np.frombuffer(offsets, np.int64, len(texts) + 1, 8 * texts.offset)
    text = np.frombuffer(characters, np.uint8) if characters else np.zeros(0, np.uint8)
    return starts - starts[0], text[starts[0] : starts[-1]]
