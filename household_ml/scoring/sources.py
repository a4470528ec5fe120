"""Where a model comes from: a folder, an MLflow URI, the environment, or the one that ships."""

from __future__ import annotations

import io
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from types import ModuleType

from household_ml.config import environment
from household_ml.errors import MissingDependencyError, ModelNotFoundError, Problem
from household_ml.resources import resource

__all__ = [
    "ARTIFACT",
    "import_mlflow",
    "import_mlflow_quietly",
    "is_mlflow_uri",
    "model_folder",
    "model_source",
    "quiet_mlflow",
]

#: Folder, inside a logged MLflow model, that holds the household model as it was saved.
ARTIFACT = "artifacts/household"


def is_mlflow_uri(source: str | Path) -> bool:
    """Whether a model is named by MLflow rather than by a path.

    Examples
    --------
    >>> is_mlflow_uri("models:/household@champion"), is_mlflow_uri("models/default")
    (True, False)
    """
    return str(source).startswith(("models:/", "runs:/", "mlflow-artifacts:/"))


def model_source(model: str | Path | None) -> str | Path:
    """The model that is meant: the one named, else the environment's, else the one that ships.

    Parameters
    ----------
    model : str, Path or None
        A folder or an MLflow URI.

    Returns
    -------
    str or Path

    Raises
    ------
    ModelNotFoundError
        None was named and none ships with this installation.
    """
    named = model if model is not None else environment("HOUSEHOLD_ML_MODEL") or None
    if named is not None:
        return named
    return resource("models/default")


@contextmanager
def model_folder(model: str | Path | None = None) -> Iterator[Path]:
    """Folder of the model that is meant, for as long as it takes to load it.

    Parameters
    ----------
    model : str, Path or None, default=None
        A folder, or an MLflow URI (``models:/household@champion``), which is downloaded and
        removed again; None for the environment's or the one that ships.

    Yields
    ------
    Path

    Raises
    ------
    ModelNotFoundError
        There is no such folder, registered model, version or alias.
    MissingDependencyError
        The model is an MLflow URI and MLflow is not installed.
    """
    source = model_source(model)
    if not is_mlflow_uri(source):
        folder = Path(source)
        if not folder.is_dir():
            raise ModelNotFoundError(
                Problem(
                    "a model must be a folder or an MLflow URI",
                    repr(str(source)),
                    "Name the folder that household-ml train wrote, or models:/NAME@ALIAS.",
                )
            )
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="household-ml-") as scratch:
        yield _download(str(source), Path(scratch))


def import_mlflow() -> ModuleType:
    """MLflow, without telemetry, and pointed at the store of the environment if at none.

    Raises
    ------
    MissingDependencyError
        MLflow is not installed.
    """
    mlflow = import_mlflow_quietly()
    if not mlflow.tracking.is_tracking_uri_set():
        mlflow.set_tracking_uri(environment("MLFLOW_TRACKING_URI"))
    return mlflow


def import_mlflow_quietly() -> ModuleType:
    """MLflow, without telemetry and without the warnings of its own import.

    Raises
    ------
    MissingDependencyError
        MLflow is not installed.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mlflow
            import mlflow.pyfunc
    except ImportError as error:
        raise MissingDependencyError(
            Problem(
                "MLflow must be installed for models:/ URIs and the registry",
                f"no module {error.name}",
                "Install the extra: pip install 'household-ml[mlflow]'.",
            )
        ) from error
    module: ModuleType = mlflow
    return module


@contextmanager
def quiet_mlflow() -> Iterator[None]:
    """Keep what MLflow tells of its own work off standard error; its errors are raised."""
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _download(uri: str, folder: Path) -> Path:
    mlflow = import_mlflow()
    store = mlflow.get_tracking_uri()
    try:
        with quiet_mlflow():
            found = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder))
    except (mlflow.exceptions.MlflowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ModelNotFoundError(
            Problem(
                f"{uri} must be a model in the MLflow store {store}",
                reason,
                "Register one with household-ml train --register NAME, or set MLFLOW_TRACKING_URI.",
            )
        ) from error
    inner = Path(found) / ARTIFACT
    return inner if inner.is_dir() else Path(found)
