"""Charts come last on a visit's first run, and at once afterwards; those of what is under way are never blank."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from app import deferred_charts
from app.ui import chart


def page() -> None:
    import plotly.graph_objects as go
    import streamlit as st

    from app.ui import chart

    with chart.last():
        chart.show(go.Figure(layout={"height": 240}), key="first", alt="A chart")
        st.caption("below")
        st.button("Again")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A browser that tells of every page that it has painted it; and the pages it told of."""
    monkeypatch.setattr(chart, "MOST_S", 60.0)
    pages: list[str] = []
    closed = threading.Event()

    def browse() -> None:
        while not closed.wait(0.01):
            for page in list(deferred_charts._awaited):
                if page not in pages:
                    pages.append(page)
                    deferred_charts.mark_painted(page)

    browser = threading.Thread(target=browse)
    browser.start()
    yield pages
    closed.set()
    browser.join()


def test_the_first_charts_of_a_visit_are_sent_at_the_browsers_word_and_later_ones_at_once(told) -> None:
    app = AppTest.from_function(page).run(timeout=30)
    assert len(app.get("plotly_chart")) == 1 and len(told) == 1
    app.button[0].click().run(timeout=30)
    assert len(app.get("plotly_chart")) == 1 and len(told) == 1


def test_where_no_word_comes_the_charts_do(monkeypatch) -> None:
    monkeypatch.setattr(chart, "MOST_S", 0.3)
    started = time.monotonic()
    app = AppTest.from_function(page).run(timeout=30)
    assert len(app.get("plotly_chart")) == 1 and time.monotonic() - started >= 0.3


def test_a_chart_that_waits_has_the_place_and_the_height_it_will_have(told) -> None:
    app = AppTest.from_function(page).run(timeout=30)
    before = [type(block).__name__ for block in app.main.children.values()]
    place = app.main.children[0]
    assert place.proto.height_config.pixel_height == 240
    app.button[0].click().run(timeout=30)
    assert [type(block).__name__ for block in app.main.children.values()][:3] == before[:3]


def test_outside_a_page_a_chart_is_drawn_at_once(told) -> None:
    def alone() -> None:
        import plotly.graph_objects as go

        from app.ui import chart

        chart.show(go.Figure(layout={"height": 240}), key="first", alt="A chart")

    assert len(AppTest.from_function(alone).run().get("plotly_chart")) == 1
    assert told == []


def test_a_word_for_a_page_that_nobody_waits_for_is_no_error() -> None:
    with deferred_charts.awaited() as page:
        pass
    deferred_charts.mark_painted(page.id)
    assert not page.painted.is_set()


def under_way() -> None:
    import plotly.graph_objects as go
    import streamlit as st

    from app.ui import chart

    epochs = int(st.number_input("Epochs", value=1))
    chart.live(go.Figure(go.Scatter(y=list(range(epochs))), {"height": 240}), key="loss", alt="Loss")


def test_a_new_drawing_is_seen_from_the_next_call_on_and_the_one_before_it_stays_as_it_is() -> None:
    app = AppTest.from_function(under_way).run(timeout=30)

    def after(epochs: int) -> tuple[str, list[str]]:
        """What is seen, and the charts of both places."""
        app.number_input[0].set_value(epochs).run(timeout=30)
        return app.get("html")[0].proto.body, [one.proto.id for one in app.get("plotly_chart")]

    (seen, (one,)), (still_seen, (first, second)), (then_seen, both) = after(1), after(2), after(2)
    assert seen == still_seen != then_seen
    assert one == first and both == [first, second]
    behind_it, (third, stays) = after(3)
    assert behind_it == then_seen and stays == second and third != first
