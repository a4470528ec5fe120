"""How a place stands against home: is home really home?

Nothing in a history says which place the account belongs to. Where two places are lived in, what
speaks for each is laid side by side: who uses it, how much, and since when.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.features import columns as c
from household_ml.features.history import UNKNOWN_MINUTES, Columns, History

__all__ = ["CONFIDENCE", "Standing", "fill_standing", "find_standing", "lived_in"]

_DAY = 86400.0

#: Terms of the confidence that are features of the table, ``rival_days`` and those after it.
_TERMS = 11
#: Constant, then the weight of each term, of the home margin and of the places lived in:
#: logistic regression on the true homes of the ten simulated worlds (simulated truth, [D]).
CONFIDENCE = (
    0.91,
    -0.05,
    0.43,
    0.39,
    -0.06,
    0.59,
    -0.04,
    -0.15,
    1.09,
    -0.18,
    0.19,
    0.15,
    -0.66,
    0.30,
)


class Standing(NamedTuple):
    """What speaks for each place beside :class:`~household_ml.features.homes.Places`, shape (p,).

    ``profiles`` are used nowhere more than there.
    """

    minutes: npt.NDArray[np.float64]
    profiles: npt.NDArray[np.int32]


@compiled
def _count_profiles(
    history: History, columns: Columns, begin: int, profiles: npt.NDArray[np.int32]
) -> None:
    n = history.time.size
    top = np.int64(-1)
    for i in range(n):
        top = max(top, np.int64(columns.profile[begin + i]))
    places = profiles.size
    pair = np.empty(n, np.int64)
    pairs = 0
    for i in range(n):
        if history.place[i] >= 0 and columns.profile[begin + i] >= 0:
            pair[pairs] = np.int64(columns.profile[begin + i]) * places + history.place[i]
            pairs += 1
    used = np.sort(pair[:pairs])
    most = np.zeros(top + 1, np.int64)
    main = np.full(top + 1, -1, np.int64)
    first = 0
    for rank in range(1, pairs + 1):
        if rank == pairs or used[rank] != used[first]:
            profile = used[first] // places
            if rank - first > most[profile]:
                most[profile] = rank - first
                main[profile] = used[first] % places
            first = rank
    for profile in range(top + 1):
        if main[profile] >= 0 and most[profile] >= 2:
            profiles[main[profile]] += 1


@compiled
def find_standing(history: History, columns: Columns, begin: int) -> Standing:
    """Count what speaks for each place of one account.

    Parameters
    ----------
    history, columns, begin
        As in :func:`household_ml.features.company.find_company`.

    Returns
    -------
    Standing
        Arrays of shape (p,).
    """
    places = history.places.claim.size
    minutes = np.zeros(places)
    profiles = np.zeros(places, np.int32)
    for i in range(history.time.size):
        if history.place[i] >= 0:
            played = history.minutes[i] if history.minutes[i] >= 0 else UNKNOWN_MINUTES
            minutes[history.place[i]] += played
    if places > 0:
        _count_profiles(history, columns, begin, profiles)
    return Standing(minutes, profiles)


@compiled
def lived_in(history: History) -> int:
    """Count the places that were used on three days or more."""
    count = 0
    for p in range(history.places.claim.size):
        if history.places.days[p] >= 3:
            count += 1
    return count


@compiled
def _log_ratio(home: float, rival: float) -> float:
    return math.log((home + 1.0) / (rival + 1.0))


@compiled
def fill_standing(history: History, standing: Standing, out: npt.NDArray[np.float64]) -> None:
    """Lay home beside the place next to it in claim, and say how sure it is that home is home.

    Parameters
    ----------
    history : History
        The account.
    standing : Standing
        What :func:`find_standing` returned.
    out : ndarray of float64, shape (d, f)
        Rows of all devices of the account, with those of the account filled in.
    """
    p = history.places
    if p.claim.size == 0:
        return
    row = out[0]
    alone = p.claim.size == 1
    days = nights = sessions = minutes = devices = residents = fixed = profiles = 0.0
    tenure = 0.0
    after = idle = (p.last[0] - p.first[0]) / _DAY
    if not alone:
        days, nights, sessions = p.days[1], p.nights[1], p.sessions[1]
        minutes, profiles = standing.minutes[1], standing.profiles[1]
        devices, residents, fixed = p.devices[1], p.residents[1], p.fixed_devices[1]
        tenure = (p.last[1] - p.first[1]) / _DAY
        after = (p.first[1] - p.first[0]) / _DAY
        idle = (p.last[0] - p.last[1]) / _DAY
    row[c.RIVAL_DAYS] = _log_ratio(p.days[0], days)
    row[c.RIVAL_NIGHTS] = _log_ratio(p.nights[0], nights)
    row[c.RIVAL_SESSIONS] = _log_ratio(p.sessions[0], sessions)
    row[c.RIVAL_MINUTES] = _log_ratio(standing.minutes[0], minutes)
    row[c.RIVAL_DEVICES] = _log_ratio(p.devices[0], devices)
    row[c.RIVAL_RESIDENTS] = _log_ratio(p.residents[0], residents)
    row[c.RIVAL_FIXED_DEVICES] = _log_ratio(p.fixed_devices[0], fixed)
    row[c.RIVAL_PROFILES] = _log_ratio(standing.profiles[0], profiles)
    row[c.RIVAL_TENURE] = _log_ratio((p.last[0] - p.first[0]) / _DAY, tenure)
    row[c.RIVAL_AFTER] = _signed_log(after)
    row[c.RIVAL_IDLE] = _signed_log(idle)
    row[c.HOME_CONFIDENCE] = _confidence(row)
    for d in range(1, out.shape[0]):
        for column in range(c.RIVAL_DAYS, c.HOME_CONFIDENCE + 1):
            out[d, column] = row[column]


@compiled
def _signed_log(days: float) -> float:
    return math.log(1.0 + days) if days >= 0 else -math.log(1.0 - days)


@compiled
def _confidence(row: npt.NDArray[np.float64]) -> float:
    """Probability that home is right, by the logistic model of :data:`CONFIDENCE`."""
    odds: float = CONFIDENCE[0]
    for position in range(_TERMS):
        odds += CONFIDENCE[1 + position] * row[c.RIVAL_DAYS + position]
    odds += CONFIDENCE[1 + _TERMS] * row[c.HOME_MARGIN]
    odds += CONFIDENCE[2 + _TERMS] * row[c.ACCOUNT_PLACES]
    return 1.0 / (1.0 + math.exp(-odds))
