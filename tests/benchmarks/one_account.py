"""How long one account takes, from Python objects to answers with reasons, in this process.

Run as a script: ``python tests/benchmarks/one_account.py``. Accounts have 60 sessions on 5 devices.
The floor is scikit-learn's ``predict_proba`` on the very rows of features that the answers are made
from (one call for the devices of one account, 300 trees of at most 31 leaves, as the default model
has), without reading, features, thresholds or reasons. They take turns, so that a noisy moment
meets each. Times are told as medians and 99th percentiles, of wall and of processor time;
where other work shares the machine, read processor time and ratios. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

ACCOUNTS = 64
ROUNDS = 3_000
FLOOR = "floor"

#: What is timed: name -> title.
TITLES = {
    FLOOR: "floor: scikit-learn predict_proba on the same rows, features ready",
    "text": "dicts with ISO times to answers with reasons",
    "datetimes": "dicts with datetimes to answers with reasons",
    "columns": "columns with ISO times to answers with reasons",
    "snapshot": "dicts with ISO times, networks from a snapshot",
    "reasons": "of these: trees, mixing, calibration and reasons",
    "features": "of these: AS, network statistics and features",
    "reading": "of these: reading and ordering the sessions",
    "changes": "and what would change the answers (rescored)",
}


def accounts(count: int, seed: int) -> list[list[dict[str, Any]]]:
    """Sessions of accounts as a service parses them."""
    from tests.benchmarks.service_load import bodies_of

    kinds = ("tv", "computer", "phone", "tablet", "tv")
    rows = [json.loads(body)["sessions"] for body in bodies_of(count, seed)]
    for account in rows:
        for row in account:
            row["device_type"] = kinds[int(row["device_id"][1:])]
            row["country"] = "FR"
    return rows


def contestants(model: str | None, seed: int) -> dict[str, Callable[[int], object]]:
    """What is timed, each a call for the account of a number."""
    import numpy as np
    import pyarrow as pa

    from household_ml.features.build import build_account_features
    from household_ml.modeling.classifier import fit_classifier
    from household_ml.networks import enrich
    from household_ml.networks.one_account import enrich_account
    from household_ml.scoring import HouseholdScorer
    from household_ml.scoring.answers import ask, inference_of
    from household_ml.scoring.reasons import choose
    from household_ml.sessions import read_sessions
    from household_ml.sessions.one_account import account_table, read_account

    loaded = HouseholdScorer.load(model)
    scorer = HouseholdScorer(loaded.model)
    text = accounts(ACCOUNTS, seed)
    datetimes = [
        [{**row, "started_at": datetime.fromisoformat(row["started_at"])} for row in rows]
        for rows in text
    ]
    columns = [{name: [row[name] for row in rows] for name in rows[0]} for rows in text]
    tables = [account_table(rows, f"account {number}") for number, rows in enumerate(text)]
    snapshot = enrich(read_sessions(pa.concat_tables(tables))).statistics
    read = [read_account(rows) for rows in text]
    enriched = [enrich_account(one) for one in read]
    moments = [int(one.started_at[-1]) for one in read]
    values = [
        build_account_features(one, as_of=moment)[0][:, scorer.columns]
        for one, moment in zip(enriched, moments, strict=True)
    ]
    features = scorer.model.trees.features
    rng = np.random.default_rng(seed)
    learnt = np.repeat(np.concatenate(values)[:, :features], 20, axis=0)
    learnt = learnt * rng.uniform(0.8, 1.2, learnt.shape)
    y = (rng.random(len(learnt)) < np.nan_to_num(learnt[:, 12], nan=0.5)).astype(float)
    floor = fit_classifier(learnt, y, monotone=[0] * features, seed=seed)
    rows = [np.ascontiguousarray(one[:, :features]) for one in values]
    undecided = [np.full(len(one), 2, np.int8) for one in values]
    seen = [np.zeros(len(one), bool) for one in values]
    groups = inference_of(scorer.model).names
    return {
        FLOOR: lambda i: floor.predict_proba(rows[i]),
        "text": lambda i: scorer.score_account(text[i]),
        "datetimes": lambda i: scorer.score_account(datetimes[i]),
        "columns": lambda i: scorer.score_account(columns[i]),
        "snapshot": lambda i: scorer.score_account(text[i], networks=snapshot),
        "reasons": lambda i: choose(
            ask(scorer.model, values[i]).sums, groups, undecided[i], seen[i]
        ),
        "features": lambda i: build_account_features(enrich_account(read[i]), as_of=moments[i]),
        "reading": lambda i: read_account(text[i]),
        "changes": lambda i: scorer.counterfactuals(text[i]),
    }


def measure(calls: dict[str, Callable[[int], object]], rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds of each, all in turn, with each account once in a turn."""
    for call in calls.values():
        for account in range(ACCOUNTS):
            call(account)
    wall: dict[str, list[int]] = {name: [] for name in calls}
    cpu: dict[str, list[int]] = {name: [] for name in calls}
    for turn in range(-(-rounds // ACCOUNTS)):
        for name, call in calls.items():
            for account in range(ACCOUNTS if name != "changes" else min(4, ACCOUNTS)):
                own, began = time.thread_time_ns(), time.perf_counter_ns()
                call((account + turn) % ACCOUNTS)
                wall[name].append(time.perf_counter_ns() - began)
                cpu[name].append(time.thread_time_ns() - own)
    floor = statistics.median(wall[FLOOR]), statistics.median(cpu[FLOOR])
    return {
        name: {
            "p50_us": round(statistics.median(wall[name]) / 1e3, 1),
            "p99_us": round(_quantile(wall[name], 0.99) / 1e3, 1),
            "cpu_p50_us": round(statistics.median(cpu[name]) / 1e3, 1),
            "cpu_p99_us": round(_quantile(cpu[name], 0.99) / 1e3, 1),
            "of_floor": round(statistics.median(wall[name]) / floor[0], 3),
            "of_floor_cpu": round(statistics.median(cpu[name]) / floor[1], 3),
        }
        for name in calls
    }


def _quantile(values: Sequence[int], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def table(found: dict[str, dict[str, float]]) -> str:
    """The results, one row each."""
    lines = [
        "| one account, 60 sessions, 5 devices, microseconds | p50 | p99 | p50, CPU | p99, CPU "
        "| of the floor | of its CPU |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        lines.append(
            f"| {TITLES[name]} | {one['p50_us']:.0f} | {one['p99_us']:.0f} | "
            f"{one['cpu_p50_us']:.0f} | {one['cpu_p99_us']:.0f} | {one['of_floor']:.2f} | "
            f"{one['of_floor_cpu']:.2f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", help="left out, the one that ships")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, help="JSON to write")
    given = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found = measure(contestants(given.model, given.seed), given.rounds)
    sys.stdout.write(table(found) + "\n")
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
