"""Pipelines on a page: all steps as one line, stopped and resumed as one, at the end its figures; and the next step of
a data set's loop, as a page ends with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import queueing
from app.ui import next_step, progress, run_state
from app.ui.messages import errors_shown, for_reader, prose, verbatim
from app.ui.reruns import fragment
from app.ui.run_state import OutcomeMessage
from slim_core.errors import NotFoundError
from slim_core.formatting import counted
from slim_core.store.runs.states import UNFINISHED, WORKING, title_of

if TYPE_CHECKING:
    from app.services.loop_state import Loop, LoopStep
    from slim_core.evaluation.two_models import Verdict
    from slim_core.store import Pipeline, Run
    from slim_core.store.members import Role


def show(dataset: str, fits: Callable[[Pipeline], bool] = lambda _: True) -> frozenset[str]:
    """The pipelines of a data set under way, and the newest one where it has ended and nothing was queued since.

    ``fits``: which are meant. Returns the runs that are shown so: no line of their own is needed.
    """
    known = [one for one in session.store().pipelines.all(dataset) if fits(one)]
    active = [one for one in known if one.state == "active"]
    with st.container():  # made in any case: what comes and goes in it moves nothing that follows, nor its fragments
        for one in active:
            _poll(one.id, _states(one.runs))
        if not active and known:
            _ended(known[0])
    return frozenset(run.id for one in active for run in one.runs)


def resumable(dataset: str, fits: Callable[[Pipeline], bool] = lambda _: True) -> frozenset[str]:
    """The runs of a data set that the *Resume* of ``show`` queues again."""
    known = [one for one in session.store().pipelines.all(dataset) if fits(one)]
    if not known or known[0].state != "unfinished" or any(one.state == "active" for one in known):
        return frozenset()
    return frozenset(run.id for run in known[0].runs if run.status in UNFINISHED)


def _states(runs: Sequence[Run]) -> tuple[str, ...]:
    return tuple(run.status for run in runs)


@fragment(run_every=1)
def _poll(pipeline_id: str, known: tuple[str, ...]) -> None:
    try:
        pipeline = session.store().pipelines.fetch(pipeline_id)
    except NotFoundError:
        st.rerun()
    if pipeline.state == "active":
        with st.container(border=True, key=f"pipeline-{pipeline.id}"), errors_shown():
            _line(pipeline)
    if pipeline.state != "active" or _states(pipeline.runs) != known:
        st.rerun()  # the page around follows each step, once a press on Stop that came meanwhile has been heard


def _line(pipeline: Pipeline) -> None:
    runs = pipeline.runs
    now = next((run for run in runs if run.status in WORKING), None)
    now = now or next(run for run in runs if run_state.is_active(run))
    pause = session.store().queue.paused() if any(run.status == "queued" for run in runs) else None
    paused = f"paused by {verbatim(pause.paused_by)} · " if pause else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        about = f"{paused}{_turn(runs)}by {verbatim(pipeline.created_by)}"
        st.markdown(f"**{queueing.title(pipeline)}** :gray[· {about}]", width="stretch")
        next_step.link("jobs", "Open", icon="notes", run=now.id)
        _stop(pipeline)
    title = title_of(now.kind).lower()
    place = f"Step {runs.index(now) + 1} of {len(runs)}: {title}"
    st.progress(_fraction(runs, now), text=f"{place} · {progress.text(now).removeprefix(f'{title} · ')}")
    st.caption(_steps(runs))


def _turn(runs: Sequence[Run]) -> str:
    """How many other runs a worker takes before the next of these; "" where one is computed, or none comes first."""
    if any(run.status in WORKING for run in runs):
        return ""
    waiting, own = session.store().queue.waiting(), {run.id for run in runs}
    following = next((place for place, one in enumerate(waiting) if one.id in own), 0)
    n = sum(one.queue == waiting[following].queue for one in waiting[:following])
    return f"{counted(n, 'run')} {'comes' if n == 1 else 'come'} first · " if n else ""


def _steps(runs: Sequence[Run]) -> str:
    """Each with its symbol; several of one kind, as of several seeds, together."""
    kinds = list(dict.fromkeys(run.kind for run in runs))
    return "  ·  ".join(_step(kind, [run for run in runs if run.kind == kind]) for kind in kinds)


def _step(kind: str, runs: Sequence[Run]) -> str:
    now = next((run for run in runs if run.status in WORKING), None)
    now = now or next((run for run in runs if run.status != "done"), runs[-1])
    n_done = sum(run.status == "done" for run in runs)
    return f"{run_state.SYMBOLS[now.status]} {title_of(kind)}{f' {n_done} of {len(runs)}' if len(runs) > 1 else ''}"


def _fraction(runs: Sequence[Run], now: Run) -> float:
    """How much is done, in steps."""
    return (sum(run.ended for run in runs) + progress.fraction(now)) / len(runs)


def _stop(pipeline: Pipeline) -> None:
    """Stops all steps, after asking; nothing for those who may not, as for one run."""
    if not session.viewer().may("lead"):
        return
    with st.popover("Stop", key=f"ask-stop-{pipeline.id}"):  # stays open where its line comes to another place
        st.markdown("Stop all steps? Finished ones are kept, and the others can be retried.")
        if st.button("Yes, stop all", key=f"stop-{pipeline.id}", type="primary"):
            with errors_shown():
                queueing.stop(pipeline)
                st.rerun()


def _ended(pipeline: Pipeline) -> None:
    if pipeline.state == "unfinished":
        _unfinished(pipeline)
    elif not _is_followed(pipeline):
        _done(pipeline)


def _is_followed(pipeline: Pipeline) -> bool:
    """Whether something was queued after it: what it ended with is no news any more."""
    newest = session.store().runs.all(dataset=pipeline.dataset_id, limit=1, metrics=False)
    return bool(newest) and newest[0].created_at > pipeline.created_at


def _unfinished(pipeline: Pipeline) -> None:
    """The step that ended it, and the way on."""
    unfinished = [run for run in pipeline.runs if run.status in UNFINISHED]
    run = unfinished[0]
    run_state.watch(*(one.id for one in unfinished))
    with st.container(border=True, key=f"pipeline-{pipeline.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            title = f"**{queueing.title(pipeline)}** {run_state.badge(run.status)}"
            st.markdown(title, width="stretch")
            next_step.link("jobs", "See the log", icon="notes", run=run.id)
            if session.viewer().may("lead") and st.button(
                "Resume", key=f"resume-{pipeline.id}", icon=":material/play_arrow:", type=run_state.retry_emphasis(run)
            ):
                with errors_shown():
                    queueing.resume(pipeline)
                    st.rerun()
        if run.status == "failed":
            st.markdown(f"{title_of(run.kind)}: {prose(for_reader(run.message or 'it failed.'))}")
        st.caption(_steps(pipeline.runs))


def _done(pipeline: Pipeline) -> None:
    """The figures of its models or of its last step, and the link to where they are seen; as high as its line."""
    with st.container(border=True, key=f"pipeline-{pipeline.id}"):
        st.markdown(f"**{queueing.title(pipeline)}** {run_state.badge('done')}")
        _ending(pipeline).show(pipeline.runs[-1].id, border=False)
        st.caption(_steps(pipeline.runs))


def _ending(pipeline: Pipeline) -> OutcomeMessage:
    runs, last = session.store().runs, pipeline.runs[-1]
    if pipeline.kind == "scores":
        return run_state.outcome_of_scores([runs.fetch(run.id) for run in pipeline.runs])
    evaluations = [runs.fetch(run.id) for run in pipeline.runs if run.kind == "evaluate"]
    if pipeline.kind == "unasked" and evaluations:  # all may be deleted, and what they are of may not
        return run_state.outcome_of(queueing.chosen_unasked(evaluations))
    if len(evaluations) > 1:
        return run_state.outcome_of_several(evaluations)
    return run_state.outcome_of(
        runs.fetch(last.id), *(run_state.outcome_sentence(one) for one in evaluations if one.id != last.id)
    )


ENDED = {"failed": "failed", "stopped": "was stopped"}  # of a step or run, by its state
OPENS_FORM = "new"  # a link with it opens the form of Train; in the address until a training is submitted


def show_next(
    loop: Loop, verdict: Verdict | None = None, *, below_pipelines: bool = False, below_tries: bool = False
) -> None:
    """The one next thing, with a link to where it is done.

    ``verdict``: whether the complete loop's result is better; ``below_pipelines``, ``below_tries``: the page shows
    those, too.
    """
    step = loop.next
    if step is None and verdict is not None and verdict.better is not True:
        ways = "try one of the steps under *Try next*, or compare the models" if below_tries else "compare the models"
        next_step.show(f"this result is not shown to be better: {ways}.", "compare", "Compare")
    elif step is None:
        next_step.show("the loop is complete: compare the models.", "compare", "Compare")
    elif step.state == "running" and step.run is not None:
        page = "train" if step.run.kind == "train" else "jobs"
        how = "waiting in the queue" if step.run.status == "queued" else "running"
        next_step.show(f"The {step.title} step is {how}.", page, "Watch", run=step.run.id)
    elif step.state in ("failed", "stopped") and step.run is not None:
        run = run_state.cause_of(step.run)
        is_above = below_pipelines and run.id in resumable(run.dataset_id)
        why = f": {prose(for_reader(run.message))}" if step.state == "failed" and run.message and not is_above else "."
        unfinished(f"The {step.title} step {ENDED[step.state]}{why}", run, is_above, step.page, step.params)
    else:
        next_step.show(next_step.can(_whose(step, loop), step.todo), step.page, step.action, **step.params)


def _whose(step: LoopStep, loop: Loop) -> Role:
    """The role that a step takes: a campaign is opened before there are images to answer."""
    if step.name == "compare":
        return "viewer"
    return "annotator" if step.name == "annotate" and loop.campaign is not None else "lead"


def unfinished(sentence: str, run: Run, is_above: bool, page: str, params: Mapping[str, str]) -> None:
    """The box of a step that has no result, with the two ways on: the same again, or other settings.

    ``sentence``: what became of the step; ``run``: the one that ended it; ``is_above``: the page shows a button that
    resumes it; ``page`` and ``params``: where the settings are.
    """
    may = session.viewer().may("lead")
    with st.container(border=True, key="loop-unfinished"):
        st.markdown(f"**Next:** {sentence} {_again(run, may, is_above)}")
        with st.container(horizontal=True, vertical_alignment="center"):
            if may:
                run_state.remedy_button(run)
            if may and not is_above:
                run_state.retry_button(run)
            if may:
                next_step.link(page, "Other settings", icon="tune", **params, **_OPENS_FORM.get(page, {}))
            if not is_above:
                next_step.link("jobs", "See the log", icon="notes", run=run.id)


def _again(run: Run, may: bool, is_above: bool) -> str:
    """What may be done about it, by whom: ``may`` they queue it, and ``is_above`` the button that does."""
    if not may:
        return "A lead can retry it, or choose other settings."
    again, changes = (
        "*Resume* it above" if is_above else f"{run_state.retry_label(run)} it",
        run_state.known_remedy(run),
    )
    if run_state.is_refused(run):
        return f"Choose other settings; {again[0].lower() + again[1:]} once the cause is fixed."
    if not changes:
        return f"{again}, or choose other settings."
    return f"{run_state.remedy_label(changes)}, {again if is_above else 'retry it'}, or choose other settings."


_OPENS_FORM = {"train": {OPENS_FORM: "1"}}  # where it is folded away beside a run
