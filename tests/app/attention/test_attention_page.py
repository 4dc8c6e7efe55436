"""Attention, empty, filled and failing."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app import session
from app.services.results import attention_scores, space_data
from app.ui.messages import verbatim
from slim_core.metrics import AIOU, ATTENTION_PRECISION
from slim_core.store import schema
from tests.app.conftest import texts

pytestmark = pytest.mark.usefixtures("filled_home")


def gallery(app) -> str:
    """The tiles as the gallery component was given them."""
    (component,) = app.get("bidi_component")
    return str(json.loads(component.proto.json)["html"])


def tiles(app) -> list[dict[str, Any]]:
    """Of each tile: row, split, group, whether each model's prediction is right, and the alt texts of its pictures."""
    return [
        {
            "row": int(re.match(r"\d+", tile)[0]),
            "group": re.search("<div><b>(.*?)</b>", tile)[1],
            "split": re.search(r"<span class=.quiet.>image \d+, (\w+)", tile)[1],
            "right": [mark == "✓" for mark in re.findall("[✓✗]", tile)],
            "alts": re.findall('alt="(.*?)"', tile),
        }
        for tile in gallery(app).split('"slim-tile" data-row="')[1:]
    ]


def body(app) -> str:
    return "".join(str(html.proto.body) for html in app.get("html"))


def test_each_image_is_shown_by_address_in_the_views_and_with_the_map_that_are_chosen(show) -> None:
    app = show("attention")
    assert len(tiles(app)) == 12
    for kind in ("kind=image", "kind=overlay", "kind=heat"):
        assert gallery(app).count(kind) == 12
    assert "data:image" not in gallery(app)
    chosen = app.segmented_control(key="attention-map-4-label")
    assert list(chosen.options) == ["label", "prediction", "0", "1"]
    chosen.set_value("1").run()
    assert "map_of=1" in gallery(app)
    app.pills(key="attention-shown").set_value(["contour", "mask"]).run()
    assert not app.exception
    assert ["kind=contour" in gallery(app), "kind=mask" in gallery(app), "kind=heat" in gallery(app)] == [1, 1, 0]


def test_the_gallery_can_be_narrowed_to_mistakes_of_a_group(show) -> None:
    scores = space_data.load(session.store().runs.all(kind="space")[0].id).scores
    group = str(scores["group"][~scores["correct"]].mode()[0])
    app = show("attention")
    app.selectbox(key="attention-group").select(group).run()
    app.selectbox(key="attention-outcome").select("incorrect").run()
    assert not app.exception
    assert {tile["group"] for tile in tiles(app)} == {group}
    assert not any(right for tile in tiles(app) for right in tile["right"])


def test_a_link_reproduces_filters_order_and_page(show) -> None:
    link = {"attention-group": "0, china", "attention-order": "highest entropy", "attention-page": "2"}
    app = show("attention", **link)
    assert {tile["group"] for tile in tiles(app)} == {"0, china"}
    assert app.selectbox(key="attention-order").value == "highest entropy"
    assert app.pagination[0].value == 2


def test_a_filter_that_nothing_passes_says_so(show, monkeypatch: pytest.MonkeyPatch) -> None:
    known = attention_scores.frame
    monkeypatch.setattr(attention_scores, "frame", lambda run_id: known(run_id).assign(correct=True))
    app = show("attention")
    nothing = "No image matches"
    assert tiles(app) and nothing not in texts(app)
    app.selectbox(key="attention-outcome").select("incorrect").run()
    assert nothing in texts(app) and not app.get("bidi_component")


def test_two_models_are_put_beside_each_other_and_what_changed_can_be_chosen(show) -> None:
    after = session.store().runs.all(kind="evaluate", status="done")[0]  # of the retrained model, on test
    app = show("attention", compare=after.id)
    for tile in tiles(app):
        assert [re.sub("under .* map|of image", "…", alt) for alt in tile["alts"]] == [
            f"Image {tile['row']}, before",
            f"Image {tile['row']} …, before",
            f"Heat map … {tile['row']}, before",
            f"Image {tile['row']} …, after",
            f"Heat map … {tile['row']}, after",
        ]
    assert all(len(tile["right"]) == 2 for tile in tiles(app))
    assert {tile["split"] for tile in tiles(app)} == {"test"}
    app.selectbox(key="attention-outcome").select("now right").run()
    for tile in tiles(app):
        assert tile["right"] == [False, True]


def test_a_link_opens_an_image_large_with_every_view_and_its_numbers(show) -> None:
    app = show("attention", image="5")
    assert [kind in body(app) for kind in ("kind=image", "kind=overlay", "kind=heat", "kind=contour", "kind=mask")] == [
        True
    ] * 5
    assert [one.label for one in app.metric] == ["Confidence", "Loss", "Entropy, bits", "Attention precision", "AIoU"]
    (drawing,) = [link.proto for link in app.get("page_link") if link.proto.label == "Draw the object"]
    assert "row=5" in drawing.query_string and "draw-split=" in drawing.query_string


def test_an_image_without_attribute_is_called_by_its_class_in_the_gallery_and_opened(show) -> None:
    store = session.store()
    (dataset,) = store.datasets.all()
    table = store.datasets.table(dataset.id)
    unknown = replace(table, frame=table.frame.assign(attribute=-1))
    unknown.save(store.artifacts.folder(dataset.id))
    with store.database.write() as connection:
        connection.execute(sa.update(schema.datasets).values(fingerprint=unknown.fingerprint))
    session.reset()
    attention_scores._frame.cache_clear()  # other tests have read the same pass, with its attribute
    app = show("attention", image="5")
    attention_scores._frame.cache_clear()
    assert list(app.selectbox(key="attention-group").options) == ["all groups", "unknown"] and not app.exception
    assert {tile["group"] for tile in tiles(app)} == set(table.label_names)
    (opened,) = [block.proto.dialog.title for block in app.get("dialog")]
    assert opened == f"Image 5: {table.label_names[table.labels[5]]}"


def test_a_link_to_an_image_the_run_did_not_look_at_says_so(show) -> None:
    app = show("attention", image="99999")
    assert ["Image 99999 is not among" in toast.value for toast in app.toast] == [True], "in sight of any page"
    assert "image" not in app.query_params


def test_where_the_artifacts_are_gone_the_page_says_so_and_stays(show, filled_home: Path) -> None:
    run = session.store().runs.all(kind="gradcam", status="done")[0]
    (filled_home / "runs" / run.id / "maps.npy").unlink()
    app = show("attention")
    assert any("from the artifacts: compute them again" in error.value for error in app.error)
    assert any("Compute attention maps" in one.label for one in app.expander)


def test_both_maps_of_chosen_splits_are_queued(show) -> None:
    app = show("attention")
    app.segmented_control(key="class_of_map-gradcam").set_value("both")
    app.pills(key="splits-gradcam").set_value(["test"]).run()
    app.button(key="submit-gradcam").click().run()
    run = session.store().runs.all(kind="gradcam")[0]
    assert (run.spec["class_of_map"], list(run.spec["splits"])) == ("both", ["test"])


def test_the_page_says_which_layer_is_taken_and_queues_another_where_it_is_chosen(show) -> None:
    app = show("attention")
    captions = " ".join(caption.value for caption in app.caption)
    assert "layer stages (64 channels, 8 x 8)." in captions
    model = app.selectbox(key="pick-model").value
    layer = app.selectbox(key=f"target_layer-{model}")
    assert list(layer.options) == ["stages (default)", "stages.1", "stages.0", "stem"]
    layer.select("stages.1").run()
    app.button(key="submit-gradcam").click().run()
    assert session.store().runs.all(kind="gradcam")[0].spec["target_layer"] == "stages.1"


@pytest.mark.parametrize(
    ("method", "label"), [("layer-cam", "Layer-CAM"), ("of-a-newer-version", "of-a-newer-version")]
)
def test_the_page_says_which_method_made_the_maps_where_it_is_not_the_usual_one(
    show, filled_home: Path, method: str, label: str
) -> None:
    run, made = session.store().runs.all(kind="gradcam", status="done")[0], f"are made by {label}."
    assert not [caption for caption in show("attention").caption if caption.value.endswith(made)]
    with closing(sqlite3.connect(filled_home / "slim.db")) as database, database:
        spec = json.dumps({**run.spec, "method": method})
        database.execute("UPDATE runs SET spec = ? WHERE id = ?", (spec, run.id))
    session.reset()
    assert [caption for caption in show("attention").caption if caption.value.endswith(made)]


def test_maps_that_nothing_was_drawn_for_send_to_draw_and_those_before_a_drawing_to_scoring(show, monkeypatch) -> None:
    run = session.store().runs.all(kind="gradcam", status="done")[0]
    unscored = attention_scores.frame(run.id).drop(columns=[AIOU, ATTENTION_PRECISION])
    monkeypatch.setattr(attention_scores, "frame", lambda _id: unscored)
    page = {"attention-tab": "Scores per group"}
    assert "Draw some" in show("attention", **page).info[0].value
    (row, *_) = session.store().datasets.table(run.dataset_id).rows("test")
    session.store().shapes.keep(run.dataset_id, int(row), [[[2, 2], [20, 2], [20, 12]]], (28, 28), id="a")
    (told,) = [info.value for info in show("attention", **page).info]
    assert told.startswith("1 test image ") and "not scored" in told


def test_empty_maps_are_counted_among_all_images_of_the_split(show, monkeypatch) -> None:
    run = session.store().runs.all(kind="gradcam", status="done")[0]
    found = attention_scores.frame(run.id)
    test = found.index[found["split"] == "test"]
    known = found.assign(no_evidence=False)
    known.loc[test[:7], ATTENTION_PRECISION] = float("nan")  # four without a mask, and three whose map is empty
    known.loc[test[4:7], "no_evidence"] = True
    monkeypatch.setattr(attention_scores, "frame", lambda _id: known)

    def told() -> str:
        captions = show("attention", **{"attention-tab": "Scores per group"}).caption
        return next(one.value for one in captions if one.value.startswith("Over "))

    n = len(test)
    assert f"Of the {n:,}, 3 have" in told()
    known.loc[test[5:7], "no_evidence"] = False
    assert f"Of the {n:,}, 1 has" in told()


def test_a_preview_is_queued_with_the_choices_of_the_pass_and_followed(show, waiting_queue) -> None:
    app = show("attention")
    app.segmented_control(key="class_of_map-gradcam").set_value("predicted")
    app.pills(key="splits-gradcam").set_value(["val", "test"]).run()
    app.button(key="preview").click().run()
    assert not app.exception
    (run,) = session.store().runs.all(kind="preview")
    assert (run.spec["class_of_map"], run.spec["split"], run.spec["images"]) == ("predicted", "val", 8)
    assert app.query_params["preview"] == run.id


@pytest.mark.slow
def test_a_finished_preview_shows_its_images_under_their_maps(show) -> None:
    from slim_core import api
    from slim_core.runs.executor import InProcess, Workbench

    store = session.store()
    model = store.runs.all(kind="train")[0]
    run = api.preview(model.id, target_layer="stages.1", at=Workbench(store, InProcess(store, device="cpu")))
    app = show("attention", model=model.id, preview=run.id)
    assert any(one.value.endswith(" stages.1 (32 channels, 16 x 16).") for one in app.caption)
    (drawn,) = [text for text in map(str, (html.proto.body for html in app.get("html"))) if "slim-pictures" in text]
    assert drawn.count("kind=overlay") == 8 and drawn.count(f"run={run.id}") >= 8
    with store.database.write() as connection:  # as if a network of one's own called it so
        change = "UPDATE runs SET metrics = replace(metrics, 'stages.1', '_stages_.1') WHERE id = ?"
        connection.exec_driver_sql(change, (run.id,))
    app = show("attention", model=model.id, preview=run.id)
    said = f" {verbatim('_stages_.1')} (32 channels, 16 x 16)."
    assert any(one.value.endswith(said) for one in app.caption), "and no emphasis is made of it"
    other = next(one for one in store.runs.all(kind="train") if one.id != model.id)
    assert "preview" not in show("attention", model=other.id, preview=run.id).query_params


def test_a_model_without_maps_says_why_and_computes_none(show) -> None:
    store = session.store()
    model = store.runs.all(kind="train")[0]
    about = store.artifacts.folder(model.id) / "model.json"
    refused = "flat has no layer."
    about.write_text(json.dumps(json.loads(about.read_text()) | {"network": {"refused": refused}}))
    app = show("attention", model=model.id)
    assert any(info.value == refused for info in app.info)
    assert app.button(key="preview").disabled and app.button(key="submit-gradcam").disabled


def test_a_model_without_facts_of_its_network_computes_its_maps_and_may_name_a_layer(show) -> None:
    store = session.store()
    model = store.runs.all(kind="train")[0]
    about = store.artifacts.folder(model.id) / "model.json"
    about.write_text(json.dumps({k: v for k, v in json.loads(about.read_text()).items() if k != "network"}))
    app = show("attention", model=model.id)
    (only,) = app.selectbox(key=f"target_layer-{model.id}").options
    assert "the last" in only
    app.button(key="submit-gradcam").click().run()
    assert store.runs.all(kind="gradcam")[0].spec["target_layer"] is None


@pytest.mark.parametrize("n", [0, 9])
def test_what_a_pass_says_of_its_maps_and_how_many_are_empty_is_said_above_them_and_on_their_run(show, n: int) -> None:
    store = session.store()
    run = next(one for one in store.runs.all(kind="gradcam", status="done"))
    with store.database.write() as connection:
        counted = {**run.metrics, "no_evidence": n, "report": {"notes": ["Values of 3 images were clipped."]}}
        connection.execute(sa.update(schema.runs).where(schema.runs.c.id == run.id).values(metrics=counted))
    for app in (show("attention"), show("jobs", run=run.id)):
        said = [one.value for one in app.caption if "maps are empty, zero everywhere: the" in one.value]
        assert len(said) == bool(n)
        assert "Values of 3 images were clipped." in [one.value for one in app.warning]
