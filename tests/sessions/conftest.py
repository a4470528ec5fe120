"""Fixtures of this room."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def exports() -> Path:
    """Folder with an invented export of each service."""
    return Path(__file__).parent / "fixtures"
