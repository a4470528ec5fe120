"""Addresses are real, held by one line at a time where they are private, and shared where not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from household_ml.networks import NetworkTable
from household_ml.sessions.addresses import parse_addresses
from household_ml.simulation import WORLDS, Simulated, named_world, simulate
from household_ml.simulation.hashing import hex_ids, mix, mix_scalar, uniform
from household_ml.simulation.leases import DAILY, DAY, EXPONENTIAL, STATIC, WEEKLY, lease_lines
from household_ml.simulation.pools import PoolRequest, Pools, announced, build_pools

ORANGE, FREE = 3215, 12322


@pytest.fixture(scope="module")
def natted() -> Simulated:
    world = dataclasses.replace(WORLDS["carrier_nat"], nat_modes=(0.5, 0.5, 0.0), regions=4)
    return simulate(world, accounts=200, days=30, seed=2, truth=True)


@pytest.fixture(scope="module")
def crowded() -> Simulated:
    """Nearly every subscriber is sampled and renumbered daily: addresses are reused at once."""
    world = dataclasses.replace(
        WORLDS["daily_renumbering"], coverage=0.7, nat_share=0.0, v6_share=0.0, regions=3
    )
    return simulate(world, accounts=250, days=30, seed=3, truth=True)


def joined(simulated: Simulated) -> pd.DataFrame:
    assert simulated.truth is not None
    tables = [simulated.sessions.to_pandas(), simulated.truth.to_pandas()]
    rows: pd.DataFrame = pd.concat(tables, axis=1)
    return rows


@pytest.fixture(scope="module")
def pools() -> Pools:
    requests = [PoolRequest((ORANGE,), 4000.0), PoolRequest((FREE, ORANGE), 900.0)]
    return build_pools(requests, announced(NetworkTable.default()), 1)


def test_every_address_is_announced_by_the_as_it_is_said_to_be_of(natted: Simulated) -> None:
    addresses = parse_addresses(natted.sessions["ip"])
    found = NetworkTable.default().lookup(addresses.hi, addresses.lo)
    np.testing.assert_array_equal(found, natted.sessions["asn"].to_numpy())
    assert (addresses.kind == 0).all()


@pytest.mark.parametrize("name", ["fr~7", "fr~11", "mobile_first~2", "messy"])
def test_addresses_of_drawn_worlds_are_announced_too(name: str) -> None:
    world = dataclasses.replace(named_world(name), missing_columns=(), null_asn=0.0)
    sessions = simulate(world, accounts=60, days=20, seed=1).sessions
    addresses = parse_addresses(sessions["ip"])
    found = NetworkTable.default().lookup(addresses.hi, addresses.lo)
    useful = addresses.kind == 0
    said = sessions["asn"].to_numpy(zero_copy_only=False)
    np.testing.assert_array_equal(found[useful], said[useful])
    assert useful.mean() > 0.99


def test_two_lines_never_hold_a_public_address_at_one_time(crowded: Simulated) -> None:
    frame = joined(crowded)
    fixed = frame[frame["access"] == "fixed"].sort_values(["ip", "started_at"])
    # were an address held by two lines at once, their sessions of a day would alternate; a line
    # that is renumbered once a night cannot come back on the same day
    day = fixed["started_at"].dt.floor("D")
    spells = fixed.groupby(["ip", day])["line_id"].agg(
        lines="nunique", changes=lambda lines: int((lines != lines.shift()).sum())
    )
    assert (fixed.groupby("ip")["line_id"].nunique() > 1).sum() > 100, "later somebody else's"
    assert (spells["changes"] > spells["lines"]).sum() <= 1
    gap = fixed["started_at"].diff().dt.total_seconds()
    taken_over = (fixed["ip"] == fixed["ip"].shift()) & (
        fixed["line_id"] != fixed["line_id"].shift()
    )
    assert (gap[taken_over] > 0).all()


def test_accounts_meet_on_carrier_nat_and_hardly_ever_on_private_lines(natted: Simulated) -> None:
    frame = joined(natted)
    frame = frame[~frame["ip"].str.contains(":")]
    accounts = frame["ip"].map(frame.groupby("ip")["account_id"].nunique())
    mean = accounts.groupby(frame["access"]).mean()
    assert mean["carrier_nat"] > 3.0
    assert mean["fixed"] < 1.5


def test_renumbering_leaves_networks_as_often_as_asked(pools: Pools) -> None:
    lines = 300
    leases = lease_lines(
        pools,
        pool=np.zeros(lines, dtype=np.int64),
        policy=np.full(lines, DAILY),
        exclusive=np.ones(lines, dtype=bool),
        begins=np.zeros(lines, dtype=np.int64),
        ends=np.full(lines, 1 << 40),
        days=60,
        mean_days=134.0,
        reboots_a_month=0.0,
        leaves_24=0.7,
        leaves_prefix=0.48,
        seed=5,
    )
    same_line = np.ones(len(leases.at), dtype=bool)
    same_line[leases.first[:-1]] = False
    network = leases.index // pools.hosts[0]
    prefix = network // pools.per_prefix[0]
    new = same_line[1:]
    assert (leases.index[1:] != leases.index[:-1])[new].all()
    assert (network[1:] != network[:-1])[new].mean() == pytest.approx(0.70, abs=0.02)
    assert (prefix[1:] != prefix[:-1])[new].mean() == pytest.approx(0.48, abs=0.02)
    assert np.diff(leases.at)[new].max() <= DAY


def test_holding_times_are_those_of_the_policy(pools: Pools) -> None:
    policy = np.repeat([STATIC, WEEKLY, EXPONENTIAL, DAILY], 400)
    lines = len(policy)
    leases = lease_lines(
        pools,
        pool=np.zeros(lines, dtype=np.int64),
        policy=policy,
        exclusive=np.ones(lines, dtype=bool),
        begins=np.zeros(lines, dtype=np.int64),
        ends=np.full(lines, 1 << 40),
        days=268,
        mean_days=134.0,
        reboots_a_month=0.0,
        leaves_24=0.7,
        leaves_prefix=0.48,
        seed=6,
    )
    mean = np.diff(leases.first).reshape(4, 400).mean(1)
    assert mean[0] == 1
    assert mean[1] == pytest.approx(270 / 7 + 1, abs=1.0)
    assert mean[2] == pytest.approx(1 + 270 / 134, abs=0.2)
    assert mean[3] == pytest.approx(271, abs=1)


def test_the_current_lease_is_the_last_one_begun(pools: Pools) -> None:
    leases = lease_lines(
        pools,
        pool=np.zeros(3, dtype=np.int64),
        policy=np.array([DAILY, STATIC, WEEKLY]),
        exclusive=np.ones(3, dtype=bool),
        begins=np.array([0, 5000, 0]),
        ends=np.full(3, 1 << 40),
        days=20,
        mean_days=134.0,
        reboots_a_month=0.5,
        leaves_24=0.7,
        leaves_prefix=0.48,
        seed=7,
    )
    line, minute = np.repeat(np.arange(3), 400), np.tile(np.arange(400) * 70, 3)
    found = leases.current(line, minute)
    for one, when, row in zip(line, minute, found, strict=True):
        own = leases.at[leases.first[one] : leases.first[one + 1]]
        expected = max(int(np.searchsorted(own, when, side="right")) - 1, 0)
        assert row == leases.first[one] + expected


def test_ipv6_lines_keep_their_prefix_and_devices_change_daily() -> None:
    world = dataclasses.replace(
        WORLDS["fr"], v6_share=0.95, v6_holding=(1.0, 0.0, 0.0), v6_56=1.0, second_access=0.0,
        isp_changes_a_year=0.0, moves_a_year=0.0, vpn_always=0.0, nat_share=0.0,
    )  # fmt: skip
    frame = joined(simulate(world, accounts=60, days=20, seed=4, truth=True))
    v6 = frame[frame["ip"].str.contains(":") & (frame["access"] == "fixed")]
    parsed = parse_addresses(pa.array(v6["ip"]))
    v6 = v6.assign(subnet=parsed.hi >> np.uint64(8), interface=parsed.lo)
    assert (v6.groupby("line_id")["subnet"].nunique() == 1).all()
    phones = v6[v6["device_type"] == "phone"]
    by_device = phones.groupby(["device_id", "line_id"])["interface"]
    days = phones.groupby(["device_id", "line_id"])["started_at"].agg(
        lambda times: times.dt.floor("D").nunique()
    )
    assert (by_device.nunique() == days).all()


def test_pools_hold_what_was_asked_for_and_share_no_network(pools: Pools) -> None:
    assert 4000 <= pools.size[0] < 5000
    assert 900 <= pools.size[1] < 1300
    assert len(np.unique(pools.base)) == len(pools.base)
    assert set(pools.asn[: pools.first[1]].tolist()) == {ORANGE}
    assert set(pools.asn[pools.first[1] :].tolist()) == {FREE, ORANGE}


def test_mixing_is_the_same_compiled_or_not() -> None:
    assert mix_scalar(mix_scalar(np.uint64(0), 12), -5) == mix(12, -5)[0]
    assert hex_ids(mix(np.arange(3)))[1] == f"{int(mix(1)[0]):016x}"
    assert np.corrcoef(uniform(np.arange(5000), 1), uniform(np.arange(5000), 2))[0, 1] < 0.05
