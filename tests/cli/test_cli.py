"""The command line: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from household_ml import __version__
from household_ml.cli import COMMANDS, household_ml, main
from household_ml.cli.failures import run
from household_ml.errors import MissingDependencyError, Problem
from household_ml.schema import PLACES
from household_ml.scoring import HouseholdScorer, score_schema
from household_ml.serving.batch import read_scores
from household_ml.sessions import SessionsWarning


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    code = ended.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture(scope="module")
def sessions_path(sessions: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "sessions.parquet"
    pq.write_table(sessions, path)
    return path


def command(name: str) -> object:
    found = household_ml.get_command(household_ml.make_context("household-ml", ["demo"]), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(name, "--help") == 0
    out = capsys.readouterr().out
    assert f"Usage: household-ml {name}" in out
    assert "Examples:" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_use_options_that_there_are(name: str) -> None:
    examples = " ".join(line.rstrip("\\") for line in command(name).examples)  # type: ignore[attr-defined]
    calls = re.split(r"(?=household-ml )", examples)
    assert any(name in line.split() for line in calls)
    for line in calls:
        words = shlex.split(line.split(" curl ")[0])
        if len(words) < 2 or words[0] != "household-ml":
            continue
        known = {opt for param in command(words[1]).params for opt in param.opts}  # type: ignore[attr-defined]
        assert {word for word in words if word.startswith("--")} <= known


def test_the_commands_of_the_contract_and_their_order() -> None:
    expected = "demo simulate networks features places train evaluate score serve".split()
    assert [name for name in COMMANDS if name in expected] == expected
    assert list(COMMANDS)[-1] == "train-default"


def test_the_short_help_agrees_with_the_command() -> None:
    for name in COMMANDS:
        assert command(name).name == name  # type: ignore[attr-defined]


def test_version_and_module(capfd: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert __version__ in capfd.readouterr().out
    ended = subprocess.run(
        [sys.executable, "-m", "household_ml", "--version"], capture_output=True, check=True
    )
    assert __version__ in ended.stdout.decode()


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from household_ml.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('numpy', 'pandas', 'pyarrow', 'numba', 'mlflow') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ended.stdout.decode().splitlines()[-1] == "[]"


def test_score_writes_what_the_scorer_gives(
    sessions_path: Path,
    model_folder: Path,
    scorer: HouseholdScorer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "scores.parquet"
    assert call("score", "--sessions", sessions_path, "--model", model_folder, "--out", out) == 0
    told = capsys.readouterr()
    assert read_scores(out).schema.equals(score_schema())
    assert read_scores(out).equals(scorer.score_table(sessions_path))
    assert scorer.model_label in told.out
    assert " used, 0 rejected." in told.err


def test_score_as_of_with_networks_and_accounts(
    sessions_path: Path, model_folder: Path, scorer: HouseholdScorer, tmp_path: Path
) -> None:
    networks, accounts, out = (tmp_path / n for n in ("n.parquet", "accounts.csv", "s.csv"))
    assert call("networks", "--sessions", sessions_path, "--out", networks) == 0
    ids = pd.read_parquet(sessions_path)["account_id"].unique()
    pd.DataFrame({"account_id": ids, "extra_members": 2}).to_csv(accounts, index=False)
    given = ("--networks", networks, "--accounts", accounts, "--as-of", "2023-10-10T20:00Z")
    base = ("score", "--sessions", sessions_path, "--model", model_folder, "--out", out)
    assert call(*base, *given) == 0
    expected = scorer.score_table(
        sessions_path, networks=networks, accounts=accounts, as_of="2023-10-10T20:00Z"
    )
    assert read_scores(out).equals(expected)


def test_a_few_devices_are_listed_with_their_first_reason(
    sessions: pa.Table, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = sessions.to_pandas()
    alone = frame[frame["account_id"] == frame["account_id"][0]]
    alone.to_csv(tmp_path / "one.csv", index=False)
    out, model = tmp_path / "one-scores.csv", ("--model", model_folder)
    assert call("score", "--sessions", tmp_path / "one.csv", *model, "--out", out) == 0
    told = capsys.readouterr().out
    assert told.startswith("device")
    for device in alone["device_id"].unique():
        assert device in told


def test_an_export_is_scored_beside_the_answer_of_the_service(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    addresses = tmp_path / "export" / "IP_ADDRESSES"
    account = tmp_path / "export" / "ACCOUNT"
    addresses.mkdir(parents=True)
    account.mkdir()
    days = range(1, 21)
    rows = [f"TV-1,FR,TV,203.0.113.17,FR,2024-09-{day:02d} 20:15:00" for day in days]
    rows += [f"ST-2,FR,Stick,198.51.100.23,BRE,2024-09-{day:02d} 21:15:00" for day in days]
    head = "Esn,Country,Device Description,Ip,Region Code Display Name,Ts"
    (addresses / "IpAddressesStreaming.csv").write_text("\n".join([head, *rows]) + "\n")
    (account / "AccessAndDevices.csv").write_text(
        "Devices,Date,Esn,Part Of Netflix Household\n"
        "TV,2024-09-20 20:15:00,TV-1,Yes\nStick,2024-09-20 21:15:00,ST-2,No\n"
    )
    out = tmp_path / "scores.parquet"
    arguments = ("--sessions", tmp_path / "export", "--model", model_folder, "--out", out)
    assert call("score", *arguments) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0].split()[:4] == ["device", "probability", "verdict", "Netflix"]
    assert re.match(r"ST-2 .* no ", listed[1])
    assert re.match(r"TV-1 .* yes ", listed[2])


@pytest.mark.parametrize("name", ["score", "features"])
def test_a_damaged_file_among_many_is_told_at_the_end_and_the_rest_is_there(
    name: str,
    sessions: pa.Table,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOUSEHOLD_ML_MODEL", str(model_folder))
    source, out = tmp_path / "in", tmp_path / "out.parquet"
    source.mkdir()
    half = sessions.num_rows // 2
    pq.write_table(sessions.slice(0, half), source / "a.parquet")
    pq.write_table(sessions.slice(half), source / "b.parquet")
    (source / "b.parquet").write_bytes((source / "b.parquet").read_bytes()[:-9])
    assert call(name, "--sessions", source, "--out", out) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith(f"household-ml: format: {source / 'b.parquet'} must be a whole")
    assert f"{half:,} rows in".replace(",", "") in " ".join(said).replace(",", "")
    assert pq.read_table(out).num_rows > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.parquet"]


def test_rejected_rows_are_counted_and_written(
    sessions: pa.Table, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = sessions.to_pandas().astype({"ip": "object"})
    frame.loc[:4, "ip"] = "nonsense"
    frame.to_parquet(tmp_path / "some.parquet")
    arguments = ("--sessions", tmp_path / "some.parquet", "--rejected", tmp_path / "bad.csv")
    assert call("places", *arguments, "--out", tmp_path / "places.parquet") == 0
    assert "5 rejected (5 ip_invalid)" in capsys.readouterr().err
    assert len(pd.read_csv(tmp_path / "bad.csv")) == 5


def test_features_and_places(sessions_path: Path, tmp_path: Path) -> None:
    assert call("features", "--sessions", sessions_path, "--out", tmp_path / "f.parquet") == 0
    assert call("places", "--sessions", sessions_path, "--out", tmp_path / "p.csv") == 0
    features = pd.read_parquet(tmp_path / "f.parquet")
    devices = pd.read_parquet(sessions_path)[["account_id", "device_id"]].drop_duplicates()
    assert len(features) == len(devices)
    assert tuple(pd.read_csv(tmp_path / "p.csv").columns) == PLACES.names


def test_simulate_compares_its_world_with_published_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = tmp_path / "world"
    assert call("simulate", "--out", world, "--accounts", 20, "--days", 10, "--check") == 0
    told = capsys.readouterr().out
    assert "distinct addresses in 142 rows" in told
    assert "69" in told


def test_simulate_train_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, model = tmp_path / "world", tmp_path / "model"
    assert call("simulate", "--out", world, "--accounts", 120, "--days", 30) == 0
    assert call("train", "--data", world, "--out", model, "--model-version", "9") == 0
    told = capsys.readouterr().out
    assert "household 9 " in told
    assert "no threshold qualifies" in told
    report, metrics = tmp_path / "report.html", tmp_path / "metrics.json"
    arguments = ("--data", world, "--model", model, "--out", report, "--json", metrics)
    assert call("evaluate", *arguments) == 0
    assert "other address than usual" in capsys.readouterr().out
    found = json.loads(metrics.read_text())
    assert found["worlds"][0]["evaluation"]["counts"]["accounts"] > 100
    assert report.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["score"], "usage: Missing option"),
        (["nonsense"], "usage: No such command 'nonsense'"),
        (["score", "--engine", "abacus", "--sessions", "s", "--out", "o.csv"], "usage: Invalid"),
        (["score", "--sessions", "none.parquet", "--out", "s.parquet"], "must"),
        (["score", "--sessions", "{s}", "--out", "s.txt"], "parameter: the output must be a .par"),
        (["score", "--sessions", "{s}", "--out", "none/s.csv"], "parameter: the output must be a"),
        (["score", "--sessions", "{s}", "--out", "s.csv", "--as-of", "soon"], "parameter: a time"),
        (["score", "--sessions", "{s}", "--out", "s.csv", "--as-of", "1999-01-01"], "no_sessions:"),
        (["score", "--sessions", "{s}", "--out", "s.csv", "--networks", "none"], "networks: "),
        (["score", "--sessions", "{s}", "--out", "s.csv", "--accounts", "none"], "format: the acc"),
        (["score", "--sessions", "{s}", "--out", "s.csv", "--rejected", "none/r.csv"], "parameter"),
        (
            ["score", "--sessions", "{s}", "--out", "o", "--engine", "spark", "--rejected", "r"],
            "parameter: --rejected must be left out with --engine spark",
        ),
        (["train", "--data", "none", "--out", "m"], "format: the data must be a folder"),
        (["evaluate", "--data", "none", "--json", "m.txt"], "parameter: the output must be a .js"),
        (["simulate", "--out", "w", "--world", "atlantis"], "parameter: "),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    arguments: list[str],
    told: str,
    sessions_path: Path,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOUSEHOLD_ML_MODEL", str(model_folder))
    assert call(*(argument.format(s=sessions_path) for argument in arguments)) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if " rows in, " not in line]
    assert len(said) == 1
    assert said[0].startswith("household-ml: ")
    assert told in said[0]


def test_a_model_that_is_not_there(
    sessions_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "s.csv"
    arguments = ("--sessions", sessions_path, "--model", tmp_path / "none", "--out", out)
    assert call("score", *arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("household-ml: model_not_found: a model must be a folder or an MLflow")
    assert said.count("\n") == 1


def fail(error: BaseException) -> tuple[int, str]:
    def program() -> None:
        raise error

    err = io.StringIO()
    return run(program, stderr=err), err.getvalue()


def test_the_other_exit_codes() -> None:
    missing = MissingDependencyError(Problem("x must be there", "none", "Install it."))
    assert fail(missing) == (1, f"household-ml: missing_dependency: {missing}\n")
    code, said = fail(ZeroDivisionError("two\nlines"))
    assert (code, said.count("\n")) == (1, 1)
    assert "internal: ZeroDivisionError: two lines" in said
    assert fail(KeyboardInterrupt())[0] == 130


def test_debug_shows_the_traceback() -> None:
    def program() -> None:
        raise ZeroDivisionError("shown")

    with pytest.raises(ZeroDivisionError, match="shown"):
        run(program, debug=True)


def test_a_warning_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    import warnings

    def program() -> None:
        warnings.simplefilter("always")
        warnings.warn("mind\nthis", SessionsWarning, stacklevel=1)

    with warnings.catch_warnings():
        run(program)
    assert capsys.readouterr().err == "household-ml: warning: mind this\n"


def test_demo_goes_the_whole_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert call("demo", "--out", tmp_path / "demo", "--accounts", 200) == 0
    told = capsys.readouterr().out
    assert "Accounts it has not seen (fr)" in told
    assert "A world it was not trained on (us)" in told
    assert "other address than usual" in told
    assert "scored by models:/household@champion" in told
    assert "open file://" in told
    for name in ("report.html", "scores.parquet", "model/manifest.json"):
        assert (tmp_path / "demo" / name).is_file()


def test_demo_without_mlflow_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert call("demo", "--out", tmp_path / "demo", "--accounts", 200) == 0
    told = capsys.readouterr()
    assert "not registered: MLflow must be installed" in told.err
    assert f"scored by {tmp_path / 'demo' / 'model'}" in told.out
