"""What the card of a model says of the way to the oracle, of homes, and of families of features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from household_ml.modeling.ablation import Ablated
from household_ml.modeling.distance import (
    MODEL,
    ORACLE,
    PLAIN,
    Distance,
    share_of_mean_way,
)
from household_ml.modeling.evaluation import SITUATION_LIMIT
from household_ml.modeling.home_accuracy import WRONG_HOMES, HomeAccuracy
from household_ml.modeling.resampling import Estimate

__all__ = ["ABLATION", "HOMES", "REFERENCES", "SITUATIONS", "references_sections"]

_WAY: Final = """## Between a plain model and an oracle

Fresh worlds of each kind, {accounts} accounts in the headline, scored by the model without that
kind. The plain model and the oracle are trained inside that world, by cross-validation over its
accounts: an advantage that the model does not get. The share of the way is (model - plain) /
(oracle - plain), of outside devices found at a rate of household false flags; policy-ambiguous
devices are apart.

{kinds}

Least of the way at 1 %: {least}. Between the mean recalls: {whole}.

Mean over kinds, every score. The plain model is one end of the way, the oracle told the true places
the other. What labels of the world itself add: this model's features trained in it on four fifths
of its accounts at a time, and these trees beside the model's own, half and half.

{scores}"""

_RIGHT: Final = """## How often the inferred home is right

Share of accounts, on fresh worlds of each kind. The true home is the place of the account's last
session at home; the inferred home is right where most of the sessions inferred to be at home were
truly there. Then what is taken for home where it is wrong, as shares of all accounts, and the share
that is right by kind of account.

{kinds}

Least often right: {least}."""

_ODD: Final = """## Situations of honest people, on kinds it has not seen

At 1 % household false flags over a fresh world, by the model without that kind: how often household
devices of a situation are flagged, over how often all are. The mean is over kinds, each alike. In
bold what is above {limit:g}.

{situations}

{told}"""

_WORTH: Final = """## What each family of features is worth

Change on kinds of worlds left out when a family is left out of training: without it minus with it,
mean over kinds, the same draws of accounts for both. Left out together: {folds}.

{families}

{idle}"""

#: Keys of a model's metrics.
REFERENCES: Final = "references"
HOMES: Final = "homes"
ABLATION: Final = "ablation"
SITUATIONS: Final = "situations"


def references_sections(metrics: Mapping[str, Any]) -> list[str]:
    """Write the sections for which a model has metrics.

    Parameters
    ----------
    metrics : mapping
        Of a model; with any of :data:`REFERENCES`, :data:`SITUATIONS`, :data:`HOMES` and
        :data:`ABLATION`.

    Returns
    -------
    list of str
        Markdown.

    Examples
    --------
    >>> right = {"value": 0.95, "low": 0.94, "high": 0.96}
    >>> fr = {"name": "fr", "accounts": 900, "right": right, "wrong": {"none": 0.05}, "parts": {}}
    >>> print(references_sections({"homes": {"fr": fr}})[0].splitlines()[-3])
    | fr | 900 | 0.950 [0.940, 0.960] | 0.050 | - | - | - | - |
    """
    writers = {REFERENCES: _way, SITUATIONS: _situations, HOMES: _homes, ABLATION: _ablation}
    return [write(metrics[key]) for key, write in writers.items() if key in metrics]


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _way(found: Mapping[str, Any]) -> str:
    kinds = {kind: Distance.from_dict(given) for kind, given in found["kinds"].items()}
    mean = Distance.from_dict(found["mean"])
    accounts = sorted({distance.counts["accounts"] for distance in kinds.values()})
    rates = [metric.removeprefix("recall_at_") for metric in mean.recall[PLAIN]]
    heads = ["kind"]
    for rate in rates:
        at = f"{100 * float(rate):g} %"
        heads += [f"plain model at {at}", "this model", "oracle", f"of the way at {at}"]
    rows = []
    for name, distance in [*kinds.items(), ("**mean**", mean)]:
        cells = [name]
        for rate in rates:
            cells += [
                _short(distance.recall[score][f"recall_at_{rate}"])
                for score in (PLAIN, MODEL, ORACLE)
            ]
            cells.append(_percent(distance.covered[MODEL][f"covered_at_{rate}"]))
        rows.append(cells)
    every = [
        [
            score,
            *(
                cell
                for rate in rates
                for cell in (
                    str(row[f"recall_at_{rate}"]),
                    _percent(mean.covered[score][f"covered_at_{rate}"])
                    if score in mean.covered
                    else "",
                )
            ),
        ]
        for score, row in mean.recall.items()
    ]
    ways = {kind: each.covered[MODEL][f"covered_at_{rates[0]}"] for kind, each in kinds.items()}
    told = {kind: way for kind, way in ways.items() if way.value is not None}
    least = min(told, key=lambda kind: told[kind].value or 0.0) if told else None
    scores = ["score", *(head for rate in rates for head in (f"found at {rate}", "of the way"))]
    return _WAY.format(
        accounts=" to ".join(str(count) for count in dict.fromkeys((accounts[0], accounts[-1]))),
        kinds=_table(heads, rows),
        whole=", ".join(f"{share_of_mean_way(mean, MODEL, rate):.0%} at {rate}" for rate in rates),
        least="no way anywhere" if least is None else f"{_percent(told[least])}, in {least}",
        scores=_table(scores, every),
    )


def _situations(found: Mapping[str, Any]) -> str:
    ratios = {
        kind: {name: Estimate(**given) for name, given in row.items()}
        for kind, row in found.items()
    }
    names = sorted({name for row in ratios.values() for name in row})
    rows = []
    means = {}
    for name in names:
        values = [row[name].value if name in row else None for row in ratios.values()]
        known = [value for value in values if value is not None]
        means[name] = sum(known) / len(known) if known else 0.0
        cells = [name]
        for value in (means[name], *values):
            short = "-" if value is None else f"{value:.2f}"
            cells.append(f"**{short}**" if (value or 0.0) > SITUATION_LIMIT else short)
        rows.append(cells)
    above = [
        f"{name} in {kind} ({ratio})"
        for kind, row in ratios.items()
        for name, ratio in row.items()
        if (ratio.low or 0.0) > SITUATION_LIMIT
    ]
    often = [f"{name} ({mean:.2f})" for name, mean in means.items() if mean > SITUATION_LIMIT]
    told = [
        f"Above it in the mean over kinds: {'; '.join(often) or 'none'}.",
        f"Above it in one kind beyond chance: {'; '.join(above) or 'none'}.",
    ]
    return _ODD.format(
        limit=SITUATION_LIMIT,
        situations=_table(["situation", "mean", *ratios], rows),
        told="\n".join(told),
    )


def _homes(found: Mapping[str, Any]) -> str:
    kinds = {kind: HomeAccuracy.from_dict(given) for kind, given in found.items()}
    parts = list(dict.fromkeys(part for homes in kinds.values() for part in homes.parts))
    rows = []
    for kind, homes in kinds.items():
        wrong = [homes.wrong.get(name) for name in WRONG_HOMES]
        rows.append(
            [
                kind,
                str(homes.accounts),
                str(homes.right),
                *("-" if rate is None else f"{rate:.3f}" for rate in wrong),
                *(str(homes.parts[part][1]) if part in homes.parts else "-" for part in parts),
            ]
        )
    least = min(kinds, key=lambda kind: kinds[kind].right.value or 0.0)
    return _RIGHT.format(
        kinds=_table(["kind", "accounts", "right", *WRONG_HOMES.values(), *parts], rows),
        least=f"{kinds[least].right}, in {least}",
    )


def _ablation(found: Mapping[str, Any]) -> str:
    families = {name: Ablated.from_dict(given) for name, given in found["families"].items()}
    rows = [
        [
            name,
            str(ablated.features),
            _signed(ablated.log_loss, 4),
            _signed(ablated.recall, 3),
            _worst(ablated),
        ]
        for name, ablated in families.items()
    ]
    idle = [name for name, each in families.items() if (each.log_loss.low or 0.0) <= 0.0]
    folds = "; ".join(", ".join(kinds) for kinds in found["folds"])
    told = (
        f"Within chance on log loss: {', '.join(idle)}."
        if idle
        else "Every family lowers the log loss by more than chance."
    )
    heads = ["family", "features", "log loss", "found at 1 % false flags", "costs most in"]
    return _WORTH.format(folds=folds, families=_table(heads, rows), idle=told)


def _worst(ablated: Ablated) -> str:
    losses = {kind: row["log_loss"] or 0.0 for kind, row in ablated.kinds.items()}
    kind = max(losses, key=lambda each: losses[each])
    return f"{kind} ({losses[kind]:+.4f})"


def _short(given: Estimate) -> str:
    return "-" if given.value is None else f"{given.value:.3f}"


def _percent(given: Estimate) -> str:
    if given.value is None:
        return "no way"
    if given.low is None or given.high is None:
        return f"{given.value:.0%}"
    return f"{given.value:.0%} [{given.low:.0%}, {given.high:.0%}]"


def _signed(given: Estimate, digits: int) -> str:
    if given.value is None:
        return "-"
    if given.low is None or given.high is None:
        return f"{given.value:+.{digits}f}"
    return f"{given.value:+.{digits}f} [{given.low:+.{digits}f}, {given.high:+.{digits}f}]"
