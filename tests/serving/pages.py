"""Pages taken apart: what they would fetch, and what their headings say."""

from __future__ import annotations

import re
from html.parser import HTMLParser

#: Attributes whose value a browser fetches, or follows.
_FETCHING = {
    "action", "background", "cite", "classid", "codebase", "data", "formaction", "href", "icon",
    "longdesc", "manifest", "ping", "poster", "profile", "src", "srcdoc", "srcset", "usemap",
    "xlink:href",
}  # fmt: skip


class _Taken(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.headings: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        for name, value in attrs:
            given = value or ""
            if name in _FETCHING and not given.startswith("#"):
                self.found.append(given)
            else:
                self._look_into(given)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("h1", "h2", "h3"):
            self.headings.append(data)
        if self._inside == "style":
            self._look_into(data)

    def _look_into(self, style: str) -> None:
        """Addresses in a style."""
        self.found += re.findall(r"@import\s+['\"]([^'\"]*)", style)
        self.found += re.findall(r"url\(\s*['\"]?([^#'\")][^)'\"]*)", style)


def _take(page: str) -> _Taken:
    taken = _Taken()
    taken.feed(page)
    return taken


def fetched(page: str) -> list[str]:
    """Every address that a page would fetch or leads to; ``#`` within the page is none."""
    return _take(page).found


def headings(page: str) -> list[str]:
    """Texts of the headings, in order."""
    return _take(page).headings
