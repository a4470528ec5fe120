"""How the networks of an operator behave, in one stretch of time against another.

Three things decide what an address is worth as evidence of a home, and an operator can change each
of them overnight: how often a line gets another address (renumbering), how many accounts stand
behind one address (carrier NAT), and how much goes over IPv6. Each is a ratio of sums over
accounts, with the error of a ratio of sums over clusters, so that two stretches can be compared and
chance be told from change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.networks.enrich import EnrichedSessions
from household_ml.networks.ladder import prefix_keys
from household_ml.sessions.addresses import is_ipv4

__all__ = ["BEHAVIOURS", "Behaviour", "compare_operators", "ratio_by_group"]

#: What is compared: name -> what it is.
BEHAVIOURS: Final = {
    "changes_per_day": "changes of address of a device on the operator's lines, per day",
    "changed_at_once": "share of accounts whose address changed, in the mean and on the worst day",
    "shared": "share of sessions on an address that another account used within a day",
    "ipv6": "share of sessions over IPv6",
}

_DAY_US: Final = 86_400_000_000

#: Two sessions of a device tell whether its address changed when no more lies between them.
_LONGEST_GAP_US: Final = 3 * _DAY_US

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One behaviour of k ASs in two stretches of time; column 0 the reference, 1 the current one.

    Parameters
    ----------
    name : str
        One of `BEHAVIOURS`.
    asn : ndarray of uint32, shape (k,)
        ASs seen in either stretch, ascending.
    accounts : ndarray of int64, shape (k, 2)
        Accounts that tell.
    value : ndarray of float64, shape (k, 2)
        The ratio; NaN where nothing tells.
    error : ndarray of float64, shape (k, 2)
        Its standard error, with accounts as clusters; NaN below two accounts.
    chance : ndarray of float64, shape (k,)
        Chance of such a difference when nothing has changed; NaN where nothing tells.
    since : ndarray of datetime64[D], shape (k,)
        Day in the current stretch from which, or on which, the ratio was most unlike before; NaT
        where nothing tells.
    """

    name: str
    asn: npt.NDArray[np.uint32]
    accounts: Ints
    value: Floats
    error: Floats
    chance: Floats
    since: npt.NDArray[np.datetime64]

    @classmethod
    def compare(
        cls,
        name: str,
        asn: npt.NDArray[np.uint32],
        sides: Sequence[tuple[Ints, Floats, Floats]],
        since: npt.NDArray[np.datetime64] | None = None,
    ) -> Behaviour:
        """Compare ratios that :func:`ratio_by_group` gave for the two stretches."""
        from scipy.stats import norm

        accounts, value, error = (np.stack(parts, axis=1) for parts in zip(*sides, strict=True))
        # One of a hundred accounts may always differ: no ratio is surer than a tenth of that.
        surest = 0.1 / np.maximum(accounts.min(axis=1), 1)
        noise = np.maximum(np.hypot(error[:, 0], error[:, 1]), surest)
        chance = 2 * norm.sf(np.abs(value[:, 1] - value[:, 0]) / noise)
        nowhen = np.full(asn.size, "NaT", "datetime64[D]")
        return cls(name, asn, accounts, value, error, chance, nowhen if since is None else since)


def compare_operators(
    reference: EnrichedSessions, current: EnrichedSessions
) -> dict[str, Behaviour]:
    """Measure each behaviour of each AS in two stretches of time.

    Accounts and devices of the same id are the same in both, so that a change of address between
    the last session of the reference and the first one of the current stretch is seen too.

    Parameters
    ----------
    reference, current : EnrichedSessions
        Sessions before and after.

    Returns
    -------
    dict of str to Behaviour
        By the names of `BEHAVIOURS`.
    """
    rows = _Rows.of(reference, current)
    asn, system = np.unique(rows.asn, return_inverse=True)
    measured = {
        "changes_per_day": _changes(rows),
        "shared": _shared(rows),
        "ipv6": (np.arange(len(rows.time)), (~rows.v4).astype(np.float64), np.ones(len(rows.time))),
    }
    found = {"changed_at_once": _changed_at_once(rows, asn, system)}
    for name, (at, part, whole) in measured.items():
        now = rows.period[at] == 1
        sides = [
            ratio_by_group(
                system[at[chosen]],
                rows.account[at[chosen]],
                part[chosen],
                whole[chosen],
                asn.size,
            )
            for chosen in (~now, now)
        ]
        day = rows.time[at[now]] // _DAY_US
        since = _since(system[at[now]], day, part[now], whole[now], sides[0][1])
        found[name] = Behaviour.compare(name, asn, sides, since)
    return {name: found[name] for name in BEHAVIOURS}


def ratio_by_group(
    group: Ints, account: Ints, part: Floats, whole: Floats, groups: int
) -> tuple[Ints, Floats, Floats]:
    """Ratio of two sums in each group, and its standard error when accounts are the clusters.

    The error is that of the linearised ratio (Cochran, Sampling Techniques, 1977, section 6.4).

    Parameters
    ----------
    group : ndarray of int, shape (n,)
        Group of each observation, from 0.
    account : ndarray of int, shape (n,)
        Account of each observation.
    part, whole : ndarray of float64, shape (n,)
        What is summed above and below the line.
    groups : int
        How many groups.

    Returns
    -------
    accounts : ndarray of int64, shape (groups,)
        Accounts with a positive `whole`.
    value, error : ndarray of float64, shape (groups,)
        NaN where not defined.

    Examples
    --------
    >>> zeros = np.zeros(4, np.int64)
    >>> ratio_by_group(zeros, np.arange(4), np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4), 1)
    (array([4]), array([0.5]), array([0.28867513]))
    """
    width = int(account.max(initial=0)) + 1
    cell, index = np.unique(group.astype(np.int64) * width + account, return_inverse=True)
    above = np.bincount(index, part, minlength=cell.size)
    below = np.bincount(index, whole, minlength=cell.size)
    owner, counts = cell // width, below > 0
    accounts = np.bincount(owner[counts], minlength=groups)
    total = np.bincount(owner, below, minlength=groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(total > 0, np.bincount(owner, above, minlength=groups) / total, np.nan)
        spread = np.bincount(owner, (above - value[owner] * below) ** 2, minlength=groups)
        error = np.sqrt(spread * accounts / (accounts - 1.0)) / total
    return accounts, value, np.where(accounts > 1, error, np.nan)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Sessions of both stretches, one after the other, with common numbers for ids."""

    period: npt.NDArray[np.int8]
    account: Ints
    device: Ints
    time: Ints
    line: npt.NDArray[np.uint64]
    v4: npt.NDArray[np.bool_]
    asn: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, reference: EnrichedSessions, current: EnrichedSessions) -> _Rows:
        both = (reference, current)
        account, device = _common_numbers(both)
        return cls(
            period=np.repeat(np.array([0, 1], np.int8), [len(part) for part in both]),
            account=account,
            device=device,
            time=np.concatenate([part.sessions.started_at for part in both]),
            line=np.concatenate(
                [prefix_keys(part.sessions.ip_hi, part.sessions.ip_lo, 0) for part in both]
            ),
            v4=np.concatenate([is_ipv4(part.sessions.ip_hi, part.sessions.ip_lo) for part in both]),
            asn=np.concatenate([part.asn for part in both]),
        )


def _common_numbers(both: tuple[EnrichedSessions, EnrichedSessions]) -> tuple[Ints, Ints]:
    """Account and device of each row, numbered over both stretches."""
    names = pc.unique(pa.chunked_array([part.sessions.account_id for part in both]))
    accounts = [
        pc.index_in(part.sessions.account_id, value_set=names).to_numpy().astype(np.int64)
        for part in both
    ]
    words = pc.unique(pa.chunked_array([part.sessions.device_id for part in both]))
    devices = [
        own[part.sessions.device_account()] * len(words)
        + pc.index_in(part.sessions.device_id, value_set=words).to_numpy().astype(np.int64)
        for part, own in zip(both, accounts, strict=True)
    ]
    rows = [
        (own[owner], named[part.sessions.account_devices[owner] + part.sessions.device])
        for part, own, named in zip(both, accounts, devices, strict=True)
        for owner in [part.sessions.row_account()]
    ]
    return np.concatenate([row[0] for row in rows]), np.concatenate([row[1] for row in rows])


def _changes(rows: _Rows) -> tuple[Ints, Floats, Floats]:
    """Sessions that tell of a change, whether there was one, and the days since the one before."""
    order = np.lexsort((rows.time, rows.v4, rows.asn, rows.device))
    one, next_ = order[:-1], order[1:]
    gap = rows.time[next_] - rows.time[one]
    tells = (
        (rows.device[one] == rows.device[next_])
        & (rows.asn[one] == rows.asn[next_])
        & (rows.v4[one] == rows.v4[next_])
        & (gap <= _LONGEST_GAP_US)
    )
    changed = rows.line[one] != rows.line[next_]
    return next_[tells], changed[tells].astype(np.float64), gap[tells] / _DAY_US


def _changed_at_once(rows: _Rows, asn: npt.NDArray[np.uint32], system: Ints) -> Behaviour:
    """Share of accounts that change their address in a day: the mean before, the worst day now.

    Lines that are renumbered one by one change on days of their own. When most change on one day,
    the operator renumbered. IPv4 and IPv6 are renumbered apart, and the worse of the two is told.
    The chance of the worst day is binomial, times the days that were looked at.
    """
    from scipy.stats import binom

    at, changed, _ = _changes(rows)
    day = rows.time[at] // _DAY_US
    first, days = (int(day.min()), int(np.ptp(day)) + 1) if day.size else (0, 1)
    width = int(rows.account.max(initial=0)) + 1
    family = system[at] * 2 + rows.v4[at]
    cell = (family * days + (day - first)) * width + rows.account[at]
    seen, index = np.unique(cell, return_inverse=True)
    moved = np.bincount(index, changed, minlength=seen.size) > 0
    now = np.zeros(seen.size, np.bool_)
    now[index[rows.period[at] == 1]] = True
    shape = (asn.size, 2 * days)
    (was_moved, was_seen), (is_moved, is_seen) = [
        tuple(
            np.bincount(seen[chosen] // width, weights, minlength=2 * asn.size * days)
            for weights in (moved[chosen], np.ones(int(chosen.sum())))
        )
        for chosen in (~now, now)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = was_moved.reshape(-1, days).sum(axis=1) / was_seen.reshape(-1, days).sum(axis=1)
        usual = np.repeat(usual, days)
        chance = binom.sf(is_moved - 1, is_seen, np.clip(usual, 0.01, 1.0))
        chance = np.where((is_seen > 0) & np.isfinite(usual), chance, 1.0).reshape(shape)
        worst = chance.argmin(axis=1)
        place = np.arange(asn.size) * 2 * days + worst
        value = np.stack([usual[place], is_moved[place] / is_seen[place]], axis=1)
    tried = (is_seen > 0).reshape(shape).sum(axis=1)
    least = [each.reshape(-1, days).max(axis=1)[place // days] for each in (was_seen, is_seen)]
    return Behaviour(
        name="changed_at_once",
        asn=asn,
        accounts=np.stack(least, axis=1).astype(np.int64),
        value=value,
        error=np.full_like(value, np.nan),
        chance=np.minimum(1.0, chance[np.arange(asn.size), worst] * tried),
        since=np.datetime64(first, "D") + worst % days,
    )


def _shared(rows: _Rows) -> tuple[Ints, Floats, Floats]:
    """All sessions, and whether the one before or after on the address is another account's."""
    order = np.lexsort((rows.time, rows.line))
    line, time, account = rows.line[order], rows.time[order], rows.account[order]
    meets = (
        (line[1:] == line[:-1]) & (account[1:] != account[:-1]) & (time[1:] - time[:-1] <= _DAY_US)
    )
    near = np.zeros(len(order), np.bool_)
    near[1:] |= meets
    near[:-1] |= meets
    return order, near.astype(np.float64), np.ones(len(order))


def _since(
    system: Ints, day: Ints, part: Floats, whole: Floats, before: Floats
) -> npt.NDArray[np.datetime64]:
    """Day that begins the stretch, or is the one day, on which the ratio departs most."""
    found = np.full(before.size, "NaT", "datetime64[D]")
    if day.size == 0:
        return found
    first, last = int(day.min()), int(day.max())
    days = last - first + 1
    cell = system * days + (day - first)
    size = before.size * days
    above = np.bincount(cell, part, minlength=size).reshape(-1, days)
    below = np.bincount(cell, whole, minlength=size).reshape(-1, days)
    excess = above - np.nan_to_num(before)[:, None] * below
    # Strongest one day against strongest rest of the days, each in units of its noise.
    noise = np.sqrt(np.maximum(np.nan_to_num(before)[:, None] * below, 1.0))
    one = np.abs(excess) / noise
    tail = np.cumsum(excess[:, ::-1], axis=1)[:, ::-1]
    tail_noise = np.sqrt(np.cumsum((noise**2)[:, ::-1], axis=1)[:, ::-1])
    rest = np.abs(tail) / tail_noise
    alone = one.max(axis=1) > rest.max(axis=1)
    at = np.where(alone, one.argmax(axis=1), rest.argmax(axis=1))
    tells = below.sum(axis=1) > 0
    found[tells] = np.datetime64(first, "D") + at[tells]
    return found
