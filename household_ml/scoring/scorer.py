"""The scorer: a saved model, asked about sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from household_ml.display import facts_html
from household_ml.errors import ParameterError, Problem
from household_ml.features import COLUMN_NAMES, NEVER, build_features
from household_ml.features.build import place_account_sessions
from household_ml.modeling.model import HouseholdModel
from household_ml.networks import NetworkStatistics, enrich
from household_ml.networks.one_account import enrich_account
from household_ml.schema import SCORES
from household_ml.scoring.answers import AnswerInputs, Scored, answer
from household_ml.scoring.counterfactuals import Counterfactual, find_counterfactuals
from household_ml.scoring.evidence import measure_evidence
from household_ml.scoring.hysteresis import NO_TIME, STANDING, Standing
from household_ml.scoring.one_account import AccountAnswer, answer_account, in_window
from household_ml.scoring.previous import PreviousScores, read_previous
from household_ml.scoring.slots import read_slots
from household_ml.scoring.sources import model_folder
from household_ml.scoring.use import days_of_use
from household_ml.scoring.verdicts import verdict_names
from household_ml.scoring.window import known_at
from household_ml.sessions import Sessions, parse_time, read_sessions
from household_ml.sessions.one_account import AccountSessions, read_account

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SNAPSHOT", "HouseholdScorer", "read_moment", "score_schema"]

#: Network statistics that lie beside a model: what one account alone is scored with.
SNAPSHOT: Final = "networks.parquet"

_ARROW: Final[Mapping[str, pa.DataType]] = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "float": pa.float64(),
    "integer": pa.int32(),
    "boolean": pa.bool_(),
    "strings": pa.list_(pa.string()),
}

_TIME: Final = _ARROW["timestamp"]


def score_schema(*, standing: bool = False) -> pa.Schema:
    """Arrow schema of the scores table.

    Parameters
    ----------
    standing : bool, default=False
        With the columns that carry verdicts over to the next scoring.

    Examples
    --------
    >>> score_schema().field("household_probability").type
    DataType(double)
    """
    return pa.schema(
        [
            pa.field(
                column.name,
                pa.large_string()
                if column.name in ("account_id", "device_id")
                else _ARROW[column.kind],
                nullable=not column.needed,
            )
            for column in (*SCORES.columns, *(STANDING if standing else ()))
        ]
    )


class HouseholdScorer:
    """A saved model in use.

    Parameters
    ----------
    model : HouseholdModel
        The model that answers.
    snapshot : NetworkStatistics or None, default=None
        Network statistics for accounts that are scored alone.

    Attributes
    ----------
    columns : integer array of shape (K,)
        Where the model's features stand in the feature table.

    Raises
    ------
    ModelFeaturesError
        The model uses a feature that is not in the catalogue.

    Examples
    --------
    >>> from household_ml.scoring import HouseholdScorer
    >>> scorer = HouseholdScorer.load()  # doctest: +SKIP
    >>> scorer.score("sessions.parquet", as_of="2026-03-01")  # doctest: +SKIP
    """

    def __init__(self, model: HouseholdModel, snapshot: NetworkStatistics | None = None) -> None:
        self.model = model
        self.snapshot = snapshot
        self.columns = model.columns(COLUMN_NAMES)

    @property
    def model_label(self) -> str:
        """Name, version and the first 12 digits of the digest of the model."""
        return self.model.label

    @classmethod
    def load(cls, model: str | Path | None = None) -> HouseholdScorer:
        """Load a model and the network statistics beside it.

        Parameters
        ----------
        model : str, Path or None, default=None
            A folder, or an MLflow URI such as ``models:/household@champion``. None is the one that
            ``HOUSEHOLD_ML_MODEL`` names, else the one that ships with the package.

        Returns
        -------
        HouseholdScorer

        Raises
        ------
        ModelError
            Nothing is saved there, or what is saved cannot be trusted or used.
        MissingDependencyError
            An MLflow URI was given and MLflow is not installed.
        """
        with model_folder(model) as folder:
            beside = folder / SNAPSHOT
            snapshot = NetworkStatistics.load(beside) if beside.is_file() else None
            return cls(HouseholdModel.load(folder, catalogue=COLUMN_NAMES), snapshot)

    def score(
        self,
        sessions: Sessions | pd.DataFrame | pa.Table | str | Path,
        *,
        accounts: pd.DataFrame | pa.Table | str | Path | None = None,
        networks: NetworkStatistics | str | Path | None = None,
        as_of: str | datetime | int | None = None,
        previous: PreviousScores | pd.DataFrame | pa.Table | str | Path | None = None,
    ) -> pd.DataFrame:
        """Score every device that has a session in the window; see :meth:`score_table`.

        Returns
        -------
        pandas.DataFrame
            The scores table, ordered by account and device.
        """
        frame: pd.DataFrame = self.score_table(
            sessions, accounts=accounts, networks=networks, as_of=as_of, previous=previous
        ).to_pandas()
        return frame

    def score_table(
        self,
        sessions: Sessions | pd.DataFrame | pa.Table | str | Path,
        *,
        accounts: pd.DataFrame | pa.Table | str | Path | None = None,
        networks: NetworkStatistics | str | Path | None = None,
        as_of: str | datetime | int | None = None,
        previous: PreviousScores | pd.DataFrame | pa.Table | str | Path | None = None,
    ) -> pa.Table:
        """Score every device that has a session in the window.

        Parameters
        ----------
        sessions : Sessions, DataFrame, pyarrow.Table, str or Path
            The sessions table, or what :func:`household_ml.read_sessions` reads it from.
        accounts : DataFrame, pyarrow.Table, str, Path or None, default=None
            The accounts table, for the extra-member slots; None for the one that came with the
            sessions (an export), else no slots.
        networks : NetworkStatistics, str, Path or None, default=None
            Network statistics, or a snapshot of them. None: those beside the model when the
            sessions are of one account, else built from the sessions.
        as_of : str, datetime, int or None, default=None
            No session after it is used: ISO 8601 text, a datetime (without a zone: UTC) or
            microseconds since the epoch. None is the last ``started_at``.
        previous : PreviousScores, DataFrame, pyarrow.Table, str, Path or None, default=None
            The scores before, from which verdicts carry on as
            :mod:`~household_ml.scoring.hysteresis` says; probabilities do not. None lets the
            thresholds alone decide.

        Returns
        -------
        pyarrow.Table
            Schema :func:`score_schema`, one row per device, ordered by account and device; with
            ``previous``, the columns that the next scoring carries on from as well.

        Raises
        ------
        InputError
            The sessions, accounts, networks, ``as_of`` or ``previous`` cannot be used.
        """
        return self.score_with_inputs(
            sessions, accounts=accounts, networks=networks, as_of=as_of, previous=previous
        ).scores

    def score_with_inputs(
        self,
        sessions: Sessions | pd.DataFrame | pa.Table | str | Path,
        *,
        accounts: pd.DataFrame | pa.Table | str | Path | None = None,
        networks: NetworkStatistics | str | Path | None = None,
        as_of: str | datetime | int | None = None,
        previous: PreviousScores | pd.DataFrame | pa.Table | str | Path | None = None,
    ) -> Scored:
        """Score as :meth:`score_table` does, and give what the scores were decided from as well.

        Returns
        -------
        Scored
            The scores table, and the features and counts behind each row: what an audit record
            keeps.
        """
        taken = sessions if isinstance(sessions, Sessions) else read_sessions(sessions)
        moment = taken.last_started_at() if as_of is None else read_moment(as_of)
        known = known_at(taken, moment)
        statistics = self.statistics_for(known, networks)
        features = build_features(enrich(known, statistics=statistics), as_of=moment)
        inputs = AnswerInputs(
            values=features.values.take(self.model.columns(features.names), axis=1),
            evidence=measure_evidence(known),
            account=features.account,
            place=features.place,
            slots=read_slots(
                taken.reading.accounts if accounts is None else accounts, features.account_id
            ),
            earlier=None
            if previous is None
            else read_previous(previous).earlier(
                features.account_id,
                features.device_id,
                moment=moment,
                thresholds=self.model.thresholds,
                use=partial(days_of_use, known),
            ),
        )
        answers = answer(self.model, inputs)
        devices = len(features.device_id)
        never_home = features.last_home_at == NEVER
        scores = pa.table(
            [
                features.account_id,
                features.device_id,
                pa.array(np.full(devices, moment), type=_TIME),
                pa.array(answers.probability),
                verdict_names(answers.verdict),
                pa.array(features.last_home_at, type=_TIME, mask=never_home),
                pa.array(features.place, type=pa.int32()),
                answers.reasons,
                pa.repeat(pa.scalar(self.model_label), devices),
                *_carried(answers.standing),
            ],
            names=score_schema(standing=answers.standing is not None).names,
        ).cast(score_schema(standing=answers.standing is not None))
        return Scored(scores, inputs)

    def score_account(
        self,
        sessions: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]],
        *,
        account_id: str = "account",
        extra_members: int = 0,
        networks: NetworkStatistics | None = None,
        as_of: str | datetime | int | None = None,
    ) -> AccountAnswer:
        """Score the devices of one account that is given as Python objects, in microseconds.

        Parameters
        ----------
        sessions : sequence of mappings, or mapping of str to sequences
            Rows, or columns, under the names of the contract, see
            :func:`~household_ml.sessions.one_account.read_account`.
        account_id : str, default="account"
            The account; given back as it is.
        extra_members : int, default=0
            Paid extra-member slots, at least 0.
        networks : NetworkStatistics or None, default=None
            Network statistics. None: those beside the model, else counted of these sessions.
        as_of : str, datetime, int or None, default=None
            As in :meth:`score_table`.

        Returns
        -------
        AccountAnswer
            The answers that :meth:`score_table` gives for the same sessions as a table.

        Raises
        ------
        InputError
            The sessions, ``extra_members`` or ``as_of`` cannot be used.

        Examples
        --------
        >>> from household_ml.scoring import HouseholdScorer
        >>> evenings = [f"2026-03-{day:02d}T20:00:00Z" for day in range(1, 11)]
        >>> answer = HouseholdScorer.load().score_account({
        ...     "device_id": ["tv", "phone"] * 5, "started_at": evenings, "ip": ["82.64.0.1"] * 10,
        ... })
        >>> [(device.device_id, device.verdict) for device in answer.devices]
        [('phone', 'household'), ('tv', 'household')]
        """
        _check_slots(extra_members)
        return answer_account(
            self.model,
            self.columns,
            read_account(sessions, account_id=account_id),
            statistics=self.snapshot if networks is None else networks,
            extra_members=extra_members,
            as_of=None if as_of is None else read_moment(as_of),
        )

    def counterfactuals(
        self,
        sessions: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]] | AccountSessions,
        *,
        account_id: str = "account",
        extra_members: int = 0,
        networks: NetworkStatistics | None = None,
        as_of: str | datetime | int | None = None,
    ) -> tuple[Counterfactual, ...]:
        """Find what would change the answers for the devices of one account.

        Parameters
        ----------
        sessions, account_id, extra_members, networks, as_of
            As in :meth:`score_account`; or sessions that were read already.

        Returns
        -------
        tuple of Counterfactual
            Each is true when it is scored again, see
            :mod:`~household_ml.scoring.counterfactuals`; verdicts are those of the thresholds
            alone, without the scores before.

        Raises
        ------
        InputError
            As in :meth:`score_account`.
        """
        _check_slots(extra_members)
        if not isinstance(sessions, AccountSessions):
            sessions = read_account(sessions, account_id=account_id)
        statistics = self.snapshot if networks is None else networks
        moment = int(sessions.started_at[-1]) if as_of is None else read_moment(as_of)

        def score(history: AccountSessions, slots: int) -> AccountAnswer:
            return answer_account(
                self.model,
                self.columns,
                history,
                statistics=statistics,
                extra_members=slots,
                as_of=moment,
            )

        answer = score(sessions, extra_members)
        known = in_window(sessions, moment)
        places = place_account_sessions(enrich_account(known, statistics=statistics), as_of=moment)
        return find_counterfactuals(
            known, places == 0, answer, score, moment=moment, extra_members=extra_members
        )

    def statistics_for(
        self, sessions: Sessions, networks: NetworkStatistics | str | Path | None = None
    ) -> NetworkStatistics:
        """Network statistics that sessions are scored with.

        Parameters
        ----------
        sessions : Sessions
            Sessions that count, see :func:`~household_ml.scoring.window.known_at`.
        networks : NetworkStatistics, str, Path or None, default=None
            What was asked for.

        Returns
        -------
        NetworkStatistics
            Those asked for; else, for one account alone, the snapshot beside the model if there is
            one; else built from the sessions.
        """
        if isinstance(networks, NetworkStatistics):
            return networks
        if networks is not None:
            return NetworkStatistics.load(Path(networks))
        if sessions.n_accounts == 1 and self.snapshot is not None:
            return self.snapshot
        return enrich(sessions).statistics

    def __repr__(self) -> str:
        return f"HouseholdScorer({self.model_label!r})"

    def _repr_html_(self) -> str:
        low, high = self.model.thresholds.outside_at, self.model.thresholds.household_at
        return facts_html(
            "Scorer",
            {
                "model": self.model_label,
                "outside": "nobody" if low is None else f"at or below {low:.3f}",
                "household": "nobody" if high is None else f"at or above {high:.3f}",
                "for one account alone": "no statistics"
                if self.snapshot is None
                else repr(self.snapshot),
            },
            "Trained on simulated people: measure on labels of your own before you rely on it."
            if self.model.manifest.get("simulated")
            else "",
        )


def _check_slots(extra_members: int) -> None:
    if extra_members < 0:
        raise ParameterError(
            Problem(
                "extra_members must be an integer of at least 0",
                str(extra_members),
                "Give the number of paid slots.",
            )
        )


def _carried(standing: Standing | None) -> list[pa.Array]:
    """What the next scoring carries on from, in the order of ``STANDING``."""
    if standing is None:
        return []
    times = (standing.verdict_since, standing.called_since, standing.doubted_since)
    return [pa.array(time, type=_TIME, mask=time == NO_TIME) for time in times]


def read_moment(as_of: str | datetime | int) -> int:
    """A point in time as microseconds since the epoch, UTC.

    Parameters
    ----------
    as_of : str, datetime or int
        ISO 8601 text, a datetime (without a zone: UTC), or microseconds since the epoch.

    Returns
    -------
    int

    Raises
    ------
    ParameterError
        The text is no time.

    Examples
    --------
    >>> read_moment(datetime(1970, 1, 2))
    86400000000
    """
    if isinstance(as_of, str):
        return parse_time(as_of)
    if isinstance(as_of, datetime):
        aware = as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)
        return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return int(as_of)
