"""Watching a model: what has not moved gives no alarm, what has is told with its operator."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from household_ml.errors import ParameterError
from household_ml.networks import enrich
from household_ml.scoring import HouseholdScorer
from household_ml.serving.monitoring import SIGNALS, Monitored, monitor
from household_ml.sessions import Sessions, read_sessions
from household_ml.simulation import simulate

FREE, SFR = 12322, 15557
Rows = pd.DataFrame


@pytest.fixture(scope="module")
def stretches() -> tuple[Rows, Rows]:
    """Two stretches of 40 days of the same simulated accounts, each row with its AS."""
    sessions = read_sessions(simulate("fr", accounts=250, days=80, seed=21).sessions)
    frame = sessions.to_frame().assign(asn=enrich(sessions).asn)
    middle = frame["started_at"].min() + pd.Timedelta(days=40)
    return frame[frame["started_at"] < middle], frame[frame["started_at"] >= middle]


@pytest.fixture(scope="module")
def look(scorer: HouseholdScorer, stretches: tuple[Rows, Rows]) -> Callable[..., Monitored]:
    def monitored(
        change: Callable[[Rows], Rows] = lambda rows: rows, **options: object
    ) -> Monitored:
        reference, current = (read_sessions(part) for part in (stretches[0], change(stretches[1])))
        return monitor(scorer, reference, current, **options)  # type: ignore[arg-type]

    return monitored


def event(rows: Rows, asn: int) -> pd.Series:
    """Sessions of an AS over IPv4 from the twentieth day on."""
    late = rows["started_at"] >= rows["started_at"].min() + pd.Timedelta(days=20)
    return (rows["asn"] == asn) & late & ~rows["ip"].str.contains(":")


def renumbered(rows: Rows) -> Rows:
    moved = event(rows, FREE)
    other = rows["ip"].str.replace(r"^(\d+)\.(\d+)", r"91.\2", regex=True)
    return rows.assign(ip=rows["ip"].mask(moved, other))


def behind_carrier_nat(rows: Rows) -> Rows:
    moved = event(rows, SFR)
    one_of_twenty = pd.util.hash_array(rows["ip"].to_numpy(object)) % 20
    return rows.assign(
        ip=rows["ip"].mask(moved, "86.64.0." + pd.Series(one_of_twenty, rows.index).astype(str))
    )


def test_what_has_not_moved_gives_no_alarm(look: Callable[..., Monitored]) -> None:
    found = look()

    assert found.alarms == ()
    assert set(found.operators["signal"]) == set(SIGNALS)
    assert not found.scores["drifted"].any()
    assert "No operator's answers are to be distrusted" in found.to_text()


def test_a_renumbered_operator_is_told_with_the_day(
    look: Callable[..., Monitored], stretches: tuple[Rows, Rows]
) -> None:
    found = look(renumbered)
    day = (stretches[1]["started_at"].min() + pd.Timedelta(days=20)).date()
    alarms = {alarm.signal: alarm for alarm in found.alarms}

    assert {alarm.asn for alarm in found.alarms} == {FREE}
    assert abs(pd.Timestamp(alarms["changed_at_once"].since).date() - day) <= pd.Timedelta(days=1)
    assert found.distrusted == (f"Free (AS{FREE})",)
    assert f"Distrust answers about homes on Free (AS{FREE})." in found.to_text()


def test_a_new_carrier_nat_is_told(look: Callable[..., Monitored]) -> None:
    found = look(behind_carrier_nat)
    alarms = {alarm.signal: alarm for alarm in found.alarms}

    assert {alarm.asn for alarm in found.alarms} == {SFR}
    assert alarms["shared"].current > alarms["shared"].reference + 0.05
    assert re.search(r"SFR \(AS15557\), since .*carrier NAT", str(alarms["shared"]))


def test_an_operator_that_was_not_there_is_told(look: Callable[..., Monitored]) -> None:
    found = look(lambda rows: rows.assign(asn=rows["asn"].replace(FREE, 64_500)))
    new = [alarm for alarm in found.alarms if alarm.signal == "new"]

    assert [alarm.asn for alarm in new] == [64_500]
    assert new[0].reference == 0.0
    assert "not known yet" in str(new[0])


def test_features_that_moved_are_told(look: Callable[..., Monitored]) -> None:
    """Only the phones are left, so what tells of the television at home is gone."""
    found = look(lambda rows: rows[rows["device_type"] == "phone"])

    assert found.inputs["drifted"].sum() >= 3
    assert found.sides["current"]["devices"] < found.sides["reference"]["devices"]


def test_calibration_is_told_where_there_are_labels(
    look: Callable[..., Monitored], scorer: HouseholdScorer
) -> None:
    labels = simulate("fr", accounts=250, days=80, seed=21).labels.to_pandas()
    found = look(labels={"current": labels})

    assert set(found.calibration) == {"current"}
    assert found.calibration["current"].counts["devices"] > 100
    assert "calibration, current: ECE" in found.to_text()
    assert "cannot be checked without labels" in look().to_text()


def test_what_was_found_is_plain_json(look: Callable[..., Monitored]) -> None:
    told = json.loads(json.dumps(look(renumbered).to_dict()))

    assert told["distrusted"] == ["Free (AS12322)"]
    assert told["alarms"][0]["told"].startswith("Free (AS12322)")
    assert {row["signal"] for row in told["operators"]} == set(SIGNALS)


def test_sessions_that_both_have_do_not_speak_twice(
    scorer: HouseholdScorer, stretches: tuple[Rows, Rows]
) -> None:
    apart = monitor(scorer, read_sessions(stretches[0]), read_sessions(stretches[1]))
    both = monitor(scorer, read_sessions(stretches[0]), read_sessions(pd.concat(stretches)))
    networks = ["changes_per_day", "shared", "ipv6"]
    kept = [found.operators[found.operators["signal"].isin(networks)] for found in (apart, both)]

    np.testing.assert_allclose(kept[0]["current"], kept[1]["current"])


def test_stretches_in_the_wrong_order_are_refused(
    scorer: HouseholdScorer, stretches: tuple[Rows, Rows]
) -> None:
    parts: list[Sessions] = [read_sessions(part) for part in stretches]
    with pytest.raises(ParameterError, match="current must end after reference"):
        monitor(scorer, parts[1], parts[0])
