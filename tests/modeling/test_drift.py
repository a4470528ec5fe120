"""Drift: the distance is the one of the book, chance is not taken for change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from household_ml.errors import ParameterError
from household_ml.modeling.drift import (
    compute_drift,
    compute_operator_drift,
    plot_drift,
    plot_operator_drift,
    population_stability,
)

ACCOUNTS = (1000, 1000)


def columns(rng: np.random.Generator, shift: float = 0.0, size: int = 2000) -> np.ndarray:
    return np.column_stack([rng.normal(shift, 1, size), rng.normal(0, 1, size)])


def test_psi_of_two_histograms_by_hand() -> None:
    reference, current = np.repeat([0.0, 1.0], [5000, 5000]), np.repeat([0.0, 1.0], [2000, 8000])
    p, q = np.array([0.5, 0.5]), np.array([0.2, 0.8])

    assert population_stability(reference, current)[0] == pytest.approx(
        ((q - p) * np.log(q / p)).sum(), rel=1e-3
    )


def test_nulls_have_a_bin_of_their_own() -> None:
    known = np.arange(1000.0)
    psi, used = population_stability(known, np.where(known < 300, np.nan, known))
    assert used == 11
    assert psi > 1
    assert population_stability(np.full(9, np.nan), np.full(9, np.nan)) == (0.0, 1)


def test_a_column_that_moved_is_told_first_and_alone(rng: np.random.Generator) -> None:
    found = compute_drift(columns(rng), columns(rng, 1.0), ["moved", "stayed"], accounts=ACCOUNTS)

    assert found["column"].tolist() == ["moved", "stayed"]
    assert found["drifted"].tolist() == [True, False]
    assert found["shift"][0] == pytest.approx(1.0, abs=0.1)


def test_a_column_that_became_null_has_drifted(rng: np.random.Generator) -> None:
    before, after = columns(rng), columns(rng)
    after[:800, 1] = np.nan
    found = compute_drift(before, after, ["a", "b"], accounts=ACCOUNTS).set_index("column")

    assert found["drifted"].to_dict() == {"a": False, "b": True}
    assert found.loc["b", "null_current"] == 0.4


def test_the_same_shift_on_few_accounts_may_be_chance(rng: np.random.Generator) -> None:
    sides = columns(rng, size=60), columns(rng, 0.4, size=60)
    assert not compute_drift(*sides, ["a", "b"], accounts=(12, 12))["drifted"].any()


def test_a_tiny_shift_of_many_accounts_is_no_drift_that_matters(rng: np.random.Generator) -> None:
    sides = columns(rng, size=200_000), columns(rng, 0.05, size=200_000)
    found = compute_drift(*sides, ["a", "b"], accounts=(200_000, 200_000))
    assert found["p_value"].min() < 1e-9
    assert not found["drifted"].any()


def test_of_what_did_not_move_hardly_anything_is_alarmed(rng: np.random.Generator) -> None:
    before, after = rng.normal(size=(2, 3000, 200))
    names = [f"c{column}" for column in range(200)]
    assert compute_drift(before, after, names, accounts=(3000, 3000))["drifted"].sum() == 0


def test_sides_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"2 columns, got \(3, 2\) and \(0, 2\)"):
        compute_drift(np.zeros((3, 2)), np.zeros((0, 2)), ["a", "b"], accounts=ACCOUNTS)


def test_the_picture_shows_the_farthest_and_marks_what_drifted(rng: np.random.Generator) -> None:
    found = compute_drift(columns(rng), columns(rng, 1.0), ["moved", "stayed"], accounts=ACCOUNTS)
    axes = plot_drift(found, most=1)

    assert [label.get_text() for label in axes.get_yticklabels()] == ["moved"]
    assert axes.patches[0].get_width() == pytest.approx(found["psi"][0])
    told = {
        label.get_text(): label.get_fontweight() for label in plot_drift(found).get_yticklabels()
    }
    assert told == {"moved": "bold", "stayed": "normal"}


def test_operators_with_an_alarm_come_first_in_the_picture() -> None:
    operators = pd.DataFrame(
        {
            "asn": [1, 2, 3],
            "operator": ["One", "Two", "Three"],
            "signal": ["shared", "shared", "ipv6"],
            "accounts_current": [500, 30, 9],
            "reference": [0.1, 0.1, 0.2],
            "current": [0.1, 0.6, 0.2],
            "error_reference": [0.01, np.nan, 0.1],
            "error_current": [0.01, 0.05, 0.1],
            "alarm": [False, True, False],
        }
    )
    shown = compute_operator_drift(operators, "shared")
    axes = plot_operator_drift(shown, "shared addresses")

    assert shown["name"].tolist() == ["Two (AS2)", "One (AS1)"]
    assert shown["reference_high"].tolist() == [0.1, pytest.approx(0.1196)]
    assert axes.get_xlabel() == "shared addresses"
    assert [label.get_fontweight() for label in axes.get_yticklabels()] == ["bold", "normal"]
