"""The secrets behind pseudonyms: a file of keys, oldest to newest.

A line of the file is a date and 32 random bytes in hexadecimal; a blank line, or one that begins
with ``#``, says nothing. The newest key makes new pseudonyms; the older ones are kept as long as
what was made under them must be found again, and a key that is thrown away takes with it every way
back. Keys for ids and for addresses are derived from each secret by keyed BLAKE2b (RFC 7693), so
neither tells anything about the other.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import blake2b
from pathlib import Path

from household_ml.errors import ParameterError, Problem
from household_ml.sessions.prefix_preserving import PrefixPreserving
from household_ml.sessions.pseudonyms import Pseudonyms

__all__ = ["Keys"]

_SECRET_BYTES = 32
_LINE = re.compile(rf"(\d{{4}}-\d\d-\d\d)\s+([0-9a-fA-F]{{{2 * _SECRET_BYTES}}})")

_HEAD = """\
# Keys for pseudonyms, oldest to newest. Who has this file can go back to addresses and test ids.
# Keep it apart from the data. A line that is removed takes with it every way back.
"""


@dataclass(frozen=True)
class Keys:
    """Secrets, oldest to newest.

    Parameters
    ----------
    secrets : sequence of bytes
        32 random bytes each, at least one.
    made : sequence of date
        Day on which each was made.

    Raises
    ------
    ParameterError
        When there is no secret, or one is not of 32 bytes.

    Examples
    --------
    >>> keys = Keys.generate()
    >>> rotated = keys.rotated()
    >>> len(rotated), keys.pseudonyms.all_of("account_id", "a")[0] in (
    ...     rotated.pseudonyms.all_of("account_id", "a"))
    (2, True)
    """

    secrets: Sequence[bytes] = field(repr=False)
    made: Sequence[date]

    def __post_init__(self) -> None:
        sizes = [len(secret) for secret in self.secrets]
        if not sizes or set(sizes) != {_SECRET_BYTES} or len(sizes) != len(self.made):
            raise ParameterError(
                Problem(
                    f"keys must be one or more, of {_SECRET_BYTES} bytes and with a date each",
                    f"{len(sizes)} of {sizes} bytes and {len(self.made)} dates",
                    "Make them with household-ml keys.",
                )
            )

    def __len__(self) -> int:
        return len(self.secrets)

    @classmethod
    def generate(cls) -> Keys:
        """One new secret, from the random numbers of the operating system."""
        return cls((secrets.token_bytes(_SECRET_BYTES),), (_today(),))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Keys:
        """Read a file of keys.

        Raises
        ------
        ParameterError
            There is no such file, or a line of it is no key; the message shows no key.
        """
        source = Path(path)
        try:
            lines = source.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ParameterError(
                Problem(
                    "the file of keys must be text that can be read",
                    f"{str(source)!r} ({type(error).__name__})",
                    "Make one with household-ml keys.",
                )
            ) from error
        found: list[tuple[date, bytes]] = []
        wrong = []
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            key = _parse(line.strip())
            if key is None:
                wrong.append(number)
            else:
                found.append(key)
        if wrong or not found:
            raise ParameterError(
                Problem(
                    "each line of the file of keys must be a date and 64 hexadecimal digits",
                    f"another text in line {wrong[0]} of {str(source)!r}"
                    if wrong
                    else f"no key in {str(source)!r}",
                    "Make the file with household-ml keys.",
                )
            )
        return cls(tuple(secret for _, secret in found), tuple(day for day, _ in found))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, whole or not at all, readable by its owner alone."""
        target = Path(path)
        lines = [
            f"{day.isoformat()} {secret.hex()}\n"
            for day, secret in zip(self.made, self.secrets, strict=True)
        ]
        working = target.with_name(f".{target.name}.{os.getpid()}.part")
        opened = os.open(working, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "w", encoding="utf-8") as file:
            file.write(_HEAD + "".join(lines))
        working.replace(target)

    def rotated(self, *, keep: int | None = None) -> Keys:
        """These keys and a new one.

        Parameters
        ----------
        keep : int, optional
            How many of the older keys to keep, the newest of them; all when left out. What was
            made under the others cannot be found again by anybody.

        Returns
        -------
        Keys
        """
        new = Keys.generate()
        first = 0 if keep is None else max(0, len(self) - keep)
        return Keys((*self.secrets[first:], *new.secrets), (*self.made[first:], *new.made))

    @property
    def pseudonyms(self) -> Pseudonyms:
        """Pseudonyms of ids under each key."""
        return Pseudonyms([_derived(secret, b"ids") for secret in self.secrets])

    @property
    def addresses(self) -> PrefixPreserving:
        """Encryption of addresses under the newest key."""
        return PrefixPreserving(_derived(self.secrets[-1], b"addresses"))


def _parse(line: str) -> tuple[date, bytes] | None:
    parts = _LINE.fullmatch(line)
    try:
        return None if parts is None else (date.fromisoformat(parts[1]), bytes.fromhex(parts[2]))
    except ValueError:
        return None


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return blake2b(key=secret, person=b"hh-" + purpose, digest_size=32).digest()


def _today() -> date:
    return datetime.now(UTC).date()
