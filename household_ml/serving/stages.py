"""The stages of a batch, each of parts that any thread may do, in any order and after a kill.

1. *reading*: each piece of the input is checked, and its rows laid by partition of their account;
2. *arranging*: each partition is put in order and cut to the window, and says what its accounts
   did on each network;
3. *adding up*: what all said of one network, range of networks by range;
4. *answering*: each partition is answered, and the answers are written in the order of the
   accounts.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa

from household_ml.config import FeatureConfig
from household_ml.errors import FormatError, NoSessionsError, Problem
from household_ml.networks import NetworkStatistics
from household_ml.networks.enrich import find_systems
from household_ml.networks.exchange import (
    add_range,
    choose_ranges,
    local_statistics,
    save_entries,
    save_systems,
)
from household_ml.schema import NO_AS
from household_ml.scoring.window import no_session_in_window
from household_ml.serving.journal import Journal
from household_ml.serving.outputs import writing
from household_ml.serving.progress import Progress
from household_ml.serving.rejected import write_rejected
from household_ml.sessions import Sessions
from household_ml.sessions.advice import remedy_for
from household_ml.sessions.arrays import ArraysFile, load_sessions, save_arrays, save_sessions
from household_ml.sessions.intake import Intake
from household_ml.sessions.partition import Partition, Room, read_partition
from household_ml.sessions.pieced import PiecedInput
from household_ml.sessions.pieces import Piece, sample_column
from household_ml.sessions.reading import RowCounts
from household_ml.sessions.spill import SpillFile
from household_ml.sessions.splitting import Splitters, choose_splitters

__all__ = ["Answering", "Batch", "in_parallel"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_DAY_US: Final = 86_400_000_000

#: What a session costs in each stage, roughly: what the estimate of the end is made of.
_READING, _ARRANGING, _ANSWERING = 2, 1, 6

#: Rows looked at, and pieces they are taken from, to split accounts evenly.
_SAMPLED_PIECES, _SAMPLED_ROWS = 64, 4_096

#: Most partitions that accounts are split over.
_MOST_PARTITIONS: Final = 8_192


@dataclass(frozen=True)
class Answering:
    """What is made of sessions.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of the output.
    answer : callable
        Makes rows of the output of whole accounts in the window, network statistics and a moment.
        Threads call it side by side.
    key : mapping
        All that decides what it answers, as JSON has it.
    networks : NetworkStatistics or None, default=None
        Statistics to answer with; None counts them in the input.
    alone : NetworkStatistics or None, default=None
        Statistics to answer with when the input is of one account.
    task : str, default="scoring"
        What is told to be under way.
    """

    schema: pa.Schema
    answer: Callable[[Sessions, NetworkStatistics, int], pa.Table]
    key: Mapping[str, Any]
    networks: NetworkStatistics | None = None
    alone: NetworkStatistics | None = None
    task: str = "scoring"


class Batch:
    """One batch under way; every stage does what is not there yet.

    Parameters
    ----------
    source : PiecedInput
        What to read.
    target : Path
        File to write.
    work : Answering
        What to make of it.
    journal : Journal
        Where finished parts lie, open.
    threads : int
        Parts done side by side.

    Attributes
    ----------
    progress : Progress
        Told of what is done; silent until another is set.
    """

    def __init__(
        self, source: PiecedInput, target: Path, work: Answering, journal: Journal, threads: int
    ) -> None:
        self.source = source
        self.target = target
        self.work = work
        self.journal = journal
        self.threads = threads
        self.progress = Progress(work.task, 0, quiet=True)
        self._own = threading.local()

    @property
    def partitions(self) -> range:
        """Numbers of the partitions, in the order of the accounts."""
        return range(len(self.journal.plan["splitters"]) + 1)

    def plan(self, part_sessions: int) -> int:
        """Decide what must not change when the batch is started again; the work there is."""
        if "splitters" not in self.journal.plan:
            pieces = [piece for file in self.source.files for piece in file.pieces]
            sample = sample_column(pieces, "account_id", _SAMPLED_PIECES, _SAMPLED_ROWS)
            wanted = min(-(-self.source.rows // part_sessions), _MOST_PARTITIONS)
            splitters = choose_splitters(sample, wanted)
            self.journal.save(
                splitters=splitters.ids,
                seed=secrets.randbits(61),
                now=time.time_ns() // 1_000,
                damaged=[],
            )
        return (_READING + _ARRANGING + _ANSWERING) * self.source.rows

    def read(self) -> None:
        """Stage 1.

        Raises
        ------
        FormatError
            Every file is damaged.
        """
        plan = self.journal.plan
        if "moment" in plan:
            self.progress.skip((_READING + _ARRANGING) * self.source.rows)
            return
        while True:
            damaged = self._read_pieces(Splitters.of(tuple(plan["splitters"])))
            if not damaged:
                break
            # Texts of ids may have been told by the damaged file alone: all others tell again.
            self.journal.save(damaged=[*plan["damaged"], *damaged])
            self.journal.drop("rows-*")
            if len(plan["damaged"]) == len(self.source.files):
                problems = self.damaged()
                self.journal.finish()
                raise FormatError(problems)

    def _read_pieces(self, splitters: Splitters) -> list[dict[str, str]]:
        """Take in what is not there yet; what is wrong with the files that are damaged."""
        waiting = []
        for number, names, piece in self._pieces():
            if self.journal.path("rows", number).exists():
                self.progress.skip(_READING * piece.rows)
            else:
                waiting.append((number, names, piece))
        if not waiting:
            return []
        plan, rows = self.journal.plan, self.source.rows
        intake = Intake(self.source.names, splitters, seed=plan["seed"], now=plan["now"], rows=rows)

        def take(each: tuple[int, tuple[str, ...], Piece]) -> dict[str, str] | None:
            number, names, piece = each
            path = self.journal.path("rows", number)
            chunk = self._mine("chunk", intake.chunk)
            try:
                intake.take(piece, names, path, chunk, lambda got: self._advance(_READING * got))
            except FormatError as error:
                (problem,) = error.problems
                told = {"must": problem.must, "got": problem.got, "remedy": problem.remedy}
                return {"source": piece.source, **told}
            return None

        found: dict[str, dict[str, str]] = {}
        for _, damage in in_parallel(take, waiting, self.threads):
            if damage is not None:
                found.setdefault(damage["source"], damage)
        self._own = threading.local()
        return list(found.values())

    def _pieces(self) -> Iterator[tuple[int, tuple[str, ...], Piece]]:
        damaged = {each["source"] for each in self.journal.plan["damaged"]}
        number = 0
        for file in self.source.files:
            for piece in file.pieces:
                if piece.source not in damaged:
                    yield number, file.names, piece
                number += 1

    def damaged(self) -> list[Problem]:
        """What is wrong with the files that were left out."""
        problems = [problem for error in self.source.damaged for problem in error.problems]
        return problems + [
            Problem(each["must"], each["got"], each["remedy"])
            for each in self.journal.plan["damaged"]
        ]

    def arrange(self, as_of: int | None) -> None:
        """Stage 2, at a moment; None is that of the last session."""
        plan = self.journal.plan
        if "moment" in plan:
            return
        pieces = list(self._pieces())
        _allow_files(len(pieces) + 64)
        files = [SpillFile(self.journal.path("rows", number)) for number, *_ in pieces]
        try:
            known = [file.about["last"] for file in files if file.about["last"] is not None]
            moment = max(known, default=0) if as_of is None else as_of

            def arrange(number: int) -> int:
                if self.journal.path("sessions", number).exists():
                    self.progress.skip(0)
                    return 0
                return self._arrange(files, number, moment)

            for _, rows in in_parallel(arrange, self.partitions, self.threads):
                self._advance(_ARRANGING * rows)
            self._own = threading.local()
            self._conclude(files, moment)
        finally:
            for file in files:
                file.close()
        self.journal.drop("rows-*[0-9]")

    def _arrange(self, files: Sequence[SpillFile], number: int, moment: int) -> int:
        found = read_partition(files, number, self._mine("room", Room))
        path = self.journal.path("sessions", number)
        if found is None:
            save_arrays(path, {}, {"sessions": 0, "accounts": 0, "used": 0})
            return 0
        self._save_repeats(found, number)
        first = moment - FeatureConfig().window_days * _DAY_US
        cut = found.sessions.until(moment).since(first)
        used = {"used": len(found.sessions)}
        if len(cut) == 0:
            save_arrays(path, {}, {"sessions": 0, "accounts": 0, **used})
            return found.sessions.reading.rows_in
        if self.work.networks is None:
            asn = find_systems(cut)
            # Looked up once: what is unknown now is not looked up again.
            cut.asn[:] = np.where(asn == 0, np.uint32(NO_AS), asn)
            save_entries(self.journal.path("networks", number), cut, asn)
        save_sessions(path, cut, used)
        return found.sessions.reading.rows_in

    def _save_repeats(self, found: Partition, number: int) -> None:
        if found.repeats.size:
            order = np.argsort(found.repeats)
            repeats, repeated = found.repeats[order], found.repeated[order]
            path = self.journal.path("repeats", number)
            save_arrays(path, {"repeats": repeats, "repeated": repeated})

    def _conclude(self, files: Sequence[SpillFile], moment: int) -> None:
        """Keep what came of all rows; from here on the rows as read are needed no more."""
        about = [ArraysFile(self.journal.path("sessions", n)).about for n in self.partitions]
        rejected: dict[str, int] = {}
        dropped: dict[str, tuple[int, str]] = {}
        for file in files:
            for reason, count in file.about["rejected"].items():
                rejected[reason] = rejected.get(reason, 0) + count
            for name, (count, note) in file.about["dropped"].items():
                before, first = dropped.get(name, (0, note))
                dropped[name] = (before + count, first)
        accepted = sum(file.about["used"] for file in files)
        repeats = accepted - sum(each["used"] for each in about)
        if repeats:
            rejected["duplicate"] = repeats
        self.journal.save(
            moment=moment,
            rows_in=sum(file.about["rows_in"] for file in files),
            used=accepted - repeats,
            rejected=rejected,
            dropped=dropped,
            accounts=sum(each["accounts"] for each in about),
            sessions=[each["sessions"] for each in about],
        )

    def counts(self, rejected: Path | None) -> RowCounts:
        """What came of the rows; the rejected ones are written."""
        plan = self.journal.plan
        if rejected is not None:
            pieces = list(self._pieces())
            write_rejected(
                rejected,
                # Spill files are counted without those that were left out.
                [(place, self.journal.path("rows", n)) for place, (n, *_) in enumerate(pieces)],
                [piece.source for *_, piece in pieces],
                sorted(self.journal.folder.glob("repeats-*[0-9]")),
            )
        return RowCounts(plan["rows_in"], plan["rejected"])

    def check(self, counts: RowCounts) -> None:
        """Raise when nothing is left to answer."""
        plan = self.journal.plan
        if plan["used"] == 0:
            self.journal.finish()
            raise NoSessionsError(
                Problem(
                    "sessions must have at least one row that can be used",
                    str(counts),
                    remedy_for(counts.rejected),
                )
            )
        if plan["accounts"] == 0:
            self.journal.finish()
            raise no_session_in_window(plan["moment"])

    @property
    def _filled(self) -> list[int]:
        """Partitions with a session."""
        return [number for number, size in enumerate(self.journal.plan["sessions"]) if size]

    def add_up(self) -> None:
        """Stage 3, where statistics are not given."""
        if self._given is not None or self.journal.path("systems", 0).exists():
            return
        files = [ArraysFile(self.journal.path("networks", number)) for number in self._filled]
        cuts = choose_ranges(files)

        def add(number: int) -> None:
            path = self.journal.path("range", number)
            if not path.exists():
                add_range(path, files, cuts, number)

        for _ in in_parallel(add, range(len(cuts) + 1), self.threads):
            pass
        self.journal.save(ranges=len(cuts) + 1)
        save_systems(self.journal.path("systems", 0), files, self._ranges())

    def _ranges(self) -> list[ArraysFile]:
        count = self.journal.plan["ranges"]
        return [ArraysFile(self.journal.path("range", number)) for number in range(count)]

    @property
    def _given(self) -> NetworkStatistics | None:
        """Statistics that are not counted in the input."""
        if self.work.networks is None and self.journal.plan["accounts"] == 1:
            return self.work.alone
        return self.work.networks

    def answer(self, see: Callable[[pa.Table], object] | None) -> None:
        """Stage 4; `see` is given the output, table by table."""
        plan, filled, given = self.journal.plan, self._filled, self._given
        if given is None:
            ranges, systems = self._ranges(), ArraysFile(self.journal.path("systems", 0))

        def statistics(place: int, number: int) -> NetworkStatistics:
            if given is not None:
                return given
            file = ArraysFile(self.journal.path("networks", number))
            return local_statistics(place, file, ranges, systems)

        def answer(each: tuple[int, int]) -> None:
            place, number = each
            path = self.journal.path("answers", number)
            if not path.exists():
                sessions = load_sessions(self.journal.path("sessions", number))
                made = self.work.answer(sessions, statistics(place, number), plan["moment"])
                _save(made, path)
            self.journal.path("sessions", number).unlink(missing_ok=True)

        weights = self._weights(filled)
        for number in filled:
            if self.journal.path("answers", number).exists():
                self.progress.skip(weights.pop(number))
        working = self.journal.folder / "output.part"
        with writing(self.target, self.work.schema, working) as writer:
            for (_, number), _ in in_parallel(answer, enumerate(filled), self.threads):
                with pa.OSFile(str(self.journal.path("answers", number))) as file:
                    table = pa.ipc.open_file(file).read_all()
                writer.write(table)
                if see is not None:
                    see(table)
                self._advance(weights.pop(number, 0))

    def _weights(self, filled: Sequence[int]) -> dict[int, int]:
        """Share of each partition in the work of answering."""
        sizes = self.journal.plan["sessions"]
        whole = _ANSWERING * self.source.rows
        every = max(1, sum(sizes))
        return {number: whole * sizes[number] // every for number in filled}

    def _advance(self, units: int) -> None:
        self.progress.advance(units)

    def _mine(self, name: str, make: Callable[[], Any]) -> Any:
        """Something of this thread's own, made when it is first asked for."""
        if not hasattr(self._own, name):
            setattr(self._own, name, make())
        return getattr(self._own, name)


def _save(table: pa.Table, path: Path) -> None:
    working = path.with_name(path.name + ".part")
    with pa.OSFile(str(working), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    working.replace(path)


def in_parallel(
    task: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[tuple[Item, Result]]:
    """Do a task for each item in threads.

    Parameters
    ----------
    task : callable
        What to do.
    items : iterable
        For what; asked for as they are begun, a few more than there are threads.
    threads : int
        How many work side by side.

    Yields
    ------
    tuple of (item, result)
        In the order of the items.
    """
    begun: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                begun.append((item, pool.submit(task, item)))
                if len(begun) > 2 * threads:
                    first, result = begun.popleft()
                    yield first, result.result()
            while begun:
                first, result = begun.popleft()
                yield first, result.result()
        finally:
            for _, waiting in begun:
                waiting.cancel()


def _allow_files(count: int) -> None:
    """Ask for as many open files as are needed, as far as this process may have them."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
