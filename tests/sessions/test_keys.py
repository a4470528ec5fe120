"""Keys are made, kept, rotated and thrown away."""

from __future__ import annotations

import stat
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from household_ml.errors import ParameterError
from household_ml.sessions.keys import Keys

DAY = date(2026, 3, 1)


def test_a_saved_file_gives_the_same_keys(tmp_path: Path) -> None:
    keys = Keys.generate().rotated()
    keys.save(tmp_path / "keys")

    assert Keys.load(tmp_path / "keys") == keys
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_after_a_rotation_old_pseudonyms_are_recognised_and_new_ones_differ() -> None:
    before = Keys.generate()
    after = before.rotated()
    ids = pa.array(["a", "b"])
    old = before.pseudonyms.make("account_id", ids).to_pylist()
    new = after.pseudonyms.make("account_id", ids).to_pylist()

    assert set(old) & set(new) == set()
    assert list(after.pseudonyms.all_of("account_id", "b")) == [old[1], new[1]]


def test_a_key_that_is_not_kept_takes_the_way_back_with_it() -> None:
    before = Keys.generate().rotated()
    after = before.rotated(keep=1)
    made = [keys.pseudonyms.make("account_id", pa.array(["a"]))[0].as_py() for keys in
            (Keys(before.secrets[:1], before.made[:1]), before)]  # fmt: skip

    assert len(after) == 2
    assert [each in after.pseudonyms.all_of("account_id", "a") for each in made] == [False, True]


def test_addresses_go_by_the_newest_key_and_are_no_digest_of_ids() -> None:
    keys = Keys.generate().rotated()
    hi, lo = np.zeros(1, np.uint64), np.full(1, 0xFFFF_5A01_0203, np.uint64)
    newest = Keys(keys.secrets[1:], keys.made[1:])

    assert keys.addresses.encrypt(hi, lo) == newest.addresses.encrypt(hi, lo)
    assert keys.addresses.key != keys.pseudonyms.keys[-1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no key in"),
        ("# nothing\n\n", "no key in"),
        (f"{DAY} {'0f' * 31}\n", "line 1"),
        (f"{DAY} {'0f' * 32}\n2026-02-30 {'0f' * 32}\n", "line 2"),
    ],
)
def test_a_file_of_something_else_is_refused_and_shows_no_key(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(ParameterError, match=told) as caught:
        Keys.load(tmp_path / "keys")
    assert "0f0f" not in str(caught.value)


def test_a_missing_file_is_told() -> None:
    with pytest.raises(ParameterError, match=r"must be text that can be read, got .*FileNotFound"):
        Keys.load("nowhere/keys")


def test_no_keys_are_refused() -> None:
    with pytest.raises(ParameterError, match="keys must be one or more, of 32 bytes"):
        Keys((), ())


def test_keys_are_in_no_representation() -> None:
    keys = Keys((b"k" * 32,), (DAY,))
    assert "kkk" not in repr(keys)
    assert "2026" in repr(keys)
