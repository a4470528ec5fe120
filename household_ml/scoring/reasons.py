"""Reasons: why a device got its answer, as codes with a sentence in English and in French.

A model's log-odds is an exact sum: a constant plus one contribution per feature. Features belong to
groups (``Feature.group`` of the catalogue), and the contributions of a group add up to what that
kind of evidence says: for the household when the sum is positive, against when it is negative. So
every group has two codes, and the sums of all groups and the constant give back the log-odds.

Which reasons are told:

- For ``household``, groups that speak for it; for ``outside`` and ``extra_member``, groups that
  speak against; for ``undetermined``, both.
- Strongest first, by the size of the sum; of two equal ones the group first in the catalogue.
- None weaker than :data:`WEAKEST` log-odds, at most :data:`MOST` in all.
- A circumstance that decided regardless of the model (:data:`LITTLE_HISTORY`,
  :data:`MIXED_EVIDENCE`, :data:`PAID_SLOT`, :data:`NOT_LASTING`) is told first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml.compiling import compiled
from household_ml.scoring.verdicts import Verdict

__all__ = [
    "LITTLE_HISTORY",
    "MIXED_EVIDENCE",
    "MOST",
    "NOT_LASTING",
    "PAID_SLOT",
    "REASONS",
    "WEAKEST",
    "Reason",
    "choose",
    "choose_codes",
    "explain",
    "group_codes",
    "group_sums",
    "reasons_markdown",
    "sentence",
    "told_codes",
]

Language = Literal["en", "fr"]

#: At most so many reasons a device.
MOST: Final = 4

#: A group that moves the log-odds by less is not told: 0.1 changes 50 % into 52.5 %. [A]
WEAKEST: Final = 0.1


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason.

    Parameters
    ----------
    code : str
        Stable code.
    group : str or None
        Feature group it speaks for; None for a circumstance that decided regardless of the model.
    direction : int
        +1 speaks for the household, -1 against, 0 a circumstance.
    en, fr : str
        The sentence in English and in French.
    """

    code: str
    group: str | None
    direction: int
    en: str
    fr: str


LITTLE_HISTORY: Final = Reason(
    "little_history",
    None,
    0,
    "Too little has been seen of this device or of its account to judge.",
    "Trop peu d'historique sur cet appareil ou sur son compte pour conclure.",
)
MIXED_EVIDENCE: Final = Reason(
    "mixed_evidence",
    None,
    0,
    "The evidence for and against the household does not settle the answer.",
    "Les indices pour et contre le foyer ne permettent pas de trancher.",
)
NOT_LASTING: Final = Reason(
    "not_lasting",
    None,
    0,
    "The answer is that of earlier scorings; what would change it has not lasted long enough.",
    "La réponse est celle des calculs précédents ; ce qui la changerait ne dure pas depuis assez "
    "longtemps.",
)
PAID_SLOT: Final = Reason(
    "paid_slot",
    None,
    0,
    "The place where this device is used is covered by a paid extra-member slot.",
    "Le lieu où cet appareil est utilisé est couvert par une option d'abonné supplémentaire.",
)


def _pair(
    group: str, for_: tuple[str, str, str], against: tuple[str, str, str]
) -> tuple[Reason, ...]:
    return (
        Reason(for_[0], group, 1, *for_[1:]),
        Reason(against[0], group, -1, *against[1:]),
    )


#: Every reason, circumstances first, then a pair per feature group.
REASONS: Final[tuple[Reason, ...]] = (
    LITTLE_HISTORY,
    MIXED_EVIDENCE,
    NOT_LASTING,
    PAID_SLOT,
    *_pair(
        "home_presence",
        (
            "used_at_home",
            "The device is regularly used on the networks of the account's home.",
            "L'appareil est régulièrement utilisé sur les réseaux du domicile du compte.",
        ),
        (
            "rarely_at_home",
            "The device is rarely or never used on the networks of the account's home.",
            "L'appareil est rarement ou jamais utilisé sur les réseaux du domicile du compte.",
        ),
    ),
    *_pair(
        "home_recency",
        (
            "recently_at_home",
            "The device was at the account's home recently.",
            "L'appareil a été utilisé récemment au domicile du compte.",
        ),
        (
            "long_absent_from_home",
            "The device has not been at the account's home for long.",
            "L'appareil n'a pas été utilisé au domicile du compte depuis longtemps.",
        ),
    ),
    *_pair(
        "colocation",
        (
            "together_with_others",
            "The device shares networks, at the same times, with other devices of the home.",
            "L'appareil partage réseaux et moments d'usage avec d'autres appareils du domicile.",
        ),
        (
            "apart_from_others",
            "The device is seldom on the same network as the other devices of the home.",
            "L'appareil est rarement sur le même réseau que les autres appareils du domicile.",
        ),
    ),
    *_pair(
        "second_place",
        (
            "no_second_place",
            "The device has no other place where it is used regularly.",
            "L'appareil n'a pas d'autre lieu d'utilisation régulière.",
        ),
        (
            "lives_at_second_place",
            "The device is used mostly at another place than the account's home.",
            "L'appareil est surtout utilisé dans un autre lieu que le domicile du compte.",
        ),
    ),
    *_pair(
        "elsewhere",
        (
            "seldom_elsewhere",
            "The device is seldom used on other lines than those of the home.",
            "L'appareil est rarement utilisé sur d'autres lignes que celles du domicile.",
        ),
        (
            "often_elsewhere",
            "The device is often used on other lines while the home keeps its own.",
            "L'appareil est souvent sur d'autres lignes alors que le domicile garde la sienne.",
        ),
    ),
    *_pair(
        "travel",
        (
            "moves_with_household",
            "The device moves as a device of the household does.",
            "L'appareil se déplace comme un appareil du foyer.",
        ),
        (
            "moves_on_its_own",
            "The device moves in another way than the devices of the household.",
            "L'appareil se déplace autrement que les appareils du foyer.",
        ),
    ),
    *_pair(
        "simultaneous",
        (
            "no_simultaneous_use",
            "The device is not used elsewhere while the home is watching.",
            "L'appareil n'est pas utilisé ailleurs pendant que le domicile regarde.",
        ),
        (
            "simultaneous_use",
            "The device is used elsewhere while the home is watching.",
            "L'appareil est utilisé ailleurs pendant que le domicile regarde.",
        ),
    ),
    *_pair(
        "profile",
        (
            "profile_used_at_home",
            "The viewing profile of the device is also used at the account's home.",
            "Le profil utilisé sur l'appareil l'est aussi au domicile du compte.",
        ),
        (
            "profile_not_used_at_home",
            "The viewing profile of the device is not used at the account's home.",
            "Le profil utilisé sur l'appareil ne l'est pas au domicile du compte.",
        ),
    ),
    *_pair(
        "shared_network",
        (
            "private_network",
            "The networks of the home are used by few accounts, so sharing them tells much.",
            "Les réseaux du domicile servent à peu de comptes : les partager est parlant.",
        ),
        (
            "shared_network",
            "The networks are used by many accounts, so sharing them tells little.",
            "Les réseaux servent à de nombreux comptes : les partager est peu parlant.",
        ),
    ),
    *_pair(
        "activity",
        (
            "usual_activity",
            "The device is used as much and at such times as a device of the household is.",
            "L'appareil est utilisé autant et aux mêmes heures qu'un appareil du foyer.",
        ),
        (
            "unusual_activity",
            "The device is used in amount or at times unlike a device of the household.",
            "L'appareil est utilisé dans une mesure ou à des heures inhabituelles pour le foyer.",
        ),
    ),
    *_pair(
        "device",
        (
            "device_kind_at_home",
            "Devices of this kind mostly belong to the household.",
            "Les appareils de ce type appartiennent le plus souvent au foyer.",
        ),
        (
            "device_kind_away",
            "Devices of this kind less often belong to the household.",
            "Les appareils de ce type appartiennent moins souvent au foyer.",
        ),
    ),
    *_pair(
        "account",
        (
            "one_home_account",
            "The account is used as by one household.",
            "Le compte est utilisé comme par un seul foyer.",
        ),
        (
            "several_homes_account",
            "The account is used at several places.",
            "Le compte est utilisé dans plusieurs lieux.",
        ),
    ),
    *_pair(
        "home",
        (
            "home_may_be_elsewhere",
            "Another place of the account may be its home, and the device may belong there.",
            "Un autre lieu du compte peut être son domicile, et l'appareil peut en relever.",
        ),
        (
            "home_in_doubt",
            "Which place is the account's home is not certain, so being there tells less.",
            "Le domicile du compte n'est pas certain : y être utilisé en dit moins.",
        ),
    ),
)

_BY_CODE: Final = {reason.code: reason for reason in REASONS}

_NOBODY: Final = np.zeros(0, dtype=np.bool_)

_VERDICTS: Final = tuple(int(verdict) for verdict in Verdict)
_LITTLE_HISTORY, _MIXED_EVIDENCE, _NOT_LASTING, _PAID_SLOT = (
    REASONS.index(reason) for reason in (LITTLE_HISTORY, MIXED_EVIDENCE, NOT_LASTING, PAID_SLOT)
)


def sentence(code: str, language: Language = "en") -> str:
    """The sentence of a reason.

    Parameters
    ----------
    code : str
        Code of one of :data:`REASONS`.
    language : {"en", "fr"}, default="en"
        Language of the sentence.

    Returns
    -------
    str

    Raises
    ------
    KeyError
        No reason has this code.

    Examples
    --------
    >>> sentence("little_history", "fr")
    "Trop peu d'historique sur cet appareil ou sur son compte pour conclure."
    """
    reason = _BY_CODE[code]
    return reason.fr if language == "fr" else reason.en


def group_sums(
    contributions: npt.NDArray[np.float64], groups: Sequence[str]
) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Add the contributions of each group's features.

    Parameters
    ----------
    contributions : float64 array of shape (D, F)
        Additive contributions of each feature to the log-odds.
    groups : sequence of str of length F
        Group of each feature.

    Returns
    -------
    names : tuple of str of length G
        Groups, in the order of their first feature.
    sums : float64 array of shape (D, G)
        Their sums; a row adds up to the same as the row of ``contributions``.

    Examples
    --------
    >>> group_sums(np.array([[1.0, 2.0, 4.0]]), ["a", "b", "a"])
    (('a', 'b'), array([[5., 2.]]))
    """
    names = tuple(dict.fromkeys(groups))
    membership = np.zeros((len(groups), len(names)))
    membership[np.arange(len(groups)), [names.index(group) for group in groups]] = 1.0
    return names, contributions @ membership


def explain(
    contributions: npt.NDArray[np.float64],
    groups: Sequence[str],
    verdict: npt.NDArray[np.int8],
    unseen: npt.NDArray[np.bool_],
    *,
    unsettled: npt.NDArray[np.bool_] | None = None,
) -> pa.ListArray:
    """Reasons of each device, strongest first.

    Parameters
    ----------
    contributions : float64 array of shape (D, F)
        Additive contributions of each feature to the log-odds.
    groups : sequence of str of length F
        Group of each feature; each has a pair in :data:`REASONS`.
    verdict : int8 array of shape (D,)
        Codes of :class:`~household_ml.scoring.verdicts.Verdict`.
    unseen : bool array of shape (D,)
        Devices with too little history.
    unsettled : bool array of shape (D,), optional
        Devices whose verdict is another than the one that the thresholds call for, see
        :mod:`~household_ml.scoring.hysteresis`.

    Returns
    -------
    pyarrow.ListArray of string, of length D
        At most :data:`MOST` codes each, possibly none.

    Examples
    --------
    >>> explain(
    ...     np.array([[2.0, 0.5], [-0.02, -3.0], [1.0, -1.5]]),
    ...     ["home_presence", "colocation"],
    ...     np.array([Verdict.HOUSEHOLD, Verdict.OUTSIDE, Verdict.UNDETERMINED], dtype=np.int8),
    ...     np.array([False, False, False]),
    ... ).to_pylist()  # doctest: +NORMALIZE_WHITESPACE
    [['used_at_home', 'together_with_others'],
     ['apart_from_others'],
     ['mixed_evidence', 'apart_from_others', 'used_at_home']]
    """
    names, sums = group_sums(contributions, groups)
    return told_codes(choose(sums, names, verdict, unseen, unsettled=unsettled))


def choose(
    sums: npt.NDArray[np.float64],
    names: Sequence[str],
    verdict: npt.NDArray[np.int8],
    unseen: npt.NDArray[np.bool_],
    *,
    unsettled: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int8]:
    """Which reasons are told, see :func:`explain`.

    Parameters
    ----------
    sums : float64 array of shape (D, G)
        What each group of evidence adds to the log-odds.
    names : sequence of str of length G
        The groups; each has a pair in :data:`REASONS`.
    verdict, unseen, unsettled
        As in :func:`explain`.

    Returns
    -------
    int8 array of shape (D, MOST)
        Places in :data:`REASONS`, strongest first; -1 where there is none any more.
    """
    told = np.empty((verdict.size, MOST), dtype=np.int8)
    turned = _NOBODY if unsettled is None else unsettled
    choose_codes(sums, *group_codes(tuple(names)), verdict, _VERDICTS, unseen, turned, told)
    return told


def told_codes(told: npt.NDArray[np.int8]) -> pa.ListArray:
    """Reasons of :func:`choose` as a column of codes.

    Examples
    --------
    >>> told_codes(np.array([[0, 1, -1, -1], [-1, -1, -1, -1]], dtype=np.int8)).to_pylist()
    [['little_history', 'mixed_evidence'], []]
    """
    given = told >= 0
    offsets = np.zeros(len(told) + 1, dtype=np.int32)
    np.cumsum(given.sum(axis=1), out=offsets[1:])
    text = pa.array([reason.code for reason in REASONS], type=pa.string())
    return pa.ListArray.from_arrays(pa.array(offsets), text.take(pa.array(told[given])))


@cache
def group_codes(names: tuple[str, ...]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """Places in REASONS of what each group says for the household, and against.

    Parameters
    ----------
    names : tuple of str, length G
        The groups.

    Returns
    -------
    for_, against : int8 array of shape (G,)
    """
    place = {(reason.group, reason.direction): at for at, reason in enumerate(REASONS)}
    for_, against = ([place[name, sign] for name in names] for sign in (1, -1))
    return np.array(for_, dtype=np.int8), np.array(against, dtype=np.int8)


@compiled
def choose_codes(
    sums: npt.NDArray[np.float64],
    code_for: npt.NDArray[np.int8],
    code_against: npt.NDArray[np.int8],
    verdict: npt.NDArray[np.int8],
    verdicts: tuple[int, ...],
    unseen: npt.NDArray[np.bool_],
    unsettled: npt.NDArray[np.bool_],
    told: npt.NDArray[np.int8],
) -> None:
    """Choose reasons; callable from other compiled functions.

    Parameters
    ----------
    sums, verdict, unseen
        As in :func:`choose`.
    code_for, code_against
        As :func:`group_codes` gives them.
    verdicts : tuple of four int
        The codes of :class:`~household_ml.scoring.verdicts.Verdict`, handed over so that what is
        compiled holds none.
    unsettled : bool array of shape (D,) or (0,)
        As in :func:`choose`; empty for none.
    told : int8 array of shape (D, MOST)
        Filled.
    """
    household, extra_member, undetermined, outside = verdicts
    groups = sums.shape[1]
    strength = np.empty(groups)
    for d in range(verdict.size):
        given = verdict[d]
        away = given in (outside, extra_member)
        for g in range(groups):
            value = sums[d, g]
            beside = (given == household and value < 0) or (away and value > 0)
            strength[g] = 0.0 if beside or abs(value) < WEAKEST else abs(value)
        circumstance = -1
        if given == extra_member:
            circumstance = _PAID_SLOT
        elif given == undetermined and unseen[d]:
            circumstance = _LITTLE_HISTORY
        elif unsettled.size > 0 and unsettled[d]:
            circumstance = _NOT_LASTING
        elif given == undetermined:
            circumstance = _MIXED_EVIDENCE
        place = 0
        if circumstance >= 0:
            told[d, 0] = circumstance
            place = 1
        while place < told.shape[1]:
            best = -1
            for g in range(groups):
                if strength[g] > 0 and (best < 0 or strength[g] > strength[best]):
                    best = g
            if best < 0:
                break
            told[d, place] = code_for[best] if sums[d, best] > 0 else code_against[best]
            strength[best] = 0.0
            place += 1
        told[d, place:] = -1


def reasons_markdown() -> str:
    """The table of reasons for the documentation, generated so that it cannot go stale.

    Returns
    -------
    str
        A Markdown table with one row per reason.
    """
    speaks = {1: "for", -1: "against", 0: "circumstance"}
    rows = [
        f"| `{reason.code}` | {speaks[reason.direction]} | {reason.en} | {reason.fr} |"
        for reason in REASONS
    ]
    return "\n".join(["| code | speaks | English | français |", "|---|---|---|---|", *rows]) + "\n"
