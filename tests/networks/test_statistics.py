"""Statistics of networks, against counting by hand; as snapshots; as laws."""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from ipaddress import ip_address, ip_network
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from household_ml.errors import NetworksError, ParameterError
from household_ml.networks import NetworkCounts, NetworkStatistics
from household_ml.networks.ladder import PREFIX_BITS
from household_ml.schema import DEVICE_TYPES, FIXED_DEVICE_TYPES, NETWORKS
from household_ml.sessions import Sessions, read_sessions

SYSTEMS = {"82.64.": 12322, "86.200.": 3215, "2a01:e0a": 12322, "2a02:842": 0}

#: Addresses that share prefixes at every level of the ladder.
ADDRESSES = [
    *(f"82.64.{c}.{d}" for c in (0, 1, 15, 16) for d in (1, 2, 254)),
    *(f"86.200.{c}.1" for c in (0, 128)),
    *(
        f"2a01:e0a:{block}:{net:x}::{host}"
        for block in (1, 2)
        for net in (0, 1, 0x100)
        for host in (1, 2)
    ),
    "2a02:842::1",
]


def asn_of(ip: str) -> int:
    return next(asn for start, asn in SYSTEMS.items() if ip.startswith(start))


def frame(rows: list[tuple[str, str, str, float, str | None]]) -> pd.DataFrame:
    """Sessions of (account, device, ip, day since 1 March 2026, device type)."""
    table = pd.DataFrame(rows, columns=["account_id", "device_id", "ip", "day", "device_type"])
    start = pd.Timestamp("2026-03-01", tz="UTC")
    table["started_at"] = start + pd.to_timedelta((table.pop("day") * 86400).round(), unit="s")
    return table.assign(asn=[asn_of(ip) or None for ip in table["ip"]])


def some_rows(rng: np.random.Generator, size: int = 300) -> pd.DataFrame:
    kinds = [*DEVICE_TYPES, None]
    types = {(a, d): kinds[rng.integers(len(kinds))] for a in range(12) for d in range(4)}
    rows = []
    for _ in range(size):
        account, device = int(rng.integers(12)), int(rng.integers(4))
        ip = ADDRESSES[int(rng.integers(len(ADDRESSES)))]
        rows.append((f"a{account}", f"d{device}", ip, rng.uniform(0, 90), types[account, device]))
    return frame(rows)


def built(table: pd.DataFrame) -> tuple[Sessions, NetworkStatistics]:
    sessions = read_sessions(table)
    return sessions, NetworkStatistics.build(sessions, sessions.asn)


def looked_up(sessions: Sessions, statistics: NetworkStatistics) -> NetworkCounts:
    return statistics.lookup(sessions.ip_hi, sessions.ip_lo, sessions.asn)


def networks_of(ip: str) -> list[str]:
    """What the snapshot calls the networks of an address, level by level."""
    address = ip_address(ip)
    bits = [pair[address.version == 6] for pair in PREFIX_BITS]
    prefixes = [str(ip_network((address, length), strict=False)) for length in bits]
    return [*prefixes, *([f"AS{asn_of(ip)}"] if asn_of(ip) else [])]


def by_hand(table: pd.DataFrame) -> dict[str, dict[str, object]]:
    rows = defaultdict(list)
    for row in table.itertuples():
        for network in networks_of(str(row.ip)):
            rows[network].append(row)

    def tenure(some: list, *, by_line: bool) -> float:
        held = defaultdict(list)
        for row in some:
            held[row.account_id, by_line and networks_of(row.ip)[0]].append(row.started_at)
        return sum((max(times) - min(times)).total_seconds() for times in held.values()) / 86400

    result: dict[str, dict[str, object]] = {}
    for network, some in rows.items():
        lines = {networks_of(row.ip)[0] for row in some}
        result[network] = {
            "accounts": len({row.account_id for row in some}),
            "devices": len({(row.account_id, row.device_id) for row in some}),
            "sessions": len(some),
            "fixed_sessions": sum(row.device_type in FIXED_DEVICE_TYPES for row in some),
            "phone_sessions": sum(row.device_type == "phone" for row in some),
            "tenure_days": tenure(some, by_line=network.startswith("AS")),
            "first_seen": min(row.started_at for row in some),
            "last_seen": max(row.started_at for row in some),
            "networks": len(lines),
        }
    return result


class TestCounts:
    def test_are_those_counted_by_hand(self, rng: np.random.Generator, tmp_path: Path) -> None:
        table = some_rows(rng)
        _, statistics = built(table)
        statistics.save(tmp_path / "networks.parquet")
        saved = pd.read_parquet(tmp_path / "networks.parquet").set_index("network")
        expected = pd.DataFrame.from_dict(by_hand(table), orient="index")
        assert set(saved.index) == set(expected.index)
        assert tuple(saved.reset_index().columns) == NETWORKS.names
        for name in expected.columns:
            got, want = saved[name], expected[name].reindex(saved.index)
            if name == "tenure_days":
                np.testing.assert_allclose(got, want.astype(float), rtol=1e-12)
            else:
                assert (got == want).all(), name

    def test_of_a_row_are_those_of_its_networks(self, rng: np.random.Generator) -> None:
        table = some_rows(rng)
        sessions, statistics = built(table)
        counts = looked_up(sessions, statistics)
        expected = by_hand(table)
        for i, ip in enumerate(sessions.to_frame()["ip"]):
            for level, network in enumerate(networks_of(ip)):
                want = expected[network]
                assert counts.accounts[i, level] == want["accounts"]
                assert counts.devices[i, level] == want["devices"]
                assert counts.networks[i, level] == want["networks"]
                assert counts.tenure_days[i, level] == pytest.approx(want["tenure_days"], rel=1e-6)
                span = (want["last_seen"] - want["first_seen"]).total_seconds() / 86400
                assert counts.span_days[i, level] == pytest.approx(span, rel=1e-6)

    def test_are_zero_where_nothing_is_known(self) -> None:
        sessions, statistics = built(frame([("a", "tv", "82.64.0.1", 0, "tv")]))
        stranger, _ = built(frame([("a", "tv", "82.64.1.9", 0, "tv")]))
        counts = looked_up(stranger, statistics)
        assert counts.accounts.tolist() == [[0, 0, 1, 1]]
        assert counts.span_days.tolist() == [[0, 0, 0, 0]]
        assert looked_up(sessions, NetworkStatistics.empty()).sessions.tolist() == [[0, 0, 0, 0]]

    def test_an_unknown_as_counts_at_no_as(self) -> None:
        sessions, statistics = built(frame([("a", "tv", "2a02:842::1", 0, "tv")]))
        assert looked_up(sessions, statistics).accounts.tolist() == [[1, 1, 1, 0]]

    def test_a_line_seen_in_two_ass_counts_in_both(self) -> None:
        sessions, _ = built(frame([("a", "tv", "82.64.0.1", day, "tv") for day in (0, 1, 2, 3)]))
        asn = np.array([1, 2, 2, 3], np.uint32)
        statistics = NetworkStatistics.build(sessions, asn)
        counts = statistics.lookup(sessions.ip_hi, sessions.ip_lo, asn)
        assert counts.networks[:, 3].tolist() == [1, 1, 1, 1]
        assert counts.sessions[:, 3].tolist() == [1, 2, 2, 1]
        assert counts.networks[:, 0].tolist() == [1, 1, 1, 1]

    def test_of_some_rows_are_rows_of_the_counts(self, rng: np.random.Generator) -> None:
        sessions, statistics = built(some_rows(rng))
        counts = looked_up(sessions, statistics)
        assert len(counts[10:20]) == 10
        assert (counts[10:20].accounts == counts.accounts[10:20]).all()

    def test_ask_for_one_as_a_session(self) -> None:
        sessions, _ = built(frame([("a", "tv", "82.64.0.1", 0, "tv")]))
        with pytest.raises(ParameterError, match=r"each of the 1 sessions, got shape \(2,\)"):
            NetworkStatistics.build(sessions, np.zeros(2, np.uint32))

    def test_many_networks_make_the_table_grow(self, rng: np.random.Generator) -> None:
        number = rng.choice(1 << 24, 5_000, replace=False) + (82 << 24)
        rows = pd.DataFrame(
            {
                "account_id": [f"a{i // 50}" for i in range(number.size)],
                "device_id": "tv",
                "ip": [str(ip_address(int(one))) for one in number],
                "started_at": pd.Timestamp("2026-03-01", tz="UTC"),
                "asn": 12322,
            }
        )
        sessions, statistics = built(rows)
        counts = looked_up(sessions, statistics)
        assert (counts.accounts[:, 0] == 1).all()
        assert (counts.networks[:, 3] == number.size).all()
        assert (counts.accounts[:, 3] == 100).all()


class TestWhatTheyTell:
    """Accounts that hold a network at a time: (tenure + 0.5 accounts) / (span + 0.5)."""

    @staticmethod
    def concurrency(table: pd.DataFrame) -> float:
        sessions, statistics = built(table)
        counts = looked_up(sessions, statistics)
        tenure, span = counts.tenure_days[0, 0], counts.span_days[0, 0]
        return float((tenure + 0.5 * counts.accounts[0, 0]) / (span + 0.5))

    def test_one_account_after_the_other_is_a_private_line(self) -> None:
        rows = [
            (f"a{turn}", "tv", "82.64.0.1", turn * 20 + day, "tv")
            for turn in range(4)
            for day in range(19)
        ]
        assert self.concurrency(frame(rows)) == pytest.approx(1.0, abs=0.1)

    def test_several_accounts_at_a_time_share_it(self) -> None:
        rows = [
            (f"a{k}", "tv", "82.64.0.1", day + k / 100, "tv") for k in range(8) for day in range(60)
        ]
        assert self.concurrency(frame(rows)) == pytest.approx(8.0, abs=0.2)


class TestLaws:
    @given(st.integers(0, 2**32), st.randoms(use_true_random=False))
    def test_order_of_rows_and_names_change_nothing(self, seed: int, random: object) -> None:
        table = some_rows(np.random.default_rng(seed), 80)
        shuffled = table.sample(frac=1, random_state=seed % 2**32)
        names = np.random.default_rng(seed + 1).permutation(1000)
        renamed = shuffled.assign(
            account_id=[f"x{names[int(one[1:])]}" for one in shuffled["account_id"]],
            device_id=[f"y{names[int(one[1:]) + 500]}" for one in shuffled["device_id"]],
        )
        digests = {built(each)[1].digest for each in (table, shuffled, renamed)}
        assert len(digests) == 1

    @given(st.integers(0, 2**32))
    def test_a_renaming_of_addresses_that_keeps_prefixes_changes_nothing(self, seed: int) -> None:
        table = some_rows(np.random.default_rng(seed), 80)
        # turning over bits of every address by the same mask keeps shared prefixes shared
        flip = {4: 0x0A0B0C0D, 6: 0x0123_4567_89AB_CDEF << 64 | 0x0FED_CBA9_8765_4321}
        renamed = table.assign(
            ip=[
                str(type(one)(int(one) ^ flip[one.version])) for one in map(ip_address, table["ip"])
            ]
        )
        first, second = (built(each) for each in (table, renamed))
        (order, one), (again, other) = (
            (
                sessions.to_frame()[["account_id", "device_id", "started_at"]],
                looked_up(sessions, statistics),
            )
            for sessions, statistics in (first, second)
        )
        assert order.equals(again)
        for name in ("accounts", "devices", "sessions", "networks", "tenure_days", "span_days"):
            assert (getattr(one, name) == getattr(other, name)).all(), name

    def test_levels_contain_each_other(self, rng: np.random.Generator) -> None:
        sessions, statistics = built(some_rows(rng))
        counts = looked_up(sessions, statistics)
        for name in ("accounts", "devices", "sessions", "networks"):
            assert (np.diff(getattr(counts, name)[:, :3], axis=1) >= 0).all(), name


class TestSnapshot:
    @pytest.fixture
    def statistics(self, rng: np.random.Generator) -> NetworkStatistics:
        return built(some_rows(rng))[1]

    def test_survives_saving_and_gives_equal_bytes(
        self, statistics: NetworkStatistics, tmp_path: Path
    ) -> None:
        one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
        statistics.save(one)
        loaded = NetworkStatistics.load(one)
        loaded.save(two)
        assert loaded.digest == statistics.digest
        assert (loaded.sessions, loaded.accounts) == (statistics.sessions, 12)
        assert (loaded.counts == statistics.counts).all()
        assert one.read_bytes() == two.read_bytes()
        assert list(tmp_path.iterdir()) in ([one, two], [two, one])

    def test_an_empty_one_survives_too(self, tmp_path: Path) -> None:
        NetworkStatistics.empty().save(tmp_path / "empty.parquet")
        loaded = NetworkStatistics.load(tmp_path / "empty.parquet")
        assert (len(loaded), loaded.first_seen, loaded.last_seen) == (0, None, None)

    def test_says_what_it_is_built_from(self) -> None:
        rows = [("a", "tv", "82.64.0.1", 0, "tv"), ("b", "tv", "82.64.0.2", 9, "tv")]
        _, statistics = built(frame(rows))
        assert repr(statistics) == (
            "NetworkStatistics(2 lines, 1 ASs, of 2 sessions of 2 accounts, "
            "2026-03-01 to 2026-03-10)"
        )

    def test_may_be_written_anew_in_another_order(
        self, statistics: NetworkStatistics, tmp_path: Path
    ) -> None:
        path = tmp_path / "networks.parquet"
        statistics.save(path)
        table = pq.read_table(path)
        pq.write_table(table.take(pa.array(np.arange(len(table))[::-1])), path)
        assert NetworkStatistics.load(path).digest == statistics.digest

    def test_a_changed_value_is_noticed(
        self, statistics: NetworkStatistics, tmp_path: Path
    ) -> None:
        path = tmp_path / "networks.parquet"
        statistics.save(path)
        table = pq.read_table(path)
        accounts = table["accounts"].to_numpy().copy()
        accounts[3] += 1
        place = table.column_names.index("accounts")
        pq.write_table(table.set_column(place, "accounts", pa.array(accounts)), path)
        with pytest.raises(NetworksError, match="its contents are not those that were saved"):
            NetworkStatistics.load(path)

    def test_a_truncated_or_altered_file_is_refused(
        self, statistics: NetworkStatistics, tmp_path: Path
    ) -> None:
        path = tmp_path / "networks.parquet"
        statistics.save(path)
        whole = path.read_bytes()
        for size in range(0, len(whole), len(whole) // 30):
            path.write_bytes(whole[:size])
            with pytest.raises(NetworksError, match="must be a whole snapshot of format 1"):
                NetworkStatistics.load(path)
        for at in range(0, len(whole), len(whole) // 60):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
            # the version and the like may change; what the file says may not
            with contextlib.suppress(NetworksError):
                assert NetworkStatistics.load(path).digest == statistics.digest

    def test_files_of_something_else_are_refused(
        self, statistics: NetworkStatistics, tmp_path: Path
    ) -> None:
        path = tmp_path / "sessions.parquet"
        pq.write_table(pa.table({"account_id": ["a"]}), path)
        with pytest.raises(NetworksError, match="a Parquet file of something else"):
            NetworkStatistics.load(path)
        with pytest.raises(NetworksError, match=r"got '.*nowhere'"):
            NetworkStatistics.load(tmp_path / "nowhere")
        statistics.save(path)
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(["accounts"]), path)
        with pytest.raises(NetworksError, match="no column 'accounts'"):
            NetworkStatistics.load(path)
        about = json.dumps({"format": 2})
        pq.write_table(table.replace_schema_metadata({"household_ml.networks": about}), path)
        with pytest.raises(NetworksError, match=r"must be .* of format 1, got .* \(format 2\)"):
            NetworkStatistics.load(path)

    @pytest.mark.parametrize(
        ("network", "said"),
        [
            ("82.64.0.0/25", "a length that is not on the ladder"),
            ("2a01::/24", "a length that is not on the ladder"),
            ("home/32", "neither a prefix nor an AS"),
            ("AS-1", "AS|-1|parse"),
            (None, "nulls in column 'network'"),
        ],
    )
    def test_a_network_that_is_none_is_refused(
        self, network: str | None, said: str, statistics: NetworkStatistics, tmp_path: Path
    ) -> None:
        path = tmp_path / "networks.parquet"
        statistics.save(path)
        table = pq.read_table(path)
        names = table["network"].to_pylist()
        names[0] = network
        pq.write_table(table.set_column(0, "network", pa.array(names, pa.large_string())), path)
        with pytest.raises(NetworksError, match=said):
            NetworkStatistics.load(path)
