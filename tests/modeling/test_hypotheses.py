"""Where home is in doubt, each possible home is asked, and the answers are mixed by its claim."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from household_ml.modeling.calibration import sigmoid
from household_ml.modeling.hypotheses import (
    Hypotheses,
    believed_homes,
    columns_for,
    home_columns,
    taken_as_home,
)

log_odds = st.floats(-12.0, 12.0)
share = st.floats(0.0, 1.0)


def mixed(home: float, rival: float, home_claim: float, rival_claim: float) -> float:
    one = [np.array([value]) for value in (home, rival, home_claim, rival_claim)]
    return float(Hypotheses(*one, prior=1.0).log_odds()[0])


def test_columns_name_each_feature_at_home_and_at_the_rival_home() -> None:
    names = columns_for(["home_share", "sessions"])
    assert names == (
        "home_share",
        "sessions",
        "home_claim",
        "rival_claim",
        "rival.home_share",
        "rival.sessions",
    )
    assert home_columns(len(names)) == 2


@given(home=log_odds, rival=log_odds, claim=share, more=share)
def test_the_answer_is_between_what_holds_at_each_home_and_what_holds_of_anybody(
    home: float, rival: float, claim: float, more: float
) -> None:
    found = mixed(home, rival, claim, more * (1.0 - claim))
    assert min(home, rival, 1.0) - 1e-6 <= found <= max(home, rival, 1.0) + 1e-6


@given(home=log_odds, rival=log_odds, claim=share, step=st.floats(0.0, 5.0))
def test_more_evidence_at_either_home_never_lowers_the_answer(
    home: float, rival: float, claim: float, step: float
) -> None:
    now = mixed(home, rival, claim, 1.0 - claim)
    assert mixed(home + step, rival, claim, 1.0 - claim) >= now - 1e-9
    assert mixed(home, rival + step, claim, 1.0 - claim) >= now - 1e-9


@given(home=st.floats(-8.0, 8.0))
def test_a_home_beyond_doubt_is_asked_alone(home: float) -> None:
    assert mixed(home, float("nan"), 1.0, 0.0) == pytest.approx(home, abs=1e-6)


@given(home=log_odds)
def test_without_a_place_there_is_no_home_to_doubt(home: float) -> None:
    assert mixed(home, float("nan"), float("nan"), float("nan")) == home


def test_half_a_doubt_is_half_a_probability() -> None:
    found = sigmoid(mixed(-30.0, 30.0, 0.5, 0.5))
    assert found == pytest.approx(0.5)


#: Two devices of an account at its inferred home, and one at the rival; then an account that has
#: no place at all. Columns: home_share, home_claim, rival_claim, rival.home_share.
VALUES = np.array(
    [
        [1.0, 0.6, 0.3, 0.0],
        [0.8, 0.6, 0.3, 0.2],
        [0.0, 0.6, 0.3, 1.0],
        [np.nan, np.nan, np.nan, np.nan],
    ]
)
ACCOUNT = np.array([7, 7, 7, 9])


@pytest.mark.parametrize(
    ("labels", "believed"),
    [
        ([1.0, 1.0, 0.0, 1.0], [0, 0, 0, 0]),
        ([0.0, 0.0, 1.0, 0.0], [1, 1, 1, 0]),
        ([np.nan, np.nan, 1.0, np.nan], [1, 1, 1, 0]),
        ([0.0, 0.0, 0.0, 0.0], [-1, -1, -1, 0]),
    ],
)
def test_labels_speak_for_the_home_of_their_account(
    labels: list[float], believed: list[int]
) -> None:
    found = believed_homes(VALUES, np.array(labels), ACCOUNT, home_share=0)
    assert found.tolist() == believed


def test_the_believed_home_is_taken() -> None:
    taken = taken_as_home(VALUES, np.array([1, 1, 1, 0]))
    np.testing.assert_array_equal(taken[:, 0], [0.0, 0.2, 1.0, np.nan])
