"""Where a retrained model is not better: what to try next, each with one button; and what is simpler, beside it.

A button queues all steps of its try; the page shows them as one line, and their figures once they are done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.overview import next_tries
from app.overview.next_tries import Try
from app.services.queueing import pipelines, unasked
from app.services.results import evidence
from app.services.results.pairs import used_answers
from app.ui import next_step
from app.ui.messages import errors_shown

if TYPE_CHECKING:
    from app.services.results.evidence import Facts
    from app.services.results.pairs import Result
    from slim_core.evaluation.report.story import Verdict
    from slim_core.store import Pipeline


def show(result: Result | None, verdict: Verdict | None, facts: Facts, said: set[str]) -> bool:
    """Nothing without a verdict, and for those who may queue nothing; returns whether there is something to try.

    ``said``: of ``errors_shown``.
    """
    offered: Sequence[Try] = ()
    if result is None or verdict is None or not session.viewer().may("lead"):
        return False
    waits = _is_retraining(result)
    with errors_shown(said):
        if verdict.better is not True:
            offered = next_tries.tries(result)
        if offered:
            st.markdown(f"**Try next**, {'once the steps above are done' if waits else 'based on these runs'}")
            for column, one in zip(st.columns(len(offered)), offered, strict=True):
                with column.container(border=True, height="stretch"):
                    _offer(one, result, waits=waits)
        _controls(result, facts, waits=waits)
    return bool(offered)


def _is_retraining(result: Result) -> bool:
    """Whether a try, or the like, is under way: what to try next follows from its figures too."""
    known = session.store().pipelines.all(result.reference.dataset_id)
    return any(one.state == "active" and one.kind in ("comparison", "retraining", "unasked") for one in known)


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


@dataclass(frozen=True)
class Control:
    """Something simpler that may do as well; without it nobody can say whether the answers helped."""

    name: str
    label: str
    icon: str
    help: str
    act: Callable[[Result], Pipeline]


_RANDOM = Control(
    "random",
    "Retrain on a random subset",
    ":material/shuffle:",
    "The same number of images, drawn at random and retrained in the same way.",
    next_tries.beside_random,
)


def _controls(result: Result, facts: Facts, *, waits: bool) -> None:
    method = unasked.method_for(result.reference)
    without = Control("unasked", method.action, ":material/group_off:", method.about, pipelines.to_unasked)
    needless = {
        _RANDOM: facts.random or evidence.is_control(result, result),
        without: facts.unasked or unasked.is_itself(result),
    }
    missing = [one for one, is_known in needless.items() if not is_known]
    if not missing:
        return
    other = "model without any answers" if used_answers(result) else "simpler model"
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"Would a {other} do as well? Train one to find out.", width="stretch")
        for one in missing:
            key = f"try-{one.name}-{result.id}"
            if st.button(one.label, key=key, icon=one.icon, help=one.help, disabled=waits):
                with errors_shown():
                    one.act(result)
                    st.rerun()
