"""Batches in parts: the answer of one that is held in memory, however it came about."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from household_ml.errors import FormatError, NoSessionsError, ParameterError, ResourcesError
from household_ml.networks import enrich
from household_ml.scoring import HouseholdScorer
from household_ml.serving import stages
from household_ml.serving.batch import partial_path, read_scores, score_files
from household_ml.serving.journal import Journal, work_folder
from household_ml.sessions import intake, pieces, read_sessions
from tests.serving.batch_processes import run_batches

PART = 700


def shuffled(sessions: pa.Table, seed: int = 5) -> pa.Table:
    order = np.random.default_rng(seed).permutation(sessions.num_rows)
    return sessions.take(pa.array(order))


@pytest.fixture(scope="module")
def folder(sessions: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sessions in no order, over four files of three kinds."""
    target = tmp_path_factory.mktemp("input") / "sessions"
    target.mkdir()
    mixed = shuffled(sessions)
    quarter = mixed.num_rows // 4
    for number in (0, 2):
        part = mixed.slice(number * quarter, quarter)
        pq.write_table(part, target / f"{number}.parquet", row_group_size=500)
    pa_csv.write_csv(mixed.slice(quarter, quarter), target / "1.csv")
    with pa.ipc.new_file(target / "3.arrow", mixed.schema) as writer:
        writer.write_table(mixed.slice(3 * quarter))
    return target


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_ROWS", 1_000)
    monkeypatch.setattr(pieces, "BATCH_ROWS", 256)
    monkeypatch.setattr(intake, "BATCH_ROWS", 256)
    monkeypatch.setattr(intake, "CHUNK_ROWS", 900)
    monkeypatch.setattr("household_ml.serving.stages.choose_ranges", several_ranges)


def several_ranges(files: Any) -> Any:
    from household_ml.networks.exchange import choose_ranges

    return choose_ranges(files, 400)


def bytes_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_parts_give_what_is_given_at_once(
    scorer: HouseholdScorer, folder: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"scores.{suffix}"
    summary = score_files(folder, out, scorer=scorer, chunk_sessions=PART, quiet=True)
    expected = scorer.score_table(folder)
    assert read_scores(out).equals(expected)
    assert summary.devices == sum(summary.verdicts.values()) == expected.num_rows
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.usefixtures("small_pieces")
def test_so_they_do_with_every_option(
    scorer: HouseholdScorer, folder: Path, tmp_path: Path
) -> None:
    whole = read_sessions(folder)
    moment = int(np.quantile(whole.started_at, 0.8))
    options: dict[str, Any] = {
        "as_of": moment,
        "networks": enrich(whole).statistics,
        "accounts": pa.table({"account_id": whole.account_id, "extra_members": [1] * 60}),
        "previous": scorer.score_table(whole, as_of=moment - 86_400_000_000),
    }
    out = tmp_path / "scores.parquet"
    score_files(folder, out, scorer=scorer, chunk_sessions=PART, quiet=True, **options)
    assert read_scores(out).equals(scorer.score_table(whole, **options))


@pytest.mark.usefixtures("small_pieces")
def test_threads_and_the_order_of_time_or_accounts_change_no_byte(
    scorer: HouseholdScorer, sessions: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for threads in (1, 3):
        monkeypatch.setenv("HOUSEHOLD_ML_THREADS", str(threads))
        pq.write_table(shuffled(sessions), tmp_path / "rows.parquet", row_group_size=800)
        out = tmp_path / "scores.parquet"
        score_files(tmp_path / "rows.parquet", out, scorer=scorer, chunk_sessions=PART, quiet=True)
        found[threads] = bytes_of(out)
    assert found[1] == found[3]
    by_account = sessions.sort_by([("account_id", "ascending"), ("started_at", "ascending")])
    pq.write_table(by_account, tmp_path / "rows.parquet", row_group_size=800)
    score_files(tmp_path / "rows.parquet", out, scorer=scorer, chunk_sessions=PART, quiet=True)
    assert read_scores(out).equals(scorer.score_table(sessions))


@pytest.mark.usefixtures("small_pieces")
def test_rows_are_rejected_as_they_are_at_once(
    scorer: HouseholdScorer, sessions: pa.Table, tmp_path: Path
) -> None:
    text = sessions.set_column(
        sessions.column_names.index("ip"), "ip", sessions["ip"].cast(pa.string())
    ).drop_columns(["asn"])
    bad = text.slice(0, 40).set_column(
        text.column_names.index("ip"), "ip", pa.array(["nowhere", "10.0.0.1"] * 20)
    )
    source = tmp_path / "in"
    source.mkdir()
    pq.write_table(pa.concat_tables([text, bad, text.slice(100, 30)]), source / "a.parquet")
    pq.write_table(text.slice(20, 50), source / "b.parquet")
    told = []
    for suffix, chunk in itertools.product(("parquet", "csv"), (PART, 10**9)):
        rejected = tmp_path / f"rejected-{chunk}.{suffix}"
        score_files(
            source,
            tmp_path / "scores.parquet",
            scorer=scorer,
            rejected=rejected,
            chunk_sessions=chunk,
            quiet=True,
            tell=lambda reading: told.append(str(reading)),
        )
    assert len(set(told)) == 1
    assert "120 rejected (80 duplicate, 20 ip_invalid, 20 ip_private)" in told[0]
    for suffix, read in (("parquet", pq.read_table), ("csv", pa_csv.read_csv)):
        in_parts, at_once = (read(tmp_path / f"rejected-{n}.{suffix}") for n in (PART, 10**9))
        assert in_parts.equals(at_once)


# Killed and started again

MOMENTS = (
    "plan.json",
    "rows-000000",
    "rows-000003.part",
    "sessions-000000",
    "networks-000009",
    "range-000000",
    "answers-000000",
    "answers-000004.part",
    "answers-000009",
    "output.part",
)


def test_killed_at_any_moment_it_ends_with_the_same_bytes_and_does_nothing_twice(
    scorer: HouseholdScorer, folder: Path, model_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "once").mkdir()
    whole = tmp_path / "once" / "scores.parquet"
    score_files(folder, whole, scorer=scorer, chunk_sessions=PART, quiet=True)
    out = tmp_path / "scores.parquet"
    runs = [f"kill {moment}" for moment in MOMENTS]
    found = run_batches(folder, model_folder, out, [*runs, "whole"], part_sessions=PART)
    assert [each["error"] for each in found] == [""] * len(found)
    assert found[-1]["ended"] == 0
    killed = [each for each in found if each["ended"] == -9]
    assert len(killed) >= 5
    for before, after in itertools.pairwise(found[:-1]):
        kept = before["finished"].keys() & after["finished"].keys()
        assert {name: before["finished"][name] for name in kept} == {
            name: after["finished"][name] for name in kept
        }
    assert len(killed[-1]["finished"]) > 10
    assert bytes_of(out) == bytes_of(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["once", "scores.parquet"]


@pytest.mark.usefixtures("small_pieces")
def test_parts_that_are_finished_are_not_done_again(
    scorer: HouseholdScorer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stage is broken off in turn: every part of it is finished once."""
    done: Counter[tuple[str, int]] = Counter()
    breaking = {"stage": "", "after": 0}

    class BrokenOffError(Exception):
        """Stands for a kill."""

    def counted(stage: str, number: int) -> None:
        if breaking["stage"] == stage:
            breaking["after"] -= 1
            if breaking["after"] < 0:
                raise BrokenOffError
        done[stage, number] += 1

    take, arrange = intake.Intake.take, stages.Batch._arrange
    add, answer = stages.add_range, stages._save

    def take_in(self: Any, piece: Any, names: Any, path: Path, *more: Any) -> Any:
        counted("read", int(path.name[-6:]))
        return take(self, piece, names, path, *more)

    def put_in_order(self: Any, files: Any, number: int, moment: int) -> int:
        counted("arrange", number)
        return arrange(self, files, number, moment)

    def add_up(path: Path, files: Any, cuts: Any, number: int) -> None:
        counted("add", number)
        add(path, files, cuts, number)

    def save(table: pa.Table, path: Path) -> None:
        counted("answer", int(path.name[-6:]))
        answer(table, path)

    monkeypatch.setattr(intake.Intake, "take", take_in)
    monkeypatch.setattr(stages.Batch, "_arrange", put_in_order)
    monkeypatch.setattr(stages, "add_range", add_up)
    monkeypatch.setattr(stages, "_save", save)
    monkeypatch.setenv("HOUSEHOLD_ML_THREADS", "1")
    out = tmp_path / "scores.parquet"
    for stage, after in (("read", 2), ("arrange", 3), ("add", 1), ("answer", 4)):
        breaking.update(stage=stage, after=after)
        with pytest.raises(BrokenOffError):
            score_files(folder, out, scorer=scorer, chunk_sessions=PART, quiet=True)
        assert done[stage, 0] == 1
        assert not out.exists()
    breaking["stage"] = ""
    score_files(folder, out, scorer=scorer, chunk_sessions=PART, quiet=True)
    assert read_scores(out).equals(scorer.score_table(folder))
    assert set(done.values()) == {1}
    assert {stage for stage, _ in done} == {"read", "arrange", "add", "answer"}


@pytest.mark.usefixtures("small_pieces")
def test_another_call_for_the_same_output_begins_anew(
    scorer: HouseholdScorer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "scores.parquet"

    def broken(*given: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(stages, "_save", broken)
        with pytest.raises(ZeroDivisionError):
            score_files(folder, out, scorer=scorer, chunk_sessions=PART, quiet=True)
    moment = int(np.quantile(read_sessions(folder).started_at, 0.5))
    score_files(folder, out, scorer=scorer, as_of=moment, chunk_sessions=PART, quiet=True)
    assert read_scores(out).equals(scorer.score_table(folder, as_of=moment))


@pytest.mark.usefixtures("small_pieces")
def test_interrupted_whole_accounts_are_kept_and_the_same_call_goes_on(
    scorer: HouseholdScorer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "scores.parquet"
    save, saved = stages._save, []

    def interrupted(table: pa.Table, path: Path) -> None:
        saved.append(path)
        if len(saved) == 5:
            raise KeyboardInterrupt
        save(table, path)

    monkeypatch.setenv("HOUSEHOLD_ML_THREADS", "1")
    with monkeypatch.context() as patch:
        patch.setattr(stages, "_save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            score_files(folder, out, scorer=scorer, chunk_sessions=PART, quiet=True)
    whole = scorer.score_table(folder)
    kept = read_scores(partial_path(out))
    assert 0 < kept.num_rows < whole.num_rows
    assert kept.equals(whole.slice(0, kept.num_rows).combine_chunks())
    score_files(folder, out, scorer=scorer, chunk_sessions=PART, quiet=True)
    assert read_scores(out).equals(whole)
    assert [path.name for path in tmp_path.iterdir()] == ["scores.parquet"]


def test_two_runs_do_not_write_one_output(tmp_path: Path) -> None:
    with (
        Journal(tmp_path / "scores.parquet", {}),
        pytest.raises(ParameterError, match="must be written by one run at a time"),
        Journal(tmp_path / "scores.parquet", {}),
    ):
        pass


# What goes wrong


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 4 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 4)
    path.write_bytes(content)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("chunk", [PART, 10**9])
def test_a_damaged_file_among_many_is_told_and_the_rest_is_scored(
    scorer: HouseholdScorer, sessions: pa.Table, tmp_path: Path, chunk: int
) -> None:
    source, rest = tmp_path / "in", tmp_path / "rest"
    mixed = shuffled(sessions)
    share = mixed.num_rows // 5
    for target in (source, rest):
        target.mkdir()
        for number in range(5):
            part = mixed.slice(number * share, share)
            pq.write_table(part, target / f"{number}.parquet", row_group_size=200)
    damage(source / "1.parquet")
    (source / "3.parquet").write_bytes((source / "3.parquet").read_bytes()[:-20])
    (rest / "1.parquet").unlink()
    (rest / "3.parquet").unlink()
    out = tmp_path / "scores.parquet"
    summary = score_files(source, out, scorer=scorer, chunk_sessions=chunk, quiet=True)
    assert sorted(re.findall(r"(\d)\.parquet", " ".join(map(str, summary.damaged)))) == ["1", "3"]
    assert read_scores(out).equals(scorer.score_table(rest))


@pytest.mark.parametrize("chunk", [PART, 10**9])
def test_damage_to_every_file_is_an_error(
    scorer: HouseholdScorer, sessions: pa.Table, tmp_path: Path, chunk: int
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a", "b"):
        pq.write_table(sessions, source / f"{name}.parquet")
        damage(source / f"{name}.parquet")
    out = tmp_path / "scores.parquet"
    with pytest.raises(FormatError, match=r"a\.parquet must be a whole .*b\.parquet must be a"):
        score_files(source, out, scorer=scorer, chunk_sessions=chunk, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_nothing_to_score_is_an_error_and_leaves_nothing(
    scorer: HouseholdScorer, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.parquet"
    with pytest.raises(NoSessionsError, match="must have one in the 180 days before as_of"):
        score_files(folder, out, scorer=scorer, as_of="1999-01-01", chunk_sessions=PART, quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_rows_of_which_none_can_be_used_come_with_a_remedy(
    scorer: HouseholdScorer, sessions: pa.Table, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.parquet", tmp_path / "scores.parquet"
    few = sessions.slice(0, 3).drop_columns(["asn"])
    hidden = pa.array(["10.0.0.1"] * len(few))
    pq.write_table(few.set_column(few.column_names.index("ip"), "ip", hidden), source)
    with pytest.raises(
        NoSessionsError,
        match=r"rejected \(3 ip_private\)\. Log the address of the client",
    ):
        score_files(source, out, scorer=scorer, chunk_sessions=1, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]


def test_a_full_disk_is_told_and_what_is_finished_is_kept(
    scorer: HouseholdScorer, folder: Path, model_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.parquet"
    # No file may grow so large: first not those of the rows, then not the output.
    runs = ["file 30000", "kill answers-000000", "file 8000", "whole"]
    rows, _, output, whole = run_batches(folder, model_folder, out, runs, part_sessions=PART)
    for each in (rows, output):
        assert each["error"].startswith("ResourcesError: the disk must have room for the output")
        assert f"is kept in {work_folder(out)}; start again to go on." in each["error"]
    assert "answers-000000" in output["finished"]
    assert (whole["ended"], whole["error"]) == (0, "")
    assert read_scores(out).equals(scorer.score_table(folder))


def test_memory_that_runs_out_is_told_and_what_is_finished_is_kept(
    scorer: HouseholdScorer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "scores.parquet"
    load = stages.load_sessions

    def greedy(path: Path) -> Any:
        return np.empty(1 << 55) if path.name == "sessions-000006" else load(path)

    with monkeypatch.context() as patch:
        patch.setattr(stages, "load_sessions", greedy)
        with pytest.raises(
            ResourcesError, match=r"memory must suffice .* Unable to allocate"
        ) as bad:
            score_files(folder, out, scorer=scorer, chunk_sessions=PART, quiet=True)
    assert bad.value.exit_code == 1
    assert (work_folder(out) / "answers-000003").exists()
    score_files(folder, out, scorer=scorer, chunk_sessions=PART, quiet=True)
    assert read_scores(out).equals(scorer.score_table(folder))
