"""What the audit record keeps of an answer, and the seal that tells whether it was changed.

An *answer* is all that was said of one account at one moment by one model; a *record* is the part
about one of its devices. The id of an answer is a keyed digest of everything in it, so the id is a
seal too: content that was changed no longer has its id, and nobody without the key can make one
that fits. The same answer given again has the same id and is kept once.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np

from household_ml.errors import ParameterError, Problem
from household_ml.scoring.answers import AnswerInputs
from household_ml.scoring.hysteresis import Earlier, Standing
from household_ml.scoring.verdicts import Evidence

if TYPE_CHECKING:
    from household_ml.modeling.model import HouseholdModel
    from household_ml.sessions.keys import Keys

__all__ = [
    "DEVICE",
    "EARLIER",
    "AuditedAnswer",
    "AuditedDevice",
    "AuditedModel",
    "digest_of",
    "moment_or_never",
    "read_record_id",
    "seal",
    "seal_keys",
]

#: Facts of a device, as they are sealed.
DEVICE: Final = np.dtype(
    [("place", "<i4"), ("last_home_at", "<i8"), ("sessions", "<i8"), ("probability", "<f8")]
)
_RECORD: Final = re.compile(r"([0-9a-f]{8,32})(?:\.([1-9][0-9]*))?")

#: What the scoring before said of a device, where verdicts carry over.
EARLIER: Final = np.dtype(
    [
        ("known", "?"),
        ("call", "i1"),
        ("verdict", "i1"),
        ("verdict_since", "<i8"),
        ("called_since", "<i8"),
        ("doubted_since", "<i8"),
        ("called_use", "<i8"),
        ("doubted_use", "<i8"),
        ("recognised", "?"),
    ]
)

#: Stands for a device that was never seen at home, in sealed content.
_NEVER: Final = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True)
class AuditedModel:
    """The model of an answer, as far as the record knows it.

    Parameters
    ----------
    digest : str
        SHA-256 over all that decides an answer, in hexadecimal.
    label : str
        Name, version and the beginning of the digest.
    features : tuple of F str
        Names of the feature values that were kept.
    """

    digest: str
    label: str
    features: tuple[str, ...]

    @classmethod
    def of(cls, model: HouseholdModel) -> AuditedModel:
        """What the record keeps of a model."""
        return cls(model.digest, model.label, tuple(model.feature_names))


@dataclass(frozen=True, slots=True, eq=False)
class AuditedDevice:
    """What was said of one device, and of which facts.

    Parameters
    ----------
    device : str
        Pseudonym.
    place : int
        0 = home, -1 = none.
    last_home_at : int or None
        Microseconds since the epoch.
    sessions : int
        Sessions of the device in the window.
    values : bytes
        F feature values, little-endian float64; NaN = the history does not tell.
    probability : float
        ``household_probability`` as it was answered.
    verdict : str
        As it was answered.
    reasons : tuple of str
        As they were answered, strongest first.
    earlier : bytes or None, default=None
        What the scoring before said, packed; None when verdicts did not carry over.
    """

    device: str
    place: int
    last_home_at: int | None
    sessions: int
    values: bytes
    probability: float
    verdict: str
    reasons: tuple[str, ...]
    earlier: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AuditedAnswer:
    """What was said of one account at one moment.

    Parameters
    ----------
    account : str
        Pseudonym.
    as_of : int
        Microseconds since the epoch; no session after it was used.
    model : AuditedModel
        What answered.
    software : str
        Version of the package that answered.
    sessions, days : int
        Sessions of the account in the window, and days with one.
    slots : int
        Extra-member slots.
    devices : tuple of AuditedDevice
        Every device of the account.
    source : str
        Who asked: ``batch``, ``http`` or another word; not sealed.
    written_at : int
        When the record was written first, microseconds since the epoch; not sealed. 0 before.
    id : str
        32 hexadecimal digits; empty before it is sealed.
    """

    account: str
    as_of: int
    model: AuditedModel
    software: str
    sessions: int
    days: int
    slots: int
    devices: tuple[AuditedDevice, ...]
    source: str = ""
    written_at: int = 0
    id: str = ""

    def inputs(self) -> AnswerInputs:
        """What the answer was decided from."""
        count = len(self.devices)
        joined = b"".join(device.values for device in self.devices)
        return AnswerInputs(
            values=np.frombuffer(joined, "<f8").reshape(count, -1).astype(np.float64),
            evidence=Evidence(
                device_sessions=np.array([d.sessions for d in self.devices], np.int64),
                account_sessions=np.full(count, self.sessions, np.int64),
                account_days=np.full(count, self.days, np.int64),
            ),
            account=np.zeros(count, np.int64),
            place=np.array([d.place for d in self.devices], np.int32),
            slots=np.full(count, self.slots, np.int64),
            earlier=_unpacked(self.as_of, [device.earlier for device in self.devices]),
        )


def seal_keys(keys: Keys) -> tuple[bytes, ...]:
    """Keys of seals, oldest to newest, derived from the secrets for this purpose alone."""
    return tuple(
        blake2b(key=secret, person=b"hh-audit", digest_size=32).digest() for secret in keys.secrets
    )


def seal(answer: AuditedAnswer, key: bytes) -> str:
    """Id of an answer under a key.

    Parameters
    ----------
    answer : AuditedAnswer
        Its ``id``, ``source`` and ``written_at`` do not count.
    key : bytes
        One of :func:`seal_keys`.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    facts = np.array(
        [
            (d.place, moment_or_never(d.last_home_at), d.sessions, d.probability)
            for d in answer.devices
        ],
        DEVICE,
    )
    return digest_of(
        key,
        (answer.as_of, answer.sessions, answer.days, answer.slots),
        (answer.account, answer.model.digest, answer.software),
        facts.tobytes()
        + b"".join(device.values for device in answer.devices)
        + b"".join(device.earlier or b"" for device in answer.devices),
        [(d.device, d.verdict, d.reasons) for d in answer.devices],
    )


def read_record_id(text: str) -> tuple[str, int | None]:
    """Divide the id of a record into that of its answer and the number of the device.

    Parameters
    ----------
    text : str
        8 to 32 hexadecimal digits, and for one device a dot and its number, from 1.

    Returns
    -------
    answer : str
        The digits, which may be the beginning of an id only.
    device : int or None
        None for every device of the answer.

    Raises
    ------
    ParameterError
        It is no id.

    Examples
    --------
    >>> read_record_id("9f86d081884c7d65.2")
    ('9f86d081884c7d65', 2)
    """
    found = _RECORD.fullmatch(text.strip().lower())
    if found is None:
        raise ParameterError(
            Problem(
                "a record must be named by 8 to 32 hexadecimal digits, and .N for its device N",
                repr(text),
                "household-ml audit list tells the ids of an account's records.",
            )
        )
    return found[1], int(found[2]) if found[2] else None


def digest_of(
    key: bytes,
    head: tuple[int, int, int, int],
    names: tuple[str, str, str],
    facts: bytes,
    said: Sequence[tuple[str, str, tuple[str, ...]]],
) -> str:
    """Keyed digest of an answer.

    Parameters
    ----------
    key : bytes
        One of :func:`seal_keys`.
    head : tuple of four int
        ``as_of``, sessions and days of the account, slots.
    names : tuple of three str
        Pseudonym of the account, digest of the model, version of the package.
    facts : bytes
        :data:`DEVICE` of every device, then their feature values, then :data:`EARLIER` of each.
    said : sequence of (str, str, tuple of str)
        Pseudonym, verdict and reasons of each device.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    words = [*names]
    for device, verdict, reasons in said:
        words += [device, verdict, " ".join(reasons)]
    made = blake2b(
        struct.pack("<5q", *head, len(said)), key=key, person=b"hh-answer", digest_size=16
    )
    made.update(facts)
    made.update("\0".join(words).encode())
    return made.hexdigest()


def moment_or_never(last_home_at: int | None) -> int:
    """A time as it is sealed: one far in the past where there is none."""
    return _NEVER if last_home_at is None else last_home_at


def _unpacked(as_of: int, packed: Sequence[bytes | None]) -> Earlier | None:
    if not all(packed):
        return None
    rows = np.frombuffer(b"".join(part or b"" for part in packed), EARLIER)
    standing = Standing(
        verdict=rows["verdict"],
        verdict_since=rows["verdict_since"].astype(np.int64),
        called_since=rows["called_since"].astype(np.int64),
        doubted_since=rows["doubted_since"].astype(np.int64),
    )
    used = [rows[name].astype(np.int64) for name in ("called_use", "doubted_use")]
    return Earlier(
        as_of, rows["known"], rows["call"], standing, used[0], used[1], rows["recognised"]
    )
