"""Statistics of networks as a file: Parquet, one row a network, readable by anything.

The file carries a format number, how many sessions and accounts it is built from, and the digest of
what it says, so that a damaged file is not taken for a good one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from household_ml.errors import NetworksError, Problem
from household_ml.networks.counting import COUNTED
from household_ml.networks.ladder import AS_LEVEL, PREFIX_BITS
from household_ml.schema import NETWORKS
from household_ml.sessions.addresses import (
    INVALID,
    NULL,
    format_addresses,
    is_ipv4,
    parse_addresses,
)

if TYPE_CHECKING:
    from household_ml.networks.statistics import NetworkStatistics

__all__ = ["not_a_snapshot", "read_snapshot", "write_snapshot"]

_METADATA: Final = b"household_ml.networks"
_FORMAT: Final = 1
_DAY_S: Final = 86_400
_REMEDY: Final = "Build it anew with household-ml networks --sessions PATH --out PATH."
_TIME: Final = pa.timestamp("us", tz="UTC")
_TYPES: Final = {
    "network": pa.large_string(),
    "tenure_days": pa.float64(),
    "first_seen": _TIME,
    "last_seen": _TIME,
}
_NAMES: Final = NETWORKS.names
_SHIFT_32 = np.uint64(32)


def write_snapshot(statistics: NetworkStatistics, path: Path) -> None:
    """Write statistics; an interrupted write leaves what was there before."""
    columns: dict[str, Any] = dict(zip(COUNTED, statistics.counts.T, strict=True))
    columns["network"] = _texts(statistics)
    columns["networks"] = statistics.networks
    columns["tenure_days"] = columns.pop("tenure_s") / _DAY_S
    about = {
        "format": _FORMAT,
        "sessions": statistics.sessions,
        "accounts": statistics.accounts,
        "digest": statistics.digest,
    }
    table = pa.table(
        [pa.array(columns[name], _TYPES.get(name, pa.int64())) for name in _NAMES],
        names=list(_NAMES),
    ).replace_schema_metadata({_METADATA: json.dumps(about)})
    partial = path.with_name(path.name + ".partial")
    pq.write_table(
        table,
        partial,
        compression="zstd",
        use_dictionary=False,
        write_page_checksum=True,
        row_group_size=1 << 20,
    )
    partial.replace(path)


def read_snapshot(path: Path) -> tuple[dict[str, Any], str]:
    """Read a snapshot.

    Returns
    -------
    parts : dict
        Parameters of `NetworkStatistics`.
    digest : str
        The digest that they had when they were saved.

    Raises
    ------
    NetworksError
        The file is missing, damaged or no snapshot of this format.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            about = _about(file.schema_arrow.metadata)
            table = file.read(columns=list(_NAMES))
        return _parts(table, about), str(about["digest"])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise not_a_snapshot(path, reason) from error


def not_a_snapshot(path: Path, reason: str) -> NetworksError:
    """Error of a file that cannot be used, and why."""
    return NetworksError(
        Problem(
            f"network statistics must be a whole snapshot of format {_FORMAT}",
            f"{str(path)!r} ({reason})",
            _REMEDY,
        )
    )


def _about(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    if not metadata or _METADATA not in metadata:
        raise ValueError("a Parquet file of something else")
    about: dict[str, Any] = json.loads(metadata[_METADATA])
    if about["format"] != _FORMAT:
        raise ValueError(f"format {about['format']!r}")
    return about


def _parts(table: pa.Table, about: dict[str, Any]) -> dict[str, Any]:
    for name in _NAMES:
        if name not in table.column_names:
            raise ValueError(f"no column {name!r}")
        if table[name].null_count:
            raise ValueError(f"nulls in column {name!r}")
    level, key = _keys(table["network"].cast(pa.large_string()).combine_chunks())
    order = np.lexsort((key, level))
    columns = {
        name: table[name].cast(_TYPES.get(name, pa.int64())).cast(pa.int64()).to_numpy()
        for name in _NAMES
        if name not in ("network", "tenure_days")
    }
    tenure = table["tenure_days"].cast(pa.float64()).to_numpy()
    columns["tenure_s"] = np.rint(tenure * _DAY_S).astype(np.int64)
    return {
        "starts": np.searchsorted(level[order], np.arange(AS_LEVEL + 2)).astype(np.int64),
        "key": key[order],
        "networks": columns["networks"][order],
        "counts": np.stack([columns[name][order] for name in COUNTED], axis=1),
        "sessions": int(about["sessions"]),
        "accounts": int(about["accounts"]),
    }


def _texts(statistics: NetworkStatistics) -> pa.Array:
    """Networks as text: 203.0.113.0/24, 2001:db8::/56, AS3215."""
    parts = []
    for level, (bits4, bits6) in enumerate(PREFIX_BITS):
        key = statistics.key[statistics.starts[level] : statistics.starts[level + 1]]
        v4 = (key >> _SHIFT_32) == 0xFFFF
        address = format_addresses(np.where(v4, 0, key), np.where(v4, key, 0))
        ending = pa.array(np.where(v4, f"/{bits4}", f"/{bits6}"), pa.large_string())
        parts.append(_join(address, ending))
    asn = pa.array(statistics.key[statistics.starts[AS_LEVEL] :]).cast(pa.large_string())
    parts.append(_join(pa.scalar("AS", pa.large_string()), asn))
    return pa.concat_arrays(parts)


def _join(left: pa.Array | pa.Scalar, right: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(left, right, pa.scalar("", pa.large_string()))


def _keys(network: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Level and key of each network."""
    level = np.full(len(network), -1, np.int64)
    key = np.zeros(len(network), np.uint64)
    systems = np.asarray(pc.starts_with(network, "AS"))
    level[systems] = AS_LEVEL
    asn = pc.utf8_slice_codeunits(network.filter(pa.array(systems)), 2)
    key[systems] = asn.cast(pa.uint32()).to_numpy()
    bare = pc.ascii_rtrim(pc.ascii_rtrim(network, characters="0123456789"), characters="/")
    hi, lo, kind = parse_addresses(bare.filter(pa.array(~systems)))
    if np.isin(kind, (INVALID, NULL)).any():
        raise ValueError("a network that is neither a prefix nor an AS")
    v4 = is_ipv4(hi, lo)
    key[~systems] = np.where(v4, lo, hi)
    is4 = np.zeros(len(network), np.bool_)
    is4[~systems] = v4
    for number, bits in enumerate(PREFIX_BITS):
        for family, length in zip((is4, ~is4), bits, strict=True):
            level[np.asarray(pc.ends_with(network, f"/{length}")) & family & ~systems] = number
    if (level < 0).any():
        raise ValueError("a prefix of a length that is not on the ladder")
    return level, key
