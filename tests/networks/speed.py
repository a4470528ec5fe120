"""How many addresses a second one core parses and looks up; run it as a script.

Beside it a floor: what numpy needs for the AS alone, on numbers that are parsed already. Best of
several runs, in one process, after a warm-up. Nothing here is asserted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import numpy as np
import pandas as pd
import pyarrow as pa

from household_ml.networks import NetworkStatistics, NetworkTable, enrich
from household_ml.sessions import read_sessions
from household_ml.sessions.addresses import parse_addresses

ADDRESSES = 1_000_000
SESSIONS = 300_000


def best(run: Callable[[], object], times: int = 5) -> float:
    """Processor seconds of the fastest of several runs, which a busy machine disturbs least."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)


def show(what: str, count: int, seconds: float) -> None:
    sys.stdout.write(f"{what:<58} {count / seconds / 1e6:7.2f} million/s\n")


def addresses(rng: np.random.Generator) -> pa.Array:
    """Random IPv4 addresses, and one in three an IPv6 one of an announced range."""
    table = NetworkTable.default()
    v4 = rng.integers(1 << 24, 224 << 24, ADDRESSES)
    upper = rng.choice(table.v6.start[table.v6.asn > 0], ADDRESSES)
    texts = [
        str(IPv6Address(int(high) << 64 | 1)) if i % 3 == 0 else str(IPv4Address(int(low)))
        for i, (high, low) in enumerate(zip(upper, v4, strict=True))
    ]
    return pa.array(texts)


def sessions_table(rng: np.random.Generator, texts: pa.Array) -> pd.DataFrame:
    account = np.sort(rng.integers(0, SESSIONS // 60, SESSIONS))
    away = rng.random(SESSIONS) < 0.3
    place = np.where(away, rng.integers(0, ADDRESSES, SESSIONS), account)
    start = pd.Timestamp("2026-03-01", tz="UTC")
    return pd.DataFrame(
        {
            "account_id": np.char.add("a", account.astype(str)),
            "device_id": np.char.add("d", rng.integers(0, 5, SESSIONS).astype(str)),
            "ip": texts.take(pa.array(place)).to_pandas(),
            "started_at": start + pd.to_timedelta(rng.integers(0, 90 * 86400, SESSIONS), unit="s"),
            "device_type": rng.choice(["tv", "phone", "computer"], SESSIONS),
        }
    )


def main() -> None:
    rng = np.random.default_rng(0)
    table = NetworkTable.default()
    texts = addresses(rng)
    hi, lo, _ = parse_addresses(texts)

    def parse_and_look_up() -> object:
        high, low, _ = parse_addresses(texts)
        return table.lookup(high, low)

    def floor() -> object:
        v4 = lo.astype(np.uint32)
        return table.v4.asn[np.searchsorted(table.v4.start, v4, side="right") - 1]

    parse_and_look_up()
    show("parse and look up the AS (goal: 1)", ADDRESSES, best(parse_and_look_up))
    show("look up the AS", ADDRESSES, best(lambda: table.lookup(hi, lo)))
    show("floor: numpy searchsorted, as if all were IPv4, parsed", ADDRESSES, best(floor))

    sessions = read_sessions(sessions_table(rng, texts))
    asn = table.lookup(sessions.ip_hi, sessions.ip_lo)
    statistics = NetworkStatistics.build(sessions, asn)
    enrich(sessions, statistics=statistics)
    count = len(sessions)
    show("statistics: build", count, best(lambda: NetworkStatistics.build(sessions, asn)))
    show(
        "statistics: look up four levels",
        count,
        best(lambda: statistics.lookup(sessions.ip_hi, sessions.ip_lo, asn)),
    )
    show("enrich with a snapshot", count, best(lambda: enrich(sessions, statistics=statistics)))
    show("enrich with statistics of its own", count, best(lambda: enrich(sessions)))


if __name__ == "__main__":
    main()
