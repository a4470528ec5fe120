"""Carry the table of networks and the default model inside the wheel.

Everything else about the build stands in pyproject.toml.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

#: Folders of the repository that household_ml.resources finds under household_ml/_shipped.
SHIPPED = ("data/networks", "models/default")


class BuildWithResources(build_py):
    """The usual build, then the shipped folders; an editable install reads them in place."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for name in SHIPPED:
            source = Path(__file__).parent / name
            if source.is_dir():
                target = Path(self.build_lib) / "household_ml" / "_shipped" / name
                shutil.copytree(source, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithResources})
