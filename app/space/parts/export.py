"""The selected images as files to take away."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.services.results import space_data
from app.services.results.space_data import SpaceData
from app.ui import download
from slim_core.formatting import counted, to_csv
from slim_core.store.campaigns.values import WORDS
from slim_core.store.results import SpaceResult


def show(data: SpaceData, selected: np.ndarray, campaign: str | None) -> None:
    """Two downloads, made when they are asked for."""
    st.caption(f"{counted(len(selected), 'image')}, one per line.")
    name = f"selection-{data.run}"
    download.button(
        "All columns (CSV)", lambda: to_csv(table(data, selected, campaign)).encode(), f"{name}.csv", "text/csv",
        icon="table", key="space-export-all",
    )  # fmt: skip
    download.button(
        "Paths only", lambda: "".join(f"{data.table.image_path(row)}\n" for row in data.rows[selected]).encode(),
        f"{name}.txt", "text/plain", icon="list", key="space-export-paths",
    )  # fmt: skip


def table(data: SpaceData, selected: np.ndarray, campaign: str | None) -> pd.DataFrame:
    """Everything known of the selected images: path, labels, scores, places in both spaces, answer and tags."""
    rows = data.rows[selected]
    part = data.scores.iloc[selected].reset_index(drop=True)
    part.insert(1, "path", data.table.frame["path"].to_numpy()[rows])
    space = SpaceResult(session.store().artifacts.folder(data.run))
    for name in ("attention", "environment"):
        part[[f"{name}_space_x", f"{name}_space_y"]] = np.asarray(space.points(name)[selected], np.float64)
    part["environment_cluster"] = np.asarray([*data.clusters.names, ""])[data.clusters.index[selected]]
    if campaign is not None:
        part["propagated_score"] = space_data.propagated(data, campaign)[selected]
        answers = pd.Series(space_data.answers(data, campaign)[selected])
        part["answer"] = answers.map(WORDS).fillna("")
    tags = session.store().tags.by_row(data.dataset)
    part["tags"] = ["; ".join(tags.get(int(row), ())) for row in rows]
    return part
