"""Jobs: what runs, what waits, the workers, and every run; with ?run=<id>, all there is to know about one."""

import streamlit as st

from app.jobs.all_runs import of_all, of_one, show_all, show_storage
from app.jobs.one_run import show_run
from app.jobs.queue import show_queue, show_state
from app.ui.messages import errors_shown

st.title("Jobs")

with errors_shown():
    run_id = st.query_params.get("run")
    if run_id:
        of_one(show_run(run_id))
    else:
        place = st.container(key="queue-state")  # page.css gives it no room while there is nothing to say
        show_queue()
        st.subheader("All runs", anchor="runs")
        show_all()
        show_storage()
        of_all()
        with place:
            show_state()
