"""Tables of networks as others write them: iptoasn's TSV and MaxMind's MMDB."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from household_ml.errors import MissingDependencyError, NetworksError, Problem
from household_ml.sessions.addresses import INVALID, NULL, is_ipv4, parse_addresses

__all__ = ["RawTable", "read_mmdb", "read_tsv"]

_COLUMNS: Final = ("start", "end", "asn", "country", "org")
_DAY: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_TSV_REMEDY: Final = (
    "Give ip2asn-combined.tsv.gz of https://iptoasn.com (columns: first address, last address, "
    "AS, country, name)."
)
_LOW_32 = np.uint64(0xFFFF_FFFF)
_MAPPED = np.uint64(0xFFFF_0000_0000)

Column = npt.NDArray[np.uint64]
Systems = npt.NDArray[np.uint32]


class RawTable(NamedTuple):
    """Ranges and names as a source gives them, in any order.

    Attributes
    ----------
    v4, v6 : tuple of (start, end, asn)
        First and last number of each range, both included (of IPv6 the upper 64 bits), and its
        AS, 0 = none.
    named : ndarray of uint32
        ASs with a name; one that comes several times keeps its first name.
    names : list of str
        Their names.
    dated : datetime.date
        Day of which the source tells.
    source : str
        What the source is.
    """

    v4: tuple[Column, Column, Systems]
    v6: tuple[Column, Column, Systems]
    named: Systems
    names: Sequence[str]
    dated: date
    source: str


def read_tsv(paths: Sequence[Path], dated: date | None = None) -> RawTable:
    """Read iptoasn's TSV files; see `NetworkTable.from_tsv`."""
    tables = [_read_one_tsv(path) for path in paths]
    if not tables:
        raise NetworksError(
            Problem("a table of networks must be made of a file", "none", _TSV_REMEDY)
        )
    table = pa.concat_tables(tables)
    start_hi, start_lo, is4 = _numbers(table["start"])
    end_hi, end_lo, end_is4 = _numbers(table["end"])
    asn: Systems = table["asn"].to_numpy().astype(np.uint32)
    backward = (start_hi > end_hi) | ((start_hi == end_hi) & (start_lo > end_lo))
    wrong = np.flatnonzero((is4 != end_is4) | backward)
    if wrong.size:
        row = int(wrong[0])
        raise NetworksError(
            Problem(
                "a range of networks must end after it starts",
                f"{table['start'][row]} to {table['end'][row]}",
                _TSV_REMEDY,
            )
        )
    known = table.filter(pc.and_(pc.greater(table["asn"], 0), pc.not_equal(table["org"], "")))
    named: Systems = known["asn"].to_numpy().astype(np.uint32)
    named, position = np.unique(named, return_index=True)
    return RawTable(
        v4=(start_lo[is4] & _LOW_32, end_lo[is4] & _LOW_32, asn[is4]),
        v6=(start_hi[~is4], end_hi[~is4], asn[~is4]),
        named=named,
        names=known["org"].take(pa.array(position)).to_pylist(),
        dated=dated or _day_of(paths[0]),
        source="iptoasn.com",
    )


def _read_one_tsv(path: Path) -> pa.Table:
    try:
        table = csv.read_csv(
            path,
            read_options=csv.ReadOptions(column_names=_COLUMNS),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=csv.ConvertOptions(
                column_types={
                    "start": pa.string(),
                    "end": pa.string(),
                    "asn": pa.int64(),
                    "country": pa.string(),
                    "org": pa.string(),
                }
            ),
        )
    except (OSError, pa.ArrowInvalid) as error:
        raise NetworksError(
            Problem(
                "a table of networks must be an iptoasn TSV",
                f"{str(path)!r} ({str(error).splitlines()[0]})",
                _TSV_REMEDY,
            )
        ) from error
    numbers = table["asn"].to_numpy()
    if table["asn"].null_count or ((numbers < 0) | (numbers >= 2**32)).any():
        raise NetworksError(
            Problem(
                "an AS must be a number from 0 to 4294967295",
                f"another value in {str(path)!r}",
                _TSV_REMEDY,
            )
        )
    return table


def _numbers(text: pa.ChunkedArray) -> tuple[Column, Column, npt.NDArray[np.bool_]]:
    """Addresses as numbers; iptoasn also writes IPv4 as plain decimals (``*-u32.tsv``)."""
    hi, lo, kind = parse_addresses(text)
    plain = np.flatnonzero(kind == INVALID)
    if plain.size:
        decimals = text.take(pa.array(plain))
        small = pc.and_(pc.utf8_is_decimal(decimals), pc.less(pc.binary_length(decimals), 11))
        if not pc.all(small).as_py():
            raise NetworksError(
                Problem(
                    "the ends of a range must be addresses",
                    repr(decimals.filter(pc.invert(small))[0].as_py()),
                    _TSV_REMEDY,
                )
            )
        lo[plain] = (decimals.cast(pa.uint64()).to_numpy() & _LOW_32) | _MAPPED
    if (kind == NULL).any():
        raise NetworksError(
            Problem("the ends of a range must be addresses", "nothing", _TSV_REMEDY)
        )
    return hi, lo, is_ipv4(hi, lo)


def _day_of(path: Path) -> date:
    found = _DAY.search(path.name)
    if found:
        try:
            return date(*map(int, found.groups()))
        except ValueError as error:
            raise NetworksError(
                Problem(
                    "the day in the name of a table of networks must exist",
                    repr(path.name),
                    "Rename the file, or give dated.",
                )
            ) from error
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()


def read_mmdb(path: Path) -> RawTable:
    """Read an MMDB that tells the AS of networks; see `NetworkTable.from_mmdb`."""
    try:
        import maxminddb
    except ImportError as error:
        raise MissingDependencyError(
            Problem(
                "reading an MMDB must find the package maxminddb",
                "none installed",
                "Install household-ml[mmdb], or give an iptoasn TSV.",
            )
        ) from error
    v4: list[tuple[int, int, int]] = []
    v6: list[tuple[int, int, int]] = []
    names: dict[int, str] = {}
    try:
        with maxminddb.open_database(path) as database:
            about = database.metadata()
            for network, record in database:
                asn, org = _system(record)
                if asn == 0:
                    continue
                names.setdefault(asn, org)
                first, last = int(network.network_address), int(network.broadcast_address)
                if isinstance(network, IPv4Network):
                    v4.append((first, last, asn))
                else:
                    v6.append((first >> 64, last >> 64, asn))
    except (OSError, ValueError, EOFError, maxminddb.InvalidDatabaseError) as error:
        raise NetworksError(
            Problem(
                "a table of networks must be a readable MMDB",
                f"{str(path)!r} ({error})",
                "Give GeoLite2-ASN.mmdb or another MMDB with AS numbers.",
            )
        ) from error
    if not names:
        raise NetworksError(
            Problem(
                "an MMDB of networks must tell AS numbers (autonomous_system_number or asn)",
                f"none in {str(path)!r}, a {about.database_type}",
                "Give GeoLite2-ASN.mmdb or another MMDB with AS numbers.",
            )
        )
    return RawTable(
        v4=_columns(v4),
        v6=_columns(v6),
        named=np.array(list(names), np.uint32),
        names=list(names.values()),
        dated=datetime.fromtimestamp(about.build_epoch, UTC).date(),
        source=about.database_type,
    )


def _system(record: Any) -> tuple[int, str]:
    """AS and name in a record of MaxMind's kind, or of IPinfo's (``AS15169``)."""
    if not isinstance(record, dict):
        return 0, ""
    asn = record.get("autonomous_system_number", record.get("asn", 0))
    org = record.get("autonomous_system_organization", record.get("as_name", record.get("name")))
    digits = str(asn).upper().removeprefix("AS")
    number = int(digits) if digits.isdecimal() else 0
    return (number if number < 2**32 else 0), str(org or "")


def _columns(rows: list[tuple[int, int, int]]) -> tuple[Column, Column, Systems]:
    numbers = np.array(rows, np.uint64).reshape(-1, 3)
    return numbers[:, 0].copy(), numbers[:, 1].copy(), numbers[:, 2].astype(np.uint32)
