"""Charts of what is under way are never blank."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def under_way() -> None:
    import plotly.graph_objects as go
    import streamlit as st

    from app.ui import tables

    epochs = int(st.number_input("Epochs", value=1))
    tables.live_chart(go.Figure(go.Scatter(y=list(range(epochs))), {"height": 240}), key="loss", alt="Loss")


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
