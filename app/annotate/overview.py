"""A campaign at a glance: its images, its progress, who holds leases now, whether more answers help; its summary."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.annotate import charts, live_effect, manage
from app.annotate.agreement import show_annotators
from app.ui import run_state, tables
from app.ui.messages import errors_shown, explain, verbatim
from app.ui.reruns import fragment
from slim_core.annotation.answered_space import answered_space
from slim_core.annotation.convergence import Stability, stability
from slim_core.curation import trusted
from slim_core.formatting import counted, percent, rounded, to_csv
from slim_core.store.campaigns.campaigns import n_answered, still_needed

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slim_core.store import Campaign
    from slim_core.store.campaigns.consensus import AnnotationCost


POLL_S = 4
CHOSEN = {
    "kmeans": "spread over the space",
    "selection": "from a selection in the space",
}


def show(campaign: Campaign) -> None:
    """What anybody may see, and what a lead may do."""
    with errors_shown():
        session.store().campaigns.require_space(campaign)
    has_space = session.store().campaigns.has_space(campaign)
    _about(campaign)
    run_state.show_described(campaign.id, campaign.name)
    (_now_polled if campaign.status == "open" else _now)(campaign)
    if has_space:
        with errors_shown():
            live_effect.show(campaign)
            _convergence(stability(session.store(), campaign.id))
    if session.viewer().may("lead"):
        manage.show_controls(campaign)
        if has_space:
            manage.show_extension(campaign)
        manage.show_gold(campaign)
    manage.show_answer_files(campaign)
    manage.show_members()
    show_summary(campaign)


def _about(campaign: Campaign) -> None:
    names = session.store().datasets.table(campaign.dataset_id).label_names
    asked = sum(campaign.budgets.values())
    by_class = ", ".join(f"{verbatim(names[int(label)])}: {n:,}" for label, n in sorted(campaign.budgets.items()))
    people = "one annotator" if campaign.overlap == 1 else f"{campaign.overlap} annotators"
    st.markdown(
        f"**{asked:,} of {campaign.n_split:,}** {campaign.split} images are in this campaign, "
        f"**{percent(asked / max(campaign.n_split, 1))}** of the split ({by_class}), with {people} per image."
    )
    by = "" if campaign.created_by == "local" else f" by {verbatim(campaign.created_by)}"  # nobody in particular
    facts = [
        f"opened{by} on {session.day(campaign.created_at)}",
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
    empty = counted(progress["empty"], "image")
    wrong = f"Wrong by most annotators. Empty counts as wrong: {empty} called empty."
    answered_metric(columns[0], campaign, progress)
    columns[1].metric("Right", f"{progress['right']:,}", border=True)
    columns[2].metric("Wrong", f"{progress['wrong']:,}", border=True, help=wrong)
    partly = f"Unsure, partly, or a tie: neither right nor wrong. {counted(progress['partly'], 'image')} called partly."
    columns[3].metric("Unsure", f"{progress['unsure']:,}", border=True, help=partly)
    columns[4].metric("Minutes", minutes(spent), border=True, help=MINUTES_HELP)
    st.caption(f"So far: {spent.in_words()}.")
    if needed := still_needed(campaign, progress):
        st.caption(needed)
    held = holders(campaign.id)
    if len(held):
        st.dataframe(held, hide_index=True, width="content", column_config=_HELD, alt="Active annotators")
    elif campaign.status == "open":
        st.caption("No active annotators.")


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
        tables.show_chart(charts.convergence(frame), key="convergence", alt=alt)
        st.caption(f"Mean change of a propagated score per answer, over {found.n_measured:,} images.")


UNCERTAIN = 0.25  # a score nearer to 0.5 than this says little


def show_summary(campaign: Campaign) -> None:
    """Shown open when every image is answered or the campaign is closed; on request before."""
    store = session.store()
    progress = store.campaigns.progress(campaign.id)
    finished = progress["done"] >= progress["total"] or campaign.status != "open"
    title = "Summary" if finished else "Summary so far"
    if not finished and not st.toggle(title, key=f"summary-{campaign.id}"):
        return
    st.subheader(title, anchor=False)
    people = show_annotators(campaign)
    scores = pd.DataFrame()
    with errors_shown():
        scores = _scores(campaign)
    content = summary_csv(campaign, progress, store.answers.cost(campaign.id), people, scores)
    name = f"summary-{campaign.id}.csv"
    st.download_button("Download as CSV", content, name, "text/csv", icon=":material/download:", key="summary-csv")


def _scores(campaign: Campaign) -> pd.DataFrame:
    """The scores by class."""
    if not session.store().campaigns.has_space(campaign):
        return pd.DataFrame()
    frame = by_class(campaign)
    st.markdown("**Scores by class**")
    if frame["unsettled"].isna().any():
        st.caption("Without a right or wrong answer about a class, its scores are unknown.")
    st.dataframe(
        frame,
        hide_index=True,
        width="content",
        height=tables.height(len(frame)),
        placeholder="–",
        column_config=_COLUMNS,
        alt="Scores of each class",
    )
    return frame


_COLUMNS = {
    "class": st.column_config.TextColumn("Class"),
    "images": st.column_config.NumberColumn("Images", format="localized"),
    "answered": st.column_config.NumberColumn("Answered", format="localized"),
    "trusted": st.column_config.NumberColumn("Trusted", format="%.1f %%", help=explain("trusted image")),
    "unsettled": st.column_config.NumberColumn("Uncertain", format="%.1f %%", help="Score from 0.25 to 0.75."),
}


def by_class(campaign: Campaign) -> pd.DataFrame:
    """One row a class: class, images, answered, trusted and unsettled (percent of its images).

    Before the first answer nothing is trusted, and unsettled is NaN.
    """
    space = answered_space(session.store(), campaign.id)
    scores = space.scores
    answered = np.isin(space.rows, list(session.store().answers.current(campaign.id)))
    names = np.asarray(session.store().datasets.table(campaign.dataset_id).label_names)[space.labels]
    known = np.isfinite(scores)
    frame = pd.DataFrame(
        {
            "class": names,
            "answered": answered,
            "trusted": trusted(scores, space.labels) * 100.0,
            "unsettled": np.where(known, np.abs(scores - 0.5) < UNCERTAIN, np.nan) * 100,
        }
    )
    grouped = frame.groupby("class", sort=True)
    table = grouped.agg(images=("answered", "size"), answered=("answered", "sum"))
    return table.join(grouped[["trusted", "unsettled"]].mean()).reset_index()


def summary_csv(
    campaign: Campaign, progress: dict[str, object], spent: AnnotationCost, people: pd.DataFrame, scores: pd.DataFrame
) -> bytes:
    """One table: part, of, what, value; a line a number. Its minutes are those of the page."""
    whole = progress | {"minutes": spent.minutes}
    lines = [("campaign", campaign.name, str(what), value) for what, value in whole.items()]
    for part, frame in (("annotator", people), ("class", scores)):
        for record in frame.to_dict("records"):
            of = record.pop(part)
            lines += [(part, str(of), str(what), value) for what, value in record.items()]
    return to_csv(pd.DataFrame(lines, columns=["part", "of", "what", "value"])).encode()


NOT_KNOWN = "–"  # instead of minutes, where no answer has a time
MINUTES_HELP = (
    "Minutes that people spent. A pause counts as one minute at most; a simulated answer as "
    "none, and so does one whose time is not known, from a file or for a whole selection."
)


def minutes(spent: AnnotationCost) -> str:
    """The minutes of people; a dash where no answer has a time."""
    return NOT_KNOWN if spent.minutes != spent.minutes else rounded(spent.minutes)


def answered_metric(place: DeltaGenerator, campaign: Campaign, progress: Mapping[str, Any]) -> None:
    """How many images are answered: by as many annotators as the campaign asks for, while it is open."""
    about = None
    if campaign.overlap > 1:
        about = f"{progress['done']:,} by {campaign.overlap} annotators each, {progress['answered']:,} by at least one."
    of = f"{n_answered(campaign, progress):,} of {progress['total']:,}"
    place.metric("Answered", of, border=True, help=about)


def took(spent: AnnotationCost) -> str:
    """At the end of a sentence about images: in how many minutes, or that no person worked on it."""
    if spent.simulated and not spent.people:
        return "by the simulated annotator"
    shown = minutes(spent)
    return "in a time that is not known" if shown == NOT_KNOWN else f"in {shown} minutes of work"
