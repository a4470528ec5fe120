"""Operators and connection types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from household_ml.errors import NetworksError
from household_ml.networks import (
    NetworkTable,
    catalogue,
    connection_type_of,
    operator_name,
    operator_of,
    operators,
)
from household_ml.schema import CONNECTION_TYPES


def operators_of(*asns: int) -> list[int]:
    return operator_of(np.array(asns, np.uint32)).tolist()


def types_of(*asns: int) -> list[str]:
    return [CONNECTION_TYPES[code] for code in connection_type_of(np.array(asns, np.uint32))]


@pytest.mark.parametrize(
    ("operator", "members"),
    [
        ("Comcast", [7922, 7015, 33491, 33651, 33668]),
        ("Charter", [20115, 20001, 11427, 33363]),
        ("Verizon Wireless", [22394, 6167]),
        ("Vodafone ES", [12430, 6739]),
        ("BT", [2856, 6871]),
        ("Vivo", [27699, 18881]),
    ],
)
def test_several_ass_of_one_operator_are_one(operator: str, members: list[int]) -> None:
    assert set(operators_of(*members)) == {members[0]}
    assert {operator_name(asn) for asn in members} == {operator}


@pytest.mark.parametrize(
    ("fixed", "mobile"),
    [(12322, 51207), (701, 22394), (7018, 20057), (5617, 43447), (3269, 16232), (3243, 42863)],
)
def test_fixed_and_mobile_arms_are_two_operators(fixed: int, mobile: int) -> None:
    assert operators_of(fixed, mobile) == [fixed, mobile]
    assert types_of(fixed, mobile) == ["residential", "cellular"]


def test_handles_that_differ_in_their_own_number_alone_are_one_operators() -> None:
    assert len(set(operators_of(3479, 3480))) == 1  # PEACHNET-AS3479, PEACHNET-AS3480
    assert len(set(operators_of(13836, 14495))) == 2  # ASN-13836, ASN-14495: no name at all


def test_handles_that_are_equal_by_chance_are_not() -> None:
    assert len(set(operators_of(37461, 51372, 36912))) == 3  # ORANGE of three countries


def test_an_unknown_or_private_as_is_its_own_operator_of_unknown_type() -> None:
    strange = [0, 399_999, 4_200_000_000, 4_294_967_295]
    assert operators_of(*strange) == strange
    assert types_of(*strange) == ["unknown"] * 4


@pytest.mark.parametrize(
    ("kind", "asns"),
    [
        ("residential", [3215, 7922, 3320, 2856, 3352, 3269, 577, 1136, 5432, 3303, 3243, 28573]),
        ("residential", [8151, 4713, 1221, 5617, 14593]),
        ("cellular", [51207, 21928, 22394, 206067, 26615, 28403, 9605]),
        ("hosting", [16276, 16509, 24940, 14061, 9009, 396982, 8075, 63949, 20473, 212238, 60781]),
        ("school", [2200, 786, 680, 137, 1103, 237]),
        ("traveler", [11167, 64294, 14654]),
        ("unknown", [3356, 174, 2914]),
    ],
)
def test_well_known_networks_are_of_their_type(kind: str, asns: list[int]) -> None:
    assert set(types_of(*asns)) == {kind}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SHIPPENSBURG-UNIVERSITY-01", "school"),
        ("CHICAGO-PUBLIC-SCHOOLS", "school"),
        ("RYZEHOSTING", "hosting"),
        ("AS-VPSHOUSE", "hosting"),
        ("CASTLEVPN", "hosting"),
        ("HCDL-VIRGINIA-DATA-CENTER", "hosting"),
        ("TT-MOBILE-AS PJSC TT mobile", "cellular"),
        ("INLAND-CELLULAR", "cellular"),
        ("SILICON-VALLEY-BANK", "business"),
        ("HALFMOONINN-GUEST-INTERNET", "traveler"),
        ("BROADBANDNORTH - Broadband", "residential"),
        ("Zelenka Provedor de Internet Ltda", "residential"),
        ("ASN-EXXONMOBIL-", "unknown"),
        ("ACH Colombia", "unknown"),
        ("COLOPLAST-AS", "unknown"),
        ("MOJAVE-WIRELESS", "unknown"),
        ("PROXAD", "unknown"),
    ],
)
def test_a_name_tells_its_type_or_nothing(name: str, kind: str) -> None:
    assert CONNECTION_TYPES[operators._told(operators.pa.array([name.lower()]))[0]] == kind


def test_the_catalogue_holds_ass_of_the_table_each_once() -> None:
    asns = [asn for operator in catalogue() for asn in operator.asns]
    assert len(set(asns)) == len(asns) > 600
    assert np.isin(asns, NetworkTable.default().named).all()
    assert len({operator.name for operator in catalogue()}) == len(catalogue())


def test_consumer_operators_of_many_countries_are_in_it() -> None:
    homes = {one.country for one in catalogue() if one.connection_type == "residential"}
    assert set("FR US DE GB ES IT CA NL BE CH PT BR MX JP AU PL".split()) <= homes


@pytest.mark.parametrize(
    "text",
    [
        "operator,country\nFree,FR\n",
        "operator,country,connection_type,asns\nFree,FR,domestic,12322\n",
        "operator,country,connection_type,asns\nFree,FR,residential,AS12322\n",
        "operator,country,connection_type,asns\nA,FR,hosting,1\nB,FR,hosting,1\n",
    ],
)
def test_a_damaged_catalogue_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "operators.csv"
    path.write_text(text)
    with pytest.raises(NetworksError, match="the catalogue of operators"):
        operators._read_catalogue(path)
