"""Accounts are divided before anything is counted, and some are met with less."""

import numpy as np
import pytest

from household_ml.errors import ParameterError
from household_ml.features import build_features
from household_ml.modeling.splits import CALIBRATION, TEST, TRAIN
from household_ml.networks import enrich
from household_ml.serving.datasets import LabelledSessions
from household_ml.serving.sides import MET, Meetings, divide, fit_rules
from household_ml.sessions import read_sessions
from household_ml.simulation import simulate

SHARES = (0.5, 0.25, 0.25)


@pytest.fixture(scope="module")
def world():
    made = simulate("carrier_nat", accounts=80, days=40, seed=5)
    sessions = read_sessions(made.sessions)
    return LabelledSessions("carrier_nat", sessions, made.labels.to_pandas(), simulated=True)


def chosen(world, divided, side):
    """Accounts of a side, as a bool array."""
    accounts = np.zeros(world.sessions.n_accounts, dtype=bool)
    accounts[divided.devices.features.account[divided.side == side]] = True
    return accounts


def test_an_account_is_on_one_side(world):
    divided = divide(world, shares=SHARES, seed=1)
    sides = [chosen(world, divided, side) for side in (TRAIN, CALIBRATION, TEST)]
    assert (np.sum(sides, axis=0) == 1).all()
    shares = [side.mean() for side in sides]
    assert shares == pytest.approx(SHARES, abs=0.05)


def test_training_accounts_know_of_no_others(world):
    divided = divide(world, shares=SHARES, seed=1)
    alone = build_features(
        world.sessions.take_accounts(chosen(world, divided, TRAIN)),
        as_of=world.sessions.last_started_at(),
    )
    values = divided.devices.features.values[divided.side == TRAIN]
    np.testing.assert_array_equal(values, alone.values)


def test_test_accounts_know_of_training_accounts_and_their_own_side(world):
    divided = divide(world, shares=SHARES, seed=1)
    test, train = chosen(world, divided, TEST), chosen(world, divided, TRAIN)
    statistics = enrich(world.sessions.take_accounts(test | train)).statistics
    built = build_features(
        world.sessions.take_accounts(test),
        statistics=statistics,
        as_of=world.sessions.last_started_at(),
    )
    values = divided.devices.features.values[divided.side == TEST]
    np.testing.assert_array_equal(values, built.values)


def test_accounts_met_alone_have_the_features_of_an_account_scored_by_itself(world):
    divided = divide(world, shares=SHARES, seed=1, meetings=Meetings(alone=1.0))
    features = divided.devices.features
    assert set(divided.devices.learnt.slices["statistics"]) == {MET[2]}
    by_itself = build_features(
        world.sessions.take_accounts(np.array([7])), as_of=world.sessions.last_started_at()
    )
    np.testing.assert_array_equal(features.values[features.account == 7], by_itself.values)


def test_some_are_met_with_less_and_the_others_with_all(world):
    divided = divide(world, shares=SHARES, seed=1, meetings=Meetings(foreign=0.3, alone=0.2))
    plain = divide(world, shares=SHARES, seed=1)
    met = divided.devices.learnt.slices["statistics"]
    assert set(met) == set(MET)
    with_all = met == MET[0]
    np.testing.assert_array_equal(
        divided.devices.features.values[with_all], plain.devices.features.values[with_all]
    )
    np.testing.assert_array_equal(divided.side, plain.side)


def test_the_same_seed_divides_the_same_way(world):
    first, again = (
        divide(world, shares=SHARES, seed=3, meetings=Meetings(foreign=0.2)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.devices.learnt.values, again.devices.learnt.values)
    np.testing.assert_array_equal(first.side, again.side)


def test_rules_are_fitted_on_training_accounts_of_every_world_alike(world):
    divided = divide(world, shares=SHARES, seed=1)
    rules = fit_rules([divided, divided])
    assert rules.prevalence == pytest.approx(fit_rules([divided]).prevalence)
    assert set(rules.scores(divided.devices.features.values, divided.devices.features.names)) >= {
        "other address than usual",
        "logistic on overlaps",
    }


@pytest.mark.parametrize("shares", [(0.7, 0.4), (-0.1, 0.2)])
def test_shares_that_cannot_be_are_refused(shares):
    with pytest.raises(ParameterError, match="foreign and alone must be shares"):
        Meetings(*shares)
