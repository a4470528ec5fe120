"""One account, from Python objects to answers with reasons, in microseconds.

The same kernel, trees, thresholds and reasons as for millions of accounts, without the tables
around them: what is read, counted and computed here is what `HouseholdScorer.score_table` reads,
counts and computes, and the answers are equal.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.config import FeatureConfig
from household_ml.features import NEVER
from household_ml.features.build import build_account_features
from household_ml.networks.one_account import enrich_account
from household_ml.schema import VERDICTS
from household_ml.scoring.answers import ask, asked_groups
from household_ml.scoring.evidence import measure_evidence
from household_ml.scoring.reasons import REASONS, choose
from household_ml.scoring.verdicts import allot_extra_members, decide, too_little_history
from household_ml.scoring.window import no_session_in_window

if TYPE_CHECKING:
    from household_ml.modeling.model import HouseholdModel
    from household_ml.networks import NetworkStatistics
    from household_ml.sessions.one_account import AccountSessions

__all__ = ["AccountAnswer", "DeviceAnswer", "answer_account", "in_window"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WINDOW_US: Final = FeatureConfig().window_days * 86_400_000_000
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
    verdict: str
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
    asked = ask(model, values[:, columns])
    evidence = measure_evidence(known)
    unseen = too_little_history(evidence)
    thresholds = model.thresholds
    verdict = decide(
        asked.probability,
        unseen,
        household_at=thresholds.household_at,
        outside_at=thresholds.outside_at,
    )
    if extra_members:
        one = np.zeros(verdict.size, dtype=np.int64)
        verdict = allot_extra_members(
            verdict,
            account=one,
            place=place,
            activity=evidence.device_sessions,
            slots=one + extra_members,
        )
    reasons = choose(asked.sums, asked_groups(model), verdict, unseen)
    devices = zip(
        known.device_id,
        asked.probability.tolist(),
        [VERDICTS[code] for code in verdict.tolist()],
        [None if home == NEVER else _moment(home) for home in last_home_at.tolist()],
        place.tolist(),
        [tuple([_CODES[code] for code in told if code >= 0]) for told in reasons.tolist()],
        strict=True,
    )
    return AccountAnswer(
        known.account_id,
        _moment(moment),
        model.label,
        tuple([DeviceAnswer(*device) for device in devices]),
        known.rows_in,
        known.rejected,
    )


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


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
