"""The routes of the drawing page: an image to draw on, the keeping of a drawing, and what they refuse."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from app import session
from app.session import Viewer
from slim_core.store import Dataset
from tests.app.conftest import headers

if TYPE_CHECKING:
    from starlette.testclient import TestClient

BOX = [[[2, 2], [20, 2], [20, 12], [2, 12]]]


def keep(client: TestClient, dataset: Dataset, row: object = 3, polygons: object = BOX, id: object = "a", **more):
    who = more.pop("who", {})
    body = {"dataset": dataset.id, "row": row, "polygons": polygons, "id": id, "split": "train", **more}
    return client.post("/api/shapes", json=body, headers=headers(**who))


def image(client: TestClient, dataset: Dataset, row: object = 3, **who):
    return client.post("/api/shapes/image", json={"dataset": dataset.id, "row": row}, headers=headers(**who))


def test_an_image_comes_with_its_size_its_class_and_what_is_drawn(client: TestClient, dataset: Dataset) -> None:
    table = session.store().datasets.table(dataset.id)
    about = image(client, dataset).json()
    with Image.open(table.image_path(3)) as file:
        assert (about["width"], about["height"]) == file.size
    assert about["label"] == table.label_names[table.labels[3]] and about["masked"] is bool(table.has_mask[3])
    assert (about["polygons"], about["seq"], about["by"]) == ([], 0, "")
    assert about["split"] == table.splits[3]
    kept = keep(client, dataset).json()
    about = image(client, dataset, name="lea").json()
    assert (about["polygons"], about["seq"], about["by"]) == (BOX, kept["seq"], "ann")


def test_a_drawing_counts_and_is_told_to_whom_it_overtook(client: TestClient, dataset: Dataset) -> None:
    first = keep(client, dataset).json()
    assert first["overtaken"] is None
    assert first["progress"]["drawn"] == 1
    name, n_scored, n = first["progress"]["classes"][0]
    assert n_scored <= n and isinstance(name, str)
    late = keep(client, dataset, polygons=[[[0, 0], [9, 0], [0, 9]]], id="b", who={"name": "lea"}).json()
    assert late["overtaken"] == "ann"
    assert session.store().shapes.find(dataset.id, 3).drawn_by == "lea"
    gone = keep(client, dataset, polygons=[], id="c", after=late["seq"], who={"name": "lea"}).json()
    assert gone["overtaken"] is None and gone["progress"]["drawn"] == 0


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"row": 10**9}, 404),
        ({"row": -1}, 404),
        ({"row": "3"}, 404),
        ({"row": True}, 404),
        ({"row": None}, 404),
        ({"polygons": "everything"}, 400),
        ({"polygons": [[[0, 0]] * 500]}, 400),
        ({"polygons": [[[0, 0], [1e308, 0], ["0", 9]]]}, 400),
        ({"polygons": [{"x": 1}]}, 400),
        ({"polygons": [[[1, 1], [2, 2], [3, 3]]]}, 400),
        ({"polygons": None}, 400),
        ({"id": ""}, 400),
        ({"id": "x" * 200}, 400),
        ({"id": {"a": 1}}, 400),
        ({"split": "everything"}, 400),
        ({"split": ["train"]}, 400),
        ({"after": "9"}, 400),
        ({"after": True}, 400),
    ],
)
def test_what_is_no_drawing_is_refused_in_a_sentence(client: TestClient, dataset: Dataset, change, status) -> None:
    body = {"dataset": dataset.id, "row": 3, "polygons": BOX, "id": "a", "split": "train", **change}
    reply = client.post("/api/shapes", json=body, headers=headers())
    assert reply.status_code == status, reply.text
    assert reply.json()["error"].endswith(".") and len(reply.json()["error"]) < 400
    assert session.store().shapes.newest(dataset.id) == 0


def test_who_may_not_draw_is_refused(client: TestClient, dataset: Dataset) -> None:
    assert keep(client, dataset, who={"role": "viewer"}).status_code == 403
    assert image(client, dataset, role="viewer").status_code == 403
    assert keep(client, dataset, who={"datasets": ("d-other",)}).status_code == 404
    body = {"dataset": dataset.id, "row": 3, "polygons": BOX, "id": "a", "split": "train"}
    assert client.post("/api/shapes", json=body).status_code == 401
    for named in (7, "", "x" * 100, None):
        reply = client.post("/api/shapes", json=body | {"dataset": named}, headers=headers())
        assert reply.status_code == 400
    assert client.post("/api/shapes", json=body | {"dataset": "d-none"}, headers=headers()).status_code == 404
    assert session.store().shapes.newest(dataset.id) == 0


def test_a_role_that_was_taken_away_meanwhile_is_refused_by_the_store(
    client: TestClient, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "signs_in", lambda: True)
    monkeypatch.setattr(
        "app.routes.guard._as_of_now", lambda viewer, *_: viewer
    )  # the route has looked the role up before
    assert keep(client, dataset, who={"name": "ann@x.org"}).status_code == 403
    session.store().members.set_role("ann@x.org", "annotator")
    assert keep(client, dataset, who={"name": "ann@x.org"}).status_code == 200


def test_a_mask_that_was_drawn_is_shown_and_never_kept_by_the_browser(client: TestClient, dataset: Dataset) -> None:
    query = {"kind": "mask", "size": 64, "token": session.sign(Viewer("ann", "viewer"))}
    before = client.get(f"/api/image/{dataset.id}/3", params=query)
    keep(client, dataset)
    after = client.get(f"/api/image/{dataset.id}/3", params=query)
    assert after.status_code == 200 and after.headers["Cache-Control"] == "private, no-cache"
    assert after.headers["ETag"] != before.headers.get("ETag") and after.content != before.content
    again = client.get(f"/api/image/{dataset.id}/3", params=query, headers={"If-None-Match": after.headers["ETag"]})
    assert again.status_code == 304


def test_a_whole_image_is_shown_uncut_and_no_larger_than_it_is(client: TestClient, dataset: Dataset) -> None:
    with Image.open(session.store().datasets.table(dataset.id).image_path(3)) as file:
        side = file.size[0]
    for asked, given in ((1024, side), (16, 16)):
        query = {"kind": "whole", "size": asked, "token": session.sign(Viewer("ann", "viewer"))}
        reply = client.get(f"/api/image/{dataset.id}/3", params=query)
        assert Image.open(io.BytesIO(reply.content)).size == (given, given)


def test_half_a_letter_in_place_of_an_id_is_refused_in_a_sentence(client: TestClient, dataset: Dataset) -> None:
    half = '"\\ud800"'
    bodies = {
        "/api/shapes/image": f'{{"dataset": {half}, "row": 3}}',
        "/api/shapes": f'{{"dataset": {half}, "row": 3}}',
    }
    for route, body in bodies.items():
        answer = client.post(route, content=body, headers=headers())
        assert answer.status_code == 400 and "cannot hold what" in answer.json()["error"]
    body = f'{{"dataset": "{dataset.id}", "row": 3, "polygons": [], "id": {half}, "split": "train"}}'
    assert client.post("/api/shapes", content=body, headers=headers()).status_code == 400
