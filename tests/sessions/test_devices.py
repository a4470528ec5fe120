"""Device types from descriptions, and pseudonyms of ids."""

from __future__ import annotations

import pyarrow as pa
import pytest

from household_ml.errors import ParameterError
from household_ml.sessions.device_types import device_type_of, device_types
from household_ml.sessions.pseudonyms import Pseudonyms


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ("Samsung 2021 Smart TV", "tv"),
        ("LG webOS TV", "tv"),
        ("Sony Android TV", "tv"),
        ("TCL Roku TV", "tv"),
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) AppleWebKit/538.1", "tv"),
        ("Amazon Fire TV Stick 4K Max", "streaming_stick"),
        ("Google Chromecast V3", "streaming_stick"),
        ("Partner google cast_tv;Chromecast;;", "streaming_stick"),
        ("Roku Express", "streaming_stick"),
        ("Apple TV 4K", "set_top_box"),
        ("Free Freebox Revolution", "set_top_box"),
        ("Orange set-top box", "set_top_box"),
        ("Sony PlayStation 5", "game_console"),
        ("Microsoft Xbox Series X", "game_console"),
        ("iPhone 14 Pro", "phone"),
        ("Synthetic Android Phone", "phone"),
        ("Mozilla/5.0 (Linux; Android 10; SM-G975F) Mobile Safari/537.36", "phone"),
        ("iOS 15.1 (iPhone12,1)", "phone"),
        ("iPad Air", "tablet"),
        ("Samsung Galaxy Tab S7", "tablet"),
        ("Chrome PC (Cadmium)", "computer"),
        ("Mac (Safari)", "computer"),
        ("web_player windows 10;chrome 98", "computer"),
        ("OS X 12.0.1 [arm 2]", "computer"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120 Safari/537.36", "computer"),
        ("Amazon Echo Dot", "other"),
        ("game_console", "game_console"),
        ("other", "other"),
        ("Model 7", None),
        ("", None),
    ],
)
def test_type_by_description(description: str, kind: str | None) -> None:
    assert device_type_of(description) == kind


def test_many_descriptions_at_once() -> None:
    column = pa.chunked_array([["iPad", None], ["Xbox", "iPad", "?"]])
    assert device_types(column).to_pylist() == ["tablet", None, "game_console", "tablet", None]
    assert device_types(pa.array([], pa.string())).to_pylist() == []


def test_pseudonyms_join_only_under_one_key_and_one_kind() -> None:
    ids = pa.array(["x", "y", "x", None])
    one, two = Pseudonyms([b"1" * 16]), Pseudonyms([b"2" * 16])
    made = one.make("account_id", ids).to_pylist()
    assert made[0] == made[2] != made[1]
    assert made[3] is None
    assert made == one.make("account_id", pa.chunked_array([ids[:1], ids[1:]])).to_pylist()
    others = {two.make("account_id", ids)[0].as_py(), one.make("device_id", ids)[0].as_py()}
    assert made[0] not in others


def test_earlier_pseudonyms_are_recognised_after_a_rotation() -> None:
    old, new = Pseudonyms([b"1" * 16]), Pseudonyms([b"1" * 16, b"2" * 16])
    assert new.all_of("account_id", "x")[0] == old.make("account_id", pa.array(["x"]))[0].as_py()
    assert new.all_of("account_id", "x")[1] == new.make("account_id", pa.array(["x"]))[0].as_py()


def test_keys_are_long_enough_and_never_shown() -> None:
    with pytest.raises(
        ParameterError, match=r"one or more, of 16 to 64 bytes, got 1 of \[3\] bytes"
    ):
        Pseudonyms([b"abc"])
    with pytest.raises(ParameterError, match="got none"):
        Pseudonyms([])
    assert "secret" not in repr(Pseudonyms([b"secret" * 4]))
