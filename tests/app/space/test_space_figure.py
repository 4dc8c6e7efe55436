"""The spaces as Plotly figures on the page: the colours of the fast plot, and one selection for both."""

from __future__ import annotations

import json

import pytest

import slim_core
from app import session
from slim_core.errors import SpecRefusedError


def figures(app) -> list[dict]:
    return [json.loads(one.proto.spec) for one in app.get("plotly_chart")]


@pytest.mark.usefixtures("filled_home")
def test_the_figures_have_the_colours_of_the_page_and_mark_its_selection(show) -> None:
    from app.services.results import space_data
    from app.ui import selection

    space = next(run for run in session.store().runs.all(kind="space") if run.spec["split"] == "train")
    app = show("space", run=space.id)
    assert not figures(app), "the fast plot comes first"
    app.session_state[f"selection-positions:{space.id}"] = [3, 4]
    app.segmented_control(key="space-drawn").set_value("Plotly").run()
    assert not app.exception
    both = figures(app)
    assert [one["layout"]["title"]["text"][:9] for one in both] == ["Attention", "Environme"]
    assert sum(len(trace["selectedpoints"]) for trace in both[0]["data"]) == 2
    assert {trace["name"] for trace in both[0]["data"]} == set(space_data.load(space.id).groups.names)
    app.selectbox(key="pick-colour").select("confidence").run()
    assert figures(app)[0]["data"][-1]["marker"]["cmax"] == 1.0
    assert selection.PARAM not in app.query_params
    assert [one.label for one in app.get("download_button")].count("Download as HTML") == 2


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
