"""Taking in pieces of an input: each row is accepted into a spill file, or rejected.

Pieces may be taken in side by side, in any order and again after a kill: what comes of a piece
depends on it alone, but for the texts of ids, which are written where an id is met first. Every id
of an accepted row is told by at least one of the pieces taken in by one `Intake`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from household_ml.sessions.identity import Hashes, find_first_seen, hash_ids, seen_table
from household_ml.sessions.pieces import BATCH_ROWS, Piece
from household_ml.sessions.raw import RawSessions
from household_ml.sessions.spill import Chunk, SpillWriter, columns_of
from household_ml.sessions.splitting import Splitters, find_partitions, known_accounts
from household_ml.sessions.validation import Judged, judge

__all__ = ["CHUNK_ROWS", "Intake", "rejected_path"]

#: Rows that are laid out by partition at a time.
CHUNK_ROWS = 1 << 19

_ACCOUNT, _DEVICE, _PROFILE = range(3)


def rejected_path(path: Path) -> Path:
    """Where the rows rejected from a piece lie, beside its spill file; none, no file."""
    return path.with_suffix(".rejected")


@dataclass
class Intake:
    """How pieces of one input are taken in.

    Parameters
    ----------
    names : sequence of str
        Columns of the contract that some file of the input has.
    splitters : Splitters
        How accounts are split over partitions.
    seed : int
        Of the hashes, below 2**62.
    now : int
        Microseconds since 1970, UTC, from which clock skew is judged.
    rows : int
        Rows of the whole input, counted or guessed.
    """

    names: Sequence[str]
    splitters: Splitters
    seed: int
    now: int
    rows: int
    _known: Hashes = field(init=False, repr=False)
    _seen: Hashes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._known = known_accounts(self.rows)
        self._seen = seen_table(self.rows)

    def chunk(self) -> Chunk:
        """Room for the rows of one thread."""
        capacity = min(CHUNK_ROWS, max(self.rows, 1 << 12))
        return Chunk(columns_of(self.names), self.splitters.partitions, capacity)

    def take(
        self,
        piece: Piece,
        names: Sequence[str],
        path: Path,
        chunk: Chunk,
        tell: Callable[[int], object] | None = None,
    ) -> dict[str, Any]:
        """Take in one piece.

        Parameters
        ----------
        piece : Piece
            What to read.
        names : sequence of str
            Columns of the contract that its file has.
        path : Path
            Spill file to write.
        chunk : Chunk
            Room to work in.
        tell : callable, optional
            Told the number of rows after each batch.

        Returns
        -------
        dict
            What is known of the piece: rows in, rows used, rejected by reason, last start, values
            set to null.

        Raises
        ------
        FormatError
            The file is damaged; nothing is left behind.
        """
        tally = _Tally()
        writer = SpillWriter(path, chunk)
        try:
            for raw in piece.read(names):
                self._add(raw, writer, tally)
                if tell is not None:
                    tell(len(raw))
            tally.save_rejected(rejected_path(path))
            about = tally.about()
            writer.close(about)
        except BaseException:
            writer.abandon()
            rejected_path(path).unlink(missing_ok=True)
            raise
        return about

    def _add(self, raw: RawSessions, writer: SpillWriter, tally: _Tally) -> None:
        for start in range(0, max(len(raw), 1), BATCH_ROWS):
            part = raw if len(raw) <= BATCH_ROWS else _slice(raw, start, BATCH_ROWS)
            if writer.chunk.room < len(part):
                writer.flush()
            self._add_batch(part, writer.chunk, tally)

    def _add_batch(self, raw: RawSessions, chunk: Chunk, tally: _Tally) -> None:
        account_id, device_id = (_text(raw, name) for name in ("account_id", "device_id"))
        account, no_account = hash_ids(account_id, self.seed)
        device, no_device = hash_ids(device_id, self.seed + 1, account)
        judged = judge(raw, no_account, no_device, self.now)
        tally.add(raw, judged)
        refused = judged.reasons > 0
        kept = np.flatnonzero(~refused)
        if kept.size == 0:
            return
        part, new = find_partitions(account_id, account, refused, self.splitters, self._known)
        values: dict[str, npt.NDArray[Any]] = {
            **judged.values,
            "account": account,
            "device": device,
            "row": (raw.row_numbers(np.arange(len(raw)))).astype(np.uint32),
        }
        first_row = chunk.rows
        chunk.add_texts(_ACCOUNT, account_id, kept, new, first_row)
        new = np.empty(len(raw), np.bool_)
        if find_first_seen(device, refused, self._seen, new):
            chunk.add_texts(_DEVICE, device_id, kept, new, first_row)
        if "profile" in chunk.columns:
            profile_id = _text(raw, "profile_id")
            profile, none = hash_ids(profile_id, self.seed + 2, account)
            profile[none] = 0
            values["profile"] = profile
            if find_first_seen(profile, refused | none, self._seen, new):
                chunk.add_texts(_PROFILE, profile_id, kept, new, first_row)
        if kept.size < len(raw):
            part = part[kept]
            values = {name: column[kept] for name, column in values.items()}
        chunk.add(part, values)


def _text(raw: RawSessions, name: str) -> pa.ChunkedArray:
    column = raw.columns.get(name)
    if column is None:
        return pa.chunked_array([pa.nulls(len(raw), pa.large_string())])
    kind = column.type
    plain = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return column if plain else column.cast(pa.large_string())


def _slice(raw: RawSessions, start: int, rows: int) -> RawSessions:
    """Some rows of a batch; what was refused goes with the first of them."""
    stop = min(start + rows, len(raw))
    return RawSessions(
        raw.source,
        {name: column.slice(start, stop - start) for name, column in raw.columns.items()},
        raw.rows + start if isinstance(raw.rows, int) else raw.rows[start:stop],
        raw.refused if start == 0 else raw.refused.slice(0, 0),
    )


@dataclass
class _Tally:
    """What came of the rows of a piece."""

    rows_in: int = 0
    used: int = 0
    last: int | None = None
    rejected: list[pa.Table] = field(default_factory=list)
    dropped: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, raw: RawSessions, judged: Judged) -> None:
        self.rows_in += len(raw) + len(raw.refused)
        accepted = judged.reasons == 0
        used = int(np.count_nonzero(accepted))
        self.used += used
        if used:
            at = judged.values["started_at"]
            last = int((at if used == len(at) else at[accepted]).max())
            self.last = last if self.last is None else max(last, self.last)
        if judged.rejected.num_rows:
            self.rejected.append(judged.rejected)
        for name, (count, note) in judged.dropped.items():
            before, first = self.dropped.get(name, (0, note))
            self.dropped[name] = (before + count, first)

    def about(self) -> dict[str, Any]:
        reasons: dict[str, int] = {}
        for table in self.rejected:
            for entry in table["reason"].value_counts().to_pylist():
                reasons[entry["values"]] = reasons.get(entry["values"], 0) + entry["counts"]
        return {
            "rows_in": self.rows_in,
            "used": self.used,
            "rejected": reasons,
            "last": self.last,
            "dropped": self.dropped,
        }

    def save_rejected(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        if self.rejected:
            pq.write_table(pa.concat_tables(self.rejected), path, compression="zstd")
