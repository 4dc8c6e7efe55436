"""The spaces as Plotly figures: up to how many points, and the same in a notebook."""

from __future__ import annotations

import numpy as np
import pytest

import slim_core
from app import session
from app.routes.assets import PLOTLY
from app.space import view
from app.space.colours import categories
from app.space.view import FIGURES, Selection
from slim_core.errors import SpecRefusedError


@pytest.mark.parametrize(("n", "is_figure"), [(1, True), (FIGURES, True), (FIGURES + 1, False)])
def test_plotly_draws_up_to_a_number_of_points(monkeypatch: pytest.MonkeyPatch, n: int, is_figure: bool) -> None:
    mounted: list[dict] = []
    monkeypatch.setattr(view, "_mount", lambda data, **_: mounted.append(data))
    coloured, nothing = categories("class", np.zeros(n, int), ["cat"]), Selection(n, np.empty(0, np.int64), "one")
    view.show_plot("one", [], coloured, nothing, card_url="", image_url="", on_select=lambda _: None)
    assert (PLOTLY in mounted[0]["plotly"]) is is_figure
    assert mounted[0]["figures"] == 20_000


@pytest.mark.usefixtures("filled_home")
def test_a_notebook_draws_the_same_points_by_one_function() -> None:
    space = next(run for run in session.store().runs.all(kind="space") if run.spec["split"] == "train")
    figure = slim_core.space_figure(space.id, by="environment_cluster", of="environment")
    assert sum(len(trace.x) for trace in figure.data) == 240
    assert "Environment space of" in figure.layout.title.text
    assert {trace.name for trace in slim_core.space_figure(space.id).data} <= {
        "0, china",
        "0, flower",
        "1, china",
        "1, flower",
    }
    with pytest.raises(SpecRefusedError, match="The colour 'size' is not known"):
        slim_core.space_figure(space.id, by="size")
    with pytest.raises(SpecRefusedError, match="no space 'other': use attention or"):
        slim_core.space_figure(space.id, of="other")
