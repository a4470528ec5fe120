"""What would change an answer: changes that are really made, and told when they really matter.

The menu is small: one, two, four or eight evenings on the account's home network within the last
:data:`DAYS` days, or one more paid extra-member slot. Each is added to the account's own sessions
and scored again, by the same path as every score. It is told when the verdict is then a better one,
and it has to be whichever evenings are taken: the latest, the earliest, or some spread over the
days. Of more evenings it is only told what fewer would not do. Nothing is told of a device that is
``household`` already, nor where the account has no home.

An evening is a session of :data:`MINUTES` minutes at 20:30 local time, on the address that the home
had then: that of the session at home which is next in time. Evenings on which the device was at
home anyway are passed over. A counterfactual holds the sessions that were added, so that anybody
can add them and score again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from household_ml.scoring.one_account import AccountAnswer, DeviceAnswer
from household_ml.sessions.addresses import format_addresses
from household_ml.sessions.localtime import country_name
from household_ml.sessions.one_account import AccountSessions

__all__ = ["DAYS", "EVENINGS", "MINUTES", "Counterfactual", "find_counterfactuals"]

#: Evenings that are tried, fewest first.
EVENINGS: Final = (1, 2, 4, 8)

#: Days before ``as_of`` in which the evenings lie: the time between two check-ins at home that a
#: service asked for (Chile, Costa Rica and Peru, 2022).
DAYS: Final = 31

#: Length of an evening's session. [A]
MINUTES: Final = 45

_DAY_US: Final = 86_400_000_000
_MINUTE_US: Final = 60_000_000
#: Minutes after midnight, local time, at which an evening's session starts. [A]
_START: Final = 20 * 60 + 30

#: Verdicts, the worst first for whoever uses the device.
_BETTER: Final = ("outside", "undetermined", "extra_member", "household")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_NUMBERS_EN: Final = {1: "one", 2: "two", 4: "four", 8: "eight"}
_NUMBERS_FR: Final = {1: "une", 2: "deux", 4: "quatre", 8: "huit"}
_VERDICTS_FR: Final = {
    "household": "du foyer",
    "extra_member": "abonné supplémentaire",
    "undetermined": "indéterminé",
    "outside": "hors du foyer",
}

#: Scores an account with so many extra-member slots.
Score = Callable[[AccountSessions, int], AccountAnswer]


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """A change that would change the answer for one device.

    Parameters
    ----------
    device_id : str
        The device.
    change : {"evenings_at_home", "extra_member_slot"}
        What changes.
    count : int
        How many evenings, or slots, at least 1.
    before, verdict : str
        The verdict as it is, and as it would be.
    household_probability : float
        As it would be, with the sessions below.
    sessions : tuple of dict
        Sessions that would be added, as rows of the contract; one of the choices of evenings for
        which it holds. Empty for a slot.
    """

    device_id: str
    change: Literal["evenings_at_home", "extra_member_slot"]
    count: int
    before: str
    verdict: str
    household_probability: float
    sessions: tuple[dict[str, Any], ...] = ()

    def sentence(self, language: Literal["en", "fr"] = "en") -> str:
        """Tell it in a sentence.

        Parameters
        ----------
        language : {"en", "fr"}, default="en"
            Language of the sentence.

        Examples
        --------
        >>> one = Counterfactual("tv", "evenings_at_home", 1, "outside", "household", 0.9)
        >>> one.sentence()
        'One evening on the home network in the last 31 days would change this answer to household.'
        >>> one.sentence("fr")
        'Une soirée sur le réseau du domicile ces 31 derniers jours changerait la réponse en : du
        foyer.'
        """
        if language == "fr":
            if self.change == "extra_member_slot":
                what, verb = "Une option d'abonné supplémentaire de plus", "changerait"
            else:
                several = self.count > 1
                what = (
                    f"{_NUMBERS_FR[self.count].capitalize()} soirée{'s' if several else ''} sur le "
                    f"réseau du domicile ces {DAYS} derniers jours"
                )
                verb = "changeraient" if several else "changerait"
            return f"{what} {verb} la réponse en : {_VERDICTS_FR[self.verdict]}."
        verdict = self.verdict.replace("_", " ")
        if self.change == "extra_member_slot":
            what = "One more paid extra-member slot"
        else:
            what = (
                f"{_NUMBERS_EN[self.count].capitalize()} evening{'s' if self.count > 1 else ''} on "
                f"the home network in the last {DAYS} days"
            )
        return f"{what} would change this answer to {verdict}."


def find_counterfactuals(
    sessions: AccountSessions,
    at_home: npt.NDArray[np.bool_],
    answer: AccountAnswer,
    score: Score,
    *,
    moment: int,
    extra_members: int = 0,
) -> tuple[Counterfactual, ...]:
    """Find what would change the answers for the devices of one account.

    Parameters
    ----------
    sessions : AccountSessions
        The sessions that count.
    at_home : bool array of shape (N,)
        Which of them were at the inferred home.
    answer : AccountAnswer
        The answers as they are.
    score : callable
        Scores sessions with a number of slots, at the same moment.
    moment : int
        ``as_of``, microseconds since the epoch.
    extra_members : int, default=0
        Paid extra-member slots that there are.

    Returns
    -------
    tuple of Counterfactual
        By device, slots last; none for most devices.
    """
    found: list[Counterfactual] = []
    homes = np.flatnonzero(at_home)
    more_slots: AccountAnswer | None = None
    for number, device in enumerate(answer.devices):
        if device.verdict == "household":
            continue
        if homes.size:
            evenings = _evenings(sessions, homes, number, moment)
            found += _by_evenings(sessions, device, number, evenings, score, extra_members)
        if device.verdict == "outside":
            more_slots = more_slots or score(sessions, extra_members + 1)
            after = more_slots.devices[number]
            if after.verdict != device.verdict:
                found.append(_told(device, after, "extra_member_slot", 1, ()))
    return tuple(found)


class _Evenings:
    """Evenings on which a device could have been at home, the latest first."""

    def __init__(self, starts: npt.NDArray[np.int64], home_rows: npt.NDArray[np.int64]) -> None:
        self.starts = starts
        self.home_rows = home_rows

    def choices(self, count: int) -> Iterator[npt.NDArray[np.int64]]:
        """Some evenings: the latest, the earliest, and spread over the days."""
        last = len(self.starts)
        if count > last:
            return
        yield np.linspace(0, last - 1, count + 2)[1:-1].round().astype(np.int64)
        yield np.arange(count)
        yield np.arange(last - count, last)


def _evenings(
    sessions: AccountSessions, homes: npt.NDArray[np.int64], number: int, moment: int
) -> _Evenings:
    at = sessions.started_at
    offset = int(sessions.utc_offset_min[homes[-1]]) * _MINUTE_US
    today = (moment + offset) // _DAY_US
    days = np.arange(today, today - DAYS - 1, -1)
    starts = days * _DAY_US + _START * _MINUTE_US - offset
    own = homes[sessions.device[homes] == number]
    there = np.isin(days, (at[own] + offset) // _DAY_US)
    possible = (starts <= moment) & (starts > moment - DAYS * _DAY_US) & ~there
    starts = starts[possible]
    next_in_time = np.abs(at[homes][None, :] - starts[:, None]).argmin(axis=1)
    return _Evenings(starts, homes[next_in_time])


def _by_evenings(
    sessions: AccountSessions,
    device: DeviceAnswer,
    number: int,
    evenings: _Evenings,
    score: Score,
    extra_members: int,
) -> Iterator[Counterfactual]:
    best = device.verdict
    for count in EVENINGS:
        after: list[DeviceAnswer] = []
        chosen: list[npt.NDArray[np.int64]] = []
        for choice in evenings.choices(count):
            more = _with_evenings(sessions, number, evenings, choice)
            after.append(score(more, extra_members).devices[number])
            chosen.append(choice)
            if _BETTER.index(after[-1].verdict) <= _BETTER.index(best):
                break
        else:
            if after and len({each.verdict for each in after}) == 1:
                best = after[0].verdict
                rows = _rows(sessions, device.device_id, evenings, chosen[0])
                yield _told(device, after[0], "evenings_at_home", count, rows)
        if best == "household":
            return


def _told(
    before: DeviceAnswer,
    after: DeviceAnswer,
    change: Literal["evenings_at_home", "extra_member_slot"],
    count: int,
    rows: Sequence[dict[str, Any]],
) -> Counterfactual:
    return Counterfactual(
        before.device_id,
        change,
        count,
        before.verdict,
        after.verdict,
        after.household_probability,
        tuple(rows),
    )


def _with_evenings(
    sessions: AccountSessions,
    number: int,
    evenings: _Evenings,
    choice: npt.NDArray[np.int64],
) -> AccountSessions:
    """The account with a session of a device on each of some evenings at home."""
    home = evenings.home_rows[choice]
    count = len(choice)
    added = {
        "device": np.full(count, number, np.int32),
        "started_at": evenings.starts[choice],
        "duration_s": np.full(count, 60 * MINUTES, np.float32),
        "ip_hi": sessions.ip_hi[home],
        "ip_lo": sessions.ip_lo[home],
        "asn": sessions.asn[home],
        "device_type": np.full(count, -1, np.int8),
        "country": sessions.country[home],
        "utc_offset_min": sessions.utc_offset_min[home],
        "profile": np.full(count, -1, np.int32),
    }
    order = np.argsort(np.concatenate([sessions.started_at, added["started_at"]]), kind="stable")
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(sessions, name), values])[order]
        for name, values in added.items()
    }
    return sessions._replace(account_rows=np.array([0, len(order)]), **columns)


def _rows(
    sessions: AccountSessions,
    device_id: str,
    evenings: _Evenings,
    choice: npt.NDArray[np.int64],
) -> list[dict[str, Any]]:
    """The sessions of :func:`_with_evenings` as rows of the contract."""
    home = evenings.home_rows[choice]
    addresses = format_addresses(sessions.ip_hi[home], sessions.ip_lo[home]).to_pylist()
    return [
        {
            "device_id": device_id,
            "started_at": _EPOCH + timedelta(microseconds=start),
            "duration_s": 60.0 * MINUTES,
            "ip": address,
            "asn": int(sessions.asn[row]) or None,
            "country": country_name(int(sessions.country[row])),
            "utc_offset_min": int(sessions.utc_offset_min[row]),
        }
        for start, address, row in zip(
            evenings.starts[choice].tolist(), addresses, home.tolist(), strict=True
        )
    ]
