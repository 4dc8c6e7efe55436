"""Models that have not been evaluated yet, and the button that queues their evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app import actions
from app.components import pick, run_progress
from app.components.telling import errors_told

if TYPE_CHECKING:
    from slim_core.store import Run


def show(models: Sequence[Run], evaluations: Sequence[Run]) -> None:
    """A line for each model of ``models`` that no evaluation speaks of; nothing where there is none."""
    judged = {one.spec["model"] for one in evaluations}
    waiting = [one for one in models if one.id not in judged]
    if waiting:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            names = ", ".join(pick.describe(one) for one in waiting[:3]) + (" ..." if len(waiting) > 3 else "")
            st.markdown(f"**{len(waiting):,} not evaluated yet:** {names}", width="stretch")
            if st.button("Evaluate on test", type="primary", icon=":material/fact_check:", key="evaluate"):
                with errors_told():
                    for one in waiting:
                        actions.submit({"kind": "evaluate", "dataset": one.dataset_id, "model": one.id})
                    st.rerun()
    if models:
        run_progress.show(dataset=models[0].dataset_id, kind="evaluate")
