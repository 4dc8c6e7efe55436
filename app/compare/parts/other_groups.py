"""Ticked runs whose estimated groups are not the baseline's, and the button that evaluates their models on its own."""

from __future__ import annotations

import streamlit as st

from app import session
from app.compare.parts.view import SelectedRuns
from app.services import actions
from app.services.queueing import evaluating
from app.ui import roles
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from slim_core.evaluation.report.frames import evaluated_again, has_other_groups


def show(chosen: SelectedRuns) -> None:
    """Nothing where all have the same groups."""
    apart = chosen.rows[has_other_groups(chosen.rows, chosen.baseline)]
    if apart.empty:
        return
    first = chosen.baseline if chosen.baseline in chosen.rows.index else chosen.rows.index[0]
    names, of = "; ".join(apart["label"]), chosen.rows.at[first, "label"]
    on_split = chosen.compared.rows[chosen.compared.rows["split"] == chosen.rows.at[first, "split"]]
    again = evaluated_again(on_split, first)
    apart = apart[~again[apart.index]]
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**Other estimated groups:** {verbatim(names)}. They are not comparable group by group with "
            f"{verbatim(of)}; their worst group and average are shown without a change.",
            width="stretch",
        )
        if apart.empty:
            st.markdown("Their models are evaluated on those groups, too: tick these.")
            return
        if not roles.offers("lead", "Evaluating on the same groups"):
            return
        if st.button(f"Evaluate on the groups of {verbatim(of)}", key="same-groups", icon=":material/fact_check:"):
            with errors_shown():
                found, groups = chosen.compared.evaluations, chosen.compared.evaluations[first]
                models = map(session.store().runs.fetch, dict.fromkeys(found[one].spec["model"] for one in apart.index))
                actions.wake(*[evaluating.save_on_groups_of(groups, one) for one in models])
                st.rerun()
