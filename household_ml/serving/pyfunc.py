"""The model as MLflow runs it: code that is read from this file, and our own artifact beside it.

MLflow stores this file and executes it when the model is loaded; nothing is unpickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
                ``as_of`` (ISO 8601; empty = the last session) and ``networks`` (path of a snapshot;
                empty = as the scorer chooses).

            Returns
            -------
            DataFrame
                The scores table.
            """
            del context
            asked = params or {}
            return self.scorer.score(
                model_input,
                as_of=asked.get("as_of") or None,
                networks=asked.get("networks") or None,
            )

    mlflow.models.set_model(HouseholdPyfunc())
