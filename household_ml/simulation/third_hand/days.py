"""Days of the world: weekdays, school holidays, seasons, and the offsets of clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

__all__ = ["Calendar"]

#: Mean of nights away by month, and of watching, 1 = an average month [G].
_AWAY = (0.6, 1.0, 0.7, 1.1, 1.1, 0.8, 1.9, 2.3, 0.7, 0.8, 0.6, 1.2)
_WATCHING = (1.15, 1.1, 1.05, 1.0, 0.95, 0.9, 0.88, 0.88, 0.95, 1.0, 1.08, 1.12)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of a world.

    Attributes
    ----------
    start : datetime
        Midnight, UTC, of the first day.
    days : int
        How many.
    weekday, away, watching, holiday : ndarray, shape (days,)
        Weekday from Monday; seasonal factors; whether schools are closed.
    """

    start: datetime
    days: int
    weekday: npt.NDArray[np.int64]
    away: npt.NDArray[np.float64]
    watching: npt.NDArray[np.float64]
    holiday: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, start: str, days: int) -> Calendar:
        """Lay out the days from a date on."""
        first = date.fromisoformat(start)
        dates = [first + timedelta(days=day) for day in range(days)]
        month = np.array([day.month for day in dates])
        week = np.array([day.isocalendar().week for day in dates])
        closed = np.isin(month, (7, 8)) | np.isin(week, (8, 9, 15, 16, 43, 44, 52, 1))
        return cls(
            datetime(first.year, first.month, first.day, tzinfo=UTC),
            days,
            np.array([day.weekday() for day in dates]),
            np.array(_AWAY)[month - 1],
            np.array(_WATCHING)[month - 1],
            closed,
        )

    def offsets(self, zones: list[str]) -> npt.NDArray[np.int64]:
        """Minutes by which clocks are ahead of UTC, by zone and day; shape (zones, days)."""
        noons = [self.start + timedelta(days=day, hours=12) for day in range(self.days)]
        known = {
            zone: [_minutes(noon.astimezone(ZoneInfo(zone))) for noon in noons]
            for zone in sorted(set(zones))
        }
        return np.array([known[zone] for zone in zones], np.int64)


def _minutes(moment: datetime) -> int:
    offset = moment.utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) // 60
