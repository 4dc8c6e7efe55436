"""The end of every form of a training: its name, what follows it, and that it is queued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.services.queueing import pipelines
from app.ui import loop_next
from app.ui.choosing import pick
from app.ui.messages import errors_shown

EVALUATE = (
    "The accuracy of every group on the test images (validation images, where there are none), "
    "as soon as the model is trained."
)
MAPS = "Where the model looks in every image, as soon as it is trained."


@dataclass(frozen=True)
class FollowUp:
    """What follows a training by itself, and what it is called; None: by its step and data set."""

    evaluate: bool
    maps: bool
    name: str | None


def end(label: str, *, maps: bool) -> tuple[bool, FollowUp]:
    """The last row of a form: a name, what follows the training, and the button. ``maps``: whether they do at first."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        submitted = st.form_submit_button(label, type="primary", icon=":material/play_arrow:")
        name = st.text_input(
            "Run name", placeholder="such as: with augmentation", max_chars=200, key=f"name-{label}", width=240
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            evaluate = st.checkbox("then evaluate", value=True, key=f"evaluate-{label}", help=EVALUATE)
            look = st.checkbox("then compute the attention maps", value=maps, key=f"maps-{label}", help=MAPS)
    return submitted, FollowUp(evaluate, look, name.strip() or None)


def submit(spec: Mapping[str, Any], after: FollowUp, n_seeds: int = 1) -> None:
    """Queue a training with so many seeds and what follows each, and open the first (needs lead)."""
    with errors_shown():
        seeds = range(spec["seed"], spec["seed"] + n_seeds)
        run, created = pipelines.to_models(spec, seeds, evaluate=after.evaluate, maps=after.maps, name=after.name)
        if not created:
            st.toast("This training exists already. It is shown below.", icon=":material/info:")
        pick.take("run", run.id)
        st.query_params.pop(loop_next.OPENS_FORM, None)
        st.rerun()
