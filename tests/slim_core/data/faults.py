"""An import as tests ask for it, and what it found but what every set of a few images has."""

from __future__ import annotations

from pathlib import Path

from slim_core.data.importing import import_data
from slim_core.data.report import Finding, Imported, ImportReport
from slim_core.settings import Settings

OF_SMALL_SETS = {"tiny-group", "tiny-class", "few-for-space", "few-for-groups", "shortcut"}


def faults(report: ImportReport) -> tuple[Finding, ...]:
    """The other findings, in order."""
    return tuple(finding for finding in report.findings if finding.code not in OF_SMALL_SETS)


def imported(root: Path, limits: Settings, **options: str) -> Imported:
    """A folder or table, with options of its format."""
    return import_data(root, options=options, settings=limits)
