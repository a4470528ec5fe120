"""The order of sessions that start at the same moment.

They lie by device id and address, which are names. What follows one of them must not follow the
names, or an account renamed would get another answer. So they are ordered by what else is known
of them, and of the other sessions of the same device, network and profile (colour refinement, as
in the test of graph isomorphism by Weisfeiler and Leman, 1968). Two that are equal in all of that
may change places and nothing changes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.features.history import Columns
from household_ml.features.nodes import index_nodes

__all__ = ["has_ties", "settle_ties", "take_rows"]

_ROUNDS = 2


@compiled
def has_ties(started_at: npt.NDArray[np.int64], begin: int, end: int) -> bool:
    """Tell whether two of the rows from ``begin`` to ``end`` start at the same moment."""
    for i in range(begin + 1, end):  # noqa: SIM110 - compiled code knows no generators
        if started_at[i] == started_at[i - 1]:
            return True
    return False


@compiled
def _mix(state: np.uint64, value: np.uint64) -> np.uint64:
    """One step of splitmix64 (Steele, Lea and Flood, 2014)."""
    z = state + value + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def _said(columns: Columns, i: int) -> np.uint64:
    """Digest of what a row says without its names: ids and address."""
    said = _mix(np.uint64(1), np.uint64(columns.started_at[i]))
    duration = columns.duration_s[i]
    said = _mix(said, np.uint64(1000.0 * duration) if duration >= 0 else np.uint64(1 << 62))
    said = _mix(said, np.uint64(columns.device_type[i] + 1))
    said = _mix(said, np.uint64(columns.country[i] + 1))
    said = _mix(said, np.uint64(columns.utc_offset_min[i] + 10_000))
    said = _mix(said, np.uint64(columns.asn[i]))
    for level in range(columns.accounts.shape[1]):
        said = _mix(said, np.uint64(columns.accounts[i, level]))
        said = _mix(said, np.uint64(columns.sessions[i, level]))
    return said


@compiled
def _shared(
    colour: npt.NDArray[np.uint64], group: npt.NDArray[np.int32], salt: int
) -> npt.NDArray[np.uint64]:
    """Digest, for each row, of all rows of its group in any order; 0 where it has none."""
    n = colour.size
    total = np.zeros(n + 1, np.uint64)
    for i in range(n):
        if group[i] >= 0:
            total[group[i]] += _mix(np.uint64(salt), colour[i])
    found = np.zeros(n, np.uint64)
    for i in range(n):
        if group[i] >= 0:
            found[i] = total[group[i]]
    return found


@compiled
def settle_ties(columns: Columns, begin: int, end: int) -> npt.NDArray[np.int64]:
    """Order the sessions of one account by time, those of one moment without regard to names.

    Parameters
    ----------
    columns : Columns
        Sessions of all accounts.
    begin, end : int
        Rows of this account, ordered by time.

    Returns
    -------
    ndarray of int64, shape (end - begin,)
        Rows in their order.
    """
    n = end - begin
    node, _ = index_nodes(columns.hi[begin:end], columns.lo[begin:end])
    device = columns.device[begin:end]
    profile = columns.profile[begin:end]
    colour = np.empty(n, np.uint64)
    for i in range(n):
        colour[i] = _said(columns, begin + i)
    for _ in range(_ROUNDS):
        by_device = _shared(colour, device, 2)
        by_node = _shared(colour, node, 3)
        by_profile = _shared(colour, profile, 4)
        for i in range(n):
            colour[i] = _mix(_mix(_mix(colour[i], by_device[i]), by_node[i]), by_profile[i])
    order = np.arange(begin, end)
    first = 0
    while first < n:
        stop = first + 1
        while stop < n and columns.started_at[begin + stop] == columns.started_at[begin + first]:
            stop += 1
        if stop > first + 1:
            order[first:stop] = begin + first + np.argsort(colour[first:stop], kind="mergesort")
        first = stop
    return order


@compiled
def take_rows(columns: Columns, order: npt.NDArray[np.int64]) -> Columns:
    """Copy some rows, in this order."""
    return Columns(
        columns.started_at[order],
        columns.device[order],
        columns.device_type[order],
        columns.duration_s[order],
        columns.hi[order],
        columns.lo[order],
        columns.asn[order],
        columns.operator[order],
        columns.connection[order],
        columns.country[order],
        columns.utc_offset_min[order],
        columns.profile[order],
        columns.accounts[order],
        columns.sessions[order],
        columns.fixed_sessions[order],
        columns.phone_sessions[order],
        columns.networks[order],
        columns.tenure_days[order],
        columns.span_days[order],
    )
