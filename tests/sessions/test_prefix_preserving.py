"""Addresses are encrypted as the published scheme says, and prefixes stay prefixes."""

from __future__ import annotations

import ipaddress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from household_ml.errors import ParameterError
from household_ml.sessions.addresses import format_addresses, parse_addresses
from household_ml.sessions.prefix_preserving import PrefixPreserving

BASIC = "0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301"
PREFIXES = "2b7e151628aed2a6abf7158809cf4f3ca9f5ba40db214c3798f2e1c23456789a"

#: Appendix A.2 of draft-denis-ipcrypt: key, address, encrypted address.
PUBLISHED = [
    (BASIC, "0.0.0.0", "151.82.155.134"),
    (BASIC, "255.255.255.255", "94.185.169.89"),
    (BASIC, "192.0.2.1", "100.115.72.131"),
    (BASIC, "2001:db8::1", "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88"),
    (PREFIXES, "10.0.0.47", "19.214.210.244"),
    (PREFIXES, "10.0.0.129", "19.214.210.80"),
    (PREFIXES, "10.0.0.234", "19.214.210.30"),
    (PREFIXES, "172.16.5.193", "210.78.229.136"),
    (PREFIXES, "172.16.97.42", "210.78.179.241"),
    (PREFIXES, "172.16.248.177", "210.78.121.215"),
    (PREFIXES, "2001:db8::a5c9:4e2f:bb91:5a7d", "7cec:702c:1243:f70:1956:125:b9bd:1aba"),
    (PREFIXES, "2001:db8::7234:d8f1:3c6e:9a52", "7cec:702c:1243:f70:a3ef:c8e:95c1:cd0d"),
    (PREFIXES, "2001:db8::f1e0:937b:26d4:8c1a", "7cec:702c:1243:f70:443c:c8e:6a62:b64d"),
    (PREFIXES, "2001:db8:3a5c:0:e7d1:4b9f:2c8a:f673", "7cec:702c:3503:bef:e616:96bd:be33:a9b9"),
    (PREFIXES, "2001:db8:9f27:0:b4e2:7a3d:5f91:c8e6", "7cec:702c:a504:b74e:194a:3d90:b047:2d1a"),
    (PREFIXES, "2001:db8:d8b4:0:193c:a5e7:8b2f:46d1", "7cec:702c:f840:aa67:1b8:e84f:ac9d:77fb"),
]

keys = st.binary(min_size=32, max_size=32).filter(lambda key: key[:16] != key[16:])
addresses = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)),
    st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6)),
)


def encrypted(texts: list[str], key: bytes) -> list[str]:
    given_ = parse_addresses(pa.array(texts))
    return format_addresses(*PrefixPreserving(key).encrypt(given_.hi, given_.lo)).to_pylist()


def flip(before: int, place: int, key: bytes) -> int:
    """The bit of the scheme, by another hand's AES."""
    ciphers = pytest.importorskip("cryptography.hazmat.primitives.ciphers")
    block = (1 << place | before).to_bytes(16, "big")
    last = [
        ciphers.Cipher(ciphers.algorithms.AES(half), ciphers.modes.ECB()).encryptor().update(block)
        for half in (key[:16], key[16:])
    ]
    return (last[0][15] ^ last[1][15]) & 1


@pytest.mark.parametrize(("key", "address", "expected"), PUBLISHED)
def test_published_vectors(key: str, address: str, expected: str) -> None:
    assert encrypted([address], bytes.fromhex(key)) == [expected]


def test_published_vectors_together_in_any_order_and_repeated() -> None:
    vectors = [vector[1:] for vector in PUBLISHED if vector[0] == PREFIXES] * 2
    given_, expected = zip(*vectors[::-1], strict=True)

    assert encrypted(list(given_), bytes.fromhex(PREFIXES)) == list(expected)


@given(st.ip_addresses(v=6), keys)
def test_another_implementation_of_aes_gives_the_same(
    address: ipaddress.IPv6Address, key: bytes
) -> None:
    old, new = int(address), 0
    for place in range(128):
        before = old >> (128 - place)
        new = new << 1 | (old >> (127 - place) & 1) ^ flip(before, place, key)

    assert encrypted([str(address)], key) == [str(ipaddress.IPv6Address(new))]


@given(addresses, st.integers(0, 128), keys)
def test_as_many_leading_bits_are_shared_as_before(
    pair: tuple[ipaddress.IPv4Address, ipaddress.IPv4Address], shared: int, key: bytes
) -> None:
    bits = pair[0].max_prefixlen
    keep = min(shared, bits)
    one = int(pair[0])
    other = one >> (bits - keep) << (bits - keep) | int(pair[1]) & ((1 << (bits - keep)) - 1)
    texts = [str(type(pair[0])(number)) for number in (one, other)]
    new = [int(ipaddress.ip_address(text)) for text in encrypted(texts, key)]

    assert (new[0] ^ new[1]).bit_length() == (one ^ other).bit_length()


@given(st.lists(st.ip_addresses(), max_size=8), keys)
def test_decryption_gives_the_addresses_back(
    given_: list[ipaddress.IPv4Address | ipaddress.IPv6Address], key: bytes
) -> None:
    parsed = parse_addresses(pa.array([str(address) for address in given_], pa.string()))
    scheme = PrefixPreserving(key)
    hi, lo = scheme.decrypt(*scheme.encrypt(parsed.hi, parsed.lo))

    np.testing.assert_array_equal(hi, parsed.hi)
    np.testing.assert_array_equal(lo, parsed.lo)


@pytest.mark.parametrize("key", [b"", b"k" * 31, b"k" * 32, b"k" * 33])
def test_a_weak_key_is_refused(key: bytes) -> None:
    with pytest.raises(ParameterError, match=r"32 bytes whose halves differ, got \d+ bytes"):
        PrefixPreserving(key)


def test_the_key_is_in_no_representation() -> None:
    assert PREFIXES[:8] not in repr(PrefixPreserving(bytes.fromhex(PREFIXES)))
