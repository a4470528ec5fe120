"""Reasons are true to the model and can be read in two languages."""

from __future__ import annotations

import numpy as np
import pytest

from household_ml.features import FEATURES
from household_ml.scoring.reasons import (
    MOST,
    REASONS,
    WEAKEST,
    Reason,
    explain,
    group_sums,
    reasons_markdown,
    sentence,
)
from household_ml.scoring.verdicts import Verdict

GROUPS = tuple(dict.fromkeys(feature.group for feature in FEATURES if feature.model))


def told(sums: dict[str, float], verdict: Verdict, *, unseen: bool = False) -> list[str]:
    found: list[list[str]] = explain(
        np.array([list(sums.values())]),
        list(sums),
        np.array([verdict], dtype=np.int8),
        np.array([unseen]),
    ).to_pylist()
    return found[0]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("direction", [1, -1])
def test_every_group_of_the_catalogue_has_a_reason_for_and_one_against(
    group: str, direction: int
) -> None:
    assert [r.code for r in REASONS if (r.group, r.direction) == (group, direction)]


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.code)
def test_every_reason_has_a_sentence_in_english_and_in_french(reason: Reason) -> None:
    assert sentence(reason.code) == reason.en
    assert sentence(reason.code, "fr") == reason.fr
    assert reason.en != reason.fr
    for text in (reason.en, reason.fr):
        assert text[0].isupper()
        assert text.endswith(".")


def test_codes_are_unique() -> None:
    assert len({reason.code for reason in REASONS}) == len(REASONS)


def test_sums_of_groups_add_up_to_the_contributions() -> None:
    contributions = np.random.default_rng(1).normal(size=(50, len(FEATURES)))
    _, sums = group_sums(contributions, [feature.group for feature in FEATURES])
    np.testing.assert_allclose(sums.sum(axis=1), contributions.sum(axis=1), rtol=0, atol=1e-12)


def test_reasons_point_in_the_direction_of_the_answer_strongest_first() -> None:
    sums = {"home_presence": -1.0, "colocation": -2.0, "travel": 3.0}
    assert told(sums, Verdict.OUTSIDE) == ["apart_from_others", "rarely_at_home"]
    assert told(sums, Verdict.HOUSEHOLD) == ["moves_with_household"]


def test_undetermined_tells_both_sides_after_saying_so() -> None:
    sums = {"home_presence": -1.0, "travel": 3.0}
    expected = ["mixed_evidence", "moves_with_household", "rarely_at_home"]
    assert told(sums, Verdict.UNDETERMINED) == expected


def test_little_history_is_told_first() -> None:
    sums = {"home_presence": -1.0}
    found = told(sums, Verdict.UNDETERMINED, unseen=True)
    assert found == ["little_history", "rarely_at_home"]


def test_a_paid_slot_is_told_first() -> None:
    assert told({"home_presence": -1.0}, Verdict.EXTRA_MEMBER)[0] == "paid_slot"


def test_weak_evidence_is_not_told() -> None:
    sums = {"home_presence": 0.99 * WEAKEST, "colocation": 1.01 * WEAKEST}
    assert told(sums, Verdict.HOUSEHOLD) == ["together_with_others"]


def test_no_reason_is_an_empty_list() -> None:
    assert told({"home_presence": 0.0}, Verdict.HOUSEHOLD) == []


def test_never_more_than_the_most() -> None:
    sums = {group: float(-index - 1) for index, group in enumerate(GROUPS)}
    assert len(told(sums, Verdict.OUTSIDE)) == MOST
    assert len(told(sums, Verdict.EXTRA_MEMBER)) == MOST
    assert told(sums, Verdict.EXTRA_MEMBER)[0] == "paid_slot"


def test_the_table_for_the_documentation_names_every_code() -> None:
    table = reasons_markdown()
    assert all(f"| `{reason.code}` |" in table for reason in REASONS)
    assert len(table.splitlines()) == len(REASONS) + 2
