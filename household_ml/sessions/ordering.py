"""The one order of sessions: by account, then by time, then by everything else.

Order of the input never shows in the output: rows that tie in every column are the same row, and
of those the first in the input is kept. Rows are spread over accounts by counting, then sorted
within each account, accounts in parallel; accounts already in time order cost one look.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from household_ml.compiling import compiled
from household_ml.config import environment

__all__ = ["Columns", "Numbering", "number_within", "order_rows", "run_in_threads", "sort_accounts"]


class Columns(NamedTuple):
    """Sessions as found, one array per column, N rows.

    Attributes
    ----------
    account : ndarray of int32
        Rank of the account id among all.
    device : ndarray of int32
        Rank of the device id among all.
    profile : ndarray of int32
        Rank of the profile among all, -1 = null.
    started_at, duration_s, ip_hi, ip_lo, asn, device_type, country, utc_offset_min : ndarray
        As in `Sessions`, the offset not yet resolved.
    """

    account: np.ndarray
    device: np.ndarray
    profile: np.ndarray
    started_at: np.ndarray
    duration_s: np.ndarray
    ip_hi: np.ndarray
    ip_lo: np.ndarray
    asn: np.ndarray
    device_type: np.ndarray
    country: np.ndarray
    utc_offset_min: np.ndarray


class Numbering(NamedTuple):
    """Values numbered anew within each account.

    Attributes
    ----------
    numbers : ndarray of int32, shape (N,)
        Number of each row's value within its account, in the order of the values; -1 = null.
    starts : ndarray of int64, shape (A + 1,)
        Offsets of the accounts in `values`.
    values : ndarray of int32
        The distinct values of each account, ascending.
    """

    numbers: np.ndarray
    starts: np.ndarray
    values: np.ndarray


def run_in_threads(
    count: int, weights: np.ndarray, task: Callable[[int, int], Any], threads: int | None = None
) -> list[Any]:
    """Run a task over ranges of `count` things, split so that each thread has the same weight.

    Parameters
    ----------
    count : int
        Number of things, such as accounts.
    weights : ndarray of int64, shape (count + 1,)
        Cumulated weight of the things, such as row offsets.
    task : callable of (first, last)
        Compiled code that holds no lock.
    threads : int, optional
        As many as the environment says when left out.

    Returns
    -------
    list
        What the task returned, in the order of the ranges.
    """
    if threads is None:
        threads = int(environment("HOUSEHOLD_ML_THREADS") or os.cpu_count() or 1)
    if threads == 1 or weights[-1] < 50_000:
        return [task(0, count)]
    aims = np.linspace(0, int(weights[-1]), 4 * threads + 1)[1:-1]
    edges = [0, *np.searchsorted(weights, aims).tolist(), count]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(task, edges[:-1], edges[1:]))


@compiled
def _spread(account: np.ndarray, rows: np.ndarray, order: np.ndarray) -> None:
    """Row numbers by account, in the order of the input within each; `rows` are its offsets."""
    at = rows[:-1].copy()
    for row in range(account.size):
        code = account[row]
        if code >= 0:
            order[at[code]] = row
            at[code] += 1


@compiled
def _compare(
    a: int,
    b: int,
    started_at: np.ndarray,
    device: np.ndarray,
    ip_hi: np.ndarray,
    ip_lo: np.ndarray,
    duration: np.ndarray,
    asn: np.ndarray,
    device_type: np.ndarray,
    country: np.ndarray,
    offset: np.ndarray,
    profile: np.ndarray,
) -> int:
    if started_at[a] != started_at[b]:
        return -1 if started_at[a] < started_at[b] else 1
    if device[a] != device[b]:
        return -1 if device[a] < device[b] else 1
    if ip_hi[a] != ip_hi[b]:
        return -1 if ip_hi[a] < ip_hi[b] else 1
    if ip_lo[a] != ip_lo[b]:
        return -1 if ip_lo[a] < ip_lo[b] else 1
    if duration[a] != duration[b]:
        return -1 if duration[a] < duration[b] else 1
    if asn[a] != asn[b]:
        return -1 if asn[a] < asn[b] else 1
    if device_type[a] != device_type[b]:
        return -1 if device_type[a] < device_type[b] else 1
    if country[a] != country[b]:
        return -1 if country[a] < country[b] else 1
    if offset[a] != offset[b]:
        return -1 if offset[a] < offset[b] else 1
    if profile[a] != profile[b]:
        return -1 if profile[a] < profile[b] else 1
    return 0


@compiled
def sort_accounts(
    first: int,
    last: int,
    rows: np.ndarray,
    order: np.ndarray,
    same_as: np.ndarray,
    started_at: np.ndarray,
    device: np.ndarray,
    ip_hi: np.ndarray,
    ip_lo: np.ndarray,
    duration: np.ndarray,
    asn: np.ndarray,
    device_type: np.ndarray,
    country: np.ndarray,
    offset: np.ndarray,
    profile: np.ndarray,
) -> None:
    """Merge sort of each account's rows, stable, so that the first of equal rows comes first.

    Callable from other compiled functions.

    Parameters
    ----------
    first, last : int
        Accounts to sort.
    rows : ndarray of int64, shape (A + 1,)
        Offsets of the accounts in `order`.
    order : ndarray of int64, shape (M,)
        Row numbers, in the order of the input within each account; sorted.
    same_as : ndarray of int64, shape (M,)
        -1 everywhere; ``same_as[i]`` becomes the row that ``order[i]`` repeats.
    started_at, device, ip_hi, ip_lo, duration, asn, device_type, country, offset, profile : ndarray
        Columns of the rows; the duration as its bits, without a negative zero.
    """
    longest = 0
    for account in range(first, last):
        longest = max(longest, rows[account + 1] - rows[account])
    spare = np.empty(longest, order.dtype)
    for account in range(first, last):
        here = order[rows[account] : rows[account + 1]]
        size = here.size
        ordered = True
        for i in range(1, size):
            if started_at[here[i - 1]] >= started_at[here[i]]:
                ordered = False
                break
        if ordered:
            continue
        width = 1
        while width < size:
            left = 0
            while left < size:
                middle = min(left + width, size)
                right = min(left + 2 * width, size)
                i, j = left, middle
                for k in range(left, right):
                    if i < middle and (
                        j >= right
                        or _compare(
                            here[i],
                            here[j],
                            started_at,
                            device,
                            ip_hi,
                            ip_lo,
                            duration,
                            asn,
                            device_type,
                            country,
                            offset,
                            profile,
                        )
                        <= 0
                    ):
                        spare[k] = here[i]
                        i += 1
                    else:
                        spare[k] = here[j]
                        j += 1
                left = right
            here[:] = spare[:size]
            width *= 2
        kept = here[0]
        for i in range(1, size):
            if _compare(
                kept, here[i], started_at, device, ip_hi, ip_lo, duration,
                asn, device_type, country, offset, profile,
            ) == 0:  # fmt: skip
                same_as[rows[account] + i] = kept
            else:
                kept = here[i]


def order_rows(
    columns: Columns, accounts: int, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Put rows in the one order and find those that repeat another.

    Parameters
    ----------
    columns : Columns
        N rows; those with account -1 are left out.
    accounts : int
        Number of accounts.
    threads : int, optional
        As many as the environment says when left out.

    Returns
    -------
    order : ndarray of int64, shape (M,)
        Row numbers in order, M <= N.
    same_as : ndarray of int64, shape (M,)
        Row of which this one is a copy, or -1.
    """
    sizes = np.bincount(columns.account[columns.account >= 0], minlength=accounts)
    rows = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    order = np.empty(rows[-1], np.int64)
    same_as = np.full(rows[-1], -1, np.int64)
    _spread(columns.account, rows, order)
    duration = (columns.duration_s + np.float32(0)).view(np.uint32)
    arrays = (
        columns.started_at, columns.device, columns.ip_hi, columns.ip_lo, duration, columns.asn,
        columns.device_type, columns.country, columns.utc_offset_min, columns.profile,
    )  # fmt: skip

    def task(first: int, last: int) -> None:
        sort_accounts(first, last, rows, order, same_as, *arrays)

    run_in_threads(accounts, rows, task, threads)
    return order, same_as


@compiled
def _distinct(
    first: int,
    last: int,
    rows: np.ndarray,
    values: np.ndarray,
    spread: np.ndarray,
    found: np.ndarray,
) -> None:
    """Each account's distinct values, ascending, at the start of its rows in `spread`."""
    for account in range(first, last):
        start = rows[account]
        here = spread[start : rows[account + 1]]
        here[:] = values[start : rows[account + 1]]
        here.sort()
        kept = 0
        for i in range(here.size):
            if here[i] >= 0 and (kept == 0 or here[i] != here[kept - 1]):
                here[kept] = here[i]
                kept += 1
        found[account] = kept


@compiled
def _number(
    first: int,
    last: int,
    rows: np.ndarray,
    values: np.ndarray,
    spread: np.ndarray,
    starts: np.ndarray,
    numbers: np.ndarray,
    distinct: np.ndarray,
) -> None:
    for account in range(first, last):
        size = starts[account + 1] - starts[account]
        here = spread[rows[account] : rows[account] + size]
        distinct[starts[account] : starts[account + 1]] = here
        for row in range(rows[account], rows[account + 1]):
            numbers[row] = -1 if values[row] < 0 else np.searchsorted(here, values[row])


def number_within(account_rows: np.ndarray, values: np.ndarray) -> Numbering:
    """Number values 0, 1, ... within each account, in the order of the values.

    Parameters
    ----------
    account_rows : ndarray of int64, shape (A + 1,)
        Row offsets of the accounts.
    values : ndarray of int32, shape (N,)
        Values to number; -1 = null.

    Returns
    -------
    Numbering

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([7, 3, 7, 7, -1], np.int32)
    >>> found = number_within(np.array([0, 3, 5]), values)
    >>> found.numbers.tolist(), found.starts.tolist(), found.values.tolist()
    ([1, 0, 1, 0, -1], [0, 2, 3], [3, 7, 7])
    """
    accounts = len(account_rows) - 1
    spread, counts = np.empty_like(values), np.zeros(accounts, np.int64)
    run_in_threads(
        accounts,
        account_rows,
        lambda first, last: _distinct(first, last, account_rows, values, spread, counts),
    )
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    numbers, distinct = np.empty_like(values), np.empty(starts[-1], values.dtype)
    run_in_threads(
        accounts,
        account_rows,
        lambda first, last: _number(
            first, last, account_rows, values, spread, starts, numbers, distinct
        ),
    )
    return Numbering(numbers, starts, distinct)
