"""A model that was trained elsewhere, registered as a run that can be evaluated, curated for and retrained from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import actions
from app.train.parts.models import offered
from app.ui import shell
from app.ui.choosing import pick
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from app.ui.runs import config_form
from slim_core.parameters import parameters
from slim_core.settings import settings
from slim_core.steps.specs import OF_IMAGES, TrainSpec
from slim_core.steps.train.recipes import default_model

if TYPE_CHECKING:
    from slim_core.store import Dataset


def form(dataset: Dataset) -> None:
    """Path, architecture and input of the model; opens the run it becomes."""
    asked = parameters(TrainSpec)
    left, middle, right = st.columns([5, 3, 3])
    path = left.text_input(
        f"Checkpoint on {shell.machine()}",
        placeholder="/models/waterbirds-resnet50.pt",
        help="A .safetensors, .pt or .pth file of plain tensors. Allowed folders: "
        + ", ".join(map(str, settings().data_roots)),
    ).strip()
    model = middle.selectbox(
        "Architecture", *offered(default_model(dataset)), accept_new_options=True,
        key=f"register-model-{dataset.id}", help=asked["model"].help,
    )  # fmt: skip
    name = right.text_input("Name", placeholder="architecture and file").strip()
    with errors_shown():
        names = session.store().datasets.table(dataset.id).label_names
        st.caption(f"The model's {len(names)} outputs must be, in this order: {verbatim(', '.join(names))}.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # never off: the field gives its text away when it is left, so that the first click would only wake the button
        pressed = st.button("Register model", type="primary", icon=":material/upload_file:")
        fields = config_form.fields([asked[one] for one in OF_IMAGES], {}, key="register")
    if pressed and not path:
        st.warning("Enter the path of a checkpoint above.", icon=":material/edit:")
    elif pressed:
        with errors_shown():
            run, created = actions.register_model(dataset.id, path, model, name=name or None, fields=fields)
            if not created:
                st.toast("This model is registered already. It is shown below.", icon=":material/info:")
            pick.take("run", run.id)
            st.rerun()
