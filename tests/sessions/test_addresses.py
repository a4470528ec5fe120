"""Addresses: what parses, what each one is, and back to text; the oracle is `ipaddress`."""

from __future__ import annotations

import ipaddress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from household_ml.sessions.addresses import (
    BOGUS,
    CARRIER_NAT,
    DOCUMENTATION,
    INVALID,
    NULL,
    PRIVATE,
    VALID_PUBLIC,
    format_addresses,
    is_ipv4,
    parse_addresses,
)

MAPPED = 0xFFFF_0000_0000


def oracle(text: str) -> int | None:
    """128-bit value, or None when the text is no address."""
    if "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return MAPPED | int(address) if address.version == 4 else int(address)


def parsed(text: str) -> int | None:
    found = parse_addresses(pa.array([text]))
    if found.kind[0] == INVALID:
        return None
    return int(found.hi[0]) << 64 | int(found.lo[0])


def sparse(groups: list[int]) -> ipaddress.IPv6Address:
    """Addresses with runs of zeros, which is where ``::`` goes."""
    return ipaddress.IPv6Address(sum(group << 16 * i for i, group in enumerate(groups)))


GROUP = st.sampled_from([0, 0, 0, 1, 0xFFFF]) | st.integers(0, 0xFFFF)
IPV4 = st.ip_addresses(v=4)
IPV6 = st.lists(GROUP, min_size=8, max_size=8).map(sparse)
TEXT = st.one_of(
    IPV4.map(str),
    IPV6.map(str),
    IPV6.map(lambda address: address.exploded.upper()),
    st.tuples(IPV6, IPV4).map(lambda both: f"{both[0]}".rsplit(":", 1)[0] + f":{both[1]}"),
    st.text(alphabet="0123456789abcdefABCDEF:.%", max_size=45),
)


@given(TEXT)
@example("")
@example("::")
@example("1::")
@example("::1.2.3.4")
@example("1:2:3:4:5:6:1.2.3.4")
@example("1:2:3:4:5:6:7::")
@example("1:2:3:4:5:6:7:8::")
@example("1.2.3.4::")
@example(":::")
@example("1::2::3")
@example("12345::")
def test_text_means_what_the_standard_library_says(text: str) -> None:
    assert parsed(text) == oracle(text)


@given(TEXT, st.integers(0, 44), st.sampled_from("0:.fg1 "))
def test_damaged_text_is_refused_as_by_the_standard_library(text: str, at: int, mark: str) -> None:
    damaged = text[:at] + mark + text[at:]
    assert parsed(damaged) == oracle(damaged)


@given(st.lists(st.one_of(IPV4, IPV6), max_size=20))
def test_written_addresses_are_those_of_the_standard_library(addresses: list[object]) -> None:
    found = parse_addresses(pa.array(list(map(str, addresses)), pa.string()))
    assert format_addresses(found.hi, found.lo).to_pylist() == [
        str(address.ipv4_mapped or address)
        if isinstance(address, ipaddress.IPv6Address)
        else str(address)
        for address in addresses
    ]


def test_a_mapped_address_is_the_ipv4_address() -> None:
    found = parse_addresses(pa.array(["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:C000:201"]))
    assert len(set(found.lo.tolist())) == 1
    assert not found.hi.any()
    assert is_ipv4(found.hi, found.lo).all()
    assert not is_ipv4(*parse_addresses(pa.array(["2001:db8::1"]))[:2]).any()


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (
            VALID_PUBLIC,
            "8.8.8.8 100.63.255.255 100.128.0.0 172.32.0.1 2a01:cb00::1 64:ff9b::808:808",
        ),
        (PRIVATE, "10.0.0.1 172.16.0.1 172.31.255.255 192.168.9.9 fd00::1 ::ffff:10.0.0.1"),
        (CARRIER_NAT, "100.64.0.0 100.127.255.255 ::ffff:100.64.0.1"),
        (DOCUMENTATION, "192.0.2.1 198.51.100.1 203.0.113.255 2001:db8::1 3fff:fff::1"),
        (BOGUS, "0.0.0.0 127.0.0.1 169.254.1.1 224.0.0.1 240.0.0.1 255.255.255.255 198.18.0.1"),
        (BOGUS, ":: ::1 fe80::1 ff02::1 100::1 ::1.2.3.4 4000::1 e000::"),
        (
            INVALID,
            "256.1.1.1 01.2.3.4 1.2.3 1.2.3.4.5 fe80::1%eth0 [::1] 1.2.3.4:80 null \u0661.2.3.4",
        ),
    ],
)
def test_each_kind(kind: int, texts: str) -> None:
    found = parse_addresses(pa.array(texts.split()))
    assert dict(zip(texts.split(), found.kind.tolist(), strict=True)) == dict.fromkeys(
        texts.split(), kind
    )


def test_surrounding_blanks_make_an_address_invalid() -> None:
    assert parse_addresses(pa.array([" 1.2.3.4", "1.2.3.4\n"])).kind.tolist() == [INVALID] * 2


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_every_arrow_layout_of_text_reads_alike(kind: pa.DataType) -> None:
    texts = [None, "1.1.1.1", "2001:4860::8", None, "9.9.9.9", "no", None, "8.8.8.8"]
    public, ip = VALID_PUBLIC, ipaddress.IPv4Address
    whole = pa.array(texts, kind)
    layouts = {
        "slice": whole[1:],
        "chunks": pa.chunked_array([whole[1:2], whole[2:6], whole[6:6], whole[6:]]),
        "dictionary": pa.chunked_array([pa.array(texts, pa.string()).dictionary_encode()[1:]]),
    }
    for name, layout in layouts.items():
        found = parse_addresses(layout)
        assert found.kind.tolist() == [public, public, NULL, public, INVALID, NULL, public], name
        assert found.lo[[3, 6]].tolist() == [
            MAPPED | int(ip("9.9.9.9")),
            MAPPED | int(ip("8.8.8.8")),
        ]


def test_no_values_are_no_addresses() -> None:
    for empty in (pa.array([], pa.string()), pa.chunked_array([], pa.large_string())):
        assert len(parse_addresses(empty).kind) == 0
    none = np.zeros(0, np.uint64)
    assert format_addresses(none, none).to_pylist() == []
    assert parse_addresses(pa.array([None, None], pa.string())).kind.tolist() == [NULL, NULL]
