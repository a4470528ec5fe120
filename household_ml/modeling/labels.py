"""Labels put beside the devices they speak of, or a plain word on why they cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from household_ml.errors import LabelsError, Problem

__all__ = ["AlignedLabels", "DeviceRows", "align_labels"]

Floats = npt.NDArray[np.float64]

_YES = {"true", "t", "yes", "y", "1", "1.0"}
_NO = {"false", "f", "no", "n", "0", "0.0"}


class DeviceRows(Protocol):
    """Anything with one row per device, such as a feature table.

    Attributes
    ----------
    account_id, device_id : Arrow string arrays of shape (D,)
    """

    @property
    def account_id(self) -> pa.Array:
        """Account of each row."""

    @property
    def device_id(self) -> pa.Array:
        """Device of each row."""


@dataclass(frozen=True)
class AlignedLabels:
    """Labels in the order of a feature table.

    Parameters
    ----------
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = no label.
    weight : float64 array of shape (D,)
        Weight in training; 1 when not given, 0 without a label.
    situation : object array of str, shape (D,)
        Evaluation slice; empty when not given.
    ambiguous : bool array of shape (D,)
        Policy open.
    unmatched : int
        Labels of devices that have no row, such as devices without a session before ``as_of``.
    strangers : int, default=0
        Of these, labels of accounts that have no row either.
    unanswered : int, default=0
        Rows of the labels table that name no device or give no answer.
    """

    y: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    situation: npt.NDArray[np.object_]
    ambiguous: npt.NDArray[np.bool_]
    unmatched: int
    strangers: int = 0
    unanswered: int = 0

    def to_text(self) -> str:
        """What became of the labels, a line for each thing there is to know.

        Examples
        --------
        >>> answers, settled = np.array([1.0, 0.0, np.nan]), np.zeros(3, dtype=bool)
        >>> given = AlignedLabels(answers, np.ones(3), np.full(3, ""), settled, 4, strangers=1)
        >>> print(given.to_text())
        2 of 3 devices are labelled: 1 household, 1 outside.
        4 labels are of devices without a session in the window, 1 of them of unknown accounts.
        """
        settled = np.isfinite(self.y) & ~self.ambiguous
        household, outside = int((self.y[settled] == 1).sum()), int((self.y[settled] == 0).sum())
        lines = [
            f"{household + outside:,} of {self.y.size:,} devices are labelled: "
            f"{household:,} household, {outside:,} outside."
        ]
        open_cases = int((np.isfinite(self.y) & self.ambiguous).sum())
        if open_cases:
            lines.append(f"{open_cases:,} labels are policy_ambiguous and are not learnt from.")
        if self.unmatched:
            unknown = f", {self.strangers:,} of them of unknown accounts" if self.strangers else ""
            lines.append(
                f"{self.unmatched:,} labels are of devices without a session in the window"
                f"{unknown}."
            )
        if self.unanswered:
            lines.append(f"{self.unanswered:,} rows of the labels name no device or no answer.")
        return "\n".join(lines)


def align_labels(devices: DeviceRows, labels: pd.DataFrame | pa.Table) -> AlignedLabels:
    """Find the label of each device.

    A label that is given twice is fine as long as it says the same; of differing weights,
    situations and marks the first one counts. ``in_household`` may be boolean, 0 and 1, or the
    words a CSV file holds; a null is no label.

    Parameters
    ----------
    devices : DeviceRows
        A table with ``account_id`` and ``device_id`` in each of its D rows.
    labels : DataFrame or pyarrow.Table
        Table ``labels`` of the contract, of pandas, Polars or whatever hands out Arrow data.

    Returns
    -------
    AlignedLabels

    Raises
    ------
    LabelsError
        When columns are missing, values cannot be read, labels contradict each other, or not one
        belongs to a device. What is wrong is told together.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> rows = SimpleNamespace(account_id=pa.array(["a", "a"]), device_id=pa.array(["tv", "ph"]))
    >>> given = pd.DataFrame({"account_id": ["a"], "device_id": ["ph"], "in_household": [False]})
    >>> align_labels(rows, given).y.tolist()
    [nan, 0.0]
    """
    if not isinstance(labels, pd.DataFrame):
        labels = pa.table(labels).to_pandas()
    needed = ("account_id", "device_id", "in_household")
    lacking = [name for name in needed if name not in labels.columns]
    if lacking:
        raise LabelsError(
            Problem(
                f"labels must have the columns {', '.join(needed)}",
                f"none called {', '.join(lacking)}",
                "Rename or add them; see the table labels of the contract.",
            )
        )
    account = labels["account_id"].astype("string")
    device = labels["device_id"].astype("string")
    answer, unread = _answers(labels["in_household"])
    weight, bad_weights = _weights(labels)
    named = (account.notna() & device.notna()).to_numpy() & np.isfinite(answer)
    pairs = pd.MultiIndex.from_arrays([account[named], device[named]])
    unique = pairs.unique()
    code = unique.get_indexer(pairs)
    said = answer[named]
    yes = np.zeros(len(unique), dtype=bool)
    no = np.zeros(len(unique), dtype=bool)
    yes[code[said == 1.0]] = True
    no[code[said == 0.0]] = True
    rows = pd.MultiIndex.from_arrays(
        [devices.account_id.to_pandas(), devices.device_id.to_pandas()]
    )
    position = unique.get_indexer(rows)
    matched = position >= 0
    problems = [
        *unread,
        *bad_weights,
        *_contradictions(unique, np.flatnonzero(yes & no)),
        *_strangers(rows, unique, matched),
    ]
    if problems:
        raise LabelsError(problems)
    first = np.full(len(unique), -1, dtype=np.int64)
    first[code[::-1]] = np.flatnonzero(named)[::-1]
    source = first[position[matched]]

    def spread(values: npt.NDArray[Any], empty: Any) -> npt.NDArray[Any]:
        column = np.full(len(rows), empty, dtype=values.dtype)
        column[matched] = values[source]
        return column

    lost = np.ones(len(unique), dtype=bool)
    lost[position[matched]] = False
    accounts = rows.get_level_values(0)
    return AlignedLabels(
        y=spread(answer, np.nan),
        weight=spread(weight, 0.0),
        situation=spread(_situations(labels), ""),
        ambiguous=spread(_marks(labels), False),
        unmatched=int(lost.sum()),
        strangers=int((~unique[lost].get_level_values(0).isin(accounts)).sum()),
        unanswered=int((~named).sum()),
    )


def _answers(column: pd.Series) -> tuple[Floats, list[Problem]]:
    answer: Floats
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        answer = np.asarray(column.astype("Float64").to_numpy(na_value=np.nan), dtype=np.float64)
        wrong = np.isfinite(answer) & ~np.isin(answer, (0.0, 1.0))
        shown = [f"{value:g}" for value in answer[wrong]]
    else:
        text = column.astype("string").str.strip().str.lower()
        text = text.mask(text == "")
        answer = np.full(len(column), np.nan)
        answer[text.isin(list(_YES)).to_numpy()] = 1.0
        answer[text.isin(list(_NO)).to_numpy()] = 0.0
        wrong = (text.notna().to_numpy()) & ~np.isfinite(answer)
        shown = [repr(value) for value in text[wrong]]
    if not wrong.any():
        return answer, []
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    problem = Problem(
        "in_household must be true, false or null",
        ", ".join(shown[:3]) + more,
        "Write true for a device whose main user lives at the account's main home.",
    )
    return answer, [problem]


def _weights(labels: pd.DataFrame) -> tuple[Floats, list[Problem]]:
    weight: Floats
    if "weight" not in labels.columns:
        return np.ones(len(labels)), []
    column = pd.to_numeric(labels["weight"], errors="coerce")
    weight = np.asarray(column.astype("Float64").to_numpy(na_value=np.nan), dtype=np.float64)
    given = labels["weight"].notna().to_numpy()
    wrong = given & ~(np.isfinite(weight) & (weight >= 0))
    if not wrong.any():
        return np.where(given, weight, 1.0), []
    problem = Problem(
        "weight must be a finite number that is not negative",
        f"{int(wrong.sum())} others, the first {labels['weight'][wrong].iloc[0]!r}",
        "Leave the column out, or null, for a weight of 1.",
    )
    return weight, [problem]


def _situations(labels: pd.DataFrame) -> npt.NDArray[np.object_]:
    if "situation" not in labels.columns:
        return np.full(len(labels), "", dtype=object)
    return labels["situation"].astype("string").fillna("").to_numpy(dtype=object)


def _marks(labels: pd.DataFrame) -> npt.NDArray[np.bool_]:
    if "policy_ambiguous" not in labels.columns:
        return np.zeros(len(labels), dtype=bool)
    answer, _ = _answers(labels["policy_ambiguous"])
    return np.asarray(answer == 1.0)


def _contradictions(unique: Any, both: npt.NDArray[np.int64]) -> list[Problem]:
    if both.size == 0:
        return []
    account, device = unique[both[0]]
    return [
        Problem(
            "labels of one device must agree",
            f"both answers for {both.size} devices, such as {device!r} of account {account!r}",
            "Keep the answer that holds at as_of.",
        )
    ]


def _strangers(rows: Any, unique: Any, matched: npt.NDArray[np.bool_]) -> list[Problem]:
    if matched.any():
        return []
    example = f", such as {unique[0][1]!r} of account {unique[0][0]!r}" if len(unique) else ""
    seen = f"; sessions have {rows[0][1]!r} of account {rows[0][0]!r}" if len(rows) else ""
    return [
        Problem(
            "labels must be of devices that have sessions",
            f"{len(unique)} labels{example}{seen}",
            "Use the account and device ids of the sessions, in the same form.",
        )
    ]
