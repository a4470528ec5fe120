"""Sessions with what is known of their networks."""

from __future__ import annotations

from datetime import date
from ipaddress import IPv4Address

import numpy as np
import pandas as pd
import pytest

from household_ml.networks import (
    EnrichedSessions,
    NetworkStatistics,
    NetworkTable,
    connection_type_of,
    enrich,
    operator_of,
)
from household_ml.networks.ladder import AS_LEVEL
from household_ml.networks.sources import RawTable
from household_ml.schema import CONNECTION_TYPES, NO_AS
from household_ml.sessions import read_sessions


def sessions_of(rows: list[dict[str, object]]) -> EnrichedSessions:
    return enrich(read_sessions(table_of(rows)))


def table_of(rows: list[dict[str, object]]) -> pd.DataFrame:
    start = pd.Timestamp("2026-03-01T20:00", tz="UTC")
    base = {"account_id": "a", "device_id": "tv", "ip": "82.64.0.1", "asn": None}
    table = pd.DataFrame([base | row for row in rows])
    table["started_at"] = start + pd.to_timedelta(np.arange(len(table)), unit="h")
    return table.assign(asn=table["asn"].astype("Int64"))


def test_a_missing_as_is_looked_up_and_a_given_one_is_taken() -> None:
    enriched = sessions_of([{}, {"asn": 33491}, {"ip": "203.0.113.7"}, {"ip": "::ffff:8.8.8.8"}])
    assert enriched.asn.tolist() == [12322, 33491, 0, 15169]
    assert enriched.operator.tolist() == [12322, 7922, 0, 15169]
    types = [CONNECTION_TYPES[code] for code in enriched.connection]
    assert types == ["residential", "residential", "unknown", "hosting"]


def test_an_as_that_is_known_to_be_unknown_is_not_looked_up() -> None:
    enriched = sessions_of([{"asn": NO_AS}, {"asn": NO_AS, "ip": "10.0.0.1"}])
    assert enriched.asn.tolist() == [0, 0]
    assert enriched.counts.sessions[:, AS_LEVEL].tolist() == [0, 0]


def test_a_given_as_makes_a_private_address_usable() -> None:
    enriched = sessions_of([{"ip": "10.0.0.1", "asn": 3215}, {"ip": "10.0.0.2", "asn": 3215}])
    assert enriched.asn.tolist() == [3215, 3215]
    assert enriched.counts.sessions.tolist() == [[1, 2, 2, 2], [1, 2, 2, 2]]


def test_columns_have_the_types_and_shapes_that_are_agreed() -> None:
    enriched = sessions_of([{}, {"ip": "8.8.8.8"}])
    assert [enriched.asn.dtype, enriched.operator.dtype] == [np.uint32, np.uint32]
    assert enriched.connection.dtype == np.int8
    assert enriched.counts.accounts.shape == (len(enriched), 4)
    assert enriched.counts.tenure_days.dtype == np.float32
    assert (operator_of(enriched.asn) == enriched.operator).all()
    assert (connection_type_of(enriched.asn) == enriched.connection).all()


def test_given_statistics_are_used_and_not_changed_by_the_sessions() -> None:
    others = read_sessions(table_of([{"account_id": f"b{k}"} for k in range(5)]))
    snapshot = NetworkStatistics.build(others, np.full(5, 12322, np.uint32))
    enriched = enrich(read_sessions(table_of([{}])), statistics=snapshot)
    assert enriched.statistics is snapshot
    assert enriched.counts.accounts.tolist() == [[5, 5, 5, 5]]


def test_another_table_may_be_given() -> None:
    table = _table("82.64.0.0", "82.64.255.255", 64500, "SOME-UNIVERSITY")
    enriched = enrich(read_sessions(table_of([{}])), table=table)
    assert enriched.asn.tolist() == [64500]
    assert CONNECTION_TYPES[enriched.connection[0]] == "school"


def _table(start: str, end: str, asn: int, name: str) -> NetworkTable:
    ends = [np.array([int(IPv4Address(text))], np.uint64) for text in (start, end)]
    systems = np.array([asn], np.uint32)
    nothing = np.zeros(0, np.uint64)
    return NetworkTable.from_raw(
        RawTable(
            v4=(*ends, systems),
            v6=(nothing, nothing, np.zeros(0, np.uint32)),
            named=systems,
            names=[name],
            dated=date(2026, 3, 1),
            source="a test",
        )
    )


@pytest.mark.parametrize(
    ("accounts", "device_type", "asn", "kind"),
    [
        (30, "phone", 64500, "cellular"),
        (29, "phone", 64500, "unknown"),
        (30, "tv", 64500, "unknown"),
        (30, "phone", 3215, "residential"),
    ],
)
def test_an_as_of_phones_alone_is_cellular_where_its_name_tells_nothing(
    accounts: int, device_type: str, asn: int, kind: str
) -> None:
    rows = [
        {"account_id": f"a{k}", "device_type": device_type, "asn": asn} for k in range(accounts)
    ]
    enriched = sessions_of(rows)
    assert {CONNECTION_TYPES[code] for code in enriched.connection} == {kind}
