"""API keys: shown once, kept as digests, several at once."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from household_ml.errors import FormatError, ParameterError
from household_ml.serving.api_keys import KeyRing, add_key, read_keys, revoke_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def opens(ring: KeyRing, key: str) -> str | None:
    return ring.caller(f"Bearer {key}".encode())


def test_a_key_is_kept_nowhere(path: Path) -> None:
    key = add_key(path, "caller")
    assert key not in path.read_text()
    assert key.removeprefix("hml_") not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in read_keys(path)] == ["caller"]


def test_keys_differ_and_are_long(path: Path) -> None:
    keys = {add_key(path, f"caller-{number}") for number in range(20)}
    assert len(keys) == 20
    assert all(len(key) == 47 for key in keys)


def test_several_open_at_once_and_one_that_is_revoked_does_not(path: Path) -> None:
    first, second = add_key(path, "first"), add_key(path, "second")
    ring = KeyRing(path)
    assert (opens(ring, first), opens(ring, second)) == ("first", "second")
    revoke_key(path, "first")
    assert opens(ring, first) == "first"
    assert ring.refresh()
    assert (opens(ring, first), opens(ring, second)) == (None, "second")
    assert not ring.refresh()


@pytest.mark.parametrize("header", [b"", b"Bearer", b"Bearer ", b"Basic abc", b"\xff\xfe"])
def test_what_opens_nothing(path: Path, header: bytes) -> None:
    add_key(path, "caller")
    assert KeyRing(path).caller(header) is None


def test_the_scheme_is_read_without_regard_to_case(path: Path) -> None:
    key = add_key(path, "caller")
    assert KeyRing(path).caller(f"bearer  {key}".encode()) == "caller"


def test_a_file_that_cannot_be_read_any_more_leaves_the_keys_good(path: Path) -> None:
    key = add_key(path, "caller")
    ring = KeyRing(path)
    path.write_text("{")
    with pytest.raises(FormatError, match="a file of API keys must be one"):
        ring.refresh()
    assert opens(ring, key) == "caller"
    path.unlink()
    with pytest.raises(ParameterError, match="must be one that can be read"):
        ring.refresh()
    assert opens(ring, key) == "caller"


@pytest.mark.parametrize("name", ["", "a b", "-a", "a" * 65, "first"])
def test_names_that_cannot_be_used(path: Path, name: str) -> None:
    add_key(path, "first")
    with pytest.raises(ParameterError, match="the name of a key must be"):
        add_key(path, name)


def test_revoking_what_is_not_there_names_what_is(path: Path) -> None:
    add_key(path, "first")
    with pytest.raises(ParameterError, match="one of: first, got 'second'"):
        revoke_key(path, "second")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": 2, "keys": []}',
        '{"format": 1, "keys": [{"name": "a"}]}',
        json.dumps({"format": 1, "keys": [{"name": "a", "sha256": "00", "created": "2026-01-01"}]}),
        '{"format": 1, "keys": [{"name": 1, "sha256": 2, "created": 3}]}',
    ],
)
def test_what_is_no_file_of_keys(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(FormatError, match="a file of API keys must be one"):
        KeyRing(path)


def test_the_file_keeps_its_mode_when_it_changes(path: Path) -> None:
    add_key(path, "first")
    path.chmod(0o640)
    add_key(path, "second")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(path.parent.iterdir()) == [path]
