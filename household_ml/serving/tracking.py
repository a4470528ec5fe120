"""What an MLflow run says about a model: parameters, metrics, plots, the data, and its card.

Metrics are named by paths, which MLflow's pages group: ``test/pr_auc`` with its interval as
``test/pr_auc_low`` and ``_high``, ``slice/situation/second_home/false_flags``,
``compared/this model/pr_auc`` beside the rules, ``importance/...``, and whatever else the model
was measured on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from household_ml.modeling.evaluation import Evaluation
from household_ml.modeling.plots import (
    compute_false_flags,
    compute_reliability,
    plot_false_flags,
    plot_reliability,
)
from household_ml.scoring.scorer import SNAPSHOT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from household_ml.modeling.model import HouseholdModel

__all__ = ["DataInput", "figures", "inputs_of", "log_model_facts", "metrics_of", "parameters_of"]

#: MLflow takes so many metrics at a time.
_METRICS: Final = 1_000

#: MLflow cuts the digest of a data set there.
_DIGEST: Final = 32

_LETTERS: Final = "_-. "
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class DataInput:
    """One data set that a model has learnt from.

    Parameters
    ----------
    name : str
        What the model card calls it.
    digest : str
        Of its content; of what the manifest says of it where the content is not at hand.
    path : str or None
        Where it lies; None where it is not at hand.
    facts : mapping of str to str
        What else is known: counts, or that it is simulated.
    """

    name: str
    digest: str
    path: str | None
    facts: Mapping[str, str]


def log_model_facts(
    mlflow: Any, model: HouseholdModel, folder: Path, data: Sequence[str | Path] = ()
) -> None:
    """Log everything about a model to the active run, but not the model itself.

    Parameters
    ----------
    mlflow : module
        MLflow.
    model : HouseholdModel
        The model.
    folder : Path
        Where it is saved.
    data : sequence of str or Path, default=()
        Folders it has learnt from, in the order of its manifest.
    """
    mlflow.log_params(parameters_of(model))
    metrics = list(metrics_of(model.metrics or {}).items())
    for first in range(0, len(metrics), _METRICS):
        mlflow.log_metrics(dict(metrics[first : first + _METRICS]))
    for attachment in ("card.md", "metrics.json", "manifest.json"):
        if (folder / attachment).is_file():
            mlflow.log_artifact(str(folder / attachment))
    for name, figure in figures(model):
        mlflow.log_figure(figure, f"plots/{name}.png")
    if model.card:
        mlflow.set_tag("mlflow.note.content", model.card[:7_900])
    _log_inputs(mlflow, inputs_of(model, data))


def parameters_of(model: HouseholdModel) -> dict[str, str]:
    """Name, digest, thresholds with their bounds, and how the model was trained."""
    thresholds = model.thresholds
    bounds = {
        f"bound.{bound.name}": (
            f"at most {bound.rate:g} at {bound.confidence:.0%}: {bound.errors} of {bound.units}, "
            + ("none qualifies" if bound.upper is None else f"upper limit {bound.upper:.6f}")
        )
        for bound in thresholds.bounds
    }
    return {
        "name": model.name,
        "version": model.version,
        "digest": model.digest,
        "features": str(len(model.feature_names)),
        "trees": str(len(model.trees)),
        "outside_at": str(thresholds.outside_at),
        "household_at": str(thresholds.household_at),
        **bounds,
        **dict(_leaves(model.manifest, "trained", _text)),
    }


def metrics_of(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Every number in the metrics of a model, under a path of its own.

    Examples
    --------
    >>> metrics_of({"importance": {"home days": 0.5}, "by_kind": {"fr": {"pr_auc": 0.75}}})
    {'importance/home days': 0.5, 'by_kind/fr/pr_auc': 0.75}
    """
    rest = dict(metrics)
    found: dict[str, float] = {}
    evaluation = rest.pop("evaluation", None)
    if evaluation is not None:
        found |= dict(_leaves(evaluation["metrics"], "test", _number))
        found |= dict(_leaves(evaluation["counts"], "test/counts", _number))
        for part in evaluation["slices"]:
            found |= dict(_leaves(part, f"slice/{part['kind']}/{part['value']}", _number))
    comparison = rest.pop("comparison", None)
    if comparison is not None:
        found |= dict(_leaves(comparison["rows"], "compared", _number))
    for name, part in rest.items():
        found |= dict(_leaves(part, name, _number)) if isinstance(part, Mapping) else {}
    return {_path(name): value for name, value in found.items()}


def figures(model: HouseholdModel) -> Iterator[tuple[str, Figure]]:
    """Pictures of the evaluation on the accounts kept aside, with their names."""
    kept = (model.metrics or {}).get("evaluation")
    if kept is None:
        return
    evaluation = Evaluation.from_dict(kept)
    yield "reliability", _figure(plot_reliability(compute_reliability(evaluation)))
    flags = compute_false_flags(evaluation)
    if len(flags):
        rate = evaluation.settings["rates"][0]
        yield "false_flags", _figure(plot_false_flags(flags, rate))


def inputs_of(model: HouseholdModel, data: Sequence[str | Path] = ()) -> list[DataInput]:
    """Data sets that a model has learnt from, by its manifest and by the folders where they lie.

    Parameters
    ----------
    model : HouseholdModel
        The model.
    data : sequence of str or Path, default=()
        Folders, in the order of the manifest; those of which there are more or fewer than worlds
        are not matched.
    """
    worlds = list(model.manifest.get("worlds", []))
    folders: list[str | Path | None] = list(data) if len(data) == len(worlds) else []
    folders = folders or [None] * len(worlds)
    simulated = str(bool(model.manifest.get("simulated"))).lower()
    found = []
    for world, folder in zip(worlds, folders, strict=True):
        facts = {name: json.dumps(value) for name, value in world.items() if name != "name"}
        told = json.dumps([world, model.manifest.get("recipe")], sort_keys=True).encode()
        digest = hashlib.sha256(told).hexdigest() if folder is None else _content(Path(folder))
        found.append(
            DataInput(
                name=str(world["name"]),
                digest=digest[:_DIGEST],
                path=None if folder is None else str(folder),
                facts={"simulated": simulated, **facts},
            )
        )
    return found


def _figure(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _log_inputs(mlflow: Any, inputs: Sequence[DataInput]) -> None:
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.meta_dataset import MetaDataset

    for given in inputs:
        source = (
            CodeDatasetSource({"mlflow.source.name": "household-ml"})
            if given.path is None
            else resolve_dataset_source(Path(given.path).resolve().as_uri())
        )
        dataset = MetaDataset(source, name=given.name, digest=given.digest)
        mlflow.log_input(dataset, context="training", tags=dict(given.facts))


def _content(folder: Path) -> str:
    """Digest of the files of a folder, their names included, but not of a snapshot beside them."""
    made = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name == SNAPSHOT:
            continue
        made.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                made.update(block)
    return made.hexdigest()


def _leaves(part: Mapping[str, Any], prefix: str, kind: Any) -> Iterator[tuple[str, Any]]:
    """Values of nested mappings that are of a kind, by path; estimates with their interval."""
    for name, value in part.items():
        path = f"{prefix}/{name}"
        if isinstance(value, Mapping) and set(value) == {"value", "low", "high"}:
            leaves = [(path, value["value"])]
            leaves += [(f"{path}_{edge}", value[edge]) for edge in ("low", "high")]
        elif isinstance(value, Mapping):
            yield from _leaves(value, path, kind)
            continue
        else:
            leaves = [(path, value)]
        for leaf, plain in leaves:
            made = kind(plain)
            if made is not None:
                yield leaf, made


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    return str(value)[:500] if isinstance(value, str | int | float | bool) else None


def _path(name: str) -> str:
    """A name in the letters that MLflow allows."""
    parts = [
        "".join(c if c.isascii() and (c.isalnum() or c in _LETTERS) else "_" for c in part)
        for part in name.split("/")
    ]
    return "/".join(part.strip(". ") or "none" for part in parts)[:250]
