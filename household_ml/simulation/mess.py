"""What a real log does to the plays: rows lost, doubled or mistimed, and useless addresses."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from household_ml.simulation.hashing import uniform
from household_ml.simulation.plays import Plays
from household_ml.simulation.population import Population

__all__ = ["blur"]

_V4_TAG = np.uint64(0xFFFF_0000_0000)

#: Addresses that a log holds by mistake: private, carrier-NAT, documentation, loopback, none.
_USELESS = np.array(
    [0x0A000001, 0xC0A80117, 0xAC100A02, 0x64400001, 0xC0000207, 0x7F000001, 0], dtype=np.uint64
)


def blur(population: Population, plays: Plays, chunk: int) -> Plays:
    """Plays as the log of this world has them.

    Parameters
    ----------
    population : Population
    plays : Plays
    chunk : int
        Number of the chunk, for the draws.

    Returns
    -------
    Plays
        Fewer rows where some are lost, more where some are doubled.
    """
    world, seed = population.world, population.seed
    rng = np.random.default_rng([seed, 4, chunk])
    size = len(plays.device)
    # logs lose rows by the day and the device, not one by one
    day = (plays.second // 86400).astype(np.int64)
    lost = uniform(plays.device, day, 101, seed) < world.lost_rows
    rows: NDArray[np.int64] = np.flatnonzero(~lost)
    twice = rows[rng.random(len(rows)) < world.duplicates]
    rows = np.concatenate([rows, twice])
    taken = Plays(**{item.name: getattr(plays, item.name)[rows] for item in fields(Plays)})
    size = len(rows)
    second = taken.second
    if world.clock_noise_s:
        noise = rng.normal(0.0, world.clock_noise_s, size)
        noise[size - len(twice) :] *= rng.random(len(twice)) < 0.5
        second = second + noise
    if world.wrong_clocks:
        wrong = uniform(taken.device, 102, seed) < world.wrong_clocks
        hours = np.floor(uniform(taken.device, 103, seed) * 24.0) - 12.0
        second = np.where(wrong, second + hours * 3600.0, second)
    second = np.clip(second, 0.0, population.days * 86400.0 - 0.001)
    hi, lo, asn = taken.hi, taken.lo, taken.asn
    useless = rng.random(size) < world.bogus_addresses
    if useless.any():
        which = rng.integers(0, len(_USELESS), size)
        hi = np.where(useless, np.uint64(0), hi)
        lo = np.where(useless, _V4_TAG | _USELESS[which], lo)
        asn = np.where(useless, np.uint32(0), asn)
    return replace(taken, second=second, hi=hi, lo=lo, asn=asn)
