"""Paid extra-member slots, read from the accounts table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from household_ml.errors import Problem, SchemaError
from household_ml.scoring.tables import open_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_accounts", "read_slots"]


def read_accounts(source: pd.DataFrame | pa.Table | str | Path) -> pa.Table:
    """The accounts table: ids and slots.

    Parameters
    ----------
    source : DataFrame, pyarrow.Table, str or Path
        The table, or a Parquet, CSV or Arrow IPC file.

    Returns
    -------
    pyarrow.Table
        ``account_id`` (large_string) and ``extra_members`` (int64, not null), one row per account.

    Raises
    ------
    SchemaError
        A column is missing, of a wrong type or out of range, or an account appears twice.
    FormatError
        There is no such file, or it is none of the three formats.
    """
    table = open_table(source, "accounts", text=["account_id"])
    if "account_id" not in table.column_names:
        raise SchemaError(
            Problem(
                "the accounts table must have the column account_id",
                f"the columns {', '.join(table.column_names) or '(none)'}",
                "Rename or add it.",
            )
        )
    ids = table["account_id"].cast(pa.large_string()).combine_chunks()
    if ids.null_count or pc.count_distinct(ids).as_py() != len(ids):
        raise SchemaError(
            Problem(
                "account_id must be given once per account in the accounts table",
                f"{len(ids)} rows, {pc.count_distinct(ids).as_py()} distinct ids, "
                f"{ids.null_count} nulls",
                "Keep one row per account.",
            )
        )
    slots = _slots(table)
    return pa.table({"account_id": ids, "extra_members": slots})


def read_slots(
    source: pd.DataFrame | pa.Table | str | Path | None, account_id: pa.Array
) -> npt.NDArray[np.int64]:
    """Extra-member slots of the account of each device.

    Parameters
    ----------
    source : DataFrame, pyarrow.Table, str, Path or None
        The accounts table; None when there is none.
    account_id : pyarrow string array of length D
        Account of each device.

    Returns
    -------
    int64 array of shape (D,)
        0 where the table, the row or the value is missing.

    Examples
    --------
    >>> accounts = pa.table({"account_id": ["b"], "extra_members": [2]})
    >>> read_slots(accounts, pa.array(["a", "b", "b"])).tolist()
    [0, 2, 2]
    """
    if source is None or len(account_id) == 0:
        return np.zeros(len(account_id), dtype=np.int64)
    accounts = read_accounts(source)
    row = pc.index_in(account_id.cast(pa.large_string()), value_set=accounts["account_id"])
    slots = accounts["extra_members"].combine_chunks().take(row)
    filled: npt.NDArray[np.int64] = pc.fill_null(slots, 0).to_numpy(zero_copy_only=False)
    return filled


def _slots(table: pa.Table) -> pa.Array:
    if "extra_members" not in table.column_names:
        return pa.array(np.zeros(table.num_rows, dtype=np.int64))
    given = table["extra_members"]
    try:
        slots = pc.fill_null(given.cast(pa.int64()).combine_chunks(), 0)
    except pa.ArrowInvalid as error:
        raise SchemaError(
            Problem(
                "extra_members must be an integer of at least 0",
                f"{given.type} with other values",
                "Give the number of paid slots; leave it empty for none.",
            )
        ) from error
    lowest = pc.min(slots).as_py()
    if lowest is not None and lowest < 0:
        raise SchemaError(
            Problem(
                "extra_members must be an integer of at least 0",
                str(lowest),
                "Give the number of paid slots; leave it empty for none.",
            )
        )
    return slots
