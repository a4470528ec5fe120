"""Where home is in doubt: what a model says of each possible home, mixed by how likely each is.

The trees know a device by how it stands to a home. They learn from accounts whose home is the right
one, so they need not hedge. What is uncertain about the home itself comes in afterwards, by the
law of total probability: with probability ``home_claim`` the home is the inferred one, with
``rival_claim`` it is the place next to it, else nothing is known but the share of households.

The columns that a model reads are those of the trees, then ``home_claim`` and ``rival_claim``, then
those of the trees again as they would be at the rival home (unknown where that is out of the
question). A model of the trees' columns alone has no doubts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.modeling.calibration import probability_of
from household_ml.modeling.trees import Trees
from household_ml.schema import RIVAL

__all__ = [
    "CLAIMS",
    "Hypotheses",
    "believed_homes",
    "columns_for",
    "home_columns",
    "mixed_log_odds",
    "taken_as_home",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Columns with the probabilities of the homes.
CLAIMS = ("home_claim", "rival_claim")

#: Probabilities are kept this far from 0 and 1.
_LEAST = 1e-9


def columns_for(names: Sequence[str]) -> tuple[str, ...]:
    """Columns that a model reads whose trees read these.

    Parameters
    ----------
    names : sequence of F str
        Features of the trees.

    Returns
    -------
    tuple of 2 F + 2 str

    Examples
    --------
    >>> columns_for(["home_share"])
    ('home_share', 'home_claim', 'rival_claim', 'rival.home_share')
    """
    return (*names, *CLAIMS, *(RIVAL + name for name in names))


def home_columns(columns: int) -> int:
    """Columns of the trees among those of a model with doubts.

    Parameters
    ----------
    columns : int
        Columns that the model reads: 2 F + 2.

    Returns
    -------
    int
        F.
    """
    return (columns - len(CLAIMS)) // 2


@compiled
def mixed_log_odds(
    home: float, rival: float, home_claim: float, rival_claim: float, prior: float
) -> float:
    """Log-odds of one device, its possible homes mixed; callable from other compiled functions.

    More under either hypothesis never gives less.

    Parameters
    ----------
    home, rival, home_claim, rival_claim, prior : float
        Of one device, as of :class:`Hypotheses`.

    Returns
    -------
    float
    """
    if not np.isfinite(home_claim):
        return home
    p = home_claim * probability_of(home)
    if np.isfinite(rival) and np.isfinite(rival_claim):
        p += rival_claim * probability_of(rival)
    else:
        rival_claim = 0.0
    p += max(1.0 - home_claim - rival_claim, 0.0) * probability_of(prior)
    p = min(max(p, _LEAST), 1.0 - _LEAST)
    mixed: float = np.log(p / (1.0 - p))
    return mixed


@compiled
def _mix(home: Floats, rival: Floats, claim: Floats, rival_claim: Floats, prior: Floats) -> Floats:
    found = np.empty(home.size)
    for d in range(home.size):
        found[d] = mixed_log_odds(home[d], rival[d], claim[d], rival_claim[d], prior[d])
    return found


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """What trees say of D devices under each possible home.

    Parameters
    ----------
    home : float64 array of shape (D,)
        Log-odds of ``household`` if the inferred home is right.
    rival : float64 array of shape (D,)
        Log-odds if the rival place is home; NaN where that is out of the question.
    home_claim, rival_claim : float64 array of shape (D,)
        Probabilities of the two; NaN where the account has no place, so that there is no home to
        be right or wrong.
    prior : float or float64 array of shape (D,)
        Log-odds where nothing is known.
    """

    home: Floats
    rival: Floats
    home_claim: Floats
    rival_claim: Floats
    prior: float | Floats

    @classmethod
    def of(cls, trees: Trees, values: Floats, *, threads: int = 1) -> Hypotheses:
        """Ask the trees about each possible home.

        Parameters
        ----------
        trees : Trees
            Of F features.
        values : float64 array of shape (D, F) or (D, 2 F + 2)
            Columns of the model.
        threads : int, default=1
            Threads that share the rows.

        Returns
        -------
        Hypotheses
        """
        features = trees.features
        home = trees.log_odds(values[:, :features], threads=threads)
        rival = np.full(home.size, np.nan)
        if values.shape[1] == features:
            return cls(home, rival, rival, rival, trees.base)
        claims = values[:, features : features + len(CLAIMS)]
        there = values[:, features + len(CLAIMS) :]
        doubted = ~np.isnan(there).all(axis=1)
        if doubted.any():
            rival[doubted] = trees.log_odds(there[doubted], threads=threads)
        return cls(home, rival, claims[:, 0], claims[:, 1], trees.base)

    def blended(self, other: Hypotheses, weight: float) -> Hypotheses:
        """Move the log-odds by a weight in [0, 1] towards those of other trees."""
        return replace(
            self,
            home=(1.0 - weight) * self.home + weight * other.home,
            rival=(1.0 - weight) * self.rival + weight * other.rival,
            prior=(1.0 - weight) * self.prior + weight * other.prior,
        )

    def log_odds(self) -> Floats:
        """Log-odds of ``household``, the possible homes mixed, shape (D,)."""
        prior = np.broadcast_to(self.prior, self.home.shape)
        found: Floats = _mix(
            *(
                np.ascontiguousarray(each, dtype=np.float64)
                for each in (self.home, self.rival, self.home_claim, self.rival_claim, prior)
            )
        )
        return found


def believed_homes(values: Floats, y: Floats, account: Ints, *, home_share: int) -> Ints:
    """Which of the two possible homes of each account its labelled devices speak for.

    Devices of the household speak for the place where they are used, devices outside against it.

    Parameters
    ----------
    values : float64 array of shape (D, 2 F + 2)
        Columns of the model.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unlabelled.
    account : int64 array of shape (D,)
        Account of each device.
    home_share : int
        Column of the share of a device's sessions that were at home.

    Returns
    -------
    int64 array of shape (D,)
        0 = the inferred home, 1 = the rival, -1 = neither; 0 where the account has no place.
    """
    features = home_columns(values.shape[1])
    code = np.unique(account, return_inverse=True)[1]
    vote = np.nan_to_num(2.0 * y - 1.0)
    shares = (values[:, home_share], values[:, features + len(CLAIMS) + home_share])
    spoken = np.stack(
        [np.bincount(code, weights=vote * np.nan_to_num(share)) for share in shares], axis=1
    )
    best = spoken.argmax(axis=1)
    best[spoken.max(axis=1) <= 0] = -1
    believed = best[code]
    believed[np.isnan(values[:, features])] = 0
    return np.asarray(believed, dtype=np.int64)


def taken_as_home(values: Floats, believed: Ints) -> Floats:
    """Columns of the trees with the believed place of each account taken for its home.

    Parameters
    ----------
    values : float64 array of shape (D, 2 F + 2)
        Columns of the model.
    believed : int64 array of shape (D,)
        As :func:`believed_homes` gives it; those of neither stay as they are.

    Returns
    -------
    float64 array of shape (D, F)
    """
    features = home_columns(values.shape[1])
    rival = values[:, features + len(CLAIMS) :]
    return np.where((believed == 1)[:, None], rival, values[:, :features])
