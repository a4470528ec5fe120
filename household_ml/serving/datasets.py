"""Sessions with labels, read from a folder and turned into what a model learns from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml.display import facts_html
from household_ml.errors import FormatError, LabelsError, Problem
from household_ml.features import FEATURES, Features, build_features
from household_ml.modeling.hypotheses import columns_for
from household_ml.modeling.labels import AlignedLabels, align_labels
from household_ml.modeling.splits import link_accounts
from household_ml.modeling.training import TrainingSet
from household_ml.modeling.truth import SESSION_KEY, name_sessions
from household_ml.networks import NetworkStatistics, enrich
from household_ml.networks.ladder import prefix_keys
from household_ml.scoring.evidence import measure_evidence
from household_ml.scoring.verdicts import too_little_history
from household_ml.scoring.window import known_at
from household_ml.sessions import Sessions, read_sessions

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LEARNT",
    "LEARNT_COLUMNS",
    "LabelledDevices",
    "LabelledSessions",
    "find_table",
    "labelled_devices",
    "linked_accounts",
    "read_labelled",
    "world_folders",
]

#: Features that the classifier sees; the others serve the rules.
LEARNT: Final = tuple(feature for feature in FEATURES if feature.model)

#: Columns of the feature table that a model reads.
LEARNT_COLUMNS: Final = columns_for([feature.name for feature in LEARNT])

#: What a simulation leaves beside its tables.
_WORLD = "world.json"

_SUFFIXES = (".parquet", ".csv", ".csv.gz", ".arrow", ".feather")


@dataclass(frozen=True)
class LabelledSessions:
    """Sessions of one world or customer, and the labels of their devices.

    Parameters
    ----------
    name : str
        What the model card calls it.
    sessions : Sessions
        Histories.
    labels : DataFrame
        The labels table.
    simulated : bool
        Whether people and devices are simulated.
    truth : pyarrow.Table or None
        True place of every session, as :func:`~household_ml.modeling.truth.name_sessions` gives
        it; None where nobody knows.
    """

    name: str
    sessions: Sessions
    labels: pd.DataFrame
    simulated: bool = False
    truth: pa.Table | None = None

    def __repr__(self) -> str:
        told = f"{'simulated, ' if self.simulated else ''}{len(self.labels):,} labels"
        return f"<LabelledSessions {self.name!r}: {told}, {self.sessions!r}>"

    def _repr_html_(self) -> str:
        return facts_html(
            f"Sessions and labels: {self.name}",
            {
                "sessions": f"{len(self.sessions):,}",
                "accounts": f"{self.sessions.n_accounts:,}",
                "devices": f"{self.sessions.n_devices:,}",
                "labelled devices": f"{len(self.labels):,}",
                "of them in the household": f"{self.labels['in_household'].mean():.1%}",
                "true place of each session": "known" if self.truth is not None else "not known",
            },
            "The people are simulated." if self.simulated else "",
        )


@dataclass(frozen=True)
class LabelledDevices:
    """Labelled devices with every feature of the catalogue.

    Parameters
    ----------
    features : Features
        All features, those of the rules included.
    labels : AlignedLabels
        Labels in the order of the features.
    statistics : NetworkStatistics
        What the features were built with.
    learnt : TrainingSet
        The columns that the classifier sees.
    """

    features: Features
    labels: AlignedLabels
    statistics: NetworkStatistics
    learnt: TrainingSet = field(repr=False)


def read_labelled(folder: str | Path, *, sessions_format: str | None = None) -> LabelledSessions:
    """Read a folder that holds sessions and labels.

    Parameters
    ----------
    folder : str or Path
        Holds ``sessions`` (a file or a folder of files), ``labels`` and, where it is known,
        ``truth``; or is an export that carries labels itself.
    sessions_format : str or None, default=None
        Format of the sessions; recognised by content when left out.

    Returns
    -------
    LabelledSessions
        Simulated when the folder holds the ``world.json`` of a simulation, or a truth: of real
        people nobody has one.

    Raises
    ------
    InputError
        Something is missing or cannot be read.
    LabelsError
        There are no labels.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FormatError(
            Problem(
                "the data must be a folder with sessions and labels",
                repr(str(folder)),
                "Give the folder that household-ml simulate writes, or one like it.",
            )
        )
    sessions_at = (
        root / "sessions" if (root / "sessions").is_dir() else find_table(root, "sessions")
    )
    sessions = read_sessions(sessions_at or root, format=sessions_format)
    labels_at = find_table(root, "labels")
    labels = sessions.reading.labels if labels_at is None else _read_frame(labels_at)
    if labels is None or len(labels) == 0:
        raise LabelsError(
            Problem(
                "the data must have labels",
                f"none in {root}",
                "Add labels.parquet or labels.csv with account_id, device_id and in_household.",
            )
        )
    truth = _read_truth(root, sessions_at)
    named = (root / _WORLD).is_file()
    name = json.loads((root / _WORLD).read_text("utf-8")).get("name") if named else None
    simulated = named or truth is not None
    return LabelledSessions(name or root.resolve().name, sessions, labels, simulated, truth)


def world_folders(folder: str | Path) -> list[Path]:
    """Folders of worlds: the folder itself, or those in it that hold labels.

    Parameters
    ----------
    folder : str or Path
        A folder with sessions and labels, or a folder of such folders.

    Returns
    -------
    list of Path
        By name; the folder itself where it holds labels or none of its folders does.
    """
    root = Path(folder)
    if not root.is_dir() or find_table(root, "labels") is not None:
        return [root]
    inside = sorted(each for each in root.iterdir() if each.is_dir())
    return [each for each in inside if find_table(each, "labels") is not None] or [root]


def labelled_devices(
    data: LabelledSessions,
    *,
    statistics: NetworkStatistics | None = None,
    as_of: int | None = None,
) -> LabelledDevices:
    """Build the features of all devices and put the labels beside them.

    Parameters
    ----------
    data : LabelledSessions
        Histories and labels.
    statistics : NetworkStatistics or None, default=None
        Network statistics; None builds them from the sessions, as batch scoring does.
    as_of : int or None, default=None
        Microseconds since the epoch; None is the last session.

    Returns
    -------
    LabelledDevices

    Raises
    ------
    InputError
        The labels cannot be used, or no session lies in the window.
    """
    moment = data.sessions.last_started_at() if as_of is None else as_of
    known = known_at(data.sessions, moment)
    used = enrich(known).statistics if statistics is None else statistics
    features = build_features(enrich(known, statistics=used), as_of=moment)
    labels = align_labels(features, data.labels)
    columns = [features.names.index(name) for name in LEARNT_COLUMNS]
    learnt = TrainingSet(
        name=data.name,
        values=features.values[:, columns],
        y=labels.y,
        account=features.account,
        weight=labels.weight,
        situation=labels.situation,
        ambiguous=labels.ambiguous,
        unseen=too_little_history(measure_evidence(known)),
        group=linked_accounts(known)[features.account],
        simulated=data.simulated,
    )
    return LabelledDevices(features, labels, used, learnt)


def linked_accounts(sessions: Sessions) -> npt.NDArray[np.int64]:
    """Group of each account: accounts that share a private network are in one.

    Parameters
    ----------
    sessions : Sessions
        Histories of A accounts.

    Returns
    -------
    int64 array of shape (A,)
    """
    network = prefix_keys(sessions.ip_hi, sessions.ip_lo, 0)
    return link_accounts(sessions.row_account(), network, accounts=sessions.n_accounts).group


def find_table(root: Path, stem: str) -> Path | None:
    """A table in a folder by the name it has there, whatever its format; None when it is not."""
    for suffix in _SUFFIXES:
        path = root / f"{stem}{suffix}"
        if path.is_file():
            return path
    return None


def _read_truth(root: Path, sessions_at: Path | None) -> pa.Table | None:
    truth_at = find_table(root, "truth")
    if truth_at is None:
        return None
    truth = pa.Table.from_pandas(_read_frame(truth_at), preserve_index=False)
    if set(SESSION_KEY) <= set(truth.column_names) or not (sessions_at and sessions_at.is_file()):
        return name_sessions(truth, None)
    sessions = _read_frame(sessions_at, columns=list(SESSION_KEY))
    return name_sessions(truth, pa.Table.from_pandas(sessions, preserve_index=False))


def _read_frame(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    import pandas as pd

    if path.suffix == ".parquet":
        return pd.read_parquet(path, columns=columns)
    if path.suffix in (".arrow", ".feather"):
        return pd.read_feather(path, columns=columns)
    return pd.read_csv(path, dtype={"account_id": "str", "device_id": "str"}, usecols=columns)
