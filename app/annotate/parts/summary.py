"""The summary of a campaign: answers by annotator, time, agreement, and the scores of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.annotate.parts import annotator_table, work
from app.annotate.parts.agreement import ENOUGH, too_few
from app.ui import tables
from app.ui.glossary import explain
from app.ui.messages import errors_shown
from slim_core.annotation.agreement import agreement
from slim_core.annotation.answered_space import answered_space
from slim_core.annotation.convergence import stability
from slim_core.curation import trusted
from slim_core.formatting import percent, to_csv

if TYPE_CHECKING:
    from slim_core.store import Campaign
    from slim_core.store.campaigns.annotation_cost import AnnotationCost

UNCERTAIN = 0.25  # a score nearer to 0.5 than this says little


def show(campaign: Campaign, said: set[str] | None = None, *, below_counts: bool = False) -> None:
    """Shown open when every image is answered or the campaign is closed; on request before.

    ``said``: as of ``errors_shown``; ``below_counts``: the page shows above how many are answered, in which time, and
    whether more answers help, which is then not said again.
    """
    store = session.store()
    progress = store.campaigns.progress(campaign.id)
    finished = progress["done"] >= progress["total"] or campaign.status != "open"
    title = "Summary" if finished else "Summary so far"
    if not finished and not st.toggle(title, key=f"summary-{campaign.id}"):
        return
    st.subheader(title, anchor=False)
    spent = store.answers.cost(campaign.id)
    _metrics(campaign, progress, spent, below_counts=below_counts)
    people = annotator_table.show(campaign)
    scores = pd.DataFrame()
    with errors_shown(said):
        scores = _scores(campaign)
        if len(scores) and not below_counts:
            st.caption(stability(store, campaign.id).hint)
    content = csv(campaign, progress, spent, people, scores)
    name = f"summary-{campaign.id}.csv"
    st.download_button("Download as CSV", content, name, "text/csv", icon=":material/download:", key="summary-csv")


def _metrics(campaign: Campaign, progress: dict[str, Any], spent: AnnotationCost, *, below_counts: bool) -> None:
    columns = iter(st.columns(2 if below_counts else 4))
    if not below_counts:
        work.metric(next(columns), campaign, progress)
    share = percent(progress["share"])
    next(columns).metric("Share of the split", share, border=True, help="Of images with an answer.")
    if not below_counts:
        next(columns).metric("Minutes of work", work.minutes(spent), border=True, help=work.HELP)
    value, note = _agreement(campaign)
    next(columns).metric("Agreement", value, border=True, help=note)
    if not below_counts:
        work.note(progress)


def _agreement(campaign: Campaign) -> tuple[str, str]:
    """The number with its interval, and a note on it."""
    found = agreement(session.store().answers.votes(campaign.id))
    if np.isnan(found.value) or found.n_items < ENOUGH:
        return "–", found.note or too_few(found)
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})", f"{found.measure}, with its 95 % interval."


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


def csv(
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
