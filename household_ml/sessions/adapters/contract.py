"""``sessions``: tables with the columns of the contract."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from household_ml.errors import Problem, SchemaError
from household_ml.schema import SESSIONS
from household_ml.sessions.adapters.form import Adapted, File, Form, tables_with
from household_ml.sessions.raw import RawSessions

__all__ = ["CONTRACT", "Selection", "looks_like_sessions", "near_name", "select"]

_ALIASES = {
    "account_id": ("account", "accountid", "subscriptionid", "customerid", "userid"),
    "device_id": ("device", "deviceid", "esn"),
    "started_at": ("start", "starttime", "timestamp", "time", "ts", "startts", "sessionstart"),
    "duration_s": ("duration", "durationseconds", "seconds", "watchedseconds"),
    "ip": ("ipaddress", "ipaddr", "address", "clientip"),
    "asn": ("as", "asnumber"),
    "device_type": ("devicekind", "devicecategory"),
    "country": ("countrycode",),
    "utc_offset_min": ("utcoffset", "utcoffsetminutes", "timezoneoffset"),
    "profile_id": ("profile", "profilename"),
}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def near_name(wanted: str, names: Iterable[str]) -> str | None:
    """The name among `names` that probably means the column `wanted`, if any.

    Examples
    --------
    >>> near_name("account_id", ["AccountID", "ip"]), near_name("ip", ["title"])
    ('AccountID', None)
    """
    plain = {_plain(name): name for name in names}
    for meant in (_plain(wanted), *_ALIASES.get(wanted, ())):
        if meant in plain:
            return plain[meant]
    close = difflib.get_close_matches(_plain(wanted), plain, n=1, cutoff=0.8)
    return plain[close[0]] if close else None


#: What to do about a needed column that no other one can be meant to be.
_ADD: Final = {
    "account_id": "Add it; where each file is one account, the name of the file may be its value.",
    "device_id": "Add it: a stable id of each device within its account.",
    "started_at": "Add it: the start of playback, in UTC or with its zone.",
    "ip": "Add it: the public address that the session came from.",
}


def _missing(file: File) -> list[Problem]:
    """A problem for each column that is needed and not there."""
    names = sorted(file.columns)
    problems = []
    for wanted in SESSIONS.needed:
        if wanted in file.columns:
            continue
        near = near_name(wanted, (name for name in names if name not in SESSIONS.names))
        remedy = f"Did you mean '{near}'? Rename it to '{wanted}'." if near else _ADD[wanted]
        found = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        problems.append(Problem(f"{file.name} must have the column '{wanted}'", found, remedy))
    return problems


def _recognises(file: File) -> bool:
    return set(SESSIONS.needed) <= file.columns


def looks_like_sessions(file: File) -> bool:
    """Whether a file that lacks a needed column was probably meant to hold sessions."""
    return all(
        wanted in file.columns or near_name(wanted, file.columns) is not None
        for wanted in ("started_at", "ip")
    )


@dataclass(frozen=True)
class Selection:
    """Which files of an input hold sessions.

    Parameters
    ----------
    files : tuple of File
        Tables with the needed columns.
    warnings : tuple of str
        What the reader must know before trusting the result.
    notes : tuple of str
        What else the reader should know.
    """

    files: tuple[File, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def select(files: Sequence[File]) -> Selection:
    """Choose the tables of sessions; tables without a time and an address beside are left alone.

    Raises
    ------
    SchemaError
        A needed column is missing in some of them; all problems are told together.
    FormatError
        There is no table at all.
    """
    some = any(_recognises(file) for file in files)
    if not any(file.tabular for file in files):
        tables_with(files, SESSIONS.needed, CONTRACT.name)
    meant = [
        file
        for file in files
        if file.tabular and (_recognises(file) or not some or looks_like_sessions(file))
    ]
    if not some:
        meant = [file for file in meant if looks_like_sessions(file)] or meant
    problems = [problem for file in meant for problem in _missing(file)]
    if problems:
        raise SchemaError(problems)
    unknown = sorted({name for file in meant for name in file.columns} - set(SESSIONS.names))
    left = [file.name for file in files if file not in meant]
    notes = (f"not sessions, not read: {', '.join(left)}",) if left else ()
    return Selection(tuple(meant), tuple(_unknown(unknown)), notes)


def _adapt(files: Sequence[File]) -> Adapted:
    chosen = select(files)
    raws = []
    for file in chosen.files:
        if file.tabular is None:
            continue
        names = [name for name in SESSIONS.names if name in file.columns]
        columns, rows, refused = file.tabular.read(names)
        raws.append(RawSessions(file.name, columns, rows, refused))
    if chosen.notes and raws:
        raws[0] = replace(raws[0], notes=chosen.notes)
    return Adapted(tuple(raws), chosen.warnings)


def _unknown(unknown: Sequence[str]) -> list[str]:
    """One sentence about all columns that the contract does not know."""
    if not unknown:
        return []
    told = []
    for name in unknown:
        meant = next(
            (
                wanted
                for wanted in SESSIONS.names
                if wanted not in SESSIONS.needed and near_name(wanted, [name])
            ),
            None,
        )
        told.append(f"'{name}' (did you mean '{meant}'?)" if meant else f"'{name}'")
    return [f"columns that the sessions table does not know are ignored: {', '.join(told)}"]


CONTRACT = Form(
    name="sessions",
    looks_for=f"a table with the columns {', '.join(SESSIONS.needed)}",
    recognises=_recognises,
    adapt=_adapt,
)
