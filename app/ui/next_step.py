"""The pages by name, links to them, the one next thing to do at the end of each, and which role a deed takes.

What a role may not do is not offered to it; where somebody would look for it, a sentence says which role it takes. The
actions ask the role again when they are called (app/services): a page only spares people a refusal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import streamlit as st

from app import session
from app.ui import reruns

if TYPE_CHECKING:
    from slim_core.store.members import Role


def file_of(page: str) -> str:
    """The script of a page, relative to app/main.py: what st.switch_page and st.page_link take."""
    return f"{page}/page.py"


def go_to(page: str, **params: str) -> NoReturn:
    """Open a page with these parameters in its address; what follows in this run is not drawn."""
    for param, value in params.items():
        reruns.expect_link(param, value)
    st.switch_page(file_of(page), query_params=params or None)


WAIT_FOR_DATA = "wait until a lead registers data."  # for those who may not


def show(sentence: str, page: str, label: str, **params: str) -> None:
    """A box with one sentence and a link to a page (by its name, such as "train"), with query parameters."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Next:** {sentence}", width="stretch")
        link(page, label, **params)


def here(sentence: str) -> None:
    """A box with one sentence and no link: the next thing is done on this very page."""
    with st.container(border=True):
        st.markdown(f"**Next:** {sentence}")


def needs_data(sentence: str) -> None:
    """What a page is for, where no data is registered yet, and the way to where that is done."""
    st.info(sentence)
    register_data()


def register_data() -> None:
    """The next step where no data is registered yet."""
    if session.viewer().may("lead"):
        show("register a folder of images, or try the demo data.", "data", "Register data")
    else:
        here(WAIT_FOR_DATA)


def link(page: str, label: str, *, icon: str = "arrow_forward", help: str | None = None, **params: str) -> None:
    """A link to a page by its name. To the page one is on it is a button: that page's address would lose the rest."""
    if params and page == (reruns.visited_page() or "overview"):
        key = "-".join(["link", page, label, *params.values()])
        if st.button(label, key=key, icon=f":material/{icon}:" if icon else None, help=help, type="tertiary"):
            go_to(page, **params)
        return
    st.page_link(
        file_of(page),
        label=label,
        icon=f":material/{icon}:" if icon else None,
        help=help,
        query_params=params or None,
        width="content",
    )


def offers(role: Role, deed: str) -> bool:
    """Whether the controls of a deed are drawn; for those who may not, the sentence that stands in their place.

    ``deed``: how that sentence begins, such as "Deciding".
    """
    if session.viewer().may(role):
        return True
    st.caption(f":material/lock: {deed} requires the {role} role.")
    return False


def can(role: Role, todo: str) -> str:
    """A thing to do as this person reads it: "train a model", or for those who may not "a lead can train a model"."""
    if session.viewer().may(role):
        return todo
    return f"{'a' if role in ('viewer', 'lead') else 'an'} {role} can {todo[:1].lower()}{todo[1:]}"
