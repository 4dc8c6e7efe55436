"""The order of the parts of Overview: the usual one for each visit, and none moves while it lasts."""

from __future__ import annotations

from collections.abc import Sequence

from streamlit.testing.v1 import AppTest

from app.overview.loop import USUAL


def page() -> None:
    import streamlit as st

    from app.overview.loop import make
    from app.ui import reruns

    reruns.begin_visit(st.session_state["to"])
    st.markdown(" ".join(make(st.session_state["of"], st.session_state["present"])))


def order(app: AppTest, present: Sequence[str], *, to: str = "", of: str = "d-1") -> list[str]:
    app.session_state["present"], app.session_state["to"], app.session_state["of"] = present, to, of
    app.run()
    assert not app.exception
    return app.markdown[0].value.split(" ")


def test_what_comes_during_a_visit_comes_last_and_the_next_visit_has_the_usual_order() -> None:
    app = AppTest.from_function(page)
    first = ["steps", "story", "tries", "figures"]
    assert order(app, ["steps"]) == first
    assert order(app, USUAL) == first, "the story is there by itself: the row of steps stays where it is"
    assert order(app, USUAL, of="d-2") == list(USUAL), "another data set was chosen"
    order(app, USUAL, to="annotate")
    assert order(app, ["story", "figures", "steps"]) == ["story", "figures", "steps", "tries"]
    assert order(app, USUAL) == ["story", "figures", "steps", "tries"]
    order(app, USUAL, to="annotate")
    assert order(app, USUAL) == list(USUAL)
