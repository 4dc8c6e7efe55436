"""Where a run comes from and what was made from it, as a small graph and as links."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.jobs import charts as chart
from app.jobs.charts import Source
from app.ui import next_step
from app.ui.escape import verbatim
from slim_core.store.campaigns.overlap import answered_in_words
from slim_core.store.runs.history import History

if TYPE_CHECKING:
    from slim_core.store import Run

TEXT = {"light": "#1F2933", "dark": "#E4E8EC"}  # of the theme
MOST_LINKS = 12


def show(run: Run, history: History) -> None:
    """The graph, and below it the nearest runs as links: the same for keyboards and screen readers."""
    found = session.store().lineage.trace(run.id)
    runs = history.some(found.runs)
    theme = "dark" if st.context.theme.type == "dark" else "light"
    campaigns = _campaigns(runs)
    graph = chart.dot(found, runs, datasets=_datasets(runs), campaigns=campaigns, text=TEXT[theme])
    st.graphviz_chart(graph, width="content", alt=f"Lineage of {run.id}: {len(found.runs)} runs")
    if found.cut:
        st.caption("Earlier runs are left out. Open the leftmost run to see them.")
    links = {
        "Made from": [(link.role, link.parent) for link in found.links if link.child == run.id],
        "Used by": [(link.role, link.child) for link in found.links if link.parent == run.id],
    }
    for column, (title, near) in zip(st.columns(2), links.items(), strict=True):
        with column:
            _links(title, near, runs)
    if runs.keys() >= {run.id}:
        with st.container(horizontal=True):
            next_step.link("data", "Data set", icon="photo_library", dataset=run.dataset_id)
            if run.campaign_id in campaigns:
                about = {"campaign": run.campaign_id, "dataset": run.dataset_id}
                next_step.link("annotate", "Answers", icon="touch_app", **about)


def _links(title: str, near: list[tuple[str, str]], runs: dict[str, Run]) -> None:
    """``near``: (what one run is to the other, id of the other)."""
    st.markdown(f"**{title}**")
    if not near:
        st.caption("No other run.")
    for role, one in near[:MOST_LINKS]:
        if one in runs:
            named = verbatim(runs[one].name or runs[one].kind)
            next_step.link("jobs", f"{role}: {named}", icon="arrow_right_alt", run=one)
        else:
            st.caption(f"{role}: {one} (deleted)")
    if len(near) > MOST_LINKS:
        st.caption(f"and {len(near) - MOST_LINKS} more")


def _datasets(runs: dict[str, Run]) -> dict[str, Source]:
    known = {one.id: one for one in session.store().datasets.all()}
    used = {run.dataset_id for run in runs.values()}
    return {
        one: Source(known[one].name, f"data?dataset={one}", f"{known[one].name}: {known[one].n_images:,} images")
        for one in used & known.keys()
    }


def _campaigns(runs: dict[str, Run]) -> dict[str, Source]:
    """Those that the viewer may see: a run is its data set's, and the campaign of its answers may be private."""
    campaigns = session.store().campaigns
    used = {run.campaign_id: run.dataset_id for run in runs.values() if run.campaign_id}
    found = {}
    for one in (each for dataset in set(used.values()) for each in campaigns.all(dataset) if each.id in used):
        progress = campaigns.progress(one.id)
        about = f"{one.name}: {answered_in_words(one, progress, 'images')}"
        found[one.id] = Source(one.name, f"annotate?campaign={one.id}&dataset={one.dataset_id}", about)
    return found
