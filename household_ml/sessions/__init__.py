"""Sessions: who watched, on which device, from which address, when."""

from __future__ import annotations

from household_ml.sessions.read import read_sessions
from household_ml.sessions.reading import Reading, SessionsWarning
from household_ml.sessions.table import Sessions
from household_ml.sessions.times import parse_time

__all__ = ["Reading", "Sessions", "SessionsWarning", "parse_time", "read_sessions"]
