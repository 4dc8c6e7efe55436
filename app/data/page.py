"""Data: register a folder by its path, see what the import found, the groups, and a sample of the images."""

import streamlit as st

from app import session
from app.data.parts import sample_grid
from app.ui import import_report, next_step, pick, register_data
from app.ui.escape import verbatim
from app.ui.glossary import explain
from app.ui.messages import errors_shown

st.title("Data", help=explain("group", "attribute"))

known = session.store().datasets.all()
with st.expander("Register data", icon=":material/add:", expanded=not known):
    register_data.form()
    if not known:
        register_data.demo_button()

dataset = pick.dataset()
if dataset is None:
    st.info("No data set is registered yet. A data set is a folder of images with a table of labels.")
    next_step.here("enter a folder above and press *Check and register*, or try the demo data.")
    st.stop()

about = f"{dataset.format} · {dataset.root} · fingerprint {dataset.fingerprint}"
st.caption(verbatim(about), help=explain("fingerprint"))
import_report.findings(dataset.report)

st.subheader("Groups", anchor="groups")
import_report.counts(dataset.report, estimated=dataset.n_attributes == 0)

st.subheader("Images", anchor="images")
with errors_shown():
    sample_grid.show(dataset.id)

next_step.show("train a reference model on this data.", "train", "Train a model", dataset=dataset.id)
