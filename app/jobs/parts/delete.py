"""Deleting a run, after listing what goes with it and what stays: answers always do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import actions
from app.ui import pages
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from slim_core.percent import counted

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run

MOST_NAMED = 5


def button(run: Run) -> None:
    """Asks first; with runs or campaigns that hang on it, only a tick lets it go."""
    store = session.store()
    children = store.runs.children(run.id)
    deleted = {run.id, *store.lineage.descendants([run.id])}
    campaigns = [one for one in store.campaigns.all(run.dataset_id) if one.space_run_id in deleted]
    with st.popover("Delete", icon=":material/delete:"):
        named = verbatim(run.name or run.kind)
        st.markdown(f"Delete **{named}**? Its results, log and checkpoints are deleted. Images and answers are kept.")
        if children:
            st.markdown(_runs(children))
        if campaigns:
            st.markdown(_campaigns(campaigns))
        cascade = bool(children or campaigns) and st.checkbox(_tick(children, campaigns), key=f"cascade-{run.id}")
        blocked = bool(children or campaigns) and not cascade
        if st.button("Yes, delete it", key=f"delete-{run.id}", type="primary", disabled=blocked):
            with errors_shown():
                actions.delete_run(run.id, cascade=cascade)
                pages.go_to("jobs")


def _runs(children: list[Run]) -> str:
    were = "1 run was" if len(children) == 1 else f"{len(children):,} runs were"
    named = ", ".join(f"{one.kind} {one.id}" for one in children[:MOST_NAMED])
    return f"{were} made from it: {named}{' ...' if len(children) > MOST_NAMED else '.'}"


def _campaigns(campaigns: list[Campaign]) -> str:
    """The campaigns that can ask no more, each with the answers it keeps."""
    given = {one.id: session.store().campaigns.progress(one.id)["answers"] for one in campaigns[:MOST_NAMED]}
    named = "".join(f"\n- {verbatim(one.name)}: {counted(given[one.id], 'answer')}" for one in campaigns[:MOST_NAMED])
    more = f"\n- and {len(campaigns) - MOST_NAMED:,} more" if len(campaigns) > MOST_NAMED else ""
    ask = "1 campaign asks" if len(campaigns) == 1 else f"{len(campaigns):,} campaigns ask"
    return (
        f"{ask} about the deleted space, and can no longer ask or curate:\n{named}{more}\n\n"
        "Their answers are kept: export them on Annotate, and import them into a campaign on another space."
    )


def _tick(children: list[Run], campaigns: list[Campaign]) -> str:
    if not campaigns:
        return "Also delete these runs and all runs made from them"
    left = "leave the campaign without its space" if len(campaigns) == 1 else "leave the campaigns without their space"
    return f"Also delete the runs made from it, and {left}" if children else left.capitalize()
