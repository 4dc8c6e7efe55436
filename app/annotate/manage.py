"""What a lead does with a campaign: close it, move its deadline, name its annotators, add images, set gold answers.

Also its answers as files, and the roles of the people who sign in.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import admission, session
from app.annotate import forms
from app.services import campaign_actions
from app.services.results import space_data
from app.ui import pictures, reruns
from app.ui.export import download_button
from app.ui.messages import errors_shown, prose
from app.ui.pictures import Tile, under
from app.ui.reruns import sync
from slim_core.annotation.answer_export import FORMATS, export
from slim_core.annotation.answer_import import CheckedAnswers, check_file
from slim_core.annotation.plan import most_helpful
from slim_core.errors import ConflictError
from slim_core.formatting import counted
from slim_core.store.campaigns.campaigns import class_options
from slim_core.store.campaigns.consensus import LISTED, RIGHT, WORDS, WRONG
from slim_core.store.members import ROLES, Role

if TYPE_CHECKING:
    from slim_core.store import Campaign, Item


def show_controls(campaign: Campaign) -> None:
    """One expander."""
    with st.expander("Manage this campaign", icon=":material/settings:"):
        _status(campaign)
        _deadline(campaign)
        _members(campaign)
        _classes(campaign)


def _classes(campaign: Campaign) -> None:
    table = session.store().datasets.table(campaign.dataset_id)
    names = {label: table.label_names[label] for label in sorted(map(int, campaign.budgets))}
    stored = class_options(tuple(campaign.absent), campaign.guidelines)
    key = f"classes-{campaign.id}-{hash(str(stored))}"  # what somebody else has set meanwhile is shown
    fields = forms.of_classes(names, key, campaign.absent, campaign.guidelines)
    if st.button("Set the classes", key="campaign-classes-set") and class_options(**fields) != stored:
        with errors_shown():
            campaign_actions.set_classes(campaign, **fields)
            st.rerun()


def _status(campaign: Campaign) -> None:
    is_open = campaign.status == "open"
    label, icon = ("Close the campaign", "lock") if is_open else ("Reopen the campaign", "lock_open")
    if st.button(label, icon=f":material/{icon}:", key=f"campaign-status-{campaign.status}"):
        with errors_shown():
            (campaign_actions.close if is_open else campaign_actions.reopen)(campaign)
            st.rerun()


def _deadline(campaign: Campaign) -> None:
    last_day = None if campaign.deadline is None else (campaign.deadline - timedelta(seconds=1)).date()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        key = sync(f"deadline-{campaign.id}", last_day)
        day = st.date_input("Deadline (UTC, end of the day)", None, key=key, width=240)
        # never off: the first click has to count, which is what takes the text out of the field; so below
        if st.button("Set the deadline", key="campaign-deadline-set") and day != last_day:
            with errors_shown():
                _require_not_overtaken(key, last_day, f"The deadline is now {last_day or 'none'}")
                campaign_actions.set_deadline(campaign, forms.end_of_day(day))
                st.rerun()


def _members(campaign: Campaign) -> None:
    named = ", ".join(campaign.options.get("members") or ())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        key = sync(f"may-answer-{campaign.id}", named)
        text = st.text_input("Allowed annotators", placeholder="everyone", key=key)
        if st.button("Set the annotators", key="campaign-members-set") and text.strip() != named:
            with errors_shown():
                _require_not_overtaken(key, named, f"Allowed annotators are now: {named or 'everyone'}")
                campaign_actions.set_members(campaign, forms.names(text))
                reruns.saved(key)
                st.rerun()


def _require_not_overtaken(key: str, stored: object, news: str) -> None:
    """``stored``: what the field of this key is about, as it is stored; ``news``: says it.

    Raises:
        ConflictError: somebody else has changed it since; not where the button is pressed again.
    """
    if reruns.overtaken(key, stored):
        raise ConflictError(f"{news}: changed by someone else. Press again to overwrite.")


PROPOSED = 12
SHOWN = 12


def show_extension(campaign: Campaign) -> None:
    """How many more, a preview, and the button that adds them."""
    if campaign.status != "open":
        return
    with st.expander("Add images", icon=":material/add:"):
        left = campaign.n_split - sum(campaign.budgets.values())
        if left < 1:
            st.caption("Every image of the split is in this campaign.")
            return
        st.caption("The images with the most uncertain scores, far from those already in the campaign.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            n = int(st.number_input("Images", 1, left, min(PROPOSED, left), key="extend-n", width=140))
            previewed = st.button("Preview", key="extend-look")
            pressed = reruns.button_once(f"Add {counted(n, 'image')}", type="primary", key="extend")
        with errors_shown():
            if pressed:
                campaign_actions.extend(campaign, n)
                st.rerun()
            if previewed:
                _preview_extension(campaign, n)


def _preview_extension(campaign: Campaign, n: int) -> None:
    data = space_data.load(str(campaign.space_run_id))
    found = most_helpful(session.store(), campaign, n)
    names = [data.table.label_names[label] for label in found.labels[:SHOWN]]
    pictures.strip(data.dataset, found.rows[:SHOWN].tolist(), names, data.maps)


NOT_SET = "not set"
BUTTONS = {RIGHT: "Right", WRONG: "Wrong", None: "Not gold"}


def show_gold(campaign: Campaign) -> None:
    """One image at a time, those without a correct answer first; nothing where the campaign has no gold images."""
    named = set(campaign.options.get("gold") or ())
    gold = [one for one in session.store().campaigns.items(campaign.id) if one.row in named or one.gold is not None]
    if not gold:
        return
    unset = [one for one in gold if one.gold is None]
    title = f"Gold images: {len(gold)}" + (f", {len(unset)} without a correct answer" if unset else "")
    with st.expander(title, icon=":material/workspace_premium:", expanded=bool(unset)), errors_shown():
        by_id = {one.id: one for one in [*unset, *(one for one in gold if one.gold is not None)]}
        chosen = st.selectbox("Image", list(by_id), format_func=lambda one: _said(by_id[one]), width=300)
        _one_gold(campaign, by_id[chosen])


def _said(item: Item) -> str:
    known = NOT_SET if item.gold is None else WORDS.get(item.gold, NOT_SET)
    return f"image {item.row}: {known}"


def _one_gold(campaign: Campaign, item: Item) -> None:
    run = None
    if session.store().campaigns.has_space(campaign):
        run = space_data.load(str(campaign.space_run_id)).maps
    with pictures.awaited("gold", ["gold"]):
        _gold_buttons(campaign, item, run)


def _gold_buttons(campaign: Campaign, item: Item, run: str | None) -> None:
    picture, buttons = st.columns([1, 3])
    with picture:
        tile = Tile(item.row, [under(run)], [pictures.quiet(f"image {item.row}")])
        pictures.show(campaign.dataset_id, [tile], wide=180, size=360)
        if run is not None:
            pictures.scale()
    with buttons.container(horizontal=True):
        for value, word in BUTTONS.items():  # keys of its own: a second click is void
            if st.button(word, key=f"gold-{word}-{item.id}", disabled=item.gold == value and value is not None):
                campaign_actions.set_gold(campaign, {item.id: value})
                st.rerun()


ALL, CURRENT = "all events", "current answers"
ABOUT = {
    ALL: "One row per answer, change, undo, skip and decision: annotator, time, image, view, value and duration.",
    CURRENT: "One row per annotator and image: the answer that counts now. Leads' decisions are left out.",
}


def show_answer_files(campaign: Campaign) -> None:
    """Two halves of an expander; only a lead may bring answers in."""
    with st.expander("Answers as files", icon=":material/download:"):
        _export(campaign)
        if session.viewer().may("lead"):
            st.divider()
            _import(campaign)


def _export(campaign: Campaign) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        what = st.selectbox("Export", (ALL, CURRENT), key="export-what", width=260)
        form = st.selectbox("Format", list(FORMATS), key="export-format", width=140)

        def content() -> bytes:
            return b"".join(export(session.store(), campaign, form, current=what == CURRENT))

        name = f"answers-{campaign.id}.{form}"
        download_button("Download", content, name, FORMATS[form], icon="download", key="export")
    st.caption(ABOUT[what])


def _import(campaign: Campaign) -> None:
    help = (
        f"CSV, JSON lines or Parquet, by the file extension. Columns: row or path, and answer ({LISTED}); optionally "
        "annotator and seconds."
    )
    admission.expect_files()
    given = st.file_uploader("Import answers from a file", type=list(FORMATS), key=f"import-{campaign.id}", help=help)
    if given is None:
        return
    with errors_shown():
        content = given.getvalue()
        checked = check_file(session.store(), campaign, content, name=given.name)
        _report(checked)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            whose = st.text_input("Annotator, if the file names none", session.viewer().name, width=320)
            label = "Import valid lines" if checked.unfit else "Import"
            if st.button(f"{label}: {checked.n_fitting:,}", type="primary", disabled=not checked.n_fitting):
                done = campaign_actions.import_answers(
                    campaign, content, given.name, annotator=whose, leave_out_unfit=bool(checked.unfit)
                )
                late = f", {done.n_over_quota:,} of them over quota (not counted)" if done.n_over_quota else ""
                known = f"{done.n_known:,} {'was' if done.n_known == 1 else 'were'} already stored"
                st.success(f"Imported {counted(done.n_new, 'new answer')}{late}; {known}.")


def _report(checked: CheckedAnswers) -> None:
    st.markdown(f"**{checked.n_fitting:,} of {checked.n_lines:,}** lines are valid.")
    for one in checked.unfit:
        st.warning(prose(one.sentence), icon=":material/warning:")


PERMISSIONS: dict[Role, str] = {
    "viewer": "views all pages",
    "annotator": "answers images",
    "lead": "opens campaigns, decides disagreements, queues runs",
    "admin": "assigns roles",
}


def show_members() -> None:
    """An expander for admins; nothing without sign-in, where everyone may do everything."""
    if not session.signs_in() or not session.viewer().may("admin"):
        return
    with st.expander("Members", icon=":material/group:"):
        known = session.store().members.all()
        frame = pd.DataFrame([(one.email, one.role, one.added_by, session.day(one.added_at)) for one in known])
        if len(frame):
            titles = ["E-mail", "Role", "Added by", "On"]
            st.dataframe(frame.set_axis(titles, axis=1), hide_index=True, alt="Members and their roles")
        _set_role()
        _remove_member([one.email for one in known])


def _set_role() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        email = st.text_input("Sign-in e-mail", key="member-email", width=320)
        role = st.selectbox(
            "Role", ROLES, 1, format_func=lambda one: f"{one}: {PERMISSIONS[one]}", key="member-role", width=320
        )
        if st.button("Set the role", key="member-set"):  # never off: the first click has to count
            with errors_shown():
                campaign_actions.set_member(email, role)
                st.rerun()


def _remove_member(emails: list[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        email = st.selectbox("Remove", emails, None, key="member-out", width=320)
        if st.button("Remove (answers are kept)", key="member-remove", disabled=email is None):
            with errors_shown():
                campaign_actions.remove_member(str(email))
                st.rerun()
