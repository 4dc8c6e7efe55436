"""The groups of a model: table, bars, confusion and slices, in one order on every page, and what is said of them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from app import session
from app.services.results import space_data
from app.session import Viewer
from app.ui.groups import LOW, MOST, _reach_low_bars, left_out, listed_text, mistakes
from slim_core.evaluation.charts.results import group_bars, group_intervals
from slim_core.metrics import COVERAGE, groups_of
from slim_core.store import schema
from tests.app.conftest import Show
from tests.app.renaming import rename

COUNTS = np.array([[7, 3, 0], [5, 4, 1], [0, 0, 8]])


def test_pairs_of_classes_come_with_the_most_frequent_mistake_first_and_never_a_right_prediction() -> None:
    found = mistakes(COUNTS)
    assert found[["true", "predicted", "n"]].to_numpy().tolist() == [[1, 0, 5], [0, 1, 3], [1, 2, 1]]
    assert found["share"].tolist() == [0.5, 0.3, 0.1]
    assert mistakes(np.diag([3, 0, 2])).empty


def test_the_caption_says_what_is_left_out() -> None:
    counts = np.full((20, 20), 2)
    assert (
        listed_text(mistakes(counts))
        == f"{2 * MOST} of 760 mistakes: the {MOST} most frequent of 380 pairs of classes."
    )
    assert listed_text(mistakes(COUNTS)) == "All 9 mistakes."
    assert listed_text(mistakes(np.array([[3, 1], [0, 2]]))) == "The only mistake."


def test_many_classes_are_a_list_that_fits_a_page_whatever_their_number() -> None:
    def page() -> None:
        import numpy as np

        from app.ui import groups

        groups._mistakes("r-1", np.full((40, 40), 1), [f"class {k}" for k in range(40)])

    (table,) = AppTest.from_function(page).run().dataframe
    assert table.value.shape == (MOST, 4)


@pytest.mark.usefixtures("filled_home")
def test_images_of_no_known_group_are_said_and_counted_among_those_scored(show) -> None:
    store = session.store()
    run = next(run for run in store.runs.all(kind="train") if not run.spec["subset"])
    evaluation = next(one for one in store.runs.all(kind="evaluate") if one.spec["model"] == run.id)
    metrics = evaluation.metrics
    first, *others = metrics["groups"]
    fewer = {**first, "n": first["n"] - 7, "n_masks": first["n_masks"] - 7}
    changed = metrics | {"groups": [fewer, *others], "n_masks": metrics["n"] - 3}
    with store.database.write() as connection:
        connection.execute(sa.update(schema.runs).where(schema.runs.c.id == evaluation.id).values(metrics=changed))
    told = [caption.value for caption in show("train", run=run.id).caption]
    assert any(f"7 of {metrics['n']} images" in one and "no known group" in one for one in told)
    assert any(f" scored on {metrics['n'] - 3} of {metrics['n']} images" in one for one in told)


def accuracies(*rates: float) -> pd.DataFrame:
    """Of two runs in as many groups."""
    n = len(rates)
    frame = pd.DataFrame({"group": [f"g{k}" for k in range(n)], "accuracy": rates, "low": rates, "high": rates})
    frame = frame.assign(n=30, worst=False, key=[f"r.{k}" for k in range(n)])
    return pd.concat([frame.assign(run="before"), frame.assign(run="after")], ignore_index=True)


def reached(figure: go.Figure) -> dict[str, list[tuple[str, float, float]]]:
    """Place beside each other -> cell, from, to in percent of all bars there."""
    found: dict[str, list[tuple[str, float, float]]] = {}
    for bar in figure.data:
        sizes = np.asarray(bar.x, float)
        begins = np.zeros(len(sizes)) if bar.base is None else np.asarray(bar.base, float)
        cells = [carried[0] for carried in bar.customdata]
        found.setdefault(bar.offsetgroup, []).extend(zip(cells, begins, begins + sizes, strict=True))
    return found


def test_every_group_of_every_run_can_be_pressed() -> None:
    figure = group_intervals(accuracies(0.0, 0.03, 0.5), "before")
    _reach_low_bars(figure)
    places = reached(figure)
    assert len(places) == 2, "one a run"
    for bars in places.values():
        assert {cell for cell, _, end in bars if end >= LOW} == {"r.0", "r.1", "r.2"}
        assert sorted(bars)[:3] == [("r.0", 0, 0), ("r.0", 0, LOW), ("r.1", 0, 3)]


def test_bars_of_one_run_are_reached_and_their_hover_text_says_the_accuracy() -> None:
    frame = accuracies(0.0, 0.03, 0.5).query("run == 'before'")
    figure = group_bars(frame, list(frame["key"]))
    _reach_low_bars(figure)
    drawn, over = figure.data
    assert list(over.hovertext) == ["0.0", "3.0"] and "%{hovertext} %" in over.hovertemplate
    assert [carried[0] for carried in over.customdata] == ["r.0", "r.1"] and over.marker.opacity == 0
    assert drawn.hovertemplate.replace("%{x:.1f}", "%{hovertext}") == over.hovertemplate
    assert figure.layout.showlegend is False, "of one run and what lies over it, Plotly would list 'trace 0'"


def test_bars_that_can_be_pressed_are_left_as_they_are() -> None:
    figure = group_intervals(accuracies(0.4, 0.5), "before")
    _reach_low_bars(figure)
    assert len(figure.data) == 2


def test_mistakes_in_slices_that_are_too_small_to_be_ranked_are_counted_below_them() -> None:
    ranked = pd.DataFrame({"n": [87, 38], "correct": [87, 36]})
    assert left_out(ranked, 25).startswith("2 of 25 mistakes: slices under 20 images ")
    assert left_out(ranked, 2) == ""


NAMES = {"0": "9", "1": "10"}  # by their letters the second class comes first


@pytest.fixture
def named(filled_home: Path) -> None:
    """The classes of ``filled_home`` are called so."""
    assert rename(filled_home, renamed) == tuple(NAMES.values())


def renamed(text: str | None) -> str | None:
    return text and re.sub(r'(?<=")[01](?=[",])', lambda found: NAMES[found[0]], text)


@pytest.fixture
def in_order(named: None) -> list[str]:
    """As the table of groups on Compare has them."""
    metrics = session.store().runs.all(kind="evaluate", status="done")[0].metrics
    return [group["name"] for group in groups_of(metrics or {}) if group["n"]]


def test_the_groups_of_the_gallery_and_of_the_scores_are_those_of_compare(show: Show, in_order: list[str]) -> None:
    assert [name.partition(",")[0] for name in in_order] == ["9", "9", "10", "10"]
    gallery = show("attention")
    assert list(gallery.selectbox(key="attention-group").options) == [
        "all groups",
        *in_order,
    ]
    scores = show("attention", **{"attention-tab": "Scores per group"})
    (table,) = [one.value for one in scores.dataframe if "name" in one.value]
    assert table["name"].tolist() == in_order


def test_so_are_those_of_the_same_images_before_and_after(show: Show, in_order: list[str]) -> None:
    app = show("compare", view="Attention")
    assert list(app.selectbox(key="group").options) == ["all groups", *in_order]


def test_a_filter_of_space_offers_groups_and_classes_in_that_order(show: Show, in_order: list[str]) -> None:
    app = show("space")
    offered = {part: list(app.multiselect(key=f"filter-{part}").options) for part in ("groups", "labels")}
    assert offered == {"groups": in_order, "labels": list(NAMES.values())}


@pytest.fixture
def unnamed(filled_home: Path) -> Iterator[None]:
    """``filled_home`` as if its data named no attribute, and its evaluations had found their groups themselves."""
    store = session.store()
    (dataset,) = store.datasets.all()
    named = store.datasets.table(dataset.id)
    frame = named.frame.assign(attribute=-1)
    table = replace(named, frame=frame, attribute_name=None, attribute_names=())
    table.save(store.artifacts.folder(dataset.id))
    for run in store.runs.all(kind="evaluate"):
        metrics = store.runs.fetch(run.id).metrics
        with store.database.write() as connection:
            changed = sa.update(schema.runs).where(schema.runs.c.id == run.id)
            connection.execute(changed.values(metrics=metrics | {"estimated_groups": True}))
    with closing(sqlite3.connect(filled_home / "slim.db")) as database, database:
        database.execute("UPDATE datasets SET n_attributes = 0, fingerprint = ?", (table.fingerprint,))
    session.reset()
    space_data._load.cache_clear()  # other tests have read the same space, with its attribute
    yield
    space_data._load.cache_clear()


@pytest.mark.usefixtures("unnamed")
@pytest.mark.parametrize("page", ["overview", "train", "attention", "space", "curate", "compare"])
def test_every_page_with_groups_says_that_they_are_estimated(show, page: str) -> None:
    app = show(page)
    said = [text.value for text in [*app.markdown, *app.caption]]
    said += [str(one.proto) for one in app.get("bidi_component")]  # the legend of the space
    assert any("estimated" in text for text in said), page


PLACES = {
    "overview": {},
    "compare": {"view": "Attention"},
    "train": {},
    "attention": {"attention-tab": "Scores per group"},
}


@pytest.fixture
def half_scored(filled_home: Path) -> str:
    """The test images of a home of which only every second one has a mask; the model's id."""
    store = session.store()
    for run in store.runs.all(kind="evaluate", status="done"):
        groups = [one | {"n_masks": one["n"] // 2} for one in run.metrics["groups"]]
        with store.database.write() as connection:
            metrics = run.metrics | {COVERAGE: 0.5, "n_masks": run.metrics["n"] // 2, "groups": groups}
            connection.execute(schema.runs.update().where(schema.runs.c.id == run.id).values(metrics=metrics))
    (dataset,) = store.datasets.all()
    table = store.datasets.table(dataset.id)
    masks = np.where(np.arange(len(table)) % 2, table.frame["mask"], "")
    table = replace(table, frame=table.frame.assign(mask=masks))
    table.save(store.artifacts.folder(dataset.id))
    with store.database.write() as connection:
        connection.execute(schema.datasets.update().values(fingerprint=table.fingerprint))
    session.reset()
    return session.store().runs.all(kind="train", status="done")[0].id


def links(app) -> list[str]:
    found = [link.proto for link in app.get("page_link") if link.proto.label == "Draw the object"]
    return [link.query_string for link in found]


def at(show, page: str, model: str):
    return show(page, **PLACES[page], **({"run": model} if page == "train" else {}))


@pytest.mark.parametrize("page", PLACES)
def test_the_link_stands_where_coverage_is_shown_but_for_viewers(
    show, half_scored: str, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dataset,) = session.store().datasets.all()
    (query,) = links(at(show, page, half_scored))
    assert f"dataset={dataset.id}" in query and ("draw-split=test" in query or page == "compare")
    monkeypatch.setattr(session, "viewer", lambda: Viewer("vic", "viewer"))
    assert not links(at(show, page, half_scored))


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize("page", PLACES)
def test_where_all_images_are_scored_there_is_nothing_to_draw(show, page: str) -> None:
    model = session.store().runs.all(kind="train", status="done")[0].id
    assert not links(at(show, page, model))
