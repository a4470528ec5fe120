"""The package as others install it: from a wheel, in another folder, with or without extras."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

import household_ml as package

ROOT = Path(__file__).parents[1]
VERSION = package.__version__
SOURCES = (
    "pyproject.toml",
    "setup.py",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "household_ml",
    "data/networks",
    "models/default",
)

#: What `pip install household-ml` without extras does not bring.
EXTRAS = (
    "duckdb",
    "fastapi",
    "httpx",
    "hypothesis",
    "jupytext",
    "maxminddb",
    "mlflow",
    "msgspec",
    "nbclient",
    "prometheus_client",
    "pydantic",
    "pyspark",
    "starlette",
    "uvicorn",
)

#: Modules and packages that are of use only with an extra, and which.
NEEDS = {
    "household_ml.serving.http": "serve",
    "household_ml.serving.pyfunc": "mlflow",
    "household_ml.serving.spark": "spark",
}

BLOCK = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def run(code: str, *, cwd: Path, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Python in another folder, the package coming from ``path``."""
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path)},
        check=False,
    )


def household_ml(*arguments: str) -> str:
    return f"{BLOCK}\nfrom household_ml.cli import main\nmain({list(arguments)!r})"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources, without a network."""
    copy = tmp_path_factory.mktemp("sources")
    unwanted = shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        source, target = ROOT / name, copy / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=unwanted)
        else:
            shutil.copy(source, target)
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(out), "."]
    subprocess.run(command, cwd=copy, check=True)
    (built,) = out.glob("*.whl")
    return built


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def below(folder: str, patterns: Sequence[str] = ("*",)) -> set[str]:
    paths = [path for pattern in patterns for path in (ROOT / folder).rglob(pattern)]
    return {str(path.relative_to(ROOT)) for path in paths if path.is_file()}


def test_the_wheel_carries_every_module_and_what_ships(wheel: Path) -> None:
    code = below("household_ml", ["*.py", "py.typed", "templates/*"])
    shipped = {f"household_ml/_shipped/{name}" for name in below("data/networks")}
    shipped |= {f"household_ml/_shipped/{name}" for name in below("models/default")}

    assert shipped
    assert (code | shipped) - names(wheel) == set()


def test_the_wheel_carries_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}

    assert {top.partition("-")[2] for top in tops} == {"", f"{VERSION}.dist-info"}
    assert [name for name in names(wheel) if "__pycache__" in name] == []


def test_an_unpacked_wheel_finds_its_data_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    zipfile.ZipFile(wheel).extractall(site)
    elsewhere.mkdir()
    done = run(
        "import household_ml\n"
        "from household_ml.resources import resource\n"
        "print(household_ml.__file__, resource('data/networks'), resource('models/default'))",
        cwd=elsewhere,
        path=site,
    )
    assert done.stderr == ""
    assert all(str(site) in path for path in done.stdout.split())


@pytest.mark.slow  # it compiles the kernel anew
def test_an_unpacked_wheel_scores_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    shutil.copytree(ROOT / "data" / "example", tmp_path / "example")
    code = household_ml(
        "score", "--sessions", "example/sessions.parquet", "--out", "scores.parquet"
    )
    done = run(code, cwd=tmp_path, path=site)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "scores.parquet").is_file()


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == VERSION
    assert f"## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_other_module_imports_without_extras(tmp_path: Path) -> None:
    modules = sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "household_ml").rglob("*.py")
        if path.name != "__main__.py"
    )
    code = (
        f"{BLOCK}\nimport importlib\n"
        f"for name in {[name for name in modules if not name.startswith(tuple(NEEDS))]!r}:\n"
        "    importlib.import_module(name)\n"
        "import household_ml\n"
        "for name in household_ml.__all__:\n"
        "    getattr(household_ml, name)\n"
    )
    assert run(code, cwd=tmp_path).stderr == ""


@pytest.mark.parametrize(
    "command",
    [
        "",
        "demo",
        "simulate",
        "networks",
        "features",
        "places",
        "train",
        "evaluate",
        "score",
        "serve",
    ],
)
def test_help_needs_no_extras(command: str, tmp_path: Path) -> None:
    done = run(household_ml(*filter(None, [command]), "--help"), cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: household-ml {command}".rstrip())


def test_a_command_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    done = run(household_ml("serve"), cwd=tmp_path)

    assert done.returncode == 1
    assert "household-ml[serve]" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_pip_installs_the_wheel_and_its_needs_in_an_empty_environment(
    wheel: Path, tmp_path: Path
) -> None:
    import venv

    shutil.copytree(ROOT / "data" / "example", tmp_path / "example")
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    install = [str(binaries / "python"), "-m", "pip", "install", "--quiet", str(wheel)]
    subprocess.run(install, check=True)
    for arguments in (
        ["--version"],
        ["score", "--sessions", "example", "--out", "scores.parquet"],
    ):
        command = [str(binaries / "household-ml"), *arguments]
        clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        subprocess.run(command, cwd=tmp_path, check=True, env=clean)

    assert (tmp_path / "scores.parquet").is_file()
