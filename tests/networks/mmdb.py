"""The smallest writer of MMDB files (format 2.0) that a test needs."""

from __future__ import annotations

import struct
from ipaddress import IPv4Network, IPv6Network
from typing import Any

MARKER = b"\xab\xcd\xefMaxMind.com"


class Short(int):
    """A number stored in two bytes, which the reader insists on in its metadata."""


class Long(int):
    """A number stored in eight bytes."""


def encode(value: Any) -> bytes:
    """One value in the data section's encoding: text, map, unsigned integer or list."""
    if isinstance(value, str):
        text = value.encode()
        return _control(2, len(text)) + text
    if isinstance(value, dict):
        pairs = b"".join(encode(key) + encode(item) for key, item in value.items())
        return _control(7, len(value)) + pairs
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(encode, value))
    kind = 5 if isinstance(value, Short) else 9 if isinstance(value, Long) else 6
    number = value.to_bytes(8, "big").lstrip(b"\0")
    return _control(kind, len(number)) + number


def _control(kind: int, size: int) -> bytes:
    if size >= 29:
        more = bytes([size - 29])
        size = 29
    else:
        more = b""
    if kind > 7:
        return bytes([size, kind - 7]) + more
    return bytes([kind << 5 | size]) + more


def mmdb(
    records: dict[IPv4Network | IPv6Network, Any],
    *,
    database_type: str = "GeoLite2-ASN",
    built: int = 1_790_000_000,
) -> bytes:
    """A database with a tree of 28-bit records over IPv6; IPv4 lies under ::/96."""
    nodes: list[list[int | None]] = [[None, None]]
    data = b""
    leaves: dict[tuple[int, int], int] = {}
    for network, record in records.items():
        v4 = network.version == 4
        bits = network.prefixlen + (96 if v4 else 0)
        number = int(network.network_address)
        at = 0
        for depth in range(bits):
            side = number >> (127 - depth) & 1
            if depth == bits - 1:
                leaves[at, side] = len(data)
                break
            if nodes[at][side] is None:
                nodes.append([None, None])
                nodes[at][side] = len(nodes) - 1
            at = nodes[at][side] or 0
        data += encode(record)
    count = len(nodes)
    tree = b""
    for at, sides in enumerate(nodes):
        left, right = (
            count + 16 + leaves[at, side]
            if (at, side) in leaves
            else count
            if sides[side] is None
            else sides[side]
            for side in (0, 1)
        )
        middle = (left >> 24 & 15) << 4 | right >> 24 & 15
        tree += (left & 0xFFFFFF).to_bytes(3, "big") + bytes([middle])
        tree += (right & 0xFFFFFF).to_bytes(3, "big")
    about = {
        "node_count": count,
        "record_size": Short(28),
        "ip_version": Short(6),
        "database_type": database_type,
        "languages": ["en"],
        "binary_format_major_version": Short(2),
        "binary_format_minor_version": Short(0),
        "build_epoch": Long(built),
        "description": {"en": "made by a test"},
    }
    return tree + struct.pack("16x") + data + MARKER + encode(about)
