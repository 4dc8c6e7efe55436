"""Jobs: what runs, what waits, the workers, and every run; with ?run=<id>, all there is to know about one."""

import streamlit as st

from app.jobs.parts import details, history, next_action, queue, queue_state, storage
from app.ui.messages import errors_shown

st.title("Jobs")

with errors_shown():
    run_id = st.query_params.get("run")
    if run_id:
        next_action.of_one(details.show(run_id))
    else:
        place = st.container(key="queue-state")  # page.css gives it no room while there is nothing to say
        queue.show()
        st.subheader("All runs", anchor="runs")
        history.show()
        storage.show()
        next_action.of_all()
        with place:
            queue_state.show()
