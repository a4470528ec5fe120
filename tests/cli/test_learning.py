"""What the commands that learn tell."""

from __future__ import annotations

import pytest

from household_ml.cli.learning import tell_thresholds


def test_where_nothing_can_be_certified_it_is_said_plainly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell_thresholds(None, None)
    told = capsys.readouterr().out
    assert told.count("no threshold qualifies on so few calibration accounts") == 2
    tell_thresholds(0.125, None)
    assert (
        "outside: at or below 0.1250; household: no threshold qualifies" in capsys.readouterr().out
    )
