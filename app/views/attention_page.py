"""Attention: where a model looks, image by image and group by group."""

import streamlit as st

from app import session
from app.components import attention_filter, attention_scores, gallery, group_scores, next_step, pick, submit
from app.components.telling import errors_told

st.title("Attention", help="Grad-CAM of the class of the label: bright is what counts for it (METHOD, step S1).")

with st.container(horizontal=True):
    dataset = pick.dataset()
    runs = session.store().runs.all(kind="gradcam", status="done", dataset=dataset.id, metrics=False) if dataset else []
    run = pick.run("Attention maps", runs)

if run is not None:
    with errors_told():
        scores = attention_scores.frame(run.id)
        looks, numbers = st.tabs(["Gallery", "Scores per group"])
        with looks:
            rows = attention_filter.show(scores)
            if rows.empty:
                st.info("No image passes this filter: choose another group, split or prediction.")
            else:
                drawn = "predicted" if run.spec["class_of_map"] == "predicted" else "label"
                gallery.show(run.dataset_id, run.id, attention_filter.page(rows), drawn)
        with numbers:
            group_scores.show(scores)

models = session.store().runs.all(kind="train", status="done", dataset=dataset.id, metrics=False) if dataset else []
if dataset is None:
    next_step.show("register a folder of images.", "data", "Data")
elif not models:
    next_step.show("train a model, then see here where it looks.", "train", "Train", dataset=dataset.id)
else:
    with st.expander("Map the attention of a model", expanded=run is None, icon=":material/center_focus_strong:"):
        model = pick.run("Model", models, param="model")
        submit.button(
            "Map the attention",
            lambda: {"kind": "gradcam", "dataset": model.dataset_id, "model": model.id},
            key="submit-gradcam",
        )
if run is not None:
    link = {"dataset": run.dataset_id, "attention": run.id}
    next_step.show("lay the images out by where the model looks.", "space", "Space", **link)
