"""The audit record: an append-only log of what was answered, so that it can be answered again.

Kept of every device are its pseudonym and its account's (keyed, see
:mod:`household_ml.sessions.keys`), ``as_of``, the digest of the model, the feature values and
counts that decided, and the answer: probability, verdict and reasons. Not kept are sessions,
addresses and ids. :mod:`household_ml.serving.explaining` computes an answer again and compares.

Each call of :meth:`AuditLog.append` is one transaction, on the disk when the call returns, whatever
happens to the process afterwards; any number of processes may write to one file. A service that
must not wait uses :meth:`AuditLog.enqueue`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa

from household_ml.errors import AuditError, ParameterError, Problem
from household_ml.scoring.one_account import AccountAnswer, DeviceAnswer
from household_ml.scoring.scorer import HouseholdScorer
from household_ml.serving.audit_recorder import Recorder
from household_ml.serving.audit_records import AuditedAnswer, AuditedModel, read_record_id
from household_ml.serving.audit_store import AuditStore
from household_ml.sessions import read_sessions
from household_ml.sessions.one_account import AccountSessions, account_table

if TYPE_CHECKING:
    from household_ml.modeling.model import HouseholdModel
    from household_ml.scoring.answers import Scored
    from household_ml.sessions.keys import Keys

__all__ = ["AuditLog", "AuditedScorer", "erase_answers", "list_answers", "read_answer"]

#: Devices that may wait for the disk; beyond, :meth:`AuditLog.enqueue` refuses.
MAX_PENDING: Final = 100_000

_RETRY_SECONDS: Final = 1.0


class AuditLog:
    """An audit record to write to.

    Safe to use from several threads. After a fork each process opens the file for itself.

    Parameters
    ----------
    path : str or Path
        The file; made when it is not there. It must lie on a local disk.
    keys : Keys
        Secrets for pseudonyms and seals.
    max_pending : int, default=100_000
        Devices that may wait for the disk after :meth:`enqueue`.

    Raises
    ------
    AuditError
        The file cannot be opened, or is something else.

    Examples
    --------
    >>> from household_ml.sessions.keys import Keys
    >>> from household_ml.scoring import HouseholdScorer
    >>> scorer = HouseholdScorer.load()  # doctest: +SKIP
    >>> with AuditLog("audit.db", Keys.load("household.keys")) as log:  # doctest: +SKIP
    ...     scored = scorer.score_with_inputs("sessions.parquet")
    ...     ids = log.append(scored, scorer.model)
    """

    def __init__(self, path: str | Path, keys: Keys, *, max_pending: int = MAX_PENDING) -> None:
        self.path = Path(path)
        self.keys = keys
        self.max_pending = max_pending
        self._recorder = Recorder(keys)
        self._store = AuditStore(self.path, create=True)
        self._changed = threading.Condition()
        self._waiting: list[AuditedAnswer] = []
        self._writing: list[AuditedAnswer] = []
        self._pending = 0
        self._failure: AuditError | None = None
        self._closing = False
        self._writer: threading.Thread | None = None

    def append(self, scored: Scored, model: HouseholdModel, *, source: str = "python") -> list[str]:
        """Add answers; they are on the disk when this returns.

        Parameters
        ----------
        scored : Scored
            What :meth:`HouseholdScorer.score_with_inputs` gave: whole accounts.
        model : HouseholdModel
            What answered.
        source : str, default="python"
            Who asked.

        Returns
        -------
        list of str
            Id of the record of each device, in the order of the scores. The same answer given
            again has the same ids, and is kept once.

        Raises
        ------
        AuditError
            They could not be written; none of them is then.
        """
        answers = list(self._recorder.answers(scored, AuditedModel.of(model), source=source))
        self._store.add(answers)
        return _ids(answers)

    def enqueue(
        self, scored: Scored, model: HouseholdModel, *, source: str = "python"
    ) -> list[str]:
        """Add answers without waiting for the disk.

        A thread of the log writes what has come together in one transaction, and tries again, once
        a second, what could not be written. What still waits is lost if the process is killed;
        :meth:`flush` and :meth:`close` wait for it.

        Parameters
        ----------
        scored, model, source
            As in :meth:`append`.

        Returns
        -------
        list of str
            As from :meth:`append`.

        Raises
        ------
        AuditError
            More devices wait than may, because the disk is slow or refuses; nothing was added.
        """
        answers = list(self._recorder.answers(scored, AuditedModel.of(model), source=source))
        with self._changed:
            pending = self._pending + _devices(answers)
            if self._closing or pending > self.max_pending:
                raise self._failure or AuditError(
                    Problem(
                        f"the audit record must have at most {self.max_pending:,} devices waiting",
                        "a closed one" if self._closing else f"{pending:,} with these",
                        "Wait and ask again, or use append, which waits itself.",
                    )
                )
            self._waiting += answers
            self._pending = pending
            if self._writer is None or not self._writer.is_alive():
                self._writer = threading.Thread(
                    target=self._write, name="household-ml audit", daemon=True
                )
                self._writer.start()
            self._changed.notify_all()
        return _ids(answers)

    @property
    def pending(self) -> int:
        """Devices that wait for the disk."""
        return self._pending

    @property
    def failure(self) -> AuditError | None:
        """Why what waits could not be written at the last try; None when all is well."""
        return self._failure

    def flush(self, timeout: float = 60.0) -> None:
        """Wait until nothing waits.

        Parameters
        ----------
        timeout : float, default=60.0
            Seconds.

        Raises
        ------
        AuditError
            Something still waits then.
        """
        with self._changed:
            if self._changed.wait_for(lambda: not self._waiting and not self._writing, timeout):
                return
            raise self._failure or AuditError(
                Problem(
                    f"the audit record must be written within {timeout:g} s",
                    f"{self.pending:,} devices that still wait",
                    "Give it more time, or look at its disk.",
                )
            )

    def close(self, timeout: float = 60.0) -> None:
        """Write what waits, and let go of the file.

        Raises
        ------
        AuditError
            Something could not be written in time, and is lost.
        """
        try:
            self.flush(timeout)
        finally:
            with self._changed:
                self._closing = True
                self._changed.notify_all()
            if self._writer is not None:
                self._writer.join(timeout=_RETRY_SECONDS + 1.0)
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"AuditLog({str(self.path)!r})"

    def _write(self) -> None:
        """Write in groups until the log is closed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._writing or self._closing)
                if self._closing and not self._waiting and not self._writing:
                    return
                self._writing += self._waiting
                self._waiting = []
            try:
                self._store.add(self._writing)
            except AuditError as error:
                with self._changed:
                    self._failure = error
                    if self._closing:
                        return
                time.sleep(_RETRY_SECONDS)
                continue
            with self._changed:
                self._pending -= _devices(self._writing)
                self._writing = []
                self._failure = None
                self._changed.notify_all()


class AuditedScorer(HouseholdScorer):
    """A scorer that writes everything it answers into an audit record, before it gives it.

    Parameters
    ----------
    scorer : HouseholdScorer
        What answers.
    log : AuditLog
        Where it is written to.
    source : str, default="python"
        Who asks.
    """

    def __init__(self, scorer: HouseholdScorer, log: AuditLog, *, source: str = "python") -> None:
        super().__init__(scorer.model, scorer.snapshot)
        self.log = log
        self.source = source

    def score_with_inputs(self, *args: Any, **options: Any) -> Scored:
        """As :meth:`HouseholdScorer.score_with_inputs`; an answer not written is not given."""
        return self.score_with_records(*args, **options)[0]

    def score_with_records(self, *args: Any, **options: Any) -> tuple[Scored, list[str]]:
        """As :meth:`score_with_inputs`, with the id of the record of each row of the scores."""
        scored = super().score_with_inputs(*args, **options)
        return scored, self.log.append(scored, self.model, source=self.source)

    def score_account(
        self,
        sessions: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]],
        *,
        account_id: str = "account",
        extra_members: int = 0,
        **options: Any,
    ) -> AccountAnswer:
        """As :meth:`HouseholdScorer.score_account`; an answer not written is not given.

        What is recorded is kept in tables, so this takes the way through them.
        """
        taken = read_sessions(account_table(sessions, account_id), format="sessions")
        slots = pa.table({"account_id": [account_id], "extra_members": [extra_members]})
        scores = self.score_table(taken, accounts=slots, **options)
        read = AccountSessions.of(taken)
        names = DeviceAnswer._fields
        return AccountAnswer(
            account_id,
            scores["as_of"][0].as_py(),
            self.model_label,
            tuple(
                DeviceAnswer(**{**row, "reasons": tuple(row["reasons"])})
                for row in scores.select(names).to_pylist()
            ),
            read.rows_in,
            read.rejected,
        )


def read_answer(path: str | Path, record: str) -> tuple[AuditedAnswer, int | None]:
    """Read the answer that a record is part of.

    Parameters
    ----------
    path : str or Path
        Audit record.
    record : str
        Id of a record or of an answer, or the beginning of an answer's id, see
        :func:`~household_ml.serving.audit_records.read_record_id`.

    Returns
    -------
    answer : AuditedAnswer
    device : int or None
        Number of the record's device in it, from 1; None when an answer was named.

    Raises
    ------
    AuditError
        There is no such file or record, or more than one record begins so.
    ParameterError
        The id is none.
    """
    beginning, device = read_record_id(record)
    with closing(AuditStore(Path(path))) as store:
        found = store.find(beginning=beginning, limit=2)
    if len(found) == 1 and (device is None or device <= len(found[0].devices)):
        return found[0], device
    got = "several that begin so" if len(found) > 1 else "none"
    if len(found) == 1:
        got = f"an answer about {len(found[0].devices)} devices"
    raise AuditError(
        Problem(
            f"record {record} must be one of {path}",
            got,
            "household-ml audit list tells the ids of an account's records.",
        )
    )


def list_answers(path: str | Path, account: str, keys: Keys) -> list[AuditedAnswer]:
    """Answers about an account, oldest first.

    Parameters
    ----------
    path : str or Path
        Audit record.
    account : str
        Its true id; looked for under its pseudonym of every key.
    keys : Keys
        Those under which it was recorded.

    Returns
    -------
    list of AuditedAnswer

    Raises
    ------
    AuditError
        There is no such file, or it is something else.
    """
    with closing(AuditStore(Path(path))) as store:
        return store.find(accounts=keys.pseudonyms.all_of("account_id", account))


def erase_answers(
    path: str | Path,
    *,
    accounts: Iterable[str] | None = None,
    keys: Keys | None = None,
    before: int | None = None,
    dry_run: bool = False,
) -> int:
    """Erase answers about accounts, those of before a moment, or those of both at once.

    What is erased is overwritten on the disk; that and when something was erased stays, without
    saying of whom. Copies and backups are not reached.

    Parameters
    ----------
    path : str or Path
        Audit record.
    accounts : iterable of str or None, default=None
        True ids; None for every account.
    keys : Keys or None, default=None
        Those under which the accounts were recorded; needed with ``accounts``.
    before : int or None, default=None
        Microseconds since the epoch: erase what has an earlier ``as_of``; None for any time.
    dry_run : bool, default=False
        Erase nothing.

    Returns
    -------
    int
        Records erased, or that would be.

    Raises
    ------
    ParameterError
        Neither accounts nor a moment was given, or accounts without keys.
    AuditError
        There is no such file, it is something else, or it cannot be written.
    """
    named = None if accounts is None else list(accounts)
    if (named is None and before is None) or (named is not None and keys is None):
        raise ParameterError(
            Problem(
                "an erasure must say which accounts, with their keys, or before when",
                "accounts without keys" if named is not None else "neither",
                "Give accounts and keys, a moment, or both.",
            )
        )
    pseudonyms = None
    if named is not None and keys is not None:
        names = keys.pseudonyms
        pseudonyms = [each for name in named for each in names.all_of("account_id", name)]
    what = [] if named is None else [f"{len(named)} account{'s' if len(named) > 1 else ''}"]
    what += [] if before is None else ["before a moment"]
    with closing(AuditStore(Path(path))) as store:
        return store.erase(", ".join(what), accounts=pseudonyms, before=before, dry_run=dry_run)


def _ids(answers: Iterable[AuditedAnswer]) -> list[str]:
    return [
        f"{answer.id}.{number}"
        for answer in answers
        for number in range(1, len(answer.devices) + 1)
    ]


def _devices(answers: Iterable[AuditedAnswer]) -> int:
    return sum(len(answer.devices) for answer in answers)
