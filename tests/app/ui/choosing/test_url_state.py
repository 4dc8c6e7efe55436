"""What a page keeps in its address: the choice is the session's, and only a link changes it."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest


def page() -> AppTest:
    """It shows what is chosen, and has a button for each of three choices."""

    def script() -> None:
        import streamlit as st

        from app.ui import reruns

        reruns.begin_visit(st.session_state.get("page", "here"))
        for one in ("a", "b", ""):
            st.button(one or "none", on_click=reruns.put_in_address, args=("one", one), key=f"put-{one}")
        st.markdown(f"chosen: {reruns.chosen_in_address('one')}")

    app = AppTest.from_function(script)
    app.run()
    return app


def press(app: AppTest, one: str) -> tuple[str, list[str]]:
    """The button of a choice."""
    app.button(key=f"put-{one}").click()
    return run(app)


def link(app: AppTest, *values: str) -> tuple[str, list[str]]:
    """The page again, with another address."""
    app.query_params["one"] = list(values)
    return run(app)


def run(app: AppTest) -> tuple[str, list[str]]:
    """What is shown, and what the address says."""
    app.run()
    assert not app.exception
    said = app.query_params.get("one", [])
    return app.markdown[0].value.removeprefix("chosen:").strip(), [said] if isinstance(said, str) else said


def test_what_was_pressed_is_chosen_and_the_address_follows_it() -> None:
    app = page()
    assert run(app) == ("", [])
    assert press(app, "a") == ("a", ["a"])
    assert run(app) == ("a", ["a"])
    assert press(app, "") == ("", [])


def test_an_older_address_that_comes_in_late_undoes_nothing() -> None:
    app = page()
    press(app, "a")
    press(app, "b")
    assert link(app, "a") == ("b", ["b"]), "of before the second press"
    assert link(app) == ("b", ["b"]), "of before the first one"
    press(app, "")
    assert link(app, "b") == ("", [])


@pytest.mark.usefixtures("browser_in_step")
def test_later_the_same_address_is_a_link() -> None:
    app = page()
    press(app, "a")
    press(app, "b")
    assert link(app, "a") == ("a", ["a"])


def test_a_link_to_what_was_never_chosen_is_followed_at_once() -> None:
    app = page()
    press(app, "a")
    assert link(app, "c") == ("c", ["c"])
    assert link(app, "d", "e") == ("d,e", ["d", "e"])


def test_a_choice_is_for_one_visit() -> None:
    app = page()
    press(app, "a")
    app.session_state["page"] = "there"
    del app.query_params["one"]  # as a link to another page without it
    assert run(app) == ("", [])
    assert link(app, "a") == ("a", ["a"]), "a link, though the last page had the same in its address"


@pytest.mark.usefixtures("browser_in_step")
def test_a_choice_ends_where_another_data_set_is_chosen_after_it_and_not_where_a_link_brings_both() -> None:
    def script() -> None:
        import streamlit as st

        from app.ui import reruns

        of = st.query_params.get("of", st.session_state.get("of", "first"))
        st.markdown(f"chosen: {reruns.chosen_in_address('one', of)}")

    app = AppTest.from_function(script)
    app.run()
    assert link(app, "5") == run(app) == ("5", ["5"])
    app.session_state["of"] = "second"
    assert run(app) == run(app) == ("", [])
    app.query_params["of"] = "first"
    assert link(app, "5") == run(app) == ("5", ["5"]), "as Back brings it"
