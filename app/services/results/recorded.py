"""What a run's newest attempt has recorded beside its log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import session
from slim_core.errors import ArtifactDamagedError

if TYPE_CHECKING:
    from slim_core.store import Run


def newest(run: Run, read: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """As ``read`` reads it from the attempt's folder; empty where it is not on this machine, or half written."""
    log = session.store().artifacts.log(run.id)
    try:
        return read(log.parent) if log else {}
    except ArtifactDamagedError:
        return {}
