"""Which model's attention is mapped, on which splits, and for which class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.attention.view import tile
from app.routes.images import open_maps
from app.services import actions
from app.services.results import attention_scores
from app.ui import pick, pictures, reruns, run_state, submit
from app.ui.messages import errors_shown, verbatim
from app.ui.pictures import ModelMaps, large_views
from slim_core.errors import NotFoundError
from slim_core.parameters import Parameter, parameters
from slim_core.steps.specs import STEPS, PreviewSpec

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
            name: submit.field(asked[name], asked[name].default, key="gradcam", segmented=True)
            for name in ("class_of_map", "splits")
        }
        fields["target_layer"] = _target_layer(model, asked["target_layer"])
        fields |= submit.fields(submit.form_parameters(spec, without=_IN_ITS_OWN_WAY), {}, key="gradcam")
    has_maps = run_state.show_network(model)
    if not fields["splits"]:
        st.caption("Choose a split.")
    off = not fields["splits"] or not has_maps
    with st.container(horizontal=True):
        button(model, fields, disabled=off)
        submit.button(
            "Compute attention maps", lambda: _spec(model, fields), dataset=model.dataset_id, key="submit-gradcam",
            disabled=off,
        )  # fmt: skip
    show_preview(model)
    return has_maps


def _target_layer(model: Run, asked: Parameter) -> str | None:
    """One of the model's layers that have a map, or the name of another; None: the one that is found."""
    left = run_state.model_result(model)
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


PARAM = "preview"  # of the address: the run that is shown
SHOWN = ("image", "overlay")
WIDE_PX = 230
N_IMAGES = parameters(PreviewSpec)["images"].default


def button(model: Run, fields: Mapping[str, Any], *, disabled: bool) -> None:
    """Queues the preview of a model, for leads; ``fields``: those of the whole pass."""
    if not session.viewer().may("lead"):
        return
    label, help_text = f"Preview {N_IMAGES} images", "Maps of a few images of each group, in seconds."
    if st.button(label, icon=":material/visibility:", help=help_text, disabled=disabled, key="preview"):
        with errors_shown():
            run, _ = actions.save(spec(model, fields), name=f"Preview of {model.name or model.id}")
            reruns.put_in_address(PARAM, run.id)
            actions.wake(run)


def spec(model: Run, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of the preview of a pass: of training images where the pass has them, else of its first split."""
    asked = {name: value for name, value in fields.items() if name in PreviewSpec.model_fields}
    split = "train" if "train" in fields["splits"] else fields["splits"][0]
    return {"kind": "preview", "dataset": model.dataset_id, "model": model.id, "split": split, **asked}


def show_preview(model: Run) -> None:
    """The preview that the address names, where it is one of this model: its progress, then its images."""
    run_id = reruns.chosen_in_address(PARAM)
    if not run_id:
        return
    try:
        run = session.store().runs.fetch(run_id)
    except NotFoundError:
        run = None
    if run is None or run.kind != "preview" or run.spec["model"] != model.id:
        reruns.put_in_address(PARAM, "")
    elif run.status == "done":
        with errors_shown():
            _images(run)
    else:
        submit.follow(run.id)


def _images(run: Run) -> None:
    maps = ModelMaps(run.id, open_maps(run.id).classes[0], "")
    shown = large_views([maps], SHOWN)
    records = attention_scores.frame(run.id).to_dict("records")
    metrics = run.metrics or {}
    n_channels, (height, width) = metrics["n_features"], metrics["map_shape"]
    st.caption(f"Maps of the layer {verbatim(metrics['target_layer'])} ({n_channels:,} channels, {height} x {width}).")
    pictures.show(run.dataset_id, [tile(record, shown, 1) for record in records], wide=WIDE_PX)
