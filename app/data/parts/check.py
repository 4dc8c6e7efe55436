"""The step between a path and a data set: check, read what was found, then register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.data.parts import counts, findings
from app.services import actions
from app.services.actions import ToImport
from app.ui import demo_data
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from slim_core.data.left_out import causes_for

if TYPE_CHECKING:
    from streamlit.elements.lib.mutable_expander_container import ExpanderContainer

KEY = "import-check"  # of the session: what was checked, and its report
OPEN = "register-open"  # of the expander around the form
_DONE = "register-done"  # of the session: the expander folds before it is drawn again


def around_form(*, is_first: bool) -> ExpanderContainer:
    """What the form is drawn in where it is open; it folds once data is registered. ``is_first``: it begins open."""
    st.session_state.setdefault(OPEN, is_first)
    if st.session_state.pop(_DONE, False):
        st.session_state[OPEN] = False
    return st.expander("Register data", icon=":material/add:", key=OPEN, on_change="rerun")


def run(asked: ToImport) -> None:
    """Check a folder or table; its report stays until something else is asked for."""
    if not asked.path:
        st.warning("Enter the path of a folder or of a metadata file above.", icon=":material/edit:")
        return
    bar = st.progress(0.0, text="Reading the metadata")
    with errors_shown():
        st.session_state[KEY] = (asked, actions.check(asked, demo_data.onto(bar)).to_json())
    bar.empty()


def show(asked: ToImport) -> None:
    """The report of the check, if it is of what the form asks for now, and the button that registers."""
    checked, report = st.session_state.get(KEY, (None, {}))
    if checked != asked:
        return
    with st.container(border=True):
        st.markdown(_headline(report))
        causes = findings.show_and_choose(report, key="check")
        if report["n_images"]:
            with st.container(width=640):
                counts.table(report)
        _register(asked, report, causes)


def _headline(report: Mapping[str, Any]) -> str:
    path = verbatim(report["path"])
    if not report["n_images"]:
        return f"**{path} was not registered.** Nothing was changed."
    splits = ", ".join(f"{split} {n:,}" for split, n in report["splits"].items())
    return f"**{verbatim(report['name'])}**: {report['n_images']:,} images ({splits}). Nothing is registered yet."


def _register(asked: ToImport, report: Mapping[str, Any], causes: Sequence[str]) -> None:
    errors = {one["code"] for one in report["findings"] if one["level"] == "error"}
    left = [code for code in errors if not set(causes_for({code})) & set(causes)]
    if not report["n_images"]:
        return
    reason = "Leave the images out, or correct what is marked :red[:material/error:] and check again." if left else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Register", type="primary", disabled=bool(left), icon=":material/add:"):
            _done(asked, causes)
        st.caption(reason or "Images stay where they are.")


def _done(asked: ToImport, causes: Sequence[str]) -> None:
    bar = st.progress(0.0, text="Reading the metadata")
    with errors_shown():
        report, dataset = actions.register(asked, leave_out=causes, progress=demo_data.onto(bar))
        if dataset is None:  # something has changed, or leaving images out empties a class
            st.session_state[KEY] = (asked, report.to_json())
            st.rerun()
        st.session_state.pop(KEY)
        st.session_state[_DONE] = True
        demo_data.open_page(dataset)
    bar.empty()
