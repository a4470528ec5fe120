"""Search in ranges, against a scan of them all."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from household_ml.networks.ranges import Ranges, find_asn, lay_out, range_ends

Listed = list[tuple[int, int, int]]

NOTHING = {
    bits: lay_out(*(np.zeros(0, np.uint64),) * 2, np.zeros(0, np.uint32), bits=bits)
    for bits in (32, 64)
}


def listed(bits: int) -> st.SearchStrategy[Listed]:
    """Ranges, many of them close together, touching, at the ends of all numbers or of a /16."""
    top = 2**bits - 1
    anchor = st.sampled_from([0, top, 1 << (bits - 16), (1 << (bits - 16)) - 1, top // 3])
    number = st.builds(
        lambda at, step: min(max(at + step, 0), top), anchor, st.integers(-40, 40)
    ) | st.integers(0, top)
    one = st.tuples(number, number, st.integers(0, 3))
    return st.lists(one.map(lambda r: (min(r[:2]), max(r[:2]), r[2])), max_size=12)


def table_of(ranges: Listed, bits: int) -> Ranges:
    numbers = np.array(ranges, np.uint64).reshape(-1, 3)
    return lay_out(numbers[:, 0], numbers[:, 1], numbers[:, 2].astype(np.uint32), bits=bits)


def by_scan(ranges: Listed, number: int) -> int:
    """AS of the range that starts first, of two that start together of the shorter one."""
    holding = [(start, end, asn) for start, end, asn in ranges if asn and start <= number <= end]
    return min(holding, default=(0, 0, 0))[2]


def probes(ranges: Listed, bits: int) -> list[int]:
    ends = [end + step for start, last, _ in ranges for end in (start, last) for step in (-1, 0, 1)]
    return [number for number in [0, 2**bits - 1, *ends] if 0 <= number < 2**bits]


def find(ranges: Listed, numbers: list[int], bits: int) -> list[int]:
    number = np.array(numbers, np.uint64)
    if bits == 32:
        mapped = number | np.uint64(0xFFFF << 32)
        return find_asn(number * 0, mapped, table_of(ranges, 32), NOTHING[64]).tolist()
    # a lower half that would be IPv4 under an upper half of 0 must not be taken for it
    low = np.full(number.size, 0xFFFE << 32, np.uint64)
    return find_asn(number, low, NOTHING[32], table_of(ranges, 64)).tolist()


@given(listed(32))
def test_ipv4_is_found_as_by_a_scan_at_and_beside_every_end(ranges: Listed) -> None:
    numbers = probes(ranges, 32)
    assert find(ranges, numbers, 32) == [by_scan(ranges, number) for number in numbers]


@given(listed(64))
def test_ipv6_is_found_as_by_a_scan_at_and_beside_every_end(ranges: Listed) -> None:
    numbers = probes(ranges, 64)
    assert find(ranges, numbers, 64) == [by_scan(ranges, number) for number in numbers]


@given(listed(32))
def test_a_table_covers_all_numbers_without_a_hole(ranges: Listed) -> None:
    table = table_of(ranges, 32)
    assert table.start[0] == 0
    assert (table.start[1:] == range_ends(table)[:-1] + 1).all()
    assert (table.asn[1:] != table.asn[:-1]).all()


def test_what_is_in_no_range_is_unknown() -> None:
    assert find([], [0, 1, 2**32 - 1], 32) == [0, 0, 0]
    assert find([(10, 19, 64500), (30, 39, 64501)], [9, 10, 19, 20, 29, 30, 39, 40], 32) == [
        0,
        64500,
        64500,
        0,
        0,
        64501,
        64501,
        0,
    ]
