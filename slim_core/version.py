"""Which code this is, recorded with each run so that its result can be traced.

``0.1.0/1.0 5fe4c13+``: the package's version, the newest schema of the database it knows, and, in a checkout, the
commit ("+" where files differ from it). It decides nothing: a database of another schema is refused when it is opened,
and a spec of a newer SPEC_VERSION where it is read.
"""

from __future__ import annotations

import importlib.metadata
import logging
import subprocess
from functools import lru_cache
from pathlib import Path

log = logging.getLogger(__name__)

SCHEMA = "1.0"  # the newest migration of the database; a test holds it equal to the folder's

_ROOT = Path(__file__).resolve().parents[1]


@lru_cache(maxsize=1)
def code_version() -> str:
    """Release and commit of this process, as they were when it first asked."""
    commit = _commit()
    return f"{release()} {commit}" if commit else release()


def release() -> str:
    """Version of the package and newest schema, such as ``0.1.0/1.0``."""
    return f"{package_version('slim-studio') or '0'}/{SCHEMA}"


def package_version(package: str) -> str | None:
    """The installed version of a package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    if not (_ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        log.info("git does not tell the commit of %s", _ROOT)
        return None
