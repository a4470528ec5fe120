"""Every row is used, or rejected for the first reason that holds."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from household_ml.errors import NoSessionsError
from household_ml.sessions import Sessions, read_sessions
from household_ml.sessions.validation import REASONS
from tests.sessions.histories import NOW, frame

DAY_LATER, LATER = "2026-03-11T12:00:00Z", "2026-03-11T12:00:00.000001Z"


def read(table: Any) -> Sessions:
    return read_sessions(table, now=NOW)


def reasons(*changes: dict[str, Any]) -> list[str | None]:
    """Reason of each row, null for those used; a good row stands before them."""
    sessions = read(frame({}, *changes))
    rejected = sessions.reading.rejected
    found = dict(zip(rejected["row"].to_pylist(), rejected["reason"].to_pylist(), strict=True))
    assert len(sessions) + len(rejected) == sessions.reading.rows_in == 1 + len(changes)
    return [found.get(row) for row in range(2, 2 + len(changes))]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"account_id": None}, "account_id_missing"),
        ({"account_id": ""}, "account_id_missing"),
        ({"account_id": "  "}, "account_id_missing"),
        ({"device_id": None}, "device_id_missing"),
        ({"started_at": None}, "started_at_missing"),
        ({"started_at": ""}, "started_at_missing"),
        ({"started_at": "01/03/2026 20:00"}, "started_at_invalid"),
        ({"started_at": "2026-03-01"}, "started_at_invalid"),
        ({"started_at": "1970-01-01T00:00:01Z"}, "started_at_before_1990"),
        ({"started_at": "1989-12-31T23:59:59Z"}, "started_at_before_1990"),
        ({"started_at": "1990-01-01T00:00:00Z"}, None),
        ({"started_at": DAY_LATER}, None),
        ({"started_at": LATER}, "started_at_in_future"),
        ({"ip": None}, "ip_missing"),
        ({"ip": ""}, "ip_missing"),
        ({"ip": "90.1.2.300"}, "ip_invalid"),
        ({"ip": "fe80::1%eth0"}, "ip_invalid"),
        ({"ip": "192.168.1.7"}, "ip_private"),
        ({"ip": "fd00::7"}, "ip_private"),
        ({"ip": "::ffff:10.0.0.1"}, "ip_private"),
        ({"ip": "127.0.0.1"}, "ip_bogus"),
        ({"ip": "ff02::1"}, "ip_bogus"),
        ({"ip": "100.64.1.1"}, None),
        ({"ip": "203.0.113.9"}, None),
        ({"ip": "2001:db8::1"}, None),
        ({"started_at": "2026-03-01T20:00:00Z"}, "duplicate"),
    ],
)
def test_reason_of_a_row(change: dict[str, Any], reason: str | None) -> None:
    assert reasons(change) == [reason]


@pytest.mark.parametrize("ip", ["192.168.1.7", "127.0.0.1", "fd00::7", "240.0.0.1"])
def test_an_as_makes_a_special_address_an_opaque_name(ip: str) -> None:
    assert reasons({"ip": ip, "asn": 3215}, {"ip": ip, "asn": 0}) == [
        None,
        "ip_private" if ip[:2] in ("19", "fd") else "ip_bogus",
    ]


def test_an_as_does_not_make_text_an_address() -> None:
    assert reasons({"ip": "home", "asn": 3215}) == ["ip_invalid"]


def test_the_first_reason_is_told() -> None:
    assert reasons({"account_id": None, "ip": "?"}, {"started_at": "?", "ip": "?"}) == [
        "account_id_missing",
        "started_at_invalid",
    ]


def test_the_offending_value_and_its_row_are_told() -> None:
    rejected = read(frame({}, {"ip": "?"}, {"started_at": "soon"}, {"ip": None})).reading.rejected
    assert rejected.to_pylist() == [
        {"source": "DataFrame", "row": 2, "reason": "ip_invalid", "value": "?"},
        {"source": "DataFrame", "row": 3, "reason": "started_at_invalid", "value": "soon"},
        {"source": "DataFrame", "row": 4, "reason": "ip_missing", "value": None},
    ]


def test_rows_equal_in_all_columns_of_the_contract_are_kept_once() -> None:
    same = {"started_at": "2026-03-01T21:00:00+01:00", "ip": "::ffff:90.1.2.3", "title": "other"}
    with pytest.warns(UserWarning, match="'title'"):
        sessions = read(frame({"title": "one"}, {"title": "two"}, same))
    assert sessions.reading.rejected.to_pylist() == [
        {"source": "DataFrame", "row": 3, "reason": "duplicate", "value": "row 1 of DataFrame"}
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"ip": "90.1.2.4"},
        {"device_id": "tv2"},
        {"account_id": "b"},
        {"profile_id": "p"},
        {"duration_s": 1.0},
        {"asn": 1},
        {"country": "FR"},
        {"device_type": "tv"},
        {"utc_offset_min": 60},
        {"started_at": "2026-03-01T20:00:00.000001Z"},
    ],
)
def test_rows_that_differ_in_one_column_are_both_kept(change: dict[str, Any]) -> None:
    start = {"started_at": "2026-03-01T20:00:00Z"}
    assert len(read(frame(start, start | change))) == 2


def test_values_set_to_null_are_noted_with_the_first_place() -> None:
    sessions = read(frame({"duration_s": 1.0}, {"duration_s": -5.0}, {"duration_s": -6.0}))
    assert sessions.reading.notes == (
        "duration_s must be seconds, 0 or more: 2 values set to null, "
        "first '-5' in row 2 of DataFrame",
    )
    assert len(sessions) == 3


def test_no_usable_row_is_an_error_that_counts_reasons() -> None:
    with pytest.raises(
        NoSessionsError,
        match=r"must have at least one row that can be used, got 2 rows in, 0 used, 2 rejected "
        r"\(1 ip_invalid, 1 ip_missing\)",
    ):
        read(frame({"ip": "?"}, {"ip": None}))


def test_no_row_at_all_is_an_error() -> None:
    with pytest.raises(NoSessionsError, match="got 0 rows in, 0 used"):
        read(frame({}).iloc[:0])


def test_every_reason_says_what_was_wrong() -> None:
    assert all(meaning and not meaning.endswith(".") for meaning in REASONS.values())


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "account_id": st.sampled_from(["a", "b", "c", "", None]),
            "device_id": st.sampled_from(["tv", "phone", "Ω", None]),
            "started_at": st.sampled_from(
                ["2026-03-01T20:00Z", "2026-03-01T20:00:01", "2026-03-02 20:00", "?", None]
            ),
            "ip": st.sampled_from(
                ["90.1.2.3", "2a01::1", "::ffff:90.1.2.3", "10.0.0.1", "?", None]
            ),
            "duration_s": st.sampled_from([None, 0.0, 60.0, -1.0]),
            "asn": st.sampled_from([None, 3215]),
            "device_type": st.sampled_from([None, "tv", "phone", "toaster"]),
            "country": st.sampled_from([None, "FR", "US"]),
            "profile_id": st.sampled_from([None, "x", "y"]),
        }
    ),
    min_size=1,
    max_size=30,
)


@given(ROWS, st.randoms(use_true_random=False))
def test_rows_in_are_used_or_rejected_and_their_order_never_shows(
    rows: list[dict[str, Any]], random: Any
) -> None:
    good = frame({})
    table = pd.concat([good, pd.DataFrame(rows, dtype=object)], ignore_index=True)
    shuffled = table.sample(frac=1, random_state=random.randrange(2**32))
    first, second = read(table), read(shuffled)
    assert first.reading.rows_in == len(table) == len(first) + len(first.reading.rejected)
    assert first.reading.rejected_by_reason == second.reading.rejected_by_reason
    assert first.to_table().equals(second.to_table())
    assert first.account_id.equals(second.account_id)
    assert first.device_id.equals(second.device_id)


def test_integer_ids_are_text() -> None:
    table = pa.Table.from_pandas(frame({}, {})).set_column(0, "account_id", pa.array([-10, 2]))
    assert read(table).account_id.to_pylist() == ["-10", "2"]
