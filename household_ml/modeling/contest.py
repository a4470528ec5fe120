"""A challenger against the champion, on the same devices: does it hold?

What must hold is a list of requirements, each decided by itself and told with its numbers:

- The challenger's certificate: its thresholds were chosen under bounds on false flags, by account
  and by device, that are not looser than the champion's.
- The data can tell: as many honest accounts as would certify the bound if none were flagged.
- The data do not refute the certificate: the lower confidence limit of the share flagged is within
  the bound. (A threshold that stands at the edge of its bound, as a chosen one does, is not asked
  to be certified again: that would fail half of the good ones by chance.)
- Each metric is no worse than the champion's: the 95 % interval of the difference, both models
  measured on the same draws of accounts, ends above minus the tolerance.
- No situation of honest people is clearly more often called outside than under the champion.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.modeling.resampling import (
    AccountTotals,
    Devices,
    Estimate,
    Ranking,
    check_scores,
    estimate,
    share,
)
from household_ml.modeling.thresholds import Bound, Thresholds

__all__ = [
    "TOLERANCE",
    "Contest",
    "Contestant",
    "Requirement",
    "accounts_needed",
    "clopper_pearson_lower",
    "hold_contest",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Drawn = list[npt.NDArray[np.int32]]

#: A metric may be worse by so much: less than chance moves it between two samples. [A]
TOLERANCE: Final = 0.01

#: Rate of household false flags at which recall is compared.
RATE: Final = 0.01

#: A situation with fewer household devices is not judged.
_FEWEST: Final = 50

#: Metrics that are compared: name -> whether more is better.
METRICS: Final = {
    "pr_auc": True,
    f"recall_at_{RATE:g}": True,
    "called_recall": True,
    "log_loss": False,
}

_BOUNDS: Final = ("account_false_flags", "device_false_flags")


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model's answers to D devices.

    Parameters
    ----------
    label : str
        Name, version and digest.
    probability : float64 array of shape (D,)
        ``household_probability``.
    thresholds : Thresholds
        The model's own.
    """

    label: str
    probability: Floats
    thresholds: Thresholds


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that must hold.

    Parameters
    ----------
    name : str
        Stable name.
    holds : bool
        Whether it does.
    told : str
        The numbers behind it.
    """

    name: str
    holds: bool
    told: str

    def __str__(self) -> str:
        return f"{'holds' if self.holds else 'FAILS'}  {self.name}: {self.told}"


@dataclass(frozen=True, slots=True)
class Contest:
    """What :func:`hold_contest` found.

    Parameters
    ----------
    challenger : str
        Label of the model that challenges.
    champion : str or None
        Label of the model that is in use; None when there is none.
    requirements : tuple of Requirement
        Everything that must hold.
    counts : dict of str to int
        ``devices``, ``accounts`` and ``honest_accounts`` it was decided on.
    """

    challenger: str
    champion: str | None
    requirements: tuple[Requirement, ...]
    counts: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether every requirement holds."""
        return all(requirement.holds for requirement in self.requirements)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "holds": self.holds}

    def to_text(self) -> str:
        """A line for each requirement."""
        counts = self.counts
        head = (
            f"{self.challenger} against {self.champion or 'no champion'}, on {counts['devices']:,} "
            f"devices of {counts['accounts']:,} accounts, {counts['honest_accounts']:,} honest"
        )
        return "\n".join([head, *(f"  {requirement}" for requirement in self.requirements)])


def hold_contest(
    challenger: Contestant,
    champion: Contestant | None,
    y: Floats,
    account: Ints,
    *,
    ambiguous: Bools | None = None,
    unseen: Bools | None = None,
    situation: npt.NDArray[Any] | None = None,
    tolerance: float = TOLERANCE,
    replicates: int = 400,
    seed: int = 0,
) -> Contest:
    """Decide whether a challenger holds against the champion.

    Parameters
    ----------
    challenger : Contestant
        The model that challenges.
    champion : Contestant or None
        The model in use; None when there is none: then the certificate alone decides.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unlabelled (left out). Accounts that neither model has
        learnt from.
    account : int64 array of shape (D,)
        Account of each device.
    ambiguous : bool array of shape (D,), optional
        The policy is open on these: left out.
    unseen : bool array of shape (D,), optional
        Too little history: nothing is said about these.
    situation : array of str, shape (D,), optional
        Slice of each device; an empty text belongs to none.
    tolerance : float, default=0.01
        A metric, all of which are shares or log loss, may be worse by so much.
    replicates : int, default=400
        Resamples of the accounts.
    seed : int, default=0
        Of the resampling.

    Returns
    -------
    Contest

    Raises
    ------
    ParameterError
        Nothing is labelled, or a probability is not finite.
    """
    devices, labelled = Devices.of(y, account, ambiguous)
    both = [challenger] if champion is None else [challenger, champion]
    check_scores({each.label: -each.probability for each in both}, labelled, devices)
    hidden = None if unseen is None else unseen[labelled]
    sides = [_Side.of(each, labelled, hidden, devices) for each in both]
    drawn = devices.draws(replicates, seed)
    honest = devices.honest()
    requirements = [
        *_certificates(challenger.thresholds, None if champion is None else champion.thresholds)
    ]
    for bound in _bounds(challenger.thresholds):
        requirements += _refuted(bound, sides[0].flagged, devices, honest, drawn)
    if champion is not None:
        requirements += _metrics(sides, devices, drawn, tolerance)
        if situation is not None:
            requirements += _situations(sides, devices, drawn, situation[labelled], tolerance)
    counted = np.unique(devices.account[devices.headline])
    return Contest(
        challenger.label,
        None if champion is None else champion.label,
        tuple(requirements),
        {
            "devices": int(devices.headline.sum()),
            "accounts": int(counted.size),
            "honest_accounts": int(honest.sum()),
        },
    )


def accounts_needed(rate: float, confidence: float) -> int:
    """Accounts without an error that certify a rate (the rule of three, exactly).

    Examples
    --------
    >>> accounts_needed(0.01, 0.95), accounts_needed(0.001, 0.95)
    (299, 2995)
    """
    return math.ceil(math.log(1.0 - confidence) / math.log(1.0 - rate))


def clopper_pearson_lower(errors: int, units: int, *, confidence: float = 0.95) -> float:
    """Exact one-sided lower confidence limit of a share (Clopper and Pearson, 1934).

    Examples
    --------
    >>> clopper_pearson_lower(0, 10), round(clopper_pearson_lower(10, 10), 4)
    (0.0, 0.7411)
    """
    from scipy.special import betaincinv

    if errors == 0 or units == 0:
        return 0.0
    return float(betaincinv(errors, units - errors + 1, 1.0 - confidence))


@dataclass(frozen=True, slots=True)
class _Side:
    """A contestant on the labelled devices."""

    probability: Floats
    flagged: Bools
    ranking: Ranking

    @classmethod
    def of(
        cls, given: Contestant, labelled: Bools, hidden: Bools | None, devices: Devices
    ) -> _Side:
        p = np.asarray(given.probability, dtype=np.float64)[labelled]
        calls = given.thresholds.calls(p)
        if hidden is not None:
            calls[hidden] = 0
        return cls(p, calls == -1, Ranking(-p, devices, [RATE]))


def _bounds(thresholds: Thresholds) -> list[Bound]:
    return [bound for bound in thresholds.bounds if bound.name in _BOUNDS]


def _certificates(challenger: Thresholds, champion: Thresholds | None) -> Iterator[Requirement]:
    earlier = {} if champion is None else {bound.name: bound for bound in _bounds(champion)}
    own = {bound.name: bound for bound in _bounds(challenger)}
    for name in _BOUNDS:
        bound = own.get(name)
        if bound is None or bound.upper is None or challenger.outside_at is None:
            yield Requirement(f"certified {name}", False, "no threshold qualifies")
            continue
        yield Requirement(
            f"certified {name}",
            bound.upper <= bound.rate,
            f"{bound.errors:,} of {bound.units:,}, upper limit {bound.upper:.3%} at "
            f"{bound.confidence:.0%}, bound {bound.rate:.3%}",
        )
        before = earlier.get(name)
        if before is not None and before.upper is not None:
            yield Requirement(
                f"bound on {name} not looser",
                bound.rate <= before.rate and bound.confidence >= before.confidence,
                f"{bound.rate:.3%} at {bound.confidence:.0%}, the champion's {before.rate:.3%} at "
                f"{before.confidence:.0%}",
            )


def _refuted(
    bound: Bound, flagged: Bools, devices: Devices, honest: Bools, drawn: Drawn
) -> Iterator[Requirement]:
    """Whether the data can tell, and whether they contradict."""
    households = devices.headline & ~devices.outside
    if bound.name == "account_false_flags":
        hit = np.zeros(devices.accounts, dtype=bool)
        hit[devices.account[households & flagged]] = True
        units, errors = int(honest.sum()), int((honest & hit).sum())
        needed = accounts_needed(bound.rate, bound.confidence)
        yield Requirement(
            "honest accounts", units >= needed, f"{units:,}, needed {needed:,} for {bound.rate:.3%}"
        )
        lower = clopper_pearson_lower(errors, units, confidence=bound.confidence)
    else:
        units, errors = int(households.sum()), int((households & flagged).sum())
        totals = AccountTotals(devices, drawn)
        shares = share(totals.of(households & flagged), totals.of(households))[1:]
        lower = float(np.nanquantile(shares, 1.0 - bound.confidence)) if units else 0.0
    yield Requirement(
        f"{bound.name} on this data",
        lower <= bound.rate,
        f"{errors:,} of {units:,}, lower limit {lower:.3%}, bound {bound.rate:.3%}",
    )


def _metrics(
    sides: Sequence[_Side], devices: Devices, drawn: Drawn, tolerance: float
) -> Iterator[Requirement]:
    measured = [_measured(side, devices, drawn) for side in sides]
    for name, more_is_better in METRICS.items():
        mine, theirs = (each[name] for each in measured)
        ahead = mine - theirs if more_is_better else theirs - mine
        yield _no_worse(name, mine, theirs, ahead, tolerance)


def _measured(side: _Side, devices: Devices, drawn: Drawn) -> dict[str, Floats]:
    """Metrics by name, each under every draw."""
    totals = AccountTotals(devices, drawn)
    ranked = [side.ranking.under(draw) for draw in drawn]
    outsiders = devices.headline & devices.outside
    right = np.where(devices.outside, 1.0 - side.probability, side.probability)
    surprise = -np.log(np.clip(right, 1e-15, 1.0))
    return {
        "pr_auc": np.array([average for average, _, _ in ranked]),
        f"recall_at_{RATE:g}": np.array([float(recall[0]) for _, recall, _ in ranked]),
        "called_recall": share(totals.of(outsiders & side.flagged), totals.of(outsiders)),
        "log_loss": share(totals.of(devices.headline * surprise), totals.of(devices.headline)),
    }


def _no_worse(
    name: str, mine: Floats, theirs: Floats, ahead: Floats, tolerance: float
) -> Requirement:
    difference = estimate(ahead)
    told = f"{mine[0]:.4f}, the champion's {theirs[0]:.4f}, ahead by {_signed(difference)}"
    if difference.low is None:
        return Requirement(f"{name} no worse", False, f"{told}: not defined on this data")
    holds = difference.low >= -tolerance
    return Requirement(f"{name} no worse", holds, f"{told}, tolerance {tolerance:g}")


def _situations(
    sides: Sequence[_Side],
    devices: Devices,
    drawn: Drawn,
    situation: npt.NDArray[Any],
    tolerance: float,
) -> Iterator[Requirement]:
    names = np.array([str(value) for value in situation.tolist()], dtype=object)
    households = devices.headline & ~devices.outside
    totals = AccountTotals(devices, drawn)
    for name in sorted(set(names[households].tolist()) - {""}):
        part = households & (names == name)
        if int(part.sum()) < _FEWEST:
            continue
        whole = totals.of(part)
        mine, theirs = (share(totals.of(part & side.flagged), whole) for side in sides)
        more = estimate(mine - theirs)
        yield Requirement(
            f"called outside in {name}",
            more.low is None or more.low <= tolerance,
            f"{mine[0]:.2%}, the champion's {theirs[0]:.2%}, more by {_signed(more)}",
        )


def _signed(difference: Estimate) -> str:
    if difference.value is None or difference.low is None or difference.high is None:
        return "an unknown amount"
    return f"{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
