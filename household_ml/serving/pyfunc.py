"""The model as MLflow runs it: code that is read from this file, and our own artifact beside it.

MLflow stores this file and executes it when the model is loaded; nothing is unpickled.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from household_ml.errors import ParameterError, Problem
from household_ml.scoring import HouseholdScorer
from household_ml.scoring.sources import import_mlflow_quietly, quiet_mlflow

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HouseholdPyfunc"]

mlflow = import_mlflow_quietly()


with quiet_mlflow():
    # MLflow wants the types of rows in the code; they stand in the signature, by hand.

    class HouseholdPyfunc(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
        """Sessions in, scores out."""

        def load_context(self, context: Any) -> None:
            """Load the scorer from the artifact ``household``."""
            self.scorer = HouseholdScorer.load(context.artifacts["household"])

        def predict(
            self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
        ) -> pd.DataFrame:
            """Score every device of the sessions.

            Parameters
            ----------
            context : PythonModelContext
                Given by MLflow.
            model_input : DataFrame
                The sessions table.
            params : dict or None, default=None
                Texts, each left out when empty: ``as_of`` (ISO 8601; left out, the last session),
                ``networks`` (path of a snapshot; left out, as the scorer chooses),
                ``extra_members`` (a JSON object, account to number of paid slots) and ``previous``
                (path of the scores before).

            Returns
            -------
            DataFrame
                The scores table.
            """
            del context
            asked = params or {}
            return self.scorer.score(
                model_input,
                accounts=_slots(asked.get("extra_members") or "{}"),
                as_of=asked.get("as_of") or None,
                networks=asked.get("networks") or None,
                previous=asked.get("previous") or None,
            )

    mlflow.models.set_model(HouseholdPyfunc())


def _slots(text: str) -> pa.Table | None:
    """The accounts table of a JSON object; None when it names no account."""
    try:
        given: dict[str, int] = json.loads(text)
        slots = pa.array(list(given.values())).cast(pa.int64())
    except (AttributeError, TypeError, ValueError) as error:
        raise ParameterError(
            Problem(
                "extra_members must be a JSON object of account and number of paid slots",
                text[:60],
                'Give one such as {"a": 1}.',
            )
        ) from error
    ids = pa.array(list(given), pa.large_string())
    return pa.table({"account_id": ids, "extra_members": slots}) if given else None
