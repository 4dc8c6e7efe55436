"""What a page keeps in its address (?dataset=..., ?run=..., ?cell=...), so that a link reproduces the view.

What is chosen is the session's, and the address follows it; only a link goes the other way. A browser hears of what
the page has written a moment later. What it sends before that (a second press, a poll) names the older value still,
which is no link: it would undo the choice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import streamlit as st

from app.ui import reruns

LATE_S = 5.0  # so long after a value was replaced the browser may still send it


@dataclass(frozen=True)
class _Written:
    visit: int
    value: str
    replaced: dict[str, float] = field(default_factory=dict)  # older values -> when each was replaced


def read_link(param: str) -> str | None:
    """What the address says where a link brought it, not this page's own run before."""
    linked, written = read(param), _written(param)
    if not linked or linked == written.value:
        return None
    is_late = time.monotonic() - written.replaced.get(linked, -LATE_S) < LATE_S
    return None if is_late else linked


def expect(param: str, value: str) -> None:
    """A link of the page itself leads there by this very press: it is one, however lately the value was replaced."""
    _written(param).replaced.pop(value, None)


def keep(param: str, value: str) -> None:
    """Write into the address what is shown, which is no link then; "" takes it out."""
    written, now = _written(param), time.monotonic()
    late = {one: at for one, at in written.replaced.items() if now - at < LATE_S}
    replaced = late | {one: now for one in (written.value, read(param)) if one and one != value}
    st.session_state[f"written-{param}"] = _Written(reruns.visit_number(), value, replaced)
    if value == read(param):
        if value != written.value:  # this run came with an older address than the browser has by now
            st.query_params.update({})
        return  # a message the less, which would take with it what another part has written since
    if value:
        st.query_params[param] = value
    else:
        del st.query_params[param]


def read(param: str) -> str:
    """What the address says of a parameter, with commas where it is there several times; "" where it is not."""
    return ",".join(st.query_params.get_all(param))


def is_known(param: str) -> bool:
    """Whether this visit has written into the address before: on the next one, the same words are a link again."""
    return f"written-{param}" in st.session_state and _written(param).visit == reruns.visit_number()


def put(param: str, value: str) -> None:
    """What ``chosen`` says on this visit from now on; "" for nothing.

    The session is told first: where another press comes in as the address is sent, Streamlit ends a callback there.
    """
    st.session_state[f"put-{param}"] = reruns.visit_number(), value
    keep(param, value)


def chosen(param: str, *of: str) -> str:
    """What was put on this visit, or what a link names instead; the address follows it.

    ``of``: whose it is, such as the data set's. It ends where another one is chosen after it, not where a link brings
    both.
    """
    visited, value = st.session_state.get(f"put-{param}", (None, ""))
    is_of_another = st.session_state.get(f"of-{param}", of) != of
    st.session_state[f"of-{param}"] = of
    here = value if visited == reruns.visit_number() and not is_of_another else ""
    wanted = read_link(param) or here
    put(param, wanted)
    return wanted


def _written(param: str) -> _Written:
    """Nothing where it was on another visit."""
    known = st.session_state.get(f"written-{param}")
    return (
        known
        if isinstance(known, _Written) and known.visit == reruns.visit_number()
        else _Written(reruns.visit_number(), "")
    )


_MOST_DIGITS = 9  # more are no row, page or group; Python itself refuses to read 5,000


def number_of(named: str) -> int | None:
    """A whole number from 0; None of what is none."""
    return int(named) if named.isdecimal() and len(named) <= _MOST_DIGITS else None
