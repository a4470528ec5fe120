"""From a probability to an answer: household, extra member, undetermined or outside.

The rule, in order; the first that holds decides:

1. ``undetermined`` when there is too little history: the device has fewer than
   :data:`MIN_DEVICE_SESSIONS` sessions, or its account fewer than :data:`MIN_ACCOUNT_SESSIONS`
   sessions or fewer than :data:`MIN_ACCOUNT_DAYS` days with a session. One evening on a hotel's
   television says nothing, whatever the probability.
2. ``household`` when the probability is at or above the upper threshold.
3. ``outside`` when it is at or below the lower threshold.
4. ``undetermined`` else: between the two, or no threshold qualifies.

An account with ``k`` paid extra-member slots has its ``k`` most active places outside turned from
``outside`` to ``extra_member``: a slot makes a second *place* recognised, with all the devices
there, so that a borrower with a phone and a television needs one slot, not two.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml.schema import VERDICTS

__all__ = [
    "KEPT_SLOT",
    "MIN_ACCOUNT_DAYS",
    "MIN_ACCOUNT_SESSIONS",
    "MIN_DEVICE_SESSIONS",
    "Evidence",
    "Verdict",
    "allot_extra_members",
    "decide",
    "too_little_history",
    "verdict_names",
]

#: A device with fewer sessions in the window is undetermined: two coincide by chance. [A]
MIN_DEVICE_SESSIONS = 3

#: An account with fewer sessions in the window has no home to compare with. [A]
MIN_ACCOUNT_SESSIONS = 5

#: An account seen on fewer days in the window has no home to compare with. [A]
MIN_ACCOUNT_DAYS = 3


#: A place that has a slot keeps it until another has more than so many times its sessions. [A]
KEPT_SLOT = 2


class Verdict(enum.IntEnum):
    """Codes of the verdicts, in the order of ``schema.VERDICTS``.

    Examples
    --------
    >>> [verdict.name.lower() for verdict in Verdict] == list(VERDICTS)
    True
    """

    HOUSEHOLD = 0
    EXTRA_MEMBER = 1
    UNDETERMINED = 2
    OUTSIDE = 3


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much has been seen, one row per device.

    Parameters
    ----------
    device_sessions : int64 array of shape (D,)
        Sessions of the device in the window, at least 1.
    account_sessions : int64 array of shape (D,)
        Sessions of the device's account in the window, at least 1.
    account_days : int64 array of shape (D,)
        Days, in UTC, on which the device's account has a session in the window, at least 1.
    """

    device_sessions: npt.NDArray[np.int64]
    account_sessions: npt.NDArray[np.int64]
    account_days: npt.NDArray[np.int64]


def too_little_history(evidence: Evidence) -> npt.NDArray[np.bool_]:
    """Devices that cannot be judged yet, whatever their probability.

    Parameters
    ----------
    evidence : Evidence
        How much has been seen of D devices.

    Returns
    -------
    bool array of shape (D,)

    Examples
    --------
    >>> two = np.array([2, 30]); forty = np.array([40, 40]); month = np.array([30, 30])
    >>> too_little_history(Evidence(two, forty, month)).tolist()
    [True, False]
    """
    return (
        (evidence.device_sessions < MIN_DEVICE_SESSIONS)
        | (evidence.account_sessions < MIN_ACCOUNT_SESSIONS)
        | (evidence.account_days < MIN_ACCOUNT_DAYS)
    )


def decide(
    probability: npt.NDArray[np.float64],
    unseen: npt.NDArray[np.bool_],
    *,
    household_at: float | None,
    outside_at: float | None,
) -> npt.NDArray[np.int8]:
    """Verdict of each device, before extra-member slots.

    Parameters
    ----------
    probability : float64 array of shape (D,)
        Calibrated ``household_probability``, in [0, 1]. A NaN is undetermined.
    unseen : bool array of shape (D,)
        Devices with too little history, see :func:`too_little_history`.
    household_at : float or None
        At or above it a device belongs; None when no threshold qualifies.
    outside_at : float or None
        At or below it a device is outside; None when no threshold qualifies.

    Returns
    -------
    int8 array of shape (D,)
        Codes of :class:`Verdict`.

    Examples
    --------
    >>> codes = decide(
    ...     np.array([0.9, 0.5, 0.01, 0.01]),
    ...     np.array([False, False, False, True]),
    ...     household_at=0.8,
    ...     outside_at=0.05,
    ... )
    >>> verdict_names(codes).to_pylist()
    ['household', 'undetermined', 'outside', 'undetermined']
    """
    verdict = np.full(probability.shape, Verdict.UNDETERMINED, dtype=np.int8)
    if outside_at is not None:
        verdict[~unseen & (probability <= outside_at)] = Verdict.OUTSIDE
    if household_at is not None:
        verdict[~unseen & (probability >= household_at)] = Verdict.HOUSEHOLD
    return verdict


def allot_extra_members(
    verdict: npt.NDArray[np.int8],
    *,
    account: npt.NDArray[np.int64],
    place: npt.NDArray[np.int32],
    activity: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int64],
    recognised: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int8]:
    """Turn the most active places outside into extra members, as many as the account has slots.

    Parameters
    ----------
    verdict : int8 array of shape (D,)
        Codes of :class:`Verdict`; only ``OUTSIDE`` is changed.
    account : int64 array of shape (D,)
        Index of the device's account.
    place : int32 array of shape (D,)
        Place of the device within its account. Devices without a place (-1) count together as one.
    activity : int64 array of shape (D,)
        Sessions of the device in the window. A place's activity is the sum over its devices
        outside; of two equally active places the one with the lower number goes first, and no
        place last.
    slots : int64 array of shape (D,)
        Extra-member slots of the device's account, repeated for each of its devices.
    recognised : bool array of shape (D,), optional
        Devices that had a slot at the scoring before. The sessions of their place count
        :data:`KEPT_SLOT` times, so that two places do not take turns.

    Returns
    -------
    int8 array of shape (D,)

    Examples
    --------
    Two places outside, one slot: the busier place is recognised, with both of its devices.

    >>> codes = allot_extra_members(
    ...     np.array([0, 3, 3, 3], dtype=np.int8),
    ...     account=np.zeros(4, dtype=np.int64),
    ...     place=np.array([0, 1, 1, 2], dtype=np.int32),
    ...     activity=np.array([90, 10, 15, 20]),
    ...     slots=np.ones(4, dtype=np.int64),
    ... )
    >>> verdict_names(codes).to_pylist()
    ['household', 'extra_member', 'extra_member', 'outside']
    """
    candidates = np.flatnonzero((verdict == Verdict.OUTSIDE) & (slots > 0))
    answer = verdict.copy()
    if candidates.size == 0:
        return answer
    owner = account[candidates].astype(np.int64)
    where = place[candidates].astype(np.int64)
    where[where < 0] = where.max() + 1 if where.max() >= 0 else 0
    order = np.lexsort((where, owner))
    opens = np.ones(order.size, dtype=bool)
    opens[1:] = (np.diff(owner[order]) != 0) | (np.diff(where[order]) != 0)
    group = np.empty(order.size, dtype=np.int64)
    group[order] = np.cumsum(opens) - 1
    group_activity = np.bincount(group, weights=activity[candidates])
    if recognised is not None:
        group_activity[group[recognised[candidates]]] *= KEPT_SLOT
    group_owner = owner[order][opens]
    ranking = np.lexsort((np.arange(group_owner.size), -group_activity, group_owner))
    ranked_owner = group_owner[ranking]
    rank = np.empty(ranking.size, dtype=np.int64)
    rank[ranking] = np.arange(ranking.size) - np.searchsorted(ranked_owner, ranked_owner)
    granted = rank[group] < slots[candidates]
    answer[candidates[granted]] = Verdict.EXTRA_MEMBER
    return answer


def verdict_names(verdict: npt.NDArray[np.int8]) -> pa.Array:
    """Names of the verdicts as an Arrow string column.

    Examples
    --------
    >>> verdict_names(np.array([0, 3], dtype=np.int8)).to_pylist()
    ['household', 'outside']
    """
    return pa.array(VERDICTS, type=pa.string()).take(pa.array(verdict, type=pa.int8()))
