"""Filters on Space: combined, selected, named; and opened by their link on Space, Attention and Annotate."""

from __future__ import annotations

import pytest

from app import session
from app.services.results import attention_scores, space_data
from app.ui import selection
from slim_core.data.image_filter import ImageFilter
from tests.app.attention.test_attention_page import tiles


@pytest.fixture
def data(filled_home):
    return space_data.load(session.store().runs.all(kind="space")[0].id)


@pytest.fixture
def named(data):
    """One group, and of it what the model is less sure of."""
    frame = data.scores
    group = frame["group"].value_counts().index[0]
    middle = float(frame[frame["group"] == group]["confidence"].median())
    parts = ImageFilter(groups=[group], ranges={"confidence": (0.0, middle)})
    return session.store().filters.save(data.dataset, "unsure of these", parts, by="lea")


def passing(data, named) -> list[int]:
    keep = named.parts.passing(data.scores, {})
    return sorted(data.rows[keep].tolist())


def selected(app, data) -> list[int]:
    return sorted(app.session_state[selection.rows_key(data.run)].tolist())


def test_parts_are_combined_selected_and_kept_under_a_name(show, data) -> None:
    frame = data.scores
    app = show("space")
    label, prediction = frame["label_name"].iloc[0], frame["prediction_name"].iloc[0]
    app.multiselect(key="filter-labels").select(label)
    app.multiselect(key="filter-predictions").select(prediction).run()
    both = frame[(frame["label_name"] == label) & (frame["prediction_name"] == prediction)]
    app.button(key="filter-select").click().run()
    assert not app.exception
    assert selected(app, data) == sorted(both["row"].tolist())
    app.text_input(key="filter-name").set_value("both")
    app.button(key="filter-save").click().run()
    (kept,) = session.store().filters.all(data.dataset)
    assert (kept.name, kept.parts) == ("both", ImageFilter(labels=[label], predictions=[prediction]))
    app.button(key=f"filter-remove-{kept.id}").click().run()
    assert not app.exception and session.store().filters.all(data.dataset) == []


def test_a_score_narrows_it_further(show, data) -> None:
    app = show("space")
    app.multiselect(key="filter-scores").select("confidence").run()
    app.slider(key="filter-range-confidence").set_range(0.0, 0.6).run()
    app.button(key="filter-select").click().run()
    expected = data.scores[data.scores["confidence"].between(0.0, 0.6)]["row"]
    assert selected(app, data) == sorted(expected.tolist())


def test_a_link_selects_its_images_on_space_and_asks_about_them_on_annotate(show, data, named) -> None:
    expected = passing(data, named)
    assert 0 < len(expected) < len(data)
    app = show("space", filter=named.id)
    assert selected(app, data) == expected
    assert "filter" not in app.query_params and app.query_params["selection"]
    app = show("annotate", dataset=data.dataset, space=data.run, section="new", filter=named.id)
    assert app.selectbox(key=f"campaign-choice-{data.run}").value == "selection"
    assert any(f"**{len(expected):,} of {len(data):,}**" in text.value for text in app.markdown)


def test_a_link_narrows_the_gallery_of_attention_and_leads_to_asking(show, data, named) -> None:
    frame = attention_scores.frame(data.attention)  # of all splits
    expected = frame["row"][named.parts.passing(frame, {})].tolist()
    assert set(passing(data, named)) < set(expected)
    app = show("attention", run=data.attention, filter=named.id)
    assert app.selectbox(key="pick-filter").value == named.id
    assert any(f"**{len(expected):,} images**" in text.value for text in app.markdown)
    assert {tile["row"] for tile in tiles(app)} <= set(expected)
    links = [link.proto.query_string for link in app.get("page_link")]
    assert any(f"filter={named.id}" in link and "section=new" in link for link in links)
    app.selectbox(key="pick-filter").select("").run()
    assert "filter" not in app.query_params
    assert any(f"**{len(frame):,} images**" in text.value for text in app.markdown)


def test_a_link_to_a_removed_filter_opens_the_page_without_it(show, data, named) -> None:
    session.store().filters.remove(named.id)
    app = show("space", filter=named.id)
    assert any("has no filter" in toast.value for toast in app.toast)
    assert selection.rows_key(data.run) not in app.session_state
    assert not show("attention", filter=named.id).exception
