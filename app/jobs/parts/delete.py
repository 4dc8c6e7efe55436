"""Deleting a run, after listing what goes with it and what stays: answers always do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import actions
from app.ui import next_step, reruns
from app.ui.choosing import pick
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from slim_core.errors import ConflictError
from slim_core.formatting import counted, first_few
from slim_core.runs.dependants import Dependants, find_dependants
from slim_core.store.runs.kinds import TITLES

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run

MOST_NAMED = 5


def button(run: Run) -> None:
    """Asks first; with runs or campaigns that hang on it, only a tick lets it go."""
    dependants = find_dependants(session.store(), run)
    is_overtaken = reruns.overtaken(f"dependants-{run.id}", _ids(dependants))
    with st.popover("Delete", icon=":material/delete:", key=f"ask-delete-{run.id}"):
        named = verbatim(run.name or run.kind)
        st.markdown(f"Delete **{named}**? Its results, log and checkpoints are deleted. Images and answers are kept.")
        if dependants.runs:
            st.markdown(_runs(dependants.runs))
        if dependants.campaigns:
            st.markdown(_campaigns(dependants.campaigns))
        cascade = bool(dependants) and st.checkbox(_tick(dependants), key=f"cascade-{run.id}")
        blocked = bool(dependants) and not cascade
        if st.button("Yes, delete it", key=f"delete-{run.id}", type="primary", disabled=blocked):
            with errors_shown():
                _require_as_listed(is_overtaken)
                actions.delete_run(run.id, cascade=cascade)
                pick.forget_runs([one.id for one in (run, *dependants.runs)])
                next_step.go_to("jobs")


def _ids(dependants: Dependants) -> set[str]:
    return {run.id for run in dependants.runs} | {campaign.id for campaign in dependants.campaigns}


def _require_as_listed(is_overtaken: bool) -> None:
    """What goes is what was read before the press.

    Raises:
        ConflictError: somebody else has made something from the run since.
    """
    if is_overtaken:
        raise ConflictError("What depends on it has changed meanwhile: read the list above, then press again.")


def _runs(others: Sequence[Run]) -> str:
    """All that go with it, by their kind: also those that were made from what was made from it."""
    are = "run was made from it, and is" if len(others) == 1 else "runs were made from it, and are"
    by_kind = {kind: [one.id for one in others if one.kind == kind] for kind in TITLES}
    lines = "".join(f"\n- {TITLES[kind]} ({len(ids):,}): {first_few(ids)}" for kind, ids in by_kind.items() if ids)
    n_compared = sum(one.kind == "evaluate" and one.status == "done" for one in others)
    lost = counted(n_compared, "evaluation")
    compared = f"\n\n{lost} can no longer be seen on Compare." if n_compared else ""
    return f"{len(others):,} {are} deleted with it:\n{lines}{compared}"


def _campaigns(campaigns: Sequence[Campaign]) -> str:
    """The campaigns that can ask no more, each with the answers it keeps."""
    spent = {one.id: session.store().answers.cost(one.id).in_words() for one in campaigns[:MOST_NAMED]}
    named = "".join(f"\n- {verbatim(one.name)}: {spent[one.id]}" for one in campaigns[:MOST_NAMED])
    more = f"\n- and {len(campaigns) - MOST_NAMED:,} more" if len(campaigns) > MOST_NAMED else ""
    ask = "1 campaign asks" if len(campaigns) == 1 else f"{len(campaigns):,} campaigns ask"
    return (
        f"{ask} about the deleted space, and can no longer ask or curate:\n{named}{more}\n\n"
        "Their answers are kept: export them on Annotate, and import those about the same images into a campaign on "
        "another space."
    )


def _tick(dependants: Dependants) -> str:
    if not dependants.campaigns:
        return "Also delete these runs"
    is_one = len(dependants.campaigns) == 1
    left = "leave the campaign without its space" if is_one else "leave the campaigns without their space"
    return f"Also delete these runs, and {left}" if dependants.runs else left.capitalize()
