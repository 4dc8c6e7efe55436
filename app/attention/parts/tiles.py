"""What the gallery shows of each image: its views under one model's attention or two, and what each model predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from app.ui.images.pictures import Markup, Tile, View, bold, called, joined, quiet, verdict
from slim_core.formatting import percent
from slim_core.metrics import AIOU, ATTENTION_PRECISION


def tile(record: Mapping[Any, Any], shown: Sequence[View], n_models: int) -> Tile:
    """One image of attention_scores.frame; columns ending in _after are the second model's."""
    head = joined(bold(called(record)), quiet(f"image {record['row']}, {record['split']}"))
    lines = [_line(record, "", "before: " if n_models > 1 else "")]
    if n_models > 1:
        lines.append(_line(record, "_after", "after: "))
    return Tile(int(record["row"]), shown, [head, *lines], name=called(record))


def _line(record: Mapping[Any, Any], of: str, whose: str) -> Markup:
    predicted = verdict(record[f"correct{of}"], f"{whose}{record[f'prediction_name{of}']}", record[f"confidence{of}"])
    return Markup(predicted + quiet(_attention(record, of)))


def _attention(record: Mapping[Any, Any], of: str) -> str:
    if record.get(f"no_evidence{of}") is True:
        return " · no attention for this class"
    parts = [("precision", record.get(ATTENTION_PRECISION + of)), ("AIoU", record.get(AIOU + of))]
    return "".join(
        f" · {name} {percent(value, 0)}" for name, value in parts if value is not None and not pd.isna(value)
    )
