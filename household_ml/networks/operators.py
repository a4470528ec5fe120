"""Who runs an AS, and what kind of access it gives.

Three sources, in this order:

1. a catalogue (``data/networks/operators.csv``) of operators with their ASs, chosen by hand from
   the names and sizes in the table of networks;
2. the name of the AS in the table, where it tells: two ASs called ``XTOM-35536`` and ``XTOM-35537``
   are one operator's, UNIVERSITY and HOSTING are what they say;
3. nothing: an AS is its own operator, its connection type is unknown.

An operator's fixed and mobile arms are two operators when their ASs differ: the operator serves to
join the addresses that one line had one after the other, and a line is of one arm. WIRELESS in a
name tells nothing, as many who bear it sell fixed lines by radio.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.errors import NetworksError, Problem
from household_ml.networks.table import NetworkTable
from household_ml.resources import resource
from household_ml.schema import CONNECTION_TYPES

__all__ = [
    "Directory",
    "Operator",
    "catalogue",
    "connection_type_of",
    "directory",
    "operator_name",
    "operator_of",
]

#: ASs below this have an entry of their own in the arrays; of those above none is grouped.
_DENSE: Final = 1 << 19

_END: Final = "([^a-z]|$)"
_START: Final = "(^|[^a-z])"

#: What a name (in lower case) tells of the connection, the first that holds: (type, what the name
#: holds, what it must not hold).
_TELLING: Final = (
    (
        "school",
        f"universit|universid|{_START}univ{_END}|school|college|{_START}academi[ca]|{_START}edu{_END}"
        "|hochschule|escuela|campus",
        "collegenet|old-?school",
    ),
    (
        "hosting",
        f"hosting|cloud|data-? ?cent(er|re)|server|{_START}vps|vps{_END}|{_START}vpn|vpn{_END}"
        f"|colocation|{_START}colo{_END}|seedbox|{_START}cdn{_END}|dedicated",
        "cloud ?wifi|observer|isp|provedor",
    ),
    (
        "traveler",
        f"{_START}hotels?{_END}|hotels{_END}|guest-internet|in-?flight|marriott|{_START}hospitality",
        "datahotel|haulage",
    ),
    (
        "cellular",
        f"mobile{_END}|mobility{_END}|mobil{_END}|{_START}mobi(tel|fone|nil|ltel)|cellular|{_START}cellco"
        f"|{_START}[a-z]?gsm{_END}|[45]g-(core-)?network",
        "exxon|automobil|provedor|internet|engenharia|telecomunic|motorola|university|china ?mobile"
        "|peering|cable|fib(er|re)|wifi",
    ),
    (
        "business",
        f"{_START}bank|bank{_END}|hospital([^i]|$)|clinic|insurance|{_START}b2b{_END}"
        f"|{_START}(city|county)-?of|{_START}(government|ministry)",
        "databank|isp|hosting",
    ),
    (
        "residential",
        f"broadband|provedor|ftt[hx]|cable-?tv|catv|{_START}residen[ct]ia[l]",
        "business|enterprise|wholesale",
    ),
)

#: Names that two operators may share by chance, or that name a registry.
_NOBODY: Final = r"reserved|information cent|registry|lacnic|apnic|afrinic|dnic|exchange|\bcabase\b"

#: A company's name ends with its legal form.
_COMPANY: Final = r"[ .,](s\.? ?a|ltda|ltd|limited|inc|llc|gmbh|corp|de c\.? ?v|bhd|sdn)\.?$"

#: A handle that ends with the number of its own AS.
_HANDLE: Final = r"^(?P<stem>[a-z][a-z0-9_-]{2,}?)(?P<tail>[-_]?a?s?)(?P<number>[0-9]+)$"
_STEMLESS: Final = ("asn", "net", "isp", "telecom")


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of the catalogue.

    Attributes
    ----------
    name : str
        Brand, by which people know it.
    country : str
        ISO 3166-1 alpha-2, empty when it is of no one country.
    connection_type : str
        One of CONNECTION_TYPES.
    asns : tuple of int
        Its ASs; the first one stands for all.
    """

    name: str
    country: str
    connection_type: str
    asns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Directory:
    """What every AS below 2**19 belongs to, and, last, what stands for all others.

    Attributes
    ----------
    operator : ndarray of uint32, shape (2**19 + 1,)
        Operator of the AS; of others the AS itself.
    connection : ndarray of int8, shape (2**19 + 1,)
        Index in CONNECTION_TYPES.
    """

    operator: npt.NDArray[np.uint32]
    connection: npt.NDArray[np.int8]


def operator_of(
    asn: npt.NDArray[np.uint32], table: NetworkTable | None = None
) -> npt.NDArray[np.uint32]:
    """Operator of each AS, named by the one AS that stands for it.

    Parameters
    ----------
    asn : ndarray of uint32, shape (n,)
        ASs; 0 = unknown.
    table : NetworkTable, default=None
        Table whose names tell; None = `NetworkTable.default`.

    Returns
    -------
    ndarray of uint32, shape (n,)
        Equal for two ASs of one operator; 0 where `asn` is 0.

    Raises
    ------
    NetworksError
        The table or the catalogue cannot be read.

    Examples
    --------
    >>> operator_of(np.array([33491, 7922, 12322, 51207, 0], np.uint32)).tolist()
    [7922, 7922, 12322, 51207, 0]
    """
    found = directory(table or NetworkTable.default())
    grouped = found.operator[np.minimum(asn, np.uint32(_DENSE))]
    return np.where(asn < _DENSE, grouped, asn)


def connection_type_of(
    asn: npt.NDArray[np.uint32], table: NetworkTable | None = None
) -> npt.NDArray[np.int8]:
    """Connection type of each AS.

    Parameters
    ----------
    asn : ndarray of uint32, shape (n,)
        ASs; 0 = unknown.
    table : NetworkTable, default=None
        Table whose names tell; None = `NetworkTable.default`.

    Returns
    -------
    ndarray of int8, shape (n,)
        Index in CONNECTION_TYPES; 0 = unknown, which is a normal answer.

    Raises
    ------
    NetworksError
        The table or the catalogue cannot be read.

    Examples
    --------
    >>> codes = connection_type_of(np.array([3215, 21928, 16276, 2200, 64294, 0], np.uint32))
    >>> [CONNECTION_TYPES[code] for code in codes]
    ['residential', 'cellular', 'hosting', 'school', 'traveler', 'unknown']
    """
    found = directory(table or NetworkTable.default())
    return found.connection[np.minimum(asn, np.uint32(_DENSE))]


def operator_name(asn: int, table: NetworkTable | None = None) -> str:
    """What to call the operator of an AS: its brand, else the table's name, else AS and number.

    Examples
    --------
    >>> operator_name(12322), operator_name(4199999999)
    ('Free', 'AS4199999999')
    """
    brand = _brands().get(asn)
    return brand or (table or NetworkTable.default()).org(asn) or f"AS{asn}"


@cache
def catalogue() -> tuple[Operator, ...]:
    """The operators that were grouped by hand.

    Raises
    ------
    NetworksError
        The catalogue is missing or damaged.
    """
    return _read_catalogue(resource("data/networks/operators.csv"))


@cache
def _brands() -> dict[int, str]:
    return {asn: operator.name for operator in catalogue() for asn in operator.asns}


def _read_catalogue(path: Path) -> tuple[Operator, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            operators = tuple(
                Operator(
                    name=row["operator"],
                    country=row["country"],
                    connection_type=CONNECTION_TYPES[
                        CONNECTION_TYPES.index(row["connection_type"])
                    ],
                    asns=tuple(map(int, row["asns"].split())),
                )
                for row in csv.DictReader(file)
            )
    except (OSError, KeyError, ValueError, AttributeError) as error:
        raise NetworksError(
            Problem(
                "the catalogue of operators must be a CSV of operator, country, connection_type "
                "and asns",
                f"{str(path)!r} ({error})",
                "Install the package again.",
            )
        ) from error
    seen = [asn for operator in operators for asn in operator.asns]
    if len(set(seen)) < len(seen) or not all(0 < asn < _DENSE for asn in seen):
        raise NetworksError(
            Problem(
                f"an AS must be in the catalogue of operators once and be below {_DENSE}",
                f"another in {str(path)!r}",
                "Install the package again.",
            )
        )
    return operators


@lru_cache(maxsize=4)
def directory(table: NetworkTable) -> Directory:
    """What is known of all ASs at once; made once for each table.

    Parameters
    ----------
    table : NetworkTable
        Table whose names tell.

    Returns
    -------
    Directory
        Of arrays that nobody may write to.
    """
    operator = np.arange(_DENSE + 1, dtype=np.uint32)
    connection = np.zeros(_DENSE + 1, np.int8)
    small = table.named < _DENSE
    asn = table.named[small]
    names = pc.utf8_lower(table.names.filter(pa.array(small)))
    connection[asn] = _told(names)
    known = np.array([member for one in catalogue() for member in one.asns], np.uint32)
    free = ~np.isin(asn, known)
    _group(operator, asn[free], names.filter(pa.array(free)))
    for one in catalogue():
        operator[list(one.asns)] = one.asns[0]
        connection[list(one.asns)] = CONNECTION_TYPES.index(one.connection_type)
    connection[_DENSE] = 0
    for array in (operator, connection):
        array.flags.writeable = False
    return Directory(operator, connection)


def _told(names: pa.LargeStringArray) -> npt.NDArray[np.int8]:
    """Connection type that each name tells, 0 where it tells none."""
    told = np.zeros(len(names), np.int8)
    for kind, holds, holds_not in reversed(_TELLING):
        tells = pc.and_not(
            pc.match_substring_regex(names, holds), pc.match_substring_regex(names, holds_not)
        )
        told[np.asarray(tells)] = CONNECTION_TYPES.index(kind)
    return told


def _group(
    operator: npt.NDArray[np.uint32], asn: npt.NDArray[np.uint32], names: pa.LargeStringArray
) -> None:
    """Join ASs whose handles differ in their own number alone, or that bear one company's name."""
    parts = pc.extract_regex(names, _HANDLE)
    stem = pc.ascii_rtrim(pc.struct_field(parts, "stem"), characters="-_")
    number = pc.struct_field(parts, "number")
    own = pc.equal(number, pa.array(asn).cast(pa.large_string()))
    nobody = pc.match_substring_regex(names, _NOBODY)
    company = pc.if_else(pc.match_substring_regex(names, _COMPANY), names, None)
    group = pc.coalesce(pc.if_else(own, stem, None), company)
    group = pc.if_else(
        pc.or_(nobody, pc.is_in(group, pa.array(_STEMLESS, group.type))), None, group
    )
    member = np.flatnonzero(np.asarray(pc.is_valid(group)))
    codes = np.asarray(group.take(pa.array(member)).dictionary_encode().indices)
    first = np.full(int(codes.max(initial=-1)) + 1, _DENSE, np.uint32)
    np.minimum.at(first, codes, asn[member])
    operator[asn[member]] = first[codes]
