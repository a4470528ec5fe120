"""From a world to tables: sessions, accounts, labels and, for evaluation, the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from household_ml.errors import ParameterError, Problem
from household_ml.networks.table import NetworkTable
from household_ml.schema import DEVICE_TYPES, SITUATIONS
from household_ml.sessions.addresses import format_addresses
from household_ml.simulation.access import ACCESS_KINDS
from household_ml.simulation.changes import list_changes
from household_ml.simulation.hashing import hex_ids, mix, uniform
from household_ml.simulation.mess import blur
from household_ml.simulation.plays import Plays, play_chunk
from household_ml.simulation.pools import announced
from household_ml.simulation.population import Population, populate
from household_ml.simulation.situations import DeviceLabels, label_devices
from household_ml.simulation.world import World, named_world

__all__ = ["CHUNK", "Simulated", "biased_labels", "simulate", "write_world"]

#: Accounts that are simulated at a time; a part of what a seed means.
CHUNK = 500

_LABELS = pa.schema(
    [
        ("account_id", pa.string()),
        ("device_id", pa.string()),
        ("in_household", pa.bool_()),
        ("situation", pa.string()),
        ("policy_ambiguous", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """Tables of a simulated service, columns as in `household_ml.schema`.

    Attributes
    ----------
    sessions : pyarrow.Table
        Ordered by time within every 500 accounts.
    accounts : pyarrow.Table
    labels : pyarrow.Table
        One row per device that has a session, with its `situation`.
    changes : pyarrow.Table
        Who moved, changed ISP, joined or left, and when; schema `changes.CHANGES`.
    truth : pyarrow.Table or None
        Row for row with the sessions: `line_id`, `place_id` (integers, -1 = no place),
        `at_main_home` and `access`, one of `access.ACCESS_KINDS`.
    world : World
    """

    sessions: pa.Table
    accounts: pa.Table
    labels: pa.Table
    changes: pa.Table
    truth: pa.Table | None
    world: World


def _times(population: Population, second: NDArray[np.float64]) -> pa.Array:
    start = np.datetime64(population.world.start, "us").astype(np.int64)
    # milliseconds, as logs have them
    micro = start + np.round(second * 1e3).astype(np.int64) * 1000
    return pa.array(micro, pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def _ids(population: Population, rows: NDArray[np.int64], salt: int) -> NDArray[np.str_]:
    return hex_ids(mix(rows, population.seed, salt))


def _taken(values: NDArray[np.str_], rows: NDArray[np.int64]) -> pa.Array:
    distinct, at = np.unique(rows, return_inverse=True)
    return pa.array(values[distinct], pa.string()).take(pa.array(at))


def _chunk_tables(
    population: Population,
    plays: Plays,
    bounds: tuple[int, int],
    account_ids: NDArray[np.str_],
    chunk: int,
) -> tuple[pa.Table, pa.Table]:
    """Sessions and truth of a chunk."""
    plays = blur(population, plays, chunk)
    order = np.lexsort((mix(plays.device, 81).view(np.int64), plays.second))
    world, geography = population.world, population.geography
    device, account = plays.device[order], plays.account[order]
    size = len(order)
    low, high = np.searchsorted(population.devices.account, bounds)
    device_ids = _ids(population, np.arange(low, high), 92)
    row = np.arange(size)

    def null(share: float, salt: int, key: NDArray[np.int64] = row) -> NDArray[np.bool_]:
        return uniform(key, chunk, salt, population.seed) < share

    second = np.round(plays.second[order], 3)
    codes = [country.code for country in geography.countries]
    profile = population.people.profile[plays.person[order]]
    profiles = np.array(hex_ids(mix(account, profile, population.seed, 93)), dtype=object)
    types = pa.array(DEVICE_TYPES).take(pa.array(population.devices.kind[device]))
    no_type = null(world.null_device_type, 94, device)
    asn = plays.asn[order]
    columns: dict[str, pa.Array] = {
        "account_id": _taken(account_ids, account - bounds[0]),
        "device_id": _taken(device_ids, device - low),
        "started_at": _times(population, second),
        "duration_s": pa.array(
            np.round(plays.duration[order], 1), mask=null(world.null_duration, 95)
        ),
        "ip": format_addresses(plays.hi[order], plays.lo[order]).cast(pa.string()),
        "asn": pa.array(asn.astype(np.int64), mask=null(world.null_asn, 96) | (asn == 0)),
        "device_type": pc.if_else(pa.array(no_type), pa.scalar(None, pa.string()), types),
        "country": pa.array(
            np.array(codes, dtype=object)[plays.country[order]],
            pa.string(),
            mask=null(world.null_country, 97),
        ),
        "utc_offset_min": pa.array(plays.offset[order], mask=null(world.null_offset, 98)),
        "profile_id": pa.array(profiles, pa.string(), mask=null(world.null_profile, 99)),
    }
    for name in world.missing_columns:
        columns.pop(name)
    truth = {
        "line_id": pa.array(plays.line[order]),
        "place_id": pa.array(plays.place[order]),
        "at_main_home": pa.array(plays.at_main_home[order]),
        "access": pa.array(ACCESS_KINDS).take(pa.array(plays.kind[order])),
    }
    return pa.table(columns), pa.table(truth)


def _label_table(
    population: Population,
    labels: DeviceLabels,
    bounds: tuple[int, int],
    account_ids: NDArray[np.str_],
) -> pa.Table:
    ids = _ids(population, labels.device, 92)
    order = np.argsort(ids, kind="stable")
    account = population.devices.account[labels.device] - bounds[0]
    names = np.array(tuple(SITUATIONS), dtype=object)
    return pa.table(
        {
            "account_id": pa.array(account_ids[account][order], pa.string()),
            "device_id": pa.array(ids[order], pa.string()),
            "in_household": pa.array(labels.in_household[order]),
            "situation": pa.array(names[labels.situation][order], pa.string()),
            "policy_ambiguous": pa.array(labels.ambiguous[order]),
        },
        schema=_LABELS,
    )


def _chunks(
    population: Population, accounts: int
) -> Iterator[tuple[int, pa.Table, pa.Table, pa.Table, pa.Table, pa.Table]]:
    """Accounts done so far, and sessions, truth, labels, accounts and changes of each chunk."""
    for chunk, begin in enumerate(range(0, accounts, CHUNK)):
        bounds = (begin, min(begin + CHUNK, accounts))
        plays = play_chunk(population, bounds, chunk)
        labels = label_devices(population, plays)
        rows = np.arange(*bounds)
        ids = _ids(population, rows, 91)
        sessions, truth = _chunk_tables(population, plays, bounds, ids, chunk)
        order = np.argsort(ids, kind="stable")
        table = pa.table(
            {
                "account_id": pa.array(ids[order], pa.string()),
                "country": pa.array(
                    np.full(len(rows), population.world.country, dtype=object), pa.string()
                ),
                "extra_members": pa.array(population.accounts.extra_members[rows][order]),
            }
        )
        low, high = np.searchsorted(population.devices.account, bounds)
        changes = list_changes(population, bounds, ids, _ids(population, np.arange(low, high), 92))
        label = _label_table(population, labels, bounds, ids)
        yield bounds[1], sessions, truth, label, table, changes


def _prepare(
    world: str | World, accounts: int, days: int, seed: int, table: NetworkTable | None
) -> Population:
    problems = [
        Problem(f"{name} must be a whole number of at least {least}", repr(value), "Ask for more.")
        for name, value, least in (("accounts", accounts, 1), ("days", days, 7), ("seed", seed, 0))
        if value < least
    ]
    if problems:
        raise ParameterError(problems)
    chosen = named_world(world) if isinstance(world, str) else world
    ranges = announced(table if table is not None else NetworkTable.default())
    return populate(chosen, accounts, days, ranges, seed)


def simulate(
    world: str | World,
    *,
    accounts: int = 2000,
    days: int = 90,
    seed: int = 0,
    truth: bool = False,
    table: NetworkTable | None = None,
) -> Simulated:
    """Simulate a streaming service.

    Parameters
    ----------
    world : str or World
        A world, or the name of one: a key of `WORLDS`, or ``name~seed`` for one drawn anew.
    accounts : int, default=2000
    days : int, default=90
        At least 7.
    seed : int, default=0
        The same seed gives the same tables, bit by bit.
    truth : bool, default=False
        Also give the true line and place of every session.
    table : NetworkTable, default=None
        Where address space comes from; None = the table in use.

    Returns
    -------
    Simulated

    Raises
    ------
    ParameterError
        When the world has no such name or a number is too small.
    """
    population = _prepare(world, accounts, days, seed, table)
    parts = list(_chunks(population, accounts))
    return Simulated(
        sessions=pa.concat_tables([part[1] for part in parts]),
        accounts=pa.concat_tables([part[4] for part in parts]),
        labels=pa.concat_tables([part[3] for part in parts]),
        changes=pa.concat_tables([part[5] for part in parts]),
        truth=pa.concat_tables([part[2] for part in parts]) if truth else None,
        world=population.world,
    )


def write_world(
    out_dir: str | Path,
    world: str | World,
    accounts: int = 2000,
    days: int = 90,
    seed: int = 0,
    *,
    truth: bool = False,
    progress: Callable[[int, int], None] | None = None,
    table: NetworkTable | None = None,
) -> dict[str, int]:
    """Simulate a streaming service into a folder, a chunk of accounts at a time.

    Parameters
    ----------
    out_dir : str or Path
        Made where missing. Receives ``sessions.parquet``, ``accounts.parquet``,
        ``labels.parquet``, ``changes.parquet``, ``world.json`` and, with `truth`,
        ``truth.parquet``.
    world, accounts, days, seed, truth, table
        As in `simulate`.
    progress : callable, default=None
        Called with the number of accounts done and of all.

    Returns
    -------
    dict of str to int
        Rows of each table.
    """
    population = _prepare(world, accounts, days, seed, table)
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    names = ("sessions", "truth", "labels", "accounts", "changes")
    writers: dict[str, pq.ParquetWriter] = {}
    rows = dict.fromkeys(names, 0)
    try:
        for done, *tables in _chunks(population, accounts):
            for name, part in zip(names, tables, strict=True):
                if name == "truth" and not truth:
                    continue
                if name not in writers:
                    writers[name] = pq.ParquetWriter(
                        folder / f"{name}.parquet", part.schema, compression="zstd"
                    )
                writers[name].write_table(part)
                rows[name] += part.num_rows
            if progress is not None:
                progress(done, accounts)
    finally:
        for writer in writers.values():
            writer.close()
    (folder / "world.json").write_text(population.world.to_json(), encoding="utf-8")
    if not truth:
        del rows["truth"]
    return rows


def biased_labels(
    labels: pa.Table, *, share: float = 0.08, wrong: float = 0.04, seed: int = 0
) -> pa.Table:
    """Labels as a provider might have them: few, some wrong, and not of everybody.

    Parameters
    ----------
    labels : pyarrow.Table
        As `simulate` gives them.
    share : float, default=0.08
        Share of the devices that get a label [A]. Devices of outsiders and of borrowers far away
        are complained about and looked at more often: they are three times as likely.
    wrong : float, default=0.04
        Share of the labels that say the opposite [A].
    seed : int, default=0

    Returns
    -------
    pyarrow.Table
        Some of the rows, in their order; `situation` and `policy_ambiguous` are as they were.

    Examples
    --------
    >>> row = {"account_id": ["a"], "device_id": ["d"], "in_household": [True]}
    >>> biased_labels(pa.table(row), share=1.0, wrong=1.0)["in_household"].to_pylist()
    [False]
    """
    problems = [
        Problem(f"{name} must be a share", repr(value), "Give a number from 0 to 1.")
        for name, value in (("share", share), ("wrong", wrong))
        if not 0 <= value <= 1
    ]
    if problems:
        raise ParameterError(problems)
    inside = labels["in_household"].to_numpy()
    rng = np.random.default_rng([seed, 3])
    odds = np.where(inside, 1.0, 3.0)
    chance = np.minimum(share * odds / odds.mean(), 1.0) if share < 1 else np.ones(len(inside))
    taken = rng.random(len(inside)) < chance
    flipped = rng.random(len(inside)) < wrong
    answer = pa.array(inside ^ flipped)
    position = labels.schema.get_field_index("in_household")
    return labels.set_column(position, "in_household", answer).filter(pa.array(taken))
