"""The plots of docs/benchmark.md show the numbers that its tables have."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest

from benchmarks.accuracy import PAGE
from benchmarks.figures import FIGURES, IMAGES, digest, digest_in
from benchmarks.glance import QUESTIONS


@pytest.mark.parametrize("name", FIGURES)
def test_a_plot_is_shown_and_is_of_the_results_as_they_are(name: str) -> None:
    assert f"images/{name}.svg" in PAGE.read_text()
    assert digest_in(IMAGES / f"{name}.svg") == digest(FIGURES[name]()), "python -m benchmarks.figures draws it anew"


def test_another_tenth_of_a_point_is_another_plot_and_a_hundredth_is_not() -> None:
    def of(value: float, high: float = 2.0) -> str:
        return digest(go.Figure().add_scatter(x=[value], y=["slim"], error_x={"array": [high]}))

    assert of(1.3) == of(1.301) != of(1.4)
    assert of(1.3) != of(1.3, high=2.1), "intervals count as well"


def test_every_study_at_a_glance_is_a_row_of_the_plot() -> None:
    figure = FIGURES["benchmark-glance"]()
    drawn = {name for trace in figure.data for name in trace.y}
    assert drawn == set(figure.layout.yaxis.categoryarray) == set(QUESTIONS)
