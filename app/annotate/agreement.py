"""Each annotator's answers, how far annotators agree, and where they do not: the lead decides with one click."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.routes.images import OPACITY
from app.services import campaign_actions
from app.services.results import space_data
from app.ui import next_step, pictures, tables
from app.ui.messages import errors_shown, verbatim
from app.ui.pictures import Tile, View, under
from app.ui.reruns import fragment
from slim_core.annotation.agreement import Agreement, Dispute, agreement, annotators_of, disputes_of
from slim_core.errors import AnswersRefusedError
from slim_core.formatting import counted
from slim_core.store.campaigns.consensus import EMPTY, KEYS, PARTLY, WORDS

if TYPE_CHECKING:
    from streamlit.elements.lib.column_types import ColumnConfig

    from slim_core.store import Campaign, Decision


ENOUGH = 20  # images answered by two or more, below which agreement is chance
POLL_S = 5


def show(campaign: Campaign) -> None:
    """The measure, a table of annotators, and the queue of disputes; they follow the answers of an open campaign."""
    seq = session.store().answers.last_seq(campaign.id)
    found = _disputes(campaign.id, seq)
    decides = session.viewer().may("lead") and any(one.item.decision is None for one in found)
    polls = campaign.status == "open"
    fragment(run_every=POLL_S if polls else None)(_figures)(campaign, seq, decides)
    if _has_one_each(campaign, _agreement(campaign.id, seq)):
        return
    st.subheader("Disagreements", anchor=False)
    if not found:
        st.caption("No disagreements.")
        return
    fragment(run_every=POLL_S if polls and decides else None)(_counts)(campaign.id)
    with errors_shown():
        _queue(campaign, found)


def _figures(campaign: Campaign, seq: int, decides: bool) -> None:
    """As of now. ``seq``: the newest answer when the page was drawn; ``decides``: an image to decide is below.

    Who decides is about to press a button: the figures change in their places until then, and the page follows with
    that press. Else the page is drawn again with each news.
    """
    newest = session.store().answers.last_seq(campaign.id)
    if newest != seq and not decides:
        st.rerun()
    if _layout(campaign, newest) != _layout(campaign, seq):
        newest = seq
    _measure(campaign, _agreement(campaign.id, newest))
    show_annotators(campaign, newest)


def _layout(campaign: Campaign, seq: int) -> tuple[bool, int]:
    """What the height of the figures follows from."""
    return _is_measured(_agreement(campaign.id, seq)), len(annotator_table(campaign.id, seq))


def _counts(campaign_id: str) -> None:
    """The number of disputes, as of now."""
    found = _disputes(campaign_id, session.store().answers.last_seq(campaign_id))
    n_decided = sum(one.item.decision is not None for one in found)
    st.caption(f"{len(found) - n_decided} to decide, {n_decided} decided. A decision replaces all votes.")


@lru_cache(maxsize=16)
def _disputes(campaign_id: str, seq: int) -> list[Dispute]:  # noqa: ARG001  # decisions are answers, too
    return disputes_of(session.store(), campaign_id)


def _decisions(campaign_id: str) -> list[Decision]:
    return _counting(campaign_id, session.store().answers.last_seq(campaign_id))


@lru_cache(maxsize=16)
def _counting(campaign_id: str, seq: int) -> list[Decision]:  # noqa: ARG001  # decisions are answers, too
    return session.store().decisions.counting(campaign_id)


@lru_cache(maxsize=16)
def _agreement(campaign_id: str, seq: int) -> Agreement:  # noqa: ARG001  # a new answer is a new entry
    return agreement(session.store().answers.votes(campaign_id))


def _measure(campaign: Campaign, found: Agreement) -> None:
    if _has_one_each(campaign, found):
        st.info("Each image has one annotator. Open a campaign with two or more per image to measure agreement.")
        return
    if not _is_measured(found):
        st.info(found.note or too_few(found))
        return
    value, interval, items = st.columns(3)
    help = "Agreement beyond chance: 1 is perfect, 0 is chance. Unsure and partly are left out; empty counts as wrong."
    value.metric(found.measure, f"{found.value:.2f}", border=True, help=help)
    interval.metric("95 % interval", f"{found.low:.2f} to {found.high:.2f}", border=True, help="Bootstrap over images.")
    items.metric(
        "Answered by two or more",
        f"{found.n_items:,} images",
        border=True,
        help=f"{found.n_annotators} annotators. Unsure and partly are left out.",
    )


def _has_one_each(campaign: Campaign, found: Agreement) -> bool:
    """Whether nobody can disagree: each image has one annotator. Answers from a file may be of more."""
    return campaign.overlap == 1 and found.n_items == 0


def _is_measured(found: Agreement) -> bool:
    return not np.isnan(found.value) and found.n_items >= ENOUGH


def too_few(agreement: Agreement) -> str:
    """Why no number is given."""
    images = counted(agreement.n_items, "image")
    return (
        f"Too few to say: {images} answered by two or more, unsure and partly left out. "
        f"Agreement is measured from {ENOUGH} on."
    )


def _queue(campaign: Campaign, found: list[Dispute]) -> None:
    decided = [one for one in found if one.item.decision is not None]
    if not next_step.offers("lead", "Deciding"):
        _dispute_table(campaign, found)
        return
    undecided = [one for one in found if one.item.decision is None]
    _say_decided_meanwhile(campaign, decided)
    if undecided:
        st.session_state[_shown(campaign)] = undecided[0].item.id
        _one(campaign, undecided[0])
    if decided:
        _undo(campaign, decided)
        _dispute_table(campaign, decided)


def _shown(campaign: Campaign) -> str:
    return f"decide-shown-{campaign.id}"


def _say_decided_meanwhile(campaign: Campaign, decided: list[Dispute]) -> None:
    """Another lead was faster: a press of this one on the image that was shown has no effect."""
    shown = st.session_state.pop(_shown(campaign), None)
    rows = {one.item.id: one.item.row for one in decided}
    for one in _decisions(campaign.id) if shown in rows else ():
        if one.item_id == shown:
            st.info(f"Image {rows[shown]} was decided by {verbatim(one.by)} meanwhile: {WORDS[one.value]}.")


def _one(campaign: Campaign, dispute: Dispute) -> None:
    """One to decide. Its buttons are its own: a second click on them never decides about the next, unseen image."""
    run = _run(campaign)
    since = st.session_state.setdefault(f"decide-since-{dispute.item.id}", time.monotonic())
    table = session.store().datasets.table(campaign.dataset_id)
    with st.container(border=True), pictures.awaited("decision", [f"decide-{value}" for value in KEYS], KEYS.values()):
        shown, answers = st.columns([3, 4], gap="large")
        with shown:
            views = [View(run=run, name=pictures.quiet("image"))]
            views += [] if run is None else [under(run, name=pictures.quiet("overlay"))]
            pictures.show(campaign.dataset_id, [Tile(dispute.item.row, views)], wide=200 * len(views), size=400)
            if run is not None:
                pictures.scale()
        with answers:
            st.markdown(f"**{verbatim(table.label_names[dispute.item.label])}**, image {dispute.item.row}")
            votes = sorted(dispute.votes.items())
            st.markdown("  \n".join(f"{verbatim(who)}: **{WORDS[value]}**" for who, value in votes))
            with st.container(horizontal=True):
                for value, key in KEYS.items():
                    if st.button(WORDS[value].capitalize(), key=f"decide-{value}-{dispute.item.id}", shortcut=key):
                        seen = {"run": run, "view": "image and overlay" if run else "image", "opacity": OPACITY}
                        spent = round(1000 * (time.monotonic() - since))
                        with suppress(AnswersRefusedError):  # another lead was faster: the next drawing says so
                            campaign_actions.decide(campaign, dispute.item.id, value, seen, spent)
                            st.session_state.pop(_shown(campaign))
                        st.rerun()


def _run(campaign: Campaign) -> str | None:
    """The gradcam run whose attention is shown; None where there are no maps."""
    if not session.store().campaigns.has_space(campaign):
        return None
    return space_data.load(str(campaign.space_run_id)).maps


def _undo(campaign: Campaign, decided: list[Dispute]) -> None:
    """Takes back one's own last decision; where there is none, the last of another lead, who may be gone by now.

    It says which, and has a button for each: a second click never takes back one that was not named.
    """
    rows = {one.item.id: one.item.row for one in decided}
    made = [one for one in _decisions(campaign.id) if one.item_id in rows]
    me = session.viewer().name
    last = next((one for one in reversed(made) if one.by == me), made[-1] if made else None)
    if last is None:
        return
    whose = "your last decision" if last.by == me else f"the last decision of {verbatim(last.by)}"
    label = f"Undo {whose}: image {rows[last.item_id]}, {WORDS[last.value]}"
    if st.button(label, icon=":material/undo:", key=f"decide-undo-{last.item_id}"):
        campaign_actions.take_back(campaign, last)
        st.rerun()


def _dispute_table(campaign: Campaign, found: list[Dispute]) -> None:
    names = session.store().datasets.table(campaign.dataset_id).label_names
    by = {one.item_id: one.by for one in _decisions(campaign.id)}
    rows = [
        {
            "Image": one.item.row,
            "Class": names[one.item.label],
            "Answers": ", ".join(f"{who} {WORDS[value]}" for who, value in sorted(one.votes.items())),
            "Decision": "" if one.item.decision is None else WORDS[one.item.decision],
            "Decided by": by.get(one.item.id, ""),
        }
        for one in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Images on which annotators disagree")


_PERCENT = {"gold_agree": "Gold accuracy", "others_agree": "Agreement"}
_RARE = ("changed", "undone", "skipped", "gold_n", "others_n")
_NUMBERS = {
    "answers": "Answers",
    **{word: word.capitalize() for word in WORDS.values()},
    "surplus": "Not counted",
    "changed": "Changed",
    "undone": "Undone",
    "skipped": "Skipped",
    "gold_n": "Gold answers",
    "others_n": "Compared",
}


def show_annotators(campaign: Campaign, seq: int | None = None) -> pd.DataFrame:
    """The table of annotators; returned as it is in slim_core.annotation.agreement.annotators.

    ``seq``: the answer up to which it was made; None: the newest.
    """
    frame = annotator_table(campaign.id, session.store().answers.last_seq(campaign.id) if seq is None else seq)
    if not len(frame):
        st.caption("No answers yet.")
        return frame
    shown = frame.drop(columns=[] if frame["surplus"].any() else ["surplus"])
    shown = shown.assign(**{name: shown[name] * 100 for name in _PERCENT})
    st.dataframe(
        shown,
        hide_index=True,
        placeholder="–",
        column_config=_columns(),
        column_order=[name for name in shown.columns if _has_news(shown, name)],
        height=tables.height(len(shown)),
        alt="Annotators",
    )
    return frame


def _has_news(shown: pd.DataFrame, name: str) -> bool:
    """Whether a column is there from the start: the table's own menu, an eye, has those that say nothing of anybody."""
    if name in _PERCENT:
        return bool(shown[name].notna().any())
    return name not in _RARE or bool(shown[name].any())


def annotator_table(campaign_id: str, seq: int) -> pd.DataFrame:
    """slim_core.annotation.agreement.annotators of a campaign; ``seq``: the newest answer."""
    newest = session.store().events.recent(1, subject=campaign_id)
    return _annotator_table(campaign_id, seq, newest[0].id if newest else 0)


@lru_cache(maxsize=16)
def _annotator_table(campaign_id: str, seq: int, event: int) -> pd.DataFrame:  # noqa: ARG001
    """A new answer is a new entry, and so is an event: a known answer that a lead has set is no answer."""
    return annotators_of(session.store(), campaign_id)


def _columns() -> dict[str, ColumnConfig]:
    number = st.column_config.NumberColumn
    helps = {
        "answers": "Images whose answer counts.",
        WORDS[PARTLY]: "Attention partly on the object. Counted as neither right nor wrong.",
        WORDS[EMPTY]: "No attention for the class. Counted as wrong wherever answers are used.",
        "surplus": "Answers given after the image already had enough annotators: stored, not counted.",
        "minutes": "Of work on images, without environments.",
        "gold_n": "Gold images answered: the gold accuracy is of these.",
        "gold_agree": "Share of the gold images answered correctly.",
        "others_n": "Images that others answered too, most of them alike: the agreement is of these.",
        "others_agree": "Share of the images answered like the majority of the others.",
    }
    return {
        "annotator": st.column_config.TextColumn("Annotator"),
        **{name: number(title, help=helps.get(name), format="localized") for name, title in _NUMBERS.items()},
        "minutes": number("Minutes", format="%.1f", help=helps["minutes"]),
        "per_minute": number("Per minute", format="%.1f", help="Answers per minute of work, counted or not."),
        **{name: number(title, format="%.0f %%", help=helps[name]) for name, title in _PERCENT.items()},
    }
