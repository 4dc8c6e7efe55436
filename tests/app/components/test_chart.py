"""Charts come last on a visit's first run, and at once afterwards."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from app.components import chart


def page() -> None:
    import plotly.graph_objects as go
    import streamlit as st

    from app.components import chart

    with chart.last():
        chart.show(go.Figure(layout={"height": 240}), key="first", alt="A chart")
        st.caption("below")
        st.button("Again")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made."""
    pauses: list[float] = []
    monkeypatch.setattr(chart, "time", SimpleNamespace(sleep=pauses.append))
    monkeypatch.setattr(chart, "PAUSE_S", 0.5)
    return pauses


def test_the_first_charts_of_a_visit_are_sent_after_a_pause_and_later_ones_at_once(sent) -> None:
    app = AppTest.from_function(page).run()
    assert len(app.get("plotly_chart")) == 1 and sent == [0.5]
    app.button[0].click().run()
    assert len(app.get("plotly_chart")) == 1 and sent == [0.5]


def test_a_chart_that_waits_has_the_place_and_the_height_it_will_have(sent) -> None:
    app = AppTest.from_function(page).run()
    before = [type(block).__name__ for block in app.main.children.values()]
    place = app.main.children[0]
    assert place.proto.height_config.pixel_height == 240
    app.button[0].click().run()
    assert [type(block).__name__ for block in app.main.children.values()] == before
    assert len(sent) == 1


def test_outside_a_page_a_chart_is_drawn_at_once(sent) -> None:
    def alone() -> None:
        import plotly.graph_objects as go

        from app.components import chart

        chart.show(go.Figure(layout={"height": 240}), key="first", alt="A chart")

    assert len(AppTest.from_function(alone).run().get("plotly_chart")) == 1
    assert sent == []
