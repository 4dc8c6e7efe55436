"""Draw: where the object of an image is, on as many images as one likes, for attention scores without masks."""

import streamlit as st

from app import session
from app.draw.canvas import leads_to_newest, show_canvas, show_scores
from app.services.loop_state import read
from app.services.results.comparison import compared_on
from app.ui import next_step, pick, progress
from app.ui.messages import errors_shown, explain
from slim_core.data.table import SPLITS

st.title("Draw", help=explain("attention precision", "AIoU", "coverage"))

with st.container(horizontal=True):
    dataset = pick.dataset()
    around_split = st.container()
if dataset is None:
    next_step.needs_data(
        "Outline the object in a few images, so that attention can be scored without masks. Register data first."
    )
    st.stop()

st.caption(
    "Outline the object in about 20 images per class. Attention precision and AIoU are then measured on them. "
    "An outline replaces the mask of its image."
)
with errors_shown():
    is_older = leads_to_newest(dataset)
    table = session.store().datasets.table(dataset.id)
    splits = [split for split in SPLITS if len(table.rows(split))]
    usual = compared_on(dataset)
    split = around_split.segmented_control(
        "Split", splits, default=usual, required=True, key="draw-split", bind="query-params"
    )
    if not is_older and next_step.offers("annotator", "Drawing"):
        show_canvas(dataset.id, split)
    show_scores(dataset.id)

if session.store().lineage.runs_with_maps(dataset.id):
    next_step.show("see how much of the attention is on the object.", "attention", "Attention",
                   dataset=dataset.id)  # fmt: skip
else:
    progress.show_next(read(session.store(), dataset.id))
