"""Runs under way, with progress and time left, alone and as the steps of a pipeline; the pause of the queue; and the
next step of a data set's loop, as a page ends with it.

Polls while something runs, and for a moment after: the next step of a loop is often submitted just then. When a run
begins or ends, the whole page is drawn again. A page that is drawn meanwhile has read some of it before that, and some
after. A part that polls knows of it and waits for the next change: where none comes, the page would stay as it is,
since nobody has told its other parts. A pipeline is one line, stopped and resumed as one, at the end its figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import actions, queueing
from app.services.loop_state import dismissed
from app.ui import next_step, run_state
from app.ui.messages import errors_shown, for_reader, prose, verbatim
from app.ui.reruns import fragment, stop_polling
from app.ui.run_state import OutcomeMessage
from slim_core.errors import NotFoundError
from slim_core.formatting import counted, done_of, duration, loss_in_words, shortened
from slim_core.settings import settings
from slim_core.store.runs.rows import ACTIVE, UNFINISHED, WORKING, title_of
from slim_core.store.workers import workers_with_blocks
from workers.local import workers_are_starting

if TYPE_CHECKING:
    from app.services.loop_state import Loop, LoopStep
    from slim_core.evaluation.verdict import Verdict
    from slim_core.store import Pipeline, Run
    from slim_core.store.members import Role

PAUSE_S = 1.0  # a page that was drawn again at once, for runs that change each second, would never be drawn whole
_before: ContextVar[Mapping[str, tuple[str, str, str]] | None] = ContextVar("slim-runs-before", default=None)


@contextmanager
def changes_noticed() -> Iterator[None]:
    """Around one run of a page: what is under way before it reads anything."""
    token = _before.set(session.store().runs.under_way())
    try:
        yield
    finally:
        _before.reset(token)


def follow_changes(dataset: str | None, kind: str | None) -> None:
    """Draw the page once more, a moment after it is whole, where a run under way has begun or ended since it began.

    ``dataset``, ``kind``: whose runs are meant, and which; None: all.
    """
    before = _before.get()
    if not before:  # or a fragment is drawn by itself
        return
    now = session.store().runs.under_way()
    changed = [about for run, about in before.items() if now.get(run) != about]
    if any(dataset in (None, one) and kind in (None, its_kind) for one, its_kind, _ in changed):
        _draw_again(time.monotonic())


@fragment(run_every=PAUSE_S)
def _draw_again(asked: float) -> None:
    """``asked``: when, by the clock of this process; the first drawing is that of the page itself."""
    if time.monotonic() - asked >= PAUSE_S:
        st.rerun()


LINGER = timedelta(seconds=8)
NEWEST = 50  # runs
MOST_WAITING = 10  # rows of a list; the rest is counted
NAME_WIDTH = 280  # pixels
NAME_LETTERS = 44  # of a name that stands in them, beside its badge, on two lines


def show(
    *,
    dataset: str | None = None,
    kind: str | None = None,
    without: frozenset[str] = frozenset(),
) -> bool:
    """The active runs (of a data set, of a kind); nothing where none is active. Returns whether there are any.

    ``without``: runs that are shown elsewhere on the page.
    """
    runs = _under_way_and_newest(dataset, kind)
    is_busy = any(map(run_state.is_active, runs))
    if is_busy or just_ended(runs):
        _poll(dataset, kind, without, _states(runs))
    follow_changes(dataset, kind)
    return is_busy


@fragment(run_every=1)
def _poll(dataset: str | None, kind: str | None, without: frozenset[str], known: tuple[tuple[str, str], ...]) -> None:
    runs = _under_way_and_newest(dataset, kind)
    _rows([run for run in runs if run_state.is_active(run) and run.id not in without])
    if _states(runs) != known:
        st.rerun()
    if not (any(map(run_state.is_active, runs)) or just_ended(runs)):
        stop_polling()  # nothing has changed: a page that is drawn anew forgets what lies under the pointer


def _under_way_and_newest(dataset: str | None, kind: str | None) -> list[Run]:
    """All active runs, however many came after them, and the newest ones, of which one may have ended just now."""
    runs = session.store().runs
    active = runs.all(kind=kind, dataset=dataset, status=ACTIVE, metrics=False)
    newest = runs.all(kind=kind, dataset=dataset, limit=NEWEST, metrics=False)
    return list({run.id: run for run in [*active, *newest]}.values())


def _rows(runs: Sequence[Run]) -> None:
    """Those that have begun, then those that wait; of many the first to wait."""
    in_order = sorted(runs, key=lambda run: (run.shown_status == "queued", run.created_at))
    n_shown = sum(run.shown_status != "queued" for run in runs) + MOST_WAITING
    for run in in_order[:n_shown]:
        row(run)
    if len(runs) > n_shown:
        st.caption(f"and {len(runs) - n_shown:,} more")


def chain(run: Run) -> None:
    """A run and the steps it waits for as one line: which of them is under way, how far it is, and what follows."""
    key = f"chain-{run.id}"
    if key not in st.session_state:
        st.session_state[key] = [one.id for one in _waited_for(run)] + [run.id]
    _poll_chain(tuple(st.session_state[key]))


def _waited_for(run: Run) -> list[Run]:
    """The steps before a run that have not ended, the first to run first."""
    store = session.store()
    found = [store.runs.find(one) for one in store.lineage.ancestors([run.id])]
    return [one for one in found[::-1] if one is not None and run_state.is_active(one)]


@fragment(run_every=1)
def _poll_chain(ids: tuple[str, ...]) -> None:
    steps = [run for run in map(session.store().runs.find, ids) if run is not None]
    active = [run for run in steps if run_state.is_active(run)]
    if not active or active[-1].id != ids[-1]:
        st.rerun()  # the last one has ended
    now = next((run for run in active if run.shown_status != "queued"), active[0])
    with st.container(border=True, horizontal=True, wrap=False, vertical_alignment="center", key=f"chain-{ids[-1]}"):
        place = len(steps) - len(active) + 1
        of = f"{place} of {len(ids)}: " if len(ids) > 1 else ""
        named(run_state.badge(now.shown_status), now, of)
        st.progress((place - 1 + fraction(now)) / len(ids), text=_with_rest(now, active), width="stretch")
        next_step.link("jobs", "Open", icon="notes", run=now.id)
        stop_button(now)


def _with_rest(now: Run, active: Sequence[Run]) -> str:
    """How far the step is that runs now, and the kinds of those that follow."""
    rest = [run.kind for run in active if run.id != now.id]
    return f"{text(now)} · then: {', '.join(rest)}" if rest else text(now)


def row(run: Run, *, stoppable: bool = False) -> None:
    """One line: what, how far, how long still, and a link to its log."""
    with st.container(border=True, horizontal=True, wrap=False, vertical_alignment="center", key=f"progress-{run.id}"):
        named(run_state.badge(run.shown_status), run)
        st.progress(fraction(run), text=text(run), width="stretch")
        next_step.link("jobs", "Open", icon="notes", run=run.id)
        if stoppable:
            stop_button(run)


def named(badge: str, run: Run, before: str = "") -> None:
    """What a row begins with: a badge and the name of a run; a long name is cut, and whole on hover.

    ``before``: what is said before the name.
    """
    name = run.name or run.kind
    short = shortened(name, NAME_LETTERS)
    whole = None if short == name else verbatim(name)
    st.markdown(f"{badge} **{before}{verbatim(short)}**", width=NAME_WIDTH, help=whole)


def fraction(run: Run) -> float:
    """How much of a run is done, 0..1."""
    total = run.progress.get("total") or 0
    return min(1.0, run.progress.get("done", 0) / total) if total else 0.0


def text(run: Run) -> str:
    """Progress in words: the phase, the epoch, the count, the loss, the speed, the time left; or where it stopped."""
    progress = run.progress
    if run.shown_status == "queued":
        return _waits(run)
    if not progress.get("total"):
        return "starting"
    phase = str(progress.get("phase") or "")
    parts = [f"stopped during {phase}" if run.ended and phase else phase, _epoch(run)]
    loss, speed, left = (progress.get(name) for name in ("train_loss", "images_per_s", "seconds_left"))
    parts += [done_of(progress) + (" images" if speed else "")]
    parts += [f"loss {loss_in_words(loss, 3)}" if loss is not None else ""]
    parts += [f"{speed:,.0f} images/s" if speed and not run.ended else ""]
    parts += [f"{duration(round(left))} left" if left is not None and run.shown_status == "running" else ""]
    return " · ".join(part for part in parts if part)


def _waits(run: Run) -> str:
    """What a queued run waits for: a run that it reads, the end of a pause, a worker."""
    store = session.store()
    before = next((one for _, one in store.runs.parents(run.id) if run_state.is_active(one)), None)
    if before is not None:
        return f"waiting for {verbatim(shortened(before.name or before.kind, NAME_LETTERS))}"
    if pause := store.queue.paused():
        return f"paused by {verbatim(pause.paused_by)}"
    workers = workers_with_blocks(store)
    if workers and all(worker.blocked for worker in workers):
        return "waiting for room on the disk"
    return "waiting for a worker" if workers or workers_are_starting(settings()) else "waiting: no workers online"


def _epoch(run: Run) -> str:
    return f"epoch {run.progress['epoch']} of {run.progress['epochs']}" if run.progress.get("epoch") else ""


def stop_button(run: Run) -> None:
    """Stops the run, after asking; nothing for those who may not: the next poll would take their refusal away.

    Whether the question is open is the browser's own: where the server is told (``on_change``), its answer to an
    earlier press can come after the next one, and closes what a person has opened.
    """
    if not session.viewer().may("lead"):
        return
    if run.status == "stopping":
        st.button("Stopping", key=f"stopping-{run.id}", disabled=True)
        return
    with st.popover("Stop", key=f"ask-stop-{run.id}"):
        st.markdown(f"Stop **{verbatim(run.name or run.kind)}** ({run.id})? {_kept(run)}{_with_it(run)}")
        if st.button("Yes, stop it", key=f"stop-{run.id}", type="primary"):
            with errors_shown():
                actions.stop(run.id)
                st.rerun()


def _kept(run: Run) -> str:
    """What a stop leaves of a run: an epoch or a space that is half done is lost."""
    if run.progress.get("shards"):
        return "Its finished shards are kept: a retry computes the others."
    if not run.attempt:
        return "It has not started yet."
    if not run_state.has_checkpoint(run):
        return "It has no checkpoint yet: a retry starts again."
    done = "after its last finished epoch" if run.kind == "train" else "from its last checkpoint"
    return f"It can be resumed {done}."


def _with_it(run: Run) -> str:
    """How many runs that wait for it end with it."""
    n = session.store().attempts.stopped_with(run.id)
    return f" {counted(n, 'waiting run')} {'stops' if n == 1 else 'stop'} with it." if n else ""


def wait(ids: Collection[str], sentence: str) -> None:
    """What is next while these runs are under way: to wait, or to see to what keeps all of them from starting, the
    pause of the queue or the lack of workers."""
    store = session.store()
    if any(run.status in WORKING for run in store.history.some(ids).values()):
        next_step.here(sentence)
    elif pause := store.queue.paused():
        first = "resume the queue" if session.viewer().may("lead") else "wait until a lead resumes the queue"
        next_step.here(f"{first}, which {verbatim(pause.paused_by)} has paused. Nothing starts before.")
    elif store.workers.alive() or workers_are_starting(settings()):
        next_step.here(sentence)
    else:  # Jobs says which it is: none was started, or it has no Redis or no space
        next_step.show("see why no workers are online. Nothing runs without one.", "jobs", "Open Jobs")


def _states(runs: Sequence[Run]) -> tuple[tuple[str, str], ...]:
    return tuple((run.id, run.status) for run in runs)


def just_ended(runs: Sequence[Run]) -> bool:
    """Whether one of them has ended within the last seconds."""
    since = datetime.now(UTC) - LINGER
    return any(run.finished_at is not None and run.finished_at > since for run in runs)


def show_pause() -> None:
    """One sentence with who and when, and for leads the way on; nothing where nobody has paused it."""
    pause = session.store().queue.paused()
    if pause is None:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="queue-paused"):
        st.markdown(f":orange[:material/pause_circle:] {prose(pause)}", width="stretch")
        if session.viewer().may("lead") and st.button("Resume", icon=":material/play_arrow:", key="queue-resume"):
            with errors_shown():
                actions.resume_queue()
                st.rerun()


def pause_button() -> None:
    """For leads: no worker takes new work from now on."""
    if not session.viewer().may("lead") or session.store().queue.paused():
        return
    about = "Workers start no new run until the queue is resumed. Running jobs continue, and new ones can be submitted."
    if st.button("Pause the queue", icon=":material/pause:", help=about, key="queue-pause"):
        with errors_shown():
            actions.pause_queue()
            st.rerun()


def show_pipelines(dataset: str, fits: Callable[[Pipeline], bool] = lambda _: True) -> frozenset[str]:
    """The pipelines of a data set under way, and the newest one where it has ended and nothing was queued since.

    ``fits``: which are meant. Returns the runs that are shown so: no line of their own is needed.
    """
    known = [one for one in session.store().pipelines.all(dataset) if fits(one)]
    active = [one for one in known if one.state == "active"]
    with st.container():  # made in any case: what comes and goes in it moves nothing that follows, nor its fragments
        for one in active:
            _poll_pipeline(one.id, _statuses(one.runs))
        if not active and known and not _is_dismissed(known[0]):
            _ended(known[0])
        run_state.show_undo()
    return frozenset(run.id for one in active for run in one.runs)


def resumable(dataset: str, fits: Callable[[Pipeline], bool] = lambda _: True) -> frozenset[str]:
    """The runs of a data set that the *Resume* of ``show_pipelines`` queues again."""
    known = [one for one in session.store().pipelines.all(dataset) if fits(one)]
    if not known or known[0].state != "unfinished" or any(one.state == "active" for one in known):
        return frozenset()
    return frozenset() if _is_dismissed(known[0]) else frozenset(run.id for run in _without_result(known[0]))


def _without_result(pipeline: Pipeline) -> list[Run]:
    return [run for run in pipeline.runs if run.status in UNFINISHED]


def _is_dismissed(pipeline: Pipeline) -> bool:
    ended = _without_result(pipeline)
    return bool(ended) and len(dismissed(session.store(), ended)) == len(ended)


def _statuses(runs: Sequence[Run]) -> tuple[str, ...]:
    return tuple(run.status for run in runs)


@fragment(run_every=1)
def _poll_pipeline(pipeline_id: str, known: tuple[str, ...]) -> None:
    try:
        pipeline = session.store().pipelines.fetch(pipeline_id)
    except NotFoundError:
        st.rerun()
    if pipeline.state == "active":
        with st.container(border=True, key=f"pipeline-{pipeline.id}"), errors_shown():
            _line(pipeline)
    if pipeline.state != "active" or _statuses(pipeline.runs) != known:
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
    st.progress(_fraction(runs, now), text=f"{place} · {text(now).removeprefix(f'{title} · ')}")
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
    return (sum(run.ended for run in runs) + fraction(now)) / len(runs)


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
    unfinished = _without_result(pipeline)
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
            if session.viewer().may("lead"):
                run_state.dismiss_button(unfinished)
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
OPENS_FORM = "new"  # a link with a training opens the form of Train with its values; until one is submitted


def show_next(loop: Loop, verdict: Verdict | None = None, *, below_pipelines: bool = False) -> None:
    """The one next thing, with a link to where it is done.

    ``verdict``: whether the complete loop's result is better; ``below_pipelines``: the page shows those, too.
    """
    step = loop.next
    if verdict is not None and verdict.is_perfect:
        next_step.show("add test images on which a shortcut would show, and evaluate again.", "data", "Data")
    elif step is None and verdict is not None and verdict.way <= 0:
        next_step.show("this result is not shown to be better: compare the models.", "compare", "Compare")
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
        todo = next_step.can(_whose(step, loop), step.todo)
        # one press of Overview trains, looks and selects what to ask; the form of Train has more than a beginner needs
        page = "overview" if step.name == "train" else step.page
        next_step.show(todo, page, step.action, **step.params)


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
                opens = {OPENS_FORM: run.id} if page == "train" else {}  # its form is folded away beside a run
                next_step.link(page, "Change and run again", icon="tune", **{**params, **opens})
            if not is_above:
                next_step.link("jobs", "See the log", icon="notes", run=run.id)
            if may and not is_above:
                run_state.dismiss_button([run])


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
