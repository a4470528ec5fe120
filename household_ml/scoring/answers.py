"""From the features of devices to answers: what a model says of facts that can be kept.

Everything that decides an answer is in :class:`AnswerInputs`; no session and no address is. So an
answer can be given again, long after the sessions are gone, from what was kept of the first time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml.features import FEATURES
from household_ml.modeling.inference import Asked, Inference
from household_ml.scoring.hysteresis import Earlier, Standing, carry
from household_ml.scoring.reasons import choose, told_codes
from household_ml.scoring.verdicts import (
    Evidence,
    allot_extra_members,
    decide,
    too_little_history,
)

if TYPE_CHECKING:
    from household_ml.modeling.model import HouseholdModel

__all__ = ["AnswerInputs", "Answers", "Scored", "answer", "ask", "inference_of"]

_GROUPS: Final = {feature.name: feature.group for feature in FEATURES}


@dataclass(frozen=True, slots=True, eq=False)
class AnswerInputs:
    """All that decides the answers of D devices of whole accounts, besides the model.

    Parameters
    ----------
    values : float64 array of shape (D, F)
        Features in the model's order; NaN = the history does not tell.
    evidence : Evidence
        How much has been seen of each device and of its account.
    account : int64 array of shape (D,)
        Number of each device's account.
    place : int32 array of shape (D,)
        Place of the device within its account; 0 = home, -1 = none.
    slots : int64 array of shape (D,)
        Extra-member slots of the device's account.
    earlier : Earlier or None, default=None
        What the scoring before said; None when verdicts do not carry over.
    """

    values: npt.NDArray[np.float64]
    evidence: Evidence
    account: npt.NDArray[np.int64]
    place: npt.NDArray[np.int32]
    slots: npt.NDArray[np.int64]
    earlier: Earlier | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model says of D devices.

    Parameters
    ----------
    probability : float64 array of shape (D,)
        Calibrated ``household_probability``.
    verdict : int8 array of shape (D,)
        Codes of :class:`~household_ml.scoring.verdicts.Verdict`.
    reasons : pyarrow.ListArray of string, of length D
        Codes, strongest first.
    standing : Standing or None
        What the next scoring carries on from; None when verdicts do not carry over.
    """

    probability: npt.NDArray[np.float64]
    verdict: npt.NDArray[np.int8]
    reasons: pa.ListArray
    standing: Standing | None


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Scores, and what they were decided from.

    Parameters
    ----------
    scores : pyarrow.Table
        The scores table.
    inputs : AnswerInputs
        Of the same devices, in the same order.
    """

    scores: pa.Table
    inputs: AnswerInputs


def answer(model: HouseholdModel, inputs: AnswerInputs) -> Answers:
    """Answer devices: the one way from features to probability, verdict and reasons.

    Parameters
    ----------
    model : HouseholdModel
        What answers.
    inputs : AnswerInputs
        Of whole accounts, since extra-member slots are allotted among the devices of one.

    Returns
    -------
    Answers
    """
    asked = ask(model, inputs.values)
    probability = asked.probability
    unseen = too_little_history(inputs.evidence)
    call = decide(
        probability,
        unseen,
        household_at=model.thresholds.household_at,
        outside_at=model.thresholds.outside_at,
    )
    standing = None
    if inputs.earlier is not None:
        standing = carry(call, probability, inputs.earlier)
    held = call if standing is None else standing.verdict
    verdict = allot_extra_members(
        held,
        account=inputs.account,
        place=inputs.place,
        activity=inputs.evidence.device_sessions,
        slots=inputs.slots,
        recognised=None if inputs.earlier is None else inputs.earlier.recognised,
    )
    told = choose(asked.sums, inference_of(model).names, verdict, unseen, unsettled=held != call)
    return Answers(probability, verdict, told_codes(told), standing)


def ask(model: HouseholdModel, values: npt.NDArray[np.float64]) -> Asked:
    """Ask a model for log-odds, probabilities and what each group of evidence adds.

    Parameters
    ----------
    model : HouseholdModel
        What answers.
    values : float64 array of shape (D, F)
        Features in the model's order; NaN = the history does not tell.

    Returns
    -------
    Asked
    """
    return inference_of(model)(np.ascontiguousarray(values, dtype=np.float64))


def inference_of(model: HouseholdModel) -> Inference:
    """The model made ready to answer, once.

    Parameters
    ----------
    model : HouseholdModel
        What answers.
    """
    found: Inference | None = model.__dict__.get("_inference")
    if found is None:
        found = Inference(model, [_GROUPS[name] for name in model.explained_names])
        object.__setattr__(model, "_inference", found)
    return found
