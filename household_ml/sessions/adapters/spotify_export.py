"""``spotify-export``: the extended streaming history, JSON files with one object per stream.

``ts`` is when playback stopped, so a session starts ``ms_played`` earlier. The address is in
``ip_addr`` or, in older exports, ``ip_addr_decrypted``. There is no device id: the platform stands
in. An export is of one person: an object without a user belongs to the one that the others name, or
to `ACCOUNT` when none does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from household_ml.errors import FormatError, Problem
from household_ml.sessions.adapters.form import Adapted, File, Form
from household_ml.sessions.device_types import device_types
from household_ml.sessions.raw import RawSessions, refused_rows

__all__ = ["ACCOUNT", "SPOTIFY_EXPORT"]

#: Account of an export that names no user.
ACCOUNT = "spotify-export"

_LOOKS_FOR = "JSON files of the extended streaming history, with ts, ms_played and ip_addr"
_WARNING = (
    "spotify-export has no device id: the platform stands in for it, so two alike devices count "
    "as one, and an update of the system may count as a new one"
)


def _recognises(file: File) -> bool:
    if file.kind != "json" or file.stored is None:
        return False
    head = file.stored.head()
    return b'"ts"' in head and b'"ms_played"' in head


def _streams(file: File) -> list[Any]:
    if file.stored is None:
        return []
    try:
        loaded = json.loads(file.stored.read())
    except ValueError as error:
        raise FormatError(
            Problem(f"{file.name} must be whole JSON", str(error), "Download the export again.")
        ) from error
    if not isinstance(loaded, list):
        raise FormatError(
            Problem(
                f"{file.name} must be a list of streams",
                type(loaded).__name__,
                "Give the files of the extended streaming history.",
            )
        )
    return loaded


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _adapt_file(file: File, streams: list[Any], account: str | None) -> RawSessions:
    whole = [(row, each) for row, each in enumerate(streams, 1) if isinstance(each, dict)]
    damaged = [(row, each) for row, each in enumerate(streams, 1) if not isinstance(each, dict)]
    objects = [each for _, each in whole]
    text = pa.large_string()
    played = np.array([_number(each.get("ms_played")) for each in objects], np.float64)
    shift = np.where(np.isfinite(played) & (played > 0), -played * 1_000, 0).astype(np.int64)
    platform = pa.array([_text(each.get("platform")) for each in objects], text)
    address = [each.get("ip_addr") or each.get("ip_addr_decrypted") for each in objects]
    columns = {
        "account_id": pa.array([_text(each.get("username")) or account for each in objects], text),
        "device_id": platform,
        "started_at": pa.array([_text(each.get("ts")) for each in objects], text),
        "duration_s": pa.array(played / 1_000, from_pandas=True),
        "ip": pa.array([_text(each) for each in address], text),
        "country": pa.array([_text(each.get("conn_country")) for each in objects], text),
    }
    chunked = {name: pa.chunked_array([column]) for name, column in columns.items()}
    return RawSessions(
        file.name,
        chunked | {"device_type": device_types(platform)},
        np.array([row for row, _ in whole], np.int64),
        refused_rows(
            [row for row, _ in damaged], "row_damaged", [json.dumps(each) for _, each in damaged]
        ),
        shift_us=shift,
    )


def _adapt(files: Sequence[File]) -> Adapted:
    meant = [file for file in files if _recognises(file)]
    if not meant:
        raise FormatError(
            Problem(
                f"a Spotify export must hold {_LOOKS_FOR}",
                ", ".join(file.name for file in files[:5]),
                "Ask Spotify for the extended streaming history; the short one has no addresses.",
            )
        )
    found = [(file, _streams(file)) for file in meant]
    users = {
        str(each["username"])
        for _, streams in found
        for each in streams
        if isinstance(each, dict) and each.get("username")
    }
    account = None if len(users) > 1 else next(iter(users), ACCOUNT)
    raws = tuple(_adapt_file(file, streams, account) for file, streams in found)
    return Adapted(raws, (_WARNING,))


SPOTIFY_EXPORT = Form(
    name="spotify-export", looks_for=_LOOKS_FOR, recognises=_recognises, adapt=_adapt
)
