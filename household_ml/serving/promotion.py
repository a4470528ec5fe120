"""Promotion: the alias ``champion`` moves to the challenger when it holds, and why is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from household_ml.errors import ModelNotFoundError, ParameterError, Problem, RegistryError
from household_ml.modeling.contest import TOLERANCE, Contest, Contestant, hold_contest
from household_ml.modeling.model import HouseholdModel
from household_ml.scoring.sources import import_mlflow, model_folder, quiet_mlflow
from household_ml.serving.datasets import LabelledSessions, labelled_devices
from household_ml.serving.registry import CHALLENGER, CHAMPION

if TYPE_CHECKING:
    from household_ml.networks import NetworkStatistics

__all__ = ["FORMER", "Promotion", "promote"]

#: Alias of the version that was champion before.
FORMER: Final = "former_champion"

#: MLflow takes tags of a version up to so many characters.
_TAG: Final = 90_000


@dataclass(frozen=True, slots=True)
class Promotion:
    """What came of :func:`promote`.

    Parameters
    ----------
    name : str
        Name in the registry.
    challenger : int
        Version that challenged.
    champion : int or None
        Version in use before.
    contest : Contest
        What was required, and whether it holds.
    moved : bool
        Whether the alias was moved.
    """

    name: str
    challenger: int
    champion: int | None
    contest: Contest
    moved: bool

    def to_text(self) -> str:
        """The requirements, and the decision in the last line."""
        versions = f"version {self.challenger}"
        before = "" if self.champion is None else f", before version {self.champion}"
        if self.moved:
            last = f"promoted: models:/{self.name}@{CHAMPION} is {versions}{before}"
        elif self.contest.holds:
            last = f"would be promoted: {versions}{before}; nothing was changed"
        else:
            failed = [each.name for each in self.contest.requirements if not each.holds]
            last = f"not promoted: {versions} fails in {', '.join(failed)}"
        return f"{self.contest.to_text()}\n{last}"


def promote(
    name: str,
    data: Sequence[LabelledSessions],
    *,
    tolerance: float = TOLERANCE,
    networks: NetworkStatistics | None = None,
    as_of: int | None = None,
    dry_run: bool = False,
    replicates: int = 400,
    seed: int = 0,
) -> Promotion:
    """Make the challenger champion if it holds against the present one on the same data.

    What was required and found is written to the challenger: as tags of its version that begin
    with ``promotion.``, and as ``promotion.json`` of its run, whether it is promoted or not. The
    version that was champion gets the alias ``former_champion``.

    Parameters
    ----------
    name : str
        Name in the registry.
    data : sequence of LabelledSessions
        Labelled accounts that neither model has learnt from.
    tolerance : float, default=0.01
        A metric may be worse by so much, see :mod:`household_ml.modeling.contest`.
    networks : NetworkStatistics or None, default=None
        Network statistics; None builds them from each data set.
    as_of : int or None, default=None
        Microseconds since the epoch; None is the last session of each data set.
    dry_run : bool, default=False
        Decide, but write nothing.
    replicates, seed : int
        Of the resampling.

    Returns
    -------
    Promotion

    Raises
    ------
    ModelNotFoundError
        There is no such model, or none challenges.
    RegistryError
        The champion or the challenger became another while this one was measured.
    InputError
        The data cannot be used.
    """
    if not data:
        raise ParameterError(Problem("a contest must have data", "none", "Give labelled sessions."))
    mlflow = import_mlflow()
    client = mlflow.MlflowClient()
    with quiet_mlflow():
        before = _aliases(client, name, mlflow)
    if CHALLENGER not in before:
        raise ModelNotFoundError(
            Problem(
                f"{name} must have a version with the alias {CHALLENGER}",
                f"the aliases {', '.join(sorted(before)) or '(none)'}",
                f"Register one with household-ml train --register {name}.",
            )
        )
    models = {
        alias: _load(f"models:/{name}/{before[alias]}")
        for alias in (CHALLENGER, CHAMPION)
        if alias in before
    }
    contest = _contest(models, data, tolerance, networks, as_of, replicates, seed)
    moved = contest.holds and not dry_run
    champion = before.get(CHAMPION)
    promotion = Promotion(
        name, int(before[CHALLENGER]), None if champion is None else int(champion), contest, moved
    )
    if dry_run:
        return promotion
    with quiet_mlflow():
        now = _aliases(client, name, mlflow)
        if any(now.get(alias) != before.get(alias) for alias in (CHALLENGER, CHAMPION)):
            raise RegistryError(
                Problem(
                    f"champion and challenger of {name} must stay while they are compared",
                    "others in the meantime",
                    "Promote again.",
                )
            )
        _write(client, promotion, before[CHALLENGER], data)
        if moved:
            if champion is not None:
                client.set_registered_model_alias(name, FORMER, champion)
            client.set_registered_model_alias(name, CHAMPION, before[CHALLENGER])
            client.delete_registered_model_alias(name, CHALLENGER)
    return promotion


def _aliases(client: Any, name: str, mlflow: Any) -> dict[str, str]:
    try:
        return {
            alias: str(version)
            for alias, version in client.get_registered_model(name).aliases.items()
        }
    except mlflow.exceptions.MlflowException as error:
        raise ModelNotFoundError(
            Problem(
                f"{name} must be a registered model of the MLflow store "
                f"{mlflow.get_tracking_uri()}",
                str(error).splitlines()[0],
                "Register one with household-ml train --register NAME, or set MLFLOW_TRACKING_URI.",
            )
        ) from error


def _load(uri: str) -> HouseholdModel:
    from household_ml.features import COLUMN_NAMES

    with model_folder(uri) as folder:
        return HouseholdModel.load(folder, catalogue=COLUMN_NAMES)


def _contest(
    models: dict[str, HouseholdModel],
    data: Sequence[LabelledSessions],
    tolerance: float,
    networks: NetworkStatistics | None,
    as_of: int | None,
    replicates: int,
    seed: int,
) -> Contest:
    """Both models on all data at once; accounts of different data sets are different."""
    built = [labelled_devices(each, statistics=networks, as_of=as_of) for each in data]
    learnt = [part.learnt for part in built]
    sizes = [int(part.account.max(initial=-1)) + 1 for part in learnt]
    offsets = np.cumsum([0, *sizes[:-1]])
    contestants = {
        alias: Contestant(
            model.label,
            np.concatenate(
                [
                    model.probability(part.features.values[:, model.columns(part.features.names)])
                    for part in built
                ]
            ),
            model.thresholds,
        )
        for alias, model in models.items()
    }
    return hold_contest(
        contestants[CHALLENGER],
        contestants.get(CHAMPION),
        np.concatenate([part.y for part in learnt]),
        np.concatenate([part.account + at for part, at in zip(learnt, offsets, strict=True)]),
        ambiguous=np.concatenate([_marks(part.ambiguous, len(part)) for part in learnt]),
        unseen=np.concatenate([_marks(part.unseen, len(part)) for part in learnt]),
        situation=np.concatenate(
            [
                np.full(len(part), "", dtype=object) if part.situation is None else part.situation
                for part in learnt
            ]
        ),
        tolerance=tolerance,
        replicates=replicates,
        seed=seed,
    )


def _marks(given: Any, count: int) -> Any:
    return np.zeros(count, dtype=bool) if given is None else given


def _write(
    client: Any, promotion: Promotion, version: str, data: Sequence[LabelledSessions]
) -> None:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    decision = "promoted" if promotion.moved else "refused"
    names = [each.name for each in data]
    told = {
        "promotion.decision": decision,
        "promotion.at": at,
        "promotion.against": "none" if promotion.champion is None else str(promotion.champion),
        "promotion.data": ", ".join(names),
        "promotion.why": promotion.contest.to_text(),
    }
    for key, value in told.items():
        client.set_model_version_tag(promotion.name, version, key, value[:_TAG])
    run = client.get_model_version(promotion.name, version).run_id
    if run:
        found = {
            "decision": decision,
            "at": at,
            "data": names,
            "challenger_version": promotion.challenger,
            "champion_version": promotion.champion,
            **promotion.contest.to_dict(),
        }
        client.log_text(run, json.dumps(found, indent=1) + "\n", "promotion.json")
