"""Activity: who did what and when, for admins; filtered, page by page, and as a CSV."""

import streamlit as st

from app.activity.parts import events, filters
from app.ui import roles
from app.ui.links import pages
from app.ui.messages import errors_shown

st.title("Activity")

with errors_shown():
    if roles.offers("admin", "Seeing who did what"):
        opened = events.show(filters.show())
        if opened:
            pages.go_to("jobs", run=opened)
