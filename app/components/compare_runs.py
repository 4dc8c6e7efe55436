"""Evaluations side by side, as frames for the table and the charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from app import session
from slim_core.comparison import row
from slim_core.metrics import ADJUSTED, AIOU, ATTENTION_PRECISION, AVERAGE, GROUPS, WGA, WORST_CLASS

if TYPE_CHECKING:
    from slim_core.store import Run

HEADLINE = {WGA: "worst group", AVERAGE: "average", ADJUSTED: "adjusted average"}
ATTENTION = {ATTENTION_PRECISION: "attention precision", AIOU: "AIoU"}
RATES = (WGA, AVERAGE, ADJUSTED, WORST_CLASS, ATTENTION_PRECISION, AIOU)


def table(evaluations: Sequence[Run]) -> pd.DataFrame:
    """One row an evaluation, by its id: label, model, split, seed, RATES (0..1), answers, share, images, seconds."""
    store = session.store()
    rows = pd.DataFrame([row(store, one) for one in evaluations]).set_index("evaluation")
    names = [f"{one.method}, seed {one.seed}" for one in rows.itertuples()]
    repeated = pd.Series(names, index=rows.index).duplicated(keep=False)
    labels = [
        f"{name} ({index[-4:]})" if repeated[index] else name for name, index in zip(names, rows.index, strict=True)
    ]
    numbers = rows[[*RATES, "answers", "images", "seconds"]].astype(float)
    n_train = {one.id: _n_train(one.dataset_id) for one in evaluations}
    numbers.insert(7, "share", numbers["answers"] / [n_train[index] for index in rows.index])
    return pd.concat([rows[["model", "split", "seed"]], numbers], axis=1).assign(label=labels)


def with_change(rows: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The rows with change: worst-group accuracy minus the baseline's (0..1; NaN for the baseline itself)."""
    change = rows[WGA] - rows.at[baseline, WGA]
    return rows.assign(change=change.where(rows.index != baseline))


def groups(evaluations: Sequence[Run], labels: pd.Series) -> pd.DataFrame:
    """run, group, accuracy, low, high, n: one row an evaluation and group, for compare.group_intervals."""
    rows = [
        {"run": labels[one.id], "group": group["name"], **{key: group[key] for key in ("accuracy", "low", "high", "n")}}
        for one in evaluations
        for group in (one.metrics or {}).get(GROUPS, ())
    ]
    frame = pd.DataFrame(rows, columns=["run", "group", "accuracy", "low", "high", "n"])
    return frame.astype({"accuracy": float, "low": float, "high": float})


def long(rows: pd.DataFrame, measures: dict[str, str]) -> pd.DataFrame:
    """run, measure, value: one row a run and measure, without measures that no run has."""
    parts = [
        pd.DataFrame({"run": rows["label"], "measure": name, "value": rows[key]})
        for key, name in measures.items()
        if rows[key].notna().any()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["run", "measure", "value"])


def _n_train(dataset: str) -> float:
    return float(len(session.store().datasets.table(dataset).rows("train"))) or np.nan
