"""The truth of sessions is found by name or row by row, or refused in plain words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from household_ml.errors import LabelsError
from household_ml.modeling.truth import NOWHERE, SESSION_KEY, align_truth, name_sessions
from household_ml.sessions import read_sessions

#: Out of order, with a row that cannot be used and one that repeats another.
RAW = pd.DataFrame(
    {
        "account_id": ["b", "a", "a", "a", "a", "a"],
        "device_id": ["tv", "tv", "phone", "tv", "phone", "phone"],
        "started_at": [
            "2026-03-01T20:00:00Z",
            "2026-03-02T20:00:00Z",
            "2026-03-01T20:00:00Z",
            "2026-03-01T21:00:00Z",
            "2026-03-03T20:00:00Z",
            "2026-03-01T20:00:00Z",
        ],
        "ip": ["203.0.113.9", *["203.0.113.7"] * 3, "no address", "203.0.113.7"],
    }
)
TRUTH = pd.DataFrame(
    {
        "place_id": [900, 40, 40, 41, -1, 40],
        "line_id": [5, 6, 6, -1, 7, 6],
        "at_home": [True, True, True, False, False, True],
    }
)


def arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def test_row_by_row_whatever_reading_did_to_the_rows() -> None:
    sessions = read_sessions(RAW)
    truth = align_truth(sessions, name_sessions(arrow(TRUTH), arrow(RAW)))
    # account a: phone and tv of 1 March at 20 and 21 h, tv of 2 March; then account b
    assert sessions.account_rows.tolist() == [0, 3, 4]
    assert truth.place.tolist() == [0, 1, 0, 2]
    assert truth.line is not None
    assert truth.line.tolist() == [1, NOWHERE, 1, 0]
    assert truth.at_home is not None
    assert truth.at_home.tolist() == [True, False, True, True]


def test_by_name_in_any_order_and_among_others() -> None:
    sessions = read_sessions(RAW)
    named = pd.concat([RAW[list(SESSION_KEY)], TRUTH], axis=1)
    other = named.assign(account_id="stranger")
    mixed = pd.concat([other, named]).sample(frac=1.0, random_state=3)
    plain = align_truth(sessions, name_sessions(arrow(TRUTH), arrow(RAW)))
    found = align_truth(sessions, name_sessions(arrow(mixed), None))
    assert found.place.tolist() == plain.place.tolist()
    part = sessions.take_accounts(np.array([1]))
    assert align_truth(part, arrow(named)).place.tolist() == [0]


def test_columns_of_either_simulator_are_read() -> None:
    sessions = read_sessions(RAW)
    ours = TRUTH.rename(columns={"at_home": "at_main_home"}).assign(
        access=["fixed", "vpn", "vpn", "fixed", "fixed", "vpn"], line_id=[5, 6, 6, 8, 7, 6]
    )
    found = align_truth(sessions, name_sessions(arrow(ours), arrow(RAW)))
    assert found.at_home is not None
    assert found.at_home.tolist() == [True, False, True, True]
    assert found.line is not None
    assert found.line.tolist() == [NOWHERE, 1, NOWHERE, 0]


def test_nulls_and_floats_stand_for_no_place() -> None:
    floats = TRUTH[["place_id"]].astype(float).replace(-1.0, np.nan)
    found = align_truth(read_sessions(RAW), name_sessions(arrow(floats), arrow(RAW)))
    assert found.place.tolist() == [0, 1, 0, 2]
    assert (found.line, found.at_home) == (None, None)


def test_a_truth_of_other_rows_is_refused() -> None:
    with pytest.raises(LabelsError, match=r"one row per row .* got 5 rows .* for 6 sessions"):
        name_sessions(arrow(TRUTH[:5]), arrow(RAW))
    with pytest.raises(LabelsError, match=r"got 6 rows without account_id.* for no table"):
        name_sessions(arrow(TRUTH), None)


def test_a_truth_that_is_silent_on_sessions_is_refused() -> None:
    named = pd.concat([RAW[list(SESSION_KEY)], TRUTH], axis=1)[named_but_one()]
    with pytest.raises(
        LabelsError, match=r"every session .* none of them of 1 of 4 sessions, such as one of 'tv'"
    ):
        align_truth(read_sessions(RAW), arrow(named))


def named_but_one() -> np.ndarray:
    return ~((RAW["account_id"] == "a") & (RAW["started_at"] == "2026-03-02T20:00:00Z")).to_numpy()


def test_what_cannot_be_read_is_told_together() -> None:
    named = name_sessions(arrow(pd.DataFrame({"line_id": ["x"] * 6})), arrow(RAW))
    with pytest.raises(
        LabelsError, match=r"must have the column place_id.*line_id of the truth must hold whole"
    ):
        align_truth(read_sessions(RAW), named)
