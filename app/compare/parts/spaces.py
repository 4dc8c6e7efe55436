"""The attention spaces of the baseline and of another run side by side: do images of one group lie together still?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import session
from app.compare import charts
from app.services.queueing import pipelines
from app.services.results.comparison import Compared
from app.ui import chart, next_step, roles
from app.ui.escape import verbatim
from app.ui.glossary import explain
from app.ui.images import attention_change
from app.ui.messages import errors_shown
from app.ui.runs import pipeline, progress
from slim_core.evaluation.report.build import OF_SPACES
from slim_core.evaluation.space_frame import SPLITS, spaces_of

if TYPE_CHECKING:
    from slim_core.store import Run


def show(compared: Compared, rows: pd.DataFrame, baseline: str) -> None:
    """Baseline against one other run (?after); a model that has no space gets one by a button."""
    st.subheader("The attention space, before and after", anchor=False, help=explain("attention space"))
    if baseline not in rows.index:
        st.info("Tick the baseline in the table. Its space is the one shown first.")
        return
    others = [one for one in rows.index if one != baseline]
    labels: dict[Any, str] = compared.rows["label"].to_dict()
    shown = [baseline, *([attention_change.choose_after(others, labels)] if others else [])]
    models = [compared.evaluations[one].spec["model"] for one in shown]
    found = spaces_of(compared.ancestry.runs.values(), models)
    names = [labels[one] for one in shown]
    if not others:
        st.caption("Tick a second run in the table to see its space beside this one.")
    _missing([model for model, space in zip(models, found, strict=True) if space is None], names, found)
    known = [(space, name) for space, name in zip(found, names, strict=True) if space is not None]
    if known:
        _figure([space for space, _ in known], [name for _, name in known])


def _figure(spaces: Sequence[Run], names: Sequence[str]) -> None:
    st.caption(OF_SPACES + " Click a group in the legend to hide it.")
    made = charts.figure(tuple(one.id for one in spaces), tuple(names))
    chart.show(made, key="compared-spaces", alt=f"Attention space of {' and of '.join(names)}", toolbar=True)
    with st.container(horizontal=True):
        for space, name in zip(spaces, names, strict=True):
            next_step.link("space", f"Open the space of {verbatim(name)}", dataset=space.dataset_id, run=space.id)


def _missing(models: Sequence[str], names: Sequence[str], found: Sequence[Run | None]) -> None:
    """Which of them have no space, and the button that makes one; while it is made, its steps."""
    if not models:
        return
    store = session.store()
    trained = [store.runs.fetch(model) for model in models]
    under_way = pipeline.show(trained[0].dataset_id, lambda one: one.kind == "spaces")
    progress.follow_changes(trained[0].dataset_id, "space")  # one that has ended since the comparison was read
    if {_model_of(store.runs.fetch(one)) for one in under_way} >= set(models):
        return
    without = " and ".join(verbatim(name) for name, space in zip(names, found, strict=True) if space is None)
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"There is no attention space of {without} yet.", width="stretch")
        if not roles.offers("lead", "Building a space"):
            return
        label = "Build it" if len(trained) == 1 else "Build both"
        if st.button(label, key="build-spaces", type="primary", icon=":material/scatter_plot:"):
            with errors_shown():
                split = next((space.spec["split"] for space in found if space is not None), SPLITS[0])
                pipelines.to_spaces(trained, split)
                st.rerun()


def _model_of(step: Run) -> str:
    """Whose attention a step of such a pipeline maps or lays out."""
    maps = step if step.kind == "gradcam" else session.store().runs.fetch(step.spec["attention"])
    return str(maps.spec["model"])
