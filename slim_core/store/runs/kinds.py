"""The kinds of runs: what people call each, and the sets that are asked for, by what they leave."""

from __future__ import annotations

TITLES = {
    "train": "Training",
    "gradcam": "Attention maps",
    "preview": "Preview of attention",
    "space": "Attention space",
    "candidates": "Candidates",
    "curate": "Subset",
    "evaluate": "Evaluation",
}
PASSES = ("gradcam",)  # features of each image: a space is built of them, a last layer fitted on them
WITH_MAPS = ("gradcam", "evaluate")  # attention maps of each image of a split, unless it was asked for none


def title_of(kind: str) -> str:
    """What people call a run of this kind: "Attention maps"; the kind itself where none is written here."""
    return TITLES.get(kind, kind)
