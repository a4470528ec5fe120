"""Small tables beside the sessions, from whatever they are kept in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from household_ml.errors import FormatError, Problem

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["open_table"]


def open_table(
    source: pd.DataFrame | pa.Table | str | Path, name: str, *, text: Sequence[str]
) -> pa.Table:
    """A table as Arrow.

    Parameters
    ----------
    source : DataFrame, pyarrow.Table, str or Path
        The table, of pandas, Polars or whatever else hands out Arrow data; or a Parquet file or
        folder, a CSV or an Arrow IPC file.
    name : str
        What an error calls it.
    text : sequence of str
        Columns that are text even where a CSV file has digits in them.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    FormatError
        There is no such file, or it is none of the formats.

    Examples
    --------
    >>> open_table(pa.table({"account_id": ["a"]}), "accounts", text=["account_id"]).num_rows
    1
    """
    if isinstance(source, pa.Table):
        return source
    if not isinstance(source, str | Path):
        if hasattr(source, "columns") and hasattr(source, "index"):  # of pandas, without its index
            return pa.Table.from_pandas(source, preserve_index=False)
        if hasattr(source, "__arrow_c_stream__"):
            return pa.table(source)
        raise FormatError(
            Problem(
                f"the {name} table must be a DataFrame, an Arrow table or a path",
                type(source).__name__,
                "Give one of these.",
            )
        )
    path = Path(source)
    try:
        if path.suffix.lower() == ".csv":
            from pyarrow import csv

            kinds = dict.fromkeys(text, pa.large_string())
            return csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=kinds))
        if path.suffix.lower() in (".arrow", ".feather", ".ipc"):
            from pyarrow import feather

            return feather.read_table(path)
        from pyarrow import parquet

        return parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise FormatError(
            Problem(
                f"the {name} table must be a Parquet, CSV or Arrow IPC file",
                f"{str(path)!r} ({str(error).splitlines()[0]})",
                "Check the path and the format.",
            )
        ) from error
