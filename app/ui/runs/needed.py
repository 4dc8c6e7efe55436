"""What a page needs of an earlier step, where there is none yet, and why it failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.ui import roles
from app.ui.links import next_step
from app.ui.runs import outcome, progress, retry, state, submit
from slim_core.store.runs.kinds import PASSES
from slim_core.store.runs.states import UNFINISHED

if TYPE_CHECKING:
    from slim_core.store import Run

_BEFORE = {"space": PASSES, "gradcam": ("train",)}  # a step -> those that it needs
_FIRST = {  # a step that another one lacks -> what to do, its page, the label of the link
    "gradcam": ("compute the attention maps of a model; the space follows from them.", "attention", "Attention"),
    "train": ("train a model; attention maps and the space follow from it.", "train", "Train"),
}


def show(
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


def here(
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
    under way; ``without`` and ``fits``: as of ``show``.
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
    sent = st.session_state.get(submit.sent_by(button, dataset), "")
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
    if found is None or st.session_state.get(submit.sent_by(button, dataset)) == found.id:
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
