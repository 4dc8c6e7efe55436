"""An import as tests ask for it, and what it found but what every set of a few images has."""

from __future__ import annotations

from pathlib import Path

from slim_core.data.checks.files import NOT_SQUARE
from slim_core.data.importing import import_data
from slim_core.data.report import Finding, Imported, ImportReport
from slim_core.settings import Settings

OF_SMALL_SETS = {"tiny-group", "tiny-class", "few-for-space", "few-for-groups", "shortcut"}


def faults(report: ImportReport) -> tuple[Finding, ...]:
    """The other findings, in order."""
    return tuple(one for one in report.findings if one.code not in OF_SMALL_SETS and not _is_of_most_photographs(one))


def _is_of_most_photographs(finding: Finding) -> bool:
    """They are not square, as these images are not; where they are very long, that is a warning."""
    return finding.code == NOT_SQUARE and finding.level == "note"


def imported(root: Path, limits: Settings, **options: str) -> Imported:
    """A folder or table, with options of its format."""
    return import_data(root, options=options, settings=limits)
