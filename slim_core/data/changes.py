"""Two versions of a data set: images that were added, removed or relabelled, by their paths."""

from __future__ import annotations

import numpy as np
import pandas as pd

from slim_core.data.draft import BOX_COLUMNS
from slim_core.data.table import UNKNOWN, ImageTable

COLUMNS = ("path", "change", "before", "after")
# kind of change -> how many of it, in words
WORDS = {
    "added": "added",
    "removed": "removed",
    "relabelled": "relabelled",
    "split": "in another split",
    "attribute": "with another attribute",
    "mask": "with another mask or box",
}
FACTS = {"label": "relabelled", "split": "split", "attribute": "attribute", "mask": "mask"}  # column -> kind


def changes(old: ImageTable, new: ImageTable) -> pd.DataFrame:
    """One row for each image and thing that changed, with COLUMNS; classes and attributes are compared by their names.

    Images are the same where their paths within the data set are; of a path that occurs more than once, the first row
    counts. What is in the files is not compared.
    """
    both = _facts(old).add_suffix("_before").join(_facts(new).add_suffix("_after"), how="outer", sort=True)
    parts = [
        _only(both, "added", both["label_before"].isna()),
        _only(both, "removed", both["label_after"].isna()),
        *(_other(both.dropna(), kind, fact) for fact, kind in FACTS.items()),
    ]
    return pd.concat(parts, ignore_index=True)


def in_words(changes: pd.DataFrame) -> str:
    """ "3 images added, 1 removed", or that there is no difference."""
    counts = changes["change"].value_counts()
    said = [f"{counts[kind]:,} {words}" for kind, words in WORDS.items() if kind in counts]
    if not said:
        return "the same images, labels, splits and attributes"
    number, _, rest = said[0].partition(" ")
    return ", ".join([f"{number} image{'s' if number != '1' else ''} {rest}", *said[1:]])


def _facts(table: ImageTable) -> pd.DataFrame:
    """Path -> label, split, attribute and mask in words; "" where there is none."""
    labels = pd.Series(table.label_names)
    attributes = pd.Series({UNKNOWN: "", **dict(enumerate(table.attribute_names))})
    facts = {
        "label": labels.reindex(table.labels).to_numpy(),
        "split": table.splits,
        "attribute": attributes.reindex(table.attributes).to_numpy(),
        "mask": _masks(table),
    }
    found = pd.DataFrame(facts, index=pd.Index(table.frame["path"], name="path"), dtype=object)
    return found[~found.index.duplicated()]


def _masks(table: ImageTable) -> np.ndarray:
    """(N,) of the mask's path, or the box as "box x y width height"."""
    masks = table.frame["mask"].to_numpy(object).copy()
    boxes = table.frame[list(BOX_COLUMNS)].to_numpy(np.float64)
    rows = np.flatnonzero(~np.isnan(boxes).any(axis=1))
    masks[rows] = [f"box {x:g} {y:g} {width:g} {height:g}" for x, y, width, height in boxes[rows]]
    return masks


def _only(both: pd.DataFrame, kind: str, rows: pd.Series) -> pd.DataFrame:
    labels = both[rows]
    cells = {"before": labels["label_before"].fillna(""), "after": labels["label_after"].fillna("")}
    return pd.DataFrame({"path": labels.index, "change": kind, **{k: v.to_numpy(object) for k, v in cells.items()}})


def _other(both: pd.DataFrame, kind: str, fact: str) -> pd.DataFrame:
    found = both[both[f"{fact}_before"] != both[f"{fact}_after"]]
    cells = {"before": found[f"{fact}_before"].to_numpy(object), "after": found[f"{fact}_after"].to_numpy(object)}
    return pd.DataFrame({"path": found.index, "change": kind, **cells})
