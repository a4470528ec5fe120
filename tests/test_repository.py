"""What may lie in the repository: the agreed entries, and nothing of one machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

TOP = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "MANIFEST.in",
    "Makefile",
    "README.md",
    "benchmarks",
    "data",
    "deploy",
    "household_ml",
    "models",
    "notebooks",
    "pyproject.toml",
    "requirements.lock",
    "setup.py",
    "tests",
}

REGISTRY = re.compile(r"https?://[^\s\"']*(pypi|pythonhosted|npmjs|debian|conda)\.")
MACHINE = re.compile(r"(^|[^\w.])/(work|farm|root|home/\w+)/")


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a working copy")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    found = []
    for path in paths:
        content = path.read_bytes()
        if b"\0" in content[:8192]:
            continue
        text = content.decode("utf-8", errors="replace")
        found += [
            f"{path.relative_to(ROOT)}:{number}"
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
    return found


def test_top_entries_are_the_agreed_ones(tracked: list[Path]) -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked} <= TOP


def test_no_file_names_a_package_registry(tracked: list[Path]) -> None:
    assert lines_with(REGISTRY, tracked) == []


def test_no_file_carries_a_path_of_one_machine(tracked: list[Path]) -> None:
    assert lines_with(MACHINE, tracked) == []


def test_the_patterns_notice() -> None:
    assert REGISTRY.search("see https://" + "pypi.org/simple")
    assert MACHINE.search("open('" + "/wo" + "rk/main/x')")
    assert not MACHINE.search("tests/work/fine and at home/alone")


def test_the_lock_pins_with_hashes_and_holds_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = [block for block in re.split(r"\n(?=[a-z0-9])", lock) if block]

    assert "://" not in lock
    assert [pin.split()[0] for pin in pins if not re.match(r"[a-z0-9.-]+==\S+ ", pin)] == []
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []


def test_the_lock_covers_every_dependency() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *(each for extra in project["project"]["optional-dependencies"].values() for each in extra),
        *project["dependency-groups"]["dev"],
    ]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    names = {re.split(r"[\[=<>]", each)[0] for each in wanted}
    assert {name for name in names if f"\n{name}==" not in f"\n{lock}"} == set()


def test_modules_have_words_of_the_field_for_names() -> None:
    vague = {"utils", "helpers", "misc", "common", "core", "manager", "base"}
    names = {
        part.removesuffix(".py")
        for path in ROOT.glob("household_ml/**/*.py")
        for part in path.relative_to(ROOT).parts
    }
    assert names & vague == set()
