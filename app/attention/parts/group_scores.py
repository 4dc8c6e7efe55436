"""Attention scores of every group: the chart, the table, and how much of the data they speak of."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.attention.parts import score_table
from app.services import shape_progress
from app.services.results import attention_scores
from app.ui import chart, next_step
from app.ui.groups import report
from slim_core.evaluation.charts import scores as charts


def show(scores: pd.DataFrame, dataset: str) -> None:
    """Scores per group of one split of ``scores`` (attention_scores.frame), of the images of a data set."""
    splits = [split for split in ("train", "val", "test") if (scores["split"] == split).any()]
    split = st.segmented_control("Split", splits, default=splits[-1], key="scores-split") or splits[-1]
    part = scores[scores["split"] == split]
    per_group = attention_scores.per_group(part)
    n_scored, now = int(per_group["n_scored"].sum()), shape_progress.coverage(dataset, split)
    if n_scored:
        report.show_scored(_coverage(part, n_scored, split), now.n_scored / now.n, dataset=dataset, split=split)
        alt = f"Attention precision and AIoU per group on {split}"
        chart.show(charts.group_scores(per_group), key="group-scores", alt=alt)
    elif drawn := shape_progress.not_scored_yet(dataset, split):
        st.info(drawn)
        next_step.link("draw", "Score them on the Draw page", icon="draw", dataset=dataset, **{"draw-split": split})
    else:
        st.info("Attention scores need masks or boxes. Draw some, or annotate the attention on the Annotate page.")
        next_step.link("draw", "Draw where the object is", icon="draw", dataset=dataset, **{"draw-split": split})
    score_table.show(per_group)


def _coverage(part: pd.DataFrame, n_scored: int, split: str) -> str:
    n_empty = int(part["no_evidence"].sum())
    text = f"Over {n_scored:,} of {len(part):,} {split} images: those with a drawing, mask or box and a non-empty map."
    empty = "has an empty map: no evidence for its" if n_empty == 1 else "have an empty map: no evidence for their"
    return text + (f" Of the {len(part):,}, {n_empty:,} {empty} class." if n_empty else "")
