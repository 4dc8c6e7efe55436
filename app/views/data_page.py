"""Data: register a folder by its path, see what the import found, the groups, and a sample of the images."""

import streamlit as st

from app import session
from app.components import dataset_report, next_step, pick, register_data, sample_grid
from app.components.telling import errors_told
from app.components.verbatim import verbatim
from app.glossary import explain

st.title("Data", help=explain("group", "attribute"))

known = session.store().datasets.all()
with st.expander("Register data", icon=":material/add:", expanded=not known):
    register_data.form()
    if not known:
        register_data.demo_button()

dataset = pick.dataset()
if dataset is None:
    st.info("No data is registered yet: a folder of images and a table of their labels, read where they lie.")
    next_step.here("name a folder above and press *Check and register*, or try the demo data.")
    st.stop()

about = f"{dataset.format} · {dataset.root} · fingerprint {dataset.fingerprint}"
st.caption(verbatim(about), help=explain("fingerprint"))
dataset_report.findings(dataset.report)

st.subheader("Groups", anchor="groups")
dataset_report.counts(dataset.report)

st.subheader("Images", anchor="images")
with errors_told():
    sample_grid.show(dataset.id)

next_step.show("train a reference model on this data.", "train", "Train a model", dataset=dataset.id)
