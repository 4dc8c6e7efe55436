"""Data, empty, filled and failing."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import session


def button(app, label: str):
    return next(one for one in app.button if one.label == label)


@pytest.mark.usefixtures("empty_home")
def test_without_data_the_page_says_how_to_begin(show) -> None:
    app = show("data")
    assert "No data set is registered yet" in app.info[0].value


def test_a_registered_data_set_shows_its_groups_and_images_by_address(show, dataset) -> None:
    app = show("data")
    counts = app.dataframe[0].value
    assert counts["train"].sum() == 20
    assert list(counts.columns) == ["train", "val", "test"]
    page = "".join(str(html.proto.body) for html in app.get("html"))
    assert page.count("<img") == 20
    assert f"/api/image/{dataset.id}/" in page


def test_the_sample_can_be_narrowed_to_a_group(show, dataset) -> None:
    app = show("data")
    group = session.store().datasets.table(dataset.id)
    app.selectbox(key="sample-group").select("1, flower").run()
    page = "".join(str(html.proto.body) for html in app.get("html"))
    rows = group.rows("train")
    wanted = sum((group.labels[rows] == 1) & (group.attributes[rows] == 1))
    assert page.count("<img") == wanted


def test_a_link_reproduces_the_sample(show, dataset) -> None:
    app = show("data", dataset=dataset.id, **{"sample-split": "val", "sample-group": "0, china"})
    assert app.selectbox(key="sample-group").value == "0, china"
    table = session.store().datasets.table(dataset.id)
    rows = table.rows("val")
    page = "".join(str(html.proto.body) for html in app.get("html"))
    assert page.count("<img") == sum((table.labels[rows] == 0) & (table.attributes[rows] == 0))


def test_images_that_have_moved_are_told_and_the_rest_of_the_page_stays(show, dataset, demo_folder: Path) -> None:
    away = demo_folder.rename(demo_folder.with_name("away"))
    try:
        app = show("data")
    finally:
        away.rename(demo_folder)
    assert dataset.root == str(demo_folder)
    assert any("are no longer in" in error.value for error in app.error)
    assert app.dataframe[0].value["train"].sum() == 20
    assert any("train a reference model" in text.value for text in app.markdown)


def test_a_folder_is_registered_by_its_path(show, empty_home: Path, demo_folder: Path) -> None:
    app = show("data")
    app.text_input[0].set_value(str(demo_folder)).run()
    button(app, "Check and register").click().run()
    assert not app.exception
    assert [one.format for one in session.store().datasets.all()] == ["demo"]


@pytest.mark.usefixtures("empty_home")
def test_a_folder_without_metadata_is_refused_in_one_sentence_and_changes_nothing(show, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    app = show("data")
    app.text_input[0].set_value(str(tmp_path / "empty")).run()
    button(app, "Check and register").click().run()
    errors = [error.value for error in app.error]
    assert any("was not registered. Nothing was changed" in error for error in errors)
    assert any("holds no data set that is known" in error for error in errors)
    assert session.store().datasets.all() == []


@pytest.mark.usefixtures("empty_home")
def test_a_path_outside_the_allowed_folders_is_refused(show) -> None:
    app = show("data")
    app.text_input[0].set_value("/etc").run()
    button(app, "Check and register").click().run()
    assert "lies outside the allowed folders" in app.error[0].value
    assert session.store().datasets.all() == []


@pytest.mark.usefixtures("empty_home")
def test_a_wrong_option_is_named(show, demo_folder: Path) -> None:
    app = show("data")
    app.text_input[0].set_value(str(demo_folder)).run()
    app.selectbox[0].select("csv").run()
    app.text_input(key="option-csv-label").set_value("no_such_column").run()
    button(app, "Check and register").click().run()
    assert any("no_such_column" in error.value for error in app.error)
    assert session.store().datasets.all() == []
