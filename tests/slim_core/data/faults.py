"""What an import found, without what every set of a few images has: too few for groups or a space, a shortcut."""

from __future__ import annotations

from slim_core.data.report import Finding, ImportReport

OF_SMALL_SETS = {"tiny-group", "tiny-class", "few-for-space", "few-for-groups", "shortcut"}


def faults(report: ImportReport) -> tuple[Finding, ...]:
    """The other findings, in order."""
    return tuple(finding for finding in report.findings if finding.code not in OF_SMALL_SETS)
