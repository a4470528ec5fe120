"""The MLflow registry: models under one name, with the aliases champion and challenger.

The store is the one of ``MLFLOW_TRACKING_URI``, a local SQLite file by default. Telemetry is off.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from household_ml import __version__
from household_ml.errors import ParameterError, Problem
from household_ml.modeling.model import HouseholdModel
from household_ml.schema import SCORES, SESSIONS, Column
from household_ml.scoring.sources import import_mlflow, model_folder, quiet_mlflow

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

__all__ = ["CHALLENGER", "CHAMPION", "Registered", "download", "register", "signature"]

#: Alias of the model in use; given to the first that is registered under a name.
CHAMPION = "champion"

#: Alias of the newest model that has not been promoted.
CHALLENGER = "challenger"


@dataclass(frozen=True, slots=True)
class Registered:
    """What registering gave.

    Parameters
    ----------
    name : str
        Name in the registry.
    version : int
        Number of the version, from 1.
    alias : str
        ``champion`` or ``challenger``.
    run_id : str
        MLflow run that holds parameters, metrics and the card.
    """

    name: str
    version: int
    alias: str
    run_id: str

    @property
    def uri(self) -> str:
        """URI under which the model is found while the alias stays.

        Examples
        --------
        >>> Registered("household", 1, "champion", "").uri
        'models:/household@champion'
        """
        return f"models:/{self.name}@{self.alias}"


def register(folder: str | Path, name: str) -> Registered:
    """Log a saved model to MLflow and register it.

    Parameters
    ----------
    folder : str or Path
        Folder of a saved model.
    name : str
        Name in the registry.

    Returns
    -------
    Registered
        The first version of a name becomes champion, a later one challenger.

    Raises
    ------
    ModelError
        The folder holds no model that can be trusted.
    ParameterError
        The name cannot be used by MLflow.
    MissingDependencyError
        MLflow is not installed.
    """
    model = HouseholdModel.load(folder)
    mlflow = import_mlflow()
    if not name or set(name) & set("/:@"):
        raise ParameterError(
            Problem(
                "the name of a registered model must be text without / : @",
                repr(name),
                "Choose another one, such as household.",
            )
        )
    with quiet_mlflow(), _experiment(mlflow), mlflow.start_run(run_name=model.label) as run:
        mlflow.log_params(_parameters(model))
        mlflow.log_metrics(_numbers(model.metrics or {}))
        for attachment in ("card.md", "metrics.json"):
            if (Path(folder) / attachment).is_file():
                mlflow.log_artifact(str(Path(folder) / attachment))
        with _staged(Path(folder)) as artifact:
            logged = mlflow.pyfunc.log_model(
                name="household",
                python_model=str(Path(__file__).with_name("pyfunc.py")),
                artifacts={"household": str(artifact)},
                signature=signature(),
                pip_requirements=[f"household-ml=={__version__}"],
                registered_model_name=name,
            )
    client = mlflow.MlflowClient()
    number = int(logged.registered_model_version)
    aliases = client.get_registered_model(name).aliases
    alias = CHALLENGER if CHAMPION in aliases else CHAMPION
    client.set_registered_model_alias(name, alias, str(number))
    client.set_model_version_tag(name, str(number), "digest", model.digest)
    return Registered(name, number, alias, run.info.run_id)


def download(uri: str, folder: str | Path) -> Path:
    """Copy a registered model to a folder.

    Parameters
    ----------
    uri : str
        MLflow URI, such as ``models:/household@champion``.
    folder : str or Path
        Folder to write; made when it is not there.

    Returns
    -------
    Path
        The folder, which :meth:`HouseholdScorer.load` and ``--model`` take.

    Raises
    ------
    ModelNotFoundError
        There is no such model, version or alias in the store.
    MissingDependencyError
        MLflow is not installed.
    """
    with model_folder(uri) as found:
        return Path(shutil.copytree(found, folder, dirs_exist_ok=True))


def signature() -> ModelSignature:
    """Schema of what the registered model takes and gives, written by hand from the contract."""
    import_mlflow()
    from mlflow.models import ModelSignature
    from mlflow.types import ParamSchema, ParamSpec, Schema

    return ModelSignature(
        inputs=Schema([_spec(column, loose=True) for column in SESSIONS.columns]),
        outputs=Schema([_spec(column) for column in SCORES.columns]),
        params=ParamSchema([ParamSpec("as_of", "string", ""), ParamSpec("networks", "string", "")]),
    )


def _spec(column: Column, *, loose: bool = False) -> Any:
    """One column; optional input columns take any type, since a null turns integers to floats."""
    from mlflow.types import ColSpec, DataType
    from mlflow.types.schema import AnyType, Array

    kinds = {
        "string": DataType.string,
        "timestamp": DataType.datetime,
        "float": DataType.double,
        "integer": DataType.long,
        "boolean": DataType.boolean,
        "strings": Array(DataType.string),
    }
    any_type = loose and (not column.needed or column.kind == "timestamp")
    kind = AnyType() if any_type else kinds[column.kind]
    return ColSpec(kind, column.name, required=column.needed)


@contextmanager
def _experiment(mlflow: Any) -> Iterator[None]:
    """The experiment of the product; a local store keeps its artifacts beside its database."""
    name = "household-ml"
    store = mlflow.get_tracking_uri()
    if mlflow.get_experiment_by_name(name) is None:
        beside = None
        if store.startswith("sqlite:///"):
            database = Path(store.removeprefix("sqlite:///")).absolute()
            beside = (database.parent / "mlartifacts").as_uri()
        mlflow.create_experiment(name, artifact_location=beside)
    mlflow.set_experiment(name)
    yield


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """The model under the folder name that it gets inside MLflow."""
    with tempfile.TemporaryDirectory(prefix="household-ml-") as scratch:
        yield Path(shutil.copytree(folder, Path(scratch) / "household"))


def _parameters(model: HouseholdModel) -> dict[str, str]:
    trained = {
        f"trained.{name}": str(value)[:500]
        for name, value in model.manifest.items()
        if isinstance(value, str | int | float | bool)
    }
    return {
        "name": model.name,
        "version": model.version,
        "digest": model.digest,
        "features": str(len(model.feature_names)),
        "outside_at": str(model.thresholds.outside_at),
        "household_at": str(model.thresholds.household_at),
        **trained,
    }


def _numbers(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Numbers of nested metrics, by dotted name in the letters that MLflow allows."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        dotted = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found.update(_numbers(value, f"{dotted}."))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            clean = "".join(c if c.isalnum() or c in "_-./ " else "_" for c in dotted)
            found[clean] = float(value)
    return found
