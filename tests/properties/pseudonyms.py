"""Renaming that keeps what the model may know: who is equal to whom, and how far.

Addresses are renamed after Xu, Fan, Ammar and Moon, "Prefix-preserving IP address anonymization"
(ICNP 2002): two addresses share the same number of leading bits before and after.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from hashlib import blake2b

import pandas as pd

__all__ = ["rename_address", "rename_addresses", "rename_ids"]


def rename_address(text: str, key: bytes) -> str:
    """Flip each bit of an address by a keyed function of the bits before it."""
    address = ipaddress.ip_address(text)
    bits, family = address.max_prefixlen, type(address)
    old, new = int(address), 0
    for place in range(bits):
        before = f"{bits}/{place}/{old >> (bits - place)}".encode()
        flip = blake2b(before, key=key, digest_size=1).digest()[0] & 1
        new = new << 1 | ((old >> (bits - place - 1) & 1) ^ flip)
    return str(family(new))


def rename_addresses(frame: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """The same sessions with other addresses."""
    names = {text: rename_address(text, key) for text in frame["ip"].unique()}
    return frame.assign(ip=frame["ip"].map(names))


def rename_ids(values: Iterable[str], key: bytes) -> dict[str, str]:
    """Other names for ids, in an order that has nothing to do with the old one."""
    return {
        text: blake2b(text.encode(), key=key, digest_size=6).hexdigest()
        for text in set(values)
        if isinstance(text, str)
    }
