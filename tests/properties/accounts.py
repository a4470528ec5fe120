"""Small random accounts for the laws: ties, shared addresses, renumbering, IPv6, nulls.

They need not be likely, only varied. Times lie on a grid of five minutes and many plays start in
the same slot, so that an answer that leans on the order of rows, names or numbers shows.
"""

from __future__ import annotations

import ipaddress

import numpy as np
import pandas as pd
from hypothesis import strategies as st

START = pd.Timestamp("2026-01-05T00:00Z")
DAYS = 40

#: (AS, prefix of its pool): fixed lines, a carrier NAT, mobile, hosting, a campus.
LINES = ((3215, "90.1.0.0/20"), (12322, "82.64.0.0/20"), (5410, "176.128.0.0/20"))
LINES6 = ((3215, "2a01:cb00::/40"), (12322, "2a01:e000::/40"))
SHARED = ((12322, "82.65.7.9"), (51207, "37.160.1.1"), (16509, "52.47.1.1"), (2200, "193.55.1.1"))
OPAQUE = ((3215, "100.64.3.4"), (3215, "10.0.0.7"), (12322, "192.0.2.77"))
KINDS = ("tv", "set_top_box", "streaming_stick", "phone", "phone", "tablet", "computer", None)


def _address(rng: np.random.Generator, network: str) -> str:
    pool = ipaddress.ip_network(network)
    bits = pool.max_prefixlen
    host = int(rng.integers(2**32)) << max(0, bits - 64 - 32 + 16)
    return str(pool[host % pool.num_addresses])


def _line(rng: np.random.Generator) -> list[tuple[int, str]]:
    """Addresses that a line had one after the other; some lines have IPv6 beside IPv4."""
    asn, pool = LINES[rng.integers(len(LINES))]
    held = [(asn, _address(rng, pool)) for _ in range(rng.integers(1, 4))]
    if rng.random() < 0.4:
        asn, pool = LINES6[rng.integers(len(LINES6))]
        held.append((asn, _address(rng, pool)))
    return held


def _privacy_address(rng: np.random.Generator, text: str) -> str:
    """Another interface of the same /64, as phones make one each day."""
    address = ipaddress.ip_address(text)
    if address.version == 4:
        return text
    return str(ipaddress.ip_address((int(address) >> 64 << 64) | int(rng.integers(1, 2**62))))


def make_sessions(seed: int, accounts: int = 4) -> pd.DataFrame:
    """Sessions of a few accounts over 40 days, each row with its AS, in no order.

    Parameters
    ----------
    seed : int
        Same seed, same rows.
    accounts : int
        How many accounts; some visit or borrow from the one before them.

    Returns
    -------
    DataFrame
        The sessions table of the contract.
    """
    rng = np.random.default_rng(seed)
    lines = [_line(rng) for _ in range(accounts + 1)]
    shared = [*SHARED, *OPAQUE]
    rows: list[dict[str, object]] = []
    for account in range(accounts):
        for device in range(int(rng.integers(1, 6))):
            kind = KINDS[rng.integers(len(KINDS))]
            own = lines[account] if rng.random() < 0.7 else lines[rng.integers(len(lines))]
            visits, roams = rng.random() * 0.4, rng.random() * 0.4
            first, last = np.sort(rng.integers(0, DAYS, 2))
            for _ in range(int(rng.integers(1, 18))):
                day = rng.integers(first, last + 1)
                where = rng.random()
                if where < roams and kind not in ("tv", "set_top_box"):
                    asn, ip = shared[rng.integers(len(shared))]
                else:
                    line = lines[account] if where > 1 - visits else own
                    held = len(line) * day // DAYS if rng.random() < 0.8 else -1
                    asn, ip = line[held]
                slot = rng.choice([0, 7, 12, 19, 20, 21]) * 12 + rng.integers(0, 3)
                rows.append(
                    {
                        "account_id": f"account{account}",
                        "device_id": f"device{device}",
                        "started_at": START + pd.Timedelta(days=int(day), minutes=5 * int(slot)),
                        "duration_s": None if rng.random() < 0.1 else 60.0 * rng.integers(1, 90),
                        "ip": _privacy_address(rng, ip),
                        "asn": asn,
                        "device_type": kind,
                        "country": None if rng.random() < 0.1 else "FR",
                        "utc_offset_min": None if rng.random() < 0.8 else 60,
                        "profile_id": rng.choice(["p0", "p1", None]),
                    }
                )
    frame = pd.DataFrame(rows).astype({"utc_offset_min": "Int64", "duration_s": "float64"})
    return frame.drop_duplicates().sample(frac=1, random_state=seed).reset_index(drop=True)


#: Histories of three to five accounts.
histories = st.builds(make_sessions, st.integers(0, 2**32 - 1), st.integers(3, 5))
