"""From one run of a page to the next: parts that run alone, presses that count once, widgets that follow the store.

A fragment and a dialog run without the page around them, so without what shows the page's errors as sentences. No
other module makes one but ``messages``, which these sentences are of; tests/app/test_rooms.py holds that.

A visit is the stay on a page of a session that has come there from another one, or by loading it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
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
