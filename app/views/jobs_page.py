"""Jobs: the queue and its workers, what runs now, every run with its parameters, family and log."""

import streamlit as st

from app import session
from app.components import pick, queue_state, run_details, run_progress, run_table, watch

st.title("Jobs")

queue_state.show()
if not run_progress.show(stoppable=True):
    watch.for_news()

runs = session.store().runs.all(metrics=False)
if not runs:
    st.info("No run yet: what you submit on the other pages, or with `slim ... --queue`, appears here.")
    st.stop()

st.subheader("All runs")
clicked = run_table.show(runs)
if clicked is not None and clicked != st.session_state.get("clicked-run"):
    st.query_params["run"] = clicked
st.session_state["clicked-run"] = clicked

run = pick.run("Run", runs)
if run is not None:
    run_details.show(run)
