"""A counterfactual that is told is true when it is scored again, by whoever asks (law 6)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given

from household_ml.errors import ParameterError
from household_ml.networks import NetworkStatistics, enrich
from household_ml.schema import VERDICTS
from household_ml.scoring import HouseholdScorer
from household_ml.scoring.counterfactuals import DAYS, EVENINGS, Counterfactual
from household_ml.sessions import read_sessions
from household_ml.sessions.one_account import account_table
from tests.properties.accounts import histories

Row = dict[str, Any]

BETTER = ("outside", "undetermined", "extra_member", "household")


def rows_of(frame: pd.DataFrame) -> list[Row]:
    kept = frame.drop(columns="account_id").astype(object)
    plain = kept.where(kept.notna(), None).to_dict("records")
    return [{**row, "started_at": row["started_at"].to_pydatetime()} for row in plain]


class Told:
    """Counterfactuals of the accounts of a world, and what they are about."""

    def __init__(self, scorer: HouseholdScorer, sessions: pa.Table) -> None:
        self.scorer = scorer
        self.statistics: NetworkStatistics = enrich(read_sessions(sessions)).statistics
        frame = sessions.to_pandas()
        self.accounts = {str(name): rows_of(rows) for name, rows in frame.groupby("account_id")}
        self.found = {
            name: scorer.counterfactuals(rows, networks=self.statistics)
            for name, rows in self.accounts.items()
        }

    def each(self, change: str) -> list[tuple[list[Row], Counterfactual]]:
        return [
            (self.accounts[name], one)
            for name, found in self.found.items()
            for one in found
            if one.change == change
        ]


@pytest.fixture(scope="module")
def told(scorer: HouseholdScorer, sessions: pa.Table) -> Told:
    return Told(scorer, sessions)


def last(rows: list[Row]) -> Any:
    return max(row["started_at"] for row in rows)


def test_evenings_that_are_told_change_the_answer_when_scored_again(told: Told) -> None:
    every = told.each("evenings_at_home")
    assert every, "no account of the world has one: this test says nothing"
    for rows, one in every:
        lived = [*rows, *one.sessions]
        answer = told.scorer.score_account(lived, networks=told.statistics, as_of=last(rows))
        after = next(each for each in answer.devices if each.device_id == one.device_id)
        assert after.verdict == one.verdict != one.before
        assert after.household_probability == pytest.approx(one.household_probability, abs=1e-9)


def test_evenings_change_the_answer_of_the_batch_too(told: Told) -> None:
    for rows, one in told.each("evenings_at_home")[:5]:
        table = account_table([*rows, *one.sessions])
        scores = told.scorer.score(table, networks=told.statistics, as_of=last(rows))
        after = scores.set_index("device_id").loc[one.device_id]
        assert after["verdict"] == one.verdict


def test_a_slot_that_is_told_changes_the_answer(told: Told) -> None:
    every = told.each("extra_member_slot")
    assert every, "no account of the world has one: this test says nothing"
    for rows, one in every:
        answer = told.scorer.score_account(rows, networks=told.statistics, extra_members=1)
        after = next(each for each in answer.devices if each.device_id == one.device_id)
        assert (one.before, one.verdict) == ("outside", "extra_member")
        assert after.verdict == one.verdict


def test_evenings_lie_in_the_days_before_on_addresses_of_the_account(told: Told) -> None:
    for rows, one in told.each("evenings_at_home"):
        starts = [added["started_at"] for added in one.sessions]
        assert len(set(starts)) == len(starts) == one.count
        assert one.count in EVENINGS
        assert all(last(rows) - timedelta(days=DAYS) < each <= last(rows) for each in starts)
        assert all(
            each.astimezone().tzinfo is not None
            and (each + timedelta(minutes=added["utc_offset_min"])).strftime("%H:%M") == "20:30"
            for each, added in zip(starts, one.sessions, strict=True)
        )
        used = enrich(read_sessions(account_table(rows))).sessions
        theirs = read_sessions(account_table(list(one.sessions)))
        assert set(zip(theirs.ip_hi, theirs.ip_lo, strict=True)) <= set(
            zip(used.ip_hi, used.ip_lo, strict=True)
        )


def test_answers_only_get_better_and_households_are_left_alone(told: Told) -> None:
    for name, found in told.found.items():
        answer = told.scorer.score_account(told.accounts[name], networks=told.statistics)
        verdicts = {device.device_id: device.verdict for device in answer.devices}
        for one in found:
            assert one.before == verdicts[one.device_id] != "household"
            assert BETTER.index(one.verdict) > BETTER.index(one.before)


def test_of_more_evenings_only_what_fewer_would_not_do(told: Told) -> None:
    for found in told.found.values():
        evenings = [one for one in found if one.change == "evenings_at_home"]
        for device in {one.device_id for one in evenings}:
            own = [one for one in evenings if one.device_id == device]
            counts = [one.count for one in own]
            ranks = [BETTER.index(one.verdict) for one in own]
            assert counts == sorted(set(counts))
            assert ranks == sorted(set(ranks))


@given(history=histories)
def test_whatever_the_history_what_is_told_is_true(
    scorer: HouseholdScorer, history: pd.DataFrame
) -> None:
    alone = HouseholdScorer(scorer.model)
    rows = rows_of(history[history["account_id"] == "account1"])
    for one in alone.counterfactuals(rows):
        slots = int(one.change == "extra_member_slot")
        answer = alone.score_account([*rows, *one.sessions], extra_members=slots, as_of=last(rows))
        after = next(each for each in answer.devices if each.device_id == one.device_id)
        assert after.verdict == one.verdict != one.before


def test_every_change_has_a_sentence_in_two_languages() -> None:
    for verdict in VERDICTS:
        for count in EVENINGS:
            one = Counterfactual("tv", "evenings_at_home", count, "outside", verdict, 0.5)
            assert one.sentence().startswith(("One eve", "Two eve", "Four eve", "Eight eve"))
            assert one.sentence("fr").startswith(("Une soi", "Deux soi", "Quatre soi", "Huit soi"))
            assert f"{DAYS}" in one.sentence()
            assert f"{DAYS}" in one.sentence("fr")
    slot = Counterfactual("tv", "extra_member_slot", 1, "outside", "extra_member", 0.1)
    assert slot.sentence() == (
        "One more paid extra-member slot would change this answer to extra member."
    )
    assert slot.sentence("fr") == (
        "Une option d'abonné supplémentaire de plus changerait la réponse en : abonné "
        "supplémentaire."
    )


def test_slots_below_none_are_refused(scorer: HouseholdScorer) -> None:
    with pytest.raises(ParameterError, match=r"extra_members must be .* at least 0, got -1"):
        scorer.counterfactuals([], extra_members=-1)
