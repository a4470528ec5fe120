"""Small tables of sessions for the tests of this room."""

from __future__ import annotations

from typing import Any

import pandas as pd

from household_ml.sessions import parse_time

#: From where clock skew is judged.
NOW = parse_time("2026-03-10T12:00Z")

ROW: dict[str, Any] = {
    "account_id": "a",
    "device_id": "tv",
    "started_at": "2026-03-01T20:00:00Z",
    "ip": "90.1.2.3",
}


def frame(*changes: dict[str, Any]) -> pd.DataFrame:
    """Good rows a minute apart, each changed as told."""
    rows = [
        ROW | {"started_at": f"2026-03-01T20:{minute:02d}:00Z"} | change
        for minute, change in enumerate(changes)
    ]
    return pd.DataFrame(rows, dtype=object)
