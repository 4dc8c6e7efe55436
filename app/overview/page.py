"""Overview: what the model got wrong, why, whether it is better now; the loop as a row of steps, and what runs now."""

import streamlit as st

from app import session
from app.overview.parts import headline, loop_row, watch
from app.services import loop_state
from app.ui import next_step, pick, register_data
from app.ui.runs import progress

st.title("Overview")

dataset = pick.dataset()
if dataset is None:
    st.markdown(
        "SLIM Studio shows **where an image classifier looks**, lets you say on a few images whether that is right, "
        "and gives back a small, balanced subset and a model that no longer relies on the background."
    )
    loop_row.show(loop_state.unbegun())
    next_step.show("register a folder of images on this machine.", "data", "Register data")
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown("No data at hand? The demo: 4,200 images of real digits on real photographs.", width="stretch")
        register_data.demo_button()
    watch.for_news()
    st.stop()

loop = loop_state.read(session.store(), dataset.id)
headline.show(loop.before, loop.after)
loop_row.show(loop)
loop_row.show_next(loop)

if not progress.show(dataset=dataset.id):
    watch.for_news()
