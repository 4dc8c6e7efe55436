"""Overview: the loop as a row of steps, the one next thing to do, the latest numbers, and what runs now."""

import streamlit as st

from app import loop_state, session
from app.components import headline, loop_row, next_step, pick, register_data, run_progress

st.title("Overview")

dataset = pick.dataset()
if dataset is None:
    st.markdown(
        "SLIM Studio shows **where an image classifier looks**, lets you say on a few images whether that is right, "
        "and gives back a small, balanced subset and a model that no longer relies on the background."
    )
    with st.container(border=True):
        st.markdown("**Begin with data.** Register a folder of images that lies on this machine, or try the demo.")
        with st.container(horizontal=True):
            next_step.link("data", "Register data")
            register_data.demo_button()
        st.caption("The demo set holds real digits on real photographs; `slim demo-data DIR` writes it too.")
    run_progress.show()
    st.stop()

loop = loop_state.read(session.store(), dataset.id)
loop_row.show(loop)
loop_row.show_next(loop)

headline.show(loop.before, loop.after)

run_progress.show(dataset=dataset.id)
