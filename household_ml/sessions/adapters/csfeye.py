"""``csfeye``: playback logs with start and end, one row per session.

Columns: ``account_id, device_id, ip_address, device_type, start_time, end_time, user_agent``. The
duration is end minus start. A device type in other words than the contract's is understood from
its words, else from the user agent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.errors import Problem, SchemaError
from household_ml.sessions.adapters.form import Adapted, File, Form, tables_with
from household_ml.sessions.device_types import device_types
from household_ml.sessions.raw import RawSessions
from household_ml.sessions.tabular import Tabular
from household_ml.sessions.times import is_time, parse_times

__all__ = ["CSFEYE"]

_NEEDED = ("account_id", "device_id", "ip_address", "start_time")
_OPTIONAL = ("device_type", "end_time", "user_agent")


def _recognises(file: File) -> bool:
    return set(_NEEDED) <= file.columns


def _duration(source: str, start: pa.ChunkedArray, end: pa.ChunkedArray) -> pa.ChunkedArray:
    problems = [
        Problem(
            f"column '{name}' of {source} must be a timestamp or ISO 8601 text",
            str(column.type),
            "Cast it to a timestamp.",
        )
        for name, column in (("start_time", start), ("end_time", end))
        if not is_time(column.type)
    ]
    if problems:
        raise SchemaError(problems)
    begun, ended = parse_times(start), parse_times(end)
    seconds = (ended.at - begun.at) / 1e6
    unknown = begun.missing | begun.invalid | ended.missing | ended.invalid
    return pa.chunked_array([pa.array(np.where(unknown, 0.0, seconds), mask=unknown)])


def _adapt_table(table: Tabular) -> RawSessions:
    names = [*_NEEDED, *(name for name in _OPTIONAL if name in table.names)]
    found, rows, refused = table.read(names)
    columns = {
        "account_id": found["account_id"],
        "device_id": found["device_id"],
        "started_at": found["start_time"],
        "ip": found["ip_address"],
    }
    if "end_time" in found:
        columns["duration_s"] = _duration(table.source, found["start_time"], found["end_time"])
    told = [device_types(found[name]) for name in ("device_type", "user_agent") if name in found]
    if told:
        columns["device_type"] = pc.coalesce(*told)
    return RawSessions(table.source, columns, rows, refused)


def _adapt(files: Sequence[File]) -> Adapted:
    tables = tables_with(files, _NEEDED, "csfeye")
    return Adapted(tuple(map(_adapt_table, tables)))


CSFEYE = Form(
    name="csfeye",
    looks_for=f"a table with the columns {', '.join(_NEEDED)}",
    recognises=_recognises,
    adapt=_adapt,
)
