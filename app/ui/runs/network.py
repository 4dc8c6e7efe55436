"""What a model's network is to the attention step: its target layer, its head, and the images it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.ui.escape import prose, verbatim
from slim_core.errors import NotFoundError
from slim_core.store.results import ModelResult

if TYPE_CHECKING:
    from slim_core.store import Run


def result_of(model: Run) -> ModelResult | None:
    """What a finished train run left; None where its files were removed."""
    try:
        found = ModelResult(session.store().artifacts.folder(model.id))
    except NotFoundError:
        return None
    return found if found.exists else None


def show(model: Run) -> bool:
    """A caption of a finished train run; False where it says that the model has no attention maps."""
    found = result_of(model)
    if found is not None and found.no_attention:
        st.info(prose(found.no_attention), icon=":material/visibility_off:")
        return False
    if found is not None and found.network is not None:
        st.caption(verbatim(f"{found.network.described} {found.transform.described}"))
    return True
