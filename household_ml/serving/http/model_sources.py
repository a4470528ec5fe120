"""Where the service gets its model from, and how it notices that there is another."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from household_ml.config import environment
from household_ml.errors import HouseholdError, ModelNotFoundError, Problem, RegistryError
from household_ml.scoring import HouseholdScorer
from household_ml.scoring.sources import (
    import_mlflow,
    is_mlflow_uri,
    model_folder,
    model_source,
    quiet_mlflow,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FixedSource", "FolderSource", "Found", "ModelSource", "RegistrySource", "source_of"]

_LOG = logging.getLogger("household_ml.http")

#: What the registry says when it answers that something is not there.
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")

#: How patient the MLflow client is, unless the environment says otherwise: the watch asks again.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


@dataclass(frozen=True, slots=True)
class Found:
    """A model that a source gave.

    Parameters
    ----------
    scorer : HouseholdScorer
        The model in use.
    version : str
        What the source calls it; another version is another model.
    """

    scorer: HouseholdScorer
    version: str


class ModelSource(Protocol):
    """A place that holds one model at a time."""

    def version(self) -> str:
        """What the model that is there now is called; cheap."""

    def load(self, version: str) -> Found:
        """Load the model that is there."""

    def kept(self) -> Found | None:
        """The model that was fetched last, when the place cannot be reached; None for none."""


class FixedSource:
    """A scorer that is there already.

    Parameters
    ----------
    scorer : HouseholdScorer
        What answers, always.
    """

    def __init__(self, scorer: HouseholdScorer) -> None:
        self._scorer = scorer

    def version(self) -> str:
        """The digest of the model."""
        return self._scorer.model.digest

    def load(self, version: str) -> Found:
        """The scorer."""
        return Found(self._scorer, version)

    def kept(self) -> Found | None:
        """None: it is always there."""
        return None


class FolderSource:
    """A folder, or a link to one; another model in its place is noticed by its manifest.

    Parameters
    ----------
    folder : str or Path
        Folder of a saved model.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def version(self) -> str:
        """Which file the manifest is, and when it was written."""
        try:
            found = (self._folder / "manifest.json").stat()
        except OSError as error:
            raise ModelNotFoundError(
                Problem(
                    "a model must be a folder with a manifest.json, or an MLflow URI",
                    repr(str(self._folder)),
                    "Name the folder that household-ml train wrote, or models:/NAME@ALIAS.",
                )
            ) from error
        return f"{found.st_dev}-{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"

    def load(self, version: str) -> Found:
        """Load the folder."""
        return Found(HouseholdScorer.load(self._folder), version)

    def kept(self) -> Found | None:
        """None: a folder that is not there is an error."""
        return None


class RegistrySource:
    """A model of an MLflow registry; an alias that moves is noticed.

    What was fetched is kept on disk, so that a service that starts while the registry does not
    answer has the model it had.

    Parameters
    ----------
    uri : str
        ``models:/NAME@ALIAS``, or any other URI that MLflow downloads.
    cache : str, Path or None, default=None
        Folder of what was fetched; None for ``HOUSEHOLD_ML_HTTP_CACHE``, else the user's cache.
    """

    def __init__(self, uri: str, cache: str | Path | None = None) -> None:
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        self._uri = uri
        store = environment("MLFLOW_TRACKING_URI")
        own = hashlib.sha256(f"{store}\n{uri}".encode()).hexdigest()[:16]
        self._place = Path(cache) / own if cache is not None else _cache_folder() / own

    def version(self) -> str:
        """The version that the alias names; a URI without an alias is its own version."""
        name, at, alias = self._uri.removeprefix("models:/").partition("@")
        if not at or not self._uri.startswith("models:/"):
            return self._uri
        mlflow = import_mlflow()
        try:
            with quiet_mlflow():
                found = mlflow.MlflowClient().get_model_version_by_alias(name, alias)
        except Exception as error:  # whatever a store's driver raises
            raise self._failed(mlflow, error) from error
        return str(found.version)

    def load(self, version: str) -> Found:
        """Fetch the model of a version, keep it, and load it."""
        name, at, _ = self._uri.partition("@")
        exact = f"{name}/{version}" if at else self._uri
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(model_folder(exact))
            except ModelNotFoundError as error:
                raise self._failed(import_mlflow(), error.__cause__ or error) from error
            scorer = HouseholdScorer.load(folder)
            try:
                self._keep(folder, version)
            except OSError as error:
                _LOG.warning("the model cannot be kept on disk (%s)", type(error).__name__)
            return Found(scorer, version)

    def kept(self) -> Found | None:
        """The model that was fetched last, if it is whole."""
        try:
            folder = self._place.resolve(strict=True)
            version = (folder / "version.txt").read_text(encoding="utf-8")
            return Found(HouseholdScorer.load(folder / "model"), version)
        except (OSError, HouseholdError):
            return None

    def _keep(self, folder: Path, version: str) -> None:
        """Copy beside, then let the link show the copy in one step."""
        root = self._place.parent
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = root / f"{self._place.name}-{os.getpid()}-{version}"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(folder, fresh / "model")
        (fresh / "version.txt").write_text(version, encoding="utf-8")
        link = root / f".{fresh.name}"
        link.unlink(missing_ok=True)
        link.symlink_to(fresh.name)
        link.replace(self._place)
        for other in self._copies(root):
            if other != fresh:
                shutil.rmtree(other, ignore_errors=True)

    def _copies(self, root: Path) -> Iterator[Path]:
        return root.glob(f"{self._place.name}-*")

    def _failed(self, mlflow: Any, error: BaseException) -> HouseholdError:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        absent = getattr(error, "error_code", None) in _ABSENT
        kind = ModelNotFoundError if absent else RegistryError
        must = "a model of" if absent else "within reach, in"
        return kind(
            Problem(
                f"{self._uri} must be {must} the registry {mlflow.get_tracking_uri()}",
                told[:200],
                "Register it with household-ml train --register NAME, or set MLFLOW_TRACKING_URI.",
            )
        )


def source_of(model: str | Path | None) -> ModelSource:
    """The source that is meant.

    Parameters
    ----------
    model : str, Path or None
        A folder or an MLflow URI; None for the environment's, else the one that ships.

    Returns
    -------
    ModelSource
    """
    named = model_source(model)
    return RegistrySource(str(named)) if is_mlflow_uri(named) else FolderSource(named)


def _cache_folder() -> Path:
    """Where models that were fetched are kept."""
    said = environment("HOUSEHOLD_ML_HTTP_CACHE")
    if said:
        return Path(said)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "household-ml/models"
