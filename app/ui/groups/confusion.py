"""Which classes an evaluated model takes for which: of a few the whole matrix, of many the most frequent mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.ui.glossary import explain
from app.ui.groups import images
from slim_core.metrics import CONFUSION

if TYPE_CHECKING:
    from slim_core.store import Run

FEW = 4  # classes whose matrix fits half a page
MOST = 10  # mistakes that are listed
COLUMNS = {
    "class": st.column_config.TextColumn("True class"),
    "predicted": st.column_config.TextColumn("Predicted"),
    "n": st.column_config.NumberColumn("Images", format="localized"),
    "share": st.column_config.NumberColumn("Of the class", format="%.1f %%"),
}


def show(evaluation: Run) -> None:
    """The images of a finished evaluation by true and predicted class; each number opens its images."""
    names = session.store().datasets.table(evaluation.dataset_id).label_names
    counts = np.asarray((evaluation.metrics or {})[CONFUSION])
    if len(names) <= FEW:
        _matrix(evaluation.id, counts, names)
    else:
        _list(evaluation.id, counts, names)


def _matrix(evaluation: str, counts: np.ndarray, names: Sequence[str]) -> None:
    st.markdown("**Confusion matrix**", help=explain("confusion matrix"))
    key, predicted = f"confusion-{evaluation}", [f"Predicted {name}" for name in names]

    def clicked() -> None:
        chosen = st.session_state[key]["selection"]["cells"]
        if not chosen or chosen[0][1] not in predicted:
            return images.opened(None)
        return images.opened(_cell(evaluation, chosen[0][0], predicted.index(chosen[0][1])))

    table = pd.DataFrame(counts, columns=predicted)
    table.insert(0, "True class", list(names))
    st.dataframe(table, hide_index=True, on_select=clicked, selection_mode="single-cell", key=key,
                 alt="Images by true and predicted class")  # fmt: skip
    st.caption("Click a cell to see its images.")


def _list(evaluation: str, counts: np.ndarray, names: Sequence[str]) -> None:
    st.markdown("**Most frequent mistakes**", help=explain("confusion matrix"))
    found = mistakes(counts)
    if found.empty:
        st.caption("No image is misclassified.")
        return
    listed = found.head(MOST)
    table = pd.DataFrame(
        {
            "class": [names[one] for one in listed["true"]],
            "predicted": [names[one] for one in listed["predicted"]],
            "n": listed["n"],
            "share": listed["share"] * 100,
        }
    )
    key = f"mistakes-{evaluation}"
    cells = [_cell(evaluation, *pair) for pair in zip(listed["true"], listed["predicted"], strict=True)]
    st.dataframe(table, hide_index=True, column_config=COLUMNS, on_select=images.clicked_row(key, cells),
                 selection_mode="single-row", key=key, alt="Most confused pairs of classes")  # fmt: skip
    st.caption(f"{listed_text(found)} Tick a row to see its images.")


def mistakes(counts: np.ndarray) -> pd.DataFrame:
    """One row a pair of classes that is mixed up, the most frequent first: true and predicted (indices), n (images) and
    share (of the images of the true class, 0..1).

    ``counts``: (K, K) images by true and predicted class.
    """
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    true, predicted = np.nonzero(wrong)
    n = wrong[true, predicted]
    frame = pd.DataFrame({"true": true, "predicted": predicted, "n": n, "share": n / counts.sum(axis=1)[true]})
    return frame.sort_values(["n", "share"], ascending=False, kind="stable", ignore_index=True)


def listed_text(mistakes: pd.DataFrame) -> str:
    """How much of all mistakes is listed."""
    n_wrong, listed = int(mistakes["n"].sum()), int(mistakes["n"].head(MOST).sum())
    if len(mistakes) <= MOST:
        return f"All {n_wrong:,} mistakes." if n_wrong > 1 else "The only mistake."
    return f"{listed:,} of {n_wrong:,} mistakes: the {MOST} most frequent of {len(mistakes):,} pairs of classes."


def _cell(evaluation: str, true: int, predicted: int) -> str:
    return f"{evaluation}.confusion.{true}-{predicted}"
