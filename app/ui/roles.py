"""What a role may not do is not offered to it; where somebody would look for it, a sentence says which role it takes.

The actions ask the role again when they are called (app/services): a page only spares people a refusal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session

if TYPE_CHECKING:
    from slim_core.store.members import Role


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
