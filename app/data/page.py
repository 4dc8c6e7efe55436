"""Data: check a folder by its path and register it; what the import found, the groups, and a sample of the images."""

import streamlit as st

from app import session
from app.data import check, forms, registered
from app.services.loop_state import read
from app.services.results.comparison import compared_on, estimates_groups
from app.ui import demo_data, next_step, pick, progress, run_state
from app.ui.messages import errors_shown, explain, prose, verbatim

st.title("Data", help=explain("group", "attribute"))

registered.show_removed()
known = session.store().datasets.all()
asked, may_register = None, session.viewer().may("lead")
if may_register:
    around = check.around_form(begins_open=not known or forms.PATH in st.query_params)
    if around.open or check.is_registering():
        with around:
            asked, pressed, unread = forms.show()
            if unread and not pressed and not check.is_shown(asked):  # a check says it too
                st.error(prose(unread), icon=":material/error:")
            check.show(asked, pressed=pressed, unpack=forms.allow_unpacking)
            if not known:
                demo_data.button()
    check.register()
    demo_data.register()

dataset = pick.dataset()
if dataset is None:
    st.info("No data set is registered yet. A data set is a folder of images, by class or with a table of labels.")
    next_step.here(check.todo(asked) if may_register else next_step.WAIT_FOR_DATA)
    st.stop()

about = f"{dataset.format} · {dataset.root} · fingerprint {dataset.fingerprint}"
st.caption(verbatim(about), help=explain("fingerprint"))
with st.container(horizontal=True, vertical_alignment="center"):
    run_state.show_described(dataset.id, dataset.name)
    registered.removal_button(dataset)
check.show_findings(dataset.report, key="found")
registered.show_versions(dataset)

st.subheader("Groups", anchor="groups")
n_drawn = len(session.store().shapes.all(dataset.id))
is_estimated = estimates_groups(dataset, compared_on(dataset))
check.show_counts(dataset.report, estimated=is_estimated, n_drawn=n_drawn)
if session.viewer().may("annotator"):
    next_step.link("draw", "Draw where the object is", icon="draw", dataset=dataset.id)

st.subheader("Images", anchor="images")
with errors_shown():
    registered.show_images(dataset.id)

progress.show_next(read(session.store(), dataset.id))
