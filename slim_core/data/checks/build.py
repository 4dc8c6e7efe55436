"""From an importer's draft to a table: splits, integers, classes, paths and boxes (METHOD section 5).

Everything wrong is collected with its count and row numbers, so that one import shows it all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from slim_core.data.checks import classes
from slim_core.data.checks.measured import check_measured
from slim_core.data.checks.paths import check_paths
from slim_core.data.checks.splits import Deal, named_splits, splits_of
from slim_core.data.draft import BOX_COLUMNS, Draft
from slim_core.data.report import Findings
from slim_core.data.table import COLUMNS, UNKNOWN, ImageTable
from slim_core.errors import quoted
from slim_core.formatting import counted
from slim_core.settings import Settings

MOST_PIXELS = 1_000_000  # of a side or a coordinate of a box
MAX_GROUPS = 20_000  # classes x attributes: every report and page lists them


def build_table(
    draft: Draft,
    name: str,
    settings: Settings,
    findings: Findings,
    *,
    seed: int = 0,
    before: Callable[[], Mapping[str, str]] = dict,
) -> ImageTable | None:
    """The table, or None where its cells refuse it; what was found is added to ``findings``.

    ``seed`` is that of the splits, where the data set has none or lacks one that is needed; ``before`` gives the split
    of each path that was dealt out in an earlier version, and is asked then alone.
    """
    findings.lines = draft.paths.index.to_numpy(np.int64) if draft.lines else None
    findings.paths, findings.by_path = draft.paths.to_numpy(object), not draft.metadata
    for sentence in draft.notes:
        findings.note("importer", sentence)
    named = None if draft.splits is None else named_splits(draft, draft.splits, findings)
    labels, label_names = classes.numbered(draft, draft.labels, "label", draft.label_names, findings)
    if len(draft.label_names or ()) > classes.MAX_CLASSES:
        return None  # what else there is to say of 40,000 folders would take its time
    _check_classes(draft, labels, findings)
    _check_boxes(draft, findings)
    attributes, attribute_names = classes.attributes_of(draft, findings)
    _check_attribute(draft, attributes, attribute_names, findings)
    splits = splits_of(draft, named, labels, attributes, findings, Deal(seed, before, label_names))
    check_paths(draft.paths.reset_index(drop=True), draft, settings, findings)
    masks = pd.Series("", range(len(draft.paths))) if draft.masks is None else draft.masks.reset_index(drop=True)
    check_paths(masks[masks != ""], draft, settings, findings, what="mask")
    if len(label_names) * max(1, len(attribute_names)) > MAX_GROUPS:
        findings.error(
            "groups",
            f"{draft.source} has {len(label_names):,} classes x {len(attribute_names):,} attributes, more than "
            f"{MAX_GROUPS:,} groups: name an attribute with fewer values, or none.",
        )
    if findings.refused:
        return None
    columns = {"path": draft.paths.to_numpy(str), "split": splits, "label": labels, "attribute": attributes}
    frame = pd.DataFrame({**columns, "mask": masks.to_numpy(str), **_boxes(draft)})
    return ImageTable(name, draft.root, frame[list(COLUMNS)], label_names, draft.attribute_name, attribute_names)


def _check_classes(draft: Draft, labels: np.ndarray, findings: Findings) -> None:
    if len(labels) and not findings.refused and len(np.unique(labels)) < 2:
        findings.error("labels", f"{draft.source} has a single class: name a column with two classes or more.")


def _check_attribute(draft: Draft, attributes: np.ndarray, names: Sequence[str], findings: Findings) -> None:
    """An attribute with a single value tells no images of a class apart, and keeps groups from being estimated."""
    values = np.unique(attributes[attributes != UNKNOWN])
    check_measured(draft, [names[value] for value in values] if names else (), findings)
    if len(values) == 1 and not findings.refused:
        findings.warning(
            "attributes",
            f"{draft.attribute_name or 'The attribute'} is {quoted(names[values[0]])} wherever it is known, so the "
            "groups are only the classes: choose no attribute (attribute=none), and groups are estimated.",
        )


def _check_boxes(draft: Draft, findings: Findings) -> None:
    if draft.boxes is None:
        return
    values = draft.boxes[list(BOX_COLUMNS)].to_numpy(np.float64)
    wrong = np.flatnonzero((np.isinf(values) | (np.abs(values) > MOST_PIXELS)).any(axis=1))
    if len(wrong):
        findings.error(
            "boxes",
            f"{counted(len(wrong), 'row')} of {draft.source} {'has' if len(wrong) == 1 else 'have'} a box beyond "
            f"{MOST_PIXELS:,} pixels "
            f"({findings.where(wrong)}): correct it, or leave its cells empty.",
            wrong,
        )
    _report_empty(draft, values, findings)


def _report_empty(draft: Draft, boxes: np.ndarray, findings: Findings) -> None:
    """Warn of boxes (N, 4) without an area, as of masks without an object; where there is a mask, it counts."""
    alone = np.full(len(boxes), True) if draft.masks is None else draft.masks.fillna("").eq("").to_numpy(bool)
    empty = np.flatnonzero(alone & (boxes[:, 2:] <= 0).any(axis=1))
    if len(empty):
        findings.warning(
            "empty-boxes",
            f"{counted(len(empty), 'row')} of {draft.source} {'has' if len(empty) == 1 else 'have'} a box whose width "
            f"or height is not above 0 ({findings.where(empty)}): all attention counts as beside the object there. "
            "Correct it, or leave its cells empty where it is not known.",
            empty,
        )


def _boxes(draft: Draft) -> dict[str, np.ndarray]:
    if draft.boxes is None:
        return {column: np.full(len(draft.paths), np.nan) for column in BOX_COLUMNS}
    return {column: draft.boxes[column].to_numpy(np.float64) for column in BOX_COLUMNS}
