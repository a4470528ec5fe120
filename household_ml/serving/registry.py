"""The MLflow registry: models under one name, with the aliases champion and challenger.

The store is the one of ``MLFLOW_TRACKING_URI``, a local SQLite file by default. Telemetry is off.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from household_ml import __version__
from household_ml.errors import ParameterError, Problem, RegistryError
from household_ml.modeling.model import HouseholdModel
from household_ml.modeling.resampling import Estimate
from household_ml.schema import SCORES, SESSIONS, Column
from household_ml.scoring.sources import import_mlflow, model_folder, quiet_mlflow
from household_ml.serving.tracking import log_model_facts

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "DIGEST_TAG",
    "PARAMETERS",
    "Registered",
    "download",
    "example_sessions",
    "register",
    "signature",
    "versions_of_digest",
]

#: Alias of the model in use; given to the first that is registered under a name.
CHAMPION = "champion"

#: Alias of the newest model that has not been promoted.
CHALLENGER = "challenger"

#: Tag of a version that holds the whole digest of its model.
DIGEST_TAG = "digest"

#: Parameters of a prediction, each a text, empty when left out; see the pyfunc.
PARAMETERS = ("as_of", "networks", "extra_members", "previous")


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


def register(folder: str | Path, name: str, *, data: Sequence[str | Path] = ()) -> Registered:
    """Log a saved model to MLflow and register it.

    A version appears in the registry when all about it is logged: parameters, metrics with slices,
    plots, the data sets, the card, and the model as a pyfunc with signature and input example.

    Parameters
    ----------
    folder : str or Path
        Folder of a saved model.
    name : str
        Name in the registry.
    data : sequence of str or Path, default=()
        Folders that it was trained on, in their order: their place and the digest of their content
        are logged. Without them, what the manifest says is.

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
        log_model_facts(mlflow, model, Path(folder), data)
        with _staged(Path(folder)) as artifact:
            logged = mlflow.pyfunc.log_model(
                name="household",
                python_model=str(Path(__file__).with_name("pyfunc.py")),
                artifacts={"household": str(artifact)},
                signature=signature(),
                input_example=example_sessions(),
                pip_requirements=[f"household-ml[mlflow]=={__version__}"],
                metadata={"digest": model.digest, "label": model.label},
            )
        client = mlflow.MlflowClient()
        number = int(mlflow.register_model(logged.model_uri, name).version)
        client.set_model_version_tag(name, str(number), DIGEST_TAG, model.digest)
        client.update_model_version(name, str(number), _description(model))
        aliases = client.get_registered_model(name).aliases
        alias = CHALLENGER if CHAMPION in aliases else CHAMPION
        client.set_registered_model_alias(name, alias, str(number))
    return Registered(name, number, alias, run.info.run_id)


def versions_of_digest(digest: str) -> list[str]:
    """URIs of the registered models with a digest, the newest first, of any name.

    Parameters
    ----------
    digest : str
        64 hexadecimal digits.

    Returns
    -------
    list of str

    Raises
    ------
    RegistryError
        The store does not answer.
    MissingDependencyError
        MLflow is not installed.
    """
    mlflow = import_mlflow()
    client = mlflow.MlflowClient()
    try:
        with quiet_mlflow():
            found = client.search_model_versions(f"tags.{DIGEST_TAG} = '{digest}'")
    except (mlflow.exceptions.MlflowException, OSError) as error:
        raise RegistryError(
            Problem(
                f"the MLflow store {mlflow.get_tracking_uri()} must answer",
                str(error).splitlines()[0],
                "Check MLFLOW_TRACKING_URI.",
            )
        ) from error
    newest = sorted(found, key=lambda version: -int(version.creation_timestamp))
    return [f"models:/{version.name}/{version.version}" for version in newest]


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
        params=ParamSchema([ParamSpec(name, "string", "") for name in PARAMETERS]),
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


def example_sessions() -> pd.DataFrame:
    """Sessions of a made-up account, as the registered model takes them: addresses of RFC 5737.

    Returns
    -------
    DataFrame
        The sessions table; a television at home for ten evenings, and a phone that is away on some.
    """
    import pandas as pd

    rows: list[dict[str, object]] = []
    for day in range(1, 11):
        rows.append(_session("tv", "tv", f"2026-01-{day:02d}T20:15:00Z", "192.0.2.17", 3_600.0))
        ip = "192.0.2.17" if day % 3 else "198.51.100.23"
        rows.append(_session("phone", "phone", f"2026-01-{day:02d}T21:40:00Z", ip, 900.0))
    return pd.DataFrame(rows, columns=list(SESSIONS.names))


def _session(
    device: str, kind: str, started_at: str, ip: str, duration: float
) -> dict[str, object]:
    return {
        "account_id": "example",
        "device_id": device,
        "started_at": started_at,
        "duration_s": duration,
        "ip": ip,
        "asn": 64_496,
        "device_type": kind,
        "country": "FR",
        "utc_offset_min": 60,
        "profile_id": "somebody",
    }


def _description(model: HouseholdModel) -> str:
    """What the page of a version says first."""
    simulated = ", trained on simulated accounts" if model.manifest.get("simulated") else ""
    told = [f"{model.label}{simulated}. The card is with the run and with the model."]
    metrics = (model.metrics or {}).get("evaluation", {}).get("metrics", {})
    told += [
        f"{name}: {Estimate(**metrics[name])}"
        for name in ("pr_auc", "recall_at_0.01", "called_honest_flagged")
        if name in metrics
    ]
    return "\n\n".join(told)
