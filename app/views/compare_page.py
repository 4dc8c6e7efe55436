"""Compare: is the new model better, for whom, and what did it cost?"""

import streamlit as st

from app import session
from app.components import compare_choice, compare_runs, compare_view, evaluate_models, next_step, pick
from app.components.telling import errors_told

st.title("Compare", help="Every number carries its definition (METHOD, section 2); intervals are Wilson's, 95 %.")

store = session.store()
dataset = pick.dataset()
if dataset is None:
    next_step.show("register a folder of images.", "data", "Data")
    st.stop()

models = store.runs.all(kind="train", status="done", dataset=dataset.id, metrics=False)
evaluations = store.runs.all(kind="evaluate", dataset=dataset.id)
done = [one for one in evaluations if one.status == "done"]
evaluate_models.show(models, [one for one in evaluations if one.status not in ("failed", "canceled")])

if done:
    with errors_told():
        rows = compare_runs.table(done)
        chosen, baseline = compare_choice.show(done, rows)
        if chosen:
            compare_view.show(chosen, rows.loc[[one.id for one in chosen]], baseline)
        else:
            st.info("Choose the runs to compare above.")
elif models:
    st.info("No model is evaluated yet: evaluate one above, and its numbers appear here.")
else:
    next_step.show("train a model first.", "train", "Train", dataset=dataset.id)
