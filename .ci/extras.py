"""The tests of what the packages of the suite lack: exports that other tools open, and artifacts on S3.

    python3 .ci/extras.py .venv

s3fs and moto need another python-dateutil than constraints.txt names (docs/decisions/0001), so these packages go into
an environment of their own, which sees those of the one that is named. Where they cannot be installed it says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ROOT / ".ci" / "extras.txt"
TESTS = (
    "tests/slim_core/export",
    "tests/slim_core/data/importers/test_huggingface.py",
    "tests/slim_core/models/test_hugging_face.py",
    "tests/slim_core/store/test_store_s3.py",
    "tests/served/test_s3.py",
    "tests/served/test_two_hosts.py",
)


def beside(environment: Path, folder: Path) -> Path:
    """The Python of a new environment in a folder, before whose packages nothing comes, and after them the other's."""
    subprocess.run([environment / "bin" / "python", "-m", "venv", folder], check=True)
    of_other, own = (_packages(each) for each in (environment, folder))
    (own / "beside.pth").write_text(f"{of_other}\n")
    return folder / "bin" / "python"


def _packages(environment: Path) -> Path:
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([environment / "bin" / "python", "-c", where], check=True, capture_output=True, text=True)
    return Path(found.stdout.strip())


def main(environment: Path) -> int:
    """0 where the tests pass, or where the packages could not be installed."""
    with tempfile.TemporaryDirectory() as folder:
        python = beside(environment.absolute(), Path(folder) / "venv")
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q", "-r", PACKAGES]
        if subprocess.run(pip, cwd=ROOT).returncode:
            print("\nExtras: their packages could not be installed, so nothing was tried.", file=sys.stderr)
            return 0
        print("\nExtras: exports that other tools open, and artifacts on S3.", flush=True)
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        tests = [python, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *TESTS]
        return subprocess.run(tests, cwd=ROOT, env={**os.environ, "PYTHONPATH": paths}).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
