"""Accounts divided into training, calibration and test, so that no side knows the other's people.

Two accounts that share a private network, such as an owner's and a borrower's own, hold devices of
the same people; put on two sides they would let a model recognise instead of infer. So linked
accounts stay together. But an address lives longer than a subscriber: where lines are renumbered
every day nearly every account has at some time held an address that another one held later, and
the links join everybody. Links are therefore taken in the order of their strength, and one that
would make a group larger than a stated share of all accounts is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.errors import ParameterError, Problem

__all__ = ["CALIBRATION", "TEST", "TRAIN", "LinkedAccounts", "link_accounts", "split_groups"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Sides of a split.
TRAIN, CALIBRATION, TEST = 0, 1, 2


@compiled
def _join(first: Ints, second: Ints, accounts: int, largest: int) -> tuple[Ints, int]:
    parent = np.arange(accounts)
    size = np.ones(accounts, dtype=np.int64)
    left_out = 0
    for link in range(first.size):
        a = first[link]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        b = second[link]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a == b:
            continue
        if size[a] + size[b] > largest:
            left_out += 1
            continue
        if size[a] < size[b]:
            a, b = b, a
        parent[b] = a
        size[a] += size[b]
    for account in range(accounts):
        root = account
        while parent[root] != root:
            root = parent[root]
        parent[account] = root
    return parent, left_out


@dataclass(frozen=True)
class LinkedAccounts:
    """Groups of accounts that share private networks.

    Parameters
    ----------
    group : int64 array of shape (A,)
        Group of each account, ``0..groups-1``, numbered by their first account.
    links : int
        Pairs of accounts with a private network in common.
    left_out : int
        Links not honoured, since they would have made a group too large.
    """

    group: Ints
    links: int
    left_out: int


def link_accounts(
    account: Ints,
    network: npt.NDArray[np.generic],
    *,
    accounts: int,
    most: int = 3,
    largest: float = 0.05,
) -> LinkedAccounts:
    """Group accounts that were seen on the same private network.

    Parameters
    ----------
    account : int64 array of shape (N,)
        Account of each session, ``0..accounts-1``.
    network : array of shape (N,) or (N, K)
        Network of each session at the finest level (/32 or /64), as one or more integers that
        are equal for the same network.
    accounts : int
        Number of accounts A.
    most : int, default=3
        A network with more accounts is not private.
    largest : float, default=0.05
        Largest group, as a share of all accounts, in (0, 1]; groups of two are always allowed.

    Returns
    -------
    LinkedAccounts
        Strength of a link: the networks in common, each counted with the smaller of the two
        accounts' shares of sessions there.

    Examples
    --------
    >>> link_accounts(np.array([0, 1, 2]), np.array([7, 7, 9]), accounts=3).group.tolist()
    [0, 0, 1]
    """
    if most < 2 or not 0 < largest <= 1:
        raise ParameterError(
            Problem(
                "most must be at least 2 and largest in (0, 1]",
                f"{most} and {largest}",
                "Use the defaults.",
            )
        )
    owner = np.asarray(account, dtype=np.int64)
    line = _codes(network)
    order = np.lexsort((owner, line))
    owner, line = owner[order], line[order]
    opens = np.ones(owner.size, dtype=bool)
    opens[1:] = (np.diff(owner) != 0) | (np.diff(line) != 0)
    at = np.flatnonzero(opens)
    sessions = np.diff(np.append(at, owner.size))
    owner, line = owner[at], line[at]
    share = sessions / np.bincount(account, minlength=accounts)[owner]
    guests = np.bincount(line)[line] if line.size else line
    kept = (guests >= 2) & (guests <= most)
    owner, line, share = owner[kept], line[kept], share[kept]
    pairs: list[tuple[Ints, Ints, Floats]] = []
    for gap in range(1, most):
        same = line[gap:] == line[:-gap] if line.size > gap else np.zeros(0, bool)
        near, far = owner[: same.size][same], owner[gap:][same]
        pairs.append((near, far, np.minimum(share[: same.size][same], share[gap:][same])))
    near = np.concatenate([pair[0] for pair in pairs])
    far = np.concatenate([pair[1] for pair in pairs])
    strength = np.concatenate([pair[2] for pair in pairs])
    key, inverse = np.unique(near * accounts + far, return_inverse=True)
    total = np.bincount(inverse, weights=strength, minlength=key.size)
    strongest = np.lexsort((key, -total))
    first, second = np.divmod(key[strongest], max(accounts, 1))
    limit = max(2, int(largest * accounts))
    root, left_out = _join(first, second, accounts, limit)
    _, start, group = np.unique(root, return_index=True, return_inverse=True)
    rank = np.empty(start.size, dtype=np.int64)
    rank[np.argsort(start)] = np.arange(start.size)
    return LinkedAccounts(rank[group], int(key.size), int(left_out))


def split_groups(
    group: Ints, *, shares: Sequence[float] = (0.6, 0.2, 0.2), seed: int = 0
) -> npt.NDArray[np.int8]:
    """Divide accounts into training, calibration and test, group by group.

    Parameters
    ----------
    group : int64 array of shape (A,)
        Group of each account, which stays on one side.
    shares : three floats, default=(0.6, 0.2, 0.2)
        Shares of the accounts, not negative, with sum 1; met to within one group.
    seed : int, default=0
        Of the order in which groups are dealt out.

    Returns
    -------
    int8 array of shape (A,)
        :data:`TRAIN`, :data:`CALIBRATION` or :data:`TEST`.

    Raises
    ------
    ParameterError
        When the shares do not add up to 1.

    Examples
    --------
    >>> side = split_groups(np.arange(10), shares=(0.5, 0.3, 0.2))
    >>> np.bincount(side).tolist()
    [5, 3, 2]
    """
    parts = np.asarray(shares, dtype=np.float64)
    if parts.shape != (3,) or np.any(parts < 0) or abs(parts.sum() - 1.0) > 1e-9:
        raise ParameterError(
            Problem(
                "shares must be three numbers that add up to 1",
                repr(tuple(shares)),
                "Give the shares of training, calibration and test.",
            )
        )
    codes = np.unique(group, return_inverse=True)[1]
    if codes.size == 0:
        return np.zeros(0, dtype=np.int8)
    size = np.bincount(codes)
    order = np.random.default_rng(seed).permutation(size.size)
    middle = np.cumsum(size[order]) - size[order] / 2.0
    edges = np.cumsum(parts)[:2] * codes.size
    side = np.empty(size.size, dtype=np.int8)
    side[order] = np.searchsorted(edges, middle, side="right")
    return side[codes]


def _codes(network: npt.NDArray[np.generic]) -> Ints:
    """Equal integers for equal networks."""
    if network.ndim == 1:
        single: Ints = np.unique(network, return_inverse=True)[1].astype(np.int64)
        return single
    order = np.lexsort(network.T)
    opens = np.ones(order.size, dtype=bool)
    opens[1:] = np.any(network[order][1:] != network[order][:-1], axis=1)
    codes = np.empty(order.size, dtype=np.int64)
    codes[order] = np.cumsum(opens) - 1
    return codes
