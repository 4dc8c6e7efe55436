"""The attention gallery: what is drawn of each image, one model or two beside each other, and an image opened large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import session
from app.attention.parts import filter, tiles, to_space
from app.routes.images import open_maps
from app.services.results import attention_scores
from app.ui import roles
from app.ui.choosing import pick
from app.ui.escape import verbatim
from app.ui.glossary import explain
from app.ui.images import details, pictures
from app.ui.images.details import ModelMaps, views
from app.ui.images.pictures import KINDS
from slim_core.data.names import shortened
from slim_core.evaluation.predictions import paired
from slim_core.store.results import LABEL, PREDICTED

if TYPE_CHECKING:
    from slim_core.store import Run

CLASSES = {LABEL: "label", PREDICTED: "prediction"}
MOST_BUTTONS = 6
BUTTON_LETTERS = 18  # of a class: six buttons fit beside each other on a page of 1,024 pixels
WIDE_PX, EACH_PX = {1: 135, 2: 210, 3: 285, 4: 360, 5: 420}, 90  # of a tile, by its pictures; of each of more
USUAL = ("image", "overlay", "heat")
NAMES = ("before", "after")
COMPARE = "A second run on the same images: before and after."


def show(run: Run, others: Sequence[Run]) -> None:
    """The gallery of a run's images; ``others``: finished runs whose attention may be put beside it."""
    with st.container(horizontal=True, vertical_alignment="top"):  # the labels in a line: buttons are lower than lists
        kinds = _kinds(run)
        map_of = _map_of(run)
        other = pick.other_run(
            "Compare with", [one for one in others if one.id != run.id], "compare", "no other model", help=COMPARE
        )
    models = [ModelMaps(run.id, map_of, NAMES[0])]
    scores = attention_scores.frame(run.id)
    if other is not None:
        models.append(ModelMaps(other.id, _same_or_kept(other.id, map_of), NAMES[1]))
        scores = paired(scores, attention_scores.frame(other.id))
    rows, named = filter.show(run.dataset_id, scores)
    if scores.empty:
        st.info("The two runs have no image in common. Choose a run of the same split.")
    elif rows.empty:
        st.info("No image matches this filter. Choose another group, split or prediction.")
    clicked = None
    if len(rows):
        clicked = _gallery(run.dataset_id, models, kinds, filter.page(rows))
        if named is not None:
            to_space.ask(run, named)
    details.show(run.dataset_id, models, scores, clicked, below=to_space.of(run))


def _gallery(dataset: str, models: Sequence[ModelMaps], kinds: Sequence[str], page: pd.DataFrame) -> int | None:
    """A tile for each row of the page; the row that was clicked just now."""
    shown = views(models, kinds)
    made = [tiles.tile(record, shown, len(models)) for record in page.to_dict("records")]
    wide = WIDE_PX.get(len(shown), EACH_PX * len(shown))
    return pictures.gallery(dataset, made, key="attention-gallery", wide=wide)


def show_missing_maps(dataset: str, passes: Sequence[Run]) -> None:
    """Say which finished passes have lost their maps, where there are some and no other is left to show."""
    done = session.store().runs.all(kind="gradcam", status="done", dataset=dataset, metrics=False)
    if done and not any(one.kind == "gradcam" for one in passes):
        names = ", ".join(verbatim(one.name or one.id) for one in done)
        st.error(
            f"The attention maps of {names} are missing from the artifacts: "
            f"{roles.can('lead', 'compute them again below.')}",
            icon=":material/error:",
        )


def _kinds(run: Run) -> list[str]:
    store = session.store()
    table = store.shapes.on(run.dataset_id, store.datasets.table(run.dataset_id))
    offered = [kind for kind in KINDS if kind != "mask" or table.has_mask.any()]
    chosen = st.pills(
        "Shown",
        offered,
        selection_mode="multi",
        default=USUAL,
        format_func=KINDS.__getitem__,
        key="attention-shown",
        bind="query-params",
        help=explain("attention map") + " The contour encloses the area with at least half the peak value.",
    )
    return [kind for kind in offered if kind in chosen] or ["overlay"]


def _map_of(run: Run) -> str:
    """The class whose map is drawn, among those the run kept."""
    kept = open_maps(run.id).classes
    names = session.store().datasets.table(run.dataset_id).label_names
    absent = "" if len(kept) > len(CLASSES) else " For other classes, compute attention maps again."
    is_list = len(kept) > MOST_BUTTONS
    named = {of: CLASSES.get(of) or (names[int(of)] if is_list else _on_button(names[int(of)])) for of in kept}
    asked: dict[str, Any] = {
        "label": "Map of",
        "options": kept,
        "format_func": pick.label_function(named),  # a list reads no Markdown
        "key": f"attention-map-{len(kept)}-{kept[0]}",
        "help": f"{explain('class of the map')}{absent}",
        "bind": "query-params",
    }
    if is_list:
        return str(st.selectbox(**asked))
    return str(st.segmented_control(**asked, default=kept[0], required=True))


def _on_button(name: str) -> str:
    """Long ones are cut, as all stand in one row. ``told_apart`` adds the number of a class to two that are alike."""
    return verbatim(shortened(name, BUTTON_LETTERS))


def _same_or_kept(run_id: str, map_of: str) -> str:
    kept = open_maps(run_id).classes
    return map_of if map_of in kept else kept[0]
