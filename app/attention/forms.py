"""Which model's attention is mapped, on which splits, and for which class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.attention.parts import preview
from app.ui.choosing import pick
from app.ui.runs import config_form, state, submit
from slim_core.parameters import Parameter, parameters
from slim_core.steps.registry import STEPS

if TYPE_CHECKING:
    from slim_core.store import Run

_IN_ITS_OWN_WAY = ("kind", "class_of_map", "splits", "target_layer", "seed")  # nothing of a pass is random


def show(models: Sequence[Run]) -> bool:
    """The choices, and the buttons that queue a preview or the pass; False where the chosen model has no maps.

    ``models``: finished trainings, at least one.
    """
    spec = STEPS["gradcam"].spec
    asked = parameters(spec)
    model = pick.run("Model", models, param="model")
    assert model is not None  # there is one at least
    with st.container(horizontal=True, vertical_alignment="bottom"):
        fields: dict[str, Any] = {
            name: config_form.field(asked[name], asked[name].default, key="gradcam", segmented=True)
            for name in ("class_of_map", "splits")
        }
        fields["target_layer"] = _target_layer(model, asked["target_layer"])
        fields |= config_form.fields(config_form.form_parameters(spec, without=_IN_ITS_OWN_WAY), {}, key="gradcam")
    has_maps = state.show_network(model)
    if not fields["splits"]:
        st.caption("Choose a split.")
    off = not fields["splits"] or not has_maps
    with st.container(horizontal=True):
        preview.button(model, fields, disabled=off)
        submit.button(
            "Compute attention maps", lambda: _spec(model, fields), dataset=model.dataset_id, key="submit-gradcam",
            disabled=off,
        )  # fmt: skip
    preview.show(model)
    return has_maps


def _target_layer(model: Run, asked: Parameter) -> str | None:
    """One of the model's layers that have a map, or the name of another; None: the one that is found."""
    left = state.model_result(model)
    facts = left.network if left else None
    listed = list(reversed(facts.layers)) if facts else []
    found = f"{facts.target_layer} (default)" if facts else str(asked.display.default)
    chosen = st.selectbox(
        asked.label,
        ["", *(one for one in listed if facts and one != facts.target_layer)],
        format_func=lambda one: one or found,  # a list reads no Markdown
        accept_new_options=True,
        key=f"target_layer-{model.id}",
        help=asked.help,
        width=260,
    )
    return chosen or None


def _spec(model: Run, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "gradcam", "dataset": model.dataset_id, "model": model.id, **fields}
