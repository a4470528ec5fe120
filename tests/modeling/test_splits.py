import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from household_ml.errors import ParameterError
from household_ml.modeling.splits import TEST, link_accounts, split_groups


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 60))
def test_groups_are_the_connected_components_of_private_networks(seed, accounts, networks):
    rng = np.random.default_rng(seed)
    account = rng.integers(0, accounts, 3 * accounts)
    network = rng.integers(0, networks, account.size)
    found = link_accounts(account, network, accounts=accounts, largest=1.0)
    guests = {line: set(account[network == line]) for line in np.unique(network)}
    private = [(a, b) for there in guests.values() if len(there) <= 3 for a in there for b in there]
    rows, columns = np.array(private).T if private else np.zeros((2, 0), int)
    graph = coo_array((np.ones(rows.size), (rows, columns)), shape=(accounts, accounts))
    _, expected = connected_components(graph, directed=False)
    same = found.group[:, None] == found.group[None, :]
    assert np.array_equal(same, expected[:, None] == expected[None, :])
    assert found.left_out == 0


def test_a_crowded_network_links_nobody():
    found = link_accounts(np.arange(4), np.zeros(4, int), accounts=4, largest=1.0)
    assert found.group.tolist() == [0, 1, 2, 3]
    assert found.links == 0


def test_networks_may_be_given_as_several_integers():
    network = np.array([[1, 5], [1, 5], [2, 5], [1, 6]], dtype=np.uint64)
    found = link_accounts(np.arange(4), network, accounts=4, largest=1.0)
    assert found.group.tolist() == [0, 0, 1, 2]


def test_where_addresses_wander_the_strongest_links_are_kept():
    """A ring of accounts that once held a neighbour's address, and one pair that shares a home."""
    accounts = 200
    ring = np.arange(accounts)
    account = np.r_[ring, np.roll(ring, 1), np.repeat(ring, 50), np.repeat([10, 20], 50)]
    network = np.r_[ring, ring, np.repeat(1000 + ring, 50), np.full(100, 5000)]
    found = link_accounts(account, network, accounts=accounts)
    assert found.group[10] == found.group[20]
    assert np.bincount(found.group).max() <= 10
    assert found.left_out > 0


def test_row_order_changes_nothing():
    rng = np.random.default_rng(0)
    account, network = rng.integers(0, 50, 400), rng.integers(0, 300, 400)
    order = rng.permutation(400)
    plain = link_accounts(account, network, accounts=50)
    turned = link_accounts(account[order], network[order], accounts=50)
    assert np.array_equal(plain.group, turned.group)


def test_no_sessions_leave_every_account_alone():
    nothing = np.zeros(0, dtype=np.int64)
    assert link_accounts(nothing, nothing, accounts=3).group.tolist() == [0, 1, 2]


@given(st.integers(0, 1000), st.integers(1, 200))
def test_groups_stay_together_and_shares_are_met(seed, groups):
    group = np.random.default_rng(seed).integers(0, groups, 300)
    side = split_groups(group, seed=seed)
    for code in np.unique(group):
        assert np.unique(side[group == code]).size == 1
    largest = np.bincount(group).max()
    assert np.abs(np.bincount(side, minlength=3) - [180, 60, 60]).max() <= largest + 1


def test_the_seed_decides():
    group = np.arange(500)
    assert np.array_equal(split_groups(group, seed=1), split_groups(group, seed=1))
    assert not np.array_equal(split_groups(group, seed=1), split_groups(group, seed=2))


def test_a_side_may_be_empty():
    assert (split_groups(np.arange(9), shares=(0, 0, 1)) == TEST).all()


def test_shares_must_add_up():
    with pytest.raises(ParameterError, match="three numbers that add up to 1, got"):
        split_groups(np.arange(9), shares=(0.5, 0.5, 0.5))
    with pytest.raises(ParameterError, match="most must be at least 2"):
        link_accounts(np.arange(2), np.arange(2), accounts=2, most=1)
