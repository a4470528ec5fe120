"""The audit record: what was answered stays, and can be answered again."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from household_ml.errors import AuditError, ParameterError, Problem
from household_ml.modeling.model import HouseholdModel
from household_ml.scoring.answers import Scored
from household_ml.serving.audit import AuditLog, erase_answers, list_answers, read_answer
from household_ml.serving.audit_recorder import Recorder
from household_ml.serving.audit_records import (
    AuditedAnswer,
    AuditedModel,
    seal,
    seal_keys,
)
from household_ml.serving.explaining import explain_answer
from household_ml.sessions.keys import Keys
from tests.serving.made_up import AS_OF, NAMES, make_model, make_scored

ACCOUNTS = ["anna", "bert", "carl", "dora"]


@pytest.fixture(scope="module")
def model() -> HouseholdModel:
    return make_model()


@pytest.fixture(scope="module")
def model_at(model: HouseholdModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model.save(tmp_path_factory.mktemp("made_up") / "model")


@pytest.fixture(scope="module")
def scored(model: HouseholdModel) -> Scored:
    return make_scored(model, ACCOUNTS)


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys.generate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def everything(path: Path) -> bytes:
    """The file and what lies beside it."""
    return b"".join(part.read_bytes() for part in path.parent.glob(f"{path.name}*"))


def test_every_record_gives_the_same_answer_again(
    path: Path, model: HouseholdModel, model_at: Path, scored: Scored, keys: Keys
) -> None:
    with AuditLog(path, keys) as log:
        ids = log.append(scored, model, source="test")
    assert len(set(ids)) == scored.scores.num_rows
    for row, record in enumerate(ids):
        answer, device = read_answer(path, record)
        assert device is not None
        recorded = answer.devices[device - 1]
        expected = scored.scores.slice(row, 1).to_pylist()[0]
        assert recorded.probability == expected["household_probability"]
        assert recorded.verdict == expected["verdict"]
        assert list(recorded.reasons) == expected["reasons"]
        assert recorded.place == expected["place"]
        assert (recorded.last_home_at is None) == (expected["last_home_at"] is None)
        assert (answer.as_of, answer.source) == (AS_OF, "test")
        found = explain_answer(answer, model=model_at, keys=keys)
        assert (found.equal, found.intact, found.missing) == (True, True, "")
        again = found.devices[device - 1]
        assert again.probability == recorded.probability
        total = sum(share for _, _, share in again.contributions)
        log_odds = model.log_odds(scored.inputs.values)[row]
        assert total + model.trees.base == pytest.approx(log_odds, abs=1e-9)


def test_a_slot_is_given_to_the_same_place_again(
    path: Path, model: HouseholdModel, model_at: Path, keys: Keys
) -> None:
    """The verdict of a device depends on the others of its account, which are kept with it."""
    scored = make_scored(model, [f"account {i}" for i in range(40)], seed=5)
    assert "extra_member" in scored.scores["verdict"].to_pylist()
    with AuditLog(path, keys) as log:
        ids = log.append(scored, model)
    answers = {record.split(".")[0] for record in ids}
    assert all(explain_answer(read_answer(path, a)[0], model=model_at).equal for a in answers)


def test_a_verdict_that_carries_over_does_so_again(
    path: Path, model: HouseholdModel, model_at: Path, keys: Keys
) -> None:
    names = [f"account {i}" for i in range(40)]
    plain, carried = (make_scored(model, names, seed=5, carried=c) for c in (False, True))
    assert plain.scores["verdict"] != carried.scores["verdict"]
    with AuditLog(path, keys) as log:
        ids = log.append(carried, model)
    for answer_id in {record.split(".")[0] for record in ids}:
        found = explain_answer(read_answer(path, answer_id)[0], model=model_at, keys=keys)
        assert (found.equal, found.intact) == (True, True)


def test_no_id_and_no_address_is_kept(
    path: Path, model: HouseholdModel, scored: Scored, keys: Keys
) -> None:
    with AuditLog(path, keys) as log:
        log.append(scored, model)
        kept = everything(path)
    for name in [*ACCOUNTS, *scored.scores["device_id"].to_pylist()]:
        assert name.encode() not in kept
    assert keys.pseudonyms.all_of("account_id", "anna")[0].encode() in kept


def test_the_same_answer_given_again_is_kept_once(
    path: Path, model: HouseholdModel, scored: Scored, keys: Keys
) -> None:
    with AuditLog(path, keys) as log:
        first = log.append(scored, model)
        assert log.append(scored, model) == first
        other = log.append(make_scored(model, ACCOUNTS, slots=2), model)
    assert set(other).isdisjoint(first)
    assert rows(path, "SELECT count(*) FROM answers") == [(2 * len(ACCOUNTS),)]


def test_answers_are_listed_by_account_under_every_key(
    path: Path, model: HouseholdModel, scored: Scored, keys: Keys
) -> None:
    rotated = keys.rotated()
    with AuditLog(path, keys) as log:
        log.append(scored, model)
    with AuditLog(path, rotated) as log:
        log.append(scored, model)
    found = list_answers(path, "bert", rotated)
    assert len(found) == 2
    assert len({answer.account for answer in found}) == 2
    assert all(explain_answer(answer, keys=rotated).intact for answer in found)
    assert len(list_answers(path, "bert", keys)) == 1
    assert list_answers(path, "nobody", rotated) == []


def test_rows_can_be_neither_changed_nor_deleted(
    path: Path, model: HouseholdModel, scored: Scored, keys: Keys
) -> None:
    with AuditLog(path, keys) as log:
        log.append(scored, model)
    for statement in (
        "UPDATE records SET verdict = 'household'",
        "UPDATE answers SET as_of = 0",
        "UPDATE models SET digest = ''",
        "DELETE FROM records",
        "DELETE FROM answers",
    ):
        with (
            closing(sqlite3.connect(path)) as connection,
            pytest.raises(sqlite3.IntegrityError, match="the audit record is only added to"),
        ):
            connection.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE records SET probability = probability / 2 WHERE device_number = 1",
        "UPDATE records SET verdict = 'outside', reasons = ''",
        "UPDATE records SET features = zeroblob(length(features))",
        "UPDATE records SET device = account FROM answers WHERE answer = number",
        "UPDATE answers SET as_of = as_of + 1",
        "UPDATE answers SET slots = slots + 1",
        "UPDATE answers SET software = '0'",
        "UPDATE records SET earlier = x'00'",
        "UPDATE records SET features = x'0000000000000000'",
        "DELETE FROM records WHERE device_number > 1",
    ],
)
def test_a_change_behind_the_back_breaks_the_seal(
    path: Path,
    model: HouseholdModel,
    model_at: Path,
    scored: Scored,
    keys: Keys,
    change: str,
) -> None:
    with AuditLog(path, keys) as log:
        ids = log.append(scored, model)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for (trigger,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(change)
    longest = max(ids, key=lambda record: int(record.split(".")[1])).split(".")[0]
    answer, _ = read_answer(path, longest)
    found = explain_answer(answer, model=model_at, keys=keys)
    assert found.intact is False
    assert not found.missing or "what was recorded is damaged" in found.missing
    assert explain_answer(answer, model=model_at).intact is None


def test_the_seal_covers_every_field_but_who_asked_and_when(
    model: HouseholdModel, scored: Scored, keys: Keys
) -> None:
    answer = next(Recorder(keys).answers(scored, AuditedModel.of(model), source="a"))
    key = seal_keys(keys)[-1]
    assert seal(answer, key) == answer.id
    device = answer.devices[0]

    def with_first(**other: object) -> AuditedAnswer:
        changed_device = replace(device, **other)  # type: ignore[arg-type]
        return replace(answer, devices=(changed_device, *answer.devices[1:]))

    changed = {
        "account": replace(answer, account="0" * 32),
        "as_of": replace(answer, as_of=1),
        "model": replace(answer, model=replace(answer.model, digest="0" * 64)),
        "software": replace(answer, software="other"),
        "sessions": replace(answer, sessions=1),
        "days": replace(answer, days=1),
        "slots": replace(answer, slots=7),
        "devices": replace(answer, devices=answer.devices[:-1]),
        "device": with_first(device="0" * 32),
        "place": with_first(place=9),
        "last_home_at": with_first(last_home_at=9),
        "values": with_first(values=bytes(8 * len(NAMES))),
        "probability": with_first(probability=0.123),
        "verdict": with_first(verdict="other"),
        "reasons": with_first(reasons=("other",)),
        "earlier": with_first(earlier=bytes(27)),
    }
    seals = {name: seal(each, key) for name, each in changed.items()}
    assert len({answer.id, *seals.values()}) == len(seals) + 1
    assert seal(replace(answer, source="b", written_at=5), key) == answer.id
    assert seal(answer, seal_keys(Keys.generate())[-1]) != answer.id


def test_an_answer_that_cannot_be_given_again_says_why(
    path: Path,
    model: HouseholdModel,
    scored: Scored,
    keys: Keys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with AuditLog(path, keys) as log:
        (first, *_) = log.append(scored, model)
    answer, _ = read_answer(path, first)
    other = make_model(seed=9).save(tmp_path / "other")
    for named in (other, None, tmp_path / "none"):
        found = explain_answer(answer, model=named)
        assert found.equal is None
        assert f"the model with digest {model.digest[:12]} must be at hand" in found.missing
    assert not (tmp_path / "mlflow.db").exists()
    monkeypatch.setenv("HOUSEHOLD_ML_MODEL", str(model.save(tmp_path / "this")))
    assert explain_answer(answer).equal is True


def test_what_another_version_would_answer_is_told(
    model: HouseholdModel, model_at: Path, scored: Scored, keys: Keys
) -> None:
    answer = next(Recorder(keys).answers(scored, AuditedModel.of(model), source="a"))
    device = answer.devices[0]
    other = replace(
        answer,
        software="0.0.1",
        devices=(
            replace(device, probability=device.probability + 1e-6, reasons=("moved",)),
            *answer.devices[1:],
        ),
    )
    found = explain_answer(other, model=model_at, keys=keys)
    assert (found.equal, found.intact, found.other_software) == (False, False, True)
    assert found.devices[0].differs == ("probability", "reasons")
    nearly = replace(device, probability=device.probability + 1e-12)
    close = replace(answer, devices=(nearly, *answer.devices[1:]))
    assert explain_answer(close, model=model_at).equal is True


@pytest.mark.parametrize("record", ["", "xyz", "0123", "0" * 33, "00000000.0", "00000000.-1"])
def test_what_is_no_id(path: Path, keys: Keys, record: str) -> None:
    AuditLog(path, keys).close()
    with pytest.raises(ParameterError, match="8 to 32 hexadecimal digits"):
        read_answer(path, record)


def test_records_that_are_not_there(
    path: Path, model: HouseholdModel, scored: Scored, keys: Keys
) -> None:
    with AuditLog(path, keys) as log:
        (first, *_) = log.append(scored, model)
    beginning = first.split(".")[0][:12]
    assert read_answer(path, beginning)[0].id == first.split(".")[0]
    with pytest.raises(AuditError, match="got none"):
        read_answer(path, "00000000")
    with pytest.raises(AuditError, match="got an answer about"):
        read_answer(path, f"{beginning}.99")
    with pytest.raises(AuditError, match="must be a file that exists"):
        read_answer(path.with_name("none.db"), first)
    assert not path.with_name("none.db").exists()


def test_another_file_is_left_as_it_is(path: Path, keys: Keys) -> None:
    path.write_bytes(b"not a database, but long enough to be looked at" * 40)
    before = path.read_bytes()
    with pytest.raises(AuditError, match="file is not a database"):
        AuditLog(path, keys)
    assert path.read_bytes() == before
    other = path.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t (x)")
    before = other.read_bytes()
    with pytest.raises(AuditError, match="must be an audit record of format 2, got another"):
        AuditLog(other, keys)
    assert other.read_bytes() == before
    with pytest.raises(AuditError, match="unable to open"):
        AuditLog(path.parent / "none" / "audit.db", keys)


def test_a_later_format_is_refused(path: Path, keys: Keys) -> None:
    AuditLog(path, keys).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 3")
    with pytest.raises(AuditError, match="got an audit record of format 3"):
        AuditLog(path, keys)


# Erasure


def test_an_account_is_erased_under_every_key_and_leaves_no_trace(
    path: Path, model: HouseholdModel, scored: Scored, keys: Keys
) -> None:
    rotated = keys.rotated()
    with AuditLog(path, keys) as log, AuditLog(path, rotated) as later:
        log.append(scored, model)
        later.append(scored, model)
        names = [name.encode() for name in rotated.pseudonyms.all_of("account_id", "carl")]
        values = {
            device.values
            for answer in list_answers(path, "carl", rotated)
            for device in answer.devices
        }
        assert all(part in everything(path) for part in (*names, *values))
        expected = 2 * scored.scores["account_id"].to_pylist().count("carl")
        erase = {"accounts": ["carl"], "keys": rotated}
        assert erase_answers(path, **erase, dry_run=True) == expected  # type: ignore[arg-type]
        assert len(list_answers(path, "carl", rotated)) == 2
        assert erase_answers(path, **erase) == expected  # type: ignore[arg-type]
    kept = everything(path)
    assert not any(part in kept for part in (*names, *values))
    assert list_answers(path, "carl", rotated) == []
    assert len(list_answers(path, "anna", rotated)) == 2
    assert rows(path, "SELECT what, records FROM erasures") == [("1 account", expected)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_what_is_old_is_erased(
    path: Path, model: HouseholdModel, scored: Scored, keys: Keys
) -> None:
    older = Scored(_moved(scored, -1), scored.inputs)
    with AuditLog(path, keys) as log:
        log.append(scored, model)
        log.append(older, model)
    count = scored.scores.num_rows
    assert erase_answers(path, before=AS_OF - 1) == 0
    assert erase_answers(path, before=AS_OF, accounts=["nobody"], keys=keys) == 0
    assert erase_answers(path, before=AS_OF) == count
    assert rows(path, "SELECT DISTINCT as_of FROM answers") == [(AS_OF,)]


def _moved(scored: Scored, microseconds: int) -> pa.Table:
    moved = pa.array(np.full(scored.scores.num_rows, AS_OF + microseconds)).cast(
        pa.timestamp("us", tz="UTC")
    )
    return scored.scores.set_column(2, "as_of", moved).cast(scored.scores.schema)


def test_an_erasure_says_of_what(path: Path, keys: Keys) -> None:
    AuditLog(path, keys).close()
    with pytest.raises(ParameterError, match="must say which accounts"):
        erase_answers(path)
    with pytest.raises(ParameterError, match="got accounts without keys"):
        erase_answers(path, accounts=["anna"])


# Writers that do not wait, that are many, that die


def test_enqueued_answers_are_written_in_the_background(
    path: Path, model: HouseholdModel, keys: Keys
) -> None:
    parts = [make_scored(model, [f"account {i}"], seed=i) for i in range(50)]
    with AuditLog(path, keys) as log:
        ids = [record for part in parts for record in log.enqueue(part, model, source="http")]
        log.flush()
        assert (log.pending, log.failure) == (0, None)
        assert all(read_answer(path, record) for record in ids[::10])
    assert rows(path, "SELECT count(*) FROM records") == [(len(ids),)]


def test_a_backlog_has_an_end_and_a_disk_that_refuses_is_told(
    path: Path, model: HouseholdModel, scored: Scored, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = scored.scores.num_rows
    log = AuditLog(path, keys, max_pending=2 * count)
    refusing = threading.Event()
    refusing.set()
    add = log._store.add

    def full(answers: object) -> int:
        if refusing.is_set():
            raise AuditError(Problem("the disk must have space", "full", "Make some."))
        return add(answers)  # type: ignore[arg-type]

    monkeypatch.setattr(log._store, "add", full)
    log.enqueue(scored, model)
    log.enqueue(make_scored(model, ACCOUNTS, slots=3), model)
    deadline = time.monotonic() + 30
    while log.failure is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert log.pending == 2 * count
    with pytest.raises(AuditError, match="got full"):
        log.enqueue(scored, model)
    with pytest.raises(AuditError, match="got full"):
        log.flush(timeout=0.05)
    refusing.clear()
    log.close()
    assert rows(path, "SELECT count(*) FROM records") == [(2 * count,)]
    with pytest.raises(AuditError, match="a closed one"):
        log.enqueue(scored, model)


def test_a_full_disk_leaves_what_was_there_and_nothing_half_written(
    path: Path, model: HouseholdModel, scored: Scored, keys: Keys
) -> None:
    with AuditLog(path, keys) as log:
        before = log.append(scored, model)
        with log._store._using() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        many = make_scored(model, [f"account {i}" for i in range(200)])
        with pytest.raises(AuditError, match="database or disk is full"):
            log.append(many, model)
        kept = {str(record) for (record,) in rows(path, RECORD_IDS)}
        assert kept == set(before)
        with log._store._using() as connection:
            connection.execute("PRAGMA max_page_count = 100000")
        after = log.append(many, model)
    assert len(rows(path, RECORD_IDS)) == len(before) + len(after)


RECORD_IDS = "SELECT id || '.' || device_number FROM records JOIN answers ON answer = number"

PROGRAM = """
import sys
from household_ml.modeling.model import HouseholdModel
from household_ml.serving.audit import AuditLog
from household_ml.sessions.keys import Keys
from tests.serving.made_up import make_scored

path, model_at, key_file, name, count = sys.argv[1:]
model = HouseholdModel.load(model_at)
make_scored(model, ["warm"])
print("ready", flush=True)
sys.stdin.readline()
log = AuditLog(path, Keys.load(key_file))
for i in range(int(count)):
    part = make_scored(model, [f"{name} {i} {j}" for j in range(20)], seed=i)
    for record in log.append(part, model):
        print(record)
    print("written", flush=True)
"""


@pytest.fixture
def start(
    path: Path, model_at: Path, keys: Keys, tmp_path: Path
) -> Callable[[str, int], subprocess.Popen[str]]:
    """A process that writes to the record as soon as a line is sent to it."""
    keys.save(tmp_path / "keys")

    def started(name: str, count: int) -> subprocess.Popen[str]:
        arguments = [path, model_at, tmp_path / "keys", name, count]
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )

    return started


def test_processes_write_side_by_side(
    path: Path, start: Callable[[str, int], subprocess.Popen[str]]
) -> None:
    writers = [start(name, 15) for name in ("one", "two", "three")]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    told = [writer.communicate("go\n", timeout=300)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    ids = [line for text in told for line in text.splitlines() if "." in line]
    kept = rows(path, RECORD_IDS)
    assert sorted(ids) == sorted(record for (record,) in kept)
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_what_was_acknowledged_survives_sigkill_and_nothing_is_half_written(
    path: Path,
    start: Callable[[str, int], subprocess.Popen[str]],
    model_at: Path,
    keys: Keys,
) -> None:
    chance = random.Random(3)
    acknowledged: list[str] = []
    for attempt in range(3):
        writer = start(f"attempt {attempt}", 1_000)
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        writer.stdin.write("go\n")
        writer.stdin.flush()
        lines = [writer.stdout.readline() for _ in range(chance.randrange(100, 400))]
        time.sleep(chance.random() * 0.02)
        writer.send_signal(signal.SIGKILL)
        with writer:
            lines += writer.stdout.read().splitlines(keepends=True)
        text = "".join(lines)
        acknowledged += text[: text.rfind("written")].split()
    ids = {line for line in acknowledged if "." in line}
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    kept = rows(path, RECORD_IDS)
    assert ids <= {str(record) for (record,) in kept}
    assert len(ids) > 100
    for (answer_id,) in rows(path, "SELECT id FROM answers"):
        answer, _ = read_answer(path, str(answer_id))
        assert seal(answer, seal_keys(keys)[-1]) == answer.id
