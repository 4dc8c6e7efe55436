"""What an attention pass says of each image, as one table that pages filter, sort and sum up."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from app import session
from slim_core.evaluation.predictions import predictions_of_pass
from slim_core.metrics import AIOU, ATTENTION_PRECISION

COLUMNS = ("confidence", "loss", "entropy", "no_evidence", AIOU, ATTENTION_PRECISION)
OUTCOMES = ("all predictions", "correct", "mistaken")  # values in the address
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

    Columns: row, split, label, label_name, group (name), prediction, prediction_name, correct, and those of
    COLUMNS that the run has.
    """
    store = session.store()
    found = predictions_of_pass(store, store.runs.fetch(run_id))
    known = [name for name in COLUMNS if name in found]
    facts = ["row", "split", "label", "label_name", "group", "prediction", "prediction_name", "correct"]
    return found.assign(group=found["group_name"])[facts + known]


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
