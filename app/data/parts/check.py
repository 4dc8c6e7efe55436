"""The step between a path and a data set: check, read what was found, then register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.data.parts import counts, findings
from app.services import actions
from app.services.actions import ToImport
from app.ui import demo_data
from app.ui.escape import prose, verbatim
from app.ui.messages import errors_shown
from slim_core.data.left_out import causes_for

if TYPE_CHECKING:
    from streamlit.elements.lib.mutable_expander_container import ExpanderContainer

KEY = "import-check"  # of the session: the last check
OPEN = "register-open"  # of the expander around the form
FORM = "form"  # where a check is shown: below the form, or beside the data set that was checked again
_DONE = "register-done"  # of the session: the expander folds before it is drawn again


@dataclass(frozen=True)
class Checked:
    """What was checked, what was found, and how it differs from what is registered."""

    asked: ToImport
    report: dict[str, Any]  # ImportReport.to_json()
    news: str  # "" where nothing is registered from there
    place: str


def around_form(*, is_first: bool) -> ExpanderContainer:
    """What the form is drawn in where it is open; it folds once data is registered. ``is_first``: it begins open."""
    st.session_state.setdefault(OPEN, is_first)
    if st.session_state.pop(_DONE, False):
        st.session_state[OPEN] = False
    return st.expander("Register data", icon=":material/add:", key=OPEN, on_change="rerun")


def run(asked: ToImport, place: str = FORM) -> None:
    """Check a folder or table; its report stays until something else is asked for. ``place``: where it is shown."""
    if not asked.path:
        st.warning("Enter the path of a folder or of a metadata file above.", icon=":material/edit:")
        return
    bar = st.progress(0.0, text="Reading the metadata")
    with errors_shown():
        report, news = actions.check(asked, demo_data.onto(bar))
        st.session_state[KEY] = Checked(asked, report.to_json(), news, place)
    bar.empty()


def show(asked: ToImport, place: str = FORM) -> None:
    """The report of the check, if it is of what is asked for now, and the button that registers."""
    checked: Checked | None = st.session_state.get(KEY)
    if checked is None or not is_shown(asked, place):
        return
    report = checked.report
    with st.container(border=True):
        st.markdown(_headline(report))
        if checked.news:
            st.markdown(f":material/history: {prose(checked.news)}")
        causes = findings.show_and_choose(report, key="check")
        if report["n_images"]:
            with st.container(width=640):
                counts.table(report)
        _register(checked, causes)


def is_shown(asked: ToImport, place: str = FORM) -> bool:
    """Whether the last check is of what is asked for now."""
    checked: Checked | None = st.session_state.get(KEY)
    return checked is not None and (checked.asked, checked.place) == (asked, place)


def _headline(report: Mapping[str, Any]) -> str:
    path = verbatim(report["path"])
    if not report["n_images"]:
        return f"**{path} was not registered.** Nothing was changed."
    splits = ", ".join(f"{split} {n:,}" for split, n in report["splits"].items())
    return f"**{verbatim(report['name'])}**: {report['n_images']:,} images ({splits}). Nothing is registered yet."


def _register(checked: Checked, causes: Sequence[str]) -> None:
    if not checked.report["n_images"]:
        return
    errors = {one["code"] for one in checked.report["findings"] if one["level"] == "error"}
    left = [code for code in errors if not set(causes_for({code})) & set(causes)]
    reason = "Leave the images out, or correct what is marked :red[:material/error:] and check again." if left else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Register", type="primary", disabled=bool(left), icon=":material/add:"):
            _done(checked, causes)
        st.caption(reason or "Images stay where they are.")


def _done(checked: Checked, causes: Sequence[str]) -> None:
    bar = st.progress(0.0, text="Reading the metadata")
    with errors_shown():
        report, dataset = actions.register(checked.asked, leave_out=causes, progress=demo_data.onto(bar))
        if dataset is None:  # something has changed, or leaving images out empties a class
            st.session_state[KEY] = replace(checked, report=report.to_json())
            st.rerun()
        st.session_state.pop(KEY)
        st.session_state[_DONE] = True
        demo_data.open_page(dataset)
    bar.empty()
