"""Models that have not been evaluated yet, and the button that queues their evaluation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.services import actions, queueing
from app.services.results.comparison import compared_on
from app.ui import reruns, roles
from app.ui.choosing import pick
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from app.ui.runs import config_form, outcome, progress
from slim_core.formatting import counted
from slim_core.steps.registry import STEPS
from slim_core.store.runs.states import ACTIVE, UNFINISHED

if TYPE_CHECKING:
    from slim_core.store import Run

MOST_FAILED = 3  # sentences, of evaluations that failed
_IN_ITS_OWN_WAY = ("kind", "split", "seed")  # the button names the split, and nothing of an evaluation is random


def show(models: Sequence[Run], evaluations: Sequence[Run]) -> bool:
    """The models that have no evaluation that counts, and why theirs failed; nothing where there is none.

    ``evaluations``: of these models, however they ended, the newest first. Returns whether there is a button to press.
    """
    if not models:
        return False
    live = {
        one.spec["model"] for one in evaluations if one.status not in UNFINISHED and queueing.counts_for_groups(one)
    }
    waiting = [one for one in models if one.id not in live]
    passed_over = queueing.passed_over(waiting, [one for one in models if one.id in live])
    offered = [one for one in waiting if one not in passed_over]
    if offered:
        _offer(offered, {one.spec["model"] for one in evaluations if one.status == "done"})
    if passed_over:
        _say_passed_over(passed_over)
    for failed in _failed(waiting, evaluations)[:MOST_FAILED]:
        outcome.show(failed)
    progress.show(dataset=models[0].dataset_id, kind="evaluate")
    return bool(offered) and session.viewer().may("lead")


def _offer(models: Sequence[Run], by_class: Collection[str]) -> None:
    """``by_class``: ids of models that have an evaluation, which does not count."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        names = verbatim(", ".join(map(pick.describe, models[:3]))) + (" ..." if len(models) > 3 else "")
        lacks = "not evaluated by environment" if all(one.id in by_class for one in models) else "not evaluated"
        st.markdown(f"**{len(models):,} {lacks} yet:** {names}", width="stretch")
        if not roles.offers("lead", "Evaluating"):
            return
        settings = config_form.fields(
            config_form.form_parameters(STEPS["evaluate"].spec, without=_IN_ITS_OWN_WAY), {}, key="evaluate"
        )
        split = compared_on(session.store().datasets.fetch(models[0].dataset_id))
        if st.button(f"Evaluate on {split}", type="primary", icon=":material/fact_check:", key="evaluate"):
            with errors_shown():
                actions.wake(*[queueing.save_evaluation(one, split=split, **settings) for one in models])
                st.rerun()


def _say_passed_over(models: Sequence[Run]) -> None:
    """Who wants to know what they are worth evaluates each on its own page."""
    names = verbatim(", ".join(dict.fromkeys(one.name or one.id for one in models)))
    why = "validation prefers other settings that JTT tried, whose model is evaluated"
    st.caption(f":material/rule: {counted(len(models), 'model')} not offered, since {why}: {names}.")


def _failed(models: Sequence[Run], evaluations: Sequence[Run]) -> list[Run]:
    """The newest evaluation of each model, where that failed."""
    newest: dict[str, Run] = {}
    for one in evaluations:
        newest.setdefault(one.spec["model"], one)
    found = [newest[model.id] for model in models if model.id in newest]
    return [one for one in found if one.status == "failed"]


def again(evaluations: Sequence[Run]) -> None:
    """A button that evaluates the same models again, with attention maps: studies leave them out.

    Not those that are evaluated already, by a press before: such an evaluation is always a new run.
    """
    runs = session.store().runs
    active = runs.all(kind="evaluate", dataset=evaluations[0].dataset_id, status=ACTIVE, metrics=False)
    under_way = {_evaluated(one) for one in active if one.spec.get("attention", True)}
    left = {key: one for one in evaluations if (key := _evaluated(one)) not in under_way}
    if not left:
        st.caption("They are evaluated again: the maps appear here.")
        return
    if not roles.offers("lead", "Evaluating again"):
        return
    if reruns.button_once("Evaluate again with maps", icon=":material/replay:", key="evaluate-again"):
        with errors_shown():
            actions.wake(*[_save_with_maps(runs.fetch(one.spec["model"]), one.spec) for one in left.values()])
            st.rerun()


def _evaluated(evaluation: Run) -> tuple[str, str]:
    """Which model, and on which split."""
    return evaluation.spec["model"], evaluation.spec["split"]


def _save_with_maps(model: Run, spec: dict[str, Any]) -> Run:
    known = queueing.without_shapes(spec)
    settings = {name: value for name, value in known.items() if name not in ("kind", "dataset", "model", "space")}
    return queueing.save_evaluation(model, force=True, **settings | {"attention": True})
