"""What a script writes into a page stands there between two marks."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_between"]


def write_between(page: Path, first: str, last: str, text: str) -> None:
    """Replace what stands between the marks, which must both be there once."""
    whole = page.read_text(encoding="utf-8")
    if whole.count(first) != 1 or whole.count(last) != 1:
        raise ValueError(f"{page.name} must hold {first!r} and {last!r} once each")
    before, _, rest = whole.partition(first)
    after = rest.partition(last)[2]
    page.write_text(f"{before}{first}\n\n{text.strip()}\n\n{last}{after}", encoding="utf-8")
