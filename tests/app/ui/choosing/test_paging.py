"""Which page of a long list is shown: it belongs to what is paged."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest


def paged(n: int, param: str | None = None) -> AppTest:
    """A list of ``n`` rows, ten a page."""

    def page(param: str | None) -> None:
        import streamlit as st

        from app.ui import pick

        if not st.session_state.get("away"):
            n, of = st.session_state["n"], st.session_state["of"]
            rows = pick.page_rows(n, 10, "rows", of, param)
            st.markdown(f"{rows.start}-{rows.stop}")

    return change(AppTest.from_function(page, kwargs={"param": param}), n=n, of="all")


def change(app: AppTest, **state: object) -> AppTest:
    for key, value in state.items():
        app.session_state[key] = value
    app.run()
    assert not app.exception, app.exception[0].stack_trace
    return app


def shown(app: AppTest) -> str:
    return str(app.markdown[0].value)


def test_a_short_list_has_no_pages() -> None:
    app = paged(10)
    assert shown(app) == "0-10" and not app.pagination
    assert shown(paged(0)) == "0-10"


def test_other_rows_begin_at_the_first_page_also_where_there_are_as_many() -> None:
    app = paged(50)
    app.pagination[0].select(5).run()
    assert shown(app) == "40-50"
    assert shown(change(app, of="others")) == "0-10"


def test_a_list_that_shrinks_shows_its_last_page_and_one_that_grows_stays() -> None:
    app = paged(50)
    app.pagination[0].select(5).run()
    assert shown(change(app, n=32)) == "30-40"
    assert app.pagination[0].value == 4
    assert shown(change(app, n=90)) == "30-40"


@pytest.mark.parametrize(
    ("linked", "rows"), [("3", "20-30"), ("99", "40-50"), ("0", "0-10"), ("x", "0-10"), ("9" * 5000, "0-10")]
)
def test_an_address_names_a_page(linked: str, rows: str) -> None:
    app = paged(50, param="p")
    assert "p" not in app.query_params, "the first page needs no name"
    app.query_params["p"] = linked  # a link in mid-session
    assert shown(app.run()) == rows


def test_a_page_is_kept_in_the_address_and_gone_from_it_with_its_rows() -> None:
    app = paged(50, param="p")
    app.pagination[0].select(4).run()
    assert app.query_params["p"] == "4"
    change(app, of="others")
    assert shown(app) == "0-10" and "p" not in app.query_params


def test_the_way_back_to_a_list_leads_to_its_page_and_a_way_anew_to_the_first() -> None:
    app = paged(50, param="p")
    app.pagination[0].select(4).run()
    change(app, away=True)
    assert shown(change(app, away=False)) == "30-40", "the address still names it"
    change(app, away=True)
    del app.query_params["p"]
    assert shown(change(app, away=False)) == "0-10"
