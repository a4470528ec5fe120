"""How often the inferred home is the account's home, and what it is where it is not.

The true home of an account is the place of its last session at home: homes move, and the last one
counts. The inferred home is right where most of the sessions that were inferred to be at home were
truly there. Accounts of which no session was at home tell nothing and are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.errors import ParameterError, Problem
from household_ml.modeling.grouping import Pairs
from household_ml.modeling.resampling import Estimate
from household_ml.modeling.truth import NOWHERE, Truth
from household_ml.sessions import Sessions

__all__ = ["WRONG_HOMES", "HomeAccuracy", "measure_homes"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: What is taken for home where it is not, in the order in which a case is named.
WRONG_HOMES: Final = {
    "none": "no place at all",
    "on_the_move": "no place: mobile, VPN or public networks",
    "former_home": "a home that was left",
    "outside": "a place used mostly by devices outside the household",
    "other": "another place of the household, such as a second home",
}

_REPLICATES: Final = 1000


@dataclass(frozen=True)
class HomeAccuracy:
    """How often the inferred home is right in a world.

    Parameters
    ----------
    name : str
        The world.
    accounts : int
        Accounts whose true home was seen.
    right : Estimate
        Share of these whose inferred home it is.
    wrong : mapping of str to float
        Share of these by what is taken for home instead, see :data:`WRONG_HOMES`.
    parts : mapping of str to (int, Estimate)
        The same share by kind of account, with the number of accounts.
    """

    name: str
    accounts: int
    right: Estimate
    wrong: Mapping[str, float]
    parts: Mapping[str, tuple[int, Estimate]]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, always in the same order."""
        return {
            "name": self.name,
            "accounts": self.accounts,
            "right": asdict(self.right),
            "wrong": dict(self.wrong),
            "parts": {
                kind: {"accounts": count, "right": asdict(right)}
                for kind, (count, right) in self.parts.items()
            },
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> HomeAccuracy:
        """Read what :meth:`to_dict` gave."""
        return cls(
            name=given["name"],
            accounts=given["accounts"],
            right=Estimate(**given["right"]),
            wrong=dict(given["wrong"]),
            parts={
                kind: (part["accounts"], Estimate(**part["right"]))
                for kind, part in given["parts"].items()
            },
        )

    def to_text(self) -> str:
        """The share, what home is taken for instead, and kinds of account, as lines for people."""
        lines = [f"inferred home is right in {self.right} of {self.accounts} accounts"]
        wrong = [f"{WRONG_HOMES[kind]} {rate:.3f}" for kind, rate in self.wrong.items() if rate]
        if wrong:
            lines.append(f"  taken for home instead: {'; '.join(wrong)}")
        lines += [
            f"  {kind:<32} {right!s:<22} of {count}" for kind, (count, right) in self.parts.items()
        ]
        return "\n".join(lines)


def measure_homes(
    sessions: Sessions,
    inferred: npt.NDArray[np.int32],
    truth: Truth,
    y: Floats,
    *,
    name: str,
    seed: int = 0,
) -> HomeAccuracy:
    """Compare the inferred homes with the true ones.

    Parameters
    ----------
    sessions : Sessions
        Of N rows, D devices and A accounts.
    inferred : int32 array of shape (N,)
        Inferred place of each session, 0 = home.
    truth : Truth
        Of the same N rows, with ``at_home``.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unlabelled.
    name : str
        The world.
    seed : int, default=0
        Of the resampling.

    Returns
    -------
    HomeAccuracy

    Raises
    ------
    ParameterError
        When the truth does not tell what was home.
    """
    if truth.at_home is None:
        raise ParameterError(
            Problem(
                "the truth must tell which sessions were at home",
                "none called at_home",
                "Add the column, or leave the homes out.",
            )
        )
    account = sessions.row_account()
    home = _last(account, truth.place, truth.at_home, sessions.n_accounts)
    taken = _majority(account, truth.place, inferred == 0, sessions.n_accounts)
    told = _any(account, inferred == 0, sessions.n_accounts)
    counted = home != NOWHERE
    right = counted & told & (taken == home)
    kinds = _kinds(sessions, account, truth, y, taken, told)
    wrong = {kind: _rate(counted & ~right & which, counted) for kind, which in kinds.items()}
    outside = _any(sessions.device_account(), y == 0.0, sessions.n_accounts)
    moved = _homes(account, truth.place, truth.at_home, sessions.n_accounts) > 1
    parts = {
        "all devices in the household": counted & ~outside,
        "with devices outside": counted & outside,
        "home moved": counted & moved,
    }
    rng = np.random.default_rng(seed)
    return HomeAccuracy(
        name=name,
        accounts=int(counted.sum()),
        right=_resampled(right[counted], rng),
        wrong=wrong,
        parts={
            kind: (int(which.sum()), _resampled(right[which], rng))
            for kind, which in parts.items()
            if which.any()
        },
    )


def _last(account: Ints, place: Ints, chosen: Bools, accounts: int) -> Ints:
    """Place of the last chosen session of each account; rows lie by account and time."""
    found = np.full(accounts, NOWHERE, dtype=np.int64)
    rows = np.flatnonzero(chosen)
    found[account[rows]] = place[rows]
    return found


def _majority(account: Ints, place: Ints, chosen: Bools, accounts: int) -> Ints:
    found = np.full(accounts, NOWHERE, dtype=np.int64)
    spots = Pairs.of(account[chosen], place[chosen])
    top = spots.largest(spots.sizes, (spots.value >= 0).astype(np.int64))
    found[spots.owner[top]] = spots.value[top]
    return found


def _any(owner: Ints, chosen: Bools, accounts: int) -> Bools:
    return np.asarray(np.bincount(owner[chosen], minlength=accounts) > 0)


def _homes(account: Ints, place: Ints, at_home: Bools, accounts: int) -> Ints:
    """Distinct places that were home of each account."""
    return np.bincount(Pairs.of(account[at_home], place[at_home]).owner, minlength=accounts)


def _kinds(
    sessions: Sessions, account: Ints, truth: Truth, y: Floats, taken: Ints, told: Bools
) -> dict[str, Bools]:
    """What each account's inferred home is, were it wrong; every account is of one kind."""
    there = truth.place == taken[account]
    size = sessions.n_accounts
    at_home = np.zeros(there.size, bool) if truth.at_home is None else truth.at_home
    device = sessions.account_devices[account] + sessions.device
    rows = np.bincount(account[there], minlength=size)
    strangers = np.bincount(account[there & (y[device] == 0.0)], minlength=size)
    tests = {
        "none": ~told,
        "on_the_move": taken == NOWHERE,
        "former_home": _any(account, there & at_home, size),
        "outside": 2 * strangers > rows,
        "other": np.ones(size, dtype=bool),
    }
    left = np.ones(size, dtype=bool)
    found = {}
    for kind, holds in tests.items():
        found[kind] = left & holds
        left = left & ~holds
    return found


def _rate(part: Bools, whole: Bools) -> float:
    return round(float(part.sum() / max(int(whole.sum()), 1)), 6)


def _resampled(right: Bools, rng: np.random.Generator) -> Estimate:
    """Share of accounts; drawing accounts again is drawing from a binomial."""
    if right.size == 0:
        return Estimate(None, None, None)
    value = float(right.mean())
    return Estimate.of(value, rng.binomial(right.size, value, _REPLICATES) / right.size)
