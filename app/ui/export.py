"""Take along what a page shows: every form of its runs, as a download or by the command that writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from app import session
from app.routes.exports import export_url
from app.services.exporting import command
from app.ui import shell
from slim_core.export.form import Form
from slim_core.export.writing import forms_of

if TYPE_CHECKING:
    from slim_core.store import Run


class Offer(NamedTuple):
    """A form of one of the runs."""

    run: Run
    form: Form

    @property
    def title(self) -> str:
        """With the split, where the run is of one."""
        split = self.run.spec.get("split")
        return f"{self.form.title}, {split} images" if split else self.form.title


def show(runs: Sequence[Run], what: Sequence[str] = (), label: str = "Export") -> None:
    """A popover with the forms of finished runs; ``what``: only of these things, as Form.what says."""
    with st.popover(label, icon=":material/download:"):
        choose(runs, what)


def choose(runs: Sequence[Run], what: Sequence[str] = ()) -> None:
    """The form, what it holds, a download where it can be one, and the command."""
    offers = [Offer(run, form) for run in runs for form in forms_of(run.kind) if not what or form.what in what]
    titles = [offer.title for offer in offers]
    picked = st.selectbox("Form", range(len(offers)), format_func=titles.__getitem__, key="export-form")
    run, form = offers[picked or 0]
    st.markdown(f"{form.about}  \nOpens in: {form.opens_in}.")
    if form.downloads:
        address = export_url(run.id, form.name, session.token(dataset=run.dataset_id))
        st.link_button("Download", address, icon=":material/download:", type="primary")
        st.caption(f"Or write it into a folder, from {shell.where()}:")
    else:
        st.caption(f"Written into a folder, from {shell.where()}:")
    shell.show(command(run.id, form))
