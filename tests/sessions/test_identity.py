"""Ids as hashes: equal for equal ids, missing where validation says so, told at least once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from household_ml.sessions.columns import encode
from household_ml.sessions.identity import find_first_seen, hash_ids, seen_table

IDS = st.lists(st.one_of(st.none(), st.text(max_size=20)), min_size=1, max_size=40)


@given(ids=IDS)
def test_ids_have_equal_hashes_just_when_they_are_equal_and_are_missing_when_blank(
    ids: list[str | None],
) -> None:
    column = pa.chunked_array([ids[:3], ids[3:]], pa.string())
    hashes, missing = hash_ids(column, seed=3)
    expected = encode(column.cast(pa.large_string())).codes
    assert (missing == (expected < 0)).all()
    present = np.flatnonzero(~missing)
    same_code = expected[present][:, None] == expected[present]
    same_hash = hashes[present][:, None] == hashes[present]
    assert (same_code == same_hash).all()


def test_one_device_id_is_another_device_in_another_account_and_under_another_seed() -> None:
    ids = pa.array(["tv", "tv"])
    owner = np.array([1, 2], np.uint64)
    own, _ = hash_ids(ids, 3, owner)
    again, _ = hash_ids(ids, 3, owner)
    other, _ = hash_ids(ids, 4, owner)
    assert own[0] != own[1]
    assert (own == again).all()
    assert (own != other).all()


def test_hashes_of_counters_do_not_fall_together_and_use_all_bits() -> None:
    hashes, _ = hash_ids(pa.array([f"user-{i}" for i in range(100_000)]), seed=0)
    assert len(np.unique(hashes)) == 100_000
    assert len(np.unique(hashes >> np.uint64(48))) > 50_000
    bits = (hashes[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.01


@pytest.mark.parametrize("remembered", [2, 16, 1 << 16])
def test_every_id_is_marked_the_first_time_and_mostly_not_again(remembered: int) -> None:
    ids = np.random.default_rng(1).integers(1, 2_000, 20_000).astype(np.uint64)
    hashes = ids * np.uint64(0x9E37_79B9_7F4A_7C15)
    first = np.empty(len(ids), np.bool_)
    count = find_first_seen(hashes, np.zeros(0, np.bool_), np.zeros(remembered, np.uint64), first)
    assert set(hashes[first]) == set(hashes)
    assert count == first.sum()
    if remembered > 10_000:
        assert count < 2_200


def test_rows_that_are_passed_over_mark_nothing() -> None:
    hashes = np.array([5, 5, 7], np.uint64) << np.uint64(50)
    first = np.empty(3, np.bool_)
    find_first_seen(hashes, np.array([True, False, True]), seen_table(3), first)
    assert first.tolist() == [False, True, False]
