"""One account from Python objects: the answers of the batch, whatever is wrong with its rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from household_ml.errors import HouseholdError, NoSessionsError, ParameterError, SchemaError
from household_ml.networks import NetworkStatistics, enrich
from household_ml.schema import SESSIONS
from household_ml.scoring import HouseholdScorer
from household_ml.scoring.one_account import AccountAnswer
from household_ml.sessions import read_sessions
from household_ml.sessions.one_account import AccountSessions, account_table, read_account
from tests.properties.accounts import histories, make_sessions

Row = dict[str, Any]

seeds = st.integers(0, 2**32 - 1)

#: Values that a caller may send, plain and strange, for each column.
ODD: dict[str, Sequence[Any]] = {
    "device_id": ("tv", "", " ", None, "téléviseur", "télé\nviseur", "\u2003", 7, "A", "a" * 300),
    "started_at": (
        "2026-01-20T20:00:00Z",
        "2026-01-20 21:00:00.25+01:00",
        "2026-01-20",
        "",
        None,
        "yesterday",
        "1970-01-01T00:00:00Z",
        "2999-01-01T00:00:00Z",
        "2026-01-20T20:00:00Z\n",
        datetime(2026, 1, 20, 20),
        datetime(2026, 1, 20, 20, tzinfo=UTC),
        datetime(2026, 1, 20, 22, 0, 0, 123_457, tzinfo=timezone(timedelta(hours=2))),
        datetime(1980, 1, 1, tzinfo=UTC),
    ),
    "ip": (
        "90.1.2.3",
        "::ffff:90.1.2.3",
        "2a01:cb00:1:2::3",
        "",
        None,
        "90.1.2.300",
        " 90.1.2.3",
        "192.168.1.7",
        "127.0.0.1",
        "100.64.3.4",
        "0.0.0.0\n0.0.0.0",
        "\ud800",
    ),
    "duration_s": (
        None,
        0,
        -0.0,
        60,
        61.5,
        -1,
        float("inf"),
        float("nan"),
        1e300,
        True,
        "90",
        2**70,
    ),
    "asn": (None, 0, 3215, 2**32 - 1, 2**32, -1, 3215.0, "AS3215", True),
    "device_type": (None, "tv", " TV ", "phone", "smart fridge", "", 3),
    "country": (None, "FR", "fr", "US", "ZZ", "France", "", 33),
    "utc_offset_min": (None, 60, -300, 1080, 1081, 60.0, "60"),
    "profile_id": (None, "", "p0", " ", "\u00e9", "p1", 4),
}


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """Rows as a service parses them: Python's own values, None where there is none."""
    kept = frame.drop(columns="account_id").astype(object)
    plain = kept.where(kept.notna(), None).to_dict("records")
    for row in plain:
        if isinstance(row["started_at"], pd.Timestamp):
            row["started_at"] = row["started_at"].to_pydatetime()
    return plain


def as_text(rows: list[Row]) -> list[Row]:
    return [{**row, "started_at": row["started_at"].isoformat()} for row in rows]


def told(answer: AccountAnswer) -> list[Row]:
    return [device._asdict() | {"account_id": answer.account_id} for device in answer.devices]


def by_the_batch(scorer: HouseholdScorer, rows: list[Row], **options: Any) -> list[Row]:
    slots = options.pop("extra_members", 0)
    accounts = pd.DataFrame({"account_id": ["account"], "extra_members": [slots]})
    scores = scorer.score_table(
        read_sessions(account_table(rows), format="sessions"), accounts=accounts, **options
    )
    return scores.drop_columns(["as_of", "model"]).to_pylist()


def same(told: list[Row], expected: list[Row]) -> None:
    for one, other in zip(told, expected, strict=True):
        assert list(one["reasons"]) == other["reasons"]
        chance = pytest.approx(other["household_probability"], abs=1e-9)
        assert one == {**other, "reasons": one["reasons"], "household_probability": chance}


@given(history=histories, slots=st.integers(0, 2), seed=seeds)
def test_one_account_gets_the_answers_of_the_batch(
    scorer: HouseholdScorer, history: pd.DataFrame, slots: int, seed: int
) -> None:
    statistics = enrich(read_sessions(history)).statistics
    for _, rows in history.groupby("account_id"):
        plain = rows_of(rows.sample(frac=1, random_state=seed))
        columns = {name: [row[name] for row in plain] for name in plain[0]}
        expected = by_the_batch(scorer, plain, extra_members=slots, networks=statistics)
        for given_rows in (plain, as_text(plain), columns):
            answer = scorer.score_account(given_rows, extra_members=slots, networks=statistics)
            same(told(answer), expected)


@given(history=histories)
def test_without_a_snapshot_an_account_is_all_there_is_to_count(
    scorer: HouseholdScorer, history: pd.DataFrame
) -> None:
    alone = HouseholdScorer(scorer.model)
    for _, rows in history.groupby("account_id"):
        plain = as_text(rows_of(rows))
        same(told(alone.score_account(plain)), by_the_batch(alone, plain))


@given(history=histories, day=st.integers(-3, 230))
def test_an_earlier_or_later_moment(
    scorer: HouseholdScorer, history: pd.DataFrame, day: int
) -> None:
    moment = datetime(2026, 1, 5, 12, tzinfo=UTC) + timedelta(days=day)
    rows = rows_of(history[history["account_id"] == "account0"])
    expected = outcome(lambda: by_the_batch(scorer, rows, as_of=moment))
    answer = outcome(lambda: scorer.score_account(rows, as_of=moment))
    if isinstance(answer, AccountAnswer):
        same(told(answer), expected)
        assert answer.as_of == moment
    else:
        assert answer == expected


def read_the_long_way(rows: list[Row]) -> AccountSessions:
    return AccountSessions.of(read_sessions(account_table(rows), format="sessions"))


def outcome(ask: Callable[[], Any]) -> Any:
    """What comes of a call: what it gives, or the error that it raises."""
    with warnings.catch_warnings():
        # 1e300 seconds are no 32-bit number
        warnings.filterwarnings("ignore", "overflow encountered in cast", RuntimeWarning)
        try:
            return ask()
        except HouseholdError as error:
            return type(error), str(error)


def equal(one: Any, other: Any) -> None:
    if not isinstance(one, AccountSessions):
        assert one == other
        return
    for name, value, expected in zip(one._fields, one, other, strict=True):
        if isinstance(value, np.ndarray):
            assert value.dtype == expected.dtype, name
            np.testing.assert_array_equal(value, expected, err_msg=name)
        else:
            assert value == expected, name


def damaged(seed: int, columns: int) -> list[Row]:
    """An account some of whose values are odd, in as many columns."""
    rng = np.random.default_rng(seed)
    rows = rows_of(make_sessions(seed, 1))
    if rng.random() < 0.7:
        rows = as_text(rows)
    chosen = rng.choice(list(ODD), columns, replace=False)
    for name in chosen:
        share = rng.choice([0.05, 0.5])
        for row in rows:
            if rng.random() < share:
                row[name] = ODD[name][rng.integers(len(ODD[name]))]
    rows += [dict(rows[int(place)]) for place in rng.integers(0, len(rows), rng.integers(0, 3))]
    return rows


@given(seed=seeds, columns=st.integers(0, 4))
def test_rows_are_used_and_rejected_as_those_of_a_table(seed: int, columns: int) -> None:
    rows = damaged(seed, columns)
    found = outcome(lambda: read_account(rows))
    equal(found, outcome(lambda: read_the_long_way(rows)))
    if isinstance(found, AccountSessions):
        assert found.rows_in == len(found.started_at) + len(found.rejected)


@pytest.mark.parametrize("name", list(ODD))
def test_every_odd_value_is_taken_as_in_a_table(name: str) -> None:
    for value in ODD[name]:
        rows = as_text(rows_of(make_sessions(3, 1)))
        if isinstance(value, datetime):
            rows = rows_of(make_sessions(3, 1))
        rows[0][name] = value
        equal(outcome(lambda: read_account(rows)), outcome(lambda: read_the_long_way(rows)))  # noqa: B023


def test_what_a_row_does_not_name_is_none() -> None:
    rows = as_text(rows_of(make_sessions(4, 1)))
    sparse = [{name: value for name, value in row.items() if value is not None} for row in rows]
    assert any(sparse[0].keys() != row.keys() for row in sparse)
    equal(read_account(sparse), read_account(rows))


def test_names_beside_the_contract_are_not_looked_at() -> None:
    rows = as_text(rows_of(make_sessions(4, 1)))
    more = [{**row, "account_id": 7, "title": object()} for row in rows]
    equal(read_account(more), read_account(rows))


def test_many_devices_are_read_as_few_are() -> None:
    rows = as_text(rows_of(make_sessions(4, 1)))
    many = [{**row, "device_id": f"device {n}"} for row in rows for n in range(120)]
    equal(read_account(many), read_the_long_way(many))
    assert len(read_account(many).device_id) == 120


@pytest.mark.parametrize("account_id", ["", " ", "\ud800"])
def test_an_account_needs_a_name(account_id: str) -> None:
    rows = as_text(rows_of(make_sessions(4, 1)))
    with pytest.raises((NoSessionsError, SchemaError), match=r"account_id"):
        read_account(rows, account_id=account_id)


def test_no_rows_and_missing_columns_are_told() -> None:
    with pytest.raises(SchemaError, match="device_id"):
        read_account([])
    with pytest.raises(SchemaError, match=r"ip"):
        read_account({"device_id": ["tv"], "started_at": ["2026-01-20T20:00:00Z"]})
    with pytest.raises(SchemaError, match=r"of one length, got 1, 2"):
        read_account(
            {
                "device_id": ["tv"],
                "started_at": ["2026-01-20T20:00:00Z"] * 2,
                "ip": ["90.1.2.3"],
            }
        )


def test_what_is_wrong_is_told_together() -> None:
    rows = {name: [b"x", "y"] for name in SESSIONS.names[1:]}
    with pytest.raises(SchemaError) as caught:
        read_account(rows)
    assert len(caught.value.problems) == len(rows)


def test_slots_below_none_are_refused(scorer: HouseholdScorer) -> None:
    with pytest.raises(ParameterError, match=r"extra_members must be .* at least 0, got -1"):
        scorer.score_account(as_text(rows_of(make_sessions(4, 1))), extra_members=-1)


@pytest.mark.parametrize("snapshot", [False, True])
@given(history=histories)
def test_networks_of_one_account_are_those_of_many(history: pd.DataFrame, snapshot: bool) -> None:
    from household_ml.networks.one_account import AccountCounts, enrich_account

    frame = history if snapshot else history.drop(columns="asn")
    every = read_sessions(frame)
    statistics: NetworkStatistics | None = enrich(every).statistics if snapshot else None
    for account in range(every.n_accounts):
        one = every.take_accounts(np.array([account]))
        expected = enrich(one, statistics=statistics)
        found = enrich_account(one, statistics=statistics)
        for name in ("asn", "operator", "connection"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        for name in AccountCounts._fields:
            np.testing.assert_array_equal(
                getattr(found.counts, name), getattr(expected.counts, name), err_msg=name
            )
