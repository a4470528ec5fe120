"""The prefix ladder, against the standard library's `ipaddress`."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from household_ml.errors import ParameterError
from household_ml.networks.ladder import PREFIX_BITS, prefix, prefix_keys, prefixes

RESERVED = IPv6Network("0:ffff::/32")


def halves(address: IPv4Address | IPv6Address) -> tuple[np.uint64, np.uint64]:
    number = int(address)
    if isinstance(address, IPv4Address):
        number |= 0xFFFF << 32
    return np.uint64(number >> 64), np.uint64(number & (2**64 - 1))


def expected(address: IPv4Address | IPv6Address, level: int) -> tuple[np.uint64, np.uint64]:
    bits = PREFIX_BITS[level][address.version == 6]
    return halves(ip_network((address, bits), strict=False).network_address)


def columns(
    *addresses: IPv4Address | IPv6Address,
) -> tuple[np.ndarray, np.ndarray]:
    hi, lo = zip(*map(halves, addresses), strict=True)
    return np.array(hi, np.uint64), np.array(lo, np.uint64)


v4 = st.ip_addresses(v=4)
v6 = st.ip_addresses(v=6).filter(lambda one: one.ipv4_mapped is None and one not in RESERVED)
levels = st.sampled_from([0, 1, 2])


@given(v4 | v6, levels)
def test_a_prefix_is_that_of_the_standard_library(
    address: IPv4Address | IPv6Address, level: int
) -> None:
    assert prefix(*halves(address), level) == expected(address, level)
    hi, lo = prefixes(*columns(address), level)
    assert (hi[0], lo[0]) == expected(address, level)


@given(v4 | v6, v4 | v6, levels, st.integers(0, 40))
def test_keys_are_equal_when_the_prefixes_are(
    one: IPv4Address | IPv6Address, other: IPv4Address | IPv6Address, level: int, near: int
) -> None:
    close = type(one)(int(one) ^ (1 << near) if near < one.max_prefixlen else int(one))
    for second in (other, close):
        first_key, second_key = prefix_keys(*columns(one, second), level)
        assert (first_key == second_key) == (expected(one, level) == expected(second, level))


def test_the_as_is_no_prefix() -> None:
    hi, lo = columns(IPv4Address("203.0.113.1"))
    for ladder in (prefixes, prefix_keys):
        with pytest.raises(ParameterError, match=r"level must be 0 .* got 3\. Level 3 is the AS"):
            ladder(hi, lo, 3)
