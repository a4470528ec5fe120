"""Fit the weights of the claims of places: conditional logistic regression on true homes.

    python tests/truth/fit_claims.py --accounts 700 --seed 5

prints ``WEIGHTS`` and ``CONSTANT`` of :mod:`household_ml.features.homes`, fitted on worlds of every
kind of both simulators, and how well they do on worlds of each simulator when fitted on the other:
how often home is right, and the log loss of an account.
"""

from __future__ import annotations

import argparse
import sys
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.optimize import minimize

from household_ml.features.build import _infer
from household_ml.features.homes import TERMS
from household_ml.modeling.truth import align_truth, name_sessions
from household_ml.sessions import read_sessions
from household_ml.simulation import WORLDS, simulate
from household_ml.simulation.second_hand import KINDS, make_world

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Terms whose weight may be negative: none of how much a place is used, and by how many.
FREE = (3, 6, 7, 9)

#: Ridge penalty on the weights of terms divided by their spread.
RIDGE = 3.0


class Places(NamedTuple):
    """Places of many accounts: terms (p, t), number of the account (p,), whether it is home."""

    terms: Floats
    account: Ints
    home: npt.NDArray[np.bool_]


def places_of(sessions: pa.Table, truth: pa.Table) -> Places:
    """Terms of every place of a world, and whether it is mostly home in truth."""
    read = read_sessions(sessions)
    cut, place, evidence, start = _infer(read, None, None, None)
    told = align_truth(cut, name_sessions(truth, sessions))
    assert told.at_home is not None
    row = start[:-1][cut.row_account()] + place
    some = place >= 0
    at_home = np.bincount(row[some], told.at_home[some], len(evidence))
    sizes = np.bincount(row[some], minlength=len(evidence))
    account = np.repeat(np.arange(cut.n_accounts), np.diff(start))
    most = np.zeros(cut.n_accounts)
    np.maximum.at(most, account, at_home)
    home = (2 * at_home > sizes) & (at_home == most[account])
    return Places(evidence[:, 10:], account, home)


def together(worlds: list[Places]) -> Places:
    """Places of several worlds as those of one."""
    offset = np.cumsum([0] + [int(world.account.max()) + 1 for world in worlds])
    return Places(
        np.concatenate([world.terms for world in worlds]),
        np.concatenate([world.account + at for world, at in zip(worlds, offset, strict=False)]),
        np.concatenate([world.home for world in worlds]),
    )


def loss(weights: Floats, places: Places, ridge: Floats | float) -> tuple[float, Floats]:
    """Negative log likelihood with a ridge, and its gradient; the last weight is the constant."""
    odds = places.terms @ weights[:-1] + weights[-1]
    accounts = int(places.account.max()) + 1
    top = np.zeros(accounts)
    np.maximum.at(top, places.account, odds)
    share = np.exp(odds - top[places.account])
    total = np.bincount(places.account, share, accounts) + np.exp(-top)
    share /= total[places.account]
    found = -(odds[places.home].sum() - (top + np.log(total)).sum())
    missing = places.home - share
    gradient = -np.append(places.terms.T @ missing, missing.sum())
    penalty = np.append(ridge * weights[:-1], 0.0)
    return float(found + 0.5 * (penalty * weights).sum()), gradient + penalty


def fit(places: Places) -> Floats:
    """Weights of the terms and the constant."""
    ridge = 2.0 * RIDGE * places.terms.var(axis=0)
    start = np.zeros(places.terms.shape[1] + 1)
    bounds = [(None if term in FREE else 0.0, None) for term in range(len(TERMS))]
    found = minimize(
        loss,
        start,
        (places, ridge),
        "L-BFGS-B",
        jac=True,
        bounds=[*bounds, (None, None)],
        options={"maxiter": 500},
    )
    return np.asarray(found.x)


def quality(weights: Floats, places: Places) -> tuple[float, float]:
    """How often home is right among accounts that have it among their places, and log loss."""
    odds = places.terms @ weights[:-1]
    accounts = int(places.account.max()) + 1
    best = np.full(accounts, -np.inf)
    np.maximum.at(best, places.account, odds)
    told = np.bincount(places.account, places.home, accounts) > 0
    right = np.bincount(places.account, places.home & (odds == best[places.account]), accounts)
    value, _ = loss(weights, places, 0.0)
    return float(right[told].mean()), value / accounts


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--accounts", type=int, default=700)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    sides: dict[str, list[Places]] = {"own": [], "second": []}
    for kind in WORLDS:
        made = simulate(kind, accounts=given.accounts, days=90, seed=given.seed, truth=True)
        assert made.truth is not None
        sides["own"].append(places_of(made.sessions, made.truth))
    for kind in KINDS:
        world = make_world(kind, given.accounts, 90, given.seed)
        tables = [
            pa.Table.from_pandas(world[name], preserve_index=False)
            for name in ("sessions", "truth")
        ]
        sides["second"].append(places_of(*tables))
    parts = {name: together(worlds) for name, worlds in sides.items()}
    lines = []
    for learnt, met in (("own", "second"), ("second", "own")):
        right, cost = quality(fit(parts[learnt]), parts[met])
        lines.append(f"fitted on {learnt}, on {met}: home right {right:.4f}, log loss {cost:.4f}")
    weights = fit(together([world for worlds in sides.values() for world in worlds]))
    for name, weight in zip((*TERMS, "constant"), weights, strict=True):
        lines.append(f"{weight:8.2f}  {name}")
    lines.append(f"WEIGHTS = {tuple(round(float(weight), 2) for weight in weights[:-1])}")
    lines.append(f"CONSTANT = {round(float(weights[-1]), 2)}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
