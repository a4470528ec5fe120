"""Batch scoring: the same scores in a file, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from household_ml.errors import ParameterError
from household_ml.scoring import HouseholdScorer
from household_ml.serving import batch
from household_ml.serving.batch import partial_path, read_scores, score_files, write_table
from household_ml.serving.outputs import writing


@pytest.mark.parametrize("chunk", [500, 10**9])
def test_chunks_decide_memory_and_not_the_answer(
    scorer: HouseholdScorer, sessions: pa.Table, tmp_path: Path, chunk: int
) -> None:
    out = tmp_path / "scores.parquet"
    summary = score_files(sessions, out, scorer=scorer, chunk_sessions=chunk, quiet=True)
    expected = scorer.score_table(sessions)
    assert read_scores(out).equals(expected)
    assert summary.devices == expected.num_rows
    assert sum(summary.verdicts.values()) == expected.num_rows
    assert [path.name for path in tmp_path.iterdir()] == ["scores.parquet"]


def test_csv_holds_the_same(scorer: HouseholdScorer, sessions: pa.Table, tmp_path: Path) -> None:
    score_files(sessions, tmp_path / "scores.csv", scorer=scorer, quiet=True)
    assert read_scores(tmp_path / "scores.csv").equals(scorer.score_table(sessions))


def test_interrupted_what_was_finished_is_kept_under_another_name(
    scorer: HouseholdScorer,
    sessions: pa.Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = scorer.score_table(sessions)
    answered = 0
    score_table = HouseholdScorer.score_table

    def interrupted(self: HouseholdScorer, *given: object, **named: object) -> pa.Table:
        nonlocal answered
        answered += 1
        if answered == 3:
            raise KeyboardInterrupt
        return score_table(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(HouseholdScorer, "score_table", interrupted)
    out = tmp_path / "scores.parquet"
    with pytest.raises(KeyboardInterrupt):
        score_files(sessions, out, scorer=scorer, chunk_sessions=500, quiet=True)
    kept = read_scores(partial_path(out))
    assert not out.exists()
    assert 0 < kept.num_rows < whole.num_rows
    assert kept.equals(whole.slice(0, kept.num_rows).combine_chunks())


def test_an_error_leaves_nothing_and_what_was_there_before(tmp_path: Path) -> None:
    out = tmp_path / "table.parquet"
    write_table(pa.table({"a": [1]}), out)
    with pytest.raises(ValueError, match="broken"), writing(out, pa.schema([])):
        raise ValueError("broken")
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("scores.txt", "must be a .parquet or .csv file"),
        ("none/scores.csv", "must be a file in a folder that exists"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, name: str, match: str
) -> None:
    with pytest.raises(ParameterError, match=match):
        batch.check_output(tmp_path / name)
