"""Keyed pseudonyms for account, device and profile ids.

The same id under the same key is the same pseudonym, so sessions, labels and accounts still join;
without the key nobody can go back, nor test a guess. The digest is keyed BLAKE2b (RFC 7693), cut to
128 bits. A device id is unique within its account only and may say who someone is, so each kind of
id is digested under its own name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import pyarrow as pa

from household_ml.errors import ParameterError, Problem

__all__ = ["Pseudonyms"]

_SHORTEST = 16


@dataclass(frozen=True)
class Pseudonyms:
    """Keys for pseudonyms, oldest to newest.

    Parameters
    ----------
    keys : sequence of bytes
        The last one makes new pseudonyms; the earlier ones are kept so that pseudonyms given
        before a rotation can be recognised (`all_of`). Each of 16 to 64 bytes.

    Raises
    ------
    ParameterError
        When there is no key, or one is too short or too long.

    Examples
    --------
    >>> import pyarrow as pa
    >>> old, new = b"k" * 32, b"n" * 32
    >>> before, after = Pseudonyms([old]), Pseudonyms([old, new])
    >>> ids = pa.array(["tv", None, "tv"])
    >>> made = before.make("device_id", ids)
    >>> made[0] == made[2], made[1].is_valid, len(made[0].as_py())
    (True, False, 32)
    >>> made[0].as_py() in after.all_of("device_id", "tv")
    True
    """

    keys: Sequence[bytes] = field(repr=False)

    def __post_init__(self) -> None:
        sizes = [len(key) for key in self.keys]
        if not sizes or min(sizes) < _SHORTEST or max(sizes) > blake2b.MAX_KEY_SIZE:
            raise ParameterError(
                Problem(
                    f"keys must be one or more, of {_SHORTEST} to {blake2b.MAX_KEY_SIZE} bytes",
                    f"{len(sizes)} of {sizes} bytes" if sizes else "none",
                    "Make one with secrets.token_bytes(32).",
                )
            )

    @staticmethod
    def _digest(key: bytes, kind: str, value: str) -> str:
        told = f"{kind}\0{value}".encode()
        return blake2b(told, key=key, digest_size=16).hexdigest()

    def all_of(self, kind: str, value: str) -> tuple[str, ...]:
        """Pseudonyms of one id under every key, oldest to newest."""
        return tuple(self._digest(key, kind, value) for key in self.keys)

    def make(self, kind: str, ids: pa.Array | pa.ChunkedArray) -> pa.LargeStringArray:
        """Pseudonyms of many ids under the newest key; nulls stay null.

        Parameters
        ----------
        kind : str
            What is named, such as ``'account_id'``.
        ids : pyarrow Array or ChunkedArray of text
            Each distinct id is digested once.

        Returns
        -------
        pyarrow.LargeStringArray
            32 hexadecimal digits each.
        """
        column = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
        encoded = column.cast(pa.large_string()).dictionary_encode()
        key = self.keys[-1]
        made = [self._digest(key, kind, value) for value in encoded.dictionary.to_pylist()]
        return pa.array(made, pa.large_string()).take(encoded.indices)
