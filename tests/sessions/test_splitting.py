"""Accounts over partitions: in the order of their ids, whatever the sample."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from household_ml.sessions.identity import hash_ids
from household_ml.sessions.splitting import (
    Splitters,
    choose_splitters,
    find_partitions,
    known_accounts,
)

IDS = st.lists(
    st.one_of(
        st.text(min_size=1, max_size=12),
        st.from_regex(r"account-0000000[0-9]{1,3}", fullmatch=True),
        st.from_regex(r"ab?c?\x00{0,2}", fullmatch=True),
    ),
    min_size=1,
    max_size=60,
)


def partitions(ids: list[str], splitters: Splitters) -> list[int]:
    column = pa.chunked_array([ids[:5], ids[5:]], pa.string())
    hashes, _ = hash_ids(column, seed=1)
    found, new = find_partitions(
        column, hashes, np.zeros(len(ids), np.bool_), splitters, known_accounts(len(ids))
    )
    assert len({each for each, first in zip(ids, new, strict=True) if first}) == len(set(ids))
    return [int(each) for each in found]


@given(ids=IDS, sample=IDS, count=st.integers(1, 12))
def test_an_id_lies_after_every_splitter_that_is_not_above_it(
    ids: list[str], sample: list[str], count: int
) -> None:
    splitters = choose_splitters(pa.array(sample), count)
    encoded = [each.encode() for each in splitters.ids]
    assert encoded == sorted(set(encoded))
    assert splitters.partitions <= count
    expected = [bisect_right(encoded, each.encode()) for each in ids]
    assert partitions(ids, splitters) == expected


def test_partitions_share_the_sample_about_evenly() -> None:
    ids = [f"{i:05d}" for i in np.random.default_rng(0).integers(0, 99_999, 5_000)]
    splitters = choose_splitters(pa.array(ids), 10)
    sizes = np.bincount(partitions(ids, splitters))
    assert len(sizes) == 10
    assert sizes.max() < 1.1 * sizes.mean()


def test_without_a_sample_there_is_one_partition() -> None:
    assert choose_splitters(pa.array([], pa.string()), 8).partitions == 1
    assert choose_splitters(pa.array(["same"] * 9), 8).partitions == 1
