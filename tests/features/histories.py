"""Small histories, written down by hand."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from household_ml.sessions import Sessions, read_sessions

START = pd.Timestamp("2026-03-01T00:00Z")


def plays(
    device: str,
    kind: str | None,
    ip: str,
    days: Iterable[float],
    *,
    asn: int = 3215,
    account: str = "a",
    hour: float = 19.0,
    minutes: float = 30.0,
    **more: object,
) -> list[dict[str, object]]:
    """One play on each of these days, at this hour UTC, from one address."""
    return [
        {
            "account_id": account,
            "device_id": device,
            "started_at": START + pd.Timedelta(days=day, hours=hour),
            "duration_s": minutes * 60,
            "ip": ip,
            "asn": asn,
            "device_type": kind,
            "country": "FR",
            **more,
        }
        for day in days
    ]


def history(*parts: list[dict[str, object]]) -> Sessions:
    """Read the parts as one input."""
    return read_sessions(pd.DataFrame([row for part in parts for row in part]))
