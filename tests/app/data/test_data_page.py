"""Data, empty, filled and failing."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.runtime.scriptrunner import RerunData, RerunException
from streamlit.testing.v1 import AppTest

from app import session
from app.data import forms
from app.services import actions
from slim_core.data.images.codec import FITS
from slim_core.data.importing import import_data
from slim_core.errors import DataRefusedError
from slim_core.store import Dataset
from tests.app.conftest import box, button, drawn
from tests.hub import hub
from tests.slim_core.painted import wide_folders

pytestmark = pytest.mark.usefixtures("empty_home")


def test_a_registered_data_set_shows_its_groups_and_images_by_address(show, dataset) -> None:
    app = show("data")
    counts = app.dataframe[0].value
    assert counts["train"].sum() == 20
    assert list(counts.columns) == ["train", "val", "test"]
    page = "".join(str(html.proto.body) for html in app.get("html"))
    assert page.count("<img") == 20
    assert f"/api/image/{dataset.id}/" in page
    assert page.count(f'<a href="/api/image/{dataset.id}/') == 20, "each opens large"


def test_the_page_says_what_the_test_split_can_show(show, dataset) -> None:
    """Also before any training, on Overview."""
    smallest = min((one for one in dataset.report["groups"] if one["split"] == "test"), key=lambda one: one["n"])
    for page in ("data", "overview"):
        (told,) = [one.value for one in show(page, dataset=dataset.id).caption if one.value.startswith("Test:")]
        assert smallest["name"] in told and str(smallest["n"]) in told


def test_new_data_leads_to_the_one_press_of_overview(show, dataset) -> None:
    *_, link = [one.proto for one in show("data").get("page_link")]
    assert (link.page, link.query_string) == ("", f"dataset={dataset.id}"), "Overview is the page without a name"
    assert [one.key for one in show("overview", dataset=dataset.id).button if one.key == "loop-questions"]


def test_a_link_reproduces_the_sample(show, dataset) -> None:
    app = show("data", dataset=dataset.id, **{"sample-split": "val", "sample-group": "0, china"})
    assert app.selectbox(key="sample-group").value == "0, china"
    table = session.store().datasets.table(dataset.id)
    rows = table.rows("val")
    page = "".join(str(html.proto.body) for html in app.get("html"))
    assert page.count("<img") == sum((table.labels[rows] == 0) & (table.attributes[rows] == 0))


@pytest.fixture
def unmasked(dataset: Dataset, tmp_path: Path) -> Dataset:
    """Beside ``dataset`` another one, in class folders: no image has a mask."""
    folder, pixels = tmp_path / "unmasked", np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
    for part, image in zip(("train/cat", "train/dog", "val/cat", "val/dog"), pixels, strict=True):
        (folder / part).mkdir(parents=True)
        Image.fromarray(image).save(folder / part / "1.png")
    return session.store().datasets.register(import_data(folder), by="tests")


def n_images(app: AppTest) -> int:
    return "".join(str(html.proto.body) for html in app.get("html")).count("<img")


def test_masks_that_are_shown_of_one_data_set_hide_no_image_of_another(show, dataset, unmasked) -> None:
    app = show("data", dataset=dataset.id)
    app.toggle(key="sample-masks").set_value(True).run()
    assert n_images(app) == 20
    box(app, "dataset").select(unmasked.id).run()
    assert n_images(app) == 2
    masks = app.toggle(key="sample-masks")
    assert masks.disabled and masks.value is False


def test_images_that_have_moved_are_told_and_the_rest_of_the_page_stays(show, small_demo: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small_demo, tmp_path / "moving"))
    dataset = session.store().datasets.register(import_data(folder), by="tests")
    folder.rename(tmp_path / "away")
    app = show("data")
    assert dataset.root == str(folder)
    assert any("no longer in" in error.value for error in app.error)
    assert app.dataframe[0].value["train"].sum() == 20
    assert any("train a reference" in text.value for text in app.markdown)


def check(app, folder: object):
    """Enter a path and check what lies there."""
    app.text_input[0].set_value(str(folder)).run()
    return button(app, "Check").click().run()


def texts(app) -> str:
    return "\n".join(text.value for text in app.markdown)


def test_a_folder_is_checked_by_its_path_and_then_registered(show, empty_home: Path, small_demo: Path) -> None:
    app = check(show("data"), small_demo)
    assert "20, val 10, test 10). A check" in texts(app)
    assert "Read as demo" in texts(app) and session.store().datasets.all() == []
    assert "**Next:** press *Register* above." in texts(app)
    button(app, "Register").click().run()
    assert not app.exception
    assert [one.format for one in session.store().datasets.all()] == ["demo"]


def test_a_check_draws_what_each_fit_leaves_of_images_that_are_not_square(show, small_demo: Path, tmp_path) -> None:
    app = check(show("data"), wide_folders(tmp_path / "wide"))
    assert [caption for row in app.image for caption in row.captions] == [one.capitalize() for one in FITS.values()]
    assert not check(app, small_demo).image


@pytest.mark.parametrize("with_the_press", [False, True])
def test_a_name_that_is_typed_after_the_check_needs_no_other_check_and_counts(
    show, small_demo: Path, with_the_press: bool
) -> None:
    app = check(show("data"), small_demo)
    app.text_input(key=forms.NAME).set_value("birds *2024*")
    if not with_the_press:
        assert r"**birds \*2024\***: 40 images" in texts(app.run()), "the check is still shown"
    button(app, "Register").click().run()
    assert [one.name for one in session.store().datasets.all()] == ["birds *2024*"]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_path_that_was_copied_in_quotes_is_read(show, small_demo: Path, quote: str) -> None:
    assert "40 images (train 20, val 10, test 10)." in texts(check(show("data"), f" {quote}{small_demo}{quote}"))


def test_the_same_images_under_another_name_are_said_to_keep_theirs(show, small_demo: Path) -> None:
    session.store().datasets.register(import_data(small_demo, name="demo"), by="tests")
    app = show("data")
    app.session_state["register-open-0"] = True
    next(field for field in app.run().text_input if field.key == forms.NAME).set_value("twin")
    button(check(app, small_demo), "Register").click().run()
    assert "be registered as twin." in "".join(toast.value for toast in app.toast)


def test_images_inside_files_are_unpacked_at_a_press_and_the_folder_is_checked_again(
    show, empty_home: Path, tmp_path: Path
) -> None:
    app = check(show("data"), hub(tmp_path / "pets"))
    assert "The 32 images lie inside train-00000-of-00002.parquet and 3 more files" in texts(app).replace("\\", "")
    assert "Register" not in [one.label for one in app.button] and not (empty_home / "imported").exists()
    app = button(app, "Unpack the images").click().run()
    assert "16, val 8, test 8). A check" in texts(app)
    assert len(list((empty_home / "imported").rglob("*.jpg"))) == 32
    button(app, "Register").click().run()
    (dataset,) = session.store().datasets.all()
    assert not app.exception and (dataset.format, dataset.n_images) == ("huggingface", 32)


def test_a_check_is_gone_once_something_else_is_asked_for(show, small_demo: Path) -> None:
    app = check(show("data"), small_demo)
    app.text_input[0].set_value("/somewhere").run()
    assert "Register" not in [one.label for one in app.button]


def test_a_button_without_a_path_says_what_is_missing(show) -> None:
    app = button(show("data"), "Check").click().run()
    (told,) = [one.value for one in app.warning]
    assert "Enter the path" in told


def test_what_changed_after_the_check_is_refused_and_the_form_keeps_what_was_typed(
    show, tmp_path: Path, small_demo: Path
) -> None:
    folder = Path(shutil.copytree(small_demo, tmp_path / "changed"))
    app = check(show("data"), folder)
    (folder / pd.read_csv(folder / "metadata.csv")["img_filename"][0]).unlink()
    button(app, "Register").click().run()
    assert not app.exception and session.store().datasets.all() == []
    assert app.text_input[0].value == str(folder) and button(app, "Register").disabled
    shutil.rmtree(folder)
    button(app, "Check").click().run()
    assert "registered.** Nothing was" in texts(app)


def test_a_click_elsewhere_while_data_is_registered_begins_that_anew_and_loses_nothing(
    show, small_demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register, begun = actions.register, []

    def cut_short(*args: object, **options: object) -> object:
        begun.append(args)
        if len(begun) == 1:
            raise RerunException(RerunData())  # as a bar does once the page has heard of a click
        return register(*args, **options)

    monkeypatch.setattr(actions, "register", cut_short)
    app = check(show("data"), small_demo)
    button(app, "Register").click().run()
    assert session.store().datasets.all() == []
    app.run()  # for the click
    assert [one.n_images for one in session.store().datasets.all()] == [40]
    assert not app.run().error and len(begun) == 2, "and not a second time"


@pytest.mark.parametrize("error", [OSError("gone"), DataRefusedError("gone")])
def test_what_cannot_be_registered_is_not_tried_again_by_itself(
    show, small_demo: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    begun = []

    def refuse(*args: object, **_options: object) -> object:
        begun.append(args)
        raise error

    monkeypatch.setattr(actions, "register", refuse)
    app = check(show("data"), small_demo)
    button(app, "Register").click().run()
    assert app.error and not app.exception
    assert not app.run().exception and len(begun) == 1


@pytest.fixture
def spoilt(tmp_path: Path, small_demo: Path) -> Path:
    """The small demo set with one file missing (line 4) and one broken (line 6)."""
    folder = Path(shutil.copytree(small_demo, tmp_path / "spoilt"))
    names = pd.read_csv(folder / "metadata.csv")["img_filename"]
    (folder / names[2]).unlink()
    (folder / names[4]).write_bytes(b"<html>moved</html>")
    return folder


def test_broken_and_missing_files_can_be_left_out(show, spoilt: Path) -> None:
    app = check(show("data"), spoilt)
    assert "1 of 40 images is missing (line 4)" in texts(app) and "or cut short (line 6)" in texts(app)
    assert button(app, "Register").disabled
    for cause in ("missing", "broken"):
        leave_out(app, cause).check().run()
    button(app, "Register").click().run()
    (dataset,) = session.store().datasets.all()
    assert dataset.n_images == 38
    assert [one["lines"] for one in dataset.report["left_out"]] == [[4], [6]]
    assert "1 image is left out: missing (line 4)." in texts(app)
    assert [one.label for one in app.get("download_button")] == ["Left-out images"]


def leave_out(app, cause: str):
    """The box beside the finding."""
    return next(one for one in app.checkbox if str(one.key).endswith(f"-leave-out-{cause}"))


def test_a_finding_opens_its_images_and_names_the_broken_ones_with_their_line(show, spoilt: Path) -> None:
    app = check(show("data"), spoilt)
    findings = session_report(app)["findings"]
    number = next(n for n, one in enumerate(findings) if one["code"] == "broken-files")
    next(one for one in app.button if str(one.key).endswith(f"-{number}")).click().run()
    assert not app.exception
    shown = next(one.value for one in app.dataframe if "Reason" in one.value.columns)
    assert shown["Line"].tolist() == ["6"]
    assert "page and not an image" in shown["Reason"][0]


def session_report(app) -> dict:
    return app.session_state["import-check"].report


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A table in which no column has its usual name, and none is a split."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "foreign"
    folder.mkdir()
    rows = []
    for i in range(48):
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).save(folder / f"{i}.png")
        rows.append((f"{i}.png", ("cat", "dog")[i % 2], ("urban", "rural")[i // 2 % 2], ("day", "night")[i // 4 % 2]))
    pd.DataFrame(rows, columns=["photo", "species", "area", "hour, local"]).to_csv(folder / "photos.csv", index=False)
    return folder


def test_the_columns_of_a_foreign_table_are_chosen_beside_its_first_rows(show, foreign: Path) -> None:
    app = show("data")
    app.text_input[0].set_value(str(foreign)).run()
    assert app.dataframe[0].value.columns.tolist() == ["photo", "species", "area", "hour, local"]
    key = f"column-{foreign}-photos.csv"
    assert app.selectbox(key=f"{key}-path").value == "photo", "its cells name images"
    app.selectbox(key=f"{key}-label").select("species")
    app.multiselect(key=f"{key}-attribute").select("area").select("hour, local").run()
    button(app, "Check").click().run()
    assert "into train, val" in texts(app)
    button(app, "Register").click().run()
    (dataset,) = session.store().datasets.all()
    table = session.store().datasets.table(dataset.id)
    assert table.label_names == ("cat", "dog") and table.attribute_name == "area, hour, local"
    assert table.attribute_names == ("rural, day", "rural, night", "urban, day", "urban, night")


def test_images_of_one_unit_are_kept_together_where_a_column_is_chosen(show, foreign: Path) -> None:
    app = show("data")
    app.text_input[0].set_value(str(foreign)).run()
    key = f"column-{foreign}-photos.csv"
    assert app.selectbox(key=f"{key}-unit").value == "none", "no column has a name that says so"
    app.selectbox(key=f"{key}-label").select("species")
    app.selectbox(key=f"{key}-unit").select("photo").run()
    button(app, "Check").click().run()
    assert "The column photo of photos.csv is used as image and as unit" in texts(app)
    app.selectbox(key=f"{key}-unit").select("area").run()
    button(app, "Check").click().run()
    assert "there are splits (3)" in texts(app)


def test_a_label_column_that_was_not_chosen_is_asked_for(show, foreign: Path) -> None:
    app = check(show("data"), foreign)
    (told,) = [one.value for one in app.error]
    assert "*Label*" in told
    assert "=COLUMN" not in texts(app) and session.store().datasets.all() == []


@pytest.fixture
def changing(empty_home: Path, tmp_path: Path, small_demo: Path) -> Path:
    """The small demo set, registered from a folder that a test may change."""
    folder = Path(shutil.copytree(small_demo, tmp_path / "changing"))
    session.store().datasets.register(import_data(folder), by="tests")
    return folder


def relabel(folder: Path) -> None:
    frame = pd.read_csv(folder / "metadata.csv")
    frame.loc[0, "y"] = 1 - frame.loc[0, "y"]
    frame.drop(index=3).to_csv(folder / "metadata.csv", index=False)


@pytest.mark.slow
def test_a_folder_that_has_changed_is_checked_again_and_registered_as_another_version(show, changing: Path) -> None:
    app = show("data")
    assert "has changed since" not in texts(app)
    relabel(changing)
    app = show("data")
    assert f"{changing}/metadata.csv has changed since changing was imported" in texts(app)
    button(app, "Check again").click().run()
    assert "1 image removed, 1 relabelled" in texts(app)
    button(app, "Register").click().run()
    newer, older = session.store().datasets.all()
    assert (newer.name, newer.n_images, older.n_images) == ("changing", 39, 40)
    app = show("data", dataset=newer.id)
    assert "has changed since" not in texts(app)


def test_two_versions_are_compared_image_by_image(show, changing: Path) -> None:
    relabel(changing)
    newer = session.store().datasets.register(import_data(changing), by="tests")
    app = show("data", dataset=newer.id)
    app.session_state["versions"] = True
    app.run()
    assert "1 image removed, 1 relabelled" in texts(app)
    found = next(one.value for one in app.dataframe if "Change" in one.value.columns)
    assert found["Change"].tolist() == ["removed", "relabelled"]


def test_an_archive_that_is_sent_is_unpacked_and_its_folder_checked(show, foreign: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in foreign.iterdir():
            archive.write(path, f"photos/{path.name}")
    app = show("data")
    assert "Up to 400 MB and 20,000 files when unpacked" in app.file_uploader[0].help
    app.file_uploader[0].upload("photos.zip", content.getvalue(), "application/zip").run()
    assert app.text_input(key="import-path").value.endswith("/photos/photos")
    assert app.dataframe[0].value.columns.tolist() == ["photo", "species", "area", "hour, local"]


def test_who_may_not_register_data_is_not_asked_for_it_on_any_page(show, as_person) -> None:
    session.store().members.set_role("lea@lab.org", "lead")
    as_person("lea@lab.org")
    assert len(show("data").file_uploader) == 1
    as_person("eve@lab.org")
    for page in ("data", "overview", "train", "annotate"):
        app = show(page)
        assert not app.file_uploader and not app.expander and "Try the demo" not in drawn(app)
        told = [one.value for one in app.markdown if one.value.startswith("**Next:**")]
        assert len(told) == 1 and "a lead" in told[0], page


def test_the_folder_is_one_of_this_machine_or_where_people_sign_in_of_the_server(show, as_person, monkeypatch) -> None:
    session.store().members.set_role("lea@lab.org", "lead")
    as_person("lea@lab.org")
    assert show("data").text_input(key=forms.PATH).label.endswith(" on the server")
    monkeypatch.setattr(session, "signs_in", lambda: False)
    assert show("data").text_input(key=forms.PATH).label.endswith(" on this machine")


def test_a_typed_path_stays_in_the_address_and_a_reload_opens_the_form_with_it(dataset, show) -> None:
    app = show("data", dataset=dataset.id, **{forms.PATH: "/tmp/typed before"})
    assert app.text_input(key=forms.PATH).value == "/tmp/typed before"
    assert forms.PATH not in [field.key for field in show("data", dataset=dataset.id).text_input], "folded"


def test_a_link_has_no_file_read_before_a_press(show, foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, preview = [], actions.preview_table
    monkeypatch.setattr(actions, "preview_table", lambda path, file: read.append(path) or preview(path, file))
    path = str(foreign / "photos.csv")
    app = show("data", **{forms.PATH: path})
    assert app.run().text_input(key=forms.PATH).value == path and read == []
    button(app, "Check").click().run()
    assert app.dataframe[0].value.columns.tolist() == ["photo", "species", "area", "hour, local"] and read == [path]
