"""The notes of a run's report, few and many."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from app.ui.run_state import FEW


def remarks(n: int) -> AppTest:
    def page(n: int) -> None:
        from app.ui import run_state

        run_state.show_notes([f"remark {k}" for k in range(n)])

    return AppTest.from_function(page, args=(n,)).run()


def test_a_few_notes_stand_on_the_page_one_by_one() -> None:
    assert [one.value for one in remarks(FEW).warning] == [f"remark {k}" for k in range(FEW)]


def test_of_many_notes_the_first_stands_there_and_the_rest_is_one_click_away() -> None:
    app = remarks(40)
    assert [one.value for one in app.warning] == ["remark 0"]
    assert app.expander[0].label == "39 more notes"
    assert "remark 39" in app.expander[0].markdown[0].value
