"""Files as they are found: one path, a folder, a glob or a zip, opened or looked into."""

from __future__ import annotations

import glob
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa

from household_ml.errors import FormatError, InputError, Problem

__all__ = ["Stored", "find_files"]

_HEAD = 1 << 16
_SKIPPED = (".", "_", "~$")


@dataclass(frozen=True)
class Stored:
    """One file, on disk or inside a zip.

    Parameters
    ----------
    name : str
        Name told to the reader: the path as given, and within a zip its member.
    path : Path
        The file, or the zip that holds it.
    member : str or None
        Name within the zip.
    """

    name: str
    path: Path
    member: str | None = None

    def read(self) -> bytes:
        """The whole content."""
        if self.member is None:
            return self.path.read_bytes()
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(self.member)
        except (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, NotImplementedError) as bad:
            raise FormatError(
                Problem(
                    f"{self.name} must be readable without a password",
                    str(bad),
                    "Unpack the archive and give the folder.",
                )
            ) from bad

    def head(self) -> bytes:
        """The first 64 KiB."""
        if self.member is None:
            with self.path.open("rb") as opened:
                return opened.read(_HEAD)
        with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as opened:
            return opened.read(_HEAD)

    def open(self) -> pa.NativeFile:
        """An Arrow file that can be sought."""
        if self.member is None:
            return (
                pa.memory_map(str(self.path)) if self.path.stat().st_size else pa.BufferReader(b"")
            )
        return pa.BufferReader(self.read())

    def stream(self) -> pa.NativeFile:
        """An Arrow file that is read as it is asked for, and takes no memory before."""
        return pa.BufferReader(self.read()) if self.member else pa.OSFile(str(self.path))

    def size(self) -> int:
        """Bytes, unpacked."""
        if self.member is None:
            return self.path.stat().st_size
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(self.member).file_size

    @property
    def parts(self) -> tuple[str, ...]:
        """Folders above the file and its own name, the zip standing as a folder without suffix."""
        if self.member is None:
            return self.path.resolve().parts
        return (self.path.stem, *PurePosixPath(self.member).parts)


def _is_hidden(parts: Sequence[str]) -> bool:
    return any(part.startswith(_SKIPPED) for part in parts)


def _members(path: Path, name: str) -> list[Stored]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(each.filename for each in archive.infolist() if not each.is_dir())
    except zipfile.BadZipFile as bad:
        raise FormatError(
            Problem(f"{name} must be a whole zip archive", str(bad), "Copy or download it again.")
        ) from bad
    kept = [member for member in members if not _is_hidden(PurePosixPath(member).parts)]
    return [Stored(f"{name}/{member}", path, member) for member in kept]


def _in_folder(folder: Path) -> list[Path]:
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not _is_hidden([each]))
        found += [Path(root, file) for file in sorted(files) if not _is_hidden([file])]
    return found


def _is_zip(path: Path) -> bool:
    with path.open("rb") as opened:
        return opened.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def find_files(source: str | os.PathLike[str]) -> list[Stored]:
    """Files meant by a path: itself, those under a folder, those a glob matches, those in a zip.

    Hidden files and those that start with ``_`` (marks that writers of folders leave) are skipped.

    Parameters
    ----------
    source : str or path
        File, folder, zip, or a pattern with ``*``, ``?``, ``[...]`` or ``**``.

    Returns
    -------
    list of Stored
        By name; a zip is replaced by its members.

    Raises
    ------
    InputError
        When nothing is there.
    FormatError
        When a zip is damaged.
    """
    given = os.fspath(source)
    path = Path(given)
    if path.is_dir():
        paths = _in_folder(path)
        if not paths:
            raise InputError(
                Problem(f"folder {given} must hold files", "none", "Give a folder with sessions.")
            )
    elif path.exists():
        paths = [path]
    else:
        matched = sorted(Path(each) for each in glob.glob(given, recursive=True))  # noqa: PTH207
        paths = []
        for each in matched:
            paths += _in_folder(each) if each.is_dir() else [each]
        if not paths:
            raise InputError(
                Problem(
                    "sessions must be an existing file, folder, zip or glob that matches",
                    repr(given),
                    "Check the path.",
                )
            )
    files: list[Stored] = []
    for each in dict.fromkeys(paths):
        files += _members(each, str(each)) if _is_zip(each) else [Stored(str(each), each)]
    return files
