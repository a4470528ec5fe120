"""An input taken in piece by piece and read back partition by partition, as batches are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from household_ml.schema import SESSIONS
from household_ml.sessions import Sessions
from household_ml.sessions.intake import Intake, rejected_path
from household_ml.sessions.partition import Partition, Room, read_partition
from household_ml.sessions.pieces import pieces_of, sample_column
from household_ml.sessions.read import open_files
from household_ml.sessions.spill import SpillFile
from household_ml.sessions.splitting import choose_splitters
from household_ml.sessions.table import ROW_COLUMNS
from tests.sessions.histories import NOW


def take_in(source: Path, folder: Path, partitions: int) -> tuple[list[SpillFile], pa.Table]:
    """Spill files of an input, and its rejected rows."""
    files, _ = open_files(source)
    pieces = [(piece, file) for file in files for piece in pieces_of(file)]
    names = {name for file in files for name in file.columns}
    sample = sample_column([piece for piece, _ in pieces], "account_id", 50, 200)
    intake = Intake(
        [name for name in SESSIONS.names if name in names],
        choose_splitters(sample, partitions),
        seed=7,
        now=NOW,
        rows=sum(piece.rows for piece, _ in pieces),
    )
    chunk, spilled, rejected = intake.chunk(), [], []
    for number, (piece, file) in enumerate(pieces):
        path = folder / f"{number}.rows"
        own = [name for name in SESSIONS.names if name in file.columns]
        intake.take(piece, own, path, chunk)
        spilled.append(SpillFile(path))
        if rejected_path(path).exists():
            rejected.append(pq.read_table(rejected_path(path)))
    return spilled, pa.concat_tables(rejected) if rejected else pa.table({})


def read_back(files: list[SpillFile]) -> list[Partition]:
    """All partitions that hold a row, in order."""
    room = Room()
    found = [read_partition(files, number, room) for number in range(files[0].index.shape[1])]
    return [each for each in found if each is not None]


def columns(*parts: Sessions) -> dict[str, Any]:
    """Everything that sessions of several partitions say, put together."""
    told: dict[str, Any] = {
        name: [text for part in parts for text in getattr(part, name).to_pylist()]
        for name in ("account_id", "device_id")
    }
    for name in ("account_rows", "account_devices"):
        told[name] = np.concatenate([np.diff(getattr(part, name)) for part in parts]).tolist()
    for name in ROW_COLUMNS:
        column = np.concatenate([getattr(part, name) for part in parts])
        told[name] = (column.dtype, np.nan_to_num(column, nan=-1.0).tolist())
    return told
