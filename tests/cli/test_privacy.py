"""Keys, pseudonyms, erasure and retention from the command line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from household_ml.sessions.keys import Keys
from tests.cli.test_cli import call

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "data" / "example"
COUNTRIES = ["account_id", "device_id"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with and without pseudonyms, each scored by the default model."""
    made = tmp_path_factory.mktemp("privacy")
    assert call("keys", "--keys", made / "keys") == 0
    hide = ["anonymise", "--sessions", EXAMPLE / "sessions.parquet", "--keys", made / "keys"]
    labels = ["--table", EXAMPLE / "labels.parquet", made / "labels.parquet"]
    assert call(*hide, *labels, "--out", made / "hidden.parquet") == 0
    for source, name in ((EXAMPLE / "sessions.parquet", "open"), (made / "hidden.parquet", "kept")):
        assert call("score", "--sessions", source, "--out", made / f"{name}.parquet") == 0
    return made


def pseudonym(folder: Path, kind: str, value: str) -> str:
    return Keys.load(folder / "keys").pseudonyms.all_of(kind, value)[-1]


def test_scores_are_equal_on_anonymised_data(folder: Path) -> None:
    plain, hidden = (pd.read_parquet(folder / f"{name}.parquet") for name in ("open", "kept"))
    for column in ("account_id", "device_id"):
        names = {value: pseudonym(folder, column, value) for value in plain[column].unique()}
        plain[column] = plain[column].map(names)
    ordered = [
        frame.sort_values(["account_id", "device_id"], ignore_index=True)
        for frame in (plain, hidden)
    ]

    pd.testing.assert_frame_equal(*ordered, check_exact=False, rtol=0, atol=1e-9)


def test_no_id_and_no_address_is_left(folder: Path) -> None:
    given = pd.read_parquet(EXAMPLE / "sessions.parquet")
    hidden = pd.read_parquet(folder / "hidden.parquet")
    for column in ("account_id", "device_id", "ip"):
        assert not set(given[column]) & set(hidden[column])


def test_labels_join(folder: Path) -> None:
    hidden, labels = (pd.read_parquet(folder / f"{name}.parquet") for name in ("kept", "labels"))
    assert len(hidden.merge(labels, on=["account_id", "device_id"])) == len(hidden)


def test_keys_rotate_and_are_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys"
    assert [call("keys", "--keys", path) for _ in range(2)] == [0, 2]
    assert "must be a file that does not exist yet" in capsys.readouterr().err
    first = Keys.load(path)
    assert call("keys", "--keys", path, "--rotate") == 0
    assert Keys.load(path).secrets[:1] == first.secrets
    assert call("keys", "--keys", path, "--rotate", "--keep", 1) == 0
    assert len(Keys.load(path)) == 2
    assert first.secrets[0] not in Keys.load(path).secrets
    assert call("keys", "--keys", path, "--keep", 1) == 2


def test_keys_may_be_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("keys") == 2
    assert "neither --keys nor HOUSEHOLD_ML_KEYS" in capsys.readouterr().err
    monkeypatch.setenv("HOUSEHOLD_ML_KEYS", str(tmp_path / "keys"))
    assert call("keys") == 0
    assert len(Keys.load(tmp_path / "keys")) == 1


def test_an_account_is_erased_under_its_id_and_under_every_key(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account = pd.read_parquet(folder / "open.parquet")["account_id"].iloc[0]
    for name in ("open", "kept", "hidden"):
        (tmp_path / f"{name}.parquet").write_bytes((folder / f"{name}.parquet").read_bytes())
    (tmp_path / "keys").write_bytes((folder / "keys").read_bytes())
    assert call("keys", "--keys", tmp_path / "keys", "--rotate") == 0
    assert call("erase", "--account", account, "--keys", tmp_path / "keys", tmp_path) == 0

    names = {account, pseudonym(folder, "account_id", account)}
    for name in ("open", "kept", "hidden"):
        left = pd.read_parquet(tmp_path / f"{name}.parquet")
        assert len(left) > 0
        assert not set(left["account_id"]) & names
    assert "rows removed from 4 files" in capsys.readouterr().out


def test_old_scores_expire(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = pd.read_parquet(folder / "open.parquet")
    (tmp_path / "open.parquet").write_bytes((folder / "open.parquet").read_bytes())
    as_of = (scores["as_of"].iloc[0] + pd.Timedelta(days=31)).isoformat()
    arguments = ["retain", "--as-of", as_of, tmp_path / "open.parquet"]

    assert call(*arguments, "--days", 31) == 0
    assert len(pd.read_parquet(tmp_path / "open.parquet")) == len(scores)
    assert call(*arguments, "--days", 30, "--dry-run") == 0
    assert f"{len(scores):,} rows would be removed from 1 files" in capsys.readouterr().out
    assert call(*arguments, "--days", 30) == 0
    assert not (tmp_path / "open.parquet").exists()


def test_another_table_must_be_one(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip # noqa: E501
    (tmp_path / "notes.json").write_text("{}")
    hide = ["anonymise", "--sessions", EXAMPLE / "sessions.parquet", "--keys", folder / "keys"]
    table = ["--table", tmp_path / "notes.json", tmp_path / "out.parquet"]
    assert call(*hide, *table, "--out", tmp_path / "hidden.parquet") == 2
    assert "--table must be a Parquet, CSV or Arrow file" in capsys.readouterr().err
