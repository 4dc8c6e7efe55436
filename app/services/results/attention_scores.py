"""What an attention pass says of each image, as one table that pages filter, sort and sum up."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from app import session
from slim_core.evaluation.predictions import predictions_of_pass
from slim_core.metrics import AIOU, ATTENTION_PRECISION
from slim_core.store.results import SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Run

COLUMNS = ("confidence", "loss", "entropy", "no_evidence", AIOU, ATTENTION_PRECISION)
OUTCOMES = ("all predictions", "correct", "incorrect")  # labels on the page, which the address holds
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


def frame(run_id: str) -> pd.DataFrame:
    """One row an image of a finished gradcam, features or evaluate run; read only, for it is shared.

    Columns: row, split, label, label_name, group (name; without attributes the class in its environment and split, as
    far as a space holds it), prediction, prediction_name, correct, and those of COLUMNS that the run has. Names are
    categoricals in the order of the data.
    """
    return _frame(run_id, _environments(session.store().runs.fetch(run_id)))


@lru_cache(maxsize=8)
def _frame(run_id: str, spaces: tuple[str, ...]) -> pd.DataFrame:
    """``spaces``: may be made after the pass; each is another entry."""
    store = session.store()
    found = predictions_of_pass(store, store.runs.fetch(run_id))
    known = [name for name in COLUMNS if name in found]
    facts = ["row", "split", "label", "label_name", "group", "prediction", "prediction_name", "correct"]
    return found.assign(group=_in_environments(found, spaces))[facts + known]


def _environments(run: Run) -> tuple[str, ...]:
    """The first space of each split by which the groups of a pass are estimated; none with attributes."""
    store = session.store()
    if store.datasets.fetch(run.dataset_id).n_attributes > 0:
        return ()
    reference = store.lineage.first_reference(store.runs.fetch(run.spec["model"]))
    passes = {one.id for one in store.lineage.finished_passes(run.dataset_id, {"model": reference.id})}
    spaces = store.runs.all(kind="space", status="done", dataset=run.dataset_id, metrics=False)[::-1]
    first: dict[str, str] = {}
    for one in spaces:
        if one.spec["attention"] in passes:
            first.setdefault(one.spec["split"], one.id)
    return tuple(first.values())


def _in_environments(found: pd.DataFrame, spaces: tuple[str, ...]) -> pd.Series:
    """The group of each image by name. Environments are numbered in each split by itself, so that it is named too."""
    if not spaces:
        return found["group_name"]
    store, named = session.store(), found[["label", "group_name"]].astype({"group_name": object}).assign(environment=-1)
    for run in map(store.runs.fetch, spaces):
        space = SpaceResult(store.artifacts.folder(run.id))
        at = pd.Series(space.clusters().index, index=space.rows).reindex(found["row"]).to_numpy()
        known = np.isfinite(at) & (at >= 0)
        numbers = at[known].astype(int)
        environments = [f", environment {k} ({run.spec['split']})" for k in numbers]
        named.loc[known, "group_name"] = found["label_name"].astype(object)[known] + environments
        named.loc[known, "environment"] = numbers
    in_order = named.sort_values(["label", "environment"])["group_name"].drop_duplicates()
    return named["group_name"].astype(pd.CategoricalDtype(in_order))


def per_group(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a group: name, n, accuracy, n_scored (images with a mask), attention_precision, aiou (means, NaN); in the
    order of the data."""
    measured = scores[["group", "correct"]].assign(
        **{name: scores.get(name, np.nan) for name in (ATTENTION_PRECISION, AIOU)}
    )
    parts = measured.groupby("group", sort=True, observed=True)
    summed = pd.DataFrame(
        {
            "n": parts.size(),
            "accuracy": parts["correct"].mean(),
            "n_scored": parts[ATTENTION_PRECISION].count(),
            ATTENTION_PRECISION: parts[ATTENTION_PRECISION].mean(),
            AIOU: parts[AIOU].mean(),
        }
    )
    return summed.reset_index(names="name").astype({"name": object})


def orders(scores: pd.DataFrame) -> list[str]:
    """The orders that this run has numbers for."""
    return [name for name, (column, _) in ORDERS.items() if column in scores and scores[column].notna().any()]
