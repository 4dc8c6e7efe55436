"""From one run of a page to the next: parts that run alone, presses that count once, widgets that follow the store, and
what a page keeps in its address (?dataset=..., ?run=..., ?cell=...), so that a link reproduces the view.

A fragment and a dialog run without the page around them, so without what shows the page's errors as sentences. No
other module makes one but ``messages``, which these sentences are of; tests/app/test_rooms.py holds that.

A visit is the stay on a page of a session that has come there from another one, or by loading it. What is chosen is the
session's, and the address follows it; only a link goes the other way. A browser hears of what the page has written a
moment later. What it sends before that (a second press, a poll) names the older value still, which is no link: it
would undo the choice.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import streamlit as st

from app import session
from app.ui.messages import errors_shown

F = TypeVar("F", bound=Callable[..., Any])


def fragment(run_every: float | None = None) -> Callable[[F], F]:
    """``st.fragment``; ``run_every``: seconds between two runs, None where only its own widgets cause one."""
    return lambda body: st.fragment(_with_sentences(body), run_every=run_every)


def stop_polling() -> None:
    """Run the fragment that runs now no more by itself, without drawing the page anew.

    Streamlit has no call for it, but a message, which it sends where a fragment inside another one is gone. In a
    version that has moved these names, the fragment goes on.
    """
    try:
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
        from streamlit.runtime.scriptrunner import get_script_run_ctx
        from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState
    except ImportError:
        return
    context, fragment_id = get_script_run_ctx(), ThreadState.get().fragment_id
    if context is not None and fragment_id is not None:
        message = ForwardMsg()
        message.stop_auto_rerun.fragment_ids.append(fragment_id)
        context.enqueue(message)


def dialog(title: str, on_dismiss: Callable[[], None] | None = None) -> Callable[[F], F]:
    """``st.dialog``, a wide one; ``on_dismiss`` is called when a person closes it."""
    return lambda body: st.dialog(title, width="large", on_dismiss=on_dismiss or "ignore")(_with_sentences(body))


def _with_sentences(body: F) -> F:
    @functools.wraps(body)
    def drawn(*args: Any, **options: Any) -> Any:
        with session.cached_lookups(), errors_shown():
            return body(*args, **options)

    return drawn  # type: ignore[return-value]


def button_once(label: str, *, key: str, **options: Any) -> bool:
    """``st.button``, whose key is used up by a press before anything is done: a second click finds no such button."""
    turn = f"{key}-turn"
    presses = st.session_state.get(turn, 0)
    pressed = st.button(label, key=f"{key}-{presses}", **options)
    if pressed:
        st.session_state[turn] = presses + 1
    return pressed


def sync(key: str, stored: object) -> str:
    """Let the widget that is drawn next under this key show what is stored, unless it was changed here; the key.

    A keyed widget keeps the value it was first drawn with. Whoever saved a form, of which they had changed one field,
    would write the others back as they were when the page was opened, whatever somebody else has made of them since.
    Of a list it is each entry that is changed, here or by somebody else.

    What is set is sent, and takes away what is being typed: the browser tells of that only once it is left or saved.
    """
    known = _known(key)
    before, shown = st.session_state.get(known), st.session_state.get(key)
    if key not in st.session_state or (shown == before != stored):
        st.session_state[key] = stored
    elif isinstance(stored, list) and shown != stored != before:
        st.session_state[key] = _merged(before or [], stored, shown or [])
    elif shown != stored:
        return key
    st.session_state[known] = stored
    return key


def overtaken(key: str, stored: object) -> bool:
    """Whether somebody else has meanwhile changed, too, what was changed here: once, for it may be meant then."""
    before = st.session_state.get(_known(key), stored)
    st.session_state[_known(key)] = stored
    return bool(before != stored)


def saved(*keys: str) -> None:
    """What these widgets hold is stored now: they show it next as it was stored, such as without its spaces."""
    for key in keys:
        st.session_state[_known(key)] = st.session_state[key]


def _known(key: str) -> str:
    return f"{key}-stored"


def _merged(before: list[Any], stored: list[Any], shown: list[Any]) -> list[Any]:
    """What is stored, with what was added to ``before`` here and without what was taken out of it here."""
    kept = [one for one in stored if one in shown or one not in before]
    return kept + [one for one in shown if one not in before and one not in stored]


_PAGE, _NUMBER = "visited-page", "visit"


def begin_visit(page: str) -> None:
    """Another visit, where another page was shown before; call it before each run of a page, with its address."""
    if st.session_state.get(_PAGE) != page:
        st.session_state[_PAGE], st.session_state[_NUMBER] = page, visit_number() + 1


def visited_page() -> str | None:
    """The address of the page that is drawn, "" for the first one."""
    known: str | None = st.session_state.get(_PAGE)
    return known


def visit_number() -> int:
    """The same in all runs of one visit."""
    return int(st.session_state.get(_NUMBER, 0))


LATE_S = 5.0  # so long after a value was replaced the browser may still send it


@dataclass(frozen=True)
class _Written:
    visit: int
    value: str
    replaced: dict[str, float] = field(default_factory=dict)  # older values -> when each was replaced


def read_link(param: str) -> str | None:
    """What the address says where a link brought it, not this page's own run before."""
    linked, written = read_address(param), _written(param)
    if not linked or linked == written.value:
        return None
    is_late = time.monotonic() - written.replaced.get(linked, -LATE_S) < LATE_S
    return None if is_late else linked


def expect_link(param: str, value: str) -> None:
    """A link of the page itself leads there by this very press: it is one, however lately the value was replaced."""
    _written(param).replaced.pop(value, None)


def keep_in_address(param: str, value: str) -> None:
    """Write into the address what is shown, which is no link then; "" takes it out."""
    written, now = _written(param), time.monotonic()
    late = {one: at for one, at in written.replaced.items() if now - at < LATE_S}
    replaced = late | {one: now for one in (written.value, read_address(param)) if one and one != value}
    st.session_state[f"written-{param}"] = _Written(visit_number(), value, replaced)
    if value == read_address(param):
        if value != written.value:  # this run came with an older address than the browser has by now
            st.query_params.update({})
        return  # a message the less, which would take with it what another part has written since
    if value:
        st.query_params[param] = value
    else:
        del st.query_params[param]


def read_address(param: str) -> str:
    """What the address says of a parameter, with commas where it is there several times; "" where it is not."""
    return ",".join(st.query_params.get_all(param))


def is_in_address(param: str) -> bool:
    """Whether this visit has written into the address before: on the next one, the same words are a link again."""
    return f"written-{param}" in st.session_state and _written(param).visit == visit_number()


def put_in_address(param: str, value: str) -> None:
    """What ``chosen_in_address`` says on this visit from now on; "" for nothing.

    The session is told first: where another press comes in as the address is sent, Streamlit ends a callback there.
    """
    st.session_state[f"put-{param}"] = visit_number(), value
    keep_in_address(param, value)


def chosen_in_address(param: str, *of: str) -> str:
    """What was put on this visit, or what a link names instead; the address follows it.

    ``of``: whose it is, such as the data set's. It ends where another one is chosen after it, not where a link brings
    both.
    """
    visited, value = st.session_state.get(f"put-{param}", (None, ""))
    is_of_another = st.session_state.get(f"of-{param}", of) != of
    st.session_state[f"of-{param}"] = of
    here = value if visited == visit_number() and not is_of_another else ""
    wanted = read_link(param) or here
    put_in_address(param, wanted)
    return wanted


def _written(param: str) -> _Written:
    """Nothing where it was on another visit."""
    known = st.session_state.get(f"written-{param}")
    return known if isinstance(known, _Written) and known.visit == visit_number() else _Written(visit_number(), "")


_MOST_DIGITS = 9  # more are no row, page or group; Python itself refuses to read 5,000


def number_of(named: str) -> int | None:
    """A whole number from 0; None of what is none."""
    return int(named) if named.isdecimal() and len(named) <= _MOST_DIGITS else None
