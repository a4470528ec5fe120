"""Work of unknown length is told from two seconds on, and not beside a bar."""

from __future__ import annotations

import io
import time
from contextlib import redirect_stderr

import click
import pytest

from household_ml.cli.options import Command
from household_ml.serving import working
from household_ml.serving.progress import Progress
from household_ml.serving.working import Working


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal, on which nobody waits long."""
    for name in ("_AFTER_S", "_EVERY_S", "_PLAIN_AFTER_S"):
        monkeypatch.setattr(working, name, 0.05)
    return Terminal()


def until(shown: io.StringIO, told: str) -> bool:
    """Wait a while for a text to be told."""
    for _ in range(200):
        if told in shown.getvalue():
            return True
        time.sleep(0.02)
    return False


def test_short_work_tells_nothing(shown: Terminal) -> None:
    with redirect_stderr(shown), Working("thinking"):
        pass
    assert shown.getvalue() == ""


def test_long_work_tells_on_a_terminal_and_wipes_its_line(shown: Terminal) -> None:
    with redirect_stderr(shown), Working("thinking"):
        assert until(shown, "\rthinking: 0 s\r")
    assert shown.getvalue().endswith("\r\033[K")


def test_elsewhere_it_writes_lines(shown: Terminal) -> None:
    log = io.StringIO()
    with redirect_stderr(log), Working("thinking"):
        assert until(log, "thinking: 0 s\n")
    assert "\r" not in log.getvalue()


def test_it_is_silent_while_a_bar_is_shown(shown: Terminal) -> None:
    with redirect_stderr(shown):
        bar = Progress("scoring", 2)
        with bar, Working("thinking"):
            time.sleep(0.3)
            told = shown.getvalue()
    assert "scoring" in told
    assert "thinking" not in told


def test_it_ends_with_an_error_too(shown: Terminal) -> None:
    def fail() -> None:
        with redirect_stderr(shown), Working("thinking"):
            assert until(shown, "thinking")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert shown.getvalue().endswith("\033[K")


def test_every_command_tells_that_it_goes_on(shown: Terminal) -> None:
    @click.command(cls=Command, name="slow")
    def slow() -> None:
        assert until(shown, "slow: 0 s")

    with redirect_stderr(shown):
        slow.main(args=[], prog_name="slow", standalone_mode=False)
    assert "slow: 0 s" in shown.getvalue()


def test_the_service_tells_nothing(shown: Terminal) -> None:
    @click.command(cls=Command, name="serve")
    def serve() -> None:
        time.sleep(0.3)

    with redirect_stderr(shown):
        serve.main(args=[], prog_name="serve", standalone_mode=False)
    assert shown.getvalue() == ""
