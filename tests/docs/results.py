"""Copy the results of the model that ships from its card into the README, as `make model` does."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.docs.marks import write_between

ROOT = Path(__file__).parents[2]
FIRST = "<!-- results: rows of models/default/card.md, copied after each training -->"
LAST = "<!-- end of results -->"

#: Rows of the first table of the card that the README has.
QUALITY = (
    "share outside",
    "PR-AUC of outside",
    "outside devices found at 1.0% false flags",
    "outside devices found at 0.1% false flags",
    "expected calibration error, bins of equally many devices",
    "outside devices called outside at the model's thresholds",
    "household devices called outside there",
    "honest accounts with a device called outside there",
    "share of devices answered there",
    "wrong among these",
)

_TEXT = """{quality}

{rules}
Both are in [the card of the default model](models/default/card.md), with errors by situation and
kind of world, what each family of features is worth, what is flagged more often than the whole, and
the bounds behind the thresholds.

A simulator is kind to a model that was trained on it. So the worlds come from simulators of three
authors. In the card each kind of world is scored by a model that was trained on the other kinds
alone, between two references that are made inside that world: a plain model trained there, and an
oracle trained there that is told the true place of every session. `household-ml evaluate` makes
both for any data whose truth is known. The mean over all kinds and authors:

{mean}

{least}

Every score, as means over all of them; an oracle that is told which place is home, too, is the last
row:

{scores}

The hardest test is an author whose worlds the model has not seen at all:

{authors}

Scored daily with the scores of the day before, over 60 days (see [verdicts](#verdicts)):

{stands}"""

#: Rows of the card on verdicts from day to day that the README has.
STANDS = (
    "flips in 1,000 device-months of unchanged households, all devices",
    "flips in 1,000 device-months of unchanged households, devices of the household",
    "household devices called outside on the last day",
    "outside devices called outside on the last day",
)


def results(card: str) -> str:
    """What the README says of the results, from the text of a card."""
    parts = {part.partition("\n")[0]: part for part in card.split("\n## ")}
    rows = [line for line in card.splitlines() if line.startswith("| ")]
    quality = [_row(rows, name) for name in QUALITY]
    stood, *_ = tables(parts["Verdicts from day to day"])
    kinds, scores = tables(parts["Between a plain model and an oracle"])
    _, authors, *_ = tables(parts["On worlds of an author it has not seen"])
    least = next(line for line in card.splitlines() if line.startswith("Least of the way"))
    return _TEXT.format(
        quality="\n".join(["| metric | value |", "|---|---|", *quality]),
        rules=rules(parts["Against the rules a service could write"]),
        mean="\n".join([*kinds[:2], *(row for row in kinds if row.startswith("| **mean**"))]),
        least=least,
        scores="\n".join(scores),
        authors="\n".join(authors),
        stands="\n".join([*stood[:2], *(_row(rows, name) for name in STANDS)]),
    )


def _row(rows: list[str], name: str) -> str:
    return next(row for row in rows if row.startswith(f"| {name} |"))


def tables(part: str) -> list[list[str]]:
    """Tables of a part of a card, as lists of lines."""
    found: list[list[str]] = []
    inside = False
    for line in part.splitlines():
        if line.startswith("|"):
            if not inside:
                found.append([])
            found[-1].append(line)
        inside = line.startswith("|")
    return found


def rules(part: str) -> str:
    """What the best rule finds at 1 % false flags, and what the article's own rule flags."""
    found = {}
    for line in part.splitlines():
        values = re.findall(r"(\d\.\d+) \[[^]]*\]", line)
        if len(values) == 5 and not line.startswith("this model"):
            found[line.partition("  ")[0]] = [float(value) for value in values]
    best = max(values[1] for values in found.values())
    return (
        f"No rule that a service could write finds more than {100 * best:.1f} % at 1 % false "
        "flags; the\narticle's own rule, another address than usual, flags "
        f"{100 * found['other address than usual'][4]:.0f} % of the household's devices."
    )


def main() -> None:
    """Write the README."""
    card = (ROOT / "models" / "default" / "card.md").read_text(encoding="utf-8")
    write_between(ROOT / "README.md", FIRST, LAST, results(card))
    sys.stdout.write("README.md has the results of models/default\n")


if __name__ == "__main__":
    main()
