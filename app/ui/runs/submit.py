"""A button that queues a step, and what becomes of it, on the same page; and what a page needs of an earlier step,
where there is none yet, and why it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.services import actions
from app.ui import next_step, roles
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from app.ui.runs import outcome, progress, retry, state
from slim_core.errors import NotFoundError
from slim_core.store.runs.states import PASSES, UNFINISHED

if TYPE_CHECKING:
    from slim_core.store import Run


def button(
    label: str,
    spec: Callable[[], Mapping[str, Any]],
    *,
    dataset: str,
    key: str,
    icon: str = "play_arrow",
    disabled: bool = False,
) -> None:
    """Queue the spec when pressed, and show its progress below the button, on each visit to this data set.

    For leads; others read what it takes.
    """
    if not roles.offers("lead", f"*{label}*"):
        return
    if st.button(label, key=key, type="primary", icon=f":material/{icon}:", disabled=disabled):
        with errors_shown():
            run, created = actions.save(spec())
            st.session_state[sent_by(key, dataset)] = st.session_state[f"{key}-made"] = run.id
            if created:
                actions.wake(run)  # may find no Redis: the run is followed all the same, and starts by itself
            else:
                status = f"is {state.WORDS[run.status]} already"
                st.info(f"A run of this step on the same inputs {status}.", icon=":material/history:")
                next_step.link("jobs", f"Open {verbatim(run.name or run.id)}", icon="history", run=run.id)
    if sent := st.session_state.get(sent_by(key, dataset)):
        follow(sent)


def sent_by(key: str, dataset: str) -> str:
    """The key of the session under which the run is kept that a button has submitted for a data set."""
    return f"{key}-run-{dataset}"


def take_made(key: str, offered: Container[str]) -> str | None:
    """The run of the last press, once, as soon as it is offered: the page then chooses it, and a person may another."""
    if st.session_state.get(f"{key}-made") not in offered:
        return None
    return str(st.session_state.pop(f"{key}-made"))


def follow(run_id: str) -> None:
    """The progress of a run and of the steps it waits for, or how it ended, with its figures."""
    try:
        run = session.store().runs.fetch(run_id)
    except NotFoundError:  # deleted meanwhile
        return
    if state.is_active(run):
        progress.chain(run)
    else:
        outcome.show(run)


_BEFORE = {"space": PASSES, "gradcam": ("train",)}  # a step -> those that it needs
_FIRST = {  # a step that another one lacks -> what to do, its page, the label of the link
    "gradcam": ("compute the attention maps of a model; the space follows from them.", "attention", "Attention"),
    "train": ("train a model; attention maps and the space follow from it.", "train", "Train"),
}


def show_needed(
    dataset: str,
    kinds: tuple[str, ...],
    missing: str,
    todo: str,
    page: str,
    label: str,
    *,
    without: frozenset[str] = frozenset(),
    fits: Callable[[Run], bool] = lambda _run: True,
) -> None:
    """The runs that make it, where some are under way; else what is missing, why, and the way to the page of that step.

    ``without``: runs that are shown elsewhere on the page; ``fits``: which of these runs the page can do with.
    """
    sentence = "wait for the run above; you can close this page. The next step appears when it ends."
    if not _wait(dataset, kinds, sentence, without=without, fits=fits):
        st.info(missing)
        _say_failure(dataset, kinds, fits=fits)
        todo, page, label = _FIRST.get(_lacking(dataset, kinds[0]), (todo, page, label))
        next_step.show(roles.can("lead", todo), page, label, dataset=dataset)


def needed_here(
    dataset: str,
    kind: str,
    button: str,
    todo: str,
    meanwhile: str,
    *,
    without: frozenset[str] = frozenset(),
    fits: Callable[[Run], bool] = lambda _run: True,
) -> None:
    """Of a step that this page submits: its runs under way, whoever queued them; else why one failed, and the press.

    ``button``: the key of the one that submits it; ``todo`` and ``meanwhile``: what is next, without and with a run
    under way; ``without`` and ``fits``: as of ``show_needed``.
    """
    if not _wait(dataset, (kind,), meanwhile, button=button, without=without, fits=fits):
        _say_failure(dataset, (kind,), button=button, fits=fits)
        next_step.here(todo)


def _wait(
    dataset: str,
    kinds: tuple[str, ...],
    sentence: str,
    *,
    button: str = "",
    without: frozenset[str],
    fits: Callable[[Run], bool],
) -> bool:
    """The runs under way that make it, whoever has queued them, and what is next meanwhile; False where none is.

    ``button``: the key of the one on this page that submits such a run, and shows its progress below itself.
    """
    sent = st.session_state.get(sent_by(button, dataset), "")
    for kind in kinds:
        progress.show(dataset=dataset, kind=kind, without=without | {sent})
    active = [run.id for run in _runs(dataset, kinds) if state.is_active(run) and fits(run)]
    if active:
        progress.wait(active, sentence)
    return bool(active)


def _lacking(dataset: str, kind: str) -> str:
    """The first step on the way to one that is neither done nor under way; "" where the way to it is free."""
    first = ""
    while before := _BEFORE.get(kind, ()):
        if any(run.status == "done" or state.is_active(run) for run in _runs(dataset, before)):
            break
        first = kind = before[0]
    return first


def _say_failure(
    dataset: str, kinds: tuple[str, ...], *, button: str = "", fits: Callable[[Run], bool] = lambda _run: True
) -> None:
    """Which run failed, and why: the newest of these steps, else of the steps before them, where it is in the way.

    Of one that was stopped nothing is said, but the page follows it as well when it is queued again.

    ``button``: the key of the one on this page that submits such a run (submit.button), and says it below itself.
    ``fits``: which runs of these steps the page can do with; the failure of another is none of its business.
    """
    found = _in_the_way(dataset, kinds, fits)
    if found is None or st.session_state.get(sent_by(button, dataset)) == found.id:
        return
    if found.status == "failed":
        outcome.show(found)
    else:
        retry.watch(found.id)


def _in_the_way(dataset: str, kinds: tuple[str, ...], fits: Callable[[Run], bool]) -> Run | None:
    """The run that failed or was stopped, and because of which there is nothing yet: one beside a run that is done is
    not in the way."""
    runs = [run for run in _runs(dataset, kinds) if fits(run)]
    while not runs and (kinds := _BEFORE.get(kinds[0], ())):
        runs = _runs(dataset, kinds)
        if any(run.status == "done" or state.is_active(run) for run in runs):
            return None
    newest = max(runs, key=lambda run: run.created_at, default=None)
    return newest if newest is not None and newest.status in UNFINISHED else None


def _runs(dataset: str, kinds: tuple[str, ...]) -> list[Run]:
    return [run for kind in kinds for run in session.store().runs.all(kind=kind, dataset=dataset, metrics=False)]
