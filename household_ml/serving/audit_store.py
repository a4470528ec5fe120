"""The file of the audit record: one SQLite database that is only ever added to.

SQLite and not Parquet parts, because a record is written by several processes at once, some of
which are killed, is looked up one at a time, and must be erased one account at a time: a
transaction is there whole or not at all, an index finds a record among millions, and what is
erased is overwritten in place. The database is in WAL mode, each transaction is flushed to the disk
before it counts as written, and writers wait for each other. The file must lie on a local disk: WAL
does not work over network file systems.

Triggers refuse to change a row at all, and to delete one outside of an erasure, which leaves a line
about itself. They guard against mistakes; against people who can write to the file, the seal of
each answer tells that it was changed, and backups that it was taken away.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from household_ml.errors import AuditError, Problem
from household_ml.serving.audit_records import AuditedAnswer, AuditedDevice, AuditedModel

__all__ = ["AuditStore"]

#: What the file says it is, in its header: the letters "hhau".
_APPLICATION: Final = 0x68686175
_FORMAT: Final = 2

_WAIT_SECONDS: Final = 60.0

_TABLES: Final = """
CREATE TABLE models (
  number INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,
  label TEXT NOT NULL,
  features TEXT NOT NULL  -- names, a JSON list
);
CREATE TABLE answers (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account TEXT NOT NULL,  -- pseudonym
  as_of INTEGER NOT NULL,  -- microseconds since 1970, UTC
  model INTEGER NOT NULL REFERENCES models,
  software TEXT NOT NULL,
  sessions INTEGER NOT NULL,
  days INTEGER NOT NULL,
  slots INTEGER NOT NULL,
  source TEXT NOT NULL,
  written_at INTEGER NOT NULL  -- microseconds since 1970, UTC
);
CREATE INDEX answers_by_account ON answers (account, as_of);
CREATE INDEX answers_by_time ON answers (as_of);
CREATE TABLE records (
  answer INTEGER NOT NULL REFERENCES answers,
  device_number INTEGER NOT NULL,  -- from 1
  device TEXT NOT NULL,  -- pseudonym
  place INTEGER NOT NULL,
  last_home_at INTEGER,  -- microseconds since 1970, UTC
  sessions INTEGER NOT NULL,
  probability REAL NOT NULL,
  verdict TEXT NOT NULL,
  reasons TEXT NOT NULL,  -- codes, joined by a space
  earlier BLOB,  -- what the scoring before said, where verdicts carry over
  features BLOB NOT NULL,  -- little-endian float64, in the order of models.features
  PRIMARY KEY (answer, device_number)
) WITHOUT ROWID;
CREATE TABLE erasures (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,  -- microseconds since 1970, UTC
  what TEXT NOT NULL,
  records INTEGER  -- how many; null while it is going on
);
"""

_GUARDS: Final = "".join(
    f"""
CREATE TRIGGER {table}_stay BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, 'the audit record is only added to'); END;
CREATE TRIGGER {table}_kept BEFORE DELETE ON {table}
WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE records IS NULL)
BEGIN SELECT RAISE(ABORT, 'the audit record is only added to'); END;
"""
    for table in ("models", "answers", "records")
)


class AuditStore:
    """One file of answers.

    Parameters
    ----------
    path : Path
        The file.
    create : bool, default=False
        Make it when it is not there.

    Raises
    ------
    AuditError
        There is no such file, it is no audit record, or it cannot be opened.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._opened: tuple[int, sqlite3.Connection] | None = None
        if not create and not path.is_file():
            raise AuditError(
                Problem(
                    "the audit record must be a file that exists",
                    repr(str(path)),
                    "household-ml score --audit PATH and the service write one.",
                )
            )
        with self._using(writing=True) if create else self._using() as connection:
            connection.execute("SELECT 1 FROM answers LIMIT 1")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._opened is not None and self._opened[0] == os.getpid():
                self._opened[1].close()
            self._opened = None

    def add(self, answers: Sequence[AuditedAnswer]) -> int:
        """Add answers in one transaction, on the disk when this returns.

        Returns
        -------
        int
            How many were new; those that are there already are left as they are.
        """
        now = time.time_ns() // 1_000
        with self._using(writing=True) as connection:
            fresh = _fresh(connection, answers)
            models = {m: _model_number(connection, m) for m in {a.model for a in fresh}}
            (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM answers").fetchone()
            numbered = list(enumerate(fresh, start=last + 1))
            connection.executemany(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (n, a.id, a.account, a.as_of, models[a.model], *_counted(a), now)
                    for n, a in numbered
                ),
            )
            connection.executemany(
                "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        n,
                        i,
                        d.device,
                        d.place,
                        d.last_home_at,
                        d.sessions,
                        *_said(d),
                        d.earlier,
                        d.values,
                    )
                    for n, a in numbered
                    for i, d in enumerate(a.devices, start=1)
                ),
            )
        return len(fresh)

    def find(
        self,
        *,
        beginning: str | None = None,
        accounts: Sequence[str] | None = None,
        limit: int = -1,
    ) -> list[AuditedAnswer]:
        """Answers whose id begins so, or of accounts by any of these pseudonyms; oldest first."""
        where = ["1"]
        given: list[str] = []
        if beginning is not None:
            where.append("id >= ? AND id < ?")
            given += [beginning, beginning + "g"]
        if accounts is not None:
            where.append(f"account IN ({_marks(accounts)})")
            given += accounts
        with self._using() as connection:
            rows = connection.execute(
                "SELECT answers.*, digest, label, features FROM answers JOIN models"
                " ON models.number = answers.model"
                f" WHERE {' AND '.join(where)} ORDER BY as_of, answers.number LIMIT {int(limit)}",
                given,
            ).fetchall()
            return [_answer(connection, row) for row in rows]

    def erase(
        self,
        what: str,
        *,
        accounts: Sequence[str] | None = None,
        before: int | None = None,
        dry_run: bool = False,
    ) -> int:
        """Erase answers of accounts, those from before a moment, or those of both kinds at once.

        Returns
        -------
        int
            Records erased, or that would be.
        """
        where: list[str] = []
        given: list[str | int] = []
        if accounts is not None:
            where.append(f"account IN ({_marks(accounts)})")
            given += accounts
        if before is not None:
            where.append("as_of < ?")
            given.append(before)
        chosen = f"SELECT number FROM answers WHERE {' AND '.join(where) or '1'}"
        with self._using(writing=not dry_run) as connection:
            (count,) = connection.execute(
                f"SELECT count(*) FROM records WHERE answer IN ({chosen})", given
            ).fetchone()
            if dry_run:
                return int(count)
            connection.execute(
                "INSERT INTO erasures (at, what) VALUES (?, ?)", (time.time_ns() // 1_000, what)
            )
            connection.execute(f"DELETE FROM records WHERE answer IN ({chosen})", given)
            connection.execute(f"DELETE FROM answers WHERE number IN ({chosen})", given)
            connection.execute("UPDATE erasures SET records = ? WHERE records IS NULL", (count,))
        self._truncate_log()
        return int(count)

    def _truncate_log(self) -> None:
        """Empty the log beside the file, where what was overwritten in the file still stands."""
        with self._using() as connection:
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise AuditError(
                Problem(
                    f"nobody must be reading {self.path} when traces of the erasure are removed",
                    f"a reader that did not end in {_WAIT_SECONDS:g} s",
                    "The records are erased; end the reader and erase again.",
                )
            )

    @contextmanager
    def _using(self, *, writing: bool = False) -> Iterator[sqlite3.Connection]:
        """The connection of this process; with ``writing``, inside a transaction."""
        with self._lock:
            try:
                connection = self._connection(create=writing)
                if writing:
                    connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    if connection.in_transaction:
                        connection.rollback()
                    raise
                if connection.in_transaction:
                    connection.commit()
            except sqlite3.Error as error:
                raise AuditError(
                    Problem(
                        f"{self.path} must be an audit record that can be read and written",
                        str(error),
                        "Check the path, its permissions and the space on its disk.",
                    )
                ) from error

    def _connection(self, *, create: bool) -> sqlite3.Connection:
        process = os.getpid()
        if self._opened is None or self._opened[0] != process:
            # a connection must not be carried over a fork: the child opens its own
            mode = "rwc" if create else "rw"
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=_WAIT_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                _prepare(connection, self.path)
            except BaseException:
                connection.close()
                raise
            self._opened = (process, connection)
        return self._opened[1]


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        _make(connection)
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (format_,) = connection.execute("PRAGMA user_version").fetchone()
    if (application, format_) != (_APPLICATION, _FORMAT):
        raise AuditError(
            Problem(
                f"{path} must be an audit record of format {_FORMAT}",
                "another database"
                if application != _APPLICATION
                else f"an audit record of format {format_}",
                "Give another path, or the version of household-ml that wrote it.",
            )
        )


def _make(connection: sqlite3.Connection) -> None:
    """Make the tables, unless another process just did."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        # SQLite does not wait by itself where two processes change the mode at once
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
            break
        if time.monotonic() > deadline:
            connection.execute("PRAGMA journal_mode = WAL")
        time.sleep(0.02)
    connection.execute("BEGIN IMMEDIATE")
    (made,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not made:
        for statement in _statements(_TABLES + _GUARDS):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_FORMAT}")
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.commit()


def _statements(script: str) -> Iterator[str]:
    """Statements of a script, one by one: executescript would end the transaction."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _counted(answer: AuditedAnswer) -> tuple[str, int, int, int, str]:
    return answer.software, answer.sessions, answer.days, answer.slots, answer.source


def _said(device: AuditedDevice) -> tuple[float, str, str]:
    return device.probability, device.verdict, " ".join(device.reasons)


def _fresh(connection: sqlite3.Connection, answers: Sequence[AuditedAnswer]) -> list[AuditedAnswer]:
    """Answers that are not there yet, each once."""
    distinct = {answer.id: answer for answer in answers}
    ids = list(distinct)
    for first in range(0, len(ids), 500):
        part = ids[first : first + 500]
        for (known,) in connection.execute(
            f"SELECT id FROM answers WHERE id IN ({_marks(part)})", part
        ):
            del distinct[known]
    return list(distinct.values())


def _model_number(connection: sqlite3.Connection, model: AuditedModel) -> int:
    connection.execute(
        "INSERT OR IGNORE INTO models (digest, label, features) VALUES (?, ?, ?)",
        (model.digest, model.label, json.dumps(model.features)),
    )
    (number,) = connection.execute(
        "SELECT number FROM models WHERE digest = ?", (model.digest,)
    ).fetchone()
    return int(number)


def _answer(connection: sqlite3.Connection, row: tuple[object, ...]) -> AuditedAnswer:
    number, id_, account, as_of, _, software, sessions, days, slots, source, written = row[:11]
    digest, label, features = row[11:]
    devices = connection.execute(
        "SELECT device, place, last_home_at, sessions, features, probability, verdict, earlier,"
        " reasons FROM records WHERE answer = ? ORDER BY device_number",
        (number,),
    ).fetchall()
    return AuditedAnswer(
        account=str(account),
        as_of=_whole(as_of),
        model=AuditedModel(str(digest), str(label), tuple(json.loads(str(features)))),
        software=str(software),
        sessions=_whole(sessions),
        days=_whole(days),
        slots=_whole(slots),
        devices=tuple(_device(*device) for device in devices),
        source=str(source),
        written_at=_whole(written),
        id=str(id_),
    )


def _device(
    device: str,
    place: int,
    last_home_at: int | None,
    sessions: int,
    values: bytes,
    probability: float,
    verdict: str,
    earlier: bytes | None,
    reasons: str,
) -> AuditedDevice:
    return AuditedDevice(
        device=device,
        place=place,
        last_home_at=last_home_at,
        sessions=sessions,
        values=values,
        probability=probability,
        verdict=verdict,
        reasons=tuple(reasons.split()),
        earlier=earlier,
    )


def _whole(value: object) -> int:
    return int(str(value))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
