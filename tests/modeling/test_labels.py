from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from household_ml.errors import LabelsError
from household_ml.modeling.labels import align_labels

ROWS = SimpleNamespace(
    account_id=pa.array(["a", "a", "b", "b", "c"], pa.large_string()),
    device_id=pa.array(["tv", "phone", "tv", "phone", "tv"], pa.large_string()),
)


def labels(**columns):
    given = {
        "account_id": ["b", "a", "a", "z"],
        "device_id": ["phone", "tv", "phone", "tv"],
        "in_household": [False, True, None, True],
    }
    return pd.DataFrame({**given, **columns})


def test_labels_are_found_by_account_and_device():
    found = align_labels(ROWS, labels())
    np.testing.assert_array_equal(found.y, [1, np.nan, np.nan, 0, np.nan])
    assert found.weight.tolist() == [1, 0, 0, 1, 0]
    assert found.unmatched == 1
    assert found.strangers == 1
    assert found.unanswered == 1


def test_what_became_of_every_label_is_told():
    given = pd.DataFrame(
        {
            "account_id": ["a", "a", "a", "b", "b", "q", None],
            "device_id": ["tv", "phone", "stick", "tv", "phone", "tv", "tv"],
            "in_household": [True, False, True, True, None, True, True],
            "policy_ambiguous": [False, False, False, True, False, False, False],
        }
    )
    found = align_labels(ROWS, given)
    assert (found.unmatched, found.strangers, found.unanswered) == (2, 1, 2)
    assert found.to_text().splitlines() == [
        "2 of 5 devices are labelled: 1 household, 1 outside.",
        "1 labels are policy_ambiguous and are not learnt from.",
        "2 labels are of devices without a session in the window, 1 of them of unknown accounts.",
        "2 rows of the labels name no device or no answer.",
    ]
    told = sum(np.isfinite(found.y)) + found.unmatched + found.unanswered
    assert told == len(given)


def test_optional_columns_come_along():
    found = align_labels(
        ROWS,
        labels(
            weight=[0.5, None, 2, 3],
            situation=["borrower_far", None, "x", "y"],
            policy_ambiguous=[True, None, True, False],
        ),
    )
    assert found.weight.tolist() == [1, 0, 0, 0.5, 0]
    assert found.situation.tolist() == ["", "", "", "borrower_far", ""]
    assert found.ambiguous.tolist() == [False, False, False, True, False]


@pytest.mark.parametrize(
    "answers",
    [
        [0, 1, None, 1],
        ["False", "true", "", "TRUE"],
        ["no", " Yes ", None, "y"],
        pd.array([False, True, None, True], dtype="boolean"),
    ],
)
def test_answers_may_be_written_in_several_ways(answers):
    found = align_labels(ROWS, labels(in_household=answers))
    np.testing.assert_array_equal(found.y, [1, np.nan, np.nan, 0, np.nan])


def test_row_order_of_labels_changes_nothing():
    plain = align_labels(ROWS, labels())
    turned = align_labels(ROWS, labels().iloc[::-1].reset_index(drop=True))
    np.testing.assert_array_equal(plain.y, turned.y)


def test_a_label_given_twice_is_fine_when_it_says_the_same():
    twice = pd.concat([labels(), labels()], ignore_index=True)
    np.testing.assert_array_equal(align_labels(ROWS, twice).y, align_labels(ROWS, labels()).y)


def test_missing_columns():
    with pytest.raises(LabelsError, match="none called device_id, in_household"):
        align_labels(ROWS, pd.DataFrame({"account_id": ["a"]}))


def test_labels_of_other_devices():
    with pytest.raises(LabelsError, match="devices that have sessions, got 2 labels, such as"):
        align_labels(ROWS, labels(account_id=["q"] * 4))


def test_no_label_at_all():
    with pytest.raises(LabelsError, match="devices that have sessions, got 0 labels"):
        align_labels(ROWS, labels(in_household=[None] * 4))


def test_contradictions_and_bad_values_are_told_together():
    wrong = pd.concat(
        [labels(), labels(in_household=["maybe", False, None, None], weight=[-1, 1, 1, 1])],
        ignore_index=True,
    )
    with pytest.raises(LabelsError, match="must agree, got both answers for 1 devices") as caught:
        align_labels(ROWS, wrong)
    assert len(caught.value.problems) == 3
    assert "got 'maybe'" in str(caught.value)
    assert "weight must be a finite number" in str(caught.value)
