"""The third author's worlds: whole, reproducible, plausible, and not the second author's."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from household_ml.errors import ParameterError
from household_ml.modeling.truth import align_truth, name_sessions
from household_ml.networks.enrich import enrich
from household_ml.schema import CONNECTION_TYPES, DEVICE_TYPES, FIXED_DEVICE_TYPES
from household_ml.sessions import read_sessions
from household_ml.simulation import third_hand
from household_ml.simulation.third_hand import KINDS, make_world
from household_ml.simulation.third_hand.naming import AMBIGUOUS
from household_ml.simulation.third_hand.rates import rates_of

World = dict[str, pd.DataFrame]

PACKAGE = Path(third_hand.__file__).parent

#: The cases of the project's list of facts.
SITUATIONS = {
    "resident_fixed",
    "resident_mobile",
    "resident_travelling",
    "resident_new_device",
    "resident_commuting",
    "resident_vpn",
    "resident_cellular_only",
    "resident_renumbered_daily",
    "resident_moved",
    "resident_changed_isp",
    "resident_two_isps",
    "resident_carrier_nat",
    "second_home",
    "student_away",
    "alternating_custody",
    "borrower_far",
    "borrower_same_city",
    "borrower_same_isp",
    "borrower_same_carrier_nat",
    "borrower_visits_monthly",
    "borrower_visits_weekly",
    "ex_member_left",
    "grandparent_tv",
    "hotel_tv_left_signed_in",
    "stolen_credentials",
    "borrower_vpn_through_home",
    "borrower_phone_hotspot",
    "extra_member",
    "guest_once",
}


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    return {kind: make_world(kind, 150, 60, 7) for kind in KINDS}


@pytest.fixture(scope="module")
def france() -> World:
    return make_world("fr", 500, 60, 7)


def told(world: World) -> pd.DataFrame:
    """Sessions with their truth and their device's label."""
    together = world["sessions"].join(world["truth"])
    return together.merge(world["labels"], on=["account_id", "device_id"], how="left")


def digest(world: World) -> str:
    found = hashlib.sha256()
    for frame in world.values():
        found.update(frame.to_csv(index=False).encode())
    return found.hexdigest()


@pytest.mark.parametrize("kind", ["fr", "messy", "us~4"])
def test_the_same_seed_gives_the_same_bytes(kind: str) -> None:
    first = digest(make_world(kind, 25, 20, 3))

    assert first == digest(make_world(kind, 25, 20, 3))
    assert first != digest(make_world(kind, 25, 20, 4))


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_is_a_whole_world(worlds: dict[str, World], kind: str) -> None:
    world = worlds[kind]
    sessions, labels, truth = world["sessions"], world["labels"], world["truth"]

    assert list(world) == ["sessions", "accounts", "labels", "truth"]
    assert len(sessions) == len(truth) > 1000
    assert sessions["started_at"].is_monotonic_increasing
    assert str(sessions["started_at"].dtype) == "datetime64[us, UTC]"
    assert sessions["started_at"].max() - sessions["started_at"].min() < pd.Timedelta(days=60)
    assert set(sessions["device_type"].dropna()) <= set(DEVICE_TYPES)
    assert set(sessions["account_id"]) <= set(world["accounts"]["account_id"])
    assert not labels.duplicated(["account_id", "device_id"]).any()
    assert not labels["device_id"].duplicated().any()
    assert set(labels["device_id"]) == set(sessions["device_id"])
    assert set(labels["situation"]) <= SITUATIONS
    assert (labels["policy_ambiguous"] == labels["situation"].isin(AMBIGUOUS)).all()
    assert labels["in_household"][labels["situation"].str.startswith("resident")].all()
    assert not labels["in_household"][labels["situation"].str.startswith("borrower")].any()
    assert labels["in_household"][labels["policy_ambiguous"]].all()


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_product_reads_a_world_and_its_truth(worlds: dict[str, World], kind: str) -> None:
    import pyarrow as pa

    world = worlds[kind]
    sessions = read_sessions(world["sessions"])
    truth = name_sessions(pa.table(world["truth"]), pa.table(world["sessions"]))
    aligned = align_truth(sessions, truth)

    assert len(sessions) > 0.97 * len(world["sessions"])
    assert aligned.at_home is not None
    assert 0.5 < aligned.at_home.mean() < 0.95
    if kind != "messy":
        assert len(sessions) == len(world["sessions"])


def test_addresses_are_of_real_operators(france: World) -> None:
    enriched = enrich(read_sessions(france["sessions"].drop(columns="asn")))
    kinds = np.array(CONNECTION_TYPES)[enriched.connection]

    assert set(france["sessions"]["asn"].dropna()) <= set(enriched.asn.tolist())
    assert (kinds == "residential").mean() > 0.8
    assert {"cellular", "hosting", "business", "school"} <= set(kinds)


def test_every_situation_occurs(worlds: dict[str, World], france: World) -> None:
    seen = [world["labels"]["situation"] for world in (*worlds.values(), france)]
    assert set(pd.concat(seen)) == SITUATIONS


def test_outsiders_are_as_frequent_as_surveys_say(worlds: dict[str, World], france: World) -> None:
    for world in (*worlds.values(), france):
        honest = world["labels"].groupby("account_id")["in_household"].all()
        assert 0.1 < 1.0 - honest.mean() < 0.45
        assert 0.05 < 1.0 - world["labels"]["in_household"].mean() < 0.35


def test_watching_is_as_the_table_of_facts_has_it(france: World) -> None:
    sessions = france["sessions"]
    fixed = sessions["device_type"].isin([*FIXED_DEVICE_TYPES, "streaming_stick"])
    minutes = sessions["duration_s"] / 60.0
    local = sessions["started_at"] + pd.to_timedelta(sessions["utc_offset_min"].astype(int), "min")
    hour = local.dt.hour

    assert 0.45 < fixed.mean() < 0.65
    assert 0.65 < minutes[fixed].sum() / minutes.sum() < 0.85
    assert minutes[fixed].mean() == pytest.approx(28.7, rel=0.1)
    assert minutes[sessions["device_type"] == "phone"].mean() == pytest.approx(8.6, rel=0.1)
    assert 1.5 < len(sessions) / 500 / 60 < 3.5
    assert 0.1 < (hour < 6).mean() < 0.2
    assert hour.value_counts().idxmax() in (20, 21, 22)
    assert 2.0 < len(france["labels"]) / 500 < 9.0


def test_large_accounts_touch_many_networks(france: World) -> None:
    plays = france["sessions"].groupby("account_id")["ip"].agg(["size", "nunique"])
    large = plays[plays["size"] > plays["size"].quantile(0.8)]

    assert 0.1 < (large["nunique"] / large["size"]).median() < 0.8


def test_networks_of_many_are_shared_and_homes_are_not(france: World) -> None:
    rows = told(france)
    sharers = rows.groupby("ip")["account_id"].nunique()
    shared = rows.assign(shared=rows["ip"].map(sharers) > 1).groupby("place_kind")["shared"].mean()

    assert shared["hotel"] > 0.4
    assert shared["work"] > 0.4
    assert shared["dwelling"] < 0.35
    # kin's homes are those of other accounts too
    lines = rows[rows["line_id"] >= 0].groupby("line_id")["account_id"].nunique()
    assert (lines > 1).sum() > 10


def test_a_carrier_nat_gathers_accounts(worlds: dict[str, World]) -> None:
    def accounts(kind: str) -> float:
        rows = told(worlds[kind])
        four = rows[(rows["line_id"] >= 0) & ~rows["ip"].str.contains(":")]
        return float((four.groupby("ip")["account_id"].nunique() > 1).mean())

    assert accounts("carrier_nat") > 2.0 * accounts("daily_renumbering")


def test_lines_are_renumbered_by_the_day_where_that_is_the_rule(worlds: dict[str, World]) -> None:
    def held(kind: str) -> float:
        rows = told(worlds[kind])
        four = rows[rows["at_home"] & (rows["line_id"] >= 0) & ~rows["ip"].str.contains(":")]
        lives = four.groupby(["line_id", "ip"])["started_at"].agg(["min", "max"])
        return float((lives["max"] - lives["min"]).dt.days.median())

    assert held("daily_renumbering") == 0.0
    own = told(worlds["us"])
    four = own[own["at_home"] & (own["line_id"] >= 0) & ~own["ip"].str.contains(":")]
    assert (four.groupby("line_id")["ip"].nunique() <= 4).mean() > 0.5


def test_borrowers_live_elsewhere_and_those_who_tunnel_are_seen_at_home(
    worlds: dict[str, World],
) -> None:
    rows = told(worlds["evaders"])
    far = rows[rows["situation"] == "borrower_far"]
    tunnel = rows[rows["situation"] == "borrower_vpn_through_home"]
    home_lines = rows[rows["at_home"] & (rows["line_id"] >= 0)].groupby("account_id")["line_id"]
    seen = tunnel["account_id"].map(home_lines.agg(set))

    assert far["at_home"].mean() < 0.1
    assert len(tunnel) > 0
    inside = [line in lines for line, lines in zip(tunnel["line_id"], seen, strict=True)]
    assert np.mean(inside) > 0.7
    assert tunnel["at_home"].mean() < 0.2


def test_a_mess_is_a_mess(worlds: dict[str, World]) -> None:
    sessions = worlds["messy"]["sessions"]
    clean = worlds["us"]["sessions"]

    assert sessions[["duration_s", "asn", "device_type", "country"]].isna().mean().min() > 0.1
    assert clean[["duration_s", "ip", "device_type", "country"]].notna().all(axis=None)
    assert sessions.duplicated(["account_id", "device_id", "started_at"]).mean() > 0.01
    assert sessions["ip"].str.startswith("::ffff:").any()
    assert "utc_offset_min" not in sessions


def test_a_number_draws_the_rates_anew() -> None:
    drawn = [rates_of(f"carrier_nat~{number}") for number in range(20)]

    assert len({one.sharing for one in drawn}) == 20
    assert all(0.1 <= one.sharing <= 0.45 for one in drawn)
    assert all(one.nat is not None and one.nat >= 0.6 for one in drawn)
    assert rates_of("carrier_nat~3") == drawn[3] != KINDS["carrier_nat"]


@pytest.mark.parametrize("kind", ["mars", "fr~", "fr~x", "~3"])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    with pytest.raises(ParameterError, match="a kind of world must be one of fr, us"):
        make_world(kind, 10, 10, 1)


def test_a_world_without_accounts_or_time_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"accounts must be at least 1(.|\n)*days must be"):
        make_world("fr", 0, 3, 1)


def test_it_owes_nothing_to_the_other_simulators() -> None:
    imported = [
        str(node.module)
        for path in PACKAGE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and ".simulation" in str(node.module)
    ]
    assert imported
    assert all(".third_hand" in name for name in imported)
