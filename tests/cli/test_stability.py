"""Following accounts from day to day on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from household_ml.cli import main
from household_ml.cli.lived import changes_of_truth, live
from household_ml.cli.stability import stability_of_kinds
from household_ml.modeling.card import model_card
from household_ml.modeling.card_stability import STABILITY
from household_ml.scoring import HouseholdScorer
from household_ml.serving.batch import read_scores

BEFORE, NOW = "2023-10-10T20:00Z", "2023-10-11T20:00Z"


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_score_carries_on_from_the_scores_before(
    sessions: pa.Table, model_folder: Path, scorer: HouseholdScorer, tmp_path: Path, suffix: str
) -> None:
    pq.write_table(sessions, tmp_path / "sessions.parquet")
    base = ("score", "--sessions", tmp_path / "sessions.parquet", "--model", model_folder)
    first, second = (tmp_path / f"{name}.{suffix}" for name in ("first", "second"))
    assert call(*base, "--as-of", BEFORE, "--out", first) == 0
    assert call(*base, "--as-of", NOW, "--previous", first, "--out", second) == 0
    before = scorer.score_table(sessions, as_of=BEFORE)
    assert read_scores(second).equals(scorer.score_table(sessions, as_of=NOW, previous=before))


def test_scores_from_later_are_refused_in_one_line(
    sessions: pa.Table,
    model_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pq.write_table(sessions, tmp_path / "sessions.parquet")
    base = ("score", "--sessions", tmp_path / "sessions.parquet", "--model", model_folder)
    assert call(*base, "--as-of", NOW, "--out", tmp_path / "later.parquet") == 0
    capsys.readouterr()
    given = ("--previous", tmp_path / "later.parquet", "--out", tmp_path / "scores.parquet")
    assert call(*base, "--as-of", BEFORE, *given) == 2
    assert "previous must have been scored no later than as_of" in capsys.readouterr().err
    assert not (tmp_path / "scores.parquet").exists()


def test_stability_tells_flips_with_and_without_the_scores_before(
    world_folder: Path, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "stability.json"
    given = ("--data", world_folder, "--model", model_folder, "--days", 3, "--run-in", 1)
    assert call("stability", *given, "--json", out) == 0
    told = capsys.readouterr().out
    assert "simulated accounts with" in told
    assert "| flips in 1,000 device-months of unchanged households, all devices |" in told
    found = json.loads(out.read_text())
    assert found["settings"]["days"] == 3
    assert found["settings"]["changes_known"] is True


def test_folders_and_worlds_are_one_or_the_other(
    world_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("stability", "--data", world_folder, "--world", "fr") == 2
    assert "--data and --world must not be given together" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_measurements(scorer: HouseholdScorer) -> None:
    small = {"accounts": 12, "days": 3, "run_in": 1, "history": 20, "seed": 4}
    once, again = (stability_of_kinds(scorer.model, ["us", "de"], **small) for _ in range(2))
    assert once == again
    assert once["settings"]["worlds"] == ["us", "us, second hand", "de"]
    assert once["settings"]["accounts"] <= 36
    measured = replace(scorer.model, metrics={STABILITY: once})
    assert "\n\n## Verdicts from day to day\n\n" in model_card(measured)
    assert "## Verdicts from day to day" not in model_card(scorer.model)


@pytest.mark.parametrize(
    ("hand", "world"), [("first", "moves_and_holidays"), ("second", "moves_holidays")]
)
def test_a_world_is_lived_with_its_changes(hand: str, world: str) -> None:
    lived = live(hand, world, accounts=40, days=30, seed=(1, 2))
    assert lived.changes is not None
    assert {"moved", "changed_isp"} & set(lived.changes["change"])
    assert lived.changes["account_id"].isin(lived.data.sessions.account_id.to_pylist()).all()
    assert lived.accounts is not None
    assert lived.data.simulated


def visits(device: str, days: range, place: int, line: int, home: int) -> list[dict[str, object]]:
    """Daily sessions of a device of account a at a true place."""
    return [
        {
            "account_id": "a",
            "device_id": device,
            "started_at": pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(days=day),
            "line_id": line,
            "place_id": place,
            "at_home": place == home,
        }
        for day in days
    ]


def changes(rows: list[dict[str, object]], situation: str) -> set[tuple[str, str | None, int]]:
    """What changed, for which device, on which day."""
    frame = pd.DataFrame(rows)
    truth = ["line_id", "place_id", "at_home"]
    labels = pd.DataFrame({"device_id": frame["device_id"].unique(), "situation": situation})
    found = changes_of_truth(frame.drop(columns=truth), frame[truth], labels)
    start = pd.Timestamp("2026-01-01", tz="UTC")
    return {
        (row.change, row.device_id, (row.changed_at - start).days)
        for row in found.itertuples(index=False)
    }


def test_changes_are_read_off_the_true_places() -> None:
    stays = visits("tv", range(40), 1, 1, 1)
    assert changes(stays, "resident_fixed") == set()
    away = visits("tv", range(10), 1, 1, 1) + visits("tv", range(10, 14), 5, 9, 1)
    assert changes(away + visits("tv", range(14, 30), 1, 1, 1), "resident_fixed") == set()
    line = visits("tv", range(10), 1, 1, 1) + visits("tv", range(10, 20), 1, 2, 1)
    assert changes(line, "resident_fixed") == {("changed_isp", None, 10)}
    two = [row for day in range(20) for row in visits("tv", range(day, day + 1), 1, day % 2, 1)]
    assert changes(two, "resident_two_isps") == set()
    house = visits("tv", range(10), 1, 1, 1) + visits("tv", range(10, 20), 2, 2, 2)
    assert ("moved", None, 10) in changes(house, "resident_fixed")
    leaver = visits("tv", range(40), 1, 1, 1) + visits("phone", range(20), 1, 1, 1)
    leaver += visits("phone", range(20, 40), 7, 7, 1)
    gone = changes(leaver, "ex_member_left")
    assert {("left", "phone", 20), ("member_left", None, 20)} <= gone
    assert not any(device == "tv" for _, device, _ in gone)
    comer = visits("phone", range(20), 7, 7, 1) + visits("phone", range(20, 40), 1, 1, 1)
    assert changes(comer, "resident_moved") == {
        ("joined", "phone", 19),
        ("member_joined", None, 19),
    }
