"""From scores to what the audit record keeps: pseudonyms, packed facts and seals."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml import __version__
from household_ml.scoring.hysteresis import Earlier
from household_ml.serving.audit_records import (
    DEVICE,
    EARLIER,
    AuditedAnswer,
    AuditedDevice,
    AuditedModel,
    digest_of,
    moment_or_never,
    seal_keys,
)

if TYPE_CHECKING:
    from household_ml.scoring.answers import Scored
    from household_ml.sessions.keys import Keys

__all__ = ["Recorder"]


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
        inputs, rows = scored.inputs, _rows_of_table(scored.scores)
        if not rows.device:
            return
        account = self._pseudonyms("account_id", rows.account)
        device = self._pseudonyms("device_id", rows.device)
        said = list(zip(device, rows.verdict, rows.reasons, strict=True))
        evidence = inputs.evidence
        facts = list(
            zip(
                rows.place,
                map(moment_or_never, rows.last_home_at),
                evidence.device_sessions.tolist(),
                rows.probability,
                strict=True,
            )
        )
        sessions, days = evidence.account_sessions.tolist(), evidence.account_days.tolist()
        slots = inputs.slots.tolist()
        packed, values = np.array(facts, DEVICE).tobytes(), inputs.values.astype("<f8").tobytes()
        earlier = b"" if inputs.earlier is None else _packed(inputs.earlier)
        size, width = DEVICE.itemsize, 8 * inputs.values.shape[1]
        held = EARLIER.itemsize if earlier else 0
        for first, stop in pairwise(_edges(inputs.account)):
            found = digest_of(
                self._key,
                (rows.as_of[first], sessions[first], days[first], slots[first]),
                (account[first], model.digest, __version__),
                packed[first * size : stop * size]
                + values[first * width : stop * width]
                + earlier[first * held : stop * held],
                said[first:stop],
            )
            yield AuditedAnswer(
                account=account[first],
                as_of=rows.as_of[first],
                model=model,
                software=__version__,
                sessions=sessions[first],
                days=days[first],
                slots=slots[first],
                devices=tuple(
                    AuditedDevice(
                        device=device[row],
                        place=rows.place[row],
                        last_home_at=rows.last_home_at[row],
                        sessions=facts[row][2],
                        values=values[row * width : (row + 1) * width],
                        probability=rows.probability[row],
                        verdict=rows.verdict[row],
                        reasons=rows.reasons[row],
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


class _Rows(NamedTuple):
    """What was said of D devices, as Python values in lists of length D."""

    account: list[str]
    device: list[str]
    as_of: list[int]
    place: list[int]
    last_home_at: list[int | None]
    probability: list[float]
    verdict: list[str]
    reasons: list[tuple[str, ...]]


def _rows_of_table(scores: pa.Table) -> _Rows:
    return _Rows(
        account=scores["account_id"].to_pylist(),
        device=scores["device_id"].to_pylist(),
        as_of=_microseconds(scores["as_of"]),
        place=scores["place"].to_pylist(),
        last_home_at=_microseconds(scores["last_home_at"]),
        probability=scores["household_probability"].to_pylist(),
        verdict=scores["verdict"].to_pylist(),
        reasons=list(map(tuple, scores["reasons"].to_pylist())),
    )


def _microseconds(column: pa.ChunkedArray) -> list[Any]:
    """Times of a column since the epoch, None where there is none; without a copy or a kernel."""
    return [time for chunk in column.chunks for time in chunk.view(pa.int64()).to_pylist()]


def _packed(earlier: Earlier) -> bytes:
    rows = np.empty(earlier.known.size, EARLIER)
    rows["known"], rows["call"] = earlier.known, earlier.call
    rows["recognised"] = earlier.recognised
    for name in ("verdict", "verdict_since", "called_since", "doubted_since"):
        rows[name] = getattr(earlier.standing, name)
    rows["called_use"], rows["doubted_use"] = earlier.called_use, earlier.doubted_use
    return rows.tobytes()


def _edges(account: npt.NDArray[np.int64]) -> list[int]:
    """Where each account begins, and the end."""
    begins = np.flatnonzero(np.diff(account)) + 1
    edges: list[int] = [0, *begins.tolist(), account.size]
    return edges
