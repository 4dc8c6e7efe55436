"""Runs under way, with progress and time left, and the pause of the queue. Polls while something runs, and for a moment
after: the next step of a loop is often submitted just then. When a run begins or ends, the whole page is drawn again.

A page that is drawn meanwhile has read some of it before that, and some after. A part that polls knows of it and waits
for the next change: where none comes, the page would stay as it is, since nobody has told its other parts.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import actions
from app.ui import next_step, run_state
from app.ui.messages import errors_shown, prose, verbatim
from app.ui.reruns import fragment, stop_polling
from slim_core.formatting import counted, done_of, duration, loss_in_words, shortened
from slim_core.settings import settings
from slim_core.store.runs.history import History
from slim_core.store.runs.states import ACTIVE, WORKING
from slim_core.store.workers import workers_with_blocks
from workers.local import workers_are_starting

if TYPE_CHECKING:
    from slim_core.store import Run

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
    if any(run.status in WORKING for run in History(store.database).some(ids).values()):
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
