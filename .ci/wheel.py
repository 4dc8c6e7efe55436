"""sdist and wheel are built, and the wheel works elsewhere: to the end of a demo and of a report.

    python3 .ci/wheel.py .venv

The one that is named builds it. It is installed into an empty one with what it asks for, in the versions of
constraints.txt. The demo is of a few images, so that it takes half a minute.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from email import message_from_bytes
from pathlib import Path

ROOT = Path(__file__).parents[1]
STATED = ("Author", "License-Expression", "Project-URL", "Classifier")
FEW = ("--set", "digits", "--train", "200", "--val", "60", "--test", "120")
ALLOWED = {"slim_core"}  # top-level names of the wheel
BUILD = "import sys; at = sys.argv[1]; from setuptools.build_meta import *; build_sdist(at); build_wheel(at)"


def built(python: Path, folder: Path) -> Path:
    """The wheel; the sdist lies beside it."""
    with tempfile.TemporaryDirectory() as source:  # building writes into the checkout
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        tar = subprocess.run(
            ["tar", "-C", ROOT, "--null", "-T", "-", "-c"], input=files, capture_output=True, check=True
        )
        subprocess.run(["tar", "-C", source, "-x"], input=tar.stdout, check=True)
        subprocess.run([python, "-c", BUILD, folder], cwd=source, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.whl"))


def top_level(wheel: Path) -> list[str]:
    """The names that it takes in an environment."""
    with zipfile.ZipFile(wheel) as archive:
        return sorted({name.partition("/")[0] for name in archive.namelist() if ".dist-info" not in name})


def problems(wheel: Path) -> list[str]:
    """What the wheel should not be, in words."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        about = message_from_bytes(archive.read(next(name for name in names if name.endswith("METADATA"))))
    tops = set(top_level(wheel))
    needed = {"slim_core/py.typed", "slim_core/_studio/app/main.py", "slim_core/_studio/app/.streamlit/config.toml"}
    needs = [one for one in about.get_all("Requires-Dist", []) if "extra ==" not in one]
    tools = [one for one in needs if one.lower().startswith(("pytest", "hypothesis", "playwright", "ruff", "mypy"))]
    return [
        *(f"it claims {name}" for name in sorted(tops - ALLOWED)),
        *(f"it lacks {name}" for name in sorted(needed - set(names))),
        *(f"it needs {name}" for name in tools),
        *(f"it names no {name}" for name in STATED if not about[name]),
        *([] if "text/markdown" in str(about["Description-Content-Type"]) else ["its readme does not render"]),
    ]


def main(environment: Path) -> int:
    """0 where everything went to its end."""
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder)
        python = there / "venv" / "bin" / "python"
        wheel = built(environment.absolute() / "bin" / "python", there)
        if found := problems(wheel):
            print(f"{wheel.name}: {'; '.join(found)}", file=sys.stderr)
            return 1
        subprocess.run([sys.executable, "-m", "venv", there / "venv"], check=True)
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        subprocess.run([*pip, "-c", ROOT / "constraints.txt", wheel], check=True)
        slim, home = python.with_name("slim"), there / "home"
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        told = {"cwd": there, "env": {**inherited, "SLIM_HOME": str(home)}, "check": True}
        subprocess.run([slim, "demo", *FEW, "--no-stay", "--port", "8597"], **told)
        weights = next(home.glob("runs/*/weights.safetensors"))
        subprocess.run([slim, "report", weights, home / "demo-data" / "seed-0", "--html", "report.html"], **told)
        print(f"{wheel.name}, {wheel.stat().st_size / 1e6:.1f} MB: demo and report ended.")
        return 0 if (there / "report.html").stat().st_size > 1e6 else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
