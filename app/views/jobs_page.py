"""Jobs: what runs, what waits, who works, and every run there was; with ?run=<id>, all there is to know about one."""

import streamlit as st

from app.components import queue_state, run_details, run_history, run_next, run_queue
from app.components.telling import errors_told

st.title("Jobs")

with errors_told():
    run_id = st.query_params.get("run")
    if run_id:
        run_next.of_one(run_details.show(run_id))
    else:
        place = st.container()
        run_queue.show()
        st.subheader("All runs", anchor="runs")
        opened = run_history.show()
        if opened:
            st.switch_page(run_queue.PAGE, query_params={"run": opened})
        run_next.of_all()
        with place:
            queue_state.show()
