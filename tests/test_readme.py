"""The README says what there is, and its examples run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from household_ml.cli import COMMANDS, household_ml
from household_ml.config import FeatureConfig, environment_markdown
from household_ml.schema import SESSIONS, VERDICTS
from household_ml.scoring.hysteresis import (
    HOUSEHOLD_WEEKS,
    OUTSIDE_WEEKS,
    OVERTURN_WEEKS,
    STANDING,
    WITHDRAWAL_WEEKS,
)
from household_ml.scoring.reasons import MOST, reasons_markdown
from household_ml.scoring.verdicts import (
    MIN_ACCOUNT_DAYS,
    MIN_ACCOUNT_SESSIONS,
    MIN_DEVICE_SESSIONS,
)
from household_ml.sessions.validation import REASONS as REJECTED

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
SHELL = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
PYTHON = [text for kind, text in BLOCKS if kind == "python"]

QUICK = {"simulate", "networks", "features", "places", "keys", "score"}


def lines(program: str) -> list[list[str]]:
    split = [shlex.split(line) for line in SHELL]
    return [words for words in split if words and Path(words[0]).name == program]


def marked(first: str, last: str) -> str:
    """What stands between two marks, each of which is there once."""
    _, after = README.split(first)
    return after.split(last)[0]


def context_of(words: list[str]) -> click.Context:
    """Parse one command line as the command would, without running it."""
    name, *arguments = words[1:]
    command = household_ml.get_command(click.Context(household_ml), name)
    assert command is not None, f"there is no command {name}"
    return command.make_context(name, arguments)


@pytest.mark.parametrize("words", lines("household-ml"), ids=" ".join)
def test_each_command_is_one_that_the_command_line_takes(words: list[str]) -> None:
    assert context_of(words).params


@pytest.mark.parametrize("words", lines("make"), ids=" ".join)
def test_each_make_target_exists(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{target}:" in makefile for target in words[1:])


def test_each_extra_exists() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.findall(r"\[([\w,]+)\]", " ".join(" ".join(words) for words in lines("pip")))
    assert extras
    assert all(f"\n{each} = [" in project for extra in extras for each in extra.split(","))


def test_the_table_of_commands_is_complete() -> None:
    told = re.findall(r"^\| `household-ml ([\w-]+)` \|", README, flags=re.MULTILINE)
    assert told == list(COMMANDS)


def test_the_table_of_environment_variables_is_the_one_of_the_code() -> None:
    assert f"\n\n{environment_markdown()}\n\n" in README


def test_columns_and_verdicts_are_named() -> None:
    named = set(re.findall(r"`([a-z_]+)`", README))
    assert set(SESSIONS.names) <= named
    assert set(VERDICTS) <= named


def test_the_table_of_reasons_is_the_one_of_the_code() -> None:
    assert marked("with its sentences</summary>\n\n", "\n</details>") == reasons_markdown()
    assert MOST == 4
    assert "at most four reasons a device" in README


def test_the_rule_of_verdicts_is_the_one_of_the_code() -> None:
    told = " ".join(marked("\n## Verdicts\n", "\n## Reasons\n").split())
    assert f"fewer than {MIN_DEVICE_SESSIONS} sessions in the window of 180 days" in told
    assert FeatureConfig().window_days == 180
    assert (
        f"fewer than {MIN_ACCOUNT_SESSIONS} sessions or sessions on fewer than "
        f"{MIN_ACCOUNT_DAYS} days" in told
    )
    assert f"N is {HOUSEHOLD_WEEKS} for a first `household`" in told
    assert f"{OUTSIDE_WEEKS} for a first `outside`" in told
    assert f"{OUTSIDE_WEEKS} for `household` after `outside`" in told
    assert f"{WITHDRAWAL_WEEKS} for `undetermined` after `outside`" in told
    assert f"{OVERTURN_WEEKS} for `outside` after `household`" in told
    assert f"at the latest {OVERTURN_WEEKS} weeks, {OVERTURN_WEEKS} days of use" in told
    assert all(f"`{column.name}`" in told for column in STANDING)


def test_the_table_of_rejected_rows_is_the_one_of_the_code() -> None:
    told = marked("| code | rejected because |\n|---|---|\n", "\n\n</details>")
    assert told == "\n".join(f"| `{code}` | {why} |" for code, why in REJECTED.items())


def test_results_are_rows_of_the_card_of_the_model_that_ships() -> None:
    card = (ROOT / "models" / "default" / "card.md").read_text(encoding="utf-8").splitlines()
    told = marked("copied after each training -->", "<!-- end of results -->").splitlines()
    assert [line for line in told if line.startswith("|") and line not in card] == []


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_links_within_the_page_lead_to_headings_and_every_section_is_linked() -> None:
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)
    anchors = [
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^## (.+)$", prose, flags=re.MULTILINE)
    ]
    told = re.findall(r"\]\(#([^)]+)\)", marked("\n**Read on**:", "\n## The first hour"))
    assert told == anchors
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= set(anchors)


def test_it_sells_before_it_explains() -> None:
    """What, for whom, a picture, two commands, an example and the limits come before all else."""
    first = README.split("\n## ")[0]
    order = [
        "**Which devices",
        "**For**",
        "![",
        "```bash",
        "```python",
        "**The limits",
        "**Read on**",
    ]
    places = [first.index(each) for each in order]
    assert places == sorted(places)
    assert len(first.splitlines()) < 90


def test_the_example_has_at_most_fifteen_lines() -> None:
    assert 0 < len(PYTHON[0].splitlines()) <= 15


@pytest.mark.parametrize("source", PYTHON)
def test_python_runs_as_written(
    source: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    exec(compile(source, "README.md", "exec"), names)

    printed = capsys.readouterr().out
    assert "rows in" in printed
    assert any(verdict in printed for verdict in VERDICTS)


def test_shell_commands_run_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    for words in lines("household-ml"):
        if words[1] in QUICK and "--model" not in words:
            small = [{"400": "40", "200": "30"}.get(word, word) for word in words[1:]]
            household_ml.main(args=small, standalone_mode=False)
            written = small[small.index("--keys" if words[1] == "keys" else "--out") + 1]
            assert (tmp_path / written).exists()
