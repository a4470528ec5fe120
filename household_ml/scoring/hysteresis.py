"""How a verdict carries over from one scoring to the next, so that it does not flicker.

A probability near a threshold crosses it to and fro. So, when the scores before are given, the
thresholds only *call* for an answer, and this decides what becomes of it:

1. A device is called ``household`` when every scoring of the last :data:`HOUSEHOLD_DAYS` days
   called for it.
2. It is called ``outside`` when every scoring of the last :data:`OUTSIDE_DAYS` days called for it;
   a device that was called ``household``, when those of the last :data:`OVERTURN_DAYS` did.
3. ``outside`` is withdrawn, and the device ``undetermined``, when every scoring of the last
   :data:`OVERTURN_DAYS` days found that it is more likely of the household than not.

Else the verdict stands. To be acknowledged takes a week, to be accused three, and to be accused
after being acknowledged six. So one odd day changes nothing; at least two scorings agree before a
verdict changes; and a device that really leaves is called ``outside`` at the latest
:data:`OVERTURN_DAYS` days, and the time to the next scoring, after its probability has come under
the threshold for good.

Where too little has been seen nothing is called, so a new device stays ``undetermined``; but what
was answered on more, which has left the window since, stands.

A series begins with a table that was scored without one before. Its ``household`` is taken as it
is, its ``outside`` as a first call: nobody is accused for one day. A device that was not scored
before is ``undetermined`` at first. Days are counted by ``as_of``, so that it does not matter how
often is scored.

Paid slots come after: ``extra_member`` is ``outside`` with a slot, and is carried as ``outside``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from household_ml.schema import Column
from household_ml.scoring.verdicts import Verdict

__all__ = [
    "HOUSEHOLD_DAYS",
    "NO_TIME",
    "OUTSIDE_DAYS",
    "OVERTURN_DAYS",
    "STANDING",
    "Earlier",
    "Standing",
    "carry",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]

#: ``household`` must be called for during so many days. [A]
HOUSEHOLD_DAYS: Final = 7

#: ``outside`` must be called for during so many days. Chosen by ``household-ml stability``: with 14
#: verdicts flip about twice as often, and every further week costs outside devices found.
OUTSIDE_DAYS: Final = 21

#: An answer must be spoken against during so many days for ``household`` to become ``outside`` and
#: for ``outside`` to be withdrawn: twice as long as an accusation takes. [A]
OVERTURN_DAYS: Final = 42

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

_DAY_US: Final = 86_400_000_000
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
    """

    moment: int
    known: Bools
    call: Codes
    standing: Standing


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
    A device of the household that is called outside since 42 days, and one on its first day.

    >>> day = 86_400_000_000
    >>> before = Standing(
    ...     verdict=np.array([0, 0], dtype=np.int8),
    ...     verdict_since=np.array([0, 0]),
    ...     called_since=np.array([0, NO_TIME]),
    ...     doubted_since=np.array([NO_TIME, NO_TIME]),
    ... )
    >>> outside = np.array([3, 3], dtype=np.int8)
    >>> earlier = Earlier(42 * day, np.array([True, True]), outside, before)
    >>> now = carry(outside, np.array([0.02, 0.02]), earlier)
    >>> [Verdict(code).name for code in now.verdict], (now.called_since // day).tolist()[1]
    (['OUTSIDE', 'HOUSEHOLD'], 42)
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

    accused = np.where(inside, OVERTURN_DAYS, OUTSIDE_DAYS)
    days = np.where(call == Verdict.OUTSIDE, accused, HOUSEHOLD_DAYS)
    turned = called & _lasted(called_since, moment, days)
    withdrawn = ~turned & doubted & _lasted(doubted_since, moment, np.int64(OVERTURN_DAYS))
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


def _lasted(since: Ints, moment: int, days: Ints | np.int64) -> Bools:
    """Whether something that holds now has held for so many days."""
    lasted: Bools = moment - np.minimum(since, moment) >= days * _DAY_US
    return lasted
