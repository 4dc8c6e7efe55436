"""A campaign at a glance: its images, its progress, who holds leases now, whether more answers would help."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import session
from app.annotate import charts
from app.annotate.parts import answer_files, controls, extend, gold_images, members, summary, work
from app.ui import chart, notes
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from app.ui.reruns import fragment
from slim_core.annotation.convergence import Stability, stability
from slim_core.formatting import counted, percent
from slim_core.store.campaigns.overlap import still_needed

if TYPE_CHECKING:
    from slim_core.store import Campaign

POLL_S = 4
CHOSEN = {
    "kmeans": "spread over the space",
    "uncertain": "most uncertain after earlier answers",
    "selection": "from a selection in the space",
}


def show(campaign: Campaign) -> None:
    """What anybody may see, and what a lead may do."""
    with errors_shown():
        session.store().campaigns.require_space(campaign)
    has_space = session.store().campaigns.has_space(campaign)
    _about(campaign)
    notes.show(campaign.id, campaign.name)
    (_now_polled if campaign.status == "open" else _now)(campaign)
    if has_space:
        with errors_shown():
            _convergence(stability(session.store(), campaign.id))
    if session.viewer().may("lead"):
        controls.show(campaign)
        if has_space:
            extend.show(campaign)
        gold_images.show(campaign)
    answer_files.show(campaign)
    members.show()
    summary.show(campaign, below_counts=True)


def _about(campaign: Campaign) -> None:
    names = session.store().datasets.table(campaign.dataset_id).label_names
    asked = sum(campaign.budgets.values())
    by_class = ", ".join(f"{verbatim(names[int(label)])}: {n:,}" for label, n in sorted(campaign.budgets.items()))
    people = "one annotator" if campaign.overlap == 1 else f"{campaign.overlap} annotators"
    st.markdown(
        f"**{asked:,} of {campaign.n_split:,}** {campaign.split} images are in this campaign, "
        f"**{percent(asked / max(campaign.n_split, 1))}** of the split ({by_class}), with {people} per image."
    )
    facts = [
        f"opened by {verbatim(campaign.created_by)} on {session.day(campaign.created_at)}",
        f"images {CHOSEN.get(campaign.strategy, campaign.strategy)}",
    ]
    if campaign.deadline is not None:
        over = "was" if campaign.deadline < datetime.now(UTC) else "is"
        facts.append(f"the deadline {over} {campaign.deadline:%d %b %Y %H:%M} UTC")
    if campaign.options.get("members"):
        facts.append("only " + ", ".join(map(verbatim, campaign.options["members"])) + " may answer")
    if campaign.status != "open":
        facts.append("closed")
    st.caption(" · ".join(facts))


@fragment(run_every=POLL_S)
def _now_polled(campaign: Campaign) -> None:
    _now(campaign)


def _now(campaign: Campaign) -> None:
    """Counts, and who holds leases."""
    store = session.store()
    progress, spent = store.campaigns.progress(campaign.id), store.answers.cost(campaign.id)
    with st.container(key=f"campaign-counts-{campaign.id}"):  # page.css keeps its room
        columns = st.columns(5)
    work.metric(columns[0], campaign, progress)
    columns[1].metric("Right", f"{progress['right']:,}", border=True)
    columns[2].metric("Wrong", f"{progress['wrong']:,}", border=True, help=_of_wrong(progress))
    columns[3].metric("Unsure", f"{progress['unsure']:,}", border=True, help="Unsure, or a tie.")
    columns[4].metric("Minutes", work.minutes(spent), border=True, help=work.HELP)
    st.caption(f"So far: {spent.in_words()}.")
    work.note(progress)
    if needed := still_needed(campaign, progress):
        st.caption(needed)
    held = holders(campaign.id)
    if len(held):
        st.dataframe(held, hide_index=True, width="content", column_config=_HELD, alt="Active annotators")
    elif campaign.status == "open":
        st.caption("No active annotators.")


def _of_wrong(progress: dict[str, Any]) -> str:
    return f"Wrong by most annotators. Empty counts as wrong: {counted(progress['empty'], 'image')} called empty."


_HELD = {
    "annotator": st.column_config.TextColumn("Active annotator"),
    "images": st.column_config.NumberColumn("Images leased"),
    "seconds": st.column_config.NumberColumn("Released within", format="%d s"),
}


def holders(campaign_id: str) -> pd.DataFrame:
    """One row per annotator with leases: annotator, images, seconds until the last lease ends."""
    now = datetime.now(UTC)
    holds = session.store().assignments.leases(campaign_id)
    frame = pd.DataFrame(
        [(one.annotator, (one.until - now).total_seconds()) for one in holds], columns=["annotator", "seconds"]
    )
    grouped = frame.groupby("annotator")["seconds"].agg(["size", "max"]).reset_index()
    return grouped.set_axis(["annotator", "images", "seconds"], axis=1)


def _convergence(found: Stability) -> None:
    st.subheader("Do more answers help?", anchor=False)
    mark = ":material/check_circle:" if found.can_stop else ":material/trending_down:"
    st.markdown(f"{mark} {found.hint}")
    if len(found.steps) > 1:
        frame = pd.DataFrame([(step.n_answers, step.change) for step in found.steps], columns=["n_answers", "change"])
        alt = "Mean change of the propagated scores per answer"
        chart.show(charts.convergence(frame), key="convergence", alt=alt)
        st.caption(f"Mean change of a propagated score per answer, over {found.n_measured:,} images.")
