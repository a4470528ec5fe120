"""Statistics counted partition by partition are those counted at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from household_ml.networks import NetworkStatistics, enrich
from household_ml.networks.exchange import (
    add_range,
    choose_ranges,
    local_statistics,
    save_entries,
    save_systems,
)
from household_ml.sessions import Sessions, read_sessions
from household_ml.sessions.arrays import ArraysFile
from tests.networks.test_statistics import some_rows

NAMES = (
    "accounts",
    "devices",
    "sessions",
    "fixed_sessions",
    "phone_sessions",
    "networks",
    "tenure_days",
    "span_days",
)


def exchanged(
    parts: list[Sessions], folder: Path, entries: int
) -> tuple[list[NetworkStatistics], int]:
    """Statistics as each part gets them, and over how many ranges of networks."""
    for number, part in enumerate(parts):
        save_entries(folder / f"entries{number}", part, enrich(part).asn)
    files = [ArraysFile(folder / f"entries{number}") for number in range(len(parts))]
    cuts = choose_ranges(files, entries)
    for number in range(len(cuts) + 1):
        add_range(folder / f"range{number}", files, cuts, number)
    ranges = [ArraysFile(folder / f"range{number}") for number in range(len(cuts) + 1)]
    save_systems(folder / "systems", files, ranges)
    systems = ArraysFile(folder / "systems")
    return [
        local_statistics(number, file, ranges, systems) for number, file in enumerate(files)
    ], len(ranges)


@pytest.mark.parametrize("entries", [5, 40, 10**6])
def test_each_session_finds_what_counting_at_once_finds(
    tmp_path: Path, rng: np.random.Generator, entries: int
) -> None:
    whole = read_sessions(some_rows(rng))
    expected = enrich(whole)
    groups = np.array_split(np.arange(whole.n_accounts), 4)
    parts = [whole.take_accounts(group) for group in groups]
    found, ranges = exchanged(parts, tmp_path, entries)
    assert (ranges > 1) == (entries < 10**6)
    for name in NAMES:
        got = [
            getattr(enrich(part, statistics=own).counts, name)
            for part, own in zip(parts, found, strict=True)
        ]
        assert np.array_equal(np.concatenate(got), getattr(expected.counts, name)), name
    assert {own.sessions for own in found} == {expected.statistics.sessions}
    assert {own.accounts for own in found} == {expected.statistics.accounts}


def test_one_partition_gets_the_very_statistics_of_counting_at_once(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    whole = read_sessions(some_rows(rng, 80))
    (found,), _ = exchanged([whole], tmp_path, 10**6)
    assert found.digest == enrich(whole).statistics.digest
