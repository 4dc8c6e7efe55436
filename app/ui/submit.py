"""Submitting a step: the fields of its form, made from the parameters of its spec; the button that queues it, and what
becomes of it, on the same page; and what a page needs of an earlier step, where there is none yet, and why it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from app import session
from app.services import actions, queueing
from app.ui import next_step, progress, run_state
from app.ui.messages import errors_shown, verbatim
from slim_core.errors import NotFoundError
from slim_core.parameters import Parameter, parameters
from slim_core.store.runs.rows import PASSES, UNFINISHED

if TYPE_CHECKING:
    from pydantic import BaseModel
    from streamlit.delta_generator import DeltaGenerator

    from slim_core.store import Campaign, Run


def comparison_button(campaign: Campaign, *, key: str, type: Literal["primary", "secondary"]) -> None:
    """Queue all from the answers of a campaign to the comparison of a retrained model. For leads."""
    if st.button(queueing.TITLES["comparison"], type=type, icon=":material/play_arrow:", key=key):
        with errors_shown():
            queueing.to_comparison(campaign)
            st.rerun()


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
    if not next_step.offers("lead", f"*{label}*"):
        return
    if st.button(label, key=key, type="primary", icon=f":material/{icon}:", disabled=disabled):
        with errors_shown():
            run, created = actions.save(spec())
            st.session_state[sent_by(key, dataset)] = st.session_state[f"{key}-made"] = run.id
            if created:
                actions.wake(run)  # may find no Redis: the run is followed all the same, and starts by itself
            else:
                status = f"is {run_state.WORDS[run.status]} already"
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
    if run_state.is_active(run):
        progress.chain(run)
    else:
        run_state.show_outcome(run)


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
        next_step.show(next_step.can("lead", todo), page, label, dataset=dataset)


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
    active = [run.id for run in _runs(dataset, kinds) if run_state.is_active(run) and fits(run)]
    if active:
        progress.wait(active, sentence)
    return bool(active)


def _lacking(dataset: str, kind: str) -> str:
    """The first step on the way to one that is neither done nor under way; "" where the way to it is free."""
    first = ""
    while before := _BEFORE.get(kind, ()):
        if any(run.status == "done" or run_state.is_active(run) for run in _runs(dataset, before)):
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
        run_state.show_outcome(found)
    else:
        run_state.watch(found.id)


def _in_the_way(dataset: str, kinds: tuple[str, ...], fits: Callable[[Run], bool]) -> Run | None:
    """The run that failed or was stopped, and because of which there is nothing yet: one beside a run that is done is
    not in the way."""
    runs = [run for run in _runs(dataset, kinds) if fits(run)]
    while not runs and (kinds := _BEFORE.get(kinds[0], ())):
        runs = _runs(dataset, kinds)
        if any(run.status == "done" or run_state.is_active(run) for run in runs):
            return None
    newest = max(runs, key=lambda run: run.created_at, default=None)
    return newest if newest is not None and newest.status in UNFINISHED else None


def _runs(dataset: str, kinds: tuple[str, ...]) -> list[Run]:
    return [run for kind in kinds for run in session.store().runs.all(kind=kind, dataset=dataset, metrics=False)]


A_ROW = 4  # fields beside each other
MOST_IN_A_COLUMN = 6  # of those that are folded away, which open in as many columns as it takes


def form_parameters(config: type[BaseModel], *, without: Iterable[str] = ()) -> list[Parameter]:
    """The parameters that a form asks for, but those that the page asks for in its own way."""
    return [
        each for each in parameters(config).values() if each.display.place != "nowhere" and each.name not in without
    ]


def fields(
    asked: Iterable[Parameter],
    proposed: Mapping[str, Any],
    *,
    key: str,
    beside: Mapping[str, Any] | None = None,
    a_row: int = A_ROW,
) -> dict[str, Any]:
    """Name -> what was chosen: in rows, and those that are rarely changed folded away.

    Args:
        asked: the parameters; one that depends on others follows them.
        proposed: values that differ from the defaults of the fields.
        key: ends the key of each widget, which begins with the field's name.
        beside: fields that were chosen already; a parameter without effect beside them is left out.
        a_row: fields beside each other.
    """
    asked, known = list(asked), dict(beside or {})
    chosen: dict[str, Any] = {}
    places = _places(a_row)
    for each in asked:
        if each.display.place == "form" and each.counts(known | chosen):
            with next(places):
                chosen[each.name] = field(each, proposed.get(each.name, each.default), key=key)
    folded = [each for each in asked if each.display.place == "more" and each.counts(known | chosen)]
    if folded:
        with st.popover("More settings", icon=":material/tune:"):
            places = _places(1 + len(folded) // MOST_IN_A_COLUMN)
            for each in folded:
                with next(places):
                    chosen[each.name] = field(each, proposed.get(each.name, each.default), key=key)
    return chosen


def _places(a_row: int) -> Iterator[DeltaGenerator]:
    while True:
        yield from st.columns(a_row, vertical_alignment="bottom")


def field(parameter: Parameter, value: Any, *, key: str, segmented: bool = False) -> Any:
    """One widget of the parameter's type; the value it has now. ``segmented``: choices side by side, not in a list."""
    about: dict[str, Any] = {"help": parameter.help or None, "key": f"{parameter.name}-{key}"}
    if parameter.type is bool:
        return _yes_or_no(parameter, value, about)
    if parameter.type is tuple and parameter.choices:
        return _several(parameter, value, about)
    if parameter.choices:
        return choice_field(parameter, value, key=key, segmented=segmented)
    if parameter.type in (int, float):
        return _number(parameter, value, about)
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else value or ""
    return st.text_input(parameter.label, text, **about).strip() or None


def choice_field(parameter: Parameter, value: Any, *, key: str, segmented: bool = False, **options: Any) -> Any:
    """One of the parameter's choices: in a list, or side by side."""
    values = list(parameter.choices)
    words = parameter.choices.__getitem__
    about: dict[str, Any] = {"help": parameter.help or None, "key": f"{parameter.name}-{key}", "format_func": words}
    if segmented:
        return st.segmented_control(parameter.label, values, default=value, required=True, **about, **options)
    return st.selectbox(parameter.label, values, index=values.index(value), **about, **options)


def _yes_or_no(parameter: Parameter, value: Any, about: Mapping[str, Any]) -> bool | None:
    """A box to tick; where the answer may be left open, a list."""
    if not parameter.optional:
        return st.checkbox(parameter.label, value, **about)
    # words, for None as a value would be no choice: the box could be cleared, and would ask for one
    answers: dict[str, bool | None] = {_left_open(parameter): None, "yes": True, "no": False}
    return answers[st.selectbox(parameter.label, list(answers), index=list(answers.values()).index(value), **about)]


def _left_open(parameter: Parameter) -> str:
    return parameter.display.default or "automatic"


def _several(parameter: Parameter, value: Any, about: Mapping[str, Any]) -> tuple[str, ...]:
    """Some of the parameter's choices, in its order."""
    values = list(parameter.choices)
    chosen = st.pills(parameter.label, values, selection_mode="multi", default=list(value), **about)
    return tuple(each for each in values if each in chosen)


def _number(parameter: Parameter, value: Any, about: Mapping[str, Any]) -> Any:
    """An open end of the real numbers is within reach of the widget: the spec refuses it in a sentence."""
    kind, step = parameter.type, parameter.display.step
    if parameter.display.percent:
        return _in_percent(parameter, value, about)
    low, high = (None if each is None else kind(each) for each in (parameter.low, parameter.high))
    form = {"format": "%g", "step": step or 0.01} if kind is float else {"step": int(step or 1)}
    if parameter.display.slider:
        return st.slider(parameter.label, low, high, value, step, **about)
    placeholder = _left_open(parameter) if parameter.optional else None
    return st.number_input(parameter.label, low, high, value, placeholder=placeholder, **form, **about)


def _in_percent(parameter: Parameter, value: float | None, about: Mapping[str, Any]) -> float | None:
    """A share that may be left open: 5 is typed for 0.05."""
    low, high = 100.0 * (parameter.low or 0), 100.0 * (1 if parameter.high is None else parameter.high)
    step, placeholder = 100 * (parameter.display.step or 0.01), _left_open(parameter) if parameter.optional else None
    shown = None if value is None else 100 * value
    label = f"{parameter.label}, %"
    asked = st.number_input(label, low, high, shown, step, format="%g", placeholder=placeholder, **about)
    return None if asked is None else asked / 100
