"""Worlds of three authors, made and written in one way."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from household_ml.cli import household_ml
from household_ml.errors import ParameterError
from household_ml.serving.datasets import read_labelled
from household_ml.simulation.authors import AUTHORS, kind_of, make_world, write_made_world


@pytest.mark.parametrize("author", AUTHORS)
def test_a_world_of_any_author_is_made_written_and_read(author: str, tmp_path: Path) -> None:
    made = make_world(author, "us", 20, 14, 3)
    rows = write_made_world(tmp_path, author, "us", 20, 14, 3, truth=True)
    written = {name: pq.read_table(tmp_path / f"{name}.parquet") for name in rows}

    for name, table in made._asdict().items():
        assert written[name].to_pandas().equals(table.to_pandas()), name
    data = read_labelled(tmp_path)
    assert data.simulated
    assert data.truth is not None
    assert len(data.truth) == len(made.sessions)


@pytest.mark.parametrize("author", AUTHORS)
def test_every_kind_has_the_first_authors_name(author: str) -> None:
    assert {kind_of(world) for world in AUTHORS[author]} <= set(AUTHORS["first"])


def test_the_truth_is_only_written_where_it_is_asked_for(tmp_path: Path) -> None:
    assert "truth" not in write_made_world(tmp_path, "third", "fr", 20, 14, 3)
    assert not (tmp_path / "truth.parquet").exists()


@pytest.mark.parametrize(
    ("author", "world", "told"),
    [
        ("fourth", "fr", "author must be one of first, second, third, got 'fourth'"),
        ("second", "br", "a world of the second author must be one of fr, us"),
        ("third", "fr~x", "alone or with ~ and a number, got 'fr~x'"),
        ("first", "nowhere", "nowhere"),
    ],
)
def test_what_is_not_there_is_refused(author: str, world: str, told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        make_world(author, world, 20, 14, 3)


def test_the_command_writes_a_world_of_another_author(tmp_path: Path) -> None:
    given = ["simulate", "--out", str(tmp_path / "w"), "--accounts", "20", "--days", "14"]
    done = CliRunner().invoke(household_ml, [*given, "--hand", "third", "--world", "carrier_nat"])
    assert done.exit_code == 0
    assert "sessions" in done.output
    assert (tmp_path / "w" / "world.json").is_file()

    refused = CliRunner().invoke(household_ml, [*given, "--hand", "third", "--check"])
    assert refused.exit_code == 2
    assert "--check compares worlds of the first hand" in refused.output
