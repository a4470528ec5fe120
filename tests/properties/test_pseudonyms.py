"""The renaming that the laws use is one."""

from __future__ import annotations

import ipaddress
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.pseudonyms import rename_address

addresses = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)),
    st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6)),
)


def common_bits(one: int, other: int, bits: int) -> int:
    return bits - (one ^ other).bit_length()


@given(addresses, st.integers(0, 128), st.binary(min_size=1, max_size=16))
def test_as_many_leading_bits_are_shared_as_before(
    pair: tuple[ipaddress.IPv4Address, ipaddress.IPv4Address], shared: int, key: bytes
) -> None:
    bits = pair[0].max_prefixlen
    keep = min(shared, bits)
    one = int(pair[0])
    other = one >> (bits - keep) << (bits - keep) | int(pair[1]) & ((1 << (bits - keep)) - 1)
    texts = [str(type(pair[0])(number)) for number in (one, other)]
    new = [int(ipaddress.ip_address(rename_address(text, key))) for text in texts]

    assert common_bits(*new, bits) == common_bits(one, other, bits)


@pytest.mark.parametrize("text", ["90.1.2.3", "2a01:cb00::1"])
def test_another_key_gives_another_name(text: str) -> None:
    assert rename_address(text, b"a") == rename_address(text, b"a")
    assert rename_address(text, b"a") != rename_address(text, b"b")
    assert len({rename_address(text, os.urandom(8)) for _ in range(4)}) > 1
