"""A few images with their maps, in seconds: whether model and target layer are right, before the whole pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.attention.parts import tiles
from app.routes.images import open_maps
from app.services import actions
from app.services.results import attention_scores
from app.ui.choosing import url_state
from app.ui.escape import verbatim
from app.ui.images import pictures
from app.ui.images.details import ModelMaps, views
from app.ui.messages import errors_shown
from app.ui.runs import submit
from slim_core.errors import NotFoundError
from slim_core.parameters import parameters
from slim_core.steps.specs import PreviewSpec

if TYPE_CHECKING:
    from slim_core.store import Run

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
            url_state.put(PARAM, run.id)
            actions.wake(run)


def spec(model: Run, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of the preview of a pass: of training images where the pass has them, else of its first split."""
    asked = {name: value for name, value in fields.items() if name in PreviewSpec.model_fields}
    split = "train" if "train" in fields["splits"] else fields["splits"][0]
    return {"kind": "preview", "dataset": model.dataset_id, "model": model.id, "split": split, **asked}


def show(model: Run) -> None:
    """The preview that the address names, where it is one of this model: its progress, then its images."""
    run_id = url_state.chosen(PARAM)
    if not run_id:
        return
    try:
        run = session.store().runs.fetch(run_id)
    except NotFoundError:
        run = None
    if run is None or run.kind != "preview" or run.spec["model"] != model.id:
        url_state.put(PARAM, "")
    elif run.status == "done":
        with errors_shown():
            _images(run)
    else:
        submit.follow(run.id)


def _images(run: Run) -> None:
    maps = ModelMaps(run.id, open_maps(run.id).classes[0], "")
    shown = views([maps], SHOWN)
    records = attention_scores.frame(run.id).to_dict("records")
    metrics = run.metrics or {}
    n_channels, (height, width) = metrics["n_features"], metrics["map_shape"]
    st.caption(f"Maps of the layer {verbatim(metrics['target_layer'])} ({n_channels:,} channels, {height} x {width}).")
    pictures.show(run.dataset_id, [tiles.tile(record, shown, 1) for record in records], wide=WIDE_PX)
