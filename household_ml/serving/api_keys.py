"""API keys of the HTTP service: made here, shown once, kept as digests.

A key is 256 random bits, so nobody can search for the text behind its SHA-256, and a slow hash
would protect nothing more. Several keys are good at once: add the next one, move the callers, then
revoke the old one. The service looks at the file again when it changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from household_ml.errors import FormatError, ParameterError, Problem

__all__ = ["ApiKey", "KeyRing", "add_key", "read_keys", "revoke_key"]

_FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key.

    Parameters
    ----------
    name : str
        Who calls with it; shown in metrics.
    sha256 : str
        Digest of the key, 64 hexadecimal digits.
    created : str
        Day it was made, ISO 8601.
    """

    name: str
    sha256: str
    created: str


class KeyRing:
    """The keys that open the service, read again when their file changes.

    Parameters
    ----------
    path : str or Path
        File of keys, as :func:`add_key` writes it.

    Raises
    ------
    ParameterError
        There is no such file.
    FormatError
        It is no file of keys.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "keys.json"
    >>> key = add_key(path, "enforcement")
    >>> ring = KeyRing(path)
    >>> ring.caller(f"Bearer {key}".encode()), ring.caller(b"Bearer guess")
    ('enforcement', None)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._seen = self._state()
        self._names = _by_digest(read_keys(self.path))

    def caller(self, authorization: bytes) -> str | None:
        """Name of the key in an ``Authorization`` header; None when it opens nothing."""
        scheme, _, key = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        return self._names.get(hashlib.sha256(key.strip()).digest())

    def refresh(self) -> bool:
        """Read the file again if it changed; a file that cannot be read changes nothing.

        Returns
        -------
        bool
            Whether the keys were read anew.

        Raises
        ------
        FormatError, ParameterError
            The file changed into something else; the keys that were read before stay good.
        """
        state = self._state()
        if state == self._seen:
            return False
        self._seen = state
        self._names = _by_digest(read_keys(self.path))
        return True

    def _state(self) -> tuple[int, int, int]:
        try:
            found = self.path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<KeyRing: {len(self)} keys>"


def add_key(path: str | Path, name: str) -> str:
    """Make a key, and keep its digest.

    Parameters
    ----------
    path : str or Path
        File of keys; made, for its owner alone to read, when it is not there.
    name : str
        Who calls with it: letters, digits, dots, dashes; once in a file.

    Returns
    -------
    str
        The key, which is kept nowhere else.

    Raises
    ------
    ParameterError
        The name cannot be used, or is in the file already.
    FormatError
        The file is no file of keys.
    """
    target = Path(path)
    present = read_keys(target) if target.exists() else ()
    if not _NAME.fullmatch(name) or name in {each.name for each in present}:
        raise ParameterError(
            Problem(
                "the name of a key must be 1 to 64 letters, digits, dots or dashes, once in a file",
                repr(name),
                "Choose another one, such as enforcement-2.",
            )
        )
    key = f"hml_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    made = ApiKey(name, digest, datetime.now(UTC).date().isoformat())
    _write(target, [*present, made])
    return key


def revoke_key(path: str | Path, name: str) -> None:
    """Take a key out; who still calls with it gets 401.

    Parameters
    ----------
    path : str or Path
        File of keys.
    name : str
        Name of the key.

    Raises
    ------
    ParameterError
        There is no key of this name.
    """
    present = read_keys(path)
    kept = [each for each in present if each.name != name]
    if len(kept) == len(present):
        names = ", ".join(each.name for each in present) or "none"
        raise ParameterError(
            Problem(f"the key to revoke must be one of: {names}", repr(name), "See the list.")
        )
    _write(Path(path), kept)


def read_keys(path: str | Path) -> tuple[ApiKey, ...]:
    """What a file of keys holds.

    Parameters
    ----------
    path : str or Path
        File of keys.

    Returns
    -------
    tuple of ApiKey
        Oldest first.

    Raises
    ------
    ParameterError
        There is no such file.
    FormatError
        It is no file of keys.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(
            Problem(
                "the file of API keys must be one that can be read",
                f"{str(path)!r} ({type(error).__name__})",
                "Make one with household-ml api-keys --file PATH --add NAME.",
            )
        ) from error
    try:
        found = json.loads(text)
        keys = tuple(ApiKey(**each) for each in found["keys"])
        right = found["format"] == _FORMAT and all(map(_well_formed, keys))
    except (ValueError, TypeError, KeyError):
        right = False
    if not right:
        raise FormatError(
            Problem(
                "a file of API keys must be one that household-ml api-keys wrote",
                repr(str(path)),
                "Make a new one; a key cannot be got back from its digest.",
            )
        )
    return keys


def _well_formed(key: ApiKey) -> bool:
    texts = (key.name, key.sha256, key.created)
    return (
        all(isinstance(text, str) for text in texts)
        and _NAME.fullmatch(key.name) is not None
        and _SHA256.fullmatch(key.sha256) is not None
    )


def _by_digest(keys: Sequence[ApiKey]) -> dict[bytes, str]:
    return {bytes.fromhex(key.sha256): key.name for key in keys}


def _write(path: Path, keys: Sequence[ApiKey]) -> None:
    """Replace the file in one step; a new one is for its owner alone, an old one as it was."""
    content = {"format": _FORMAT, "keys": [asdict(key) for key in keys]}
    before = path.stat() if path.exists() else None
    descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
        if before is not None:
            if hasattr(os, "chown"):
                with suppress(PermissionError):
                    os.chown(name, before.st_uid, before.st_gid)
            Path(name).chmod(before.st_mode & 0o777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
