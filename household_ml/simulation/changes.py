"""What changed in the lives of accounts and devices, read off the lives that were simulated."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from household_ml.simulation.leases import DAY
from household_ml.simulation.population import EX_MEMBER, RESIDENT, Population

__all__ = ["CHANGES", "list_changes"]

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: The table of changes: when something changed for all devices of an account, or for one device.
CHANGES = pa.schema(
    [
        ("account_id", pa.string()),
        ("device_id", pa.string()),
        ("changed_at", pa.timestamp("us", tz="UTC")),
        ("change", pa.string()),
    ]
)

#: What may change, see `list_changes`.
_KINDS = ("moved", "changed_isp", "member_joined", "member_left", "joined", "left")


def list_changes(
    population: Population,
    bounds: tuple[int, int],
    account_ids: NDArray[np.str_],
    device_ids: NDArray[np.str_],
) -> pa.Table:
    """List what changed for the accounts of a chunk and for their devices.

    Parameters
    ----------
    population : Population
    bounds : (int, int)
        First account and the one after the last.
    account_ids : ndarray of str, shape (A,)
        Ids of these accounts.
    device_ids : ndarray of str, shape (D,)
        Ids of all their devices, in the order of the device table.

    Returns
    -------
    pyarrow.Table
        Schema `CHANGES`, ordered by account and time. With `device_id` null, for every device of
        the account: `moved` and `changed_isp` of its main home, `member_joined` and `member_left`
        of its household. Of one device: `joined` and `left` when its main user comes to live at the
        main home or no longer does, `moved` and `changed_isp` of the dwelling where else it is.

    Notes
    -----
    Who alternates between two dwellings, travels, visits or is seen once changes nothing here.
    """
    start, stop = bounds
    rows = _accounts(population, start, stop) + _devices(population, start, stop)
    account = np.concatenate([row[0] for row in rows])
    device = np.concatenate([row[1] for row in rows])
    minute = np.concatenate([row[2] for row in rows])
    kind = np.repeat([_KINDS.index(row[3]) for row in rows], [len(row[0]) for row in rows])
    seen = (minute > 0) & (minute < population.days * DAY)
    account, device, minute, kind = (part[seen] for part in (account, device, minute, kind))
    ids = account_ids[account - start]
    order = np.lexsort((kind, device, minute, ids))
    first = np.searchsorted(population.devices.account, start)
    named = device >= 0
    own = np.full(len(device), "", dtype=object)
    own[named] = device_ids[device[named] - first]
    epoch = np.datetime64(population.world.start, "us").astype(np.int64)
    return pa.table(
        [
            pa.array(ids[order], pa.string()),
            pa.array(own[order], pa.string(), mask=~named[order]),
            pa.array(epoch + minute[order] * 60_000_000, pa.int64()).cast(CHANGES.types[2]),
            pa.array(np.array(_KINDS, dtype=object)[kind[order]], pa.string()),
        ],
        schema=CHANGES,
    )


def _accounts(population: Population, start: int, stop: int) -> list[tuple[I64, I64, I64, str]]:
    """Account, no device, minute and kind of what changes for whole accounts."""
    accounts, places, people = population.accounts, population.places, population.people
    own = np.arange(start, stop)
    moved = accounts.moved[own] * DAY
    isp_changed = places.changed[accounts.home[own]]
    isp_changed = np.where(isp_changed < moved, isp_changed, -1)
    person = np.flatnonzero((people.account >= start) & (people.account < stop))
    switched, role = people.switched[person], people.role[person]
    account = people.account[person]
    with_household = switched == accounts.moved[account]
    joins = (role == RESIDENT) & ~with_household
    found = [
        (own, moved, "moved"),
        (own, isp_changed, "changed_isp"),
        (account[joins], switched[joins] * DAY, "member_joined"),
        (account[role == EX_MEMBER], switched[role == EX_MEMBER] * DAY, "member_left"),
    ]
    return [(who, np.full(len(who), -1), minute, kind) for who, minute, kind in found]


def _devices(population: Population, start: int, stop: int) -> list[tuple[I64, I64, I64, str]]:
    """Account, device, minute and kind of what changes for single devices."""
    devices, places, people = population.devices, population.places, population.people
    accounts = population.accounts
    low, high = np.searchsorted(devices.account, (start, stop))
    device = np.arange(low, high)
    account, owner = devices.account[device], devices.owner[device]
    carried = owner >= 0
    person = np.maximum(owner, 0)
    role = np.where(carried, people.role[person], -1)
    switched = np.where(carried, people.switched[person], devices.switched[device]) * DAY
    before = np.where(carried, people.home[person], devices.anchor[device])
    after = np.where(carried, people.home_after[person], devices.anchor_after[device])
    moved = accounts.moved[account] * DAY
    joins = (role == RESIDENT) & (switched != moved)
    leaves = role == EX_MEMBER
    elsewhere = ~joins & ~leaves & (switched != moved)
    found = [
        (joins, switched, "joined"),
        (leaves, switched, "left"),
        (elsewhere, switched, "moved"),
    ]
    for home, since, until in ((before, -1, switched), (after, switched, np.iinfo(np.int64).max)):
        changed = places.changed[np.maximum(home, 0)]
        there = (home >= 0) & (changed > since) & (changed < until)
        found.append((there & (home != accounts.home[account]), changed, "changed_isp"))
    return [(account[which], device[which], minute[which], kind) for which, minute, kind in found]
