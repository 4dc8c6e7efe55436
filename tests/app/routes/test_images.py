"""Images, masks and attention maps by address."""

from __future__ import annotations

import io
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from app import session
from app.routes import guard, images
from app.routes.images import Picture, image_url
from app.session import Viewer
from slim_core.attention.thumbnails import Thumbnails
from slim_core.data.images.codec import ImageTransform
from slim_core.data.images.heat import heat_map
from slim_core.data.importing import import_data
from slim_core.data.table import BOX_COLUMNS, ImageTable, load_mask
from slim_core.store import Dataset
from tests.app.conftest import newest_done
from tests.slim_core.store.store_makers import statements

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_an_image_comes_as_webp_of_the_size_asked_for(client: TestClient, dataset: Dataset) -> None:
    answer = client.get(image_url(dataset.id, 3, session.token(), size=80))
    assert answer.headers["content-type"] == "image/webp"
    assert pixels(answer.content).shape == (80, 80, 3)
    assert "immutable" in answer.headers["cache-control"]
    assert "private" in answer.headers["cache-control"]


def test_a_known_etag_is_answered_without_the_image(client: TestClient, dataset: Dataset) -> None:
    url = image_url(dataset.id, 3, session.token())
    etag = client.get(url).headers["etag"]
    again = client.get(url, headers={"If-None-Match": etag})
    assert again.status_code == 304
    assert again.content == b""
    other = client.get(image_url(dataset.id, 4, session.token()))
    assert other.headers["etag"] != etag


def test_a_mask_leaves_the_object_bright_and_dims_the_rest(client: TestClient, dataset: Dataset) -> None:
    whole = pixels(client.get(image_url(dataset.id, 0, session.token(), size=64)).content).astype(float)
    masked = pixels(client.get(image_url(dataset.id, 0, session.token(), size=64, kind="mask")).content)
    ratio = masked.sum(axis=2) / np.maximum(1, whole.sum(axis=2))
    assert (ratio < 0.4).mean() > 0.5
    assert (ratio > 0.8).mean() > 0.02


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_without_a_valid_token_nothing_is_served(client: TestClient, dataset: Dataset, token: str) -> None:
    answer = client.get(image_url(dataset.id, 0, token))
    assert answer.status_code == 401
    assert "Reload the page" in answer.json()["error"]


def test_a_token_of_another_data_set_does_not_reach_this_one(client: TestClient, dataset: Dataset) -> None:
    answer = client.get(image_url(dataset.id, 0, session.token(dataset="d-other")))
    assert answer.status_code == 404


@pytest.mark.parametrize(("change", "status", "sentence"), [
    ({"row": 40}, 404, "0..39"),
    ({"size": 5000}, 400, "size 16..1024"),
    ({"kind": "portrait"}, 400, "kind is one"),
    ({"kind": "overlay"}, 400, "needs run="),
    ({"kind": "overlay", "run": "r-none"}, 404, "r-none"),
    ({"dataset": "d-none"}, 404, "d-none"),
    ({"row": "9" * 5_000}, 404, "There is no GET"),
])  # fmt: skip
def test_a_wrong_request_is_refused_in_one_sentence(
    client: TestClient, dataset: Dataset, change: dict, status: int, sentence: str
) -> None:
    asked = {"dataset": dataset.id, "row": 0, "token": session.token()} | change
    answer = client.get(image_url(**asked))
    assert answer.status_code == status
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize(("content", "status", "named"), [(None, 404, "it.png is"), (b"\x89PNG", 400, "it.png")])
def test_a_missing_or_broken_image_is_refused_with_its_path(
    client: TestClient, dataset: Dataset, tmp_path: Path, monkeypatch, content: bytes | None, status: int, named: str
) -> None:
    if content is not None:
        (tmp_path / "it.png").write_bytes(content)
    monkeypatch.setattr(ImageTable, "image_path", lambda _table, _row: tmp_path / "it.png")
    answer = client.get(image_url(dataset.id, 0, session.token()))
    assert answer.status_code == status and named in answer.json()["error"]


def test_the_ticket_of_a_role_that_was_taken_away_shows_no_more_images(
    client: TestClient, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "signs_in", lambda: True)
    monkeypatch.setattr(guard, "ROLE_KEPT_S", 0.01)
    members = session.store().members
    members.set_role("ann@example.org", "annotator")
    ticket = session.sign(Viewer("ann@example.org", "annotator"))
    assert client.get(image_url(dataset.id, 0, ticket)).status_code == 200
    members.remove("ann@example.org")
    time.sleep(0.02)
    refused = client.get(image_url(dataset.id, 0, ticket))
    assert refused.status_code == 401
    assert refused.json()["error"].startswith("Your role has")
    assert client.get(image_url(dataset.id, 0, session.sign(Viewer("ann@example.org", "viewer")))).status_code == 200


def test_the_role_is_not_looked_up_for_each_of_many_images(
    client: TestClient, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "signs_in", lambda: True)
    monkeypatch.setattr(guard, "ROLE_KEPT_S", 3_600.0)
    session.store().members.set_role("ann@example.org", "annotator")
    ticket = session.sign(Viewer("ann@example.org", "annotator"))
    with statements(session.store().database) as sent:
        for row in range(10):
            assert client.get(image_url(dataset.id, row, ticket)).status_code == 200
    assert 1 <= sum("FROM members" in statement for statement in sent) <= 2


def telling_row() -> int:
    """The image whose two maps differ most, of those whose own is not empty, as one of a weak model may be."""
    run = newest_done("gradcam")
    folder = session.store().artifacts.folder(run.id)
    rows, maps = np.load(folder / "rows.npy"), np.load(folder / "class_maps.npy").astype(float)  # (n,), (n, 2, U, V)
    own = maps[np.arange(len(rows)), session.store().datasets.table(run.dataset_id).labels[rows]]
    differ = np.abs(maps[:, 0] - maps[:, 1]).mean(axis=(1, 2)) * (own.max(axis=(1, 2)) > 0)
    return int(rows[differ.argmax()])


def drawn(client: TestClient, kind: str, **more: object) -> np.ndarray:
    run = newest_done("gradcam")
    url = image_url(run.dataset_id, telling_row(), session.token(), size=64, kind=kind, run=run.id, **more)
    answer = client.get(url)
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(float)


@pytest.mark.usefixtures("filled_home")
def test_an_overlay_lies_between_the_image_and_its_heat_map(client: TestClient) -> None:
    image, heat, overlay = (drawn(client, kind) for kind in ("image", "heat", "overlay"))
    run = newest_done("gradcam")
    drawn_map = heat_map(images.open_maps(run.id).of(telling_row(), "label"), 64)
    weak, strong = (drawn_map < 0.2, drawn_map > 0.9)
    assert np.abs(overlay - (image + heat) / 2)[strong].mean() < 12  # WebP is lossy
    assert np.abs(drawn(client, "overlay", opacity=0.0) - image).mean() < 2
    assert np.abs(overlay - image)[weak].mean() < 0.35 * np.abs(heat - image)[weak].mean(), "the picture stays"


@pytest.mark.usefixtures("filled_home")
def test_the_thumbnail_of_the_worker_is_served_as_it_is_even_where_the_image_is_gone(
    client: TestClient, filled_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = newest_done("gradcam")
    kept = Thumbnails(filled_home / "runs" / run.id).read(5, 64)
    monkeypatch.setattr(ImageTable, "image_path", lambda table, _row: table.root / "gone.png")
    answer = client.get(image_url(run.dataset_id, 5, session.token(), size=64, run=run.id))
    assert answer.content == kept
    assert answer.headers["content-type"] == "image/jpeg"
    assert drawn(client, "overlay").shape == (64, 64, 3)


@pytest.mark.usefixtures("filled_home")
def test_without_a_pack_the_picture_is_drawn_and_looks_the_same(client: TestClient, filled_home: Path) -> None:
    kept = drawn(client, "image")
    (filled_home / "runs" / newest_done("gradcam").id / "thumbnails.npy").unlink()
    images._thumbnails.cache_clear()
    assert np.abs(drawn(client, "image") - kept).mean() < 8


@pytest.mark.usefixtures("filled_home")
def test_an_empty_map_leaves_the_image_as_it_is_and_says_so_in_every_kind(
    client: TestClient, filled_home: Path
) -> None:
    image = drawn(client, "image")
    folder, row = filled_home / "runs" / newest_done("gradcam").id, telling_row()
    maps = np.load(folder / "class_maps.npy")
    maps[np.load(folder / "rows.npy") == row] = 0
    np.save(folder / "class_maps.npy", maps)
    own = np.load(folder / "maps.npy")
    own[np.load(folder / "rows.npy") == row] = 0
    np.save(folder / "maps.npy", own)
    images._open_maps.cache_clear()
    run = newest_done("gradcam")
    for kind in ("overlay", "contour", "heat", "veil"):
        url = image_url(run.dataset_id, row, session.token(), size=64, kind=kind, run=run.id)
        found = np.asarray(Image.open(io.BytesIO(client.get(url).content)).convert("RGBA")).astype(float)
        band = slice(48, 64)
        assert found[band, :, :3].std() > 20 and found[band, :, 3].min() > 150, "white words in a dark band"
        if kind in ("heat", "veil"):
            assert found[:32, :, 3].max() == 0, "what lies under it stays visible"
        else:
            assert np.abs(found[:32, :, :3] - image[:32]).mean() < 4, "not darkened"


@pytest.mark.usefixtures("filled_home")
def test_a_contour_changes_a_thin_line_only(client: TestClient) -> None:
    changed = np.abs(drawn(client, "contour") - drawn(client, "image")).sum(axis=2) > 60
    assert 0 < changed.mean() < 0.4


@pytest.mark.usefixtures("filled_home")
def test_the_map_of_any_class_is_drawn(client: TestClient) -> None:
    label = session.store().datasets.table(newest_done("gradcam").dataset_id).labels[telling_row()]
    of_label, own, other = (drawn(client, "heat", map_of=c) for c in ("label", str(label), str(1 - label)))
    assert np.abs(of_label - own).mean() < 2
    assert np.abs(of_label - other).mean() > 20
    predicted = drawn(client, "heat", map_of="predicted")
    assert min(np.abs(predicted - own).mean(), np.abs(predicted - other).mean()) < 2


@pytest.mark.usefixtures("filled_home")
def test_a_map_of_a_class_that_was_not_kept_is_refused(client: TestClient, filled_home: Path) -> None:
    run = newest_done("gradcam")
    (filled_home / "runs" / run.id / "class_maps.npy").unlink()
    for asked in ("predicted", "1", "none"):
        answer = client.get(image_url(run.dataset_id, 0, session.token(), kind="heat", run=run.id, map_of=asked))
        assert answer.status_code == 404
        assert f" {asked} class" in answer.json()["error"]


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize("kind", ["image", "overlay", "heat", "contour"])
def test_a_run_of_another_data_set_shows_nothing_of_it(client: TestClient, small_demo: Path, kind: str) -> None:
    mine = session.store().datasets.register(import_data(small_demo, name="mine"), by="tests")
    url = image_url(mine.id, 0, session.token(dataset=mine.id), kind=kind, run=newest_done("gradcam").id)
    answer = client.get(url)
    assert answer.status_code == 404
    assert f"No run {newest_done('gradcam').id} of" in answer.json()["error"]


@pytest.mark.parametrize("fit", ["pad", "squeeze"])
def test_a_map_and_a_mask_lie_over_the_whole_of_an_image_that_the_model_sees_whole(tmp_path, monkeypatch, fit) -> None:
    """A bright square far left of 90 x 30 pixels, which has the attention."""
    drawn = np.full((30, 90, 3), 40, np.uint8)
    drawn[10:20, :10] = 250
    Image.fromarray(drawn).save(tmp_path / "0.png")
    frame = pd.DataFrame({"path": ["0.png"], "split": ["test"], "label": [0], "attribute": [-1], "mask": [""]})
    frame[list(BOX_COLUMNS)] = [(0, 10, 10, 10)]
    table, transform = ImageTable("one", tmp_path, frame, ("one",)), ImageTransform(size=36, fit=fit)
    mask = load_mask(table, 0, transform)
    assert mask is not None
    monkeypatch.setattr(images, "_transform", lambda _run: transform)
    monkeypatch.setattr(images, "_folder", lambda _run: tmp_path)
    monkeypatch.setattr(images, "_open_maps", lambda _run, _folder: SimpleNamespace(of=lambda _row, _class: mask))
    seen = {kind: pixels(Picture(table, 0, 180, "r-1").encoded(kind)[0]) for kind in images.KINDS if kind != "whole"}
    assert {kind: one.shape[:2] for kind, one in seen.items()} == dict.fromkeys(seen, (60, 180)) | {
        "square": (180, 180)
    }
    inside = np.zeros((60, 180), bool)
    inside[22:38, 2:18] = True
    heat, veil = seen["heat"].sum(axis=2, dtype=int), seen["veil"][..., 3]
    assert heat[inside].min() > heat[:, 40:].max() and veil[inside].min() > veil[:, 40:].max()
    assert seen["mask"][inside].min() > 200 and seen["mask"][:, 40:].max() < 20
    assert seen["image"][inside].min() > 200 and (seen["overlay"] != seen["image"]).any()
    assert (seen["contour"][:, 40:] < 80).all()


def test_an_image_without_a_run_is_shown_whole(tmp_path, client: TestClient, dataset: Dataset, monkeypatch) -> None:
    Image.new("RGB", (90, 30)).save(tmp_path / "wide.png")
    monkeypatch.setattr(ImageTable, "image_path", lambda _table, _row: tmp_path / "wide.png")
    assert pixels(client.get(image_url(dataset.id, 0, session.token(), size=60)).content).shape == (20, 60, 3)
