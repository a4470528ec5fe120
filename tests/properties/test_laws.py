"""The laws of the contract, on random histories.

2. Row order, renaming of accounts and devices, and accounts scored beside others change nothing
   for an account, once the table of network statistics is fixed.
3. Nothing after ``as_of`` changes anything.
4. A prefix-preserving renaming of addresses (with ``asn`` given) changes nothing.
5. Rows in = rows used + rows rejected, by reason.

Each of the first three is asked of the features and of the scores.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from household_ml import HouseholdScorer, NetworkStatistics, build_features, read_sessions
from household_ml.networks import enrich
from household_ml.sessions.validation import REASONS
from household_ml.simulation import simulate
from tests.properties.accounts import DAYS, START, histories
from tests.properties.pseudonyms import rename_addresses, rename_ids

KEYS = ["account_id", "device_id"]
seeds = st.integers(0, 2**32 - 1)
keys = st.binary(min_size=8, max_size=8)
moments = st.integers(1, DAYS - 1).map(lambda day: START + pd.Timedelta(days=day, hours=12))


class Answer(Protocol):
    """What is told of each device of a history."""

    def __call__(
        self,
        frame: pd.DataFrame,
        statistics: NetworkStatistics | None = None,
        as_of: pd.Timestamp | None = None,
    ) -> pd.DataFrame: ...


def tell_features(
    frame: pd.DataFrame,
    statistics: NetworkStatistics | None = None,
    as_of: pd.Timestamp | None = None,
) -> pd.DataFrame:
    moment = None if as_of is None else as_of.value // 1000
    features = build_features(read_sessions(frame), statistics=statistics, as_of=moment)
    return features.to_frame().assign(last_home_at=features.last_home_at)


def tell_scores(
    frame: pd.DataFrame,
    statistics: NetworkStatistics | None = None,
    as_of: pd.Timestamp | None = None,
) -> pd.DataFrame:
    moment = None if as_of is None else as_of.to_pydatetime()
    return HouseholdScorer.load().score(frame, networks=statistics, as_of=moment)


both = pytest.mark.parametrize("tell", [tell_features, tell_scores])


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    """Equal for each device, whatever the order of the rows: numbers to 1e-9."""
    ordered = [frame.set_index(KEYS).sort_index() for frame in (left, right)]
    pd.testing.assert_frame_equal(*ordered, check_exact=False, rtol=1e-9, atol=1e-9)


def statistics_of(frame: pd.DataFrame) -> NetworkStatistics:
    return enrich(read_sessions(frame)).statistics


@both
@given(history=histories, seed=seeds)
def test_law_2_row_order(tell: Answer, history: pd.DataFrame, seed: int) -> None:
    shuffled = history.sample(frac=1, random_state=seed)

    same(tell(shuffled), tell(history))


@both
@given(history=histories, key=keys)
def test_law_2_names_of_accounts_and_devices(
    tell: Answer, history: pd.DataFrame, key: bytes
) -> None:
    names = {column: rename_ids(history[column], key) for column in (*KEYS, "profile_id")}
    renamed = history.assign(**{each: history[each].map(names[each]) for each in names})
    expected = tell(history)

    same(tell(renamed), expected.assign(**{each: expected[each].map(names[each]) for each in KEYS}))


@both
@given(history=histories)
def test_law_2_accounts_beside_others(tell: Answer, history: pd.DataFrame) -> None:
    statistics, as_of = statistics_of(history), history["started_at"].max()
    together = tell(history, statistics, as_of)
    alone = [tell(rows, statistics, as_of) for _, rows in history.groupby("account_id")]
    same(pd.concat(alone), together)


@both
@given(history=histories, as_of=moments)
def test_law_3_nothing_after_as_of(
    tell: Answer, history: pd.DataFrame, as_of: pd.Timestamp
) -> None:
    known = history[history["started_at"] <= as_of]
    if len(known):
        same(tell(history, None, as_of), tell(known, None, as_of))


@both
@given(history=histories, key=keys)
def test_law_4_addresses_are_names(tell: Answer, history: pd.DataFrame, key: bytes) -> None:
    renamed = rename_addresses(history, key)

    same(tell(renamed), tell(history))


@pytest.fixture(scope="module")
def lives() -> pd.DataFrame:
    """Longer than what is drawn: lines in several regions, moves, devices that follow each other."""
    world = simulate("fr", accounts=300, days=60, seed=51)
    known = read_sessions(world.sessions)
    return known.to_table().to_pandas().assign(asn=enrich(known).asn)


@pytest.mark.parametrize("key", [b"one", b"two"])
def test_laws_2_and_4_names_in_whole_lives(lives: pd.DataFrame, key: bytes) -> None:
    names = {column: rename_ids(lives[column], key) for column in (*KEYS, "profile_id")}
    renamed = lives.assign(**{each: lives[each].map(names[each]) for each in names})
    expected = tell_features(lives)

    same(tell_features(rename_addresses(lives, key)), expected)
    same(
        tell_features(renamed),
        expected.assign(**{each: expected[each].map(names[each]) for each in KEYS}),
    )


@given(history=histories, key=keys)
def test_network_statistics_know_no_order_and_no_names(
    history: pd.DataFrame, key: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    names = {column: rename_ids(history[column], key) for column in KEYS}
    renamed = history.assign(**{each: history[each].map(names[each]) for each in KEYS})
    folder = tmp_path_factory.mktemp("statistics")
    for name, frame in {"as_given": history, "renamed": renamed.iloc[::-1]}.items():
        statistics_of(frame).save(folder / name)
    tables = [pd.read_parquet(folder / name) for name in ("as_given", "renamed")]

    pd.testing.assert_frame_equal(*tables)


#: What may be wrong with a row: reason -> (column, value).
DAMAGE: dict[str, tuple[str, object]] = {
    "account_id_missing": ("account_id", None),
    "device_id_missing": ("device_id", " "),
    "started_at_missing": ("started_at", None),
    "started_at_invalid": ("started_at", "yesterday"),
    "started_at_before_1990": ("started_at", "1970-01-01T00:00:00Z"),
    "started_at_in_future": ("started_at", "2999-01-01T00:00:00Z"),
    "ip_missing": ("ip", None),
    "ip_invalid": ("ip", "90.1.2.300"),
    "ip_private": ("ip", "192.168.1.7"),
    "ip_bogus": ("ip", "127.0.0.1"),
}


def damage(history: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.Series]:
    """Some rows damaged, each in one way; and, by row, the reason or null."""
    rng = np.random.default_rng(seed)
    frame = history.assign(
        started_at=history["started_at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    ).astype(dict.fromkeys(("account_id", "device_id", "started_at", "ip"), object))
    frame["asn"] = frame["asn"].astype("Int64")
    reasons = pd.Series(None, index=frame.index, dtype=object)
    for row in np.flatnonzero(rng.random(len(frame)) < 0.3):
        reason = str(rng.choice(list(DAMAGE)))
        column, value = DAMAGE[reason]
        frame.loc[row, column] = value
        frame.loc[row, "asn"] = pd.NA
        reasons[row] = reason
    return frame, reasons


def as_frame(frame: pd.DataFrame, folder: Path) -> pd.DataFrame | Path:
    return frame


def as_csv(frame: pd.DataFrame, folder: Path) -> pd.DataFrame | Path:
    frame.to_csv(folder / "sessions.csv", index=False)
    return folder / "sessions.csv"


def as_parquet(frame: pd.DataFrame, folder: Path) -> pd.DataFrame | Path:
    frame.to_parquet(folder / "sessions.parquet")
    return folder / "sessions.parquet"


@pytest.mark.parametrize(("give", "first_row"), [(as_frame, 1), (as_csv, 2), (as_parquet, 1)])
@given(history=histories, seed=seeds)
def test_law_5_every_row_is_used_or_rejected(
    tmp_path_factory: pytest.TempPathFactory,
    give: Callable[[pd.DataFrame, Path], pd.DataFrame | Path],
    first_row: int,
    history: pd.DataFrame,
    seed: int,
) -> None:
    frame, reasons = damage(history, seed)
    folder = tmp_path_factory.mktemp("law5")
    out = folder / "rejected.parquet"
    sessions = read_sessions(give(frame, folder), rejected=out)
    written = pd.read_parquet(out)
    expected = reasons.dropna()

    assert sessions.reading.rows_in == len(frame) == len(sessions) + len(written)
    assert dict(zip(written["row"] - first_row, written["reason"], strict=True)) == dict(expected)
    assert sessions.reading.rejected_by_reason == expected.value_counts().to_dict()
    assert set(written["reason"]) <= set(REASONS)


@given(history=histories, seed=seeds)
def test_law_5_used_rows_are_those_that_were_given(history: pd.DataFrame, seed: int) -> None:
    frame, reasons = damage(history, seed)
    columns = ["account_id", "device_id", "started_at", "ip", "asn"]
    given_rows = history.loc[reasons.isna(), columns]
    used = read_sessions(frame).to_frame()[columns].astype(given_rows.dtypes.to_dict())

    pd.testing.assert_frame_equal(
        used.sort_values(columns, ignore_index=True),
        given_rows.sort_values(columns, ignore_index=True),
    )


@given(history=histories, seed=seeds)
def test_law_5_repeated_rows_are_rejected_once_each(history: pd.DataFrame, seed: int) -> None:
    again = history.sample(frac=0.5, random_state=seed)
    sessions = read_sessions(pd.concat([history, again]))

    assert len(sessions) == len(history)
    assert sessions.reading.rejected_by_reason == ({"duplicate": len(again)} if len(again) else {})
