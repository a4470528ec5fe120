"""The picture of a timeline: everything has its room, and colour never speaks alone."""

from __future__ import annotations

import re

import numpy as np
import pytest

from household_ml.serving.timeline import NO_SESSION, Timeline, plot_timeline

UUID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"


def make(days: int, *, name: str = "tv", truth: str = "") -> Timeline:
    """Two devices: one at home each day, one elsewhere every other day."""
    place = np.zeros((2, days), np.int32)
    place[1] = np.where(np.arange(days) % 2, NO_SESSION, 3)
    return Timeline(
        account_id="a",
        first_day=np.datetime64("2026-01-30"),
        devices=(name, "phone-1"),
        kinds=("tv", ""),
        place=place,
        answers=(("household", 0.9), ("undetermined", 0.4)),
        truth=(truth, ""),
    )


def numbers(pattern: str, drawn: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, drawn)]


@pytest.mark.parametrize("days", [1, 5, 31, 60])
def test_away_from_home_a_cell_says_its_place_by_number_too(days: int) -> None:
    drawn = plot_timeline(make(days))
    cells = drawn.count('aria-hidden="true">3</text>')
    assert cells == (days + 1) // 2
    assert drawn.count("<rect") == days + cells + 2  # cells of both devices, and the legend


@pytest.mark.parametrize("days", [1, 5, 31, 60, 180])
def test_days_that_are_named_do_not_overlap(days: int) -> None:
    at = numbers(r'<text x="([\d.]+)" y="21"', plot_timeline(make(days)))
    assert 1 <= len(at) <= 12
    assert all(step >= 40 for step in np.diff(at))


def test_names_and_answers_have_the_room_they_need() -> None:
    short, long = (
        numbers(r'viewBox="0 0 (\d+)', plot_timeline(made))[0]
        for made in (make(60), make(60, name="d" * 20, truth="borrower_visits_weekly"))
    )
    assert long > short + 200
    assert short < 900


def test_a_long_id_is_shortened_where_it_is_drawn_and_whole_where_it_is_told() -> None:
    drawn = plot_timeline(make(3, name=UUID))
    assert f"<title>{UUID}, 2026-01-30: home</title>" in drawn
    assert f'font-weight="600">{UUID}' not in drawn
    assert f'font-weight="600">{UUID[:27]}\u2026' in drawn
