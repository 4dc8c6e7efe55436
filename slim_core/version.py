"""Which code this is: the release says whose runs a worker may take, the commit is what a result is traced to.

``0.1.0/0002 5fe4c13+``: the package's version, the newest schema of the database it knows, and, in a checkout, the
commit ("+" where files differ from it). A worker takes runs that its own release or an older one has submitted. The
commit is only shown: between two releases everybody who edits a file would stop the queue otherwise.
"""

from __future__ import annotations

import importlib.metadata
import logging
import re
import subprocess
from functools import lru_cache
from pathlib import Path

log = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("slim_core", "workers")  # whose files a worker runs
_RESTART = "restart it: python -m workers"


@lru_cache(maxsize=1)
def code_version() -> str:
    """Release and commit of this process, as they were when it first asked."""
    commit = _commit()
    return f"{release()} {commit}" if commit else release()


def release() -> str:
    """Version of the package and newest schema, such as ``0.1.0/0002``."""
    from slim_core.store.schema import HEAD  # here: the store, too, asks for its version

    return f"{package_version('slim-studio') or '0'}/{HEAD}"


def package_version(package: str) -> str | None:
    """The installed version of a package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def may_take(worker: str, submitted_by: str | None) -> bool:
    """Whether a worker of one code version may take a run that another has submitted: not where that is newer."""
    return _order(worker) >= _order(submitted_by or "")


def outdated(worker: str, current: str) -> str | None:
    """Why a worker of this version takes no runs of the current one, and what to do; None where it does."""
    if may_take(worker, current):
        return None
    mine = _release_of(worker) or "of an unknown version"
    return f"It runs SLIM {mine}, older than {_release_of(current)}, and takes none of its runs: {_RESTART}."


def differs(worker: str, current: str) -> str | None:
    """A warning where a worker has another commit or release than the one who asks; None where it has the same."""
    if worker == current:
        return None
    return f"It runs {worker or 'an unknown version'}, this is {current}: results may differ, {_RESTART}."


def source_stamp() -> int:
    """Changes when a file of the code on disk does: an old process that imports more of it would mix two versions.

    Costs about a millisecond.
    """
    files = sorted(path for package in _PACKAGES for path in (_ROOT / package).rglob("*.py"))
    return hash(tuple((path, _changed_at(path)) for path in files))


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # it goes away while we look
        return 0


def _release_of(version: str) -> str:
    first = version.partition(" ")[0]
    return first if "/" in first else ""


def _order(version: str) -> tuple[tuple[int, ...], int]:
    package, _, schema = _release_of(version).partition("/")
    return tuple(int(part) for part in re.findall(r"\d+", package)), int(schema or 0)


def _commit() -> str | None:
    if not (_ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        log.info("git does not tell the commit of %s", _ROOT)
        return None
