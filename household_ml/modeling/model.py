"""The trained model as one frozen value: what it answers, and how it is kept on disk.

A model is a folder:

``manifest.json``
    Format number, name, version, features with their directions, calibration, thresholds, what it
    was trained on, versions and seeds, the SHA-256 and size of every other file, the ``digest`` and
    the ``seal``. The digest covers all that decides an answer and nothing else; the seal covers the
    manifest itself.
``trees.npz``
    The trees, see :mod:`household_ml.modeling.trees`. Uncompressed and undated, so that the same
    model is the same bytes.
``metrics.json``, ``card.md`` and other attachments
    What is said about the model. Not needed to score, but never unnoticed when changed.

Loading needs NumPy and JSON alone: no scikit-learn, and nothing that can run code.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.errors import (
    ModelFeaturesError,
    ModelFormatError,
    ModelIntegrityError,
    ModelNotFoundError,
    Problem,
)
from household_ml.modeling.calibration import Calibration
from household_ml.modeling.hypotheses import CLAIMS, Hypotheses, columns_for
from household_ml.modeling.prevalence import (
    DOUBT,
    TRUST,
    PrevalenceShift,
    adapt_to_prevalence,
)
from household_ml.modeling.thresholds import Thresholds
from household_ml.modeling.trees import Trees

__all__ = ["FORMAT", "FORMAT_NAME", "HouseholdModel"]

Floats = npt.NDArray[np.float64]

#: What the folder says it is, and the version of its layout.
FORMAT_NAME = "household-ml model"
FORMAT = 2

MANIFEST = "manifest.json"
TREES = "trees.npz"
METRICS = "metrics.json"
CARD = "card.md"


@dataclass(frozen=True, eq=False)
class HouseholdModel:
    """A trained model in use.

    Parameters
    ----------
    name, version : str
        How it is called.
    feature_names : tuple of K str
        Columns of the feature table it reads, in its order: those of its trees; or, where home may
        be in doubt, the K = 2 F + 2 of :mod:`~household_ml.modeling.hypotheses`.
    monotone : tuple of F int
        Direction of each feature of the trees on the probability: -1, 0 or 1.
    trees : Trees
        Log-odds of ``household``, of F features, where home is right.
    calibration : Calibration
        Log-odds to probability.
    thresholds : Thresholds
        Where the answers begin.
    manifest : mapping
        What it was trained on: worlds, accounts, seeds, versions of libraries, baselines. Plain
        JSON values; decides no answer and is not part of the digest.
    metrics : mapping, optional
        Out-of-sample evaluation, as JSON values.
    card : str
        The model card, Markdown.

    Raises
    ------
    ModelFormatError
        When the parts do not fit together.
    """

    name: str
    version: str
    feature_names: tuple[str, ...]
    monotone: tuple[int, ...]
    trees: Trees
    calibration: Calibration
    thresholds: Thresholds
    manifest: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] | None = None
    card: str = ""

    def __post_init__(self) -> None:
        features = self.trees.features
        names = tuple(self.feature_names)
        fitting = names == columns_for(names[:features]) or len(names) == features
        if not fitting or len(self.monotone) != features:
            raise ModelFormatError(
                Problem(
                    f"a model must name its columns and the directions of {features} features",
                    f"{len(self.feature_names)} names and {len(self.monotone)} directions",
                    "Train and save the model again.",
                )
            )
        if len(set(names)) != len(names) or not set(self.monotone) <= {-1, 0, 1}:
            raise ModelFormatError(
                Problem(
                    "feature names must be unique and directions -1, 0 or 1",
                    f"{self.feature_names} and {self.monotone}",
                    "Train and save the model again.",
                )
            )
        object.__setattr__(self, "manifest", MappingProxyType(dict(self.manifest)))

    @property
    def digest(self) -> str:
        """SHA-256 over all that decides an answer: features, trees, calibration, thresholds."""
        found = self.__dict__.get("_digest")
        if found is None:
            found = _digest(self._answers(), _sha256(_npz(self.trees.to_arrays())))
            object.__setattr__(self, "_digest", found)
        return str(found)

    @property
    def label(self) -> str:
        """Name, version and digest in one, as in the column ``model`` of scores."""
        return f"{self.name} {self.version} {self.digest[:12]}"

    def __repr__(self) -> str:
        return f"HouseholdModel({self.label!r}, {len(self.feature_names)} features, {self.trees!r})"

    def columns(self, names: Sequence[str]) -> npt.NDArray[np.intp]:
        """Where the model's features stand in a feature table with these columns.

        Parameters
        ----------
        names : sequence of str
            Columns of the table; may hold more than the model reads.

        Returns
        -------
        integer array of shape (F,)

        Raises
        ------
        ModelFeaturesError
            When the table lacks a feature of the model.
        """
        position = {name: index for index, name in enumerate(names)}
        lacking = [name for name in self.feature_names if name not in position]
        if lacking:
            raise _lacking(lacking)
        return np.array([position[name] for name in self.feature_names], dtype=np.intp)

    def log_odds(self, values: Floats, *, threads: int = 1) -> Floats:
        """Log-odds of ``household`` before calibration, the sum that contributions explain.

        Parameters
        ----------
        values : float64 array of shape (D, K)
            Columns in the model's order; NaN = unknown.
        threads : int, default=1
            Threads that share the rows; decides nothing but speed.

        Returns
        -------
        float64 array of shape (D,)
        """
        return Hypotheses.of(self.trees, values, threads=threads).log_odds()

    def probability(self, values: Floats, *, threads: int = 1) -> Floats:
        """Calibrated ``household_probability`` in [0, 1], shape (D,)."""
        return self.calibration.probability(self.log_odds(values, threads=threads))

    def contributions(self, values: Floats, *, threads: int = 1) -> Floats:
        """Split :meth:`log_odds` into what each feature adds, by :attr:`explained_names`.

        ``trees.base + contributions.sum(axis=1)`` equals :meth:`log_odds` to rounding. The last
        column, where home may be in doubt, is what that doubt adds.
        """
        features = self.trees.features
        found = self.trees.contributions(values[:, :features], threads=threads)
        if values.shape[1] == features:
            return found
        asked = Hypotheses.of(self.trees, values, threads=threads)
        return np.column_stack([found, asked.log_odds() - asked.home])

    @property
    def explained_names(self) -> tuple[str, ...]:
        """What the columns of :meth:`contributions` stand for: features, then the doubt of home."""
        features = self.trees.features
        names = self.feature_names[:features]
        return names if len(self.feature_names) == features else (*names, CLAIMS[0])

    @property
    def open_share(self) -> float:
        """Share of the devices it was trained among on which the policy is open, in [0, 1)."""
        worlds = self.manifest.get("worlds", [])
        devices = sum(world["devices"] for world in worlds)
        return sum(world["ambiguous"] for world in worlds) / devices if devices else 0.0

    def adapted_to(
        self, values: Floats, *, account: npt.NDArray[np.int64] | None = None
    ) -> tuple[HouseholdModel, PrevalenceShift]:
        """Adapt to an unlabelled population with another share of households.

        The probabilities then mean what they say for the new population, under the assumption of
        :mod:`~household_ml.modeling.prevalence`. Every device's answer stays the same, since the
        thresholds move along; so do the bounds on false flags, see
        :meth:`~household_ml.modeling.thresholds.Thresholds.shifted`.

        Parameters
        ----------
        values : float64 array of shape (D, K)
            Features of the population's devices, in the model's order.
        account : int64 array of shape (D,), optional
            Account of each device, for the standard error.

        Returns
        -------
        HouseholdModel, PrevalenceShift
        """
        shift = adapt_to_prevalence(
            self.calibration.log_odds(self.log_odds(values)),
            prevalence=self.calibration.prevalence,
            account=account,
            open_share=self.open_share,
            doubt=DOUBT,
            trust=TRUST,
        )
        adapted = replace(
            self,
            calibration=self.calibration.shifted(shift.delta, prevalence=shift.prevalence),
            thresholds=self.thresholds.shifted(shift.delta),
            manifest={**self.manifest, "adapted_to_prevalence": shift.prevalence},
            metrics=None,
            card="",
        )
        return adapted, shift

    def _answers(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "features": list(self.feature_names),
            "monotone": list(self.monotone),
            "calibration": self.calibration.to_dict(),
            "thresholds": self.thresholds.to_dict(),
        }

    def save(
        self, folder: str | os.PathLike[str], *, attachments: Mapping[str, bytes] | None = None
    ) -> Path:
        """Write the model to a folder; the same model gives the same bytes.

        Parameters
        ----------
        folder : path
            Made when it is not there. Files of an earlier model are replaced, the manifest last.
        attachments : mapping of file name to bytes, optional
            Files that travel with the model, such as a snapshot of network statistics; their
            digests are kept in the manifest and checked when the model is loaded.

        Returns
        -------
        Path
            The folder.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        files: dict[str, bytes] = {**(attachments or {}), TREES: _npz(self.trees.to_arrays())}
        if self.metrics is not None:
            files[METRICS] = _json(self.metrics)
        if self.card:
            files[CARD] = self.card.encode()
        manifest: dict[str, Any] = {
            "what": FORMAT_NAME,
            "name": self.name,
            "version": self.version,
            **self._answers(),
            "trained": dict(self.manifest),
            "files": {
                name: {"sha256": _sha256(content), "bytes": len(content)}
                for name, content in sorted(files.items())
            },
            "digest": self.digest,
        }
        manifest["seal"] = _sha256(_json(manifest))
        for name, content in [*sorted(files.items()), (MANIFEST, _json(manifest))]:
            part = target / f"{name}.part"
            part.write_bytes(content)
            part.replace(target / name)
        return target

    @classmethod
    def load(
        cls, folder: str | os.PathLike[str], *, catalogue: Iterable[str] | None = None
    ) -> HouseholdModel:
        """Read a model, and refuse what cannot be trusted.

        Parameters
        ----------
        folder : path
            What :meth:`save` wrote.
        catalogue : iterable of str, optional
            Features that can be built here; the model may use no others.

        Returns
        -------
        HouseholdModel

        Raises
        ------
        ModelNotFoundError
            When there is no folder or no manifest in it.
        ModelFormatError
            When the manifest is not one of this format.
        ModelIntegrityError
            When a file is missing, cut short or changed.
        ModelFeaturesError
            When the model uses a feature that is not in the catalogue.
        """
        source = Path(folder)
        manifest = _read_manifest(source)
        contents = _read_files(source, manifest["files"])
        if _digest(_decides(manifest), _sha256(contents[TREES])) != manifest["digest"]:
            raise _tampered(source / MANIFEST, "another digest than its own")
        if catalogue is not None:
            known = set(catalogue)
            lacking = [name for name in manifest["features"] if name not in known]
            if lacking:
                raise _lacking(lacking)
        try:
            metrics = json.loads(contents[METRICS]) if METRICS in contents else None
            return cls(
                name=str(manifest["name"]),
                version=str(manifest["version"]),
                feature_names=tuple(manifest["features"]),
                monotone=tuple(int(sign) for sign in manifest["monotone"]),
                trees=Trees.from_arrays(_read_npz(contents[TREES])),
                calibration=Calibration.from_dict(manifest["calibration"]),
                thresholds=Thresholds.from_dict(manifest["thresholds"]),
                manifest=manifest["trained"],
                metrics=metrics,
                card=contents.get(CARD, b"").decode(),
            )
        except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ModelFormatError(
                Problem(
                    f"{source} must be a model of format {FORMAT}",
                    f"parts that cannot be read ({error})",
                    "Train and save the model again.",
                )
            ) from error


def _decides(manifest: Mapping[str, Any]) -> dict[str, Any]:
    names = ("format", "features", "monotone", "calibration", "thresholds")
    return {name: manifest[name] for name in names}


def _digest(answers: Mapping[str, Any], trees: str) -> str:
    return _sha256(_json({**answers, "trees": trees}))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return text.encode() + b"\n"


def _npz(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Arrays in an uncompressed archive without dates: equal arrays are equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, np.asarray(array, order="C"), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, part.getvalue())
    return buffer.getvalue()


def _read_npz(content: bytes) -> dict[str, npt.NDArray[Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_manifest(source: Path) -> dict[str, Any]:
    path = source / MANIFEST
    if not path.is_file():
        raise ModelNotFoundError(
            Problem(
                f"a model folder must hold {MANIFEST}",
                f"none in {source}",
                "Give the folder that `household-ml train --out` wrote.",
            )
        )
    remedy = f"This version reads format {FORMAT} of '{FORMAT_NAME}'; train the model again."
    must = f"{path} must be the manifest of a {FORMAT_NAME}"
    try:
        manifest = json.loads(path.read_bytes())
    except ValueError as error:
        raise ModelFormatError(Problem(must, f"no JSON ({error})", remedy)) from error
    if not isinstance(manifest, dict) or manifest.get("what") != FORMAT_NAME:
        raise ModelFormatError(Problem(must, "something else", remedy))
    if manifest.get("format") != FORMAT:
        raise ModelFormatError(Problem(must, f"format {manifest.get('format')!r}", remedy))
    seal = manifest.pop("seal", None)
    if seal != _sha256(_json(manifest)):
        raise _tampered(path, "other content than was sealed")
    needed = {"name", "version", "trained", "files", "digest"} | {
        "features",
        "monotone",
        "calibration",
        "thresholds",
    }
    if not needed <= set(manifest) or TREES not in manifest["files"]:
        lacking = sorted(needed - set(manifest)) or [TREES]
        raise ModelFormatError(Problem(must, f"one without {', '.join(lacking)}", remedy))
    return manifest


def _read_files(source: Path, listed: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    contents = {}
    problems = []
    for name, expected in listed.items():
        path = source / name
        if Path(name).name != name or not path.is_file():
            problems.append(_changed(path, "no such file"))
            continue
        content = path.read_bytes()
        if len(content) != expected["bytes"]:
            problems.append(_changed(path, f"{len(content)} bytes, not {expected['bytes']}"))
        elif _sha256(content) != expected["sha256"]:
            problems.append(_changed(path, "other bytes than were saved"))
        contents[name] = content
    if problems:
        raise ModelIntegrityError(problems)
    return contents


def _changed(path: Path, got: str) -> Problem:
    return Problem(
        f"{path} must be as the model was saved", got, "Copy the whole folder again, or retrain."
    )


def _tampered(path: Path, got: str) -> ModelIntegrityError:
    return ModelIntegrityError(_changed(path, got))


def _lacking(names: Sequence[str]) -> ModelFeaturesError:
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return ModelFeaturesError(
        Problem(
            "features of the model must be in the catalogue",
            shown,
            "Use the version of the package that trained the model, or train it again.",
        )
    )
