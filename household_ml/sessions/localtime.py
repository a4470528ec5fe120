"""The offset of a country's clocks from UTC at a time.

Zones come from the ``tzdata`` package, whatever the machine has installed, so that the same
input gives the same offsets everywhere. A country of several zones is given the zone where most
of its people live (`POPULOUS`); a code that is no country is given UTC.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import numpy as np

from household_ml.compiling import compiled

__all__ = [
    "NO_COUNTRY",
    "POPULOUS",
    "country_code",
    "country_name",
    "offsets_between",
    "offsets_from_country",
]

#: Code of a country that is not known.
NO_COUNTRY = -1

#: Most populous zone of countries whose first zone in ``zone.tab`` is another one.
POPULOUS: Mapping[str, str] = {
    "AQ": "Antarctica/McMurdo",
    "AR": "America/Argentina/Buenos_Aires",
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "CD": "Africa/Kinshasa",
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "FM": "Pacific/Chuuk",
    "GL": "America/Nuuk",
    "ID": "Asia/Jakarta",
    "KI": "Pacific/Tarawa",
    "KZ": "Asia/Almaty",
    "MH": "Pacific/Majuro",
    "MN": "Asia/Ulaanbaatar",
    "MX": "America/Mexico_City",
    "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland",
    "PF": "Pacific/Tahiti",
    "PG": "Pacific/Port_Moresby",
    "PS": "Asia/Gaza",
    "PT": "Europe/Lisbon",
    "RU": "Europe/Moscow",
    "UA": "Europe/Kyiv",
    "UK": "Europe/London",
    "US": "America/New_York",
    "UZ": "Asia/Tashkent",
    "XK": "Europe/Belgrade",
}

_CODES = 26 * 26
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_YEAR = 366 * 86_400
_SAMPLE = 7 * 86_400  # no zone changed twice within a week since 1970


def country_code(country: str) -> int:
    """Number of a two-letter country, 26 * first + second letter; -1 when it is not one.

    Examples
    --------
    >>> country_code("FR"), country_name(country_code("fr")), country_code("FRA")
    (147, 'FR', -1)
    """
    letters = country.upper()
    if len(country) != 2 or not (letters.isascii() and letters.isalpha()):
        return NO_COUNTRY
    return 26 * (ord(letters[0]) - 65) + ord(letters[1]) - 65


def country_name(code: int) -> str | None:
    """Two letters of a country's number; None for -1."""
    return None if code < 0 else chr(65 + code // 26) + chr(65 + code % 26)


@lru_cache(maxsize=1)
def _zones() -> dict[str, str]:
    zones: dict[str, str] = {}
    table = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    for line in table.splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            zones.setdefault(country, zone)
    return zones | dict(POPULOUS)


def _offset(zone: ZoneInfo, second: int) -> int:
    local = (_EPOCH + datetime.timedelta(seconds=second)).astimezone(zone)
    offset = local.utcoffset()
    return 0 if offset is None else round(offset.total_seconds() / 60)


@lru_cache(maxsize=1024)
def _transitions(country: str, first: int, last: int) -> tuple[tuple[int, int], ...]:
    """Seconds from which an offset in minutes holds, between two times."""
    name = _zones().get(country)
    if name is None:
        return ((first, 0),)
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as stored:
        zone = ZoneInfo.from_file(stored, name)
    found = [(first, _offset(zone, first))]
    for sample in range(first + _SAMPLE, last + _SAMPLE, _SAMPLE):
        offset = _offset(zone, sample)
        if offset != found[-1][1]:
            before, after = sample - _SAMPLE, sample
            while after - before > 1:
                middle = (before + after) // 2
                if _offset(zone, middle) == offset:
                    after = middle
                else:
                    before = middle
            found.append((after, offset))
    return tuple(found)


@lru_cache(maxsize=64)
def _changes(
    codes: tuple[int, ...], first: int, last: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the changes of each country begin, when they are, and the offsets from then on."""
    starts = np.zeros(_CODES + 1, np.int64)
    changes: list[tuple[int, int]] = []
    for code in codes:  # at most one turn for each country in the world
        found = _transitions(country_name(code) or "", first, last)
        changes.extend(found)
        starts[code + 1] = len(found)
    seconds = np.array([second for second, _ in changes] or [0], np.int64)
    offsets = np.array([offset for _, offset in changes] or [0], np.int16)
    return np.cumsum(starts), seconds, offsets


@compiled
def _fill(
    started_at: np.ndarray,
    country: np.ndarray,
    given: np.ndarray,
    unknown: int,
    starts: np.ndarray,
    seconds: np.ndarray,
    offsets: np.ndarray,
    resolved: np.ndarray,
) -> None:
    for row in range(given.size):
        if given[row] != unknown:
            resolved[row] = given[row]
            continue
        code = country[row]
        if code < 0:
            resolved[row] = 0
            continue
        second = started_at[row] // 1_000_000
        low, high = starts[code], starts[code + 1]
        while high - low > 1:
            middle = (low + high) // 2
            if seconds[middle] <= second:
                low = middle
            else:
                high = middle
        resolved[row] = offsets[low]


def offsets_from_country(
    started_at: np.ndarray, country: np.ndarray, given: np.ndarray, unknown: int
) -> np.ndarray:
    """Offset of each session's clock: the given one, else its country's at that time, else 0.

    Daylight saving is respected: the offset is that of the country on that very second.

    Parameters
    ----------
    started_at : ndarray of int64, shape (N,)
        Microseconds since 1970, UTC.
    country : ndarray of int16, shape (N,)
        `country_code` of each session; -1 = unknown.
    given : ndarray of int16, shape (N,)
        Offset in minutes, or `unknown`.
    unknown : int
        Value of `given` that stands for null.

    Returns
    -------
    ndarray of int16, shape (N,)
        Minutes east of UTC.

    Examples
    --------
    >>> import numpy as np
    >>> winter, summer = 1_704_106_800_000_000, 1_719_828_000_000_000
    >>> started_at = np.array([winter, summer, summer])
    >>> country = np.array([147, 147, -1], np.int16)
    >>> null = np.full(3, -32768, np.int16)
    >>> offsets_from_country(started_at, country, null, -32768).tolist()
    [60, 120, 0]
    """
    if len(given) == 0:
        return np.zeros(0, np.int16)
    needs = country[(given == unknown) & (country >= 0)]
    used = np.flatnonzero(np.bincount(needs, minlength=_CODES))
    first, last = int(started_at.min()), int(started_at.max())
    return offsets_between(started_at, country, given, unknown, tuple(used.tolist()), first, last)


def offsets_between(
    started_at: np.ndarray,
    country: np.ndarray,
    given: np.ndarray,
    unknown: int,
    countries: tuple[int, ...],
    first: int,
    last: int,
) -> np.ndarray:
    """Offsets as `offsets_from_country` tells them, where what it looks for is known already.

    Parameters
    ----------
    started_at, country, given, unknown
        As in `offsets_from_country`.
    countries : tuple of int, ascending
        Codes of the countries among those of the sessions, and perhaps of others.
    first, last : int
        The first and the last of the starts.

    Returns
    -------
    ndarray of int16, shape (N,)
        Minutes east of UTC.
    """
    resolved = np.empty(len(given), np.int16)
    begin = (first // 1_000_000 // _YEAR - 1) * _YEAR
    end = (last // 1_000_000 // _YEAR + 2) * _YEAR
    _fill(started_at, country, given, unknown, *_changes(countries, begin, end), resolved)
    return resolved
