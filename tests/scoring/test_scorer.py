"""The scorer: sessions in, the scores table of the contract out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from household_ml.errors import (
    ModelFeaturesError,
    ModelNotFoundError,
    NoSessionsError,
    ParameterError,
)
from household_ml.features import FEATURES, build_features
from household_ml.modeling.hypotheses import columns_for
from household_ml.modeling.thresholds import Thresholds
from household_ml.networks import enrich
from household_ml.schema import SCORES, VERDICTS
from household_ml.scoring import REASONS, HouseholdScorer, score_schema
from household_ml.scoring.evidence import measure_evidence
from household_ml.scoring.reasons import group_sums
from household_ml.scoring.scorer import read_moment
from household_ml.scoring.verdicts import too_little_history
from household_ml.sessions import read_sessions
from household_ml.simulation import Simulated

US_A_DAY = 86_400_000_000


@pytest.fixture(scope="module")
def scores(scorer: HouseholdScorer, sessions: pa.Table) -> pa.Table:
    return scorer.score_table(sessions)


def test_the_table_is_that_of_the_contract(scores: pa.Table, scorer: HouseholdScorer) -> None:
    assert scores.schema == score_schema()
    assert tuple(scores.column_names) == SCORES.names
    assert scores.schema.field("as_of").type == pa.timestamp("us", tz="UTC")
    for column in SCORES.columns:
        assert not column.needed or scores[column.name].null_count == 0
    assert set(scores["verdict"].to_pylist()) <= set(VERDICTS)
    assert set(scores["model"].to_pylist()) == {scorer.model_label}


def test_one_row_for_each_device_with_a_session(scores: pa.Table, sessions: pa.Table) -> None:
    devices = sessions.group_by(["account_id", "device_id"]).aggregate([])
    assert scores.num_rows == devices.num_rows
    keys = list(zip(scores["account_id"].to_pylist(), scores["device_id"].to_pylist(), strict=True))
    assert keys == sorted(keys)


def test_verdicts_follow_the_probability(scores: pa.Table, scorer: HouseholdScorer) -> None:
    thresholds = scorer.model.thresholds
    assert thresholds.outside_at is not None
    assert thresholds.household_at is not None
    for row in scores.to_pylist():
        if row["verdict"] == "household":
            assert row["household_probability"] >= thresholds.household_at
        if row["verdict"] == "outside":
            assert row["household_probability"] <= thresholds.outside_at
    assert {"household", "outside", "undetermined"} <= set(scores["verdict"].to_pylist())


def test_where_no_threshold_qualifies_nobody_is_called(
    scorer: HouseholdScorer, sessions: pa.Table, scores: pa.Table
) -> None:
    nobody = HouseholdScorer(replace(scorer.model, thresholds=Thresholds(None, None)))
    told = nobody.score_table(sessions, networks=enrich(read_sessions(sessions)).statistics)
    assert set(told["verdict"].to_pylist()) == {"undetermined"}
    assert told["household_probability"].equals(scores["household_probability"])


def test_too_little_history_is_undetermined_and_says_so(
    scores: pa.Table, sessions: pa.Table
) -> None:
    evidence = measure_evidence(read_sessions(sessions))
    unseen = too_little_history(evidence)
    assert 0 < unseen.sum() < unseen.size
    rows = scores.to_pylist()
    for row, few in zip(rows, unseen.tolist(), strict=True):
        assert (row["reasons"][:1] == ["little_history"]) == few
        assert not few or row["verdict"] == "undetermined"


def test_reasons_are_codes_of_the_table(scores: pa.Table) -> None:
    codes = set(pc.list_flatten(scores["reasons"]).to_pylist())
    assert codes <= {reason.code for reason in REASONS}
    told = pc.list_value_length(scores["reasons"]).to_numpy()
    assert told.max() <= 4


def test_reasons_add_up_to_the_log_odds(scorer: HouseholdScorer, sessions: pa.Table) -> None:
    features = build_features(read_sessions(sessions))
    values = features.values[:, scorer.model.columns(features.names)]
    group = {feature.name: feature.group for feature in FEATURES}
    groups = [group[name] for name in scorer.model.explained_names]
    _, sums = group_sums(scorer.model.contributions(values), groups)
    told = scorer.model.trees.base + sums.sum(axis=1)
    np.testing.assert_allclose(told, scorer.model.log_odds(values), rtol=0, atol=1e-9)


def test_every_kind_of_input_gets_the_same_scores(
    scorer: HouseholdScorer, sessions: pa.Table, scores: pa.Table, tmp_path: Path
) -> None:
    path = tmp_path / "sessions.parquet"
    pq.write_table(sessions, path)
    for source in (path, str(path), sessions.to_pandas(), read_sessions(sessions)):
        assert scorer.score_table(source).equals(scores)


def test_nothing_after_as_of_changes_anything(scorer: HouseholdScorer, sessions: pa.Table) -> None:
    at = sessions["started_at"].cast(pa.int64()).to_numpy()
    moment = int(np.median(at))
    before = sessions.filter(pa.array(at <= moment))
    whole = scorer.score_table(sessions, as_of=moment)
    assert whole.equals(scorer.score_table(before, as_of=moment))
    assert set(whole["as_of"].cast(pa.int64()).to_pylist()) == {moment}


def test_slots_turn_places_outside_into_extra_members(
    scorer: HouseholdScorer, sessions: pa.Table, scores: pa.Table
) -> None:
    ids = pc.unique(sessions["account_id"])
    accounts = pa.table({"account_id": ids, "extra_members": pa.repeat(pa.scalar(9), len(ids))})
    with_slots = scorer.score_table(sessions, accounts=accounts)
    turned = ["extra_member" if v == "outside" else v for v in scores["verdict"].to_pylist()]
    assert with_slots["verdict"].to_pylist() == turned


def test_one_account_alone_is_scored_with_the_snapshot_beside_the_model(
    scorer: HouseholdScorer, sessions: pa.Table
) -> None:
    assert scorer.snapshot is not None
    account = sessions["account_id"][0]
    alone = sessions.filter(pc.equal(sessions["account_id"], account))
    given = scorer.score_table(alone, networks=scorer.snapshot)
    assert scorer.score_table(alone).equals(given)


def test_accounts_beside_change_nothing_once_the_statistics_are_fixed(
    scorer: HouseholdScorer, sessions: pa.Table
) -> None:
    account = sessions["account_id"][0]
    as_of = int(sessions["started_at"].cast(pa.int64()).to_numpy().max())
    alone = sessions.filter(pc.equal(sessions["account_id"], account))
    fixed = enrich(read_sessions(sessions)).statistics
    beside = scorer.score_table(sessions, networks=fixed, as_of=as_of)
    expected = beside.filter(pc.equal(beside["account_id"], account))
    assert scorer.score_table(alone, networks=fixed, as_of=as_of).equals(expected)


def test_a_snapshot_may_be_a_path(
    scorer: HouseholdScorer, sessions: pa.Table, scores: pa.Table, tmp_path: Path
) -> None:
    enrich(read_sessions(sessions)).statistics.save(tmp_path / "networks.parquet")
    again = scorer.score_table(sessions, networks=tmp_path / "networks.parquet")
    assert again.equals(scores)


def test_evidence_is_counted_by_device_and_by_account(simulated: Simulated) -> None:
    read = read_sessions(simulated.sessions)
    evidence = measure_evidence(read)
    frame = read.to_frame()
    per_device = frame.groupby(["account_id", "device_id"]).size()
    by_account = frame.assign(day=frame["started_at"].dt.floor("D")).groupby("account_id")
    owner = per_device.index.get_level_values("account_id")
    assert evidence.device_sessions.tolist() == per_device.tolist()
    assert evidence.account_sessions.tolist() == by_account.size()[owner].tolist()
    assert evidence.account_days.tolist() == by_account["day"].nunique()[owner].tolist()


@pytest.mark.parametrize(
    "as_of",
    [
        "1970-01-02",
        "1970-01-02T01:00+01:00",
        datetime(1970, 1, 2),
        datetime(1970, 1, 2, tzinfo=UTC),
    ],
)
def test_moments(as_of: str | datetime) -> None:
    assert read_moment(as_of) == US_A_DAY


def test_a_moment_that_is_none_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"must be ISO 8601, .* got 'soon'"):
        read_moment("soon")


def test_a_moment_before_every_session_is_refused(
    scorer: HouseholdScorer, sessions: pa.Table
) -> None:
    with pytest.raises(NoSessionsError, match="days before as_of, got none in those before 2001"):
        scorer.score(sessions, as_of="2001-01-01")


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="must be a folder or an MLflow URI, got"):
        HouseholdScorer.load(tmp_path / "none")


def test_the_environment_names_the_model(
    model_folder: Path, scorer: HouseholdScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSEHOLD_ML_MODEL", str(model_folder))
    assert HouseholdScorer.load().model_label == scorer.model_label


def test_a_model_with_a_feature_that_cannot_be_built(scorer: HouseholdScorer) -> None:
    trees = scorer.model.trees.features
    names = columns_for(["star_sign", *scorer.model.feature_names[1:trees]])
    with pytest.raises(ModelFeaturesError, match="star_sign"):
        HouseholdScorer(replace(scorer.model, feature_names=names))
