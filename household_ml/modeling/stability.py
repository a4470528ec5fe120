"""Whether verdicts stand still where nothing changed, and how soon they come where something did.

A *flip* is a change of a device's verdict from one scoring to the next after its first answer: an
answer that is withdrawn, given again, or turned into another. The first answer of a device is none;
how long it takes is told apart. Flips are counted on devices of households in which nothing
changed, per 1,000 device-months of :data:`MONTH_DAYS` days. Their interval is the exact one of a
Poisson rate (Garwood, Biometrika 1936) at an effective number of flips: devices of one account turn
together, so flips and months are divided by the dispersion that the accounts show, at least 1, as
Korn and Graubard (Survey Methodology 1998) do for shares. With no flip it is not zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.modeling.resampling import AccountTotals, Devices, Estimate, estimate, share
from household_ml.modeling.waiting import wait

__all__ = [
    "ABSENT",
    "CLASSES",
    "EXTRA_MEMBER",
    "HOUSEHOLD",
    "MONTH_DAYS",
    "OUTSIDE",
    "UNDETERMINED",
    "DailyVerdicts",
    "FlipRate",
    "count_flips",
    "measure_verdicts",
    "stack_verdicts",
]

Codes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]

#: A twelfth of a year.
MONTH_DAYS: Final = 365.25 / 12.0

#: Codes of what is said of a device on a day: an answer, none, or not scored.
HOUSEHOLD, UNDETERMINED, OUTSIDE, EXTRA_MEMBER, ABSENT = 1, 0, -1, -2, -9

#: What a device is: of the household, outside, or what the policy itself leaves open.
CLASSES: Final = ("household", "outside", "policy_open")

#: A situation is told when it was followed for so many device-months.
_TOLD_MONTHS: Final = 20.0


@dataclass(frozen=True, eq=False)
class DailyVerdicts:
    """What was said of D devices by T daily scorings, and what was true.

    The first scoring begins the series; flips are counted from scoring ``run_in`` on.

    Parameters
    ----------
    plain : int8 array of shape (D, T)
        Verdicts by the thresholds alone, as codes of this module.
    carried : int8 array of shape (D, T)
        Verdicts that carried over from day to day.
    account : int64 array of shape (D,)
        Account of each device, as 0..A-1.
    world : object array of str, shape (D,)
        World of each device.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unknown, on the last day.
    situation : object array of str, shape (D,)
        Slice of each device; empty = none.
    ambiguous : bool array of shape (D,)
        Devices on which the policy itself is open.
    unchanged : bool array of shape (D,)
        Devices of households in which nothing changed.
    first_day : float64 array of shape (D,)
        Day of the first session, 0 = the first scoring; at or below 0 = before it.
    left_day : float64 array of shape (D,)
        Day of the first session after the device's user left the household; NaN = stayed.
    run_in : int, default=0
        Scorings before those that are counted, at most T - 2.
    simulated : bool, default=False
        Whether people and devices are simulated.
    changes_known : bool, default=True
        Whether it is known what changed; else every household counts as unchanged.
    """

    plain: Codes
    carried: Codes
    account: Ints
    world: Texts
    y: Floats
    situation: Texts
    ambiguous: Bools
    unchanged: Bools
    first_day: Floats
    left_day: Floats
    run_in: int = 0
    simulated: bool = False
    changes_known: bool = True


@dataclass(frozen=True, slots=True)
class FlipRate:
    """How often verdicts flip.

    Parameters
    ----------
    devices : int
        Followed.
    device_months : float
        For how long, together.
    answered_months : float
        For how long of that they had an answer that could flip, or had had one.
    withdrawn, given_again, turned : int
        Flips by kind: an answer that became ``undetermined``, an answer after that, and an answer
        that became another.
    reversed : int
        Of these, between ``household`` and ``outside`` or ``extra_member``.
    rate : Estimate
        Flips in 1,000 device-months.
    rate_answered : Estimate
        Flips in 1,000 of the answered months: a device that never gets an answer hides none here.
    """

    devices: int
    device_months: float
    answered_months: float
    withdrawn: int
    given_again: int
    turned: int
    reversed: int
    rate: Estimate
    rate_answered: Estimate

    @property
    def flips(self) -> int:
        """All of them."""
        return self.withdrawn + self.given_again + self.turned


def count_flips(
    verdict: Codes, account: Ints, *, run_in: int = 0, confidence: float = 0.95
) -> FlipRate:
    """Count the flips of devices.

    Parameters
    ----------
    verdict : int8 array of shape (D, T)
        Codes of this module, a scoring a day.
    account : int64 array of shape (D,)
        Account of each device.
    run_in : int, default=0
        Scorings before those that are counted.
    confidence : float, default=0.95
        Of the interval.

    Returns
    -------
    FlipRate

    Examples
    --------
    A first answer is no flip; withdrawing it and giving it again are two.

    >>> days = np.array([[0, 0, 1, 1, 0, 1], [1, 1, 1, 1, -1, -1]], dtype=np.int8)
    >>> found = count_flips(days, np.arange(2))
    >>> found.withdrawn, found.given_again, found.turned, found.reversed
    (1, 1, 1, 1)
    """
    before, after = verdict[:, run_in:-1], verdict[:, run_in + 1 :]
    scored = (before != ABSENT) & (after != ABSENT)
    answered = (verdict != UNDETERMINED) & (verdict != ABSENT)
    had_answer = np.maximum.accumulate(answered, axis=1)[:, run_in:-1]
    changed = scored & had_answer & (before != after)
    withdrawn = changed & (after == UNDETERMINED)
    again = changed & (before == UNDETERMINED)
    turned = changed & ~withdrawn & ~again
    reversed_ = turned & ((before == HOUSEHOLD) | (after == HOUSEHOLD))
    months = scored.sum(axis=1) / MONTH_DAYS
    answered_months = (scored & had_answer).sum(axis=1) / MONTH_DAYS
    flips = changed.sum(axis=1)
    return FlipRate(
        devices=int((months > 0).sum()),
        device_months=round(float(months.sum()), 3),
        answered_months=round(float(answered_months.sum()), 3),
        withdrawn=int(withdrawn.sum()),
        given_again=int(again.sum()),
        turned=int(turned.sum()),
        reversed=int(reversed_.sum()),
        rate=_rate(flips, months / 1_000.0, account, confidence),
        rate_answered=_rate(flips, answered_months / 1_000.0, account, confidence),
    )


def _rate(flips: Ints, exposure: Floats, account: Ints, confidence: float) -> Estimate:
    from scipy.stats import gamma

    total, months = float(flips.sum()), float(exposure.sum())
    if months == 0.0:
        return Estimate(None, None, None)
    owner = np.unique(account, return_inverse=True)[1]
    by_account = np.bincount(owner, weights=flips)
    expected = np.bincount(owner, weights=exposure) * total / months
    dispersion = max(float(((by_account - expected) ** 2).sum()) / total, 1.0) if total else 1.0
    seen, followed = total / dispersion, months / dispersion
    tail = (1.0 - confidence) / 2.0
    low = float(gamma.ppf(tail, seen)) / followed if total else 0.0
    high = float(gamma.ppf(1.0 - tail, seen + 1.0)) / followed
    return Estimate(round(total / months, 6), round(low, 6), round(high, 6))


def measure_verdicts(
    days: DailyVerdicts, *, replicates: int = 200, seed: int = 0
) -> dict[str, Any]:
    """Measure daily verdicts, by the thresholds alone (``plain``) and carried over (``carried``).

    Parameters
    ----------
    days : DailyVerdicts
        What was said and what was true.
    replicates : int, default=200
        Resamples of the accounts, for the intervals.
    seed : int, default=0
        Of the resampling.

    Returns
    -------
    dict
        Plain JSON values. ``flips`` of devices of unchanged households, of all and by what they
        are, and ``with_changes`` of every household; ``by_situation`` and ``by_world``, of
        unchanged ones; ``answers`` on the last day and, for false flags, on any
        day; ``first_answer`` of devices that were new, by what they are; ``left``, how long until
        devices whose user left are called outside.
    """
    kinds = {"plain": days.plain, "carried": days.carried}
    every = np.full(len(days.account), "all", dtype=object)
    return {
        "flips": {
            **_by(every, days),
            **_by(_classes(days), days),
            "with_changes": _flips_of(np.arange(len(every)), days),
        },
        "by_situation": _by(days.situation, days),
        "by_world": _by(days.world, days),
        "answers": _answers(days, kinds, replicates, seed),
        "first_answer": _first_answers(days, kinds, replicates, seed),
        "left": {
            name: _until_outside(verdict, days, replicates, seed) for name, verdict in kinds.items()
        },
    }


def _classes(days: DailyVerdicts) -> Texts:
    """What each device is, a class of :data:`CLASSES`; empty where it is not known."""
    found = np.full(len(days.y), "", dtype=object)
    found[days.y == 1.0], found[days.y == 0.0] = CLASSES[:2]
    found[days.ambiguous & np.isfinite(days.y)] = CLASSES[2]
    return found


def _by(slices: Texts, days: DailyVerdicts) -> dict[str, Any]:
    told = {}
    for name in sorted({str(each) for each in slices if each}):
        rows = np.flatnonzero(days.unchanged & (slices == name))
        found = _flips_of(rows, days)
        if found["plain"]["device_months"] >= _TOLD_MONTHS or name == "all":
            told[name] = found
    return told


def _flips_of(rows: Ints, days: DailyVerdicts) -> dict[str, Any]:
    told = {}
    for name, verdict in (("plain", days.plain), ("carried", days.carried)):
        found = count_flips(verdict[rows], days.account[rows], run_in=days.run_in)
        told[name] = {**asdict(found), "flips": found.flips}
    return told


def _answers(
    days: DailyVerdicts, kinds: dict[str, Codes], replicates: int, seed: int
) -> dict[str, Any]:
    """Shares of devices and accounts with an answer, right or wrong."""
    there = days.carried[:, -1] != ABSENT
    devices, labelled = Devices.of(
        np.where(there & ~days.ambiguous, days.y, np.nan), days.account, None
    )
    if not labelled.any():
        return {}
    drawn = devices.draws(replicates, seed)
    totals = AccountTotals(devices, drawn)
    inside, honest = totals.of(~devices.outside), devices.honest()
    found: dict[str, Any] = {}
    for name, verdict in kinds.items():
        last = verdict[labelled, -1]
        ever = (verdict[labelled, days.run_in :] == OUTSIDE).any(axis=1)
        flagged, belongs = last == OUTSIDE, last == HOUSEHOLD
        away = flagged | (last == EXTRA_MEMBER)
        said = last != UNDETERMINED
        over = {
            "household_called_outside": share(totals.of(flagged & ~devices.outside), inside),
            "household_ever_called_outside": share(totals.of(ever & ~devices.outside), inside),
            "honest_flagged": _accounts(flagged, devices, honest, drawn),
            "honest_ever_flagged": _accounts(ever, devices, honest, drawn),
            "outside_called_outside": share(
                totals.of(away & devices.outside), totals.of(devices.outside)
            ),
            "called_household_wrong": share(
                totals.of(belongs & devices.outside), totals.of(belongs)
            ),
            "answered": share(totals.of(said), totals.of(np.ones(last.size))),
        }
        found[name] = {metric: asdict(estimate(values)) for metric, values in over.items()}
    return found


def _accounts(
    flagged: Bools, devices: Devices, honest: Bools, drawn: Sequence[npt.NDArray[np.int32]]
) -> Floats:
    """Share of honest accounts with a device flagged, under every draw."""
    hit = np.zeros(devices.accounts, dtype=bool)
    hit[devices.account[flagged]] = True
    return share([draw @ (hit & honest) for draw in drawn], [draw @ honest for draw in drawn])


def _first_answers(
    days: DailyVerdicts, kinds: dict[str, Codes], replicates: int, seed: int
) -> dict[str, Any]:
    """Days from the first session of a new device to its first answer, by what it is."""
    last = days.carried.shape[1] - 1
    new = (days.first_day > 0) & (days.first_day <= last)
    of = _classes(days)
    found: dict[str, Any] = {}
    for name in CLASSES:
        which = new & (of == name)
        found[name] = {}
        for kind, verdict in kinds.items():
            own = verdict[which]
            said = (own != UNDETERMINED) & (own != ABSENT)
            told = _until(said, days.first_day[which], days.account[which], replicates, seed)
            first = own[np.arange(len(own)), said.argmax(axis=1)]
            right = np.where(days.y[which] == 1.0, first == HOUSEHOLD, first < 0)
            answered = said.any(axis=1)
            told["right"] = float(right[answered].mean()) if answered.any() else None
            found[name][kind] = told
    return found


def _until_outside(
    verdict: Codes, days: DailyVerdicts, replicates: int, seed: int
) -> dict[str, Any]:
    """Days from the first session after leaving to being called outside."""
    day = np.nan_to_num(days.left_day, nan=0.0)
    last = verdict.shape[1] - 1
    at = np.clip(np.floor(day).astype(np.int64), 0, last)
    then = verdict[np.arange(len(verdict)), at]
    which = (day > 0) & (day <= last) & (then != OUTSIDE) & (then != EXTRA_MEMBER)
    own = verdict[which]
    away = (own == OUTSIDE) | (own == EXTRA_MEMBER)
    away &= np.arange(verdict.shape[1]) >= day[which, None]
    return _until(away, day[which], days.account[which], replicates, seed)


def _until(
    happens: Bools, begins: Floats, account: Ints, replicates: int, seed: int
) -> dict[str, Any]:
    """Full days from when each row begins to the first scoring at which it happens."""
    last = happens.shape[1] - 1
    happened: Bools = np.asarray(happens.any(axis=1))
    end = np.where(happened, happens.argmax(axis=1), last)
    days = np.maximum(np.floor(end - begins), 0).astype(np.int64)
    return wait(days, happened, account, replicates=replicates, seed=seed).to_dict()


def stack_verdicts(parts: Sequence[DailyVerdicts]) -> DailyVerdicts:
    """Daily verdicts of several worlds as one, with accounts of their own.

    Parameters
    ----------
    parts : sequence of DailyVerdicts
        Each over the same number of days, counted from the same one on.

    Returns
    -------
    DailyVerdicts
    """
    sizes = [int(part.account.max(initial=-1)) + 1 for part in parts]
    offsets = np.cumsum([0, *sizes])[:-1]

    def joined(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    apart = ("account", "run_in", "simulated", "changes_known")
    names = [name for name in DailyVerdicts.__dataclass_fields__ if name not in apart]
    account = np.concatenate(
        [part.account + offset for part, offset in zip(parts, offsets, strict=True)]
    )
    return DailyVerdicts(
        account=account,
        run_in=parts[0].run_in,
        simulated=all(part.simulated for part in parts),
        changes_known=all(part.changes_known for part in parts),
        **{name: joined(name) for name in names},
    )
