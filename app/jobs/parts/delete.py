"""Deleting a run, after listing what goes with it and what stays: answers always do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import actions
from app.ui.escape import verbatim
from app.ui.links import pages
from app.ui.messages import errors_shown
from slim_core.percent import counted
from slim_core.steps.registry import STEPS
from slim_core.store.runs.history import History

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run

MOST_NAMED = 5


def button(run: Run) -> None:
    """Asks first; with runs or campaigns that hang on it, only a tick lets it go."""
    store = session.store()
    below = store.lineage.descendants([run.id])
    others = [one for one in History(store.database).some(below).values() if one.shard_of is None]
    deleted = {run.id, *below}
    campaigns = [one for one in store.campaigns.all(run.dataset_id) if one.space_run_id in deleted]
    with st.popover("Delete", icon=":material/delete:"):
        named = verbatim(run.name or run.kind)
        st.markdown(f"Delete **{named}**? Its results, log and checkpoints are deleted. Images and answers are kept.")
        if others:
            st.markdown(_runs(others))
        if campaigns:
            st.markdown(_campaigns(campaigns))
        cascade = bool(others or campaigns) and st.checkbox(_tick(others, campaigns), key=f"cascade-{run.id}")
        blocked = bool(others or campaigns) and not cascade
        if st.button("Yes, delete it", key=f"delete-{run.id}", type="primary", disabled=blocked):
            with errors_shown():
                actions.delete_run(run.id, cascade=cascade)
                pages.go_to("jobs")


def _runs(others: list[Run]) -> str:
    """All that go with it, by their kind: also those that were made from what was made from it."""
    go = "1 run was made from it, and goes" if len(others) == 1 else f"{len(others):,} runs were made from it, and go"
    by_kind = {kind: [one.id for one in others if one.kind == kind] for kind in STEPS}
    lines = "".join(f"\n- {len(ids):,} {kind}: {_few(ids)}" for kind, ids in by_kind.items() if ids)
    lost = counted(len(by_kind["evaluate"]), "evaluation")
    compared = f"\n\n{lost} can no longer be seen on Compare." if by_kind["evaluate"] else ""
    return f"{go} with it:\n{lines}{compared}"


def _few(ids: list[str]) -> str:
    return f"{', '.join(ids[:MOST_NAMED])}{' ...' if len(ids) > MOST_NAMED else ''}"


def _campaigns(campaigns: list[Campaign]) -> str:
    """The campaigns that can ask no more, each with the answers it keeps."""
    spent = {one.id: session.store().answers.spent(one.id).in_words() for one in campaigns[:MOST_NAMED]}
    named = "".join(f"\n- {verbatim(one.name)}: {spent[one.id]}" for one in campaigns[:MOST_NAMED])
    more = f"\n- and {len(campaigns) - MOST_NAMED:,} more" if len(campaigns) > MOST_NAMED else ""
    ask = "1 campaign asks" if len(campaigns) == 1 else f"{len(campaigns):,} campaigns ask"
    return (
        f"{ask} about the deleted space, and can no longer ask or curate:\n{named}{more}\n\n"
        "Their answers are kept: export them on Annotate, and import them into a campaign on another space."
    )


def _tick(others: list[Run], campaigns: list[Campaign]) -> str:
    if not campaigns:
        return "Also delete these runs"
    left = "leave the campaign without its space" if len(campaigns) == 1 else "leave the campaigns without their space"
    return f"Also delete these runs, and {left}" if others else left.capitalize()
