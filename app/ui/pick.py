"""Choosing a data set, a run or a campaign: kept in the address (?dataset=..., ?run=...), so that links reproduce the
page, and remembered from page to page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

import streamlit as st

from app import session
from app.ui.escape import verbatim

if TYPE_CHECKING:
    from slim_core.store import Campaign, Dataset, Run, StudyRecord

T = TypeVar("T", "Dataset", "Run", "Campaign", "StudyRecord")
Width = int | Literal["stretch"]  # pixels, or as much as there is
WIDTH: Width = 440  # two fit side by side on a page of 1280 pixels


def dataset(label: str = "Data set", width: Width = WIDTH) -> Dataset | None:
    """A select box of the registered data sets, the newest first; None where there are none."""
    known = session.store().datasets.all()
    return _pick(label, known, "dataset", lambda one: f"{one.name} ({one.n_images:,} images)", width)


def run(label: str, runs: Sequence[Run], param: str = "run", width: Width = WIDTH) -> Run | None:
    """A select box of runs in the order given; None where there are none."""
    return _pick(label, runs, param, describe, width)


def other_run(label: str, runs: Sequence[Run], param: str, none_label: str, help: str | None = None) -> Run | None:
    """A select box of runs and of none of them (``none_label`` says so), which is what it begins with."""
    by_id, key = {run.id: run for run in runs}, f"pick-{param}"
    linked = st.query_params.get(param)
    if key not in st.session_state and linked in by_id:
        st.session_state[key] = linked
    elif st.session_state.get(key) not in (None, "", *by_id):  # deleted, or of another data set
        del st.session_state[key]
    chosen = st.selectbox(
        label,
        ["", *by_id],
        format_func=lambda one: describe(by_id[one]) if one else none_label,
        key=key,
        help=help,
        width=360,
    )
    if chosen:
        st.query_params[param] = chosen
    else:
        st.query_params.pop(param, None)
    return by_id.get(chosen)


def campaign(label: str, campaigns: Sequence[Campaign], width: Width = WIDTH) -> Campaign | None:
    """A select box of campaigns in the order given; None where there are none."""
    return _pick(label, campaigns, "campaign", lambda one: f"{one.name} · {one.id}", width)


def study(label: str, studies: Sequence[StudyRecord], width: Width = WIDTH) -> StudyRecord | None:
    """A select box of studies in the order given; None where there are none."""
    return _pick(label, studies, "study", lambda one: f"{one.name} · {one.started_at:%d %b %H:%M} · {one.id}", width)


def describe(one: Run) -> str:
    """A run in half a line: its name or kind, when it was made, its id."""
    made = one.created_at.strftime("%d %b %H:%M")
    return f"{one.name or one.kind} · {made} · {one.id}"


def _pick(label: str, items: Sequence[T], param: str, describe: Callable[[T], str], width: Width = WIDTH) -> T | None:
    if not items:
        return None
    by_id = {item.id: item for item in items}
    key, linked, seen = f"pick-{param}", st.query_params.get(param), f"pick-{param}-seen"
    kept, last = st.session_state.get(key), st.session_state.get(seen)
    if linked in by_id and (linked != last or kept not in by_id):  # a link was followed
        st.session_state[key] = linked
    elif kept not in by_id and last in by_id:  # chosen on another page
        st.session_state[key] = last
    elif kept not in by_id:
        st.session_state.pop(key, None)
    if linked is not None and linked not in by_id and linked != last:
        _warn_missing(linked)
    chosen = st.selectbox(label, list(by_id), format_func=lambda one: describe(by_id[one]), key=key, width=width)
    st.query_params[param] = st.session_state[seen] = chosen
    return by_id[chosen]


def _warn_missing(linked: str) -> None:
    """A link must not lead to something else silently; one that another data set was chosen after may."""
    st.toast(
        f"{verbatim(linked)} from the address was not found. It was deleted, or belongs to another data set.",
        icon=":material/search_off:",
        duration="long",
    )
