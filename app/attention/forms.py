"""Which model's attention is mapped, on which splits, and for which class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.ui import pick
from app.ui.runs import ask, submit
from slim_core.parameters import parameters
from slim_core.steps.registry import STEPS

if TYPE_CHECKING:
    from slim_core.store import Run

_IN_ITS_OWN_WAY = ("kind", "class_of_map", "splits", "seed")  # nothing of an attention pass is random


def show(models: Sequence[Run]) -> None:
    """The choices, and the button that queues the pass. ``models``: finished trainings, at least one."""
    spec = STEPS["gradcam"].spec
    asked = parameters(spec)
    model = pick.run("Model", models, param="model")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        fields: dict[str, Any] = {
            name: ask.field(asked[name], asked[name].default, key="gradcam", segmented=True)
            for name in ("class_of_map", "splits")
        }
        fields |= ask.fields(ask.offered(spec, without=_IN_ITS_OWN_WAY), {}, key="gradcam")
    if not fields["splits"]:
        st.caption("Choose a split.")
    submit.button(
        "Compute attention maps", lambda: _spec(model, fields), key="submit-gradcam", disabled=not fields["splits"]
    )


def _spec(model: Run | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    assert model is not None  # there is one at least
    return {"kind": "gradcam", "dataset": model.dataset_id, "model": model.id, **fields}
