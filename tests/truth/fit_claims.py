"""Fit the weights of the claims of places: conditional logistic regression on true homes.

    python tests/truth/fit_claims.py --accounts 700 --seed 5

prints ``WEIGHTS`` and ``CONSTANT`` of :mod:`household_ml.features.homes`, fitted on worlds of every
kind of all simulators, and how well they do on worlds of each simulator when fitted on the others:
how often home is right, and the log loss of an account.
"""

from __future__ import annotations

import argparse
import sys
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from household_ml.cli.curriculum import labelled_lesson, plan_fresh
from household_ml.features.build import _infer
from household_ml.features.homes import TERMS
from household_ml.modeling.truth import align_truth
from household_ml.serving.datasets import LabelledSessions
from household_ml.simulation import WORLDS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Terms whose weight may be negative: none of how much a place is used, and by how many.
FREE = (3, 6, 7, 9, 10)

#: Ridge penalty on the weights of terms divided by their spread.
RIDGE = 3.0


class Places(NamedTuple):
    """Places of many accounts: terms (p, t), number of the account (p,), whether it is home."""

    terms: Floats
    account: Ints
    home: npt.NDArray[np.bool_]


def places_of(world: LabelledSessions) -> Places:
    """Terms of every place of a world, and whether it is mostly home in truth."""
    assert world.truth is not None
    cut, place, evidence, start = _infer(world.sessions, None, None, None, least=0.0)
    told = align_truth(cut, world.truth)
    assert told.at_home is not None
    row = start[:-1][cut.row_account()] + place
    some = place >= 0
    at_home = np.bincount(row[some], told.at_home[some], len(evidence))
    sizes = np.bincount(row[some], minlength=len(evidence))
    account = np.repeat(np.arange(cut.n_accounts), np.diff(start))
    # mobile egress is home where no line is: a line tells who is there, and the road does not
    mobile = evidence[:, 10] > 0
    line = (2 * at_home > sizes) & ~mobile
    settled = np.bincount(account[line], minlength=cut.n_accounts) > 0
    possible = np.where(line | (mobile & ~settled[account]), at_home, 0)
    most = np.zeros(cut.n_accounts)
    np.maximum.at(most, account, possible)
    home = (possible > 0) & (possible == most[account])
    return Places(evidence[:, 11:], account, home)


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
    spread = places.terms.std(axis=0)
    spread[spread == 0.0] = 1.0
    scaled = places._replace(terms=places.terms / spread)
    bounds = [(None if term in FREE else 0.0, None) for term in range(len(TERMS))]
    found = minimize(
        loss,
        np.zeros(len(TERMS) + 1),
        (scaled, 2.0 * RIDGE),
        "L-BFGS-B",
        jac=True,
        bounds=[*bounds, (None, None)],
        options={"maxiter": 500},
    )
    return np.append(found.x[:-1] / spread, found.x[-1])


def quality(weights: Floats, places: Places) -> tuple[float, float]:
    """How often home is right, or none of them where there is none, and log loss of an account."""
    odds = places.terms @ weights[:-1] + weights[-1]
    accounts = int(places.account.max()) + 1
    best = np.zeros(accounts)
    np.maximum.at(best, places.account, odds)
    told = np.bincount(places.account, places.home, accounts) > 0
    right = np.bincount(places.account, places.home & (odds == best[places.account]), accounts)
    value, _ = loss(weights, places, 0.0)
    return float(np.where(told, right > 0, best == 0.0).mean()), value / accounts


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--accounts", type=int, default=700)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    sides: dict[str, list[Places]] = {}
    for lesson in plan_fresh(list(WORLDS), accounts=given.accounts, seed=given.seed):
        sides.setdefault(lesson.hand, []).append(places_of(labelled_lesson(lesson)))
    parts = {name: together(worlds) for name, worlds in sides.items()}
    lines = []
    for met, places in parts.items():
        others = [world for name, worlds in sides.items() if name != met for world in worlds]
        right, cost = quality(fit(together(others)), places)
        lines.append(f"{met} hand, by the others: home right {right:.4f}, log loss {cost:.4f}")
    weights = fit(together([world for worlds in sides.values() for world in worlds]))
    for name, weight in zip((*TERMS, "constant"), weights, strict=True):
        lines.append(f"{weight:8.2f}  {name}")
    lines.append(f"WEIGHTS = {tuple(round(float(weight), 2) for weight in weights[:-1])}")
    lines.append(f"CONSTANT = {round(float(weights[-1]), 2)}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
