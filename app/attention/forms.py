"""Which model's attention is mapped, on which splits, and for which class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.ui import pick
from app.ui.glossary import explain
from app.ui.runs import submit
from slim_core.data.table import SPLITS

if TYPE_CHECKING:
    from slim_core.store import Run

CLASSES = {"label": "the label", "predicted": "the prediction", "both": "both", "any": "every class"}


def show(models: Sequence[Run]) -> None:
    """The choices, and the button that queues the pass. ``models``: finished trainings, at least one."""
    model = pick.run("Model", models, param="model")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        map_of = st.segmented_control(
            "Map of",
            list(CLASSES),
            default="label",
            required=True,
            format_func=CLASSES.__getitem__,
            key="map-class",
            help=f"{explain('class of the map')} Features and scores are the label's, "
            "unless the prediction alone is chosen. A small network keeps the maps of a few classes anyway.",
        )
        splits = st.pills(
            "Splits",
            SPLITS,
            selection_mode="multi",
            default=SPLITS,
            key="map-splits",
            help="Whose images are seen.",
        )
    if not splits:
        st.caption("Choose a split.")
    submit.button("Map the attention", lambda: _spec(model, map_of, splits), key="submit-gradcam", disabled=not splits)


def _spec(model: Run | None, map_of: str | None, splits: Sequence[str]) -> dict[str, Any]:
    assert model is not None  # there is one at least
    spec = {"kind": "gradcam", "dataset": model.dataset_id, "model": model.id}
    if map_of != "label":
        spec["class_of_map"] = map_of
    if set(splits) != set(SPLITS):
        spec["splits"] = [split for split in SPLITS if split in splits]
    return spec
