"""axe-core in a real Chromium: what it finds on a page."""

from __future__ import annotations

import html
import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

#: Names under which Chromium is found.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")

#: Packages that carry axe-core, the newest first; none of them is imported.
CARRIERS = ("axe_playwright_python", "axe_core_python")

_RUN = """<script>axe.run(document, {}).then(found => {
const told = document.createElement("pre");
told.id = "axe-found";
told.textContent = JSON.stringify({
  version: axe.version, passes: found.passes.length,
  violations: found.violations.map(each => [each.id, each.nodes.map(node => node.html)])});
document.body.replaceChildren(told);
});</script>"""


def find_axe() -> Path:
    """The file of axe-core; the lock holds a package that carries it."""
    for name in CARRIERS:
        spec = importlib.util.find_spec(name)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            script = Path(place) / "axe.min.js"
            if script.is_file():
                return script
    pytest.fail(f"axe-core is not installed, none of {', '.join(CARRIERS)}: make venv")


def find_browser() -> str:
    """Chromium, or a skip that says why there is none."""
    for name in BROWSERS:
        found = shutil.which(name)
        if found is not None:
            return found
    pytest.skip(f"no Chromium is installed: none of {', '.join(BROWSERS)}")


def run_axe(page: Path, folder: Path) -> dict[str, Any]:
    """What axe finds on a page: its version, how many rules passed, and what violates others."""
    axe, browser = find_axe().read_text(encoding="utf-8"), find_browser()
    checked = folder / f"checked-{page.name}"
    text = page.read_text(encoding="utf-8")
    assert text.count("</body>") == 1
    checked.write_text(text.replace("</body>", f"<script>{axe}</script>{_RUN}</body>"), "utf-8")
    ended = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=30000", "--dump-dom",
            checked.as_uri(),
        ],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    told = re.search(r'<pre id="axe-found">(.*?)</pre>', ended.stdout, flags=re.DOTALL)
    assert told is not None, ended.stderr[-2000:]
    found: dict[str, Any] = json.loads(html.unescape(told[1]))
    return found


def assert_accessible(page: Path, folder: Path) -> None:
    """Axe looked at a page, and finds nothing to complain about."""
    found = run_axe(page, folder)
    assert found["passes"] > 20
    assert found["violations"] == []
