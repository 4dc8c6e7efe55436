"""Do the newest packages that the ranges of requirements.txt allow pass, too?

    python3 .ci/newest.py .venv

Asks pip what it would install without constraints.txt. Where that is what constraints.txt names, the suite has run with
it. Else the packages that are newer go into a folder of their own, before those of the environment that is named, and
the tests run that need neither a browser nor a server, and take no seconds. Where the index does not answer it says so.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
ASKED = ("-r", "requirements.txt", "-r", "requirements-dev.txt")
TESTS = ("tests/slim_core", "tests/app", "-n", "2", "--dist", "loadfile", "-m")
FAST = "not browser and not redis and not slow"  # those that open a page take as long again
PAGES = ("streamlit", "plotly")  # whose newer version they are run with
# Not in constraints.txt: builds that belong to a machine (CPU, CUDA), and what belongs to the environment.
FREE = re.compile(r"torch|torchvision|triton|nvidia-.*|cuda-.*|pip|setuptools")


def pinned(text: str) -> dict[str, str]:
    """Name -> version, of a constraints file."""
    lines = [line.split("==") for line in text.splitlines() if "==" in line and not line.startswith("#")]
    return {_canonical(name): version.strip() for name, version in lines}


def newer(report: Mapping[str, object], tested: Mapping[str, str]) -> dict[str, str]:
    """What pip's report would install in another version than the tested one, or beside them."""
    found = {_canonical(one["metadata"]["name"]): one["metadata"]["version"] for one in report["install"]}
    return {
        name: version for name, version in found.items() if not FREE.fullmatch(name) and tested.get(name) != version
    }


def main(environment: Path) -> int:
    """0 where nothing is newer, where the newest pass, or where nobody could be asked."""
    python = environment.absolute() / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    with tempfile.TemporaryDirectory() as folder:
        report, packages = Path(folder) / "report.json", Path(folder) / "packages"
        asked = subprocess.run([*pip, "--dry-run", "--ignore-installed", "--report", report, *ASKED], cwd=ROOT)
        if asked.returncode:
            print("\nNewest packages: the index did not answer, so nothing was tried.", file=sys.stderr)
            return 0
        found = newer(json.loads(report.read_text()), pinned((ROOT / "constraints.txt").read_text()))
        if not found:
            print("\nNewest packages: those of constraints.txt, with which the suite has run.")
            return 0
        print("\nNewer than constraints.txt:", *(f"  {name} {version}" for name, version in found.items()), sep="\n")
        wanted = [f"{name}=={version}" for name, version in found.items()]
        subprocess.run([*pip, "--no-deps", "--target", packages, *wanted], cwd=ROOT, check=True)
        paths = os.pathsep.join(filter(None, [str(packages), os.environ.get("PYTHONPATH")]))
        which = FAST if found.keys() & {*PAGES} else f"{FAST} and not page"
        command = [str(python), "-m", "pytest", "-q", *TESTS, which]
        return subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": paths}).returncode


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
