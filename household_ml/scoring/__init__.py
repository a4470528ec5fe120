"""The saved model in use: probabilities, verdicts and reasons for every device.

This is the second to last room of the house: it may import everything from sessions to modeling,
and what serves scores (batch, Spark, HTTP, the registry) imports it.
"""

from __future__ import annotations

from household_ml.scoring.reasons import REASONS, Reason, explain
from household_ml.scoring.scorer import HouseholdScorer, score_schema
from household_ml.scoring.verdicts import Verdict

__all__ = ["REASONS", "HouseholdScorer", "Reason", "Verdict", "explain", "score_schema"]
