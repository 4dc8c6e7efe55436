"""The space as a Plotly figure: every image a point, its position read back from a lasso, a sample that says so."""

from __future__ import annotations

import numpy as np
import pandas as pd

from slim_core.evaluation.charts import space
from slim_core.evaluation.charts.layout import GROUPS, UNKNOWN
from slim_core.evaluation.charts.space import space_scatter, spaces_scatter

N = 40


def frame() -> pd.DataFrame:
    score = np.where(np.arange(N) < 4, np.nan, np.arange(N) / N)
    about = {"row": np.arange(N) + 100, "group": ["sky", "sea"] * (N // 2), "confidence": score}
    return pd.DataFrame({"x": np.arange(N, dtype=float), "y": -np.arange(N, dtype=float), **about})


def positions(trace) -> list[int]:
    return [int(entry[0]) for entry in trace.customdata]


def test_each_group_is_a_trace_of_its_colour_and_each_point_knows_its_position() -> None:
    figure = space_scatter(frame(), "group", title="Attention space")
    assert [trace.name for trace in figure.data] == ["sea", "sky"]
    assert [trace.marker.color for trace in figure.data] == list(GROUPS[:2])
    sky = figure.data[1]
    assert positions(sky) == list(range(0, N, 2)) and list(sky.x) == list(range(0, N, 2))
    assert "row %{customdata[1]}" in sky.hovertemplate and sky.customdata[1][1] == "102"
    assert figure.layout.dragmode == "lasso" and figure.layout.title.text == "Attention space"


def test_a_categorical_keeps_its_order_and_each_category_the_colour_of_its_place() -> None:
    names = pd.Categorical(["10", "unknown"] * (N // 2), ["2", "9", "10", "unknown"])
    for figure in (
        space_scatter(frame().assign(group=names), "group"),
        spaces_scatter([frame().assign(group=names)], [""], "group"),
    ):
        assert [(trace.name, trace.marker.color) for trace in figure.data] == [("10", GROUPS[2]), ("unknown", UNKNOWN)]


def test_a_number_is_a_scale_and_what_is_not_known_lies_below_it() -> None:
    unknown, known = space_scatter(frame(), "confidence").data
    assert unknown.marker.color == UNKNOWN and positions(unknown) == [0, 1, 2, 3]
    assert (known.marker.cmin, known.marker.cmax) == (0.0, 1.0) and len(known.x) == N - 4


def test_above_the_most_a_seeded_sample_is_drawn_and_said() -> None:
    first, again, other = (space_scatter(frame(), "group", most=10, seed=seed) for seed in (0, 0, 1))
    drawn = [sorted(sum(map(positions, figure.data), [])) for figure in (first, again, other)]
    assert drawn[0] == drawn[1] != drawn[2] and len(drawn[0]) == 10
    assert "a sample of 10 of 40 images, seed 0" in first.layout.title.text
    point = first.data[0]
    assert [float(place) for place in positions(point)] == list(point.x), "positions are those of all images"


def test_two_spaces_share_one_legend_and_one_sample_of_the_images(monkeypatch) -> None:
    monkeypatch.setattr(space, "MOST", 10)
    before = frame()
    after = before.assign(x=-before["x"]).iloc[::-1].reset_index(drop=True)
    figure = spaces_scatter([before, after], ["before", "<b>after"], "group")
    rows = [sorted(int(entry[1]) for trace in figure.data if trace.xaxis == axis for entry in trace.customdata)
            for axis in ("x", "x2")]  # fmt: skip
    assert rows[0] == rows[1] and len(rows[0]) == 10, "the same images in both, whatever their order"
    listed = [trace.name for trace in figure.data if trace.showlegend]
    assert sorted(listed) == ["sea", "sky"] and {trace.legendgroup for trace in figure.data} == {"sea", "sky"}
    assert "a sample of 10 of 40 images, seed 0" in figure.layout.title.text
    assert [note.text for note in figure.layout.annotations] == ["before", "&lt;b&gt;after"]


def test_quotation_marks_of_a_name_stay_as_they_are_and_tags_are_shown() -> None:
    written, shown = """it's <b>"big" """, """it's &lt;b&gt;"big" """
    titled = space_scatter(frame().assign(label_name=written), "group", title=written)
    beside = spaces_scatter([frame()], [written], "group")
    assert titled.layout.title.text == beside.layout.annotations[0].text == shown, "Plotly shows &quot; as it stands"
    assert all(f"label {shown}<br>" in trace.hovertemplate for trace in titled.data)


def test_what_all_points_of_a_category_share_is_written_once() -> None:
    about = frame().assign(label_name=["<i>bird", "boat"] * (N // 2))
    sky = next(trace for trace in space_scatter(about, "group").data if trace.name == "sky")
    assert "label &lt;i&gt;bird" in sky.hovertemplate and sky.customdata.shape[1] == 3, "position, row, confidence"


def test_the_legend_lies_below_the_toolbar() -> None:
    drawn = space.space_scatter(pd.DataFrame({"x": [0, 1], "y": [0, 1], "group": ["a", "b"]}), "group")
    assert drawn.layout.legend.yref == "paper", "of the chart itself, it would lie under the buttons at its top"


def test_few_points_are_drawn_in_any_browser_and_many_by_webgl(monkeypatch) -> None:
    def kinds() -> set[str]:
        by_group, by_rate = space_scatter(frame(), "group"), space_scatter(frame(), "confidence")
        return {trace.type for trace in (*by_group.data, *by_rate.data)}

    monkeypatch.setattr(space, "SVG_UP_TO", N)
    assert kinds() == {"scatter"}
    monkeypatch.setattr(space, "SVG_UP_TO", N - 1)
    assert kinds() == {"scattergl"}, "also a group that is smaller"
