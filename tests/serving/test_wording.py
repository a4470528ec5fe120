"""Reports speak one language each, whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import household_ml.serving
from household_ml.errors import ParameterError
from household_ml.schema import DEVICE_TYPES, SITUATIONS, VERDICTS
from household_ml.serving.french import FRENCH
from household_ml.serving.wording import Wording, wording

ROOT = Path(household_ml.serving.__file__).parent
TEMPLATES = sorted((ROOT / "templates").glob("*.j2"))
VALUES = re.compile(r"{(\w*)}")


def asked(path: Path) -> set[str]:
    """Texts that a template asks for."""
    text = path.read_text(encoding="utf-8")
    return {
        double or single for double, single in re.findall(r"_\((?:\"([^\"]+)\"|'([^']+)')", text)
    }


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_text_of_a_template_has_its_french(path: Path) -> None:
    assert asked(path) <= set(FRENCH)


def test_templates_ask_for_texts() -> None:
    assert sum(len(asked(path)) for path in TEMPLATES) > 50


def test_values_are_the_same_in_both_languages() -> None:
    wrong = [
        english
        for english, french in FRENCH.items()
        if sorted(VALUES.findall(english)) != sorted(VALUES.findall(french))
    ]
    assert wrong == []


def test_words_of_the_tables_have_their_french() -> None:
    words = {name.replace("_", " ") for name in (*DEVICE_TYPES, *VERDICTS, *SITUATIONS)}
    assert words <= set(FRENCH)


def test_an_unknown_text_is_an_error_in_french_and_a_word_of_data_is_not() -> None:
    with pytest.raises(KeyError, match="no such text"):
        Wording("fr")("no such text")
    assert Wording("fr").loose("my-own-slice") == "my-own-slice"


def test_numbers_are_written_as_people_do() -> None:
    english, french = wording("en"), wording("fr")
    assert (english.count(12345), french.count(12345)) == ("12,345", "12\u202f345")
    assert (english.share(0.5), french.share(0.5)) == ("50.0 %", "50,0\u202f%")
    assert (english.number(0.25, 2), french.number(0.25, 2)) == ("0.25", "0,25")


def test_another_language_is_refused() -> None:
    with pytest.raises(ParameterError, match="language must be one of en, fr, got 'de'"):
        wording("de")
