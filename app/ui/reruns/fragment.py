"""Parts of a page that are drawn again by themselves: what goes wrong in one is a sentence there, too.

A fragment and a dialog run without the page around them, so without what shows the page's errors as sentences. No
other module makes one but ``recovery``, which these sentences call; tests/app/test_rooms.py holds that.
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
