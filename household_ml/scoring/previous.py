"""The scores before, from which today's verdicts carry on."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.errors import ParameterError, Problem, SchemaError
from household_ml.schema import VERDICTS
from household_ml.scoring.hysteresis import NO_TIME, STANDING, Earlier, Standing
from household_ml.scoring.tables import open_table
from household_ml.scoring.verdicts import Verdict, decide

if TYPE_CHECKING:
    import pandas as pd

    from household_ml.modeling.thresholds import Thresholds

__all__ = ["PreviousScores", "read_previous"]

Ints = npt.NDArray[np.int64]

_TIME: Final = pa.timestamp("us", tz="UTC")
_IDS: Final = ("account_id", "device_id")
_READ: Final = {"as_of": _TIME, "household_probability": pa.float64(), "verdict": pa.string()}
_NEEDED: Final = (*_IDS, *_READ)


@dataclass(frozen=True, eq=False)
class PreviousScores:
    """A scores table in which devices can be looked up.

    Parameters
    ----------
    table : pyarrow.Table
        Ids, ``as_of``, probability, verdict and, all of them or none, the columns
        :data:`~household_ml.scoring.hysteresis.STANDING`; ordered by account, then device, without
        nulls but in the last two, and each device once. See :func:`read_previous`.
    """

    table: pa.Table

    @cached_property
    def latest(self) -> int:
        """Last ``as_of`` in it, microseconds since the epoch; the lowest integer when empty."""
        last = pc.max(self.table["as_of"].cast(pa.int64())).as_py()
        return int(np.iinfo(np.int64).min) if last is None else int(last)

    def earlier(
        self,
        account_id: pa.Array,
        device_id: pa.Array,
        *,
        moment: int,
        thresholds: Thresholds,
        use: Callable[[Ints], Ints],
    ) -> Earlier:
        """What the table says of devices.

        Parameters
        ----------
        account_id, device_id : pyarrow.Array of string, shape (D,)
            The devices.
        moment : int
            ``as_of`` of the scoring that asks, microseconds since the epoch.
        thresholds : Thresholds
            Those of the model that now answers; they tell what was called for.
        use : callable
            Given a moment for each device, tells on how many days it was used since; see
            :func:`~household_ml.scoring.use.days_of_use`.

        Returns
        -------
        Earlier
            Of D devices; those that the table does not have are not ``known``.

        Raises
        ------
        ParameterError
            The table was scored after ``moment``: nothing after it may change anything.
        """
        if self.latest > moment:
            raise ParameterError(
                Problem(
                    "previous must have been scored no later than as_of",
                    f"{_iso(self.latest)} after {_iso(moment)}",
                    "Give the scores of an earlier as_of, or score in the order of time.",
                )
            )
        row = self._rows(account_id, device_id)
        known = row >= 0
        taken = self.table.take(pa.array(np.maximum(row, 0))) if len(self.table) else None
        if taken is None or not known.any():
            return _unknown(len(row), moment)
        probability = taken["household_probability"].to_numpy()
        code = pc.index_in(taken["verdict"], value_set=pa.array(VERDICTS)).to_numpy()
        verdict = np.where(code == Verdict.EXTRA_MEMBER, Verdict.OUTSIDE, code).astype(np.int8)
        as_of = taken["as_of"].cast(pa.int64()).to_numpy()
        none = np.full(len(row), NO_TIME)
        carried = STANDING[0].name in taken.column_names
        times = [_times(taken[column.name]) for column in STANDING] if carried else []
        call = decide(
            probability,
            np.zeros(len(row), dtype=bool),
            household_at=thresholds.household_at,
            outside_at=thresholds.outside_at,
        )
        if carried:
            standing = Standing(verdict, times[0], times[1], times[2])
        else:  # the first of a series: one day's answer accuses nobody
            accused = verdict == Verdict.OUTSIDE
            verdict = np.where(accused, np.int8(Verdict.UNDETERMINED), verdict)
            standing = Standing(verdict, as_of, np.where(accused, as_of, NO_TIME), none)
        used = [
            use(np.where(known, since, NO_TIME))
            for since in (standing.called_since, standing.doubted_since)
        ]
        recognised = known & (code == Verdict.EXTRA_MEMBER)
        return Earlier(moment, known, call, standing, used[0], used[1], recognised)

    def _rows(self, account_id: pa.Array, device_id: pa.Array) -> Ints:
        """Row of each device, -1 = none."""
        missing = np.full(len(account_id), -1, dtype=np.int64)
        if len(account_id) == 0 or len(self.table) == 0:
            return missing
        accounts = account_id.cast(pa.large_string())
        devices = device_id.cast(pa.large_string())
        own = self.table["account_id"].combine_chunks()
        # whole accounts are scored a chunk at a time, in their order: only their part is looked at
        ends = pc.min_max(accounts).as_py()
        rows = range(len(own))
        first = bisect_left(rows, ends["min"], key=lambda row: own[row].as_py())
        stop = bisect_right(rows, ends["max"], key=lambda row: own[row].as_py())
        part = self.table.slice(first, stop - first)
        if len(part) == 0:
            return missing
        names = [part[name].combine_chunks().dictionary_encode() for name in _IDS]
        width = len(names[1].dictionary)
        at = [
            pc.fill_null(pc.index_in(ids, value_set=name.dictionary), -1).to_numpy()
            for ids, name in zip((accounts, devices), names, strict=True)
        ]
        asked = at[0].astype(np.int64) * width + at[1]
        kept = names[0].indices.to_numpy().astype(np.int64) * width + names[1].indices.to_numpy()
        order = np.argsort(kept, kind="stable")
        found = np.minimum(np.searchsorted(kept[order], asked), len(kept) - 1)
        hit = (at[0] >= 0) & (at[1] >= 0) & (kept[order[found]] == asked)
        return np.where(hit, first + order[found], -1)


def read_previous(source: PreviousScores | pd.DataFrame | pa.Table | str | Path) -> PreviousScores:
    """The scores before, ready to be looked up in.

    Parameters
    ----------
    source : PreviousScores, DataFrame, pyarrow.Table, str or Path
        A scores table, or a Parquet file or folder, CSV or Arrow IPC file that holds one.

    Returns
    -------
    PreviousScores

    Raises
    ------
    SchemaError
        It is no scores table: a column is missing or of another type, a value is missing or out
        of its range, or a device appears twice.
    FormatError
        There is no such file, or it is none of the formats.

    Examples
    --------
    >>> day = pa.array([0], pa.timestamp("us", tz="UTC"))
    >>> scores = pa.table({
    ...     "account_id": ["a"], "device_id": ["tv"], "as_of": day,
    ...     "household_probability": [0.97], "verdict": ["household"],
    ... })
    >>> read_previous(scores).table.num_rows
    1
    """
    if isinstance(source, PreviousScores):
        return source
    given = open_table(source, "previous scores", text=_IDS)
    missing = [name for name in _NEEDED if name not in given.column_names]
    if missing:
        raise SchemaError(
            Problem(
                f"previous scores must have the columns {', '.join(_NEEDED)}",
                f"no {', '.join(missing)}",
                "Give a table that household-ml score wrote.",
            )
        )
    kinds = {**dict.fromkeys(_IDS, pa.large_string()), **_READ}
    standing = [column.name for column in STANDING]
    if set(standing) <= set(given.column_names):
        kinds |= dict.fromkeys(standing, _TIME)
    table = pa.table({name: _column(given[name], kind, name) for name, kind in kinds.items()})
    _check(table)
    return PreviousScores(_ordered(table))


def _column(column: pa.ChunkedArray, kind: pa.DataType, name: str) -> pa.ChunkedArray:
    try:
        if pa.types.is_timestamp(kind) and _is_text(column.type):
            column = pc.if_else(pc.equal(column, ""), None, column)
        return column.cast(kind)
    except pa.ArrowException as error:
        raise SchemaError(
            Problem(
                f"{name} of previous scores must be of type {kind}",
                f"{column.type} ({str(error).splitlines()[0]})",
                "Give a table that household-ml score wrote.",
            )
        ) from error


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check(table: pa.Table) -> None:
    nullable = {column.name for column in STANDING if not column.needed}
    empty = [name for name in table.column_names if name not in nullable and table[name].null_count]
    problems = [
        Problem(f"{name} of previous scores must be given in every row", "null", "Fill it in.")
        for name in empty
    ]
    odd = pc.unique(table["verdict"]).to_pylist()
    problems += [
        Problem(
            f"verdict of previous scores must be one of {', '.join(VERDICTS)}",
            repr(word),
            "Give a table that household-ml score wrote.",
        )
        for word in odd
        if word is not None and word not in VERDICTS
    ]
    if problems:
        raise SchemaError(problems)


def _ordered(table: pa.Table) -> pa.Table:
    """By account and device, each once."""
    table = table.combine_chunks()
    if len(table) < 2:
        return table
    if not _rises(table):
        table = table.sort_by([(name, "ascending") for name in _IDS]).combine_chunks()
        if not _rises(table):
            raise SchemaError(
                Problem(
                    "previous scores must have each device once",
                    "a device with two rows",
                    "Give the scores of one as_of.",
                )
            )
    return table


def _rises(table: pa.Table) -> bool:
    """Whether each row comes strictly after the one before."""
    account, device = (table[name].combine_chunks() for name in _IDS)
    before, after = account[:-1], account[1:]
    in_order = pc.or_(
        pc.less(before, after),
        pc.and_(pc.equal(before, after), pc.less(device[:-1], device[1:])),
    )
    return bool(pc.all(in_order).as_py())


def _unknown(devices: int, moment: int) -> Earlier:
    none = np.full(devices, NO_TIME)
    undetermined = np.full(devices, Verdict.UNDETERMINED, dtype=np.int8)
    standing = Standing(undetermined, np.full(devices, moment), none, none)
    unused = np.zeros(devices, dtype=np.int64)
    known = np.zeros(devices, dtype=bool)
    return Earlier(moment, known, undetermined, standing, unused, unused, known)


def _times(column: pa.ChunkedArray) -> Ints:
    times: Ints = pc.fill_null(column.cast(pa.int64()), NO_TIME).to_numpy()
    return times


def _iso(moment: int) -> str:
    return str(np.datetime64(moment, "us")) + "Z"
