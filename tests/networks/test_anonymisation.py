"""Sessions with pseudonyms keep their rows, their joins and their networks."""

from __future__ import annotations

import ipaddress

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from household_ml.errors import ParameterError, SchemaError
from household_ml.networks import enrich
from household_ml.networks.anonymisation import (
    anonymise_sessions,
    pseudonymise_ids,
    truncate_addresses,
)
from household_ml.schema import NO_AS
from household_ml.sessions import read_sessions
from household_ml.sessions.addresses import format_addresses, parse_addresses
from household_ml.sessions.keys import Keys
from tests.properties.accounts import histories, make_sessions

KEYS = Keys.generate()


def without(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return frame.drop(columns=list(columns))


def test_everything_but_ids_addresses_and_unknown_systems_stays() -> None:
    sessions = read_sessions(make_sessions(5).assign(asn=None))
    given_, hidden = sessions.to_frame(), anonymise_sessions(sessions, KEYS).to_pandas()
    replaced = ("account_id", "device_id", "ip", "asn")

    pd.testing.assert_frame_equal(without(hidden, *replaced), without(given_, *replaced))
    for column in replaced[:3]:
        assert set(hidden[column]) & set(given_[column]) == set()
        assert hidden.groupby(column).ngroups == given_.groupby(column).ngroups


def test_the_systems_are_those_of_the_true_addresses() -> None:
    history = make_sessions(5).assign(asn=None)
    unknown = history.head(1).assign(ip="203.0.113.7", device_id="new")
    sessions = read_sessions(pd.concat([history, unknown]))
    hidden = anonymise_sessions(sessions, KEYS)["asn"].to_numpy()
    looked_up = enrich(sessions).asn

    assert (hidden == np.where(looked_up == 0, NO_AS, looked_up)).all()
    assert {NO_AS, 12322} < set(hidden.tolist())


@given(histories)
def test_what_is_known_of_networks_is_the_same(history: pd.DataFrame) -> None:
    sessions = read_sessions(history.assign(asn=None))
    hidden = enrich(read_sessions(anonymise_sessions(sessions, KEYS)))
    seen = [
        sorted(map(tuple, each.statistics.counts.tolist())) for each in (enrich(sessions), hidden)
    ]

    assert seen[0] == seen[1]
    assert len(hidden) == len(sessions)


def test_labels_join_with_anonymised_sessions() -> None:
    sessions = read_sessions(make_sessions(5))
    rows = sessions.to_table().select(["account_id", "device_id"]).to_pandas().drop_duplicates()
    labels = pa.Table.from_pandas(rows.assign(in_household=True), preserve_index=False)
    hidden = anonymise_sessions(sessions, KEYS).to_pandas()
    joined = hidden.merge(pseudonymise_ids(labels, KEYS).to_pandas(), validate="many_to_one")

    assert len(joined) == len(sessions)
    assert pseudonymise_ids(labels, KEYS)["in_household"] == labels["in_household"]


def test_ids_that_are_numbers_are_named_as_their_text() -> None:
    numbers, text = pa.table({"account_id": [7, 8]}), pa.table({"account_id": ["7", "8"]})
    assert pseudonymise_ids(numbers, KEYS).equals(pseudonymise_ids(text, KEYS))


def test_a_table_without_ids_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"one of the columns account_id.*, got the columns user"):
        pseudonymise_ids(pa.table({"user": ["a"]}), KEYS)
    with pytest.raises(SchemaError, match="column 'account_id' must be text or whole numbers"):
        pseudonymise_ids(pa.table({"account_id": [["a"]]}), KEYS)


@given(st.lists(st.ip_addresses(), min_size=1), st.integers(0, 32), st.integers(0, 128))
def test_truncation_keeps_the_first_bits(
    addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address], v4_bits: int, v6_bits: int
) -> None:
    parsed = parse_addresses(pa.array([str(address) for address in addresses]))
    cut = truncate_addresses(parsed.hi, parsed.lo, v4_bits=v4_bits, v6_bits=v6_bits)
    mapped = [getattr(address, "ipv4_mapped", None) or address for address in addresses]
    expected = [
        str(ipaddress.ip_network((int(each), v4_bits if each.version == 4 else v6_bits),
                                 strict=False).network_address)
        if each.version == 4
        else str(ipaddress.IPv6Network((int(each), v6_bits), strict=False).network_address)
        for each in mapped
    ]  # fmt: skip

    assert format_addresses(*cut).to_pylist() == expected


def test_truncation_to_impossible_lengths_is_refused() -> None:
    nothing = np.zeros(0, np.uint64)
    with pytest.raises(ParameterError, match="0 to 32 and v6_bits 0 to 128, got 33 and 48"):
        truncate_addresses(nothing, nothing, v4_bits=33)
