"""Images that are left out of a data set, because their files are missing, broken, too large or doubled."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from slim_core.data.files.check import CheckedTable, report_two_classes
from slim_core.data.report import Findings, FormatRefusedError, LeftOut
from slim_core.data.table import ImageTable

CAUSES = {  # the word people type -> the finding, and what its images are
    "missing": ("missing-files", "missing"),
    "broken": ("broken-files", "broken"),
    "large": ("large-files", "too large"),
    "duplicates": ("duplicates", "a duplicate of one in another split"),
}
MOST_NAMED = 1_000  # images of one cause whose line and path are kept


def causes_of(words: Collection[str]) -> tuple[str, ...]:
    """The words, if each is a cause.

    Raises:
        FormatRefusedError: a word is no cause.
    """
    unknown = [word for word in words if word not in CAUSES]
    if unknown:
        raise FormatRefusedError(
            "leave-out", f"Images cannot be left out for {unknown[0]!r}: use one or more of {', '.join(CAUSES)}."
        )
    return tuple(word for word in CAUSES if word in words)


def causes_for(codes: Collection[str]) -> tuple[str, ...]:
    """The causes by which the images of findings of these codes can be left out."""
    return tuple(cause for cause, (code, _) in CAUSES.items() if code in codes)


def without(
    checked: CheckedTable, causes: Collection[str], findings: Findings
) -> tuple[ImageTable, tuple[LeftOut, ...]]:
    """The table without the images of these causes, and which they were; ``findings`` then tells of the rest."""
    facts, keeps = [], np.ones(len(checked.table), bool)
    for cause in causes:
        code, said = CAUSES[cause]
        rows = checked.unfit.get(code, np.array([], np.int64))
        findings.drop(code)
        if len(rows):
            lines, paths = findings.named(rows[:MOST_NAMED])
            facts.append(LeftOut(cause, len(rows), lines, paths))
            images = f"{len(rows):,} images are" if len(rows) > 1 else "1 image is"
            findings.note("left-out", f"{images} left out: {said} ({findings.where(rows)}).", rows)
            keeps[rows] = False
    report_two_classes(checked, keeps, findings)
    if keeps.all():
        return checked.table, tuple(facts)
    findings.narrow(keeps)
    return replace(checked.table, frame=checked.table.frame[keeps].reset_index(drop=True)), tuple(facts)
