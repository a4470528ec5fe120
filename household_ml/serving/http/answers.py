"""From a message to its answer: sessions for the scorer, and the scores as a message again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from household_ml.errors import ParameterError, Problem
from household_ml.serving.audit import AuditedScorer
from household_ml.serving.http.messages import (
    AccountDevices,
    AccountIn,
    AccountScores,
    BatchRequest,
    BatchScores,
    DeviceScore,
    RejectedRow,
    RowCounts,
    ScoreRequest,
    SessionIn,
)
from household_ml.serving.http.model_in_use import Loaded
from household_ml.sessions import Sessions, read_sessions

__all__ = ["check_distinct", "score_account", "score_batch", "sessions_table", "try_out"]

#: What a moment to score at may be, whatever its zone: sessions lie between them.
_FIRST = datetime(1990, 1, 1)  # noqa: DTZ001
_LAST = datetime(2200, 1, 1)  # noqa: DTZ001

_Given = Sequence[tuple[str, Sequence[SessionIn]]]


class _Scored(NamedTuple):
    scores: pa.Table
    rows: RowCounts
    rejected: tuple[RejectedRow, ...]
    records: tuple[str | None, ...]  # of each row of the scores

    @property
    def as_of(self) -> datetime:
        moment: datetime = self.scores["as_of"][0].as_py()
        return moment


def score_account(loaded: Loaded, asked: ScoreRequest) -> AccountScores:
    """Score the devices of one account, without a table where nothing is recorded.

    Parameters
    ----------
    loaded : Loaded
        The model that answers.
    asked : ScoreRequest
        The account.

    Returns
    -------
    AccountScores

    Raises
    ------
    NoSessionsError
        Not one session can be used.
    """
    if not loaded.recorded:
        return _score_alone(loaded, asked)
    found = _score(loaded, [(asked.account_id, asked.sessions)], [asked.extra_members], asked.as_of)
    return AccountScores(
        account_id=asked.account_id,
        as_of=found.as_of,
        model=loaded.scorer.model_label,
        devices=tuple(_devices(found.scores)),
        rows=found.rows,
        rejected=found.rejected,
        record=_answer_of(found.records[0]),
    )


def score_batch(loaded: Loaded, asked: BatchRequest) -> BatchScores:
    """Score the devices of many accounts at one moment.

    Parameters
    ----------
    loaded : Loaded
        The model that answers.
    asked : BatchRequest
        The accounts, each once.

    Returns
    -------
    BatchScores
        In the order of the request.

    Raises
    ------
    NoSessionsError
        Not one session can be used.
    """
    found = _score(
        loaded,
        [(account.account_id, account.sessions) for account in asked.accounts],
        [account.extra_members for account in asked.accounts],
        asked.as_of,
    )
    devices: dict[str, list[DeviceScore]] = {each.account_id: [] for each in asked.accounts}
    owners = found.scores["account_id"].to_pylist()
    for account, device in zip(owners, _devices(found.scores), strict=True):
        devices[account].append(device)
    records = dict(zip(owners, map(_answer_of, found.records), strict=True))
    return BatchScores(
        as_of=found.as_of,
        model=loaded.scorer.model_label,
        accounts=tuple(
            AccountDevices(account, tuple(own), records.get(account))
            for account, own in devices.items()
        ),
        rows=found.rows,
        rejected=found.rejected,
    )


def check_distinct(ids: Sequence[str]) -> None:
    """Check that no account is in a batch twice.

    Raises
    ------
    ParameterError
        Some are, each named.
    """
    twice = sorted(account for account, count in Counter(ids).items() if count > 1)
    if twice:
        raise ParameterError(
            [
                Problem(
                    "account_id must be given once in a batch",
                    repr(account),
                    "Put all its sessions in one entry.",
                )
                for account in twice[:100]
            ]
        )


def sessions_table(accounts: _Given) -> pa.Table:
    """The sessions table of the contract, from parsed messages.

    Parameters
    ----------
    accounts : sequence of (account_id, sessions)
        Sessions of each account, in the order of the request.

    Returns
    -------
    pyarrow.Table
        One row per session, in the same order.
    """
    rows = [session for _, sessions in accounts for session in sessions]
    ids = [account for account, sessions in accounts for _ in sessions]
    text = pa.large_string()
    return pa.table(
        {
            "account_id": pa.array(ids, type=text),
            "device_id": pa.array([row.device_id for row in rows], type=text),
            "started_at": pa.array(
                [row.started_at for row in rows], type=pa.timestamp("us", tz="UTC")
            ),
            "duration_s": pa.array([row.duration_s for row in rows], type=pa.float64()),
            "ip": pa.array([row.ip for row in rows], type=text),
            "asn": pa.array([row.asn for row in rows], type=pa.int64()),
            "device_type": pa.array([row.device_type for row in rows], type=text),
            "country": pa.array([row.country for row in rows], type=text),
            "utc_offset_min": pa.array([row.utc_offset_min for row in rows], type=pa.int32()),
            "profile_id": pa.array([row.profile_id for row in rows], type=text),
        }
    )


def try_out(loaded: Loaded) -> None:
    """Score made-up accounts each way, so that no request waits for code to be compiled."""
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    sessions = tuple(
        SessionIn(f"device {index % 2}", noon + timedelta(days=index), "192.0.2.1", 60.0)
        for index in range(8)
    )
    score_account(loaded, ScoreRequest(sessions, extra_members=1))
    score_batch(loaded, BatchRequest(tuple(AccountIn(name, sessions, 1) for name in "ab")))


def _score_alone(loaded: Loaded, asked: ScoreRequest) -> AccountScores:
    _check_moment(asked.as_of)
    rows = asked.sessions
    found = loaded.scorer.score_account(
        {
            "device_id": [row.device_id for row in rows],
            "started_at": [row.started_at for row in rows],
            "ip": [row.ip for row in rows],
            "duration_s": [row.duration_s for row in rows],
            "asn": [row.asn for row in rows],
            "device_type": [row.device_type for row in rows],
            "country": [row.country for row in rows],
            "utc_offset_min": [row.utc_offset_min for row in rows],
            "profile_id": [row.profile_id for row in rows],
        },
        account_id=asked.account_id,
        extra_members=asked.extra_members,
        networks=loaded.networks,
        as_of=asked.as_of,
    )
    rejected = found.rejected
    return AccountScores(
        account_id=asked.account_id,
        as_of=found.as_of,
        model=found.model,
        devices=tuple([DeviceScore(*device) for device in found.devices]),
        rows=RowCounts(found.rows_in, found.rows_in - len(rejected), len(rejected)),
        rejected=tuple([RejectedRow(asked.account_id, row, why) for row, why in rejected]),
    )


def _check_moment(as_of: datetime | None) -> None:
    if as_of is not None and not _FIRST <= as_of.replace(tzinfo=None) <= _LAST:
        problem = Problem("as_of must be between 1990 and 2200", str(as_of), "Give another moment.")
        raise ParameterError(problem)


def _score(loaded: Loaded, given: _Given, slots: Sequence[int], as_of: datetime | None) -> _Scored:
    _check_moment(as_of)
    sessions = read_sessions(sessions_table(given))
    accounts = pa.table(
        {"account_id": [account for account, _ in given], "extra_members": list(slots)}
    )
    records: Sequence[str | None]
    if isinstance(loaded.scorer, AuditedScorer):
        scored, records = loaded.scorer.score_with_records(
            sessions, accounts=accounts, networks=loaded.networks, as_of=as_of
        )
        scores = scored.scores
    else:
        scores = loaded.scorer.score_table(
            sessions, accounts=accounts, networks=loaded.networks, as_of=as_of
        )
        records = [None] * len(scores)
    received = sessions.reading.rows_in
    rows = RowCounts(received, len(sessions), received - len(sessions))
    return _Scored(scores, rows, _rejected(sessions, given), tuple(records))


def _answer_of(record: str | None) -> str | None:
    """Id of the answer that the record of a device is a part of."""
    return None if record is None else record.partition(".")[0]


def _devices(scores: pa.Table) -> list[DeviceScore]:
    columns = (
        scores["device_id"].to_pylist(),
        scores["household_probability"].to_pylist(),
        scores["verdict"].to_pylist(),
        scores["last_home_at"].to_pylist(),
        scores["place"].to_pylist(),
        scores["reasons"].to_pylist(),
    )
    return [
        DeviceScore(device, probability, verdict, home, place, tuple(reasons))
        for device, probability, verdict, home, place, reasons in zip(*columns, strict=True)
    ]


def _rejected(sessions: Sessions, given: _Given) -> tuple[RejectedRow, ...]:
    table = sessions.reading.rejected
    if table.num_rows == 0:
        return ()
    starts = np.concatenate([[0], np.cumsum([len(rows) for _, rows in given])])
    rows = table["row"].to_numpy() - 1
    owner = np.searchsorted(starts, rows, side="right") - 1
    return tuple(
        RejectedRow(given[account][0], int(row - starts[account]), reason)
        for account, row, reason in zip(owner, rows, table["reason"].to_pylist(), strict=True)
    )
