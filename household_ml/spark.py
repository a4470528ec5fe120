"""Scoring of Spark tables: ``household_ml.spark.score(df)``.

The work is done in :mod:`household_ml.serving.spark`; here it stands where a user of Spark looks.

Examples
--------
>>> import household_ml
>>> scores = household_ml.spark.score(df)  # doctest: +SKIP
"""

from household_ml.serving.spark import local_session, read_source, score, score_into

__all__ = ["local_session", "read_source", "score", "score_into"]
