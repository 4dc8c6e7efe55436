"""Activity: who did what and when, for admins; filtered, page by page, and as a CSV."""

import streamlit as st

from app.activity.events import show_events, show_filters
from app.ui import next_step
from app.ui.messages import errors_shown

st.title("Activity")

with errors_shown():
    if next_step.offers("admin", "Seeing who did what"):
        show_events(show_filters())
