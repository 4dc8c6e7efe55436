"""A campaign at a glance: what is asked, how far it is, who holds what now, whether more answers would help."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import session
from app.annotate import charts
from app.annotate.parts import answer_files, controls, extend, gold_images, members, summary
from app.ui import chart
from app.ui.escape import verbatim
from app.ui.messages import errors_told
from slim_core.annotation.convergence import Stability, stability
from slim_core.percent import percent

if TYPE_CHECKING:
    from slim_core.store import Campaign

POLL = "4s"
CHOSEN = {
    "kmeans": "spread over the space",
    "uncertain": "least settled by earlier answers",
    "selection": "from a selection in the space",
}


def show(campaign: Campaign) -> None:
    """What anybody may see, and what a lead may do."""
    with errors_told():
        session.store().campaigns.require_space(campaign)
    has_space = session.store().campaigns.has_space(campaign)
    _asked(campaign)
    (_now_polled if campaign.status == "open" else _now)(campaign)
    if has_space:
        with errors_told():
            _settled(stability(session.store(), campaign.id))
    if session.viewer().may("lead"):
        controls.show(campaign)
        if has_space:
            extend.show(campaign)
        gold_images.show(campaign)
    answer_files.show(campaign)
    members.show()
    summary.show(campaign)


def _asked(campaign: Campaign) -> None:
    names = session.store().datasets.table(campaign.dataset_id).label_names
    asked = sum(campaign.budgets.values())
    by_class = ", ".join(f"{verbatim(names[int(label)])}: {n:,}" for label, n in sorted(campaign.budgets.items()))
    people = "one person" if campaign.overlap == 1 else f"{campaign.overlap} people"
    st.markdown(
        f"**{asked:,} of {campaign.n_split:,}** {campaign.split} images are asked about, "
        f"**{percent(asked / max(campaign.n_split, 1))}** of the split ({by_class}), each by {people}."
    )
    told = [
        f"opened by {verbatim(campaign.created_by)} on {campaign.created_at:%d %b %Y}",
        f"images {CHOSEN.get(campaign.strategy, campaign.strategy)}",
    ]
    if campaign.deadline is not None:
        over = "was" if campaign.deadline < datetime.now(UTC) else "is"
        told.append(f"the deadline {over} {campaign.deadline:%d %b %Y %H:%M} UTC")
    if campaign.options.get("members"):
        told.append("only " + ", ".join(map(verbatim, campaign.options["members"])) + " may answer")
    if campaign.status != "open":
        told.append("closed")
    st.caption(" · ".join(told))


@st.fragment(run_every=POLL)
def _now_polled(campaign: Campaign) -> None:
    _now(campaign)


def _now(campaign: Campaign) -> None:
    """Numbers, and who looks at what."""
    progress = session.store().campaigns.progress(campaign.id)
    total = progress["total"]
    columns = st.columns(5)
    columns[0].metric("Answered", f"{progress['answered']:,} of {total:,}", border=True)
    columns[1].metric("Right", f"{progress['right']:,}", border=True)
    columns[2].metric("Wrong", f"{progress['wrong']:,}", border=True)
    columns[3].metric("Unsure", f"{progress['unsure']:,}", border=True, help="Unsure, or as many right as wrong.")
    columns[4].metric("Minutes", f"{progress['minutes']:.1f}", border=True, help="Pauses over a minute are cut.")
    held = holders(campaign.id)
    if len(held):
        st.dataframe(held, hide_index=True, width="content", column_config=_HELD, alt="Who looks at images now")
    elif campaign.status == "open":
        st.caption("Nobody looks at an image of this campaign now.")


_HELD = {
    "annotator": st.column_config.TextColumn("Looks at images now"),
    "images": st.column_config.NumberColumn("Images held"),
    "seconds": st.column_config.NumberColumn("Free in at most", format="%d s"),
}


def holders(campaign_id: str) -> pd.DataFrame:
    """One row an annotator who holds images: annotator, images, seconds until the last is free."""
    now = datetime.now(UTC)
    holds = session.store().campaigns.holders(campaign_id)
    frame = pd.DataFrame(
        [(one.annotator, (one.until - now).total_seconds()) for one in holds], columns=["annotator", "seconds"]
    )
    grouped = frame.groupby("annotator")["seconds"].agg(["size", "max"]).reset_index()
    return grouped.set_axis(["annotator", "images", "seconds"], axis=1)


def _settled(found: Stability) -> None:
    st.subheader("Do more answers help?", anchor=False)
    mark = ":material/check_circle:" if found.can_stop else ":material/trending_down:"
    st.markdown(f"{mark} {found.hint}")
    if len(found.steps) > 1:
        frame = pd.DataFrame([(step.n_answers, step.change) for step in found.steps], columns=["n_answers", "change"])
        alt = "Mean change of the propagated scores per answer"
        chart.show(charts.settling(frame), key="settling", alt=alt)
        st.caption(f"Mean change of a propagated score by one answer, over {found.n_measured:,} images.")
