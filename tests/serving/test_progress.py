"""Progress tells how much is left from what this run has done itself."""

from __future__ import annotations

import pytest

from household_ml.serving import progress
from household_ml.serving.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_what_was_done_before_says_nothing_of_the_time_that_is_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("scoring", 1_000, unit="") as told:
        told.skip(800)
        clock[0] += 10
        told.advance(100)
    assert capsys.readouterr().err == "scoring: 90 %, about 10 s left\n"


def test_a_guess_that_was_too_low_never_tells_more_than_all(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("scoring", 10, unit="sessions") as told:
        clock[0] += 60
        told.advance(50)
        clock[0] += 60
        told.advance(50)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["scoring: 10 of 10 sessions, about 0 s left"] * 2


def test_lines_are_few_and_quiet_is_quiet(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    for quiet in (False, True):
        with Progress("scoring", 100, quiet=quiet) as told:
            for _ in range(100):
                clock[0] += 0.1
                told.advance(1)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    with Progress("scoring", 4, unit="") as told:
        told.skip(1)
        told.advance(3)
    assert "100%" in capsys.readouterr().err
