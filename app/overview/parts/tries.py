"""Where a retrained model is not better: what to try next, each with one button; and the random subset beside it.

A button queues all steps of its try; the page shows them as one line, and their figures once they are done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.overview import next_tries
from app.overview.next_tries import Try
from app.ui.links import next_step
from app.ui.messages import errors_shown

if TYPE_CHECKING:
    from app.services.loop_state import Result
    from app.services.results.evidence import Facts
    from slim_core.evaluation.report.story import Verdict


def show(result: Result | None, found: Verdict | None, facts: Facts) -> None:
    """Nothing without a verdict, and for those who may queue nothing."""
    if result is None or found is None or not session.viewer().may("lead"):
        return
    waits = _is_retraining(result)
    with errors_shown():
        if found.better is not True:
            st.markdown(f"**Try next**, {'once the steps above are done' if waits else 'by what these runs show'}")
            offered = next_tries.tries(result)
            for column, one in zip(st.columns(len(offered) or 1), offered, strict=False):
                with column.container(border=True, height="stretch"):
                    _offer(one, result, waits=waits)
        if not facts.random:
            _control(result, waits=waits)


def _is_retraining(result: Result) -> bool:
    """Whether a try, or the like, is under way: what to try next follows from its figures too."""
    known = session.store().pipelines.all(result.reference.dataset_id)
    return any(one.state == "active" and one.kind in ("comparison", "retraining") for one in known)


def _offer(one: Try, result: Result, *, waits: bool) -> None:
    st.markdown(one.why)
    if one.act is None:
        next_step.link("annotate", one.label, **one.link)
        return
    key = f"try-{one.name}-{result.id}"
    if st.button(one.label, key=key, icon=":material/play_arrow:", disabled=waits):
        with errors_shown():
            one.act()
            st.rerun()


def _control(result: Result, *, waits: bool) -> None:
    """Without it nobody can say whether the answers helped, or any small subset would have done."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        text = "Would any subset of this size do as well? Retrain on a random one to know."
        st.markdown(text, width="stretch")
        label, key = "Retrain on a random subset", f"try-random-{result.id}"
        if st.button(label, key=key, icon=":material/shuffle:", disabled=waits):
            with errors_shown():
                next_tries.beside_random(result)
                st.rerun()
