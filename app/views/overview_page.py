"""Overview: the loop as a row of steps, and the one next thing to do."""

import streamlit as st

st.title("Overview")
