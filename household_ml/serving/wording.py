"""The words of reports, in English and in French.

A text is known by its English wording; its French one stands in :mod:`household_ml.serving.french`.
Numbers are written as each language writes them. A text without a translation is an error, so
that no report mixes languages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from household_ml.errors import ParameterError, Problem
from household_ml.serving.french import FRENCH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from household_ml.scoring.reasons import Language

__all__ = ["LANGUAGES", "Wording", "wording"]

#: Languages of reports.
LANGUAGES: Final = ("en", "fr")

_NARROW: Final = "\u202f"

#: A number that a picture writes, alone or after a word.
_NUMBER: Final = re.compile(
    r"(?:(?P<before>[^\d]*[^\d\s]) )?(?P<number>[-\u2212]?[\d.]+)(?P<percent>%?)"
)


@dataclass(frozen=True, slots=True)
class Wording:
    """One language.

    Parameters
    ----------
    language : {"en", "fr"}
        Which.

    Examples
    --------
    >>> print(Wording("fr")("household"), Wording("fr").number(0.0712))
    foyer 0,071
    >>> print(Wording("en")("household"), Wording("en").share(0.0712), Wording("en").count(1234))
    household 7.1 % 1,234
    """

    language: Language

    def __call__(self, text: str, /, **values: object) -> str:
        """A text in this language, with its values put in where it says ``{name}``."""
        told = FRENCH[text] if self.language == "fr" else text
        return told.format(**values) if values else told

    def count(self, value: int) -> str:
        """A whole number."""
        return f"{value:,}".replace(",", _NARROW) if self.language == "fr" else f"{value:,}"

    def number(self, value: float, digits: int = 3) -> str:
        """A number with a fixed number of digits after the mark."""
        told = f"{value:.{digits}f}"
        return told.replace(".", ",") if self.language == "fr" else told

    def share(self, value: float, digits: int = 1) -> str:
        """A share in percent."""
        mark = f"{_NARROW}%" if self.language == "fr" else " %"
        return f"{self.number(100 * value, digits)}{mark}"

    def loose(self, text: str) -> str:
        r"""A text that may come from data: in this language where it is known, else as it is.

        Examples
        --------
        >>> Wording("fr").loose("outside at 0.250"), Wording("fr").loose("99.9%")
        ("hors foyer jusqu'à 0,250", '99,9\u202f%')
        """
        if self.language == "en" or text in FRENCH:
            return FRENCH[text] if self.language == "fr" else text
        found = _NUMBER.fullmatch(text.strip())
        if found is None:
            return text
        number = found["number"].replace(".", ",") + (f"{_NARROW}%" if found["percent"] else "")
        return f"{self.loose(found['before'])} {number}" if found["before"] else number

    def retell(self, figure: Figure) -> Figure:
        """Put the texts of a picture into this language, in place; numbers stay as they are."""
        if self.language == "en":
            return figure
        from matplotlib.text import Text

        for each in figure.findobj(Text):
            text: Any = each
            text.set_text(self.loose(text.get_text()))
        for axes in figure.axes:
            limits = axes.get_xlim(), axes.get_ylim()
            for axis in (axes.xaxis, axes.yaxis):
                labels = [label.get_text() for label in axis.get_ticklabels()]
                told = [self.loose(label) for label in labels]
                if told != labels:
                    axis.set_ticks(axis.get_ticklocs(), told)
            axes.set(xlim=limits[0], ylim=limits[1])
        return figure


def wording(language: str) -> Wording:
    """The wording of a language.

    Parameters
    ----------
    language : {"en", "fr"}

    Returns
    -------
    Wording

    Raises
    ------
    ParameterError
        There is no such language.
    """
    for known in LANGUAGES:
        if known == language:
            return Wording(known)
    raise ParameterError(
        Problem(f"language must be one of {', '.join(LANGUAGES)}", repr(language), "Choose one.")
    )
