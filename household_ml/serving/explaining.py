"""A recorded answer given again: from the feature values that were kept, by the same model."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from household_ml import __version__
from household_ml.errors import (
    HouseholdError,
    MissingDependencyError,
    ModelError,
    ModelNotFoundError,
    Problem,
    RegistryError,
)
from household_ml.features import COLUMN_NAMES
from household_ml.modeling.model import HouseholdModel
from household_ml.resources import resource
from household_ml.scoring.answers import answer as answer_again
from household_ml.scoring.sources import model_folder, model_source
from household_ml.scoring.verdicts import verdict_names
from household_ml.serving.audit_records import AuditedAnswer, seal, seal_keys

if TYPE_CHECKING:
    from household_ml.sessions.keys import Keys

__all__ = ["TOLERANCE", "DeviceExplanation", "Explanation", "explain_answer", "model_of_digest"]

#: Probabilities this close are equal: the order of additions may differ between machines.
TOLERANCE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class DeviceExplanation:
    """One device of a recorded answer, and what the model says of it now.

    Parameters
    ----------
    number : int
        From 1.
    probability, verdict, reasons
        Computed again.
    differs : tuple of str
        Of ``probability``, ``verdict`` and ``reasons``, those that are not as recorded.
    contributions : tuple of (feature, value, log-odds)
        What each feature adds to the log-odds, strongest first; a value is None where the history
        did not tell.
    """

    number: int
    probability: float
    verdict: str
    reasons: tuple[str, ...]
    differs: tuple[str, ...]
    contributions: tuple[tuple[str, float | None, float], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What came of giving an answer again.

    Parameters
    ----------
    answer : AuditedAnswer
        As recorded.
    intact : bool or None
        Whether the content is what was sealed; None without keys.
    devices : tuple of DeviceExplanation
        Empty when it cannot be given again.
    missing : str
        Why it cannot be given again, such as that the model is not at hand; empty when it can.
    """

    answer: AuditedAnswer
    intact: bool | None
    devices: tuple[DeviceExplanation, ...]
    missing: str = ""

    @property
    def equal(self) -> bool | None:
        """Whether every device gets the recorded answer; None when it cannot be known."""
        if self.missing:
            return None
        return not any(device.differs for device in self.devices)

    @property
    def other_software(self) -> bool:
        """Whether another version of the package gave the answer."""
        return self.answer.software != __version__


def explain_answer(
    answer: AuditedAnswer, *, model: str | Path | None = None, keys: Keys | None = None
) -> Explanation:
    """Compute an answer again and compare.

    Parameters
    ----------
    answer : AuditedAnswer
        What was recorded.
    model : str, Path or None, default=None
        Where the model is; None looks for it, see :func:`model_of_digest`.
    keys : Keys or None, default=None
        To check the seal; None leaves that out.

    Returns
    -------
    Explanation
    """
    intact = None
    if keys is not None:
        intact = any(hmac.compare_digest(seal(answer, key), answer.id) for key in seal_keys(keys))
    try:
        found = model_of_digest(answer.model.digest, named=model)
    except (ModelError, MissingDependencyError) as error:
        return Explanation(answer, intact, (), str(error))
    try:
        inputs = answer.inputs()
    except ValueError as error:
        return Explanation(answer, intact, (), f"what was recorded is damaged ({error})")
    if inputs.values.shape[1] != len(found.feature_names):
        counts = f"{inputs.values.shape[1]} features of {len(found.feature_names)}"
        return Explanation(answer, intact, (), f"what was recorded is damaged ({counts})")
    again = answer_again(found, inputs)
    verdicts = verdict_names(again.verdict).to_pylist()
    reasons = [tuple(codes) for codes in again.reasons.to_pylist()]
    shares = found.contributions(inputs.values)
    names = found.explained_names
    values = inputs.values[:, [found.feature_names.index(name) for name in names]]
    devices = []
    for row, recorded in enumerate(answer.devices):
        probability = float(again.probability[row])
        same = {
            "probability": abs(probability - recorded.probability) <= TOLERANCE,
            "verdict": verdicts[row] == recorded.verdict,
            "reasons": reasons[row] == recorded.reasons,
        }
        strongest = np.argsort(-np.abs(shares[row]), kind="stable").tolist()
        devices.append(
            DeviceExplanation(
                number=row + 1,
                probability=probability,
                verdict=verdicts[row],
                reasons=reasons[row],
                differs=tuple(name for name, holds in same.items() if not holds),
                contributions=tuple(
                    (
                        names[column],
                        None if np.isnan(values[row, column]) else float(values[row, column]),
                        float(shares[row, column]),
                    )
                    for column in strongest
                ),
            )
        )
    return Explanation(answer, intact, tuple(devices))


def model_of_digest(digest: str, *, named: str | Path | None = None) -> HouseholdModel:
    """Load the model with a digest.

    Parameters
    ----------
    digest : str
        Of the model that is wanted, 64 hexadecimal digits.
    named : str, Path or None, default=None
        A folder or MLflow URI. None looks at the model that ``HOUSEHOLD_ML_MODEL`` names, at the
        one that ships, and among all that are registered in the MLflow store, if there is one.

    Returns
    -------
    HouseholdModel

    Raises
    ------
    ModelNotFoundError
        It is not at any of these places; the message says where was looked.
    """
    looked = []
    for place in _usual(digest) if named is None else [named]:
        try:
            with model_folder(place) as folder:
                model = HouseholdModel.load(folder, catalogue=COLUMN_NAMES)
        except HouseholdError as error:
            looked.append(f"{place} ({error.code})")
            continue
        if model.digest == digest:
            return model
        looked.append(f"{place} ({model.digest[:12]})")
    raise ModelNotFoundError(
        Problem(
            f"the model with digest {digest[:12]} must be at hand",
            f"others at {', '.join(looked)}" if looked else "none",
            "Name its folder or MLflow URI with --model, or set MLFLOW_TRACKING_URI.",
        )
    )


def _usual(digest: str) -> Iterator[str | Path]:
    """Where a model may be at hand, what is nearest first."""
    with suppress(ModelNotFoundError):
        yield from dict.fromkeys((str(model_source(None)), str(resource("models/default"))))
    if "MLFLOW_TRACKING_URI" not in os.environ and not Path("mlflow.db").is_file():
        return
    from household_ml.serving.registry import versions_of_digest

    with suppress(RegistryError, MissingDependencyError):
        yield from versions_of_digest(digest)
