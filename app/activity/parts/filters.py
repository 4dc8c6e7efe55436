"""By person, kind and data set; kept in the address, so that a link shows the same events."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import session
from app.ui.choosing import pick, url_state
from slim_core.store.people.activity import KINDS, ActivityFilter

BEFORE = "before"  # parameter of the address: only events older than this one


def show() -> ActivityFilter:
    """The filters that were chosen.

    Raises:
        ForbiddenError: the viewer is not an admin.
    """
    session.acting_as("admin")
    datasets = {one.id: one.name for one in session.store().datasets.all()}
    who, kind, data = st.columns(3)
    bound: dict[str, Any] = {"bind": "query-params", "on_change": _to_the_newest}
    return ActivityFilter(
        who=who.text_input("Person", key="who", placeholder="Beginning of a name or e-mail", **bound) or "",
        kind=kind.selectbox("Kind", KINDS, None, key="kind", placeholder="Any", **bound),
        dataset=pick.dataset_filter(data, datasets, _to_the_newest),
    )


def _to_the_newest() -> None:
    url_state.put(BEFORE, "")
