import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from household_ml.errors import (
    ModelFeaturesError,
    ModelFormatError,
    ModelIntegrityError,
    ModelNotFoundError,
)
from household_ml.modeling.calibration import Calibration
from household_ml.modeling.classifier import ClassifierConfig, fit_classifier
from household_ml.modeling.model import HouseholdModel, _json, _sha256
from household_ml.modeling.thresholds import Thresholds
from household_ml.modeling.trees import Trees

NAMES = ("home_days", "away_days", "overlap")


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(600, 3))
    values[rng.random(values.shape) < 0.1] = np.nan
    return values


@pytest.fixture(scope="module")
def model(values):
    y = (np.nan_to_num(values[:, 0]) > np.nan_to_num(values[:, 1])).astype(float)
    fitted = fit_classifier(values, y, monotone=[1, -1, 0], config=ClassifierConfig(trees=20))
    return HouseholdModel(
        name="household",
        version="1.2",
        feature_names=NAMES,
        monotone=(1, -1, 0),
        trees=Trees.from_estimator(fitted),
        calibration=Calibration((0.0,), (0.1,), (0.9, 1.1), 0.8),
        thresholds=Thresholds(0.05, 0.8),
        manifest={"seed": 0, "simulated": True},
        metrics={"pr_auc": 0.5},
        card="# Card\n",
    )


@pytest.fixture
def saved(model, tmp_path):
    return model.save(tmp_path / "model", attachments={"networks.parquet": b"snapshot"})


def test_a_loaded_model_answers_the_same(model, saved, values):
    again = HouseholdModel.load(saved, catalogue=NAMES)
    assert np.array_equal(again.probability(values), model.probability(values))
    assert np.array_equal(again.contributions(values), model.contributions(values))
    assert again.digest == model.digest
    assert again.label == model.label
    assert (again.manifest, again.metrics, again.card) == (
        model.manifest,
        model.metrics,
        model.card,
    )
    assert (again.thresholds, again.calibration) == (model.thresholds, model.calibration)


def test_the_same_model_is_the_same_bytes(model, saved, tmp_path):
    other = HouseholdModel.load(saved).save(
        tmp_path / "other", attachments={"networks.parquet": b"snapshot"}
    )
    assert sorted(path.name for path in other.iterdir()) == [
        "card.md",
        "manifest.json",
        "metrics.json",
        "networks.parquet",
        "trees.npz",
    ]
    for path in saved.iterdir():
        assert path.read_bytes() == (other / path.name).read_bytes(), path.name


def test_the_digest_covers_answers_and_nothing_else(model):
    from dataclasses import replace

    assert replace(model, card="other", metrics=None, manifest={}).digest == model.digest
    assert replace(model, name="b", version="9").digest == model.digest
    assert replace(model, thresholds=Thresholds(0.04, 0.8)).digest != model.digest
    assert replace(model, monotone=(1, 0, 0)).digest != model.digest


def test_saving_over_an_earlier_model_replaces_it(model, saved, values):
    from dataclasses import replace

    replace(model, version="2").save(saved)
    assert HouseholdModel.load(saved).version == "2"


def test_probability_is_the_calibrated_sum_of_contributions(model, values):
    log_odds = model.trees.base + model.contributions(values).sum(axis=1)
    np.testing.assert_allclose(log_odds, model.log_odds(values), rtol=0, atol=1e-9)
    np.testing.assert_allclose(model.calibration.probability(log_odds), model.probability(values))


def test_columns_are_found_by_name(model):
    assert model.columns(["overlap", "x", "away_days", "home_days"]).tolist() == [3, 2, 0]
    with pytest.raises(ModelFeaturesError, match="must be in the catalogue, got away_days"):
        model.columns(["overlap", "home_days"])


def test_nothing_there(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"must hold manifest\.json, got none in"):
        HouseholdModel.load(tmp_path)


@pytest.mark.parametrize("content", ["", "[1]", '{"name": "sklearn"}', "\x00\x01"])
def test_a_foreign_folder(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ModelFormatError, match="must be the manifest of a household-ml model"):
        HouseholdModel.load(tmp_path)


def test_another_format(saved):
    path = saved / "manifest.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 3'))
    with pytest.raises(ModelFormatError, match=r"got format 3\. This version reads format 2"):
        HouseholdModel.load(saved)


@pytest.mark.parametrize("name", ["trees.npz", "metrics.json", "card.md", "networks.parquet"])
def test_a_missing_a_short_and_a_changed_file(saved, name):
    path = saved / name
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(ModelIntegrityError, match=rf"{name} must be as .* bytes, not"):
        HouseholdModel.load(saved)
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(ModelIntegrityError, match=rf"{name} must be as .* other bytes"):
        HouseholdModel.load(saved)
    path.unlink()
    with pytest.raises(ModelIntegrityError, match=rf"{name} must be as .* no such file"):
        HouseholdModel.load(saved)


def test_all_damage_is_told_together(saved):
    (saved / "trees.npz").unlink()
    (saved / "card.md").write_text("better")
    with pytest.raises(ModelIntegrityError, match=r"trees\.npz") as caught:
        HouseholdModel.load(saved)
    assert len(caught.value.problems) == 2


def test_an_edited_manifest(saved):
    path = saved / "manifest.json"
    path.write_text(path.read_text().replace('"version": "1.2"', '"version": "9.9"'))
    with pytest.raises(ModelIntegrityError, match="other content than was sealed"):
        HouseholdModel.load(saved)


def sealed(saved, **changes):
    path = saved / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest.pop("seal")
    manifest.update(changes)
    manifest["seal"] = _sha256(_json(manifest))
    path.write_bytes(_json(manifest))


def test_answers_edited_and_sealed_anew(saved):
    sealed(saved, thresholds={"outside_at": 0.5, "household_at": 0.6, "bounds": []})
    with pytest.raises(ModelIntegrityError, match="another digest than its own"):
        HouseholdModel.load(saved)


def test_a_file_outside_the_folder_is_not_read(saved, tmp_path):
    (tmp_path / "secret").write_bytes(b"x")
    manifest = json.loads((saved / "manifest.json").read_bytes())
    files = manifest["files"] | {"../secret": {"sha256": _sha256(b"x"), "bytes": 1}}
    sealed(saved, files=files)
    with pytest.raises(ModelIntegrityError, match="secret must be as"):
        HouseholdModel.load(saved)


def test_features_that_cannot_be_built_here(saved):
    with pytest.raises(ModelFeaturesError, match="must be in the catalogue, got overlap"):
        HouseholdModel.load(saved, catalogue=["home_days", "away_days"])


def test_names_and_directions_must_fit_the_trees(model):
    from dataclasses import replace

    with pytest.raises(ModelFormatError, match="must name its columns and the directions of 3"):
        replace(model, feature_names=("a", "b"))
    with pytest.raises(ModelFormatError, match="must be unique"):
        replace(model, feature_names=("a", "a", "b"))


def test_adapting_to_a_population_changes_probabilities_and_no_answer(model, values):
    adapted, shift = model.adapted_to(values)
    before = model.thresholds.calls(model.probability(values))
    assert np.array_equal(adapted.thresholds.calls(adapted.probability(values)), before)
    assert adapted.calibration.prevalence == shift.prevalence
    assert np.sign(adapted.probability(values) - model.probability(values)).sum() != 0


def test_loading_needs_no_scikit_learn(saved):
    code = (
        "import sys; from household_ml.modeling.model import HouseholdModel; "
        f"HouseholdModel.load({str(saved)!r}); "
        "assert not {'sklearn', 'scipy.optimize', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_copied_folder_loads(saved, tmp_path):
    copied = shutil.copytree(saved, tmp_path / "elsewhere")
    assert HouseholdModel.load(copied).version == "1.2"
