"""Take along what a page shows: a file that is made at a press, every form of its runs, the command that writes it.

Where slim and its home are on the server is for admins: others read a command as it is called there.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st

from app import session
from app.routes.exports import command, export_url
from slim_core.export.forms import Form
from slim_core.export.writing import forms_of
from slim_core.settings import settings

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

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
    if opened := popover(label):
        with opened:
            choose_form(runs, what)


def popover(label: str) -> DeltaGenerator | None:
    """One for ``choose_form``; None until somebody opens it: a page that is only read looks up no form."""
    made = st.popover(label, icon=":material/download:", key="export", on_change="rerun")
    return made if made.open else None


def choose_form(runs: Sequence[Run], what: Sequence[str] = ()) -> None:
    """The form, what it holds, a download where it can be one, and the command."""
    offers = [Offer(run, form) for run in runs for form in forms_of(run.kind) if not what or form.what in what]
    titles = [offer.title for offer in offers]
    picked = st.selectbox("Form", range(len(offers)), format_func=titles.__getitem__, key="export-form")
    run, form = offers[picked or 0]
    st.markdown(f"{form.about}  \nOpens in: {form.opens_in}.")
    if form.downloads:
        address = export_url(run.id, form.name, session.token(dataset=run.dataset_id))
        st.link_button("Download", address, icon=":material/download:", type="primary")
        st.caption(f"Or write it into a folder, from {where()}:")
    else:
        st.caption(f"Written into a folder, from {where()}:")
    show_command(command(run.id, form))


def download_button(
    label: str,
    make: Callable[[], bytes],
    name: str,
    mime: str,
    *,
    icon: str,
    key: str | None = None,
    help: str | None = None,
) -> None:
    """``make`` reads the store as whoever sees this page: in its thread nobody is signed in."""
    viewer = session.viewer()

    def made() -> bytes:
        with session.reading_as(viewer):
            return make()

    st.download_button(label, made, name, mime, icon=f":material/{icon}:", key=key, help=help, on_click="ignore")


def report_button(name: str, evaluations: Sequence[Run], **shown: Any) -> None:
    """The report of finished evaluations, made when it is pressed; ``shown``: what ``collect`` of reports takes."""

    def report() -> bytes:
        from slim_core.evaluation.report import collect, render

        return render(collect(session.store(), evaluations, **shown)).encode()

    download_button(
        "Report", report, f"{name}.html", "text/html", icon="description",
        help="One HTML file: plots, tables, pictures, definitions, lineage; opens offline.",
    )  # fmt: skip


def machine() -> str:
    """What the machine of the dashboard is for its reader, whose own is another where people sign in."""
    return "the server" if session.signs_in() else "this machine"


def where() -> str:
    """In which terminal the command does what its page says, for a sentence."""
    return f"any terminal of {machine()}" if _knows_the_server() else "a terminal of the server, with its SLIM_HOME set"


def show_command(line: str) -> None:
    """``line`` begins with ``slim``."""
    st.code(_in_any_shell(line) if _knows_the_server() else line, language="bash", wrap_lines=True)


def _in_any_shell(line: str) -> str:
    """The command from any folder of a plain shell: by the path of ``slim``, with this SLIM_HOME."""
    slim = Path(sys.executable).with_name("slim")
    called = shlex.quote(str(slim)) if slim.is_file() else f"{shlex.quote(sys.executable)} -m slim_core.cli"
    return f"SLIM_HOME={shlex.quote(str(settings().home.resolve()))} {called}{line.removeprefix('slim')}"


def _knows_the_server() -> bool:
    return session.viewer().may("admin")
