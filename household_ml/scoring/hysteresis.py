"""How a verdict carries over from one scoring to the next, so that it does not flicker.

A probability near a threshold crosses it to and fro. So, when the scores before are given, the
thresholds only *call* for an answer, and a verdict changes only when **every scoring of the last N
weeks called for the change, and the device was used on N days meanwhile or more**. N is

====================================== ===
``household``, first                   1
``outside``, first                     3
``household`` after ``outside``        3
``undetermined`` after ``outside``     6
``outside`` after ``household``        9
====================================== ===

``outside`` is withdrawn, and the device ``undetermined``, when it is found likelier of the
household than not. Nothing else withdraws an answer: else the verdict stands.

To be acknowledged takes a week, to be accused three, to be cleared three, and to be accused after
being acknowledged nine. One odd day changes nothing; at least two scorings agree before a verdict
changes; and nothing changes without new evidence: the verdict on a device that is not used stands,
whatever is seen of others, and whatever of its own history leaves the window. A device that really
leaves is called ``outside`` when its probability has been under the threshold for nine weeks and it
was used on nine days, at the next scoring. Of two devices used on the same days, the one that was
always at least as likely of the household never has the worse verdict.

Where too little has been seen nothing is called, so a new device stays ``undetermined``.

A series begins with a table that was scored without one before. Its ``household`` is taken as it
is, its ``outside`` as a first call: nobody is accused for one day. A device that was not scored
before is ``undetermined`` at first. Weeks are counted by ``as_of`` and use by the days, in UTC, of
the sessions, so that it does not matter how often is scored.

Paid slots come after: ``extra_member`` is ``outside`` with a slot, and is carried as ``outside``. A
place that had a slot keeps it until another has more than twice its sessions.

The numbers of weeks are chosen by following simulated accounts from day to day, see
:mod:`household_ml.modeling.stability`: each is the price of fewer flips in days until an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from household_ml.schema import Column
from household_ml.scoring.verdicts import Verdict

__all__ = [
    "HOUSEHOLD_WEEKS",
    "NO_TIME",
    "OUTSIDE_WEEKS",
    "OVERTURN_WEEKS",
    "STANDING",
    "WITHDRAWAL_WEEKS",
    "Earlier",
    "Standing",
    "carry",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]

#: Weeks, and days of use, that a first ``household`` takes. [A]
HOUSEHOLD_WEEKS: Final = 1

#: Weeks, and days of use, that a first ``outside`` takes, and ``household`` after it. [A]
OUTSIDE_WEEKS: Final = 3

#: Weeks, and days of use, until ``outside`` is withdrawn. [A]
WITHDRAWAL_WEEKS: Final = 6

#: Weeks, and days of use, that ``outside`` takes after ``household``. [A]
OVERTURN_WEEKS: Final = 9

#: Columns of a scores table that was scored with the one before, after those of the contract.
STANDING: Final = (
    Column("verdict_since", "timestamp", True, "first scoring with this verdict in a row"),
    Column(
        "called_since",
        "timestamp",
        False,
        "first scoring in a row to call for another answer than the verdict; null = not called for",
    ),
    Column(
        "doubted_since",
        "timestamp",
        False,
        "first scoring in a row to find a device that is outside likelier of the household; null = "
        "not doubted",
    ),
)

#: Of a time that is none: nothing has been called for, or doubted.
NO_TIME: Final = int(np.iinfo(np.int64).max)

_WEEK_US: Final = 7 * 86_400_000_000
_EVEN: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Verdicts of D devices and since when they stand. Times are microseconds since the epoch.

    Parameters
    ----------
    verdict : int8 array of shape (D,)
        ``HOUSEHOLD``, ``UNDETERMINED`` or ``OUTSIDE`` of :class:`Verdict`: before paid slots.
    verdict_since : int64 array of shape (D,)
        First scoring in a row with this verdict.
    called_since : int64 array of shape (D,)
        First scoring in a row that called for one and the same other answer; :data:`NO_TIME` where
        the last did not.
    doubted_since : int64 array of shape (D,)
        First scoring in a row that found a device that is outside likelier of the household;
        :data:`NO_TIME` where the last did not.
    """

    verdict: Codes
    verdict_since: Ints
    called_since: Ints
    doubted_since: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """What the scoring before said of D devices that are now scored.

    Parameters
    ----------
    moment : int
        ``as_of`` of the scoring that now asks, microseconds since the epoch.
    known : bool array of shape (D,)
        Devices that were scored before; of the others the other fields mean nothing.
    call : int8 array of shape (D,)
        What the thresholds called for then, as codes of :class:`Verdict`.
    standing : Standing
        What was answered then.
    called_use, doubted_use : int64 array of shape (D,)
        Days on which the device was used since ``called_since`` and since ``doubted_since`` of the
        standing, see :func:`~household_ml.scoring.use.days_of_use`.
    recognised : bool array of shape (D,)
        Devices that had a paid slot.
    """

    moment: int
    known: Bools
    call: Codes
    standing: Standing
    called_use: Ints
    doubted_use: Ints
    recognised: Bools


def carry(call: Codes, probability: Floats, earlier: Earlier) -> Standing:
    """Verdicts that stand after a scoring, by the rule of this module.

    Parameters
    ----------
    call : int8 array of shape (D,)
        What the thresholds call for, see :func:`~household_ml.scoring.verdicts.decide`.
    probability : float64 array of shape (D,)
        ``household_probability``.
    earlier : Earlier
        What the scoring before said.

    Returns
    -------
    Standing

    Examples
    --------
    Devices of the household, called outside for nine weeks: one was used on nine days meanwhile,
    the other on two.

    >>> none = np.array([NO_TIME, NO_TIME])
    >>> before = Standing(
    ...     verdict=np.array([0, 0], dtype=np.int8),
    ...     verdict_since=np.array([0, 0]),
    ...     called_since=np.array([0, 0]),
    ...     doubted_since=none,
    ... )
    >>> outside, moment = np.array([3, 3], dtype=np.int8), 9 * 7 * 86_400_000_000
    >>> used = np.array([9, 2])
    >>> both = np.array([True, True])
    >>> earlier = Earlier(moment, both, outside, before, used, used * 0, ~both)
    >>> now = carry(outside, np.array([0.02, 0.02]), earlier)
    >>> [Verdict(code).name for code in now.verdict]
    ['OUTSIDE', 'HOUSEHOLD']
    """
    moment, before = earlier.moment, earlier.standing
    held = np.where(earlier.known, before.verdict, np.int8(Verdict.UNDETERMINED))
    since = np.where(earlier.known, before.verdict_since, moment)
    inside, outside = held == Verdict.HOUSEHOLD, held == Verdict.OUTSIDE

    called = (call != Verdict.UNDETERMINED) & (call != held)
    goes_on = earlier.known & (earlier.call == call)
    called_since = _since(called, goes_on, before.called_since, moment)
    doubted = outside & (probability >= _EVEN) & (call != Verdict.OUTSIDE)
    doubted_since = _since(doubted, earlier.known, before.doubted_since, moment)

    accused = np.where(inside, OVERTURN_WEEKS, OUTSIDE_WEEKS)
    acknowledged = np.where(outside, OUTSIDE_WEEKS, HOUSEHOLD_WEEKS)
    weeks = np.where(call == Verdict.OUTSIDE, accused, acknowledged)
    turned = called & _lasted(called_since, moment, weeks) & (earlier.called_use >= weeks)
    withdrawn = doubted & _lasted(doubted_since, moment, np.int64(WITHDRAWAL_WEEKS))
    withdrawn &= ~turned & (earlier.doubted_use >= WITHDRAWAL_WEEKS)
    verdict = np.where(turned, call, np.where(withdrawn, np.int8(Verdict.UNDETERMINED), held))
    changed = turned | withdrawn
    return Standing(
        verdict=verdict.astype(np.int8),
        verdict_since=np.where(changed, moment, since),
        called_since=np.where(turned, NO_TIME, called_since),
        doubted_since=np.where(changed, NO_TIME, doubted_since),
    )


def _since(holds: Bools, goes_on: Bools, before: Ints, moment: int) -> Ints:
    """Since when something holds that holds now."""
    began = np.where(goes_on & (before != NO_TIME), before, moment)
    return np.where(holds, began, NO_TIME)


def _lasted(since: Ints, moment: int, weeks: Ints | np.int64) -> Bools:
    """Whether something that holds now has held for so many weeks."""
    lasted: Bools = moment - np.minimum(since, moment) >= weeks * _WEEK_US
    return lasted
