"""The report about one account tells what was seen, decided and why, and names no address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from household_ml import read_sessions
from household_ml.cli import household_ml
from household_ml.errors import ParameterError
from household_ml.scoring import HouseholdScorer
from household_ml.scoring.reasons import sentence
from household_ml.serving import retention
from household_ml.serving.account_report import write_account_report
from household_ml.sessions import Sessions
from household_ml.sessions.one_account import AccountSessions
from tests.serving.accessibility import assert_accessible
from tests.serving.pages import fetched, headings


@pytest.fixture(scope="module")
def histories(sessions: pa.Table) -> Sessions:
    return read_sessions(sessions)


@pytest.fixture(scope="module")
def account(histories: Sessions) -> str:
    """The account with the most devices."""
    sizes = histories.account_devices[1:] - histories.account_devices[:-1]
    return str(histories.account_id[int(sizes.argmax())].as_py())


@pytest.fixture(scope="module")
def paths(
    scorer: HouseholdScorer,
    histories: Sessions,
    account: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("account")
    return {
        language: write_account_report(
            folder / f"{language}.html", scorer, histories, account, language=language,
            simulated=True,
        )
        for language in ("en", "fr")
    }  # fmt: skip


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_device_has_the_answer_and_the_reasons_of_batch_scoring(
    language: str,
    paths: dict[str, Path],
    scorer: HouseholdScorer,
    histories: Sessions,
    account: str,
) -> None:
    page = paths[language].read_text(encoding="utf-8")
    scores = scorer.score(histories)
    own = scores[scores["account_id"] == account]
    assert len(own) > 3
    for row in own.itertuples():
        told = f"{row.household_probability:.3f}"
        assert (told if language == "en" else told.replace(".", ",")) in page
        assert row.device_id in page
        for code in row.reasons:
            escaped = sentence(code, language).replace("'", "&#39;")  # type: ignore[arg-type]
            assert escaped in page


@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_address_is_named_and_nothing_is_fetched(
    language: str, paths: dict[str, Path], histories: Sessions
) -> None:
    page = paths[language].read_text(encoding="utf-8")
    named = set(histories.to_frame()["ip"])
    assert not [ip for ip in named if re.search(rf"(?<![\d.:]){re.escape(ip)}(?![\d.:])", page)]
    assert fetched(page) == []
    assert "://" not in page


def test_it_tells_in_order_what_was_seen_decided_and_what_would_change_it(
    paths: dict[str, Path],
) -> None:
    english, french = (headings(paths[name].read_text("utf-8")) for name in ("en", "fr"))
    parts = [
        "In short", "What was seen", "Places", "Answers and reasons", "What would change it",
        "If this is wrong",
    ]  # fmt: skip
    assert [told for told in english if told in parts] == parts
    assert len(french) == len(english)
    assert not set(french) & set(parts)
    assert "simulated" in paths["en"].read_text("utf-8")
    assert "simulées" in paths["fr"].read_text("utf-8")


def test_erase_finds_it(paths: dict[str, Path], account: str) -> None:
    found = {
        name: list(retention.erase([path], [account], dry_run=True)) for name, path in paths.items()
    }
    assert [change.removed for changes in found.values() for change in changes] == [1, 1]
    assert next(retention.erase([paths["en"]], ["another"], dry_run=True)).removed == 0


def test_an_account_that_is_not_there_is_refused(
    scorer: HouseholdScorer, histories: Sessions, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match="account must be one that has a session in the wind"):
        write_account_report(tmp_path / "a.html", scorer, histories, "nobody")
    assert not list(tmp_path.iterdir())


def test_what_would_change_it_is_told_where_the_scorer_can(
    scorer: HouseholdScorer,
    histories: Sessions,
    account: str,
    tmp_path: Path,
) -> None:
    @dataclass
    class Change:
        device_id: str

        def sentence(self, language: str) -> str:
            return f"Ten <more> nights at home would ({language})."

    def counterfactuals(own: AccountSessions, **asked: object) -> tuple[Change, ...]:
        assert asked["as_of"] == histories.last_started_at()
        return (Change(own.device_id[0]),)

    telling = HouseholdScorer(scorer.model, scorer.snapshot)
    telling.counterfactuals = counterfactuals  # type: ignore[method-assign]
    out = write_account_report(tmp_path / "a.html", telling, histories, account)
    assert "Ten &lt;more&gt; nights at home would (en)." in out.read_text("utf-8")


def test_the_command_writes_it(
    sessions: pa.Table, model_folder: Path, account: str, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    pq.write_table(sessions, tmp_path / "sessions.parquet")
    given = [
        "report", "--sessions", str(tmp_path / "sessions.parquet"), "--model", str(model_folder),
        "--out", str(tmp_path / "compte.html"), "--language", "fr",
    ]  # fmt: skip
    household_ml.main(args=[*given, "--account", account], standalone_mode=False)
    assert '<html lang="fr">' in (tmp_path / "compte.html").read_text("utf-8")
    with pytest.raises(ParameterError, match="--account must name one account, got none, and ses"):
        household_ml.main(args=given, standalone_mode=False)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_axe_finds_nothing_in_chromium(
    paths: dict[str, Path], language: str, tmp_path: Path
) -> None:
    assert_accessible(paths[language], tmp_path)
