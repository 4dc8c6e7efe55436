"""Space, empty, filled and failing. What the browser draws is tested in tests/browser."""

from __future__ import annotations

import pytest

from app import session


@pytest.mark.usefixtures("empty_home")
def test_without_data_the_page_sends_to_the_data_page(show) -> None:
    assert any("register a folder" in text.value for text in show("space").markdown)


@pytest.mark.usefixtures("dataset")
def test_without_attention_the_page_sends_to_the_attention_page(show) -> None:
    assert any("compute the attention maps" in text.value for text in show("space").markdown)


@pytest.mark.usefixtures("filled_home")
def test_every_colouring_of_a_filled_space_can_be_chosen(show) -> None:
    app = show("space")
    colours = app.selectbox(key="pick-colour")
    assert {"group", "prediction", "attention precision", "propagated score", "answer"} <= set(colours.options)
    for name in colours.options:
        app.selectbox(key="pick-colour").select(name).run()
        assert not app.exception, name


@pytest.mark.usefixtures("filled_home")
def test_a_link_opens_the_space_it_names(show) -> None:
    run = session.store().runs.all(kind="space")[0]
    assert show("space", dataset=run.dataset_id, run=run.id).selectbox(key="pick-run").value == run.id


@pytest.mark.usefixtures("filled_home")
def test_a_space_whose_attention_was_removed_from_disk_is_told_in_a_sentence(show) -> None:
    import shutil

    store = session.store()
    run = store.runs.all(kind="gradcam")[0]
    shutil.rmtree(store.artifacts.folder(run.id))
    from app.services import attention_scores, space_data

    space_data._load.cache_clear()
    attention_scores._frame.cache_clear()
    app = show("space")
    assert any(run.id in error.value for error in app.error)
