"""The table of networks: which AS announces an address, and what its operator calls it.

The table that ships is made of the tables of https://iptoasn.com (licence PDDL 1.0). It ages:
it says how old it is, and a newer one, or one of another maker, can take its place.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml.config import environment
from household_ml.display import facts_html
from household_ml.errors import NetworksError, Problem
from household_ml.networks.ranges import Ranges, find_asn, lay_out
from household_ml.networks.sources import RawTable, read_mmdb, read_tsv
from household_ml.resources import resource

__all__ = ["NetworkTable"]

_KIND: Final = "household_ml.networks.table"
_FORMAT: Final = 1
_SHIPPED: Final = "data/networks/iptoasn.npz"
_REMEDY: Final = "Give a file written by NetworkTable.save, an iptoasn TSV or an MMDB."

#: What reading a damaged or foreign archive can raise.
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, eq=False, repr=False)
class NetworkTable:
    """Address -> AS, and AS -> name.

    Parameters
    ----------
    v4, v6 : Ranges
        Ranges of IPv4 addresses, and of the upper 64 bits of IPv6 addresses.
    named : ndarray of uint32, shape (m,)
        ASs that have a name, ascending.
    names : pyarrow.LargeStringArray, length m
        Their names: handles such as PROXAD, not always brands.
    dated : datetime.date
        Day of which the table tells.
    source : str
        Where the table is from.

    Examples
    --------
    >>> from household_ml.sessions.addresses import parse_addresses
    >>> table = NetworkTable.default()
    >>> hi, lo, _ = parse_addresses(pa.array(["82.64.0.1", "2a01:e0a::1", "203.0.113.7"]))
    >>> table.lookup(hi, lo).tolist()
    [12322, 12322, 0]
    >>> table.org(12322)
    'PROXAD'
    """

    v4: Ranges
    v6: Ranges
    named: npt.NDArray[np.uint32]
    names: pa.LargeStringArray
    dated: date
    source: str

    @classmethod
    def default(cls) -> NetworkTable:
        """The table that ``HOUSEHOLD_ML_NETWORK_TABLE`` names, else the one that ships.

        Read once for each path.

        Raises
        ------
        NetworksError
            The named file is no table of networks.
        """
        replaced = environment("HOUSEHOLD_ML_NETWORK_TABLE")
        return _read_once(str(Path(replaced) if replaced else resource(_SHIPPED)))

    @classmethod
    def load(cls, path: str | Path) -> NetworkTable:
        """Read a table in the product's own format, an MMDB (``.mmdb``) or an iptoasn TSV.

        Parameters
        ----------
        path : str or Path
            The file; its first bytes and its name tell which of the three it is.

        Raises
        ------
        NetworksError
            The file is missing, damaged or of another kind.
        MissingDependencyError
            The file is an MMDB and maxminddb is not installed.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                head = file.read(4)
        except OSError as error:
            raise NetworksError(
                Problem(
                    "the table of networks must be a readable file",
                    f"{str(path)!r} ({error.strerror})",
                    _REMEDY,
                )
            ) from error
        if head == b"PK\x03\x04":
            return _read_own(path)
        if path.suffix == ".mmdb":
            return cls.from_mmdb(path)
        return cls.from_tsv(path)

    @classmethod
    def from_tsv(cls, *paths: str | Path, dated: date | None = None) -> NetworkTable:
        """Make a table of iptoasn's TSV files.

        Parameters
        ----------
        *paths : str or Path
            ``ip2asn-combined.tsv``, or ``ip2asn-v4.tsv`` and ``ip2asn-v6.tsv``; gzip or plain.
            Columns: first address, last address, AS, country, name.
        dated : datetime.date, default=None
            Day of which the files tell; None = the day in the first file's name, else the day
            it was written.

        Raises
        ------
        NetworksError
            A file cannot be read or is of another kind.
        """
        return cls.from_raw(read_tsv([Path(path) for path in paths], dated))

    @classmethod
    def from_mmdb(cls, path: str | Path) -> NetworkTable:
        """Make a table of an MMDB such as GeoLite2-ASN; needs the extra ``mmdb``.

        Raises
        ------
        NetworksError
            The file cannot be read or tells no AS.
        MissingDependencyError
            maxminddb is not installed.
        """
        return cls.from_raw(read_mmdb(Path(path)))

    @classmethod
    def from_raw(cls, raw: RawTable) -> NetworkTable:
        """Lay out ranges and names in any order; see `household_ml.networks.ranges.lay_out`."""
        named, position = np.unique(raw.named, return_index=True)
        names = pa.array(raw.names, pa.large_string()).take(pa.array(position))
        return cls(
            v4=lay_out(*raw.v4, bits=32),
            v6=lay_out(*raw.v6, bits=64),
            named=named,
            names=names,
            dated=raw.dated,
            source=raw.source,
        )

    def save(self, path: str | Path) -> None:
        """Write the table in the product's own compact format; equal tables give equal bytes.

        Parameters
        ----------
        path : str or Path
            File to write, by custom ``*.npz``.
        """
        manifest = {
            "kind": _KIND,
            "format": _FORMAT,
            "dated": self.dated.isoformat(),
            "source": self.source,
        }
        text = "\n".join(name.replace("\n", " ") for name in self.names.to_pylist())
        members = {
            "manifest": _characters(json.dumps(manifest, sort_keys=True)),
            "v4_step": np.diff(self.v4.start, prepend=np.uint32(0)),
            "v4_asn": self.v4.asn,
            "v6_step": np.diff(self.v6.start, prepend=np.uint64(0)),
            "v6_asn": self.v6.asn,
            "named_step": np.diff(self.named, prepend=np.uint32(0)),
            "names": _characters(text),
        }
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, values in members.items():
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, values, allow_pickle=False)
                member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
                archive.writestr(member, buffer.getvalue(), zipfile.ZIP_DEFLATED, 9)

    def lookup(
        self, hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.uint32]:
        """AS of each address.

        Parameters
        ----------
        hi, lo : ndarray of uint64, shape (n,)
            Halves of the addresses; IPv4 as ``::ffff:a.b.c.d``.

        Returns
        -------
        ndarray of uint32, shape (n,)
            0 = unknown, which is a normal answer (one in six public IPv4 addresses).
        """
        return find_asn(hi, lo, self.v4, self.v6)

    def org(self, asn: int) -> str:
        """Name of an AS, empty when the table has none."""
        at = int(np.searchsorted(self.named, np.uint32(asn)))
        if at < self.named.size and int(self.named[at]) == asn:
            return str(self.names[at].as_py())
        return ""

    def age_days(self, today: date | None = None) -> int:
        """Days since the day of which the table tells, by UTC; never below 0."""
        today = today or datetime.now(UTC).date()
        return max((today - self.dated).days, 0)

    def __repr__(self) -> str:
        v4 = int(np.count_nonzero(self.v4.asn))
        v6 = int(np.count_nonzero(self.v6.asn))
        return (
            f"NetworkTable({v4:,} IPv4 and {v6:,} IPv6 ranges, {self.named.size:,} names, "
            f"of {self.dated}, {self.age_days()} days old, from {self.source})"
        )

    def _repr_html_(self) -> str:
        return facts_html(
            "Table of networks",
            {
                "IPv4 ranges": f"{int(np.count_nonzero(self.v4.asn)):,}",
                "IPv6 ranges": f"{int(np.count_nonzero(self.v6.asn)):,}",
                "named systems": f"{self.named.size:,}",
                "of the day": f"{self.dated}, {self.age_days():,} days ago",
                "source": self.source,
            },
        )


@lru_cache(maxsize=4)
def _read_once(path: str) -> NetworkTable:
    return NetworkTable.load(path)


def _characters(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)


def _read_own(path: Path) -> NetworkTable:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            manifest: Any = json.loads(archive["manifest"].tobytes())
            if manifest["kind"] != _KIND:
                raise ValueError(f"kind {manifest['kind']!r}")
            if manifest["format"] != _FORMAT:
                raise NetworksError(
                    Problem(
                        f"the table of networks must be of format {_FORMAT}",
                        f"format {manifest['format']!r} in {str(path)!r}",
                        "Write it again with this version, or update the package.",
                    )
                )
            table = NetworkTable(
                v4=_steps(archive["v4_step"], archive["v4_asn"], np.uint32),
                v6=_steps(archive["v6_step"], archive["v6_asn"], np.uint64),
                named=_ascending(archive["named_step"], np.uint32),
                names=_lines(archive["names"]),
                dated=date.fromisoformat(manifest["dated"]),
                source=str(manifest["source"]),
            )
            if table.named.size != len(table.names):
                raise ValueError(f"{table.named.size} names announced, {len(table.names)} found")
    except _DAMAGE as error:
        raise NetworksError(
            Problem(
                "the table of networks must be a whole file of its own format",
                f"{str(path)!r} ({error})",
                _REMEDY,
            )
        ) from error
    return table


def _ascending(step: npt.NDArray[Any], kind: type[np.uint32 | np.uint64]) -> Any:
    if step.dtype != kind or step.ndim != 1 or not step[1:].all():
        raise ValueError("numbers out of order")
    return np.cumsum(step, dtype=kind)


def _steps(
    step: npt.NDArray[Any], asn: npt.NDArray[Any], kind: type[np.uint32 | np.uint64]
) -> Ranges:
    start = _ascending(step, kind)
    if asn.dtype != np.uint32 or asn.shape != start.shape or start[0] != 0:
        raise ValueError("ranges and ASs that do not match")
    return Ranges.of(start, asn)


def _lines(characters: npt.NDArray[np.uint8]) -> pa.LargeStringArray:
    """Texts separated by line feeds, without a Python object for each."""
    if characters.dtype != np.uint8 or characters.ndim != 1:
        raise ValueError("names that are no text")
    if not characters.size:
        return pa.array([], pa.large_string())
    breaks = np.flatnonzero(characters == ord("\n")).astype(np.int64)
    # offsets move to the left by the line feeds that are taken out
    ends = np.append(breaks, characters.size) - np.arange(breaks.size + 1)
    offsets = np.concatenate([np.zeros(1, np.int64), ends])
    text = characters[characters != ord("\n")]
    text.tobytes().decode()
    return pa.LargeStringArray.from_buffers(ends.size, pa.py_buffer(offsets), pa.py_buffer(text))
