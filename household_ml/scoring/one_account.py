"""One account, from Python objects to answers with reasons, in microseconds.

The same kernel, trees, thresholds and reasons as for millions of accounts, without the tables
around them: what is read, counted and computed here is what `HouseholdScorer.score_table` reads,
counts and computes, and the answers are equal.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.config import FeatureConfig
from household_ml.features import NEVER
from household_ml.features.build import build_account_features
from household_ml.modeling.inference import Prepared, ask_rows
from household_ml.networks.one_account import enrich_account
from household_ml.schema import VERDICTS
from household_ml.scoring.answers import inference_of
from household_ml.scoring.evidence import fill_evidence
from household_ml.scoring.reasons import MOST, REASONS, choose, choose_codes, group_codes
from household_ml.scoring.verdicts import (
    MIN_ACCOUNT_DAYS,
    MIN_ACCOUNT_SESSIONS,
    MIN_DEVICE_SESSIONS,
    Verdict,
    allot_extra_members,
)
from household_ml.scoring.window import no_session_in_window

if TYPE_CHECKING:
    from household_ml.modeling.model import HouseholdModel
    from household_ml.networks import NetworkStatistics
    from household_ml.sessions.one_account import AccountSessions

__all__ = ["AccountAnswer", "DeviceAnswer", "answer_account", "in_window"]

VerdictName: TypeAlias = Literal["household", "extra_member", "undetermined", "outside"]

_NAMES: Final = cast("tuple[VerdictName, ...]", VERDICTS)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WINDOW_US: Final = FeatureConfig().window_days * 86_400_000_000
_VERDICTS: Final = tuple(int(verdict) for verdict in Verdict)
#: Thresholds that no probability reaches, where none qualifies.
_NEVER_INSIDE: Final = 2.0
_NEVER_OUTSIDE: Final = -1.0
_CODES: Final = tuple(reason.code for reason in REASONS)


class DeviceAnswer(NamedTuple):
    """The answer for one device: a row of the scores table.

    Attributes
    ----------
    device_id : str
        As given.
    household_probability : float
        Calibrated, in [0, 1]; 1 = belongs to the account's household.
    verdict : str
        One of `schema.VERDICTS`.
    last_home_at : datetime or None
        Last session on the inferred home network, UTC.
    place : int
        Inferred place of the device; 0 = home, -1 = none.
    reasons : tuple of str
        Codes, strongest first.
    """

    device_id: str
    household_probability: float
    verdict: VerdictName
    last_home_at: datetime | None
    place: int
    reasons: tuple[str, ...]


class AccountAnswer(NamedTuple):
    """The answers for the devices of one account.

    Attributes
    ----------
    account_id : str
        As given.
    as_of : datetime
        No session after it was used, UTC.
    model : str
        Name, version and digest of the model that answered.
    devices : tuple of DeviceAnswer
        Devices with a session in the window, ordered by id.
    rows_in : int
        Sessions given.
    rejected : tuple of (int, str)
        Sessions that could not be used, counted from 0, and the reason code of each.
    """

    account_id: str
    as_of: datetime
    model: str
    devices: tuple[DeviceAnswer, ...]
    rows_in: int
    rejected: tuple[tuple[int, str], ...]


def answer_account(
    model: HouseholdModel,
    columns: npt.NDArray[np.intp],
    sessions: AccountSessions,
    *,
    statistics: NetworkStatistics | None,
    extra_members: int = 0,
    as_of: int | None = None,
) -> AccountAnswer:
    """Answer the devices of one account.

    Parameters
    ----------
    model : HouseholdModel
        What answers.
    columns : integer array of shape (K,)
        Where the model's features stand in the feature table.
    sessions : AccountSessions
        The account, at least one session.
    statistics : NetworkStatistics or None
        Network statistics; None = counted of the sessions in the window.
    extra_members : int, default=0
        Paid extra-member slots.
    as_of : int, optional
        Microseconds since the epoch, UTC; the last session when left out.

    Returns
    -------
    AccountAnswer

    Raises
    ------
    NoSessionsError
        No session lies in the window before ``as_of``.
    """
    moment = int(sessions.started_at[-1]) if as_of is None else as_of
    known = in_window(sessions, moment)
    enriched = enrich_account(known, statistics=statistics)
    values, place, last_home_at = build_account_features(enriched, as_of=moment)
    ready, thresholds = inference_of(model), model.thresholds
    code_for, code_against = group_codes(ready.names)
    probability, verdict, activity, unseen, sums, told = _judge(
        values,
        columns,
        ready.prepared,
        code_for,
        code_against,
        known.account_rows,
        known.account_devices,
        known.device,
        known.started_at,
        (MIN_DEVICE_SESSIONS, MIN_ACCOUNT_SESSIONS, MIN_ACCOUNT_DAYS),
        _VERDICTS,
        _NEVER_INSIDE if thresholds.household_at is None else thresholds.household_at,
        _NEVER_OUTSIDE if thresholds.outside_at is None else thresholds.outside_at,
    )
    if extra_members:
        one = np.zeros(verdict.size, dtype=np.int64)
        verdict = allot_extra_members(
            verdict, account=one, place=place, activity=activity, slots=one + extra_members
        )
        told = choose(sums, ready.names, verdict, unseen)
    devices = []
    for device_id, chance, code, home, where, reasons in zip(
        known.device_id,
        probability.tolist(),
        verdict.tolist(),
        last_home_at.tolist(),
        place.tolist(),
        told.tolist(),
        strict=True,
    ):
        last_home = None if home == NEVER else _EPOCH + timedelta(0, 0, home)
        codes = tuple([_CODES[reason] for reason in reasons if reason >= 0])
        devices.append(DeviceAnswer(device_id, chance, _NAMES[code], last_home, where, codes))
    return AccountAnswer(
        known.account_id,
        _EPOCH + timedelta(0, 0, moment),
        model.label,
        tuple(devices),
        known.rows_in,
        known.rejected,
    )


@compiled
def _judge(
    values: npt.NDArray[np.float64],
    columns: npt.NDArray[np.intp],
    model: Prepared,
    code_for: npt.NDArray[np.int8],
    code_against: npt.NDArray[np.int8],
    account_rows: npt.NDArray[np.int64],
    account_devices: npt.NDArray[np.int64],
    device: npt.NDArray[np.int32],
    started_at: npt.NDArray[np.int64],
    least: tuple[int, int, int],
    verdicts: tuple[int, ...],
    household_at: float,
    outside_at: float,
) -> tuple[npt.NDArray[Any], ...]:
    """Probability, verdict, sessions, too little history, what groups add, reasons of each device.

    `decide` and `too_little_history` of :mod:`~household_ml.scoring.verdicts`, one device at a
    time.
    """
    devices = values.shape[0]
    household, _, undetermined, outside = verdicts
    _, probability, sums = ask_rows(values, columns, model)
    own, all_sessions = np.empty(devices, np.int64), np.empty(devices, np.int64)
    days = np.empty(devices, np.int64)
    fill_evidence(account_rows, account_devices, device, started_at, own, all_sessions, days)
    verdict, unseen = np.empty(devices, np.int8), np.empty(devices, np.bool_)
    for d in range(devices):
        unseen[d] = own[d] < least[0] or all_sessions[d] < least[1] or days[d] < least[2]
        verdict[d] = undetermined
        if not unseen[d]:
            if probability[d] >= household_at:
                verdict[d] = household
            elif probability[d] <= outside_at:
                verdict[d] = outside
    told = np.empty((devices, MOST), np.int8)
    nobody = np.empty(0, np.bool_)
    choose_codes(sums, code_for, code_against, verdict, verdicts, unseen, nobody, told)
    return probability, verdict, own, unseen, sums, told


def in_window(sessions: AccountSessions, moment: int) -> AccountSessions:
    """Sessions that count at a moment, see :func:`~household_ml.scoring.window.known_at`.

    Parameters
    ----------
    sessions : AccountSessions
        Sessions.
    moment : int
        Microseconds since the epoch, UTC.

    Raises
    ------
    NoSessionsError
        None is left.
    """
    known = sessions.between(moment - _WINDOW_US, moment)
    if not known.device_id:
        raise no_session_in_window(moment)
    return known
