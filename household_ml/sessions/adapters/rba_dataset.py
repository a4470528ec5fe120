"""``rba-dataset``: the public logins for risk-based authentication (Wiefling et al., 2022).

A successful login stands for a session; failed logins are rejected as ``login_failed``, takeovers
are kept (somebody got in). There is no device id: browser, operating system and device type stand
in, without their versions, so that an update is no new device. The addresses of the table are
pseudonyms and the AS is given, so they are taken as opaque names.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.sessions.adapters.form import Adapted, File, Form, tables_with
from household_ml.sessions.raw import RawSessions, refused_rows
from household_ml.sessions.tabular import Tabular

__all__ = ["RBA_DATASET"]

_NEEDED = (
    "Login Timestamp",
    "User ID",
    "IP Address",
    "Browser Name and Version",
    "OS Name and Version",
    "Device Type",
    "Login Successful",
)
_OPTIONAL = ("ASN", "Country")
_TYPES = {"mobile": "phone", "desktop": "computer", "tablet": "tablet"}
_WARNING = (
    "rba-dataset has no device id: browser, operating system and device type stand in for it, "
    "so two alike devices of an account count as one"
)


def _recognises(file: File) -> bool:
    return set(_NEEDED) <= file.columns


def _without_version(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.replace_substring_regex(column, r"\s+[vV]?\d[\w.]*.*$", "")


def _types(column: pa.ChunkedArray) -> pa.ChunkedArray:
    lower = pc.utf8_lower(column)
    position = pc.index_in(lower, pa.array(list(_TYPES), pa.large_string()))
    return pa.chunked_array(
        [pa.array(list(_TYPES.values()), pa.large_string()).take(position.combine_chunks())]
    )


def _adapt_table(table: Tabular) -> RawSessions:
    names = [*_NEEDED, *(name for name in _OPTIONAL if name in table.names)]
    found, rows, refused = table.read(names)
    text = {name: column.cast(pa.large_string()) for name, column in found.items()}
    outcome = pc.utf8_lower(pc.utf8_trim_whitespace(text["Login Successful"]))
    entered = np.asarray(pc.fill_null(pc.is_in(outcome, pa.array(["true", "1"])), False))
    count = len(entered)
    numbers = np.arange(rows, rows + count) if isinstance(rows, int) else rows
    failed = text["Login Successful"].filter(pa.array(~entered)).combine_chunks()
    kind = text["Device Type"]
    device = pc.binary_join_element_wise(
        _without_version(text["Browser Name and Version"]),
        _without_version(text["OS Name and Version"]),
        kind,
        pa.scalar("/", pa.large_string()),
        null_handling="replace",
        null_replacement="?",
    )
    columns = {
        "account_id": text["User ID"],
        "device_id": device,
        "started_at": found["Login Timestamp"],
        "ip": text["IP Address"],
        "device_type": _types(kind),
    }
    columns |= {
        name: found[theirs]
        for name, theirs in (("asn", "ASN"), ("country", "Country"))
        if theirs in found
    }
    kept = pa.array(entered)
    return RawSessions(
        table.source,
        {name: column.filter(kept) for name, column in columns.items()},
        numbers[entered],
        pa.concat_tables([refused, refused_rows(numbers[~entered], "login_failed", failed)]),
    )


def _adapt(files: Sequence[File]) -> Adapted:
    tables = tables_with(files, _NEEDED, "rba-dataset")
    return Adapted(tuple(map(_adapt_table, tables)), (_WARNING,))


RBA_DATASET = Form(
    name="rba-dataset",
    looks_for=f"a table with the columns {', '.join(_NEEDED)}",
    recognises=_recognises,
    adapt=_adapt,
)
