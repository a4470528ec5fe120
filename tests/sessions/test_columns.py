"""Optional columns: a value that breaks its rule becomes null, and is counted."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from household_ml.sessions.columns import NO_OFFSET, convert, encode, type_problem

FR, US = 26 * 5 + 17, 26 * 20 + 18


@pytest.mark.parametrize(
    ("name", "found", "expected", "dropped"),
    [
        ("duration_s", pa.array([0, 90, None, -1]), [0, 90, np.nan, np.nan], [3]),
        ("duration_s", pa.array(["90.5", "", "inf", "x", None]), [90.5, *[np.nan] * 4], [2, 3]),
        ("duration_s", pa.array([1500, None], pa.duration("ms")), [1.5, np.nan], []),
        ("asn", pa.array([3215, 0, None, -1, 2**32]), [3215, 0, 0, 0, 0], [3, 4]),
        ("asn", pa.array([3215.0, 1.5, np.nan]), [3215, 0, 0], [1]),
        ("asn", pa.array(["AS3215", "as1", "Free", ""]), [3215, 1, 0, 0], [2]),
        ("device_type", pa.array(["tv", "Phone", "toaster", None, ""]), [0, 4, -1, -1, -1], [2]),
        ("country", pa.array(["FR", "us", "ZZ", "FRA", None]), [FR, US, -1, -1, -1], [3]),
        ("utc_offset_min", pa.array([60, -1080, 1081, None]), [60, -1080, *[NO_OFFSET] * 2], [2]),
    ],
)
def test_values_out_of_range_become_null(
    name: str, found: pa.Array, expected: list[float], dropped: list[int]
) -> None:
    converted = convert(name, pa.chunked_array([found]), len(found))
    np.testing.assert_array_equal(converted.values, np.array(expected, converted.values.dtype))
    assert converted.dropped.tolist() == dropped


@pytest.mark.parametrize("name", ["duration_s", "asn", "device_type", "country", "utc_offset_min"])
def test_a_column_that_is_not_there_is_null(name: str) -> None:
    absent = convert(name, None, 2).values
    nulls = convert(name, pa.chunked_array([pa.nulls(2)]), 2).values
    np.testing.assert_array_equal(absent, nulls)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("account_id", pa.float64(), "must be text or whole numbers, got double"),
        ("started_at", pa.int64(), "must be a timestamp or ISO 8601 text, got int64. Cast it to a"),
        ("started_at", pa.date32(), "must be a timestamp or ISO 8601 text, got date32"),
        ("ip", pa.binary(), "must be text, got binary"),
        ("duration_s", pa.bool_(), "must be a number of seconds, got bool"),
    ],
)
def test_types_that_cannot_be_read(name: str, kind: pa.DataType, message: str) -> None:
    assert message in str(type_problem(name, kind))


def test_ids_are_numbered_in_their_order_over_all_chunks() -> None:
    column = pa.chunked_array([["b", "é", None], ["a", "b", "", "  "]], pa.large_string())
    codes, values = encode(column)
    assert [None if code < 0 else values[code].as_py() for code in codes] == [
        *("b", "é", None, "a", "b", None, None)
    ]
    assert values.to_pylist() == sorted(values.to_pylist())
