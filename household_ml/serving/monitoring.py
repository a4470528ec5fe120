"""Has the world moved since the model was last looked at? Inputs, scores, calibration, operators.

Two stretches of sessions are scored as batch scoring would, each as of its own end and with network
statistics of its own, and compared. An alarm must be told apart from chance (with accounts as
clusters, and the share of false alarms held at 1 % over all tests; Benjamini and Hochberg, 1995)
and be large enough to matter; the least sizes are in `SIGNALS` and are assumptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from household_ml.display import rows_html
from household_ml.errors import ParameterError, Problem
from household_ml.features import infer_places
from household_ml.modeling.drift import compute_drift
from household_ml.modeling.evaluation import Evaluation, evaluate_scores
from household_ml.modeling.labels import align_labels
from household_ml.modeling.prevalence import adapt_to_prevalence
from household_ml.networks import EnrichedSessions, enrich, operator_name
from household_ml.networks.behaviour import Behaviour, compare_operators, ratio_by_group
from household_ml.schema import VERDICTS
from household_ml.scoring.window import known_at
from household_ml.sessions import Sessions

if TYPE_CHECKING:
    import pandas as pd

    from household_ml.networks import NetworkStatistics
    from household_ml.scoring import HouseholdScorer

__all__ = ["SIGNALS", "Alarm", "Monitored", "Signal", "monitor"]

Floats = npt.NDArray[np.float64]

#: Share of sessions from which on an AS that was not there before is an alarm.
_NEW_SHARE: Final = 0.01

#: Share of false alarms among the alarms that is held.
_FALSE_ALARMS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Signal:
    """What is watched of each AS.

    Parameters
    ----------
    step : float
        Least difference that is an alarm [A].
    factor : float
        Least factor by which it must have grown or shrunk [A].
    more, less : str
        What it means when it grew or shrank; ``{}`` stands for the two values.
    distrust : tuple of bool
        Whether answers are to be distrusted when it grew, and when it shrank.
    accounts : int, default=20
        Fewer accounts on either side tell nothing of an AS.
    """

    step: float
    factor: float
    more: str
    less: str
    distrust: tuple[bool, bool]
    accounts: int = 20


SIGNALS: Final[Mapping[str, Signal]] = {
    "changes_per_day": Signal(
        0.02,
        1.5,
        "addresses change more often ({} a day): homes may look abandoned, and residents outside",
        "addresses change less often ({} a day)",
        (True, False),
    ),
    "changed_at_once": Signal(
        0.25,
        2.0,
        "the addresses of most lines changed on one day ({} of the accounts seen that day): until "
        "the new ones are known, homes may look abandoned",
        "fewer addresses change on one day ({})",
        (True, False),
        accounts=8,
    ),
    "shared": Signal(
        0.05,
        1.5,
        "more sessions are on addresses shared with other accounts ({}), as behind a carrier NAT: "
        "being on the same address proves less",
        "fewer sessions are on addresses shared with other accounts ({})",
        (True, False),
    ),
    "ipv6": Signal(
        0.1,
        1.0,
        "more goes over IPv6 ({}): homes have networks that were not seen before",
        "less goes over IPv6 ({}): homes have networks that were not seen before",
        (True, True),
    ),
    "outside": Signal(
        0.02,
        1.5,
        "more devices are called outside ({})",
        "fewer devices are called outside ({})",
        (True, True),
    ),
    "undetermined": Signal(
        0.1,
        1.2,
        "more devices are undetermined ({})",
        "fewer devices are undetermined ({})",
        (False, False),
    ),
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing about one AS that is not as it was.

    Parameters
    ----------
    asn : int
        The AS.
    operator : str
        Who runs it.
    signal : str
        One of `SIGNALS`, or ``new``.
    reference, current : float
        What was measured.
    p_value : float
        Chance of such a difference if nothing had changed, adjusted for all that was tested.
    since : str
        Day on which, or from which, it was most unlike before; empty where that is not known.
    distrust : bool
        Whether answers about homes on it are to be distrusted.
    """

    asn: int
    operator: str
    signal: str
    reference: float
    current: float
    p_value: float
    since: str
    distrust: bool

    def __str__(self) -> str:
        if self.signal == "new":
            told = f"{self.current:.1%} of sessions, {self.reference:.1%} before: not known yet"
        else:
            signal = SIGNALS[self.signal]
            kind = ".3f" if self.signal == "changes_per_day" else ".1%"
            values = f"{self.current:{kind}} instead of {self.reference:{kind}}"
            told = (signal.more if self.current > self.reference else signal.less).format(values)
        since = f", since {self.since}" if self.since else ""
        return f"{self.operator} (AS{self.asn}){since}: {told}"


@dataclass(frozen=True)
class Monitored:
    """What :func:`monitor` found.

    Parameters
    ----------
    model : str
        Name, version and digest of the model.
    sides : mapping
        ``reference`` and ``current``: counts, first and last session, shares of verdicts, mean
        probability, and the share of household devices that the probabilities imply when the two
        classes look as they did (label shift).
    inputs : DataFrame
        Features by how far they moved; see :func:`household_ml.modeling.drift.compute_drift`.
    scores : DataFrame
        The same for the log-odds.
    operators : DataFrame
        One row an AS and signal: ``asn``, ``operator``, ``signal``, ``accounts_reference``,
        ``accounts_current``, ``reference``, ``current``, ``error_reference``, ``error_current``
        (standard errors), ``p_value`` (adjusted), ``since``, ``alarm``.
    calibration : mapping of str to Evaluation
        By side, where labels were given.
    alarms : tuple of Alarm
        What to look at, those that make answers doubtful first.
    """

    model: str
    sides: Mapping[str, Mapping[str, Any]]
    inputs: pd.DataFrame
    scores: pd.DataFrame
    operators: pd.DataFrame
    calibration: Mapping[str, Evaluation]
    alarms: tuple[Alarm, ...]

    @property
    def distrusted(self) -> tuple[str, ...]:
        """Operators whose answers are to be distrusted, each once, with its AS."""
        told = {f"{a.operator} (AS{a.asn})": None for a in self.alarms if a.distrust}
        return tuple(told)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "model": self.model,
            "sides": {name: dict(side) for name, side in self.sides.items()},
            "inputs": _records(self.inputs),
            "scores": _records(self.scores),
            "operators": _records(self.operators),
            "calibration": {name: found.to_dict() for name, found in self.calibration.items()},
            "alarms": [{**asdict(alarm), "told": str(alarm)} for alarm in self.alarms],
            "distrusted": list(self.distrusted),
        }

    def __repr__(self) -> str:
        drifted = int(self.inputs["drifted"].sum())
        told = f"{drifted} of {len(self.inputs)} features drifted, {len(self.alarms)} alarms"
        return f"<Monitored: {self.model}, {told}; to_text() tells them>"

    def _repr_html_(self) -> str:
        rows = [
            [f"{alarm.operator} (AS{alarm.asn})", alarm.signal.replace("_", " "), alarm.since,
             "yes" if alarm.distrust else "no", str(alarm)]
            for alarm in self.alarms
        ]  # fmt: skip
        drifted = int(self.inputs["drifted"].sum())
        title = f"{self.model}: {drifted} of {len(self.inputs)} features drifted"
        return rows_html(title, ["operator", "signal", "since", "distrust", "what is told"], rows)

    def to_text(self) -> str:
        """What people read first."""
        lines = [f"model {self.model}"]
        for name, side in self.sides.items():
            verdicts = ", ".join(f"{share:.1%} {word}" for word, share in side["verdicts"].items())
            lines.append(
                f"{name}: {side['devices']:,} devices of {side['accounts']:,} accounts, "
                f"{side['first']} to {side['last']}; {verdicts}"
            )
        moved = self.inputs[self.inputs["drifted"]]
        lines.append(f"inputs: {len(moved)} of {len(self.inputs)} features have drifted")
        lines += [
            f"  {row['column']}: PSI {row['psi']:.2f} (by chance {row['chance']:.2f})"
            for row in _records(moved.head(8))
        ]
        score = _records(self.scores)[0]
        word = "have" if score["drifted"] else "have not"
        lines.append(
            f"scores: {word} drifted, PSI {score['psi']:.2f} (by chance {score['chance']:.2f})"
        )
        lines += self._calibration_lines()
        lines += ["operators:" if self.alarms else "operators: nothing to tell"]
        lines += [f"  {alarm}" for alarm in self.alarms]
        if self.distrusted:
            lines.append(f"Distrust answers about homes on {', '.join(self.distrusted)}.")
        else:
            lines.append("No operator's answers are to be distrusted for what was seen.")
        return "\n".join(lines)

    def _calibration_lines(self) -> list[str]:
        if not self.calibration:
            implied = " and ".join(
                f"{side['household_share_implied']:.1%}" for side in self.sides.values()
            )
            return [
                f"calibration: cannot be checked without labels; under label shift {implied} of "
                "the devices are of the household"
            ]
        return [
            f"calibration, {name}: ECE {found.metrics['ece']}, outside "
            f"{found.metrics['prevalence']}, on {found.counts['devices']:,} labelled devices"
            for name, found in self.calibration.items()
        ]


@dataclass(frozen=True, slots=True)
class _Side:
    """One stretch of time, scored."""

    enriched: EnrichedSessions
    values: Floats
    log_odds: Floats
    verdict: npt.NDArray[np.str_]
    account: npt.NDArray[np.int64]
    home: npt.NDArray[np.uint32]
    evaluation: Evaluation | None

    def about(self, prevalence: float) -> dict[str, Any]:
        sessions = self.enriched.sessions
        days = np.array([sessions.started_at.min(), sessions.started_at.max()], "M8[us]")
        shift = adapt_to_prevalence(self.log_odds, prevalence=prevalence)
        return {
            "sessions": len(sessions),
            "accounts": sessions.n_accounts,
            "devices": len(self.verdict),
            "first": str(days[0].astype("M8[D]")),
            "last": str(days[1].astype("M8[D]")),
            "verdicts": {
                name: round(float((self.verdict == name).mean()), 6)
                for name in VERDICTS
                if (self.verdict == name).any()
            },
            "probability": round(float((1 / (1 + np.exp(-self.log_odds))).mean()), 6),
            "household_share_implied": round(shift.prevalence, 6),
        }


def monitor(
    scorer: HouseholdScorer,
    reference: Sessions,
    current: Sessions,
    *,
    labels: Mapping[str, pd.DataFrame] | None = None,
    networks: NetworkStatistics | None = None,
) -> Monitored:
    """Compare what the model meets now with what it met before.

    Give stretches of about equal length, and accounts that were drawn in the same way: more
    accounts meet more others on an address. Sessions of the current stretch that are no later than
    the reference's last one are scored with, but do not speak for the operators.

    Parameters
    ----------
    scorer : HouseholdScorer
        The model.
    reference, current : Sessions
        Before and now.
    labels : mapping of str to DataFrame, optional
        Labels tables of ``reference`` and ``current``, or of one of them, for the calibration.
    networks : NetworkStatistics, optional
        What both are scored with; of their own sessions when left out.

    Returns
    -------
    Monitored

    Raises
    ------
    ParameterError
        The current stretch ends before the reference does.
    InputError
        No session of a stretch can be used, or the labels cannot.
    """
    if current.last_started_at() <= reference.last_started_at():
        raise ParameterError(
            Problem(
                "current must end after reference",
                " and ".join(
                    str(np.datetime64(each.last_started_at(), "us").astype("M8[s]"))
                    for each in (current, reference)
                ),
                "Give the earlier stretch as the reference.",
            )
        )
    given = labels or {}
    sides = {
        "reference": _score(scorer, reference, given.get("reference"), networks),
        "current": _score(scorer, current, given.get("current"), networks),
    }
    before, after = sides.values()
    accounts = (before.enriched.sessions.n_accounts, after.enriched.sessions.n_accounts)
    fresh = after.enriched.sessions.since(reference.last_started_at() + 1)
    behaviours = {
        **compare_operators(before.enriched, enrich(fresh)),
        **_answers_by_system(before, after),
    }
    operators = _tested(behaviours)
    prevalence = scorer.model.calibration.prevalence
    return Monitored(
        model=scorer.model_label,
        sides={name: side.about(prevalence) for name, side in sides.items()},
        inputs=compute_drift(
            before.values, after.values, scorer.model.feature_names, accounts=accounts
        ),
        scores=compute_drift(
            before.log_odds[:, None], after.log_odds[:, None], ["log_odds"], accounts=accounts
        ),
        operators=operators,
        calibration={
            name: side.evaluation for name, side in sides.items() if side.evaluation is not None
        },
        alarms=_alarms(operators, before.enriched, after.enriched),
    )


def _score(
    scorer: HouseholdScorer,
    sessions: Sessions,
    labels: pd.DataFrame | None,
    networks: NetworkStatistics | None,
) -> _Side:
    from household_ml.features import build_features

    moment = sessions.last_started_at()
    known = known_at(sessions, moment)
    enriched = enrich(known, statistics=networks)
    scored = scorer.score_with_inputs(known, networks=enriched.statistics, as_of=moment)
    log_odds = scorer.model.calibration.log_odds(scorer.model.log_odds(scored.inputs.values))
    places = infer_places(enriched, as_of=moment)
    at_home = places[places["place"] == 0].set_index("account_id")["asn"]
    home = at_home.reindex(known.account_id.to_pandas()).fillna(0).to_numpy(np.uint32)
    evaluation = None
    if labels is not None:
        aligned = align_labels(build_features(enriched, as_of=moment), labels)
        evaluation = evaluate_scores(
            1 / (1 + np.exp(-log_odds)),
            aligned.y,
            scored.inputs.account,
            situation=aligned.situation,
            ambiguous=aligned.ambiguous,
            thresholds=scorer.model.thresholds,
        )
    return _Side(
        enriched=enriched,
        values=scored.inputs.values,
        log_odds=log_odds,
        verdict=np.asarray(scored.scores["verdict"].to_pylist()),
        account=scored.inputs.account,
        home=home[scored.inputs.account],
        evaluation=evaluation,
    )


def _answers_by_system(before: _Side, after: _Side) -> dict[str, Behaviour]:
    """Shares of verdicts by the AS of the account's home."""
    asn = np.unique(np.concatenate([before.home, after.home]))
    found = {}
    for verdict in ("outside", "undetermined"):
        parts = [
            ratio_by_group(
                np.searchsorted(asn, side.home),
                side.account,
                (side.verdict == verdict).astype(np.float64),
                np.ones(len(side.verdict)),
                asn.size,
            )
            for side in (before, after)
        ]
        found[verdict] = Behaviour.compare(verdict, asn, parts)
    return found


def _tested(behaviours: Mapping[str, Behaviour]) -> pd.DataFrame:
    """Every behaviour of every AS that enough accounts tell of, with its test."""
    import pandas as pd
    from scipy.stats import false_discovery_control

    frames = []
    for name, found in behaviours.items():
        enough = (found.asn > 0) & (found.accounts >= SIGNALS[name].accounts).all(axis=1)
        enough &= np.isfinite(found.value).all(axis=1) & np.isfinite(found.chance)
        frames.append(
            pd.DataFrame(
                {
                    "asn": found.asn[enough].astype(np.int64),
                    "signal": name,
                    "accounts_reference": found.accounts[enough, 0],
                    "accounts_current": found.accounts[enough, 1],
                    "reference": found.value[enough, 0],
                    "current": found.value[enough, 1],
                    "error_reference": found.error[enough, 0],
                    "error_current": found.error[enough, 1],
                    "p_value": found.chance[enough],
                    "since": np.datetime_as_string(found.since[enough]),
                }
            )
        )
    frame = pd.concat(frames, ignore_index=True)
    frame["since"] = frame["since"].mask(frame["since"] == "NaT", "")
    frame.insert(1, "operator", [operator_name(int(asn)) for asn in frame["asn"]])
    if len(frame):
        frame["p_value"] = false_discovery_control(frame["p_value"])
    step = (frame["current"] - frame["reference"]).abs()
    signals = frame["signal"].map(SIGNALS)
    low, high = (
        getattr(frame[["reference", "current"]], way)(axis=1).to_numpy() for way in ("min", "max")
    )
    frame["alarm"] = (
        (frame["p_value"] <= _FALSE_ALARMS)
        & (step >= signals.map(lambda signal: signal.step))
        & (high >= low * signals.map(lambda signal: signal.factor))
    ).astype(bool)
    return frame


def _alarms(
    operators: pd.DataFrame, before: EnrichedSessions, after: EnrichedSessions
) -> tuple[Alarm, ...]:
    found = []
    for row in _records(operators[operators["alarm"]]):
        signal = SIGNALS[row["signal"]]
        more = row["current"] > row["reference"]
        found.append(
            Alarm(
                row["asn"],
                row["operator"],
                row["signal"],
                row["reference"],
                row["current"],
                row["p_value"],
                row["since"],
                signal.distrust[0 if more else 1],
            )
        )
    asn = np.unique(np.concatenate([before.asn, after.asn]))
    counts = [
        np.bincount(np.searchsorted(asn, side.asn), minlength=asn.size) / max(len(side), 1)
        for side in (before, after)
    ]
    new = (asn > 0) & (counts[1] >= _NEW_SHARE) & (counts[0] < counts[1] / 10)
    for at in np.flatnonzero(new).tolist():
        system = int(asn[at])
        shares = (float(counts[0][at]), float(counts[1][at]))
        found.append(Alarm(system, operator_name(system), "new", *shares, 0.0, "", distrust=True))
    return tuple(sorted(found, key=lambda alarm: (not alarm.distrust, alarm.p_value, alarm.asn)))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values."""
    return [
        {str(name): value.item() if isinstance(value, np.generic) else value
         for name, value in row.items()}
        for row in frame.to_dict("records")
    ]  # fmt: skip
