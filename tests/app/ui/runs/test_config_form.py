"""The fields of a form."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def _left_open() -> None:
    """A page with one field whose answer may be left open; what it gives is written below it."""
    import streamlit as st

    from app.ui import submit
    from slim_core.curation.data import CurateOptions
    from slim_core.parameters import parameters

    repeats = parameters(CurateOptions)["repeats"]
    st.text(repr(submit.field(repeats, None, key="page")))


def test_an_answer_that_is_left_open_is_a_choice_and_no_empty_box() -> None:
    app = AppTest.from_function(_left_open).run()
    for choice, given in (("yes", "True"), ("by the strategy", "None"), ("no", "False"), ("by the strategy", "None")):
        (box,) = app.selectbox
        box.set_value(choice).run()
        assert app.text[0].value == given
    assert app.run().selectbox[0].proto.HasField("default")  # without one the browser offers to clear the box
