"""``netflix-export``: the personal-data export of Netflix, a folder or a zip.

Tables are known by their headers, in any order of columns; an empty table may be a ``.txt``. Used:

* streaming addresses (``Esn``, ``Ip``, ``Ts``): one session a row. Logins are not playback and are
  left out. Where an export holds the table twice, rows that agree are duplicates.
* ``ViewingActivity``: duration and profile of a session that began within two minutes of a view on
  a device of the same description, when only one device answers to it; else unknown.
* ``AccessAndDevices``: labels, from ``Part Of Netflix Household``. When all devices say No, no
  household was set, and the export is unlabelled.
* ``ExtraMembers``: as many paid slots as it has rows.

The account is named after the folder of the export, or the zip. A spreadsheet that saved a table
again damages it: another number of fields is ``row_damaged``, an ESN turned into a number
``device_id_damaged``, a date in local order ``started_at_invalid``, each told with its line.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from household_ml.errors import NoSessionsError, Problem
from household_ml.sessions.adapters.export_table import ExportTable, read_export_table
from household_ml.sessions.adapters.form import Adapted, File, Form
from household_ml.sessions.device_types import device_types
from household_ml.sessions.raw import RawSessions, refused_rows
from household_ml.sessions.times import parse_times

__all__ = ["NETFLIX_EXPORT"]

_STREAMING = frozenset({"esn", "ip", "ts"})
_ACCESS = frozenset({"esn", "part of netflix household"})
_VIEWING = frozenset({"profile name", "start time", "duration", "device type"})
_DAMAGED_ESN = re.compile(r"^(\d+([.,]\d+)?E[+-]?\d+|#+|#[A-Z/]+[?!]?)$", re.IGNORECASE)
_CATEGORY = re.compile(r"^[A-Z]+(_[A-Z]+)*$")
_TOLERANCE = pd.Timedelta(minutes=2)
_ANSWERS = {"yes": True, "true": True, "no": False, "false": False}


@dataclass
class _Export:
    """Tables of one export."""

    account: str
    streaming: list[ExportTable]
    viewing: list[ExportTable]
    access: list[ExportTable]
    extra_members: int = 0
    logins: int = 0


def _names(file: File) -> frozenset[str]:
    return frozenset(name.casefold() for name in file.columns)


def _is_login(file: File) -> bool:
    return "localized device description" not in _names(file) and "login" in file.name.casefold()


def _recognises(file: File) -> bool:
    """The streaming table, also an empty one, or the table of devices."""
    if file.stored is None or file.kind not in ("csv", "empty"):
        return False
    stem = file.stored.parts[-1].casefold()
    names = _names(file)
    return (
        (_STREAMING <= names and not _is_login(file))
        or _ACCESS <= names
        or (stem.startswith("ipaddressesstreaming") and stem.endswith(".txt"))
    )


def _root(file: File) -> tuple[str, ...]:
    """Folder of the export: above ``IP_ADDRESSES`` and its like."""
    folders = file.stored.parts[:-1] if file.stored else ()
    if len(folders) > 1 and _CATEGORY.match(folders[-1]):
        return folders[:-1]
    return folders


def _accounts(roots: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Shortest ends of the folders that tell them apart."""
    distinct = sorted(set(roots))
    for size in range(1, max(map(len, distinct), default=0) + 1):
        names = {root: "/".join(root[-size:]) for root in distinct}
        if len(set(names.values())) == len(distinct):
            return names
    return {root: "/".join(root) for root in distinct}


def _gather(files: Sequence[File]) -> list[_Export]:
    by_root: dict[tuple[str, ...], list[File]] = defaultdict(list)
    for file in files:
        if file.stored is not None and file.kind == "csv":
            by_root[_root(file)].append(file)
    roots = [root for root, group in by_root.items() if any(map(_recognises, group))]
    accounts = _accounts(roots)
    exports = []
    for root in sorted(roots):
        export = _Export(accounts[root], [], [], [])
        for file in by_root[root]:
            _place(export, file)
        exports.append(export)
    return exports


def _place(export: _Export, file: File) -> None:
    """Read a table that is used into the export."""
    names = _names(file)
    stem = file.stored.parts[-1].casefold() if file.stored else ""
    if _STREAMING <= names:
        table = read_export_table(file)
        if _is_login(file):
            export.logins += len(table.rows)
        else:
            export.streaming.append(table)
    elif _ACCESS <= names:
        export.access.append(read_export_table(file))
    elif _VIEWING <= names:
        export.viewing.append(read_export_table(file))
    elif stem.startswith("extramembers") and stem.endswith(".csv"):
        export.extra_members += len(read_export_table(file).rows)


def _seconds(durations: Sequence[str]) -> np.ndarray:
    """``H:MM:SS`` as seconds, NaN when it is something else."""
    parts = pd.Series(durations, dtype="str").str.extract(r"^(\d+):(\d{2}):(\d{2})$")
    seconds = parts.astype("float64") @ np.array([3600.0, 60.0, 1.0])
    return seconds.to_numpy()


def _views(tables: Sequence[ExportTable]) -> pd.DataFrame:
    """Views of whole titles: description, at, duration_s, profile, view."""
    frames = []
    for table in tables:
        times = parse_times(pa.array(table.column("start time"), pa.large_string()))
        frame = pd.DataFrame(
            {
                "description": table.column("device type"),
                "at": pd.to_datetime(times.at, unit="us", utc=True),
                "duration_s": _seconds(table.column("duration")),
                "profile": table.column("profile name"),
                "extra": table.column("supplemental video type"),
            }
        )
        frames.append(frame[~(times.missing | times.invalid) & (frame["extra"] == "")])
    views: pd.DataFrame = pd.concat(frames, ignore_index=True).drop_duplicates()
    return views.sort_values("at", kind="stable").reset_index(names="view")


def _join_views(
    esn: pd.Series, description: pd.Series, at: np.ndarray, views: pd.DataFrame
) -> pd.DataFrame:
    """Duration and profile of each session; null where no view, or a view of two devices, fits."""
    sessions = pd.DataFrame(
        {"esn": esn, "description": description, "at": pd.to_datetime(at, unit="us", utc=True)}
    ).reset_index(names="row")
    joined = pd.merge_asof(
        sessions.sort_values("at", kind="stable"),
        views[["view", "description", "at", "duration_s", "profile"]],
        on="at",
        by="description",
        direction="nearest",
        tolerance=_TOLERANCE,
    ).sort_values("row")
    devices = joined.groupby("view")["esn"].transform("nunique")
    joined.loc[devices.to_numpy() > 1, ["duration_s", "profile"]] = [np.nan, None]
    return joined


def _device_column(table: ExportTable) -> list[str]:
    plain, local = table.column("device description"), table.column("localized device description")
    return [first or second for first, second in zip(plain, local, strict=True)]


def _rows(export: _Export) -> list[RawSessions]:
    """One source for each streaming table."""
    views = _views(export.viewing) if export.viewing else None
    raws = []
    for table in export.streaming:
        esn = pd.Series(table.column("esn"), dtype="str")
        whole = ~esn.str.match(_DAMAGED_ESN).to_numpy(dtype=bool)
        lines = np.array(table.lines, np.int64)
        refused = [
            refused_rows(table.damaged_lines, "row_damaged", table.damaged),
            refused_rows(lines[~whole], "device_id_damaged", esn[~whole].tolist()),
        ]
        text = pa.large_string()
        kept = pa.array(whole)
        description = pd.Series(_device_column(table), dtype="str")
        time = pa.array(table.column("ts"), text)
        columns = {
            "account_id": pa.array([export.account] * len(lines), text),
            "device_id": pa.array(esn.tolist(), text),
            "started_at": time,
            "ip": pa.array(table.column("ip"), text),
            "country": pa.array([name.split(" ")[0] for name in table.column("country")], text),
            "device_type": device_types(pa.array(description.tolist(), text)).combine_chunks()
            if len(lines)
            else pa.array([], text),
        }
        if views is not None and len(views):
            joined = _join_views(esn, description, parse_times(time).at, views)
            columns["duration_s"] = pa.array(joined["duration_s"], pa.float64(), from_pandas=True)
            columns["profile_id"] = pa.array(joined["profile"], text, from_pandas=True)
        raws.append(
            RawSessions(
                table.source,
                {name: pa.chunked_array([each.filter(kept)]) for name, each in columns.items()},
                lines[whole],
                pa.concat_tables(refused),
            )
        )
    return raws


def _labels(export: _Export) -> tuple[pd.DataFrame | None, list[str]]:
    """What Netflix itself says of each device, by its latest word."""
    frames = []
    for table in export.access:
        date = parse_times(pa.array(table.column("date"), pa.large_string())).at
        answer = [each.strip().casefold() for each in table.column("part of netflix household")]
        frames.append(
            pd.DataFrame({"device_id": table.column("esn"), "date": date, "answer": answer})
        )
    if not frames:
        return None, []
    told = pd.concat(frames, ignore_index=True)
    told = told[told["answer"].isin(_ANSWERS.keys()) & (told["device_id"] != "")]
    told = told.sort_values(["device_id", "date"], kind="stable").drop_duplicates(
        "device_id", keep="last"
    )
    in_household = told["answer"].map(_ANSWERS).astype(bool)
    if not in_household.any():
        return None, [
            f"{export.account}: no device is part of the Netflix household, so none was set and "
            "the export is unlabelled"
        ]
    labels = pd.DataFrame(
        {
            "account_id": export.account,
            "device_id": told["device_id"],
            "in_household": in_household,
            "source": "netflix-export",
        }
    )
    return labels.reset_index(drop=True), []


def _adapt(files: Sequence[File]) -> Adapted:
    raws: list[RawSessions] = []
    for export in _gather(files):
        labels, notes = _labels(export)
        if export.logins:
            notes.append(f"{export.account}: {export.logins} logins are not playback, not read")
        accounts = pd.DataFrame(
            {"account_id": [export.account], "extra_members": [export.extra_members]}
        )
        found = _rows(export)
        if found:
            found[0] = replace(found[0], notes=tuple(notes), labels=labels, accounts=accounts)
        raws += found
    if not raws:
        raise NoSessionsError(
            Problem(
                "a Netflix export must hold a table of streaming addresses "
                "(IpAddressesStreaming.csv)",
                "none, or an empty one",
                "Netflix keeps these addresses for a few months only; ask for a new export.",
            )
        )
    return Adapted(tuple(raws))


NETFLIX_EXPORT = Form(
    name="netflix-export",
    looks_for="a folder or zip with IP_ADDRESSES/IpAddressesStreaming.csv (Esn, Ip, Ts, ...)",
    recognises=_recognises,
    adapt=_adapt,
)
