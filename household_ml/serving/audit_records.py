"""What the audit record keeps of an answer, and the seal that tells whether it was changed.

An *answer* is all that was said of one account at one moment by one model; a *record* is the part
about one of its devices. The id of an answer is a keyed digest of everything in it, so the id is a
seal too: content that was changed no longer has its id, and nobody without the key can make one
that fits. The same answer given again has the same id and is kept once.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml import __version__
from household_ml.errors import ParameterError, Problem
from household_ml.scoring.answers import AnswerInputs
from household_ml.scoring.hysteresis import Earlier, Standing
from household_ml.scoring.verdicts import Evidence

if TYPE_CHECKING:
    from household_ml.modeling.model import HouseholdModel
    from household_ml.scoring.answers import Scored
    from household_ml.sessions.keys import Keys

__all__ = [
    "AuditedAnswer",
    "AuditedDevice",
    "AuditedModel",
    "Recorder",
    "read_record_id",
    "seal",
    "seal_keys",
]

_DEVICE: Final = np.dtype(
    [("place", "<i4"), ("last_home_at", "<i8"), ("sessions", "<i8"), ("probability", "<f8")]
)
_RECORD: Final = re.compile(r"([0-9a-f]{8,32})(?:\.([1-9][0-9]*))?")

#: What the scoring before said of a device, where verdicts carry over.
_EARLIER: Final = np.dtype(
    [
        ("known", "?"),
        ("call", "i1"),
        ("verdict", "i1"),
        ("verdict_since", "<i8"),
        ("called_since", "<i8"),
        ("doubted_since", "<i8"),
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
            (
                d.place,
                _NEVER if d.last_home_at is None else d.last_home_at,
                d.sessions,
                d.probability,
            )
            for d in answer.devices
        ],
        _DEVICE,
    )
    return _digest(
        key,
        (answer.as_of, answer.sessions, answer.days, answer.slots),
        (answer.account, answer.model.digest, answer.software),
        facts.tobytes()
        + b"".join(device.values for device in answer.devices)
        + b"".join(device.earlier or b"" for device in answer.devices),
        [(d.device, d.verdict, d.reasons) for d in answer.devices],
    )


class Recorder:
    """What makes answers of scores: pseudonyms and seals under the newest of some keys.

    Parameters
    ----------
    keys : Keys
        Secrets for pseudonyms and seals.
    """

    def __init__(self, keys: Keys) -> None:
        self._names = keys.pseudonyms
        self._key = seal_keys(keys)[-1]

    def answers(
        self, scored: Scored, model: AuditedModel, *, source: str
    ) -> Iterator[AuditedAnswer]:
        """Answers of what was scored, sealed, one per account, in its order.

        Parameters
        ----------
        scored : Scored
            Scores of whole accounts, and what they were decided from.
        model : AuditedModel
            What answered.
        source : str
            Who asked.

        Yields
        ------
        AuditedAnswer
        """
        table, inputs = scored.scores, scored.inputs
        if table.num_rows == 0:
            return
        account = self._pseudonyms("account_id", table["account_id"].to_pylist())
        said = list(
            zip(
                self._pseudonyms("device_id", table["device_id"].to_pylist()),
                table["verdict"].to_pylist(),
                map(tuple, table["reasons"].to_pylist()),
                strict=True,
            )
        )
        seen = _microseconds(table["last_home_at"])
        facts = list(
            zip(
                table["place"].to_pylist(),
                map(_moment, seen),
                inputs.evidence.device_sessions.tolist(),
                table["household_probability"].to_pylist(),
                strict=True,
            )
        )
        heads = list(
            zip(
                _microseconds(table["as_of"]),
                inputs.evidence.account_sessions.tolist(),
                inputs.evidence.account_days.tolist(),
                inputs.slots.tolist(),
                strict=True,
            )
        )
        packed, values = np.array(facts, _DEVICE).tobytes(), inputs.values.astype("<f8").tobytes()
        earlier = b"" if inputs.earlier is None else _packed(inputs.earlier)
        size, width = _DEVICE.itemsize, 8 * inputs.values.shape[1]
        held = _EARLIER.itemsize if earlier else 0
        for first, stop in pairwise(_edges(inputs.account)):
            as_of, sessions, days, slots = heads[first]
            found = _digest(
                self._key,
                (as_of, sessions, days, slots),
                (account[first], model.digest, __version__),
                packed[first * size : stop * size]
                + values[first * width : stop * width]
                + earlier[first * held : stop * held],
                said[first:stop],
            )
            yield AuditedAnswer(
                account=account[first],
                as_of=as_of,
                model=model,
                software=__version__,
                sessions=sessions,
                days=days,
                slots=slots,
                devices=tuple(
                    AuditedDevice(
                        device=said[row][0],
                        place=facts[row][0],
                        last_home_at=seen[row],
                        sessions=facts[row][2],
                        values=values[row * width : (row + 1) * width],
                        probability=facts[row][3],
                        verdict=said[row][1],
                        reasons=said[row][2],
                        earlier=earlier[row * held : (row + 1) * held] or None,
                    )
                    for row in range(first, stop)
                ),
                source=source,
                id=found,
            )

    def _pseudonyms(self, kind: str, ids: list[str]) -> list[str]:
        """Pseudonyms of ids, each distinct one digested once."""
        made = {name: self._names.all_of(kind, name)[-1] for name in dict.fromkeys(ids)}
        return [made[name] for name in ids]


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


def _digest(
    key: bytes,
    head: tuple[int, int, int, int],
    names: tuple[str, str, str],
    facts: bytes,
    said: Sequence[tuple[str, str, tuple[str, ...]]],
) -> str:
    words = [*names]
    for device, verdict, reasons in said:
        words += [device, verdict, " ".join(reasons)]
    made = blake2b(
        struct.pack("<5q", *head, len(said)), key=key, person=b"hh-answer", digest_size=16
    )
    made.update(facts)
    made.update("\0".join(words).encode())
    return made.hexdigest()


def _moment(last_home_at: int | None) -> int:
    return _NEVER if last_home_at is None else last_home_at


def _packed(earlier: Earlier) -> bytes:
    rows = np.empty(earlier.known.size, _EARLIER)
    rows["known"], rows["call"] = earlier.known, earlier.call
    for name in ("verdict", "verdict_since", "called_since", "doubted_since"):
        rows[name] = getattr(earlier.standing, name)
    return rows.tobytes()


def _unpacked(as_of: int, packed: Sequence[bytes | None]) -> Earlier | None:
    if not all(packed):
        return None
    rows = np.frombuffer(b"".join(part or b"" for part in packed), _EARLIER)
    standing = Standing(
        verdict=rows["verdict"],
        verdict_since=rows["verdict_since"].astype(np.int64),
        called_since=rows["called_since"].astype(np.int64),
        doubted_since=rows["doubted_since"].astype(np.int64),
    )
    return Earlier(as_of, rows["known"], rows["call"], standing)


def _microseconds(column: pa.ChunkedArray) -> list[Any]:
    """Times of a column since the epoch, None where there is none; without a copy or a kernel."""
    return [time for chunk in column.chunks for time in chunk.view(pa.int64()).to_pylist()]


def _edges(account: npt.NDArray[np.int64]) -> list[int]:
    """Where each account begins, and the end."""
    begins = np.flatnonzero(np.diff(account)) + 1
    edges: list[int] = [0, *begins.tolist(), account.size]
    return edges
