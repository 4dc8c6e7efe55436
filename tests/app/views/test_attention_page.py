"""Attention, empty, filled and failing."""

from __future__ import annotations

import pytest

from app import session


def body(app) -> str:
    return "".join(str(html.proto.body) for html in app.get("html"))


@pytest.mark.usefixtures("empty_home")
def test_without_data_the_page_sends_to_the_data_page(show) -> None:
    assert any("register a folder" in text.value for text in show("attention").markdown)


def test_without_a_model_the_page_sends_to_training(show, dataset) -> None:
    assert dataset is not None
    assert any("train a model" in text.value for text in show("attention").markdown)


@pytest.mark.usefixtures("filled_home")
def test_each_image_is_shown_with_overlay_and_heat_map_by_address(show) -> None:
    page = body(show("attention"))
    assert page.count("<img") == 36
    for kind in ("kind=image", "kind=overlay", "kind=heat"):
        assert page.count(kind) == 12
    assert "data:image" not in page


@pytest.mark.usefixtures("filled_home")
def test_the_gallery_can_be_narrowed_to_mistakes_of_a_group(show) -> None:
    app = show("attention")
    app.selectbox(key="attention-group").select("1, china").run()
    app.selectbox(key="attention-outcome").select("mistaken").run()
    assert not app.exception
    page = body(app)
    assert "✗" in page and "✓" not in page
    assert "<b>1, china</b>" in page and "<b>0, china</b>" not in page


@pytest.mark.usefixtures("filled_home")
def test_a_filter_that_nothing_passes_says_so(show) -> None:
    app = show("attention")
    scores = session.store().runs.all(kind="gradcam")[0]
    assert scores.status == "done"
    app.selectbox(key="attention-group").select("0, china").run()
    app.selectbox(key="attention-split").select("val").run()
    app.selectbox(key="attention-outcome").select("mistaken").run()
    assert any("No image passes" in info.value for info in app.info) or "✗" in body(app)


@pytest.mark.usefixtures("filled_home")
def test_pages_go_through_all_images(show) -> None:
    app = show("attention")
    first = body(app)
    app.number_input[0].set_value(2).run()
    assert body(app) != first


@pytest.mark.usefixtures("filled_home")
def test_without_redis_the_button_tells_it_and_the_run_waits(show) -> None:
    app = show("attention")
    store = session.store()
    model = next(run for run in store.runs.all(kind="train") if run.spec["subset"])
    app.selectbox(key="pick-model").select(model.id).run()
    app.button(key="submit-gradcam").click().run()
    assert not app.exception
    assert any("queue" in error.value.lower() for error in app.error)
    assert [run.status for run in store.runs.all(kind="gradcam")] == ["queued", "done"]
