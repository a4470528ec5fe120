"""Which sessions count at a moment."""

from __future__ import annotations

from datetime import UTC, datetime

from household_ml.config import FeatureConfig
from household_ml.errors import NoSessionsError, Problem
from household_ml.sessions import Sessions

__all__ = ["known_at", "no_session_in_window"]

_DAY_US = 86_400_000_000


def known_at(sessions: Sessions, moment: int) -> Sessions:
    """Sessions that count at a moment: none after it, none from before the window.

    Parameters
    ----------
    sessions : Sessions
        Sessions.
    moment : int
        Microseconds since the epoch, UTC.

    Returns
    -------
    Sessions

    Raises
    ------
    NoSessionsError
        None is left.
    """
    days = FeatureConfig().window_days
    kept = sessions.until(moment).since(moment - days * _DAY_US)
    if len(kept):
        return kept
    raise no_session_in_window(moment)


def no_session_in_window(moment: int) -> NoSessionsError:
    """The error when no session counts at a moment, microseconds since the epoch."""
    days = FeatureConfig().window_days
    when = datetime.fromtimestamp(moment / 1e6, UTC).isoformat(timespec="seconds")
    return NoSessionsError(
        Problem(
            f"sessions must have one in the {days} days before as_of",
            f"none in those before {when}",
            "Give a later as_of, or leave it out for the last session.",
        )
    )
