"""A log as it comes out of a company: columns half filled, rows twice, clocks that are wrong."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

__all__ = ["damage"]

#: Share of values that are missing, by column, at a mess of 1.
_MISSING: Final = {
    "duration_s": 0.3,
    "asn": 0.35,
    "device_type": 0.2,
    "country": 0.25,
    "profile_id": 0.4,
}


def damage(rows: pd.DataFrame, mess: float, rng: np.random.Generator) -> pd.DataFrame:
    """Damage a log; columns of the truth stay with their rows.

    Parameters
    ----------
    rows : DataFrame
        Sessions with their truth, in order of time.
    mess : float
        How much; 0 = not at all.
    rng : numpy.random.Generator
        Chooses.
    """
    if not mess:
        return rows
    end = rows["started_at"].max()
    day = rows["started_at"].dt.floor("D")
    days = day.unique()
    # logs of a day that were never written, for a part of the accounts
    lost = days[rng.integers(0, len(days), 2)]
    part = rows["account_id"].map(
        dict(zip(rows["account_id"].unique(), _coins(rows, rng), strict=True))
    )
    kept = ~(day.isin(lost) & (part < 0.5)) & (rng.random(len(rows)) > 0.04 * mess)
    rows = rows[kept].copy()
    rows = _set_clocks_wrong(rows, mess, rng, end)
    rows = _repeat(rows, mess, rng)
    rows["ip"] = _respell(rows["ip"], mess, rng)
    for name, share in _MISSING.items():
        rows.loc[rng.random(len(rows)) < min(0.8, share * mess), name] = None
    rows.loc[rng.random(len(rows)) < 0.02 * mess, "duration_s"] = 0.0
    return rows.sort_values("started_at", kind="stable").drop(columns="utc_offset_min")


def _coins(rows: pd.DataFrame, rng: np.random.Generator) -> list[float]:
    return [float(one) for one in rng.random(rows["account_id"].nunique())]


def _set_clocks_wrong(
    rows: pd.DataFrame, mess: float, rng: np.random.Generator, end: pd.Timestamp
) -> pd.DataFrame:
    """Shift the clocks of some devices for good, by hours, as if the time were local."""
    names = rows["device_id"].unique()
    wrong = rng.random(names.size) < 0.02 * mess
    hours = np.where(wrong, rng.choice([-8.0, -5.0, -1.0, 1.0, 2.0, 12.0], names.size), 0.0)
    shift = rows["device_id"].map(dict(zip(names, hours, strict=True))).astype(float)
    started = rows["started_at"] + pd.to_timedelta(shift * 3600.0, unit="s")
    rows["started_at"] = started.where(started < end, end).astype("datetime64[us, UTC]")
    return rows


def _repeat(rows: pd.DataFrame, mess: float, rng: np.random.Generator) -> pd.DataFrame:
    """Write some rows twice, some of these with the shorter time of a first report."""
    again = rows[rng.random(len(rows)) < 0.025 * mess].copy()
    partial = rng.random(len(again)) < 0.5
    again["duration_s"] = np.where(partial, again["duration_s"] * 0.4, again["duration_s"]).round(1)
    return pd.concat([rows, again], ignore_index=True)


def _respell(addresses: pd.Series, mess: float, rng: np.random.Generator) -> pd.Series:
    """Write some addresses another way that means the same."""
    other = rng.random(len(addresses)) < 0.04 * mess
    old = ~addresses.str.contains(":", regex=False)
    mapped = ("::ffff:" + addresses).where(old, addresses.str.upper())
    return mapped.where(pd.Series(other, addresses.index), addresses)
