"""The table of networks: the one that ships, and the user's own in its place."""

from __future__ import annotations

import bisect
import gzip
import ipaddress
import json
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from household_ml.errors import MissingDependencyError, NetworksError
from household_ml.networks import NetworkTable
from household_ml.networks.ranges import range_ends
from household_ml.resources import resource
from household_ml.sessions.addresses import parse_addresses
from tests.networks.mmdb import mmdb

TSV = (
    "1.0.0.0\t1.0.0.255\t64500\tUS\tFIRST-NET\n"
    "1.0.1.0\t1.0.1.255\t0\tNone\tNot routed\n"
    '1.0.2.0\t1.0.3.255\t64501\tFR\tSAID "SECOND"\n'
    "2001:200::\t2001:200:ffff:ffff:ffff:ffff:ffff:ffff\t64500\tUS\tFIRST-NET\n"
    '2001:201::\t2001:201::7fff:ffff:ffff:ffff\t64501\tFR\tSAID "SECOND"\n'
)


def lookup(table: NetworkTable, *texts: str) -> list[int]:
    hi, lo, _ = parse_addresses(pa.array(texts))
    return table.lookup(hi, lo).tolist()


def same(one: NetworkTable, other: NetworkTable) -> bool:
    return (
        all((a == b).all() for a, b in zip([*one.v4, *one.v6], [*other.v4, *other.v6], strict=True))
        and (one.named == other.named).all()
        and one.names.equals(other.names)
        and (one.dated, one.source) == (other.dated, other.source)
    )


@pytest.fixture
def small(tmp_path: Path) -> NetworkTable:
    path = tmp_path / "ip2asn-combined-2026-03-01.tsv"
    path.write_text(TSV)
    return NetworkTable.from_tsv(path)


class TestShipped:
    def test_knows_the_networks_that_everybody_knows(self) -> None:
        known = {
            "1.1.1.1": 13335,
            "2606:4700:4700::1111": 13335,
            "8.8.8.8": 15169,
            "82.64.0.1": 12322,
            "::ffff:82.64.0.1": 12322,
            "73.0.0.1": 7922,
            "203.0.113.7": 0,
            "2001:db8::1": 0,
            "100.64.0.1": 0,
            "10.0.0.1": 0,
        }
        assert lookup(NetworkTable.default(), *known) == list(known.values())

    def test_answers_like_a_bisection_of_its_ranges(self, rng: np.random.Generator) -> None:
        table = NetworkTable.default()
        for ranges, bits in ((table.v4, 32), (table.v6, 64)):
            row = rng.integers(1, ranges.start.size, 2_000)
            ends = [ranges.start[row], range_ends(ranges)[row], ranges.start[row] - 1]
            number = np.concatenate(ends).astype(np.uint64)
            hi, lo = (
                (number * 0, number | np.uint64(0xFFFF << 32)) if bits == 32 else (number, number)
            )
            starts = ranges.start.tolist()
            expected = [
                int(ranges.asn[bisect.bisect_right(starts, one) - 1]) for one in number.tolist()
            ]
            assert table.lookup(hi, lo).tolist() == expected

    def test_agrees_with_the_standard_library_about_an_announced_prefix(self) -> None:
        announced = ipaddress.ip_network("1.1.1.0/24")
        inside = [str(address) for address in (announced[0], announced[-1])]
        assert lookup(NetworkTable.default(), *inside) == [13335, 13335]

    def test_one_in_six_random_public_addresses_has_no_as(self, rng: np.random.Generator) -> None:
        number = rng.integers(1 << 24, 224 << 24, 100_000, dtype=np.uint64)
        texts = [str(ipaddress.IPv4Address(one)) for one in number.tolist()[:20_000]]
        hi, lo, kind = parse_addresses(pa.array(texts))
        unknown = (NetworkTable.default().lookup(hi, lo) == 0)[kind == 0].mean()
        assert 0.13 < unknown < 0.19

    def test_shows_its_day_and_its_age(self) -> None:
        table = NetworkTable.default()
        assert table.dated == date(2026, 9, 16)
        assert table.age_days(date(2026, 9, 26)) == 10
        assert table.age_days(date(2020, 1, 1)) == 0
        assert f"of 2026-09-16, {table.age_days()} days old, from iptoasn.com" in repr(table)

    def test_is_a_few_megabytes_and_read_once(self) -> None:
        assert resource("data/networks/iptoasn.npz").stat().st_size < 4e6
        assert NetworkTable.default() is NetworkTable.default()

    def test_names_are_handles_and_may_be_missing(self) -> None:
        table = NetworkTable.default()
        assert [table.org(asn) for asn in (12322, 701, 0, 4_199_999_999)] == [
            "PROXAD",
            "UUNET",
            "",
            "",
        ]


class TestOwn:
    def test_is_made_of_an_iptoasn_tsv(self, small: NetworkTable) -> None:
        answers = {
            "0.255.255.255": 0,
            "1.0.0.0": 64500,
            "1.0.0.255": 64500,
            "1.0.1.0": 0,
            "1.0.2.0": 64501,
            "1.0.3.255": 64501,
            "1.0.4.0": 0,
            "2001:200::1": 64500,
            "2001:200:ffff::": 64500,
            "2001:201::1": 64501,
            "2001:201:0:1::": 0,
        }
        assert lookup(small, *answers) == list(answers.values())
        assert small.org(64501) == 'SAID "SECOND"'
        assert small.dated == date(2026, 3, 1)

    def test_two_files_gzip_and_plain_decimals_are_read_alike(
        self, small: NetworkTable, tmp_path: Path
    ) -> None:
        lines = TSV.splitlines(keepends=True)
        v4, v6 = tmp_path / "v4-u32.tsv", tmp_path / "v6.tsv.gz"
        v4.write_text(
            "".join(
                "\t".join(
                    [
                        *(str(int(ipaddress.ip_address(end))) for end in line.split("\t")[:2]),
                        *line.split("\t")[2:],
                    ]
                )
                for line in lines[:3]
            )
        )
        v6.write_bytes(gzip.compress("".join(lines[3:]).encode()))
        assert same(NetworkTable.from_tsv(v4, v6, dated=date(2026, 3, 1)), small)

    def test_survives_saving_and_equal_tables_give_equal_bytes(
        self, small: NetworkTable, tmp_path: Path
    ) -> None:
        one, two = tmp_path / "one.npz", tmp_path / "two.npz"
        small.save(one)
        loaded = NetworkTable.load(one)
        loaded.save(two)
        assert same(loaded, small)
        assert one.read_bytes() == two.read_bytes()

    def test_takes_the_place_of_the_shipped_one(
        self, small: NetworkTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        small.save(tmp_path / "own.npz")
        monkeypatch.setenv("HOUSEHOLD_ML_NETWORK_TABLE", str(tmp_path / "own.npz"))
        assert lookup(NetworkTable.default(), "1.0.0.1", "8.8.8.8") == [64500, 0]

    def test_may_be_an_mmdb(self, tmp_path: Path) -> None:
        pytest.importorskip("maxminddb")

        def record(asn: int, org: str) -> dict[str, object]:
            return {"autonomous_system_number": asn, "autonomous_system_organization": org}

        path = tmp_path / "GeoLite2-ASN.mmdb"
        path.write_bytes(
            mmdb(
                {
                    ipaddress.IPv4Network("1.0.0.0/24"): record(64500, "First"),
                    ipaddress.IPv4Network("1.0.2.0/23"): record(64501, "Second"),
                    ipaddress.IPv6Network("2001:200::/32"): record(64500, "First"),
                    ipaddress.IPv6Network("2001:300::/33"): {"asn": "AS64502", "as_name": "Third"},
                }
            )
        )
        table = NetworkTable.load(path)
        texts = [
            "1.0.0.255",
            "1.0.1.0",
            "1.0.3.1",
            "2001:200::1",
            "2001:300:7fff::",
            "2001:300:8000::",
        ]
        assert lookup(table, *texts) == [64500, 0, 64501, 64500, 64502, 0]
        assert (table.org(64501), table.source) == ("Second", "GeoLite2-ASN")
        assert table.dated == date(2026, 9, 21)


class TestUnusable:
    @pytest.fixture
    def whole(self, small: NetworkTable, tmp_path: Path) -> bytes:
        small.save(tmp_path / "whole.npz")
        return (tmp_path / "whole.npz").read_bytes()

    def test_a_truncated_file_is_refused(self, whole: bytes, tmp_path: Path) -> None:
        path = tmp_path / "cut.npz"
        for size in range(4, len(whole), max(len(whole) // 40, 1)):
            path.write_bytes(whole[:size])
            with pytest.raises(NetworksError, match="must be a whole file of its own format"):
                NetworkTable.load(path)

    def test_a_flipped_byte_is_refused_or_changes_nothing(
        self, whole: bytes, small: NetworkTable, tmp_path: Path
    ) -> None:
        path = tmp_path / "flipped.npz"
        refused = 0
        for at in range(4, len(whole), 7):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
            try:
                assert same(NetworkTable.load(path), small)
            except NetworksError:
                refused += 1
        assert refused > 20

    def test_a_file_of_something_else_is_refused(self, tmp_path: Path) -> None:
        foreign = tmp_path / "foreign.npz"
        np.savez(foreign, start=np.arange(3))
        with pytest.raises(NetworksError, match="must be a whole file of its own format"):
            NetworkTable.load(foreign)
        prose = tmp_path / "prose.tsv"
        prose.write_text("It was a dark and stormy night.\n")
        with pytest.raises(NetworksError, match="must be an iptoasn TSV"):
            NetworkTable.load(prose)

    def test_a_later_format_is_named(self, small: NetworkTable, tmp_path: Path) -> None:
        path = tmp_path / "later.npz"
        manifest = {"kind": "household_ml.networks.table", "format": 2}
        np.savez(path, manifest=np.frombuffer(json.dumps(manifest).encode(), np.uint8))
        with pytest.raises(NetworksError, match=r"must be of format 1, got format 2 in"):
            NetworkTable.load(path)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(NetworksError, match=r"must be a readable file, got .*nowhere"):
            NetworkTable.load(tmp_path / "nowhere")

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("1.0.0.9\t1.0.0.1\t64500\tUS\tX", r"must end after it starts, got 1\.0\.0\.9 to"),
            ("1.0.0.9\t2001:200::\t64500\tUS\tX", "must end after it starts"),
            ("home\t1.0.0.1\t64500\tUS\tX", "must be addresses, got 'home'"),
            ("1.0.0.0\t1.0.0.1\t4294967296\tUS\tX", "an AS must be a number from 0 to"),
            ("1.0.0.0\t1.0.0.1\tmany\tUS\tX", "must be an iptoasn TSV"),
        ],
    )
    def test_a_wrong_line_is_told(self, line: str, said: str, tmp_path: Path) -> None:
        path = tmp_path / "wrong.tsv"
        path.write_text(TSV + line + "\n")
        with pytest.raises(NetworksError, match=said):
            NetworkTable.load(path)

    def test_an_mmdb_without_as_numbers_or_damaged_is_refused(self, tmp_path: Path) -> None:
        pytest.importorskip("maxminddb")
        path = tmp_path / "cities.mmdb"
        city = {ipaddress.IPv4Network("1.0.0.0/24"): {"city": "Paris"}}
        path.write_bytes(mmdb(city, database_type="Cities"))
        with pytest.raises(NetworksError, match=r"must tell AS numbers .* got none in .*Cities"):
            NetworkTable.load(path)
        path.write_bytes(b"nothing of the kind")
        with pytest.raises(NetworksError, match="must be a readable MMDB"):
            NetworkTable.load(path)

    def test_an_mmdb_asks_for_its_package(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "maxminddb", None)
        path = tmp_path / "any.mmdb"
        path.write_bytes(b"any")
        with pytest.raises(MissingDependencyError, match=r"Install household-ml\[mmdb\]"):
            NetworkTable.load(path)
