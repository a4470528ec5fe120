"""Simulated worlds beside what is published about real accounts.

Marks as in `world`. Two published accounts are two draws from a wide distribution: what is shown
for them is the spread over simulated accounts, and the share of these that lie below.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from household_ml.networks.table import NetworkTable
from household_ml.schema import DEVICE_TYPES
from household_ml.simulation.simulate import Simulated, simulate
from household_ml.simulation.world import World

__all__ = ["PUBLISHED_DAYS", "check_world", "compare_large_accounts", "compare_levels"]

#: Days that the published exports cover, about.
PUBLISHED_DAYS = 296

#: Counts from two personal exports of large accounts [S]: what, first, second.
_LARGE_ROWS = (142, 287)
_LARGE = (
    ("distinct addresses", "addresses", (69, 202)),
    ("distinct /24 or /64 networks", "networks", (58, 98)),
    ("distinct ASNs", "systems", (10, 10)),
    ("share of the top ASN, %", "top", (44, 50)),
)
_ON_TV = ("tv", "set_top_box", "streaming_stick", "game_console", "other")


def _row(what: str, published: str, simulated: str, remark: str) -> dict[str, str]:
    return {"quantity": what, "published": published, "simulated": simulated, "remark": remark}


def _network(address: pd.Series) -> pd.Series:
    is_v6 = address.str.contains(":", regex=False)
    v4 = address.str.rpartition(".")[0]
    v6 = address.str.split(":", n=4).str[:4].str.join(":")
    return v4.where(~is_v6, v6)


def compare_large_accounts(simulated: Simulated, seed: int = 0) -> pd.DataFrame:
    """Addresses, networks and ASNs of large accounts beside the two published ones.

    Parameters
    ----------
    simulated : Simulated
        Over about `PUBLISHED_DAYS` days, with ASNs.
    seed : int, default=0
        Of the choice of rows: each account with at least six devices is thinned to the number
        of rows that the published account has, spread over the whole time.

    Returns
    -------
    DataFrame
        Columns `quantity`, `published`, `simulated`, `remark`.
    """
    sessions = simulated.sessions.select(["account_id", "device_id", "ip", "asn"]).to_pandas()
    grouped = sessions.groupby("account_id")
    devices = grouped["device_id"].transform("nunique")
    size = grouped["ip"].transform("size")
    rng = np.random.default_rng(seed)
    rows = []
    for which, wanted in enumerate(_LARGE_ROWS):
        large = sessions[(devices >= 6) & (size >= wanted)]
        shuffled = large.iloc[rng.permutation(len(large))]
        taken = shuffled[shuffled.groupby("account_id").cumcount() < wanted].copy()
        taken["network"] = _network(taken["ip"])
        by_account = taken.groupby("account_id")
        counts = pd.DataFrame(
            {
                "addresses": by_account["ip"].nunique(),
                "networks": by_account["network"].nunique(),
                "systems": by_account["asn"].nunique(),
                "top": taken.groupby(["account_id", "asn"]).size().groupby("account_id").max()
                * (100.0 / wanted),
            }
        )
        for what, column, published in _LARGE:
            values = counts[column].to_numpy(dtype=float)
            low, middle, high = np.percentile(values, [5, 50, 95])
            below = float((values <= published[which]).mean())
            rows.append(
                _row(
                    f"{what} in {wanted} rows",
                    f"{published[which]}",
                    f"{low:.0f} / {middle:.0f} / {high:.0f}",
                    f"5/50/95 % of {len(values)} large accounts; {below:.0%} at or below",
                )
            )
    return pd.DataFrame(rows)


def compare_levels(simulated: Simulated, days: int) -> pd.DataFrame:
    """Levels of a simulated service beside published and assumed ones.

    Parameters
    ----------
    simulated : Simulated
        With its truth.
    days : int
        Days that it covers.

    Returns
    -------
    DataFrame
        Columns `quantity`, `published`, `simulated`, `remark`.
    """
    world, truth = simulated.world, simulated.truth
    frame = simulated.sessions.to_pandas()
    labels = simulated.labels.to_pandas()
    accounts = simulated.accounts.num_rows
    inside = frame.merge(labels, on=["account_id", "device_id"])
    own = inside[inside["in_household"]]
    on_tv = own["device_type"].isin(_ON_TV)
    watched = own["duration_s"].fillna(0.0)
    local = frame["started_at"] + pd.to_timedelta(frame["utc_offset_min"].fillna(0), unit="m")
    hours: NDArray[np.float64] = np.bincount(local.dt.hour, minlength=24) / max(len(frame), 1)
    of_weekend = local.dt.day_of_week.to_numpy() >= 5
    weekend = of_weekend.mean() / 2 / max((~of_weekend).mean() / 5, 1e-9)
    lasting = labels["situation"].str.match("borrower|extra|ex_member|grandparent")
    outside = labels[lasting]
    kinds = frame["device_type"]

    def minutes(names: tuple[str, ...]) -> float:
        return float(frame.loc[kinds.isin(names), "duration_s"].mean() / 60.0)

    rows = [
        _row(
            "plays on a TV, % (household devices)",
            f"{world.tv_play_share:.0%} [D]",
            f"{on_tv.mean():.0%}",
            "the world's own parameter",
        ),
        _row(
            "time on a TV, % (household devices)",
            "75% [D]",
            f"{watched[on_tv].sum() / max(watched.sum(), 1.0):.0%}",
            "for worlds with 55 % of plays",
        ),
        _row(
            "plays per household and day",
            f"{world.plays_a_day:g} [D]",
            f"{len(own) / accounts / days:.2f}",
            "household devices",
        ),
        _row("minutes per play, TV", "28.7 [S2]", f"{minutes(_ON_TV):.1f}", ""),
        _row("minutes per play, phone", "8.6 [S2]", f"{minutes(('phone',)):.1f}", ""),
        _row("plays from 0 to 6 h, %", "15% [S2]", f"{hours[:6].sum():.0%}", "local time"),
        _row(
            "plays from 20 to 23 h, %",
            "28% [A]",
            f"{hours[20:23].sum():.0%}",
            f"busiest hour {int(hours.argmax())}",
        ),
        _row("weekend day relative to others", "1.3 [D]", f"{weekend:.2f}", ""),
        _row(
            "accounts with an outside household, %",
            f"{world.outside_accounts:.0%}",
            f"{outside['account_id'].nunique() / accounts:.0%}",
            "without guests, hotels, theft",
        ),
        _row("devices per account", "2 to 9 [A]", _spread(frame), "5/50/95 %"),
        _row(
            "device types, % of devices",
            "",
            _types(frame),
            "",
        ),
    ]
    if truth is not None:
        access = truth["access"].to_pandas()
        phone = (kinds == "phone").to_numpy()
        home = truth["at_main_home"].to_numpy()
        cellular = (access == "cellular").to_numpy()
        rows += [
            _row(
                "phone plays at home over cellular, %",
                f"{world.cellular_home:.0%} [A]",
                f"{cellular[phone & home].mean():.0%}",
                "besides people with nothing else",
            ),
            _row(
                "phone plays out of home over cellular, %",
                f"{world.cellular_away:.0%} [A]",
                f"{cellular[phone & ~home].mean():.0%}",
                "at places; on the way always",
            ),
            _row(
                "plays through a VPN, %",
                "",
                f"{(access == 'vpn').mean():.1%}",
                "",
            ),
        ]
    is_v6 = frame["ip"].str.contains(":", regex=False).mean()
    rows.append(_row("plays over IPv6, %", "", f"{is_v6:.0%}", f"lines {world.v6_share:.0%}"))
    return pd.DataFrame(rows)


def _spread(frame: pd.DataFrame) -> str:
    devices = frame.groupby("account_id")["device_id"].nunique()
    low, middle, high = np.percentile(devices, [5, 50, 95])
    return f"{low:.0f} / {middle:.0f} / {high:.0f}"


def _types(frame: pd.DataFrame) -> str:
    kinds = frame.drop_duplicates("device_id")["device_type"].value_counts(normalize=True)
    return ", ".join(f"{name} {kinds.get(name, 0.0):.0%}" for name in DEVICE_TYPES)


def check_world(
    world: str | World = "fr",
    *,
    accounts: int = 400,
    seed: int = 0,
    table: NetworkTable | None = None,
    report: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Simulate about ten months of a world and compare it with what is published.

    Parameters
    ----------
    world : str or World, default="fr"
        One whose sessions lack no column.
    accounts : int, default=400
    seed : int, default=0
    table : NetworkTable, default=None
    report : callable, default=None
        Called with the table as text.

    Returns
    -------
    DataFrame
        Columns `quantity`, `published`, `simulated`, `remark`.
    """
    simulated = simulate(
        world, accounts=accounts, days=PUBLISHED_DAYS, seed=seed, truth=True, table=table
    )
    found = pd.concat(
        [compare_large_accounts(simulated, seed), compare_levels(simulated, PUBLISHED_DAYS)],
        ignore_index=True,
    )
    if report is not None:
        report(found.to_string(index=False, justify="left"))
    return found
