"""Cut addresses: the rows stay, the AS stays, and what is measured is laid out by cut."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from household_ml import read_sessions
from household_ml.errors import ParameterError
from household_ml.networks import enrich
from household_ml.scoring import HouseholdScorer
from household_ml.serving.datasets import read_labelled
from household_ml.serving.truncation import (
    CUTS,
    compute_truncation_cost,
    cut_sessions,
    plot_truncation_cost,
    told_cut,
)
from household_ml.sessions import Sessions

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def histories(sessions: pa.Table) -> Sessions:
    return read_sessions(sessions)


def test_a_cut_of_nothing_changes_no_address_and_gives_the_as(histories: Sessions) -> None:
    same = cut_sessions(histories, 32, 128)
    assert same.to_frame()["ip"].tolist() == histories.to_frame()["ip"].tolist()
    assert same.asn.tolist() == enrich(histories).asn.tolist()


@pytest.mark.parametrize(("v4_bits", "v6_bits"), CUTS[1:])
def test_ever_fewer_addresses_and_the_same_operators(
    histories: Sessions, v4_bits: int, v6_bits: int
) -> None:
    cut = cut_sessions(histories, v4_bits, v6_bits)
    assert cut.to_frame()["ip"].nunique() < histories.to_frame()["ip"].nunique()
    assert len(cut) + cut.reading.rejected.num_rows == len(histories)
    assert set(cut.reading.rejected_by_reason) <= {"duplicate"}
    assert set(np.unique(cut.asn)) == set(np.unique(enrich(histories).asn))


def test_a_cut_that_is_none_is_refused(histories: Sessions) -> None:
    with pytest.raises(ParameterError, match="v4_bits must be 0 to 32"):
        cut_sessions(histories, 33, 48)


def test_the_cost_is_laid_out_by_cut_and_drawn(scorer: HouseholdScorer, world_folder: Path) -> None:
    data = read_labelled(world_folder)
    found = compute_truncation_cost(scorer.model, data, [(32, 128), (0, 0)], replicates=10)
    assert found["kept"].tolist() == ["whole", "AS alone"]
    assert found["pr_auc"].iloc[0] > found["pr_auc"].iloc[1]
    for name in ("pr_auc", "found_at_1_percent", "false_flags", "answered"):
        assert (found[f"{name}_low"] <= found[name]).all()
        assert (found[name] <= found[f"{name}_high"]).all()
    axes = plot_truncation_cost(found)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["whole", "AS alone"]


def test_the_table_of_the_readme_has_every_cut() -> None:
    _, rest = README.split("<!-- truncation: make truncation writes what stands here -->")
    told = re.findall(r"^\| (\w+) \| ([^|]+) \|", rest.split("<!-- end")[0], flags=re.MULTILINE)
    rows = [kept for world, kept in told if world == "fr"]
    assert rows == [told_cut(*cut) for cut in CUTS]
