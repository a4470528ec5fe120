"""Which address a fixed line holds at which time.

Events of all lines (a line begins, is renumbered, ends) are gone through in the order of time, so
that no address is held by two lines at once, and one that is given up is later somebody else's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from household_ml.compiling import compiled
from household_ml.simulation.hashing import mix_scalar
from household_ml.simulation.pools import Pools

__all__ = ["DAILY", "DAY", "EXPONENTIAL", "STATIC", "WEEKLY", "Leases", "lease_lines"]

I64 = NDArray[np.int64]

#: Minutes in a day; times of the simulation are whole minutes from its first midnight, UTC.
DAY = 1440

STATIC, WEEKLY, EXPONENTIAL, DAILY = 0, 1, 2, 3


@dataclass(frozen=True, slots=True, eq=False)
class Leases:
    """Addresses held by lines, ordered by line and time.

    Attributes
    ----------
    first : ndarray of int64, shape (L + 1,)
        Where each line's leases begin.
    at : ndarray of int64, shape (K,)
        Minute at which each lease begins.
    index : ndarray of int64, shape (K,)
        Address of the line's pool, -1 where the line does not draw from it alone.
    """

    first: I64
    at: I64
    index: I64

    def current(self, line: I64, minute: I64) -> I64:
        """Row of the lease that each line holds at a time; its first one before that.

        Parameters
        ----------
        line, minute : ndarray of int64, shape (N,)

        Returns
        -------
        ndarray of int64, shape (N,)
        """
        return _current(self.first, self.at, line, minute)


@compiled
def _current(first: I64, at: I64, line: I64, minute: I64) -> I64:
    rows = np.empty(len(line), dtype=np.int64)
    for number in range(len(line)):
        low = first[line[number]]
        high = first[line[number] + 1]
        while high - low > 1:
            middle = (low + high) // 2
            if at[middle] <= minute[number]:
                low = middle
            else:
                high = middle
        rows[number] = low
    return rows


@compiled
def _draw(seed: int, line: int, turn: int, salt: int) -> float:
    state = mix_scalar(mix_scalar(mix_scalar(mix_scalar(np.uint64(0), seed), line), turn), salt)
    return np.float64(np.uint64(state) >> np.uint64(11)) * 2.0**-53


@compiled
def _next(
    minute: float, policy: int, phase: float, gap: float, reboots: float, draw: float, draw2: float
) -> float:
    """When the lease that begins at a minute ends: its own term or a reboot, whichever is first."""
    end = 1e18
    if policy == WEEKLY:
        end = minute + 7 * DAY
    elif policy == DAILY:
        end = (np.floor((minute - phase) / DAY + 1e-9) + 1.0) * DAY + phase
    elif policy == EXPONENTIAL:
        end = minute - np.log(1.0 - draw) * gap
    if policy != STATIC and reboots > 0.0:
        # equipment on a long lease mostly gets its address back after a reboot
        rate = reboots if policy != EXPONENTIAL else 0.15 * reboots
        end = min(end, minute - np.log(1.0 - draw2) / rate)
    return max(end, minute + 10.0)


@compiled
def _events(
    policy: I64,
    begins: I64,
    ends: I64,
    horizon: int,
    mean_days: float,
    reboots: float,
    seed: int,
    first: I64,
    at: I64,
) -> int:
    """Minutes of all leases of all lines; with an empty `at`, only counts them into `first`."""
    total = 0
    counting = len(at) == 0
    for line in range(len(policy)):
        first[line] = total
        phase = 60.0 + 300.0 * _draw(seed, line, 0, 1)
        minute = float(begins[line])
        if policy[line] == WEEKLY:
            minute -= 7.0 * DAY * _draw(seed, line, 0, 2)
        turn = 0
        while turn == 0 or (minute < ends[line] and minute < horizon):
            if not counting:
                at[total] = int(minute)
            total += 1
            turn += 1
            minute = _next(
                minute,
                policy[line],
                phase,
                mean_days * DAY,
                reboots,
                _draw(seed, line, turn, 3),
                _draw(seed, line, turn, 4),
            )
    first[len(policy)] = total
    return total


@compiled
def _allocate(
    order: I64,
    line_of: I64,
    turn_of: I64,
    is_end: NDArray[np.bool_],
    pool: I64,
    pool_first: I64,
    hosts: I64,
    per_prefix: I64,
    slot: I64,
    stays_24: float,
    stays_prefix: float,
    seed: int,
    index: I64,
) -> None:
    held = np.zeros(slot[-1], dtype=np.uint8)
    holds = np.full(len(pool), -1, dtype=np.int64)
    for position in range(len(order)):
        event = order[position]
        line = line_of[event]
        which = pool[line]
        old = holds[line]
        if is_end[event]:
            if old >= 0:
                held[slot[which] + old] = 0
                holds[line] = -1
            continue
        networks = pool_first[which + 1] - pool_first[which]
        width = hosts[which]
        draw = _draw(seed, line, turn_of[event], 5)
        chosen = -1
        for attempt in range(64):
            state = mix_scalar(
                mix_scalar(mix_scalar(mix_scalar(np.uint64(0), seed), line), turn_of[event]), 6
            )
            state = mix_scalar(state, attempt)
            at_network = np.int64(np.uint64(state) % np.uint64(networks))
            host = np.int64((np.uint64(state) >> np.uint64(32)) % np.uint64(width))
            if old >= 0 and attempt < 48:
                old_network = old // width
                prefix = old_network // per_prefix[which]
                begin = prefix * per_prefix[which]
                if draw < stays_24:
                    at_network = old_network
                elif draw < stays_prefix and per_prefix[which] > 1:
                    step = 1 + at_network % (per_prefix[which] - 1)
                    at_network = begin + (old_network - begin + step) % per_prefix[which]
                elif at_network // per_prefix[which] == prefix:
                    at_network = (at_network + per_prefix[which]) % networks
            chosen = at_network * width + host
            if held[slot[which] + chosen] == 0:
                break
        if old >= 0:
            held[slot[which] + old] = 0
        held[slot[which] + chosen] = 1
        holds[line] = chosen
        index[event] = chosen


def lease_lines(
    pools: Pools,
    *,
    pool: I64,
    policy: I64,
    exclusive: NDArray[np.bool_],
    begins: I64,
    ends: I64,
    days: int,
    mean_days: float,
    reboots_a_month: float,
    leaves_24: float,
    leaves_prefix: float,
    seed: int,
) -> Leases:
    """Give every line an address at every time.

    Parameters
    ----------
    pools : Pools
        Where addresses come from.
    pool, policy : ndarray of int64, shape (L,)
        Pool and holding policy of each line.
    exclusive : ndarray of bool, shape (L,)
        Lines that hold an address alone; the others only get the times of their leases.
    begins, ends : ndarray of int64, shape (L,)
        Minutes at which each line is connected and cut.
    days : int
        Days of the simulation.
    mean_days, reboots_a_month, leaves_24, leaves_prefix : float
        As in `World`.
    seed : int
        Of the draws.

    Returns
    -------
    Leases
        When a pool is nearly full, two lines may after 64 tries share an address.
    """
    horizon = (days + 2) * DAY
    first = np.zeros(len(pool) + 1, dtype=np.int64)
    reboots = reboots_a_month / (30.4 * DAY)
    none = np.empty(0, dtype=np.int64)
    total = _events(policy, begins, ends, horizon, mean_days, reboots, seed, first, none)
    at = np.empty(total, dtype=np.int64)
    _events(policy, begins, ends, horizon, mean_days, reboots, seed, first, at)
    line_of = np.repeat(np.arange(len(pool)), np.diff(first))
    turn_of = np.arange(total) - first[line_of]
    cut = np.flatnonzero(ends < horizon)
    minutes = np.concatenate([at, ends[cut]])
    lines = np.concatenate([line_of, cut])
    is_end = np.concatenate([np.zeros(total, dtype=bool), np.ones(len(cut), dtype=bool)])
    order = np.flatnonzero(exclusive[lines])
    order = order[np.argsort(minutes[order], kind="stable")]
    index = np.full(len(minutes), -1, dtype=np.int64)
    _allocate(
        order,
        lines,
        np.concatenate([turn_of, np.zeros(len(cut), dtype=np.int64)]),
        is_end,
        pool,
        pools.first,
        pools.hosts,
        pools.per_prefix,
        np.concatenate([[0], np.cumsum(pools.size)]),
        1.0 - leaves_24,
        1.0 - leaves_prefix,
        seed,
        index,
    )
    return Leases(first=first, at=at, index=index[:total])
