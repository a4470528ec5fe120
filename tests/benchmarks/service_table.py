"""What a measurement of the service says, as it stands in the README: a table, and the goals."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["FIRST", "LAST", "RESULTS", "TITLES", "goals", "in_readme", "markdown", "table"]

#: The measurement that the README shows.
RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results_http.json"

#: Marks in the README.
FIRST = "<!-- bench-http: make bench-http writes what stands here -->\n"
LAST = "<!-- end of bench-http -->"

OURS = "ours"

TITLES = {
    OURS: "**`household-ml serve`**: scores with reasons; keys, limits, metrics, log",
    "msgspec": "empty endpoint: FastAPI, msgspec parses the body",
    "pydantic": "empty endpoint: FastAPI parses the body by pydantic",
    "mlflow-ours": "`mlflow models serve`, our model as a pyfunc",
    "mlflow-usual": "`mlflow models serve`, as many scikit-learn trees behind pandas features",
}

Round = Mapping[str, Any]


def rate(each: Round) -> float:
    """Requests answered a second."""
    return float(each["load"]["requests"] / each["load"]["seconds"])


def p50(each: Round) -> float:
    """Median time of an answer in ms."""
    return float(each["load"]["p50_ms"])


def p99(each: Round) -> float:
    """99th percentile of the times of answers in ms."""
    return float(each["load"]["p99_ms"])


def cpu(each: Round) -> float:
    """Processor time of a request in us."""
    return float(each["cpu_us"])


def median(rounds: Sequence[Round], of: Callable[[Round], float]) -> float:
    """Median over rounds."""
    return statistics.median(of(each) for each in rounds)


def ratio(rounds: Mapping[str, Sequence[Round]], name: str, of: Callable[[Round], float]) -> float:
    """Median, over rounds, of what is ours to what is another server's."""
    pairs = zip(rounds[OURS], rounds[name], strict=True)
    return statistics.median(of(ours) / of(other) for ours, other in pairs)


def table(found: Mapping[str, Any]) -> str:
    """Medians over the rounds, and ratios of ours to each other server.

    Parameters
    ----------
    found : mapping
        What ``service.py --out`` wrote.
    """
    rounds = found["rounds"]
    lines = [
        "| server | requests/s | p50, ms | p99, ms | processor, us a request | ours: rate, p99 |",
        "|---|---|---|---|---|---|",
    ]
    for name, title in TITLES.items():
        if name in rounds:
            own = rounds[name]
            compared = ""
            if name != OURS and OURS in rounds:
                compared = f"{ratio(rounds, name, rate):.3g} x, {ratio(rounds, name, p99):.3g} x"
            lines.append(
                f"| {title} | {median(own, rate):,.0f} | {median(own, p50):.2f} "
                f"| {median(own, p99):.2f} | {median(own, cpu):,.0f} | {compared} |"
            )
    return "\n".join(lines)


def goals(found: Mapping[str, Any]) -> str:
    """Each goal with what was measured, and whether it holds."""
    rounds = found["rounds"]
    usual = ratio(rounds, "mlflow-usual", rate), ratio(rounds, "mlflow-usual", p99)
    rows = [
        ("at least 50 times the rate of the usual pyfunc", usual[0], usual[0] >= 50),
        ("at most a tenth of its p99", usual[1], usual[1] <= 0.1),
        *(
            (f"at least {least:g} times the rate of {what}", got, got >= least)
            for what, least, got in (
                ("our own pyfunc", 4, ratio(rounds, "mlflow-ours", rate)),
                ("FastAPI with pydantic, empty", 0.5, ratio(rounds, "pydantic", rate)),
                ("FastAPI with msgspec, empty", 0.5, ratio(rounds, "msgspec", rate)),
            )
        ),
    ]
    told = [f"| {goal} | {got:.3g} x | {_holds(yes)} |" for goal, got, yes in rows]
    return "\n".join(["| goal | measured | |", "|---|---|---|", *told])


def soak(found: Mapping[str, Any]) -> str:
    """What came of a long time at 70 % of the top rate."""
    long = found["soak"]
    first, last = (statistics.median(part) for part in _halves(long["p99_ms_by_part"]))
    return (
        f"{long['minutes']:.0f} minutes at 70 % of the top rate ({long['rate']:,.0f} requests/s): "
        f"{long['requests']:,} requests, {long['wrong']:,} not answered with 200, memory "
        f"{long['memory_mb_first']:.0f} MB after the first fifth and {long['memory_mb_last']:.0f} "
        f"MB at the end ({long['memory_mb_per_million']:+.1f} MB a million requests), p99 "
        f"{first:.2f} ms in the first half and {last:.2f} ms in the second."
    )


def markdown(found: Mapping[str, Any]) -> str:
    """All of it, as it stands in the README."""
    machine, load = found["machine"], next(iter(found["rounds"].values()))[0]["load"]
    rounds = len(next(iter(found["rounds"].values())))
    how = (
        f"{machine['cores']} cores of {machine['processor']}, Python {machine['python']}, load "
        f"{' to '.join(map(str, machine['load']))} by this and other work; one "
        f"process on one core, {load['client']} with 8 connections on another, {rounds} rounds of "
        f"{load['seconds']:.0f} s in turn, medians."
    )
    parts = [how, table(found), goals(found)]
    parts += [soak(found)] if "soak" in found else []
    return "\n\n".join(parts)


def in_readme(readme: str, found: Mapping[str, Any]) -> str:
    """The README with the measurement between its marks."""
    before, rest = readme.split(FIRST)
    return f"{before}{FIRST}\n{markdown(found)}\n\n{LAST}{rest.split(LAST)[1]}"


def _holds(yes: bool) -> str:
    return "holds" if yes else "does not hold"


def _halves(parts: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    middle = len(parts) // 2
    return parts[:middle], parts[middle:]
