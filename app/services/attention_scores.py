"""What an attention pass says of each image, as one table that pages filter, sort and sum up."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from app import session
from slim_core.data.groups import grouping
from slim_core.metrics import AIOU, ATTENTION_PRECISION
from slim_core.store.results import AttentionResult, EvaluationResult

COLUMNS = ("confidence", "loss", "entropy", "no_evidence", AIOU, ATTENTION_PRECISION)
OUTCOMES = ("all predictions", "correct", "mistaken")
ORDERS = {  # what a person picks -> column, ascending
    "lowest attention precision": (ATTENTION_PRECISION, True),
    "highest attention precision": (ATTENTION_PRECISION, False),
    "lowest AIoU": (AIOU, True),
    "highest AIoU": (AIOU, False),
    "least confident": ("confidence", True),
    "most confident": ("confidence", False),
    "highest loss": ("loss", False),
    "lowest loss": ("loss", True),
    "highest entropy": ("entropy", False),
    "lowest entropy": ("entropy", True),
}


@lru_cache(maxsize=8)
def frame(run_id: str) -> pd.DataFrame:
    """One row an image of a finished gradcam, features or evaluate run; read only, for it is shared.

    Columns: row, split, label, label_name, group, prediction, prediction_name, correct, and those of COLUMNS that the
    run has.
    """
    store = session.store()
    scores = _scores(store.artifacts.folder(run_id))
    table = store.datasets.table(store.runs.fetch(run_id).dataset_id)
    rows = scores["row"].to_numpy(np.int64)
    groups, names = grouping(table), np.asarray(table.label_names)
    listed = np.append(np.asarray(groups.names), "unknown")  # UNGROUPED is -1, the last
    prediction = scores["prediction"].to_numpy(np.int64)
    made = pd.DataFrame(
        {
            "row": rows,
            "split": table.splits[rows],
            "label": table.labels[rows],
            "label_name": names[table.labels[rows]],
            "group": listed[groups.index[rows]],
            "prediction": prediction,
            "prediction_name": names[prediction],
            "correct": prediction == table.labels[rows],
        }
    )
    return pd.concat([made, scores[[name for name in COLUMNS if name in scores]]], axis=1)


def joined(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The images both runs looked at: columns of ``before``, and what the other model makes of them as ..._after."""
    told = ["row", "prediction", "prediction_name", "correct", *(name for name in COLUMNS if name in after)]
    other = after[told].rename(columns={name: f"{name}_after" for name in told[1:]})
    return before.merge(other, on="row", how="inner")


def _scores(folder: Path) -> pd.DataFrame:
    """What an attention pass, or an evaluation with attention, wrote of each image."""
    seen = AttentionResult(folder)
    return seen.scores() if seen.has_scores else EvaluationResult(folder).predictions()


def per_group(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a group: name, n, accuracy, n_scored (images with a mask), attention_precision, aiou (means, NaN)."""
    parts = scores.groupby("group", sort=True)
    nothing = pd.Series(np.nan, index=scores.index)
    summed = pd.DataFrame(
        {
            "n": parts.size(),
            "accuracy": parts["correct"].mean(),
            "n_scored": scores.get(ATTENTION_PRECISION, nothing).notna().groupby(scores["group"]).sum(),
            ATTENTION_PRECISION: scores.get(ATTENTION_PRECISION, nothing).groupby(scores["group"]).mean(),
            AIOU: scores.get(AIOU, nothing).groupby(scores["group"]).mean(),
        }
    )
    return summed.reset_index(names="name")


def orders(scores: pd.DataFrame) -> list[str]:
    """The orders that this run has numbers for."""
    return [name for name, (column, _) in ORDERS.items() if column in scores and scores[column].notna().any()]
