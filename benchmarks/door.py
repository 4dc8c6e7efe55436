"""The first minute: a report of a checkpoint, the wheel, the help, the first page.

    python -m benchmarks.door --json benchmarks/results/door.json --commits 06b8b11a 8b5480b9 090efa3a

The report is of 2,000 drawings and a ResNet-18 with random weights: what takes long does not depend on the weights. The
wheel is tried as CI tries it (.ci/wheel.py). ``--commits``: those whose added lines of production code are counted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import torch

from benchmarks.browser import chromium, opened
from slim_core.data.sets.demo_set import write_set
from slim_core.data.sets.pictures import Charts
from slim_core.models.build import build

ROOT = Path(__file__).parents[1]
SLIM = str(Path(sys.executable).with_name("slim"))
PRODUCTION = ("app", "slim_core", "workers")
WITHOUT = "tests/slim_core/test_without_unix.py::test_every_module_imports"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = reported(Path(folder)) | wheel(Path(folder)) | first_page(Path(folder))
    found["help_s"] = min(_seconds([SLIM, "--help"]) for _ in range(3))
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", WITHOUT]
    found["imports_without_fcntl"] = subprocess.run(tests, cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0
    found["lines_added"] = sum(map(_lines_added, given.commits)) if given.commits else None
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


def reported(folder: Path) -> dict[str, Any]:
    """Seconds and size of a report, in a home of its own."""
    write_set(folder / "drawn", Charts(train=1200, val=300, test=500))
    torch.save(build("resnet18", 2, weights="none").net.state_dict(), folder / "resnet18.pt")
    html = folder / "report.html"
    seconds = _seconds([SLIM, "report", "resnet18.pt", "drawn", "--html", str(html)], folder)
    return {"report_s_2000": round(seconds, 1), "report_mb": round(html.stat().st_size / 1e6, 1)}


def wheel(folder: Path) -> dict[str, Any]:
    """Its size and top-level names, and whether a demo and a report end that start from it."""
    sys.path.insert(0, str(ROOT / ".ci"))
    import wheel as ci

    built = ci.built(Path(sys.executable), folder)
    ended = subprocess.run([sys.executable, ROOT / ".ci" / "wheel.py", sys.prefix], cwd=ROOT, stdout=subprocess.DEVNULL)
    return {
        "wheel_mb": round(built.stat().st_size / 1e6, 1),
        "top_level": ci.top_level(built),
        "demo_from_wheel": ended.returncode == 0,
    }


def first_page(folder: Path) -> dict[str, Any]:
    """Seconds from the address to the heading of the first page, of a dashboard that has just started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    studio = subprocess.Popen([SLIM, "studio", "--port", str(port)], cwd=folder, env=_home(folder))
    try:
        while not _is_healthy(url):
            time.sleep(0.1)
        with chromium() as browser, opened(browser) as page:
            began = time.perf_counter()
            page.goto(url)
            page.locator("h1").first.wait_for()
            return {"first_page_s": round(time.perf_counter() - began, 2)}
    finally:
        studio.send_signal(signal.SIGINT)
        studio.wait()


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _home(folder: Path) -> dict[str, str]:
    return {**os.environ, "SLIM_HOME": str(folder / "home")}


def _seconds(command: list[str], folder: Path = ROOT) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=_home(folder), check=True, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - began, 2)


def _lines_added(commit: str) -> int:
    """Added minus removed lines of production Python, with the page's own files."""
    counted = ["git", "show", "--numstat", "--format=", commit, "--", *PRODUCTION]
    said = subprocess.run(counted, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    rows = [line.split("\t") for line in said.splitlines()]
    return sum(int(added) - int(removed) for added, removed, _ in rows if added != "-")


if __name__ == "__main__":
    main()
